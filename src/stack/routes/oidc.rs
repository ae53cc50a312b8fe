//! The paths of the OpenID Connect issuer, as dex lays them out.

use std::net::{IpAddr, Ipv4Addr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CACHE_CONTROL, HOST, ORIGIN, PRAGMA};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use jiff::Timestamp;
use serde_json::Value;

use super::answers::{Fault, json, oidc, text};
use super::pages::{Pages, see_other, sentence};
use super::{media_type, strip_scheme};
use crate::stack::audit::AuditEvent;
use crate::stack::oidc_issuer::{
    AuthorizationError, Authorized, DeviceProblem, DeviceStep, LoginForm, RedirectUri, TokenError,
};
use crate::stack::{ClientAddress, Stack};

/// `path` is what stands behind `/oidc`.
pub(super) fn routes(stack: &Stack, request: &Request<Vec<u8>>, path: &str, now: Timestamp) -> Response<Vec<u8>> {
    let issuer = &stack.oidc_issuer;
    let pages = Pages { host: Some(stack.public_url.authority()) };
    let query = request.uri().query().unwrap_or_default();
    let from = client_address(request);
    let allowed = match path {
        "/.well-known/openid-configuration" | "/auth" | "/device" | "/keys" => Method::GET,
        "/auth/login" | "/device/auth/verify_code" | "/device/code" | "/device/confirm" | "/revoke" | "/token" => {
            Method::POST
        }
        _ => return text(StatusCode::NOT_FOUND, "nothing is here"),
    };
    if *request.method() != allowed {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "another method is needed");
        if let Ok(allowed) = HeaderValue::from_str(allowed.as_str()) {
            response.headers_mut().insert(http::header::ALLOW, allowed);
        }
        return response;
    }
    match path {
        "/.well-known/openid-configuration" => json(StatusCode::OK, &issuer.discovery()),
        "/keys" => key_document(stack),
        "/auth" => authorized(&pages, issuer.authorize(query, now)),
        "/auth/login" => match browser_form(request) {
            Ok(form) => authorized(&pages, issuer.log_in(form, from, now)),
            Err(sentence) => pages.sentence(StatusCode::FORBIDDEN, "Not from this page", sentence),
        },
        "/device" => pages.device(&issuer.device_page(query)),
        "/device/auth/verify_code" => match browser_form(request) {
            Ok(form) => device(&pages, issuer.enter_user_code(form, from, now)),
            Err(sentence) => pages.sentence(StatusCode::FORBIDDEN, "Not from this page", sentence),
        },
        "/device/confirm" => match browser_form(request) {
            Ok(form) => device(&pages, issuer.confirm_user_code(form, from, now)),
            Err(sentence) => pages.sentence(StatusCode::FORBIDDEN, "Not from this page", sentence),
        },
        "/device/code" => {
            secret(client_form(request).and_then(|(form, basic)| issuer.begin_device_flow(form, basic, from, now)))
        }
        "/revoke" => match client_form(request).and_then(|(form, basic)| issuer.revoke(form, basic)) {
            Ok(()) => text(StatusCode::OK, "revoked"),
            Err(error) => oidc(error),
        },
        _ => {
            let form = client_form(request);
            let grant = form.as_ref().map_or("other", |(form, _)| grant(form));
            let answer = form.and_then(|(form, basic)| issuer.token(form, basic, now));
            AuditEvent::attach(AuditEvent::token(grant, &answer), secret(answer))
        }
    }
}

fn key_document(stack: &Stack) -> Response<Vec<u8>> {
    match stack.oidc_issuer.key_document() {
        Ok(keys) => {
            let mut response = json(StatusCode::OK, &keys);
            let value = HeaderValue::from_static("max-age=600, must-revalidate");
            response.headers_mut().insert(CACHE_CONTROL, value);
            response
        }
        Err(error) => Fault::attach(text(StatusCode::INTERNAL_SERVER_ERROR, "no keys"), &error),
    }
}

fn authorized(pages: &Pages, outcome: Result<Authorized, AuthorizationError>) -> Response<Vec<u8>> {
    match outcome {
        Ok(Authorized::LogIn { form, to }) => {
            let event = failed_login(&form, "browser");
            AuditEvent::attach(event, pages.log_in(&form, &to))
        }
        Ok(Authorized::Sent(to, person)) => {
            let event = AuditEvent::LoggedIn { email: person.email, flow: "browser" };
            AuditEvent::attach(Some(event), send_browser(pages, &to))
        }
        Err(AuthorizationError::Redirect(to)) => send_browser(pages, &to),
        Err(error) => refused(pages, &error),
    }
}

fn device(pages: &Pages, outcome: Result<DeviceStep, AuthorizationError>) -> Response<Vec<u8>> {
    match outcome {
        Ok(step) => {
            let event = match &step {
                DeviceStep::Allowed(person) => {
                    Some(AuditEvent::LoggedIn { email: person.email.clone(), flow: "device" })
                }
                DeviceStep::Confirm { form, .. } => failed_login(form, "device"),
                DeviceStep::Enter { problem: Some(DeviceProblem::Unknown | DeviceProblem::Wait(_)), .. } => {
                    Some(AuditEvent::login_failed("", "device", "the code is not one that waits".to_owned()))
                }
                DeviceStep::Enter { .. } | DeviceStep::Nobody | DeviceStep::Refused => None,
            };
            AuditEvent::attach(event, pages.device(&step))
        }
        Err(error) => refused(pages, &error),
    }
}

/// What is wrong with the form, if it comes back.
fn failed_login(form: &LoginForm, flow: &'static str) -> Option<AuditEvent> {
    let problem = form.problem.as_ref()?;
    Some(AuditEvent::login_failed(&form.email, flow, problem.to_string()))
}

/// One of the few that there are.
fn grant(form: &str) -> &'static str {
    let mut members = url::form_urlencoded::parse(form.as_bytes());
    match members.find(|(name, _)| name == "grant_type").as_ref().map(|(_, value)| value.as_ref()) {
        Some("authorization_code") => "authorization_code",
        Some("refresh_token") => "refresh_token",
        Some("urn:ietf:params:oauth:grant-type:device_code") => "device_code",
        _ => "other",
    }
}

fn refused(pages: &Pages, error: &AuthorizationError) -> Response<Vec<u8>> {
    let answer = sentence(error).unwrap_or("The client is told.");
    match error {
        AuthorizationError::Accounts(fault) => {
            Fault::attach(pages.sentence(StatusCode::INTERNAL_SERVER_ERROR, "Server fault", answer), fault)
        }
        AuthorizationError::Page(_) | AuthorizationError::Redirect(_) => pages.refused(answer),
        AuthorizationError::UnknownClient => pages.sentence(StatusCode::NOT_FOUND, "Unknown client", answer),
    }
}

fn send_browser(pages: &Pages, to: &RedirectUri) -> Response<Vec<u8>> {
    match to {
        RedirectUri::Loopback { url, .. } => match HeaderValue::from_str(url.as_str()) {
            Ok(location) => see_other(location),
            Err(_) => pages.refused("Unregistered redirect_uri."),
        },
        RedirectUri::OutOfBand(Some(code)) => pages.code(code),
        RedirectUri::OutOfBand(None) => pages.sentence(StatusCode::FORBIDDEN, "Login refused", "Nobody was logged in."),
    }
}

/// A form that a browser sends, from one of our own pages. Old browsers and text browsers say nothing about where a form
/// comes from; those that say something must say here.
fn browser_form(request: &Request<Vec<u8>>) -> Result<&str, &'static str> {
    let header = |name| request.headers().get(name).map(HeaderValue::to_str);
    let host = header(HOST).and_then(Result::ok);
    let from_here = match header(ORIGIN) {
        None => true,
        Some(origin) => {
            let authority = origin.ok().and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
            authority.is_some() && (authority == host || host.is_none())
        }
    };
    let site = request.headers().get("sec-fetch-site").map(HeaderValue::as_bytes);
    if !from_here || !matches!(site, None | Some(b"same-origin" | b"none")) {
        return Err("Another page sent this form. Go back to your program and log in anew.");
    }
    if media_type(request) != FORM {
        return Err("This is not a form.");
    }
    std::str::from_utf8(request.body()).map_err(|_| "This is not a form.")
}

/// A form that a program sends, and its HTTP Basic.
type ClientForm<'a> = (&'a str, Option<(String, String)>);

fn client_form(request: &Request<Vec<u8>>) -> Result<ClientForm<'_>, TokenError> {
    if media_type(request) != FORM {
        return Err(TokenError::InvalidRequest("a form is needed"));
    }
    let form = std::str::from_utf8(request.body());
    let form = form.map_err(|_| TokenError::InvalidRequest("the form is not UTF-8"))?;
    let basic = request.headers().get(AUTHORIZATION).map(|value| basic_credentials(value).unwrap_or_default());
    Ok((form, basic))
}

/// RFC 6749 §5.1: what nobody may keep.
fn secret(outcome: Result<Value, TokenError>) -> Response<Vec<u8>> {
    match outcome {
        Ok(body) => {
            let mut response = json(StatusCode::OK, &body);
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response.headers_mut().insert(PRAGMA, HeaderValue::from_static("no-cache"));
            response
        }
        Err(error) => oidc(error),
    }
}

/// RFC 7617, with name and secret form-encoded as RFC 6749 §2.3.1 wants them.
fn basic_credentials(header: &HeaderValue) -> Option<(String, String)> {
    let decoded = STANDARD.decode(strip_scheme(header.to_str().ok()?, "basic")?).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (name, secret) = decoded.split_once(':')?;
    let form_decoded = |text: &str| {
        url::form_urlencoded::parse(format!("v={text}").as_bytes()).next().map(|(_, value)| value.into_owned())
    };
    Some((form_decoded(name)?, form_decoded(secret)?))
}

/// Without a socket everyone comes from the same place.
fn client_address(request: &Request<Vec<u8>>) -> IpAddr {
    request.extensions().get().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ClientAddress(address)| *address)
}

const FORM: &str = "application/x-www-form-urlencoded";
