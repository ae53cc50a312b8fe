//! The hidden browser of tests and of `scripts/try`: follows a login address as a browser would, with redirects and
//! cookies, until the program that waits for the login has answered.

use http::header::{COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderValue, Request, Response, StatusCode};
use url::Url;

use crate::cli::FollowLogin;
use crate::command_error::CommandError;
use crate::escape;
use crate::services::ServiceName;
use crate::services::event_loop::EventLoop;
use crate::services::http::{Http, Repeat};

/// Follows the address. It must end with status 200 at the `redirect_uri` that it carries.
///
/// # Errors
/// [`CommandError`] with the status, or what a page wants that only a person can do.
pub fn run(follow: &FollowLogin) -> Result<(), CommandError> {
    let start =
        Url::parse(&follow.url).map_err(|error| CommandError::usage(format_args!("the login address: {error}")))?;
    EventLoop::new().map_err(CommandError::no_event_loop)?.run(follow_from(start))
}

async fn follow_from(start: Url) -> Result<(), CommandError> {
    let back = start.query_pairs().find(|(name, _)| name == "redirect_uri").map(|(_, value)| value.into_owned());
    let http = Http::default();
    let mut cookies = Cookies::default();
    let mut address = start;
    for _ in 0..MAX_REDIRECTS {
        let response = http
            .send(ServiceName::OidcIssuer, Repeat::UnlessSent, &cookies.request(&address)?)
            .await
            .map_err(CommandError::failed)?;
        cookies.keep(&address, &response);
        let at = escape::terminal(address.as_str().split('?').next().unwrap_or_default());
        match (response.status(), redirect(&address, &response)) {
            (_, Some(next)) => address = next,
            (StatusCode::OK, None) if Some(without_query(&address)) == back => return Ok(()),
            (StatusCode::OK, None) => {
                return Err(CommandError::failed(format_args!("{at} shows a page that wants an answer")));
            }
            (status, None) => return Err(CommandError::failed(format_args!("{at} answered with status {status}"))),
        }
    }
    Err(CommandError::failed(format_args!("more than {MAX_REDIRECTS} redirects")))
}

/// The next address of RFC 9110 §15.4's redirects, all of which a browser follows with GET after a GET.
fn redirect(address: &Url, response: &Response<Vec<u8>>) -> Option<Url> {
    if !response.status().is_redirection() {
        return None;
    }
    address.join(response.headers().get(LOCATION)?.to_str().ok()?).ok()
}

fn without_query(address: &Url) -> String {
    let mut address = address.clone();
    address.set_query(None);
    address.set_fragment(None);
    address.to_string()
}

/// Host, name and value. Paths and times are left out: a login has one site and takes a second.
#[derive(Default)]
struct Cookies(Vec<(String, String, String)>);

impl Cookies {
    fn keep(&mut self, address: &Url, response: &Response<Vec<u8>>) {
        let host = host(address);
        for cookie in response.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str().ok().and_then(|cookie| cookie.split(';').next()?.split_once('='));
            let Some((name, value)) = pair else { continue };
            let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
            self.0.retain(|(other_host, other_name, _)| *other_host != host || *other_name != name);
            self.0.push((host.clone(), name, value));
        }
    }

    fn request(&self, address: &Url) -> Result<Request<Vec<u8>>, CommandError> {
        let unusable = |error: http::Error| CommandError::failed(format_args!("{}: {error}", without_query(address)));
        let host = host(address);
        let pairs = self.0.iter().filter(|cookie| cookie.0 == host).map(|(_, name, value)| format!("{name}={value}"));
        let cookies = pairs.collect::<Vec<_>>().join("; ");
        let mut request = Request::get(address.as_str()).body(Vec::new()).map_err(unusable)?;
        if !cookies.is_empty() {
            let cookies = HeaderValue::from_str(&cookies).map_err(|error| unusable(error.into()))?;
            request.headers_mut().insert(COOKIE, cookies);
        }
        Ok(request)
    }
}

fn host(address: &Url) -> String {
    address.host_str().unwrap_or_default().to_owned()
}

/// What browsers allow.
const MAX_REDIRECTS: usize = 20;
