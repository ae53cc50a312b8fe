//! Signing in on another device: RFC 8628, with PKCE as Sigstore's Go clients have it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use openidconnect::core::CoreDeviceAuthorizationResponse;
use openidconnect::{DeviceCodeErrorResponse, DeviceCodeErrorResponseType, PkceCodeChallenge, RequestTokenError};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use url::Url;

use super::provider::{Provider, send};
use super::{Flow, Login, LoginError, Obtained};
use crate::services::ServiceError;
use crate::services::http::{Http, Repeat, is_web_address};
use crate::terminal::Terminal;

pub(super) async fn sign_in(
    login: &Login<'_>,
    provider: &Provider<'_>,
    http: &Http,
    terminal: &Terminal,
) -> Result<Obtained, LoginError> {
    let no_device_flow = || LoginError::NoDeviceFlow(provider.issuer.to_owned());
    let client =
        provider.client.clone().set_device_authorization_url(provider.device_endpoint().ok_or_else(no_device_flow)?);
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let sender = |request| send(http, Repeat::UnlessSent, request);
    let codes: CoreDeviceAuthorizationResponse = client
        .exchange_device_code()
        .add_scopes(provider.scopes())
        .add_extra_param("code_challenge", challenge.as_str().to_owned())
        .add_extra_param("code_challenge_method", "S256")
        .request_async(&sender)
        .await
        .map_err(|error| provider.token_error(error))?;
    let limit = codes.expires_in().min(login.limit);
    show(&Codes::read(provider, &codes)?, limit, login.settings.surroundings.draws_blocks, terminal);

    let last_problem = Mutex::new(None);
    let poll = |request| async {
        let answer = send(http, Repeat::UnlessSent, request).await;
        *last_problem.lock().unwrap_or_else(PoisonError::into_inner) = answer.as_ref().err().cloned();
        answer
    };
    let polling = client
        .exchange_device_access_token(&codes)
        .map_err(|_| provider.garbage("the discovery document names no token endpoint"))?
        .add_extra_param("code_verifier", verifier.secret().clone())
        .request_async(&poll, |pause| tokio::time::sleep(pause.max(SHORTEST_PAUSE)), Some(limit));
    let outcome = tokio::time::timeout(limit, polling).await;
    match outcome {
        Ok(Ok(answer)) => provider.obtained(&answer, None, Flow::Device),
        Ok(Err(error)) => Err(poll_error(provider, error)),
        Err(_) => Err(match last_problem.into_inner().unwrap_or_else(PoisonError::into_inner) {
            // Whoever signed in could not be heard of.
            Some(problem) => LoginError::Service(problem),
            None if limit < login.limit => LoginError::DeviceCodeExpired,
            None => LoginError::TimedOut(login.limit),
        }),
    }
}

/// What the person needs.
struct Codes {
    page: Url,
    code: String,
    /// The page with the code in its address.
    complete: Option<Url>,
}

impl Codes {
    fn read(provider: &Provider<'_>, codes: &CoreDeviceAuthorizationResponse) -> Result<Self, LoginError> {
        let page = codes.verification_uri().url().clone();
        if !is_web_address(page.as_str()) {
            return Err(LoginError::DevicePage(page.to_string()));
        }
        let code = codes.user_code().secret().clone();
        if code.is_empty() || code.len() > MAX_CODE_BYTES || !code.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(provider.garbage("its code for the other device is none that anybody could type"));
        }
        let complete = codes.verification_uri_complete().map(|address| address.secret().as_str());
        let complete = complete.filter(|address| is_web_address(address)).and_then(|address| Url::parse(address).ok());
        Ok(Self { page, code, complete })
    }
}

fn show(codes: &Codes, limit: Duration, draws_blocks: bool, terminal: &Terminal) {
    terminal.news("to sign, sign in on any device with a browser, such as your phone, at");
    terminal.address(&codes.page);
    terminal.news(format_args!("and type the code {}", codes.code));
    if let Some(complete) = &codes.complete {
        terminal.news("or go where the code is typed already");
        terminal.address(complete);
    }
    let drawn = codes.complete.as_ref().unwrap_or(&codes.page);
    if draws_blocks && let Some(lines) = drawing(drawn) {
        terminal.drawing(&lines);
    }
    let seconds = limit.as_secs();
    terminal
        .news(format_args!("this waits {seconds} s, or until Ctrl-C; sign in only if you began it yourself, just now"));
}

/// A QR code in half blocks: ink is dark, and the terminal is told to show ink in black on white, as cameras want it.
fn drawing(address: &Url) -> Option<Vec<String>> {
    // A larger one does not fit into a window.
    let code = QrCode::with_error_correction_level(address.as_str(), qrcode::EcLevel::L).ok()?;
    if code.width() > MAX_MODULES {
        return None;
    }
    let text = code.render::<Dense1x2>().build();
    Some(text.lines().map(str::to_owned).collect())
}

fn poll_error(provider: &Provider<'_>, error: RequestTokenError<ServiceError, DeviceCodeErrorResponse>) -> LoginError {
    match error {
        RequestTokenError::Request(error) => LoginError::Service(error),
        RequestTokenError::ServerResponse(response) => match response.error() {
            DeviceCodeErrorResponseType::ExpiredToken => LoginError::DeviceCodeExpired,
            other => LoginError::Refused {
                error: other.to_string(),
                description: response.error_description().cloned().unwrap_or_default(),
            },
        },
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            provider.garbage("its token answer has another shape than OpenID Connect's")
        }
    }
}

/// An issuer may wish for none at all.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
/// RFC 8628 §6.1 thinks of eight letters.
const MAX_CODE_BYTES: usize = 64;
/// Version 10: 57 by 57 modules, in 29 lines; an address of 270 bytes.
const MAX_MODULES: usize = 57;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_can_be_read_by_a_telephone() {
        let address = "https://sigstore.example.org/oidc/device?user_code=TQJX-SZJF";
        let lines = drawing(&Url::parse(address).unwrap()).unwrap();
        // Two modules a character, one above the other; six points a module.
        let points = |line: &String, upper: bool| {
            let ink = |block: char| block == '█' || block == if upper { '▀' } else { '▄' };
            line.chars().map(|block| if ink(block) { 0 } else { 255 }).collect::<Vec<u8>>()
        };
        let rows: Vec<_> = lines.iter().flat_map(|line| [points(line, true), points(line, false)]).collect();
        let (width, height) = (rows[0].len() * 6, rows.len() * 6);
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| rows[y / 6][x / 6]);
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1, "{}", lines.join("\n"));
        assert_eq!(grids[0].decode().unwrap().1, address);
    }

    #[test]
    fn what_fits_into_no_window_is_not_drawn() {
        let long = format!("https://sigstore.example.org/{}", "x".repeat(2000));
        assert_eq!(drawing(&Url::parse(&long).unwrap()), None);
        let address = Url::parse("https://sigstore.example.org/device").unwrap();
        assert!(drawing(&address).unwrap().len() < 24);
    }
}
