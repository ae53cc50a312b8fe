//! Nobody is waited for without end, whichever way was taken.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::time::Instant;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::settings::LoginChoice;

/// An issuer at which nobody ever signs in.
async fn issuer() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let at = |path: &str| format!("{issuer}{path}");
    let discovery = json!({
        "issuer": issuer, "authorization_endpoint": at("/auth"), "token_endpoint": at("/token"), "jwks_uri": at("/keys"),
        "device_authorization_endpoint": at("/device"), "response_types_supported": ["code"],
        "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["ES256"],
        "code_challenge_methods_supported": ["S256"],
    });
    let codes = json!({
        "device_code": "d", "user_code": "ABCD-EFGH", "verification_uri": at("/page"), "expires_in": 900, "interval": 1,
    });
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 8192];
            let read = stream.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..read]).into_owned();
            let (status, body) = match request.split(' ').nth(1).unwrap() {
                "/.well-known/openid-configuration" => ("200 OK", discovery.clone()),
                "/keys" => ("200 OK", json!({ "keys": [] })),
                "/device" => ("200 OK", codes.clone()),
                _ => ("400 Bad Request", json!({ "error": "authorization_pending" })),
            };
            let body = body.to_string();
            let head = format!("Content-Type: application/json\r\nConnection: close\r\nContent-Length: {}", body.len());
            stream.write_all(format!("HTTP/1.1 {status}\r\n{head}\r\n\r\n{body}").as_bytes()).await.unwrap();
        }
    });
    issuer
}

#[tokio::test]
async fn no_person_is_waited_for_longer_than_the_limit() {
    assert_eq!(LOGIN_TIME, Duration::from_secs(120));
    let (issuer, limit) = (issuer().await, Duration::from_millis(1500));
    // Somebody sits there and types nothing, for as long as the other end is open.
    let (silent, _open) = io::pipe().unwrap();
    let silent = File::from(OwnedFd::from(silent));
    let terminal = || Terminal::of_files(silent.try_clone().unwrap(), tempfile::tempfile().unwrap());
    for (way, terminal) in [
        // A browser that starts and shows nothing.
        (LoginChoice::Browser, terminal()),
        (LoginChoice::Browser, Terminal::none()),
        (LoginChoice::Device, terminal()),
        (LoginChoice::OutOfBand, terminal()),
    ] {
        let is_there = terminal.is_there();
        let settings = Settings { login: way, browser: Some("true".to_owned()), ..Settings::default() };
        let login = Login { issuer: &issuer, client_id: "sigstore", settings: &settings, account: None, limit };
        let begun = Instant::now();
        let error = login.interactive(&Http::default(), &terminal).await.unwrap_err();
        match error {
            LoginError::TimedOut(told) if is_there => assert_eq!(told, limit),
            LoginError::NobodyCameBack(told) if !is_there => assert_eq!(told, limit),
            other => panic!("{way:?}: {other}"),
        }
        let waited = begun.elapsed();
        assert!(waited >= limit && waited < limit * 6, "{way:?}: {waited:?}");
    }
}
