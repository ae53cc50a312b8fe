use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const LOG: ServiceName = ServiceName::TransparencyLog;

/// A server that gives each connection the next of `answers`, the last one for ever; an empty one means silence.
/// Returns its address and how many connections there were.
async fn server(answers: Vec<Vec<u8>>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/path", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let number = counter.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(stream, answers[number.min(answers.len() - 1)].clone()));
        }
    });
    (address, count)
}

async fn serve(mut stream: TcpStream, answer: Vec<u8>) {
    let mut head = [0; 4096];
    if stream.read(&mut head).await.is_err() {
        return;
    }
    if answer.is_empty() {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    // The client hangs up on what is too long.
    stream.write_all(&answer).await.unwrap_or_default();
}

fn answer(status: &str, body: &[u8]) -> Vec<u8> {
    let mut answer =
        format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    answer.extend_from_slice(body);
    answer
}

fn quick() -> Http {
    let second = Duration::from_secs(1);
    Http::default().with_limits(Limits { connect: second, whole: second, ..Limits::default() })
}

async fn problem_of(answers: Vec<Vec<u8>>) -> (Problem, usize) {
    let (address, count) = server(answers).await;
    let problem = Http::default().get(LOG, &address).await.unwrap_err().problem;
    (problem, count.load(Ordering::SeqCst))
}

#[tokio::test]
async fn an_answer_is_read_whole() {
    let (address, _) = server(vec![answer("200 OK", b"good")]).await;
    assert_eq!(Http::default().get(LOG, &address).await, Ok(b"good".to_vec()));
}

#[tokio::test]
async fn garbage_is_tried_again_and_then_named() {
    let (problem, count) = problem_of(vec![b"SSH-2.0-x\r\n\r\n".to_vec()]).await;
    assert_eq!(problem, Problem::Broken("invalid HTTP version parsed".to_owned()));
    assert_eq!(count, 3);
}

#[tokio::test]
async fn ten_megabytes_are_too_much() {
    let body = vec![b'x'; 10 << 20];
    assert_eq!(problem_of(vec![answer("200 OK", &body)]).await, (Problem::TooLarge(1 << 20), 1));
    let endless = [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".as_slice(), &body].concat();
    assert_eq!(problem_of(vec![endless]).await, (Problem::TooLarge(1 << 20), 1));
}

#[tokio::test]
async fn silence_is_not_waited_for_for_ever() {
    let (address, count) = server(vec![Vec::new()]).await;
    let error = quick().get(LOG, &address).await.unwrap_err();
    assert_eq!(error.to_string(), format!("the transparency log at {address} did not answer within 1 s"));
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn nobody_there_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://localhost:{}/x?code=secret", listener.local_addr().unwrap().port());
    drop(listener);
    let error = Http::default().get(LOG, &address).await.unwrap_err().to_string();
    assert!(error.contains("/x cannot be reached: Connection refused"), "{error}");
    assert!(!error.contains("secret"), "{error}");
}

#[tokio::test]
async fn busy_services_are_asked_again_but_only_where_that_is_safe() {
    let answers = || vec![answer("503 Service Unavailable", b""), answer("200 OK", b"good")];
    let (address, _) = server(answers()).await;
    assert_eq!(Http::default().get(LOG, &address).await, Ok(b"good".to_vec()));
    let (address, count) = server(answers()).await;
    let post = |address: &str| request(LOG, Method::POST, address, b"{}".to_vec()).unwrap();
    let response = Http::default().send(LOG, Repeat::UnlessSent, &post(&address)).await.unwrap();
    assert_eq!((response.status().as_u16(), count.load(Ordering::SeqCst)), (503, 1));
    let (address, count) = server(answers()).await;
    let response = Http::default().send(LOG, Repeat::UnlessTaken, &post(&address)).await.unwrap();
    assert_eq!((response.status().as_u16(), count.load(Ordering::SeqCst)), (200, 2));
    // A gateway does not know what the service behind it took.
    let (address, count) = server(vec![answer("502 Bad Gateway", b""), answer("200 OK", b"good")]).await;
    let response = Http::default().send(LOG, Repeat::UnlessTaken, &post(&address)).await.unwrap();
    assert_eq!((response.status().as_u16(), count.load(Ordering::SeqCst)), (502, 1));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let redirect = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n";
    let refused = Problem::Refused { status: 302, said: String::new() };
    assert_eq!(problem_of(vec![redirect.to_vec()]).await, (refused, 1));
}

#[tokio::test]
async fn what_a_service_says_is_found_and_short() {
    for (body, said) in [
        (r#"{"code":3,"message":"no \u001b[2Kgood","details":[]}"#, "no \u{1b}[2Kgood"),
        (r#"{"error":"invalid_grant","error_description":"used"}"#, "invalid_grant: used"),
        ("plain\n", "plain"),
        ("", ""),
    ] {
        let (problem, _) = problem_of(vec![answer("400 Bad Request", body.as_bytes())]).await;
        assert_eq!(problem, Problem::Refused { status: 400, said: said.to_owned() });
    }
    let (problem, _) = problem_of(vec![answer("400 Bad Request", &[b'x'; 5000])]).await;
    assert_eq!(problem.to_string(), format!("refused with status 400: \"{}\"", "x".repeat(200)));
    for (status, says) in [
        ("202 Accepted", "answered unexpectedly with status 202"),
        ("302 Found", "answered unexpectedly with status 302"),
        ("429 Too Many Requests", "failed with status 429"),
        ("503 Service Unavailable", "failed with status 503"),
    ] {
        let (problem, _) = problem_of(vec![answer(status, b"")]).await;
        assert_eq!(problem.to_string(), says);
    }
}

#[test]
fn only_https_and_this_machine_are_asked() {
    for (address, problem) in [
        ("http://example.org/", Problem::Insecure),
        ("http://localhost.example.org/", Problem::Insecure),
        ("http://192.168.1.1/", Problem::Insecure),
        ("http://user@localhost/", Problem::BadAddress),
        ("ftp://localhost/", Problem::BadAddress),
        ("localhost:1", Problem::BadAddress),
        ("", Problem::BadAddress),
    ] {
        assert_eq!(Network::default().route(address).err(), Some(problem), "{address}");
    }
    for address in ["https://example.org", "http://localhost:1", "http://127.9.9.9/x", "http://[::1]:8080/"] {
        assert!(is_web_address(address), "{address}");
    }
}

#[tokio::test]
async fn no_error_repeats_what_was_secret() {
    let refusal = br#"no: Bearer opaque-credential, eyJhbGciOiJub25lIn0.eyJhIjoxfQ.x; refresh-me \"eyJ9\""#;
    let (address, _) = server(vec![answer("403 Forbidden", refusal)]).await;
    let request = Request::post(&address)
        .header("authorization", "Bearer opaque-credential")
        .body(b"grant_type=refresh_token&refresh_token=refresh-me".to_vec())
        .unwrap();
    let response = Http::default().send(ServiceName::OidcIssuer, Repeat::UnlessSent, &request).await.unwrap();
    let error = ServiceError::refused(ServiceName::OidcIssuer, &address, &response).to_string();
    let expected = "refused with status 403: \"no: Bearer [cut out], [cut out]; [cut out] \\\"[cut out]\\\"\"";
    assert!(error.ends_with(expected), "{error}");
}
