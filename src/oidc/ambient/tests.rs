#![expect(clippy::disallowed_methods, reason = "files that nobody else reads")]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::settings::{Secret, Settings};

/// A provider that gives each request the next of `answers`, and what it was asked.
async fn provider(answers: Vec<String>) -> (String, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (asked, receiver) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            let mut chunk = [0; 4096];
            // The body of a request that has one ends with a brace, and comes at once.
            while !request.ends_with(b"\r\n\r\n") && !request.ends_with(b"}") {
                let read = stream.read(&mut chunk).await.unwrap();
                request.extend_from_slice(&chunk[..read]);
            }
            asked.send(String::from_utf8(request).unwrap()).unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (address, receiver)
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

fn jwt() -> String {
    let claims = r#"{"iss":"i","sub":"s","aud":"sigstore","exp":1,"iat":1}"#;
    format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode("{}"), URL_SAFE_NO_PAD.encode(claims))
}

/// Nothing of the machine that the tests run on.
fn nowhere() -> Places {
    Places {
        token_file: "/nowhere/token".into(),
        product_name: "/nowhere/name".into(),
        google_impersonation: "http://127.0.0.1:1/".to_owned(),
        circleci: vec!["/nowhere/circleci".to_owned()],
    }
}

async fn obtained(ci: CiVariables, places: &Places) -> Result<Option<AmbientProvider>, String> {
    let mut settings = Settings::default();
    settings.surroundings.ci = ci;
    with(&settings, places).await
}

async fn with(settings: &Settings, places: &Places) -> Result<Option<AmbientProvider>, String> {
    let sources = UnattendedSources { settings, audience: "sigstore" };
    match token(&sources, places, &Http::default()).await {
        Ok(Some((token, provider))) => {
            assert_eq!(token.expose(), jwt());
            Ok(Some(provider))
        }
        Ok(None) => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

/// The address with its port left out.
fn masked(error: Result<Option<AmbientProvider>, String>, address: &str) -> String {
    error.unwrap_err().replace(address, "HOST")
}

#[tokio::test]
async fn a_machine_that_is_none_of_them() {
    assert_eq!(obtained(CiVariables::default(), &nowhere()).await, Ok(None));
}

fn github(address: &str) -> CiVariables {
    CiVariables {
        github_actions: true,
        github_request_url: Some(format!("http://{address}/idtoken?api-version=2.0")),
        github_request_token: Some(Secret::new("s3cret".to_owned())),
        ..CiVariables::default()
    }
}

#[tokio::test]
async fn github_actions() {
    let (address, mut asked) = provider(vec![
        answer("200 OK", "", &format!(r#"{{"count":1,"value":"{}"}}"#, jwt())),
        answer("200 OK", "", r#"{"value":7}"#),
        answer("200 OK", "", r#"{"value":"nonsense"}"#),
        answer("403 Forbidden", "", r#"{"message":"no permission"}"#),
    ])
    .await;
    assert_eq!(obtained(github(&address), &nowhere()).await, Ok(Some(AmbientProvider::GitHubActions)));
    let request = asked.recv().await.unwrap().to_lowercase();
    assert!(request.starts_with("get /idtoken?api-version=2.0&audience=sigstore http/1.1\r\n"), "{request}");
    assert!(request.contains("\r\nauthorization: bearer s3cret\r\n"), "{request}");
    let says = "GitHub Actions gives no identity token: the service for identity tokens at http://HOST/idtoken";
    assert_eq!(
        masked(obtained(github(&address), &nowhere()).await, &address),
        format!("{says} gave an answer that cannot be used: it has no text member \"value\"")
    );
    let error = masked(obtained(github(&address), &nowhere()).await, &address);
    assert!(error.starts_with("GitHub Actions gives no identity token: the identity token is not a JWT"), "{error}");
    let error = masked(obtained(github(&address), &nowhere()).await, &address);
    assert_eq!(error, format!("{says} refused with status 403: \"no permission\""));
    assert!(!error.contains("s3cret"));
    // The server is gone by now.
    let error = masked(obtained(github(&address), &nowhere()).await, &address);
    assert!(error.starts_with(&format!("{says} cannot be reached: ")), "{error}");
    let without = CiVariables { github_actions: true, ..CiVariables::default() };
    assert_eq!(
        obtained(without, &nowhere()).await.unwrap_err(),
        "GitHub Actions gives no identity token: the job needs \"permissions: id-token: write\""
    );
    // A secret goes nowhere but over https, or to this machine.
    let elsewhere = CiVariables { github_request_url: Some("http://example.org/".to_owned()), ..github("x") };
    assert!(obtained(elsewhere, &nowhere()).await.unwrap_err().contains("must be asked over https"));
}

#[tokio::test]
async fn gitlab() {
    let tokens = |name: &str, token: String| CiVariables {
        gitlab_id_tokens: Some(vec![
            ("OTHER_ID_TOKEN".to_owned(), Secret::new("x".to_owned())),
            (name.to_owned(), Secret::new(token)),
        ]),
        ..CiVariables::default()
    };
    assert_eq!(obtained(tokens("SIGSTORE_ID_TOKEN", jwt()), &nowhere()).await, Ok(Some(AmbientProvider::GitLab)));
    assert_eq!(
        obtained(tokens("SIGSTORE_ID_TOKENS", jwt()), &nowhere()).await.unwrap_err(),
        "GitLab CI gives no identity token: the job has no SIGSTORE_ID_TOKEN: its \"id_tokens:\" must list it, with \
         \"aud: sigstore\""
    );
    let error = obtained(tokens("SIGSTORE_ID_TOKEN", "x".to_owned()), &nowhere()).await.unwrap_err();
    assert!(error.starts_with("GitLab CI gives no identity token: the identity token is not a JWT"), "{error}");
}

#[tokio::test]
async fn buildkite() {
    let (address, mut asked) = provider(vec![
        answer("201 Created", "", &format!(r#"{{"token":"{}"}}"#, jwt())),
        answer("200 OK", "", "<html>"),
        answer("401 Unauthorized", "", r#"{"message":"bad token"}"#),
    ])
    .await;
    let job = || CiVariables {
        buildkite_agent_token: Some(Secret::new("s3cret".to_owned())),
        buildkite_endpoint: Some(format!("http://{address}/v3/")),
        buildkite_job: Some("0190-aa/../x".to_owned()),
        ..CiVariables::default()
    };
    assert_eq!(obtained(job(), &nowhere()).await, Ok(Some(AmbientProvider::Buildkite)));
    let request = asked.recv().await.unwrap();
    assert!(request.starts_with("POST /v3/jobs/0190-aa%2F..%2Fx/oidc/tokens HTTP/1.1\r\n"), "{request}");
    assert!(request.to_lowercase().contains("\r\nauthorization: token s3cret\r\n"), "{request}");
    assert!(request.ends_with(r#"{"audience":"sigstore"}"#), "{request}");
    let says = "Buildkite gives no identity token: the service for identity tokens at \
                http://HOST/v3/jobs/0190-aa%2F..%2Fx/oidc/tokens";
    assert_eq!(
        masked(obtained(job(), &nowhere()).await, &address),
        format!("{says} gave an answer that cannot be used: it has no text member \"token\"")
    );
    assert_eq!(
        masked(obtained(job(), &nowhere()).await, &address),
        format!("{says} refused with status 401: \"bad token\"")
    );
    assert_eq!(
        obtained(CiVariables { buildkite_job: None, ..job() }, &nowhere()).await.unwrap_err(),
        "Buildkite gives no identity token: there is no BUILDKITE_JOB_ID"
    );
}

#[tokio::test]
async fn circleci() {
    let program = |script: String| Places {
        circleci: ["sh", "-c", &script, "circleci"].map(str::to_owned).to_vec(),
        ..nowhere()
    };
    let job = || CiVariables { circleci: true, ..CiVariables::default() };
    let asked = r#"run oidc get --claims {"aud":"sigstore"} --root-issuer"#;
    let good = program(format!("test \"$*\" = '{asked}' && echo {}", jwt()));
    assert_eq!(obtained(job(), &good).await, Ok(Some(AmbientProvider::CircleCi)));
    assert_eq!(
        obtained(job(), &program("echo 'not in a job' >&2; exit 1".to_owned())).await.unwrap_err(),
        "CircleCI gives no identity token: it ended with exit status: 1: \"not in a job\""
    );
    assert_eq!(
        obtained(job(), &nowhere()).await.unwrap_err(),
        "CircleCI gives no identity token: the program /nowhere/circleci cannot be started: No such file or directory (os \
         error 2)"
    );
}

const GOOGLES: &str = "Metadata-Flavor: Google\r\n";

#[tokio::test]
async fn a_virtual_machine_of_googles() {
    let (address, mut asked) = provider(vec![
        answer("200 OK", GOOGLES, &format!("{}\n", jwt())),
        answer("200 OK", "", &jwt()),
        answer("403 Forbidden", GOOGLES, "no"),
        answer("404 Not Found", GOOGLES, "no account"),
        answer("404 Not Found", GOOGLES, "no account"),
    ])
    .await;
    let machine = || CiVariables { google_metadata_host: Some(address.clone()), ..CiVariables::default() };
    assert_eq!(obtained(machine(), &nowhere()).await, Ok(Some(AmbientProvider::GoogleCloud)));
    let request = asked.recv().await.unwrap();
    let path = "/computeMetadata/v1/instance/service-accounts/default/identity?audience=sigstore&format=full";
    assert!(request.starts_with(&format!("GET {path} HTTP/1.1\r\n")), "{request}");
    assert!(request.to_lowercase().contains("\r\nmetadata-flavor: google\r\n"), "{request}");
    let says = "Google Cloud gives no identity token: Google's metadata server at \
                http://HOST/computeMetadata/v1/instance/service-accounts/default/identity";
    assert_eq!(
        masked(obtained(machine(), &nowhere()).await, &address),
        format!("{says} gave an answer that cannot be used: it does not say that it is Google's")
    );
    assert_eq!(
        masked(obtained(machine(), &nowhere()).await, &address),
        format!("{says} refused with status 403: \"no\"")
    );
    assert_eq!(obtained(machine(), &nowhere()).await, Ok(None), "a machine like any other");
    let mut settings = Settings { login: LoginChoice::Ambient, ..Settings::default() };
    settings.surroundings.ci = machine();
    assert_eq!(
        with(&settings, &nowhere()).await.unwrap_err(),
        "Google Cloud gives no identity token: the machine has no service account"
    );
    // Who works there over SSH is not the machine.
    let mut settings = Settings::default();
    settings.surroundings.ci = machine();
    settings.surroundings.ssh = Some("SSH_CONNECTION");
    assert_eq!(with(&settings, &nowhere()).await, Ok(None));
}

#[tokio::test]
async fn a_virtual_machine_that_acts_for_another_account() {
    let (address, mut asked) = provider(vec![
        answer("200 OK", GOOGLES, r#"{"access_token":"s3cret","expires_in":3599,"token_type":"Bearer"}"#),
        answer("200 OK", "", &format!(r#"{{"token":"{}"}}"#, jwt())),
        answer("200 OK", GOOGLES, "{}"),
    ])
    .await;
    let machine = || CiVariables {
        google_metadata_host: Some(address.clone()),
        google_service_account: Some("signer@p.iam.gserviceaccount.com".to_owned()),
        ..CiVariables::default()
    };
    let places = Places { google_impersonation: format!("http://{address}/v1/accounts/"), ..nowhere() };
    assert_eq!(obtained(machine(), &places).await, Ok(Some(AmbientProvider::GoogleCloud)));
    asked.recv().await.unwrap();
    let request = asked.recv().await.unwrap();
    let path = "/v1/accounts/signer@p.iam.gserviceaccount.com:generateIdToken";
    assert!(request.starts_with(&format!("POST {path} HTTP/1.1\r\n")), "{request}");
    assert!(request.to_lowercase().contains("\r\nauthorization: bearer s3cret\r\n"), "{request}");
    assert!(request.ends_with(r#"{"audience":"sigstore","includeEmail":true}"#), "{request}");
    assert_eq!(
        masked(obtained(machine(), &places).await, &address),
        "Google Cloud gives no identity token: Google's metadata server at \
         http://HOST/computeMetadata/v1/instance/service-accounts/default/token gave an answer that cannot be used: it \
         holds no token"
    );
}

#[test]
fn only_the_firmware_says_that_a_machine_is_googles() {
    let folder = tempfile::tempdir().unwrap();
    for (name, there) in
        [("Google Compute Engine\n", true), ("Google\n", true), ("Google Eve\n", false), ("ThinkPad\n", false)]
    {
        let product_name = folder.path().join("product_name");
        std::fs::write(&product_name, name).unwrap();
        let places = Places { product_name, ..nowhere() };
        assert_eq!(google::is_there(&CiVariables::default(), &places), there, "{name}");
        let denied = CiVariables { not_google: true, ..CiVariables::default() };
        assert!(!google::is_there(&denied, &places), "{name}");
    }
}

#[tokio::test]
async fn a_mounted_file() {
    let folder = tempfile::tempdir().unwrap();
    let places = Places { token_file: folder.path().join("oidc-token"), ..nowhere() };
    assert_eq!(obtained(CiVariables::default(), &places).await, Ok(None));
    std::fs::write(&places.token_file, format!("{}\n", jwt())).unwrap();
    assert_eq!(obtained(CiVariables::default(), &places).await, Ok(Some(AmbientProvider::Filesystem)));
    std::fs::write(&places.token_file, "x".repeat(1 << 20)).unwrap();
    let error = obtained(CiVariables::default(), &places).await.unwrap_err();
    let expected = format!(
        "the mounted token file gives no identity token: {}: it has more than 65538 bytes",
        places.token_file.display()
    );
    assert_eq!(error, expected);
    // A FIFO is not waited for.
    let fifo = Places { token_file: folder.path().join("fifo"), ..nowhere() };
    assert!(std::process::Command::new("mkfifo").arg(&fifo.token_file).status().unwrap().success());
    let error = obtained(CiVariables::default(), &fifo).await.unwrap_err();
    assert!(error.ends_with("it is not a regular file"), "{error}");
}
