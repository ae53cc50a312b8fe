//! Off loopback only under TLS, behind a proxy, or through a socket that is the user's own.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use reqwest::{Certificate, Client, Version};
use serde_json::Value;

use super::sandbox::{Authority, Ran, Sandbox, Stack, WAXSEAL, free_port};

#[test]
fn tls_with_a_certificate_that_changes() {
    let sandbox = Sandbox::new();
    let authority = Authority::new(&sandbox.path("ca.pem"));
    put(&sandbox, &authority.certify("127.0.0.1"));
    let port = free_port();
    let url = format!("https://127.0.0.1:{port}");
    // Every address of the machine, which takes TLS.
    let served = start(&sandbox, &["--listen", &format!("0.0.0.0:{port}"), "--public-url", &url]);
    sandbox.config("waxseal.caFile", sandbox.path("ca.pem").to_str().unwrap());
    sandbox.waxseal(["trust", "add", "home", "--url", &url, "--sha256", served.digest()]).success();

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let first = client(&sandbox.path("ca.pem"));
        let get = |client: &Client| client.get(format!("{url}/healthz")).send();
        let answer = get(&first).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (200, Version::HTTP_2));
        let only_1 = Client::builder().http1_only().tls_certs_only([certificate(&sandbox.path("ca.pem"))]);
        assert_eq!(get(&only_1.build().unwrap()).await.unwrap().version(), Version::HTTP_11);
        // Without TLS nothing is understood.
        assert!(reqwest::get(format!("http://127.0.0.1:{port}/healthz")).await.is_err());

        // Half of a new pair: what was there stays, and it is said.
        let another = Authority::new(&sandbox.path("another.pem"));
        let (new_certificate, new_key) = another.certify("127.0.0.1");
        sandbox.write("tls.pem", &new_certificate);
        served.hang_up();
        served.says("waxseal: the certificate that was there before stays: the first certificate in");
        assert_eq!(get(&client(&sandbox.path("ca.pem"))).await.unwrap().status(), 200);
        // The other half. The connection that is there goes on.
        sandbox.write("tls.key", &new_key);
        served.hang_up();
        served.says("waxseal: new connections get the new certificate");
        assert_eq!(get(&client(&sandbox.path("another.pem"))).await.unwrap().status(), 200);
        assert!(get(&client(&sandbox.path("ca.pem"))).await.is_err());
        assert_eq!(get(&first).await.unwrap().status(), 200);
        // Nobody has to say so.
        put(&sandbox, &authority.certify("127.0.0.1"));
        let start = Instant::now();
        while get(&client(&sandbox.path("ca.pem"))).await.is_err() {
            assert!(start.elapsed() < Duration::from_secs(20));
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    served.stop();
}

#[test]
fn a_socket_for_the_user_alone() {
    let sandbox = Sandbox::new();
    let socket = sandbox.path("run/waxseal.sock");
    // Left behind by one that was killed.
    drop(UnixListener::bind(&socket).unwrap());
    let listen = format!("unix:{}", socket.display());
    let log = sandbox.path("access.log");
    let arguments =
        ["--listen", &listen, "--public-url", "https://sigstore.example.org", "--access-log", log.to_str().unwrap()];
    let served = start(&sandbox, &arguments);
    let file = fs::symlink_metadata(&socket).unwrap();
    assert!(file.file_type().is_socket());
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(sandbox.path("run")).unwrap().count(), 1, "nothing else is left");
    let mut stream = UnixStream::connect(&socket).unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: sigstore.example.org\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");

    let refused = |listen: &str| {
        let mut serve = sandbox.command(WAXSEAL);
        serve.args(["serve", "--public-url", "https://sigstore.example.org", "--listen", listen, "--data"]);
        sandbox.masked(&Ran::of(serve.arg(sandbox.path("other")), b"").code(1).err())
    };
    let in_use = |file: &str| {
        format!(
            "waxseal: error: cannot listen on \"SANDBOX/{file}\": address in use\n\
             waxseal: hint: another process listens there, perhaps another waxseal serve, or it is no socket\n"
        )
    };
    assert_eq!(refused(&listen), in_use("run/waxseal.sock"));
    let file = sandbox.write("precious", "something else");
    assert_eq!(refused(&format!("unix:{}", file.display())), in_use("precious"));
    // A socket that cannot be asked may be somebody's: here one that takes datagrams.
    let datagrams = std::os::unix::net::UnixDatagram::bind(sandbox.path("run/datagrams")).unwrap();
    let said = refused(&format!("unix:{}", sandbox.path("run/datagrams").display()));
    assert!(said.starts_with("waxseal: error: cannot listen on \"SANDBOX/run/datagrams\": "), "{said}");
    assert!(sandbox.path("run/datagrams").exists());
    drop(datagrams);
    served.stop();
    assert!(!socket.exists(), "it is gone with its server");
    let logged: Value = serde_json::from_str(&fs::read_to_string(log).unwrap()).unwrap();
    assert_eq!(logged["client"], Value::Null, "no proxy said who asks");
}

/// With the certificate that is there, if one is.
fn start(sandbox: &Sandbox, arguments: &[&str]) -> Stack {
    let mut serve = sandbox.command(WAXSEAL);
    serve.args(["serve", "--data"]).arg(sandbox.path("sigstore")).args(arguments);
    if sandbox.path("tls.pem").exists() {
        serve.arg("--tls-cert").arg(sandbox.path("tls.pem")).arg("--tls-key").arg(sandbox.path("tls.key"));
    }
    Stack::start(serve)
}

fn put(sandbox: &Sandbox, (certificate, key): &(String, String)) {
    sandbox.write("tls.pem", certificate);
    sandbox.write("tls.key", key);
}

fn certificate(file: &Path) -> Certificate {
    Certificate::from_pem(&fs::read(file).unwrap()).unwrap()
}

/// One that has no connection yet.
fn client(authority: &Path) -> Client {
    Client::builder().tls_certs_only([certificate(authority)]).build().unwrap()
}
