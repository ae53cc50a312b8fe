//! Private networks: services behind TLS under a certificate authority of their own, and behind a proxy.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use waxseal::crypto::{ServiceKey, ServiceKeyKind};
use waxseal::identity_token::{JsonWebKeySet, sign_rs256};
use waxseal::tlog::hashedrekord::{Verifier, pem};

use super::outage::{failed, services};
use super::sandbox::front::{Front, Reply, nobody, reply};
use super::sandbox::{ALICE, Authority, JSON, Ran, Sandbox, Stack, WAXSEAL, http};

#[test]
fn an_authority_of_ones_own_vouches_for_services() {
    let sandbox = Sandbox::with_stack();
    let token = sandbox.token(ALICE);
    let authority = Authority::new(&sandbox.path("ca.pem"));
    let tls = authority.front(sandbox.url(), "127.0.0.1");
    services(&sandbox, "caUrls", &tls);
    services(&sandbox, "rekorTlogUrls", &format!("{tls}/rekor"));
    let said = |what: &str| {
        format!(
            "waxseal: error: the certificate authority at https://127.0.0.1:PORT/api/v2/signingCert has a TLS certificate \
             that cannot be trusted: {what}\n\
             waxseal: hint: waxseal.caFile names the authorities of a private network; without one, find out who answers \
             there\n"
        )
    };
    assert_eq!(sandbox.masked(&failed(sign(&sandbox, &token, &[]))), said("UnknownIssuer"));
    let stranger = Authority::new(&sandbox.path("stranger.pem"));
    let file = |name: &str| sandbox.path(name).to_str().unwrap().to_owned();
    assert_eq!(
        sandbox.masked(&failed(sign(&sandbox, &token, &[("WAXSEAL_CA_FILE", &file("stranger.pem"))]))),
        said("UnknownIssuer")
    );
    // A proxy has no business on this machine, whatever the scheme.
    let dead = nobody();
    let trusted = [("WAXSEAL_CA_FILE", file("ca.pem")), ("https_proxy", dead.clone()), ("ALL_PROXY", dead)];
    let trusted = trusted.each_ref().map(|(name, value)| (*name, value.as_str()));
    sign(&sandbox, &token, &trusted).success();
    // git config says it as well, with the home folder written as git writes it.
    std::fs::copy(sandbox.path("ca.pem"), sandbox.path("home/ca.pem")).unwrap();
    sandbox.config("waxseal.caFile", "~/ca.pem");
    sign(&sandbox, &token, &[]).success();

    // The right authority, and somebody else's name.
    let elsewhere = authority.front(sandbox.url(), "elsewhere.example");
    services(&sandbox, "caUrls", &elsewhere);
    let error = sandbox.masked(&failed(sign(&sandbox, &token, &[])));
    assert!(error.starts_with(said("").trim_end().lines().next().unwrap()), "{error}");
    assert!(error.contains("elsewhere.example"), "{error}");
    drop(stranger);
}

#[test]
fn trust_is_added_under_an_authority_of_ones_own() {
    let sandbox = Sandbox::with_stack();
    let authority = Authority::new(&sandbox.path("ca.pem"));
    let tls = authority.front(sandbox.url(), "127.0.0.1");
    let arguments = ["trust", "add", "again", "--url", &tls, "--sha256", sandbox.digest()];
    let refused = sandbox.waxseal(arguments).code(1);
    assert_eq!(
        sandbox.masked(&refused.err()),
        "waxseal: error: the source of trust material at https://127.0.0.1:PORT/trust/trusted_root.json has a TLS \
         certificate that cannot be trusted: UnknownIssuer\n\
         waxseal: hint: waxseal.caFile names the authorities of a private network\n"
    );
    sandbox.config("waxseal.caFile", sandbox.path("ca.pem").to_str().unwrap());
    sandbox.waxseal(arguments).success();
}

#[test]
fn services_are_asked_through_the_proxy_of_the_environment() {
    let sandbox = Sandbox::with_stack();
    let token = sandbox.token(ALICE);
    // Nobody can look this name up (RFC 2606), but the proxy knows where it is.
    let authority = Authority::new(&sandbox.path("ca.pem"));
    let tls = authority.front(sandbox.url(), "sigstore.invalid");
    let proxy = Proxy::new(tls.strip_prefix("https://").unwrap(), "200 Connection established");
    sandbox.config("waxseal.caFile", sandbox.path("ca.pem").to_str().unwrap());
    services(&sandbox, "caUrls", "https://sigstore.invalid");
    // The authority seems to be on another host than the issuer; the user knows that both belong together.
    let bounds = format!("oidc_issuers = [\"{}\"]\n", sandbox.issuer());
    sandbox.write("home/.local/share/waxseal/instances/home/instance.toml", bounds);
    services(&sandbox, "rekorTlogUrls", "https://sigstore.invalid:8443/rekor");
    let with_password = |proxy: &str| proxy.replace("http://", "http://alice:se%40cret@");
    sign(&sandbox, &token, &[("https_proxy", &with_password(&proxy.url))]).success();
    let seen = proxy.seen();
    let mut hosts: Vec<&str> = seen.iter().map(|head| head.lines().next().unwrap()).collect();
    // On a loaded machine a connection may take two attempts.
    hosts.dedup();
    assert_eq!(hosts, ["CONNECT sigstore.invalid:443 HTTP/1.1", "CONNECT sigstore.invalid:8443 HTTP/1.1"]);
    let password = format!("proxy-authorization: Basic {}", STANDARD.encode("alice:se@cret"));
    assert!(seen.iter().all(|head| head.to_lowercase().contains(&password.to_lowercase())), "{seen:?}");
    // A scheme may be left out, and all_proxy stands in.
    let bare = proxy.url.strip_prefix("http://").unwrap();
    sign(&sandbox, &token, &[("all_proxy", bare)]).success();

    let refused = |environment: &[(&str, &str)]| {
        let error = sandbox.masked(&failed(sign(&sandbox, &token, environment)));
        for text in [&error, &sandbox.last_error()] {
            assert!(!text.contains("cret") && !text.contains("alice:"), "{text}");
        }
        error
    };
    let address = "waxseal: error: the certificate authority at https://sigstore.invalid/api/v2/signingCert";
    let hint = "waxseal: hint: is the network up, and the service running? then try again\n";
    let through = "(through the proxy http://127.0.0.1:PORT of https_proxy)";
    for (status, said) in [
        ("407 Proxy Authentication Required", "tunnel error: proxy authorization required"),
        ("403 Forbidden", "tunnel error: unsuccessful"),
    ] {
        let closed = Proxy::new("", status);
        let error = refused(&[("https_proxy", &with_password(&closed.url))]);
        assert_eq!(error, format!("{address} cannot be reached: {said} {through}\n{hint}"));
    }
    let error = refused(&[("https_proxy", &with_password(&nobody()))]);
    assert_eq!(error, format!("{address} cannot be reached: Connection refused (os error 111) {through}\n{hint}"));

    // Who is on the list is asked directly, and cannot be found that way.
    let unasked = Proxy::new("", "200 Connection established");
    for no_proxy in ["sigstore.invalid", ".invalid", "*", "other.example, sigstore.invalid"] {
        let error = refused(&[("https_proxy", &with_password(&unasked.url)), ("no_proxy", no_proxy)]);
        assert!(error.starts_with(address) && !error.contains("proxy"), "{error}");
    }
    // Services on this machine are not asked through it.
    services(&sandbox, "caUrls", sandbox.url());
    services(&sandbox, "rekorTlogUrls", &format!("{}/rekor", sandbox.url()));
    sign(&sandbox, &token, &[("https_proxy", &unasked.url), ("http_proxy", &unasked.url)]).success();
    assert_eq!(unasked.seen(), [""; 0]);
}

#[test]
fn keys_of_other_issuers_come_through_the_proxy_too() {
    const ISSUER: &str = "https://issuer.invalid";
    let sandbox = Sandbox::new();
    let key = ServiceKey::generate(ServiceKeyKind::Rsa2048).unwrap();
    let keys = JsonWebKeySet::document(&key, "1").unwrap();
    let issuer = Front::new("http://127.0.0.1:1", move |request| {
        let discovery = json!({ "issuer": ISSUER, "jwks_uri": format!("{ISSUER}/keys") });
        let answer = if request.line.contains("/.well-known/") { &discovery } else { &keys };
        Reply::Bytes(reply("200 OK", "", answer.to_string().as_bytes()))
    });
    let authority = Authority::new(&sandbox.path("ca.pem"));
    let proxy = Proxy::new(
        authority.front(&issuer.url, "issuer.invalid").strip_prefix("https://").unwrap(),
        "200 Connection established",
    );
    // The folder is made by a first start.
    drop(Stack::start(sandbox.serve("sigstore", [])));
    sandbox.write("sigstore/issuers.toml", format!("[[issuer]]\nissuer-url = \"{ISSUER}\"\ntype = \"email\"\n"));

    let now = jiff::Timestamp::now().as_second();
    let claims = json!({
        "iss": ISSUER, "sub": "1", "aud": "sigstore", "iat": now, "exp": now + 600,
        "email": ALICE, "email_verified": true,
    });
    let token = sign_rs256(&claims, &key, "1").unwrap();
    let own = ServiceKey::generate(ServiceKeyKind::EcdsaP256).unwrap();
    let request = json!({
        "credentials": { "oidcIdentityToken": token },
        "publicKeyRequest": {
            "publicKey": { "content": pem(Verifier::PublicKey(own.verifying_key().spki_der())) },
            "proofOfPossession": STANDARD.encode(own.sign(ALICE.as_bytes()).unwrap()),
        },
    });
    let issued = |serve: &mut Command| {
        let stack = Stack::start(std::mem::replace(serve, Command::new("true")));
        let address = format!("{}/api/v2/signingCert", stack.url());
        http("POST", &address, JSON, request.to_string().as_bytes()).status
    };
    let ca_file = sandbox.path("ca.pem");
    let ca_file = ca_file.to_str().unwrap();
    let by_flag = || sandbox.serve("sigstore", ["--ca-file", ca_file]);
    assert_eq!(issued(by_flag().env("https_proxy", &proxy.url)), 200);
    let by_variable = &mut sandbox.serve("sigstore", []);
    assert_eq!(issued(by_variable.env("HTTPS_PROXY", &proxy.url).env("WAXSEAL_CA_FILE", ca_file)), 200);
    let mut hosts: Vec<String> = proxy.seen().iter().map(|head| head.lines().next().unwrap().to_owned()).collect();
    hosts.dedup();
    assert_eq!(hosts, ["CONNECT issuer.invalid:443 HTTP/1.1"]);
    // Nobody vouches for the issuer; nobody knows the way to it.
    assert_eq!(issued(sandbox.serve("sigstore", []).env("https_proxy", &proxy.url)), 503);
    assert_eq!(issued(by_flag().env("https_proxy", &proxy.url).env("no_proxy", "issuer.invalid")), 503);
}

fn sign(sandbox: &Sandbox, token: &str, environment: &[(&str, &str)]) -> Ran {
    let mut sign = sandbox.command(WAXSEAL);
    sign.args(["--status-fd=2", "-bsau", ALICE]).env("WAXSEAL_ID_TOKEN", token).envs(environment.iter().copied());
    Ran::of(&mut sign, b"payload\n")
}

/// A proxy that knows one host by all names.
struct Proxy {
    url: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn new(host: &str, status: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (host, noted) = (host.to_owned(), Arc::clone(&seen));
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (host, noted) = (host.clone(), Arc::clone(&noted));
                // A client that ends may leave a connection behind on which it said nothing: no reason to stop.
                std::thread::spawn(move || drop(stream.and_then(|client| tunnel(client, &host, status, &noted))));
            }
        });
        Self { url, seen }
    }

    /// The heads of the requests so far.
    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

/// One client of a proxy.
fn tunnel(mut client: TcpStream, host: &str, status: &str, seen: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    seen.lock().unwrap().push(String::from_utf8(head).unwrap());
    let server = status.starts_with("200 ").then(|| TcpStream::connect(host)).transpose()?;
    client.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes())?;
    let Some(mut server) = server else { return Ok(()) };
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || {
        // Either side may hang up, and the other hears of it.
        drop(io::copy(&mut from, &mut to));
        drop(to.shutdown(Shutdown::Write));
    });
    io::copy(&mut server, &mut client)?;
    client.shutdown(Shutdown::Write)
}
