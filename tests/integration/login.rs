//! When a login fails: nothing is signed, and what is said names the thing and the next step.

use std::sync::Arc;

use serde_json::{Value, json};

use super::outage::{failed, services, sign};
use super::sandbox::Sandbox;
use super::sandbox::front::{Front, Reply, nobody, reply};

#[test]
fn nobody_is_logged_in() {
    let sandbox = Sandbox::with_stack();
    let login = |oidc: &str| {
        services(&sandbox, "oidcUrls", oidc);
        let said = sandbox.masked(&failed(sign(&sandbox, "")));
        // Where there is no terminal, the login's address comes before.
        said.find("waxseal: error: ").map(|start| said[start..].to_owned()).unwrap()
    };
    let front = Front::new(sandbox.url(), |_| Reply::Pass);
    let mismatch = login(&format!("{}/oidc", front.url));
    assert!(
        mismatch.starts_with(
            "waxseal: error: the OpenID Connect issuer http://127.0.0.1:PORT/oidc calls itself something else: "
        ),
        "{mismatch}"
    );
    assert!(
        mismatch.ends_with(
            "waxseal: hint: the issuer's address in the signing config must be the one it calls itself, byte for byte\n"
        ),
        "{mismatch}"
    );
    assert_eq!(
        login(&format!("{}/oidc", nobody())),
        "waxseal: error: the OpenID Connect issuer at http://127.0.0.1:PORT/oidc/.well-known/openid-configuration \
         cannot be reached: Connection refused (os error 111)\n\
         waxseal: hint: is the network up, and the service running? then try again\n"
    );
    for (what, said) in [
        (reply("404 Not Found", "", b"nothing is here"), " refused with status 404: \"nothing is here\"\n"),
        (reply("200 OK", "", b"<html>"), " gave an answer that cannot be used: "),
        (reply("200 OK", "", &vec![b' '; 10 << 20]), " answered with more than 1048576 bytes\n"),
    ] {
        let front = Front::new(sandbox.url(), move |_| Reply::Bytes(what.clone()));
        let error = login(&format!("{}/oidc", front.url));
        assert!(
            error.starts_with("waxseal: error: the OpenID Connect issuer at http://127.0.0.1:PORT/oidc"),
            "{error}"
        );
        assert!(error.contains(said), "{said}: {error}");
        assert!(
            error.ends_with(
                "waxseal: hint: is this the address of the service? the instance's signing config holds it\n"
            ),
            "{error}"
        );
    }

    // An issuer that calls itself what it should, with one thing changed.
    let issuer_with = |name: &'static str, value: Value| {
        Front::new(sandbox.url(), move |request| match request.line.contains("openid-configuration") {
            true => {
                let (host, value) = (request.host.clone(), value.clone());
                Reply::Edit(Arc::new(move |document: &mut Value| {
                    document["issuer"] = json!(format!("http://{host}/oidc"));
                    document[name] = value.clone();
                }))
            }
            false => Reply::Pass,
        })
    };
    for (name, value, said, hint) in [
        (
            "code_challenge_methods_supported",
            json!(["plain"]),
            "the OpenID Connect issuer http://127.0.0.1:PORT/oidc does not offer PKCE with S256",
            "tell whoever runs the issuer",
        ),
        (
            "authorization_endpoint",
            json!("http://elsewhere.example/auth"),
            "the issuer names a login page that is neither https nor on this machine: http://elsewhere.example/auth\n",
            "tell whoever runs the issuer",
        ),
        (
            "claims_supported",
            json!([]),
            "the login was answered by another issuer: \"STACK/oidc\"",
            "somebody may be mixing up logins: sign in anew with nothing else open, and if this is said again, tell whoever runs \
             the issuer",
        ),
    ] {
        let front = issuer_with(name, value);
        let error = login(&format!("{}/oidc", front.url));
        assert!(error.starts_with(&format!("waxseal: error: {said}")), "{name}: {error}");
        assert!(error.ends_with(&format!("waxseal: hint: {hint}\n")), "{name}: {error}");
    }

    services(&sandbox, "oidcUrls", &sandbox.issuer());
    sandbox.config("waxseal.loginHint", "mallory@example.org");
    let said = sandbox.waxseal(["login"]).code(1).err();
    assert_eq!(
        said.find("waxseal: error: ").map(|start| &said[start..]).unwrap(),
        "waxseal: error: the issuer refused the login: access_denied: nobody can log in under the address of login_hint\n\
         waxseal: hint: run the command again to sign in anew\n"
    );
    sandbox.config("waxseal.browser", "'unfinished");
    assert_eq!(
        login(&sandbox.issuer()),
        "waxseal: error: waxseal.browser cannot be used: a quote that is not closed\n\
         waxseal: hint: it is a program and its arguments, such as \"firefox --new-window {url}\"\n"
    );
}
