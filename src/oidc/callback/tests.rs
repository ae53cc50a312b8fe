use super::*;

fn head(port: u16, request_line: &str) -> String {
    with_fields(request_line, &format!("Host: localhost:{port}\r\n"))
}

fn with_fields(request_line: &str, fields: &str) -> String {
    format!("{request_line} HTTP/1.1\r\n{fields}\r\n")
}

fn parameters(head: &str) -> Result<Parameters, Page> {
    Expected { state: "right".to_owned(), port: 7 }.parameters(head)
}

fn status(request_line: &str) -> u16 {
    parameters(&head(7, request_line)).unwrap_err().status()
}

#[test]
fn only_the_right_path_and_state_count() {
    assert_eq!(status("GET /favicon.ico"), 404);
    assert_eq!(status("GET /auth/callback/?state=right&code=c"), 404);
    assert_eq!(status("POST /auth/callback?state=right&code=c"), 405);
    assert_eq!(status("GET /auth/callback"), 400);
    assert_eq!(status("GET /auth/callback?state=wrong&code=c"), 400);
    assert_eq!(status("GET /auth/callback?state=right"), 400);
    assert_eq!(status("GET /auth/callback?state=right&code="), 400);
    assert_eq!(status("GET /auth/callback?state=right&code=a&code=b"), 400);
    assert_eq!(status("GET /auth/callback?state=right&code=a&error=b"), 400);
    assert_eq!(parameters("garbage\r\n\r\n").unwrap_err().status(), 400);
    assert_eq!(
        parameters(&head(7, "GET /auth/callback?code=a%20b&x=y&iss=https%3A%2F%2Fi&state=right")),
        Ok(Parameters { outcome: Outcome::Code("a b".to_owned()), issuer: Some("https://i".to_owned()) })
    );
    assert_eq!(
        parameters(&head(7, "GET /auth/callback?state=right&error=access_denied&error_description=no")),
        Ok(Parameters {
            outcome: Outcome::Error { error: "access_denied".to_owned(), description: "no".to_owned() },
            issuer: None
        })
    );
}

#[test]
fn only_our_own_address_counts_and_no_other_site() {
    let status = |fields: &str| match parameters(&with_fields("GET /auth/callback?state=right&code=c", fields)) {
        Ok(_) => 200,
        Err(page) => page.status(),
    };
    for own in ["localhost:7", "127.0.0.1:7", "[::1]:7", "LOCALHOST:7"] {
        assert_eq!(status(&format!("Host: {own}\r\n")), 200, "{own}");
        assert_eq!(status(&format!("host:{own}\r\norigin: http://localhost:7\r\n")), 200, "{own}");
    }
    for other in [
        "evil.example:7",
        "localhost",
        "localhost:8",
        "localhost:07",
        "127.0.0.2:7",
        "::1:7",
        "localhost.evil.example:7",
        "",
    ] {
        assert_eq!(status(&format!("Host: {other}\r\n")), 421, "{other}");
    }
    assert_eq!((status(""), status("Host: localhost:7\r\nHost: localhost:7\r\n")), (421, 421));
    for other in ["https://evil.example", "null", "http://localhost:8", "https://localhost:7", "http://evil.example:7"]
    {
        assert_eq!(status(&format!("Host: localhost:7\r\nOrigin: {other}\r\n")), 403, "{other}");
    }
}

async fn send(port: u16, request: &[u8]) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    // Who says too much is hung up on.
    stream.write_all(request).await.unwrap_or_default();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap_or_default();
    String::from_utf8(answer).unwrap()
}

async fn get(port: u16, target: &str) -> String {
    send(port, head(port, &format!("GET {target}")).as_bytes()).await
}

/// A login during which somebody sends `stranger`, and which ends well all the same. What the stranger was answered.
async fn login_with(stranger: impl FnOnce(u16) -> Vec<u8>) -> String {
    let callback = Callback::listen().await.unwrap();
    let port = callback.port;
    assert_eq!(callback.redirect_uri(), format!("http://localhost:{port}/auth/callback"));
    let stranger = stranger(port);
    let browser = tokio::spawn(async move {
        let answer = send(port, &stranger).await;
        (answer, get(port, "/auth/callback?state=right&code=good").await)
    });
    let response = callback.response("right").await;
    assert_eq!(response.parameters.outcome, Outcome::Code("good".to_owned()));
    response.show(Page::signed_in("alice@example.org", false)).await;
    let (answer, page) = browser.await.unwrap();
    assert!(page.starts_with("HTTP/1.1 200 ") && page.contains("alice@example.org"), "{page}");
    assert!(!answer.contains("alice@example.org"), "{answer}");
    answer
}

fn status_of(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[tokio::test]
async fn a_wrong_state() {
    let guess = login_with(|port| head(port, "GET /auth/callback?state=guess&code=evil").into_bytes()).await;
    assert_eq!(status_of(&guess), "400");
    let refusal =
        login_with(|port| head(port, "GET /auth/callback?state=guess&error=access_denied").into_bytes()).await;
    assert_eq!(status_of(&refusal), "400");
}

#[tokio::test]
async fn another_path() {
    let root = login_with(|port| head(port, "GET /?state=right&code=evil").into_bytes()).await;
    assert_eq!(status_of(&root), "404");
    let elsewhere =
        login_with(|port| head(port, "GET http://evil.example/auth/callback?state=right&code=evil").into_bytes()).await;
    assert_eq!(status_of(&elsewhere), "404");
}

#[tokio::test]
async fn a_favicon() {
    assert_eq!(status_of(&login_with(|port| head(port, "GET /favicon.ico").into_bytes()).await), "404");
}

#[tokio::test]
async fn a_header_of_a_megabyte() {
    let padding = "x".repeat(1 << 20);
    let head = format!("GET /auth/callback?state=right&code=evil HTTP/1.1\r\nCookie: {padding}\r\n\r\n");
    assert_eq!(login_with(|_| head.into_bytes()).await, "");
    let target = format!("GET /auth/callback?state=right&code={padding} HTTP/1.1\r\n\r\n");
    assert_eq!(login_with(|_| target.into_bytes()).await, "");
}

#[tokio::test]
async fn a_form_from_another_site() {
    for target in ["/auth/callback", "/auth/callback?state=right&code=evil"] {
        let body = "state=right&code=evil";
        let post = |port: u16| {
            format!(
                "POST {target} HTTP/1.1\r\nHost: localhost:{port}\r\nOrigin: https://evil.example\r\nSec-Fetch-Site: cross-site\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
        };
        assert_eq!(status_of(&login_with(|port| post(port).into_bytes()).await), "405", "{target}");
    }
}

#[tokio::test]
async fn a_name_that_was_bent_to_this_machine_and_a_script_of_another_site() {
    let target = "GET /auth/callback?state=right&code=evil";
    let bent = |port| with_fields(target, &format!("Host: evil.example:{port}\r\n")).into_bytes();
    assert_eq!(status_of(&login_with(bent).await), "421");
    let script =
        |port| with_fields(target, &format!("Host: localhost:{port}\r\nOrigin: https://evil.example\r\n")).into_bytes();
    assert_eq!(status_of(&login_with(script).await), "403");
}

#[tokio::test]
async fn a_second_answer() {
    let callback = Callback::listen().await.unwrap();
    let port = callback.port;
    let first = tokio::spawn(async move { get(port, "/auth/callback?state=right&code=good").await });
    let response = callback.response("right").await;
    assert_eq!(response.parameters.outcome, Outcome::Code("good".to_owned()));
    // Nobody listens to it any more, and the first one gets its page.
    let second = tokio::spawn(async move { get(port, "/auth/callback?state=right&code=evil").await });
    response.show(Page::signed_in("alice@example.org", false)).await;
    assert_eq!(status_of(&first.await.unwrap()), "200");
    drop(callback);
    assert_eq!(second.await.unwrap(), "");
}

#[tokio::test]
async fn both_at_once() {
    let callback = Callback::listen().await.unwrap();
    let port = callback.port;
    let target = "/auth/callback?state=right&code=good";
    let browsers = tokio::spawn(async move { tokio::join!(get(port, target), get(port, target)) });
    let response = callback.response("right").await;
    response.show(Page::signed_in("alice@example.org", false)).await;
    drop(callback);
    let (one, other) = browsers.await.unwrap();
    let signed_in = [&one, &other].iter().filter(|page| page.contains("alice@example.org")).count();
    assert_eq!(signed_in, 1, "{one}\n{other}");
}

#[tokio::test]
async fn silence_on_every_connection() {
    let callback = Callback::listen().await.unwrap();
    let port = callback.port;
    let browser = tokio::spawn(async move {
        let mut silent = Vec::new();
        for _ in 0..=MAX_CONNECTIONS {
            silent.push(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap());
        }
        get(port, "/auth/callback?state=right&code=good").await
    });
    let response = callback.response("right").await;
    response.show(Page::failed("x")).await;
    assert_eq!(status_of(&browser.await.unwrap()), "400");
}
