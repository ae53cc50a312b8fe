//! What people do in a browser: log in for a program on the same machine, or confirm the code of one on another.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};

use super::OidcIssuer;
use super::authorization::{AuthorizationError, RedirectError, RedirectErrorCode, RedirectUri, Request};
use super::form::{Form, Page};
use super::people::{LoginMethod, LoginProblem, People, Person};

/// What an authorization request leads to.
#[derive(Debug)]
pub enum Authorized {
    /// A page where a person logs in.
    LogIn {
        /// The form.
        form: LoginForm,
        /// Where the browser goes afterwards.
        to: RedirectUri,
    },
    /// Back to the client, with a code for this person.
    Sent(RedirectUri, Person),
}

/// A form for address and password.
#[derive(Debug)]
pub struct LoginForm {
    /// To be brought back as it is.
    pub sealed: String,
    /// What the address field holds already.
    pub email: String,
    /// What was wrong with the last try.
    pub problem: Option<LoginProblem>,
}

/// Where someone stands in the device flow.
#[derive(Debug)]
pub enum DeviceStep {
    /// The code was confirmed for this person: back to the program.
    Allowed(Person),
    /// To say who one is, and to allow or to refuse.
    Confirm {
        /// The code, to be compared with what the program shows.
        user_code: String,
        /// How one logs in.
        method: LoginMethod,
        /// The form.
        form: LoginForm,
    },
    /// To enter the code.
    Enter {
        /// What the field holds already.
        user_code: String,
        /// What was wrong with the last try.
        problem: Option<DeviceProblem>,
    },
    /// Nobody can log in.
    Nobody,
    /// The request was refused.
    Refused,
}

/// A code that is not confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceProblem {
    /// The page was open for too long, or comes from before a restart.
    Stale,
    /// Not one that waits: mistyped, expired, or used.
    Unknown,
    /// Too many wrong codes.
    Wait(SignedDuration),
}

impl OidcIssuer {
    /// RFC 6749 §4.1.1 with RFC 7636: a page to log in on, or where to send the browser, with a code.
    ///
    /// # Errors
    /// [`AuthorizationError`] says whether the client may be told by redirection.
    pub fn authorize(&self, query: &str, now: Timestamp) -> Result<Authorized, AuthorizationError> {
        let request = Request::read(query, &self.issuer)?;
        let denied = |description| refusal(&request, RedirectErrorCode::AccessDenied, description);
        match self.people.method()? {
            None => Err(denied("nobody can log in here yet")),
            Some(LoginMethod::Automatic(addresses)) => {
                let person = People::automatic(&addresses, request.login_hint.as_deref());
                let person = person.ok_or_else(|| denied("nobody can log in under the address of login_hint"))?;
                self.send(&request, person, now)
            }
            Some(LoginMethod::Password) if request.must_be_silent => {
                Err(refusal(&request, RedirectErrorCode::LoginRequired, "nobody is logged in without being asked"))
            }
            Some(LoginMethod::Password) => Ok(Authorized::LogIn {
                form: LoginForm {
                    sealed: self.form_key.seal(Page::Login, query, now),
                    email: request.login_hint.clone().unwrap_or_default(),
                    problem: None,
                },
                to: request.redirect_uri,
            }),
        }
    }

    /// The form of the login page, filled in, by a browser at `from`.
    ///
    /// # Errors
    /// [`AuthorizationError`] when the form is not one of ours, or the client is to be told.
    pub fn log_in(&self, form: &str, from: IpAddr, now: Timestamp) -> Result<Authorized, AuthorizationError> {
        let form = Form::read(form).map_err(|_twice| AuthorizationError::Page("A field stands twice."))?;
        let query = self.form_key.open(Page::Login, form.value("form"), now);
        let query = query.ok_or(AuthorizationError::Page(STALE_PAGE))?;
        let request = Request::read(&query, &self.issuer)?;
        match self.people.with_password(form.value("email"), form.value("password"), from, now) {
            Ok(person) => self.send(&request, person, now),
            Err(LoginProblem::Accounts(error)) => Err(error.into()),
            Err(problem) => Ok(Authorized::LogIn {
                form: LoginForm {
                    sealed: self.form_key.seal(Page::Login, &query, now),
                    email: form.value("email").trim().to_owned(),
                    problem: Some(problem),
                },
                to: request.redirect_uri,
            }),
        }
    }

    /// The page of the device flow; an address with a code in it fills the field in and does nothing else (RFC 8628 §3.3.1).
    #[must_use]
    pub fn device_page(&self, query: &str) -> DeviceStep {
        let user_code = Form::read(query).map(|form| form.value("user_code").to_owned()).unwrap_or_default();
        DeviceStep::Enter { user_code: user_code.chars().take(MAX_SHOWN).collect(), problem: None }
    }

    /// The form of [`device_page`](Self::device_page), filled in.
    ///
    /// # Errors
    /// [`AuthorizationError`] when it is not a form, or accounts cannot be read.
    pub fn enter_user_code(&self, form: &str, from: IpAddr, now: Timestamp) -> Result<DeviceStep, AuthorizationError> {
        let form = Form::read(form).map_err(|_twice| AuthorizationError::Page("A field stands twice."))?;
        let typed: String = form.value("user_code").chars().take(MAX_SHOWN).collect();
        let wrong = |problem| Ok(DeviceStep::Enter { user_code: typed.clone(), problem: Some(problem) });
        if let Err(wait) = self.people.try_device_code(from, now) {
            return wrong(DeviceProblem::Wait(wait));
        }
        let Some(user_code) = self.device_requests.waiting(&typed, now) else { return wrong(DeviceProblem::Unknown) };
        self.people.device_code_was_right(from);
        self.confirmation(user_code, String::new(), None, now)
    }

    /// The form that confirms a code, filled in, by a browser at `from`.
    ///
    /// # Errors
    /// [`AuthorizationError`] when it is not a form, or accounts cannot be read.
    pub fn confirm_user_code(
        &self,
        form: &str,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<DeviceStep, AuthorizationError> {
        let form = Form::read(form).map_err(|_twice| AuthorizationError::Page("A field stands twice."))?;
        let again = |problem| Ok(DeviceStep::Enter { user_code: String::new(), problem: Some(problem) });
        let Some(user_code) = self.form_key.open(Page::Device, form.value("form"), now) else {
            return again(DeviceProblem::Stale);
        };
        if form.value("decision") == "refuse" {
            let decided = self.device_requests.decide(&user_code, None, now);
            return if decided { Ok(DeviceStep::Refused) } else { again(DeviceProblem::Unknown) };
        }
        let email = form.value("email");
        let person = match self.people.method()? {
            None => return Ok(DeviceStep::Nobody),
            Some(LoginMethod::Automatic(addresses)) => {
                People::automatic(&addresses, Some(email)).ok_or(LoginProblem::Incomplete)
            }
            Some(LoginMethod::Password) => self.people.with_password(email, form.value("password"), from, now),
        };
        match person {
            Ok(person) if self.device_requests.decide(&user_code, Some(person.clone()), now) => {
                Ok(DeviceStep::Allowed(person))
            }
            Ok(_) => again(DeviceProblem::Unknown),
            Err(LoginProblem::Accounts(error)) => Err(error.into()),
            Err(problem) => self.confirmation(user_code, email.trim().to_owned(), Some(problem), now),
        }
    }

    fn confirmation(
        &self,
        user_code: String,
        email: String,
        problem: Option<LoginProblem>,
        now: Timestamp,
    ) -> Result<DeviceStep, AuthorizationError> {
        let Some(method) = self.people.method()? else { return Ok(DeviceStep::Nobody) };
        let sealed = self.form_key.seal(Page::Device, &user_code, now);
        Ok(DeviceStep::Confirm { user_code, method, form: LoginForm { sealed, email, problem } })
    }

    fn send(&self, request: &Request, person: Person, now: Timestamp) -> Result<Authorized, AuthorizationError> {
        match self.new_code(request, person.clone(), now) {
            Some(code) => Ok(Authorized::Sent(request.answer(&code), person)),
            None => Err(refusal(request, RedirectErrorCode::TemporarilyUnavailable, "too many logins at once")),
        }
    }
}

fn refusal(request: &Request, code: RedirectErrorCode, description: &str) -> AuthorizationError {
    request.refuse(&RedirectError { code, description: description.to_owned() })
}

const STALE_PAGE: &str = "This page was open for too long, or the server was started again meanwhile. Go back to your program and log in anew.";

/// More than any code that someone typed.
const MAX_SHOWN: usize = 32;
