//! The pages of the OpenID Connect issuer: HTML and one style sheet, nothing from elsewhere, no scripts.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response, StatusCode};
use jiff::SignedDuration;

use super::answers::respond;
use crate::crypto::Sha256Digest;
use crate::stack::oidc_issuer::{
    AuthorizationError, DeviceProblem, DeviceStep, LoginForm, LoginMethod, LoginProblem, Person, RedirectUri,
};

/// Answers of one stack.
pub(super) struct Pages {
    /// Host and port, as people see them in the address bar; not where nobody knows whether they are right.
    pub(super) host: Option<String>,
}

impl Pages {
    /// Where a person logs in for a program that waits at `to`.
    pub(super) fn log_in(&self, form: &LoginForm, to: &RedirectUri) -> Response<Vec<u8>> {
        let origin = to.origin();
        let waits = match &origin {
            Some(origin) => format!("The program that sent you here waits at <strong>{}</strong>.", escape(origin)),
            None => "You will be shown a code to copy into the program that sent you here.".to_owned(),
        };
        let body = format!(
            "{problem}<p>{waits} It will be able to sign in your name.</p>\n\
             <form method=\"post\" action=\"/oidc/auth/login\">\n{hidden}{fields}\
             <button type=\"submit\">Log in</button>\n</form>\n\
             <p class=\"quiet\">You did not start this? Close this page.</p>\n",
            problem = problem(form.problem.as_ref().map(login_problem).as_deref()),
            hidden = hidden(&form.sealed),
            fields = credentials(form),
        );
        let (status, wait) = login_status(form.problem.as_ref());
        self.page(Page { status, title: "Log in", is_problem: form.problem.is_some(), form_to: origin, wait }, &body)
    }

    /// One step of the device flow.
    pub(super) fn device(&self, step: &DeviceStep) -> Response<Vec<u8>> {
        match step {
            DeviceStep::Allowed(person) => self.allowed(person),
            DeviceStep::Confirm { user_code, method, form } => self.confirm(user_code, method, form),
            DeviceStep::Enter { user_code, problem } => self.enter(user_code, *problem),
            DeviceStep::Nobody => {
                self.sentence(StatusCode::FORBIDDEN, "Nobody can log in", "There are no accounts yet.")
            }
            DeviceStep::Refused => self.sentence(
                StatusCode::OK,
                "Request refused",
                "The program got nothing, and nobody was logged in. You may close this page.",
            ),
        }
    }

    /// What the person who was sent here in vain is told.
    pub(super) fn refused(&self, sentence: &str) -> Response<Vec<u8>> {
        self.sentence(StatusCode::BAD_REQUEST, "Bad Request", sentence)
    }

    /// A heading and a sentence.
    pub(super) fn sentence(&self, status: StatusCode, title: &'static str, sentence: &str) -> Response<Vec<u8>> {
        let page = Page { status, title, is_problem: false, form_to: None, wait: None };
        self.page(page, &format!("<p>{}</p>\n", escape(sentence)))
    }

    /// The out-of-band end of a login.
    pub(super) fn code(&self, code: &str) -> Response<Vec<u8>> {
        let body = format!(
            "<p>Paste it into the program that sent you here. It is good for ten minutes, once.</p>\n\
             <output class=\"code long\" aria-label=\"The code\">{}</output>\n\
             <p class=\"quiet\">Give it to nobody: whoever has it can sign in your name.</p>\n",
            escape(code)
        );
        let page =
            Page { status: StatusCode::OK, title: "Copy this code", is_problem: false, form_to: None, wait: None };
        self.page(page, &body)
    }

    fn enter(&self, user_code: &str, wrong: Option<DeviceProblem>) -> Response<Vec<u8>> {
        let (sentence, status, wait) = match wrong {
            None => (None, StatusCode::OK, None),
            Some(DeviceProblem::Stale) => (
                Some("This page was open for too long. Enter the code again.".to_owned()),
                StatusCode::BAD_REQUEST,
                None,
            ),
            Some(DeviceProblem::Unknown) => {
                let sentence = "No program waits with this code. Compare it with the one that the program shows; if it is \
                                the same, it has expired: let the program show a new one.";
                (Some(sentence.to_owned()), StatusCode::BAD_REQUEST, None)
            }
            Some(DeviceProblem::Wait(wait)) => {
                (Some(too_many("wrong codes", wait)), StatusCode::TOO_MANY_REQUESTS, Some(wait))
            }
        };
        // A code that came with the address is to be looked at, not typed.
        let (focus_field, focus_button) =
            if user_code.is_empty() || wrong.is_some() { (" autofocus", "") } else { ("", " autofocus") };
        let body = format!(
            "{problem}<p>A program on another machine, or without a browser, shows you a code of eight letters.</p>\n\
             <form method=\"post\" action=\"/oidc/device/auth/verify_code\">\n\
             <label for=\"user_code\">Code</label>\n\
             <input class=\"code\" type=\"text\" id=\"user_code\" name=\"user_code\" value=\"{user_code}\" required \
             maxlength=\"32\" autocomplete=\"off\" autocapitalize=\"characters\" spellcheck=\"false\" \
             placeholder=\"BCDF-GHJK\"{invalid}{focus_field}>\n\
             <button type=\"submit\"{focus_button}>Continue</button>\n</form>\n\
             <p class=\"quiet\">Someone else gave you the code? Then do not enter it: they would be logged in as you.</p>\n",
            problem = problem(sentence.as_deref()),
            user_code = escape(user_code),
            invalid = if wrong.is_some() { INVALID } else { "" },
        );
        self.page(Page { status, title: "Enter the code", is_problem: wrong.is_some(), form_to: None, wait }, &body)
    }

    fn confirm(&self, user_code: &str, method: &LoginMethod, form: &LoginForm) -> Response<Vec<u8>> {
        let fields = match method {
            LoginMethod::Password => credentials(form),
            LoginMethod::Automatic(addresses) => choices(addresses),
        };
        let body = format!(
            "{problem}<p>Does the program show exactly this code?</p>\n\
             <output class=\"code\" aria-label=\"The code\">{user_code}</output>\n\
             <p>If you allow it, the program will be able to sign in your name. Refuse if you did not start it yourself.</p>\n\
             <form method=\"post\" action=\"/oidc/device/confirm\">\n{hidden}{fields}\
             <button type=\"submit\" name=\"decision\" value=\"allow\">Log in and allow</button>\n\
             <button type=\"submit\" name=\"decision\" value=\"refuse\" class=\"second\" formnovalidate>Refuse</button>\n\
             </form>\n",
            problem = problem(form.problem.as_ref().map(login_problem).as_deref()),
            user_code = escape(user_code),
            hidden = hidden(&form.sealed),
        );
        let (status, wait) = login_status(form.problem.as_ref());
        let is_problem = form.problem.is_some();
        self.page(Page { status, title: "Allow a program to sign", is_problem, form_to: None, wait }, &body)
    }

    fn allowed(&self, person: &Person) -> Response<Vec<u8>> {
        let body = format!(
            "<p>The program may now sign as <strong>{}</strong>. Go back to it; you may close this page.</p>\n",
            escape(&person.email)
        );
        self.page(
            Page { status: StatusCode::OK, title: "Request allowed", is_problem: false, form_to: None, wait: None },
            &body,
        )
    }

    /// `body` goes out as it is.
    fn page(&self, page: Page, body: &str) -> Response<Vec<u8>> {
        let html = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>{error}{title} · waxseal</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
             <p class=\"host\">waxseal{host}</p>\n<h1>{title}</h1>\n{body}</main>\n</body>\n</html>\n",
            error = if page.is_problem { "Error: " } else { "" },
            title = page.title,
            host = self.host.as_ref().map_or_else(String::new, |host| format!(" at {}", escape(host))),
        );
        let mut response = respond(page.status, "text/html; charset=utf-8", html.into_bytes());
        let headers = response.headers_mut();
        if let Ok(policy) = HeaderValue::from_str(&policy(page.form_to.as_deref())) {
            headers.insert(CONTENT_SECURITY_POLICY, policy);
        }
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // Forms must say where they come from, and nobody else needs to know.
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(wait) = page.wait {
            headers.insert(RETRY_AFTER, seconds(wait).into());
        }
        response
    }
}

struct Page {
    status: StatusCode,
    title: &'static str,
    is_problem: bool,
    /// Where a browser may be sent after a form, besides here: it looks at redirections too.
    form_to: Option<String>,
    wait: Option<SignedDuration>,
}

/// Whether a person reads what is answered at `path`, which stands behind `/oidc`.
pub(super) fn is_read(path: &str) -> bool {
    matches!(path, "/auth" | "/auth/login" | "/device" | "/device/auth/verify_code" | "/device/confirm")
}

/// What the server says before any form is looked at.
pub(super) fn refusal(status: StatusCode, sentence: &str) -> Response<Vec<u8>> {
    let mut characters = sentence.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    let sentence: String = first.into_iter().chain(characters).chain(['.']).collect();
    Pages { host: None }.sentence(status, status.canonical_reason().unwrap_or("Refused"), &sentence)
}

/// An answer with nothing to read in it, for a browser that goes on elsewhere.
pub(super) fn see_other(location: HeaderValue) -> Response<Vec<u8>> {
    let mut response = respond(StatusCode::SEE_OTHER, "text/html; charset=utf-8", Vec::new());
    let headers = response.headers_mut();
    headers.insert(http::header::LOCATION, location);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// What is shown of an error that the client is not told; `None` when it is.
pub(super) fn sentence(error: &AuthorizationError) -> Option<&'static str> {
    match error {
        AuthorizationError::Accounts(_) => {
            Some("The accounts cannot be read. Whoever runs this server finds why in its log.")
        }
        AuthorizationError::Page(sentence) => Some(sentence),
        AuthorizationError::UnknownClient => Some("Invalid client_id provided."),
        AuthorizationError::Redirect(_) => None,
    }
}

fn policy(form_to: Option<&str>) -> String {
    let to = match form_to {
        // Content Security Policy has no words for an IPv6 address.
        Some(origin) if origin.contains('[') => " http:".to_owned(),
        Some(origin) => format!(" {origin}"),
        None => String::new(),
    };
    format!(
        "default-src 'none'; style-src 'sha256-{}'; form-action 'self'{to}; base-uri 'none'; frame-ancestors 'none'",
        *STYLE_DIGEST
    )
}

fn problem(sentence: Option<&str>) -> String {
    sentence.map_or_else(String::new, |sentence| {
        format!("<p class=\"problem\" id=\"problem\" role=\"alert\">{}</p>\n", escape(sentence))
    })
}

fn hidden(sealed: &str) -> String {
    format!("<input type=\"hidden\" name=\"form\" value=\"{}\">\n", escape(sealed))
}

/// Address and password; the first one that is to be filled in has the focus.
fn credentials(form: &LoginForm) -> String {
    let invalid = match form.problem {
        Some(LoginProblem::Wrong | LoginProblem::Incomplete) => INVALID,
        Some(LoginProblem::Accounts(_) | LoginProblem::Busy | LoginProblem::Wait(_)) | None => "",
    };
    let (focus_email, focus_password) = if form.email.is_empty() { (" autofocus", "") } else { ("", " autofocus") };
    format!(
        "<label for=\"email\">E-mail address</label>\n\
         <input type=\"email\" id=\"email\" name=\"email\" value=\"{email}\" required autocomplete=\"username\"\
         {invalid}{focus_email}>\n\
         <label for=\"password\">Password</label>\n\
         <input type=\"password\" id=\"password\" name=\"password\" required autocomplete=\"current-password\"\
         {invalid}{focus_password}>\n",
        email = escape(&form.email),
    )
}

/// As whom to be logged in without a password.
fn choices(addresses: &[String]) -> String {
    let choices: String = (addresses.iter().enumerate())
        .map(|(at, address)| {
            let (address, checked) = (escape(address), if at == 0 { " checked" } else { "" });
            format!(
                "<label class=\"choice\"><input type=\"radio\" name=\"email\" value=\"{address}\" required{checked}> \
                 {address}</label>\n"
            )
        })
        .collect();
    format!("<fieldset>\n<legend>Log in without a password as</legend>\n{choices}</fieldset>\n")
}

fn login_problem(problem: &LoginProblem) -> String {
    match problem {
        LoginProblem::Accounts(_) => "The accounts cannot be read.".to_owned(),
        LoginProblem::Busy => "Too many people log in at this moment. Try again in a few seconds.".to_owned(),
        LoginProblem::Incomplete => "Enter both your e-mail address and your password.".to_owned(),
        LoginProblem::Wait(wait) => too_many("failed tries", *wait),
        LoginProblem::Wrong => "The e-mail address or the password is wrong.".to_owned(),
    }
}

fn too_many(what: &str, wait: SignedDuration) -> String {
    match seconds(wait) {
        1 => format!("Too many {what}. Try again in one second."),
        short @ 0..=90 => format!("Too many {what}. Try again in {short} seconds."),
        long => format!("Too many {what}. Try again in {} minutes.", long.div_ceil(60)),
    }
}

fn login_status(problem: Option<&LoginProblem>) -> (StatusCode, Option<SignedDuration>) {
    match problem {
        None => (StatusCode::OK, None),
        Some(LoginProblem::Accounts(_)) => (StatusCode::INTERNAL_SERVER_ERROR, None),
        Some(LoginProblem::Busy) => (StatusCode::SERVICE_UNAVAILABLE, Some(SignedDuration::from_secs(2))),
        Some(LoginProblem::Incomplete) => (StatusCode::BAD_REQUEST, None),
        Some(LoginProblem::Wait(wait)) => (StatusCode::TOO_MANY_REQUESTS, Some(*wait)),
        Some(LoginProblem::Wrong) => (StatusCode::UNAUTHORIZED, None),
    }
}

/// Rounded up.
fn seconds(wait: SignedDuration) -> u64 {
    let whole = u64::try_from(wait.as_secs()).unwrap_or_default();
    whole + u64::from(wait.subsec_nanos() > 0)
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Nothing invisible that turns the reading direction or hides what follows.
            other if other.is_control() || INVISIBLE.contains(&other) => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

const INVISIBLE: [char; 16] = [
    '\u{200b}', '\u{200c}', '\u{200d}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}',
    '\u{202e}', '\u{2060}', '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}', '\u{feff}',
];

const INVALID: &str = " aria-invalid=\"true\" aria-describedby=\"problem\"";

const STYLE: &str = include_str!("page.css");

static STYLE_DIGEST: LazyLock<String> = LazyLock::new(|| STANDARD.encode(Sha256Digest::of(STYLE.as_bytes())));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_becomes_markup() {
        let pages = Pages { host: Some("<b>".to_owned()) };
        let hostile = "\"><script>alert('x')</script>&\u{202e}\r\n";
        let form = LoginForm { sealed: hostile.to_owned(), email: hostile.to_owned(), problem: None };
        let step = |form| DeviceStep::Confirm {
            user_code: hostile.to_owned(),
            method: LoginMethod::Automatic(vec![hostile.to_owned()]),
            form,
        };
        for answer in [
            pages.log_in(&form, &RedirectUri::OutOfBand(None)),
            pages.device(&step(form)),
            pages.device(&DeviceStep::Enter { user_code: hostile.to_owned(), problem: Some(DeviceProblem::Unknown) }),
            pages.device(&DeviceStep::Allowed(Person { email: hostile.to_owned(), subject: String::new() })),
            pages.code(hostile),
            pages.refused(hostile),
        ] {
            let html = String::from_utf8(answer.into_body()).unwrap();
            assert!(!html.contains("<script") && !html.contains("<b>"), "{html}");
            assert!(html.contains("&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;\u{fffd}"), "{html}");
        }
    }

    #[test]
    fn the_policy_lets_a_form_end_at_the_client_and_nowhere_else() {
        let digest = &*STYLE_DIGEST;
        let expected = |to: &str| {
            format!(
                "default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'{to}; base-uri 'none'; frame-ancestors 'none'"
            )
        };
        assert_eq!(policy(None), expected(""));
        assert_eq!(policy(Some("http://localhost:1")), expected(" http://localhost:1"));
        assert_eq!(policy(Some("http://[::1]:1")), expected(" http:"));
    }

    #[test]
    fn waits_are_rounded_up() {
        for (wait, sentence) in [
            (SignedDuration::from_millis(500), "Too many x. Try again in one second."),
            (SignedDuration::from_secs(90), "Too many x. Try again in 90 seconds."),
            (SignedDuration::from_secs(91), "Too many x. Try again in 2 minutes."),
            (SignedDuration::from_mins(15), "Too many x. Try again in 15 minutes."),
        ] {
            assert_eq!(too_many("x", wait), sentence);
        }
    }
}
