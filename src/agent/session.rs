//! One login: its key, its certificate, and what gets the next one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::timeout;

use super::kept::{self, Kept};
use super::message::{Admission, Asked, Base64, Failure, Found, Query, SessionStatus, SharedNetwork, Signed};
use crate::cms::attributes::SignedAttributes;
use crate::credential::{self, CredentialError, Issuance, SigningCredential};
use crate::identity_token::IdentityToken;
use crate::instance::Instance;
use crate::oidc::{self, LoginError, RefreshToken};
use crate::services::http::{Http, Network, Problem};
use crate::signature::payload;

/// A login that signs until nothing gets it another certificate.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: u64,
    asked: Asked,
    instance: Instance,
    certificate_authority: String,
    /// Who logged in, as the token says: whom the authority will name where that can be told, and who vouched.
    name: Option<String>,
    identity: String,
    issuer: String,
    subject: String,
    /// When nothing is renewed any more, whatever the issuer would allow.
    ends: Timestamp,
    /// Somebody has logged out: what a renewal that is under way still gets is not for the key ring.
    is_over: AtomicBool,
    /// One certificate at a time is asked for; whoever waits finds it.
    secrets: AsyncMutex<Secrets>,
    /// What is known of the secrets, without waiting for them.
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Secrets {
    credential: Option<SigningCredential>,
    token: Option<IdentityToken>,
    refresh_token: Option<RefreshToken>,
    network: SharedNetwork,
    http: Http,
    key_ring: KeyRing,
}

/// Whether the user's key ring keeps the tokens.
#[derive(Debug)]
enum KeyRing {
    /// It should, and does not, for this reason.
    Fails(String),
    Keeps,
    NotWanted,
}

#[derive(Clone, Debug, Default)]
struct Known {
    certificate_until: Option<Timestamp>,
    token_until: Option<Timestamp>,
    is_renewable: bool,
    not_kept: Option<String>,
}

impl Session {
    /// Takes a login in, and has a key certified for it at once: some tokens live for a minute. Beside the session stands why
    /// it has no certificate yet.
    pub(super) async fn admit(
        id: u64,
        admission: &Admission,
        now: Timestamp,
    ) -> Result<(Self, Option<Failure>), Failure> {
        let refused = |error: &dyn std::fmt::Display| Failure::Refused(error.to_string());
        let instance = admission.instance.instance().map_err(|error| refused(&error))?;
        let token = IdentityToken::parse(admission.token.expose().to_owned()).map_err(|error| refused(&error))?;
        let refresh_token = admission.refresh_token.as_ref().map(|token| RefreshToken::new(token.expose().to_owned()));
        let network = admission.network.clone();
        let http = Http::new(Network::new(&network.settings()).map_err(|error| refused(&error))?);
        let claims = token.claims();
        let session = Self {
            id,
            asked: admission.asked.clone(),
            instance,
            certificate_authority: admission.certificate_authority.clone(),
            name: credential::expected_name(claims),
            identity: claims.identity().to_owned(),
            issuer: claims.named_issuer().to_owned(),
            subject: claims.subject.clone(),
            ends: admission.until.unwrap_or(Timestamp::MAX).min(now + LONGEST_LOGIN),
            is_over: AtomicBool::new(false),
            secrets: AsyncMutex::new(Secrets {
                credential: None,
                token: Some(token),
                refresh_token,
                network,
                http,
                key_ring: if admission.in_key_ring { KeyRing::Keeps } else { KeyRing::NotWanted },
            }),
            known: Mutex::default(),
        };
        let mut secrets = session.secrets.lock().await;
        let certified = session.certify(&mut secrets, now).await;
        if matches!(certified, Ok(Certified::Yes)) {
            session.keep(&mut secrets).await;
        }
        session.note(&secrets);
        drop(secrets);
        match certified {
            Ok(Certified::Yes) => Ok((session, None)),
            Ok(Certified::No) => Err(Failure::Token("the identity token gets no certificate".to_owned())),
            // The next signature asks it again, and nobody has to log in for that.
            Err(Failure::Service(error)) if !is_refusal(&error.problem) => Ok((session, Some(Failure::Service(error)))),
            Err(failure) => Err(failure),
        }
    }

    /// Whether a login that `query` would ask for gives this session: asked for the same, or for this account; and whoever
    /// is demanded is who would sign.
    pub(super) fn answers(&self, query: &Query) -> bool {
        let Query { asked, signer, .. } = query;
        let is_named = |name: &String| self.name.as_ref() == Some(name);
        let same_login = asked.login_hint == self.asked.login_hint && asked.connector_id == self.asked.connector_id;
        let named_account = asked.login_hint.as_ref().is_some_and(is_named);
        let same_place = Asked { login_hint: None, connector_id: None, ..asked.clone() }
            == Asked { login_hint: None, connector_id: None, ..self.asked.clone() };
        let wanted = match signer {
            Some(signer) => is_named(signer),
            None => same_login || named_account,
        };
        same_place && wanted
    }

    /// Whether the other one is this login, newer or older.
    pub(super) fn is_same_login(&self, other: &Self) -> bool {
        self.asked == other.asked && self.issuer == other.issuer && self.subject == other.subject
    }

    pub(super) fn is_of(&self, instance: &str) -> bool {
        self.asked.instance == instance
    }

    /// Whether it can sign, now or after a renewal that asks nobody.
    pub(super) fn is_alive(&self, now: Timestamp) -> bool {
        let known = self.known();
        let lives = |until: Option<Timestamp>| until.is_some_and(|until| until > now + LEFT_OVER);
        lives(known.certificate_until) || now < self.ends && (lives(known.token_until) || known.is_renewable)
    }

    /// The network is that of the caller from now on.
    pub(super) async fn move_to(&self, network: &SharedNetwork) -> Result<(), Failure> {
        let mut secrets = self.secrets.lock().await;
        if secrets.network != *network {
            let new = Network::new(&network.settings()).map_err(|error| Failure::Refused(error.to_string()))?;
            secrets.http = Http::new(new);
            secrets.network = network.clone();
        }
        Ok(())
    }

    pub(super) fn found(&self) -> Found {
        let known = self.known();
        Found {
            session: self.id,
            identity: self.identity.clone(),
            issuer: self.issuer.clone(),
            certificate_until: known.certificate_until,
            not_kept: known.not_kept,
        }
    }

    pub(super) fn status(&self, now: Timestamp) -> SessionStatus {
        let known = self.known();
        let renewed_until = if known.is_renewable { Some(self.ends) } else { known.token_until };
        SessionStatus {
            instance: self.asked.instance.clone(),
            identity: self.identity.clone(),
            issuer: self.issuer.clone(),
            certificate_until: known.certificate_until.filter(|until| *until > now),
            renewed_until: renewed_until.filter(|until| *until > now),
        }
    }

    /// Signs what Git signs. `None`: the login is over.
    pub(super) async fn sign(&self, payload: &[u8], clock: fn() -> Timestamp) -> Result<Option<Signed>, Failure> {
        if !is_signable(payload) {
            return Err(Failure::Refused("it signs commits, tags and push certificates only".to_owned()));
        }
        let mut secrets = self.secrets.lock().await;
        let certified = self.certify(&mut secrets, clock()).await;
        self.note(&secrets);
        let Some(credential) = secrets.credential.as_ref().filter(|_| matches!(certified, Ok(Certified::Yes))) else {
            return certified.map(|_| None);
        };
        // Read anew: what was just asked for may have taken half a minute.
        let at = clock();
        let attributes = SignedAttributes::for_payload(payload, at)
            .map_err(|error| Failure::Refused(format!("its clock cannot be written: {error}")))?;
        let certificate = Base64(credential.certificate.certificate().der().to_vec());
        Ok(Some(Signed { at, signature: Base64(credential.key.sign(attributes.message())), certificate }))
    }

    /// Forgets what signs, and has the issuer forget the login where it takes that. Gives why it did not.
    pub(super) async fn end(&self) -> Option<String> {
        self.is_over.store(true, Ordering::SeqCst);
        // Whoever has them now finds no session when that is over.
        let Ok(mut secrets) = timeout(LAST_RENEWAL, self.secrets.lock()).await else {
            return Some("it is being renewed just now; the new one is revoked as soon as it comes".to_owned());
        };
        secrets.credential = None;
        secrets.token = None;
        let token = secrets.refresh_token.take();
        self.keep_no_longer(&mut secrets).await;
        self.note(&secrets);
        let revoked = match &token {
            Some(token) => oidc::revoke(&secrets.http, &self.asked.issuer, &self.asked.client_id, token).await,
            None => Ok(()),
        };
        revoked.err().map(|error| error.to_string())
    }

    /// Sees to it that there is a certificate that will still hold when the log has the signature.
    async fn certify(&self, secrets: &mut Secrets, now: Timestamp) -> Result<Certified, Failure> {
        if secrets.credential.as_ref().is_some_and(|credential| expiry(credential) > now + LEFT_OVER) {
            return Ok(Certified::Yes);
        }
        secrets.credential = None;
        if now >= self.ends {
            secrets.token = None;
            secrets.refresh_token = None;
        }
        if secrets.token.as_ref().is_some_and(|token| token.claims().expires_at > now) {
            match self.issue(secrets, now).await {
                Ok(()) => return Ok(Certified::Yes),
                // It may have been good once only. A refresh token gives another one.
                Err(CredentialError::Service(error))
                    if is_refusal(&error.problem) && secrets.refresh_token.is_some() => {}
                Err(error) => return Err(failure(error)),
            }
        }
        secrets.token = None;
        let Some(refresh_token) = secrets.refresh_token.take() else { return Ok(Certified::No) };
        let refreshed = oidc::refresh(&secrets.http, &self.asked.issuer, &self.asked.client_id, &refresh_token).await;
        match refreshed {
            Ok(obtained) => {
                let refresh_token = obtained.refresh_token.unwrap_or(refresh_token);
                // Whoever logged out did not wait for this answer.
                if self.is_over.load(Ordering::SeqCst) {
                    self.keep_no_longer(secrets).await;
                    let Asked { issuer, client_id, .. } = &self.asked;
                    drop(oidc::revoke(&secrets.http, issuer, client_id, &refresh_token).await);
                    return Ok(Certified::No);
                }
                secrets.refresh_token = Some(refresh_token);
                let claims = obtained.token.claims();
                let is_same = claims.named_issuer() == self.issuer && claims.subject == self.subject;
                if !is_same || credential::expected_name(claims) != self.name {
                    secrets.refresh_token = None;
                    self.keep_no_longer(secrets).await;
                    return Ok(Certified::No);
                }
                secrets.token = Some(obtained.token);
                self.keep(secrets).await;
                self.issue(secrets, now).await.map(|()| Certified::Yes).map_err(failure)
            }
            // The issuer ended the login.
            Err(LoginError::Refused { .. }) => {
                self.keep_no_longer(secrets).await;
                Ok(Certified::No)
            }
            Err(LoginError::Service(error)) => {
                secrets.refresh_token = Some(refresh_token);
                Err(Failure::Service(error))
            }
            Err(error) => Err(Failure::Token(error.to_string())),
        }
    }

    async fn issue(&self, secrets: &mut Secrets, now: Timestamp) -> Result<(), CredentialError> {
        let Secrets { credential, token: Some(token), http, .. } = secrets else { return Ok(()) };
        let issuance = Issuance {
            instance: &self.instance,
            certificate_authority: &self.certificate_authority,
            audience: &self.asked.client_id,
            signer: None,
        };
        *credential = Some(issuance.issue(http, token, now).await?);
        Ok(())
    }

    /// Has the key ring keep the tokens of now: a refresh token that was used is worth nothing. It is asked no more once it
    /// has failed.
    async fn keep(&self, secrets: &mut Secrets) {
        let Secrets { key_ring: KeyRing::Keeps, token: Some(token), refresh_token, .. } = &*secrets else { return };
        if let Err(error) = Kept::new(&self.asked, token, refresh_token.as_ref(), self.ends).keep().await {
            secrets.key_ring = KeyRing::Fails(error.to_string());
        }
        if self.is_over.load(Ordering::SeqCst) {
            self.keep_no_longer(secrets).await;
        }
    }

    /// The login is over. Where the key ring does not hear of that, the issuer refuses what it keeps.
    async fn keep_no_longer(&self, secrets: &mut Secrets) {
        if matches!(secrets.key_ring, KeyRing::Keeps) {
            secrets.key_ring = KeyRing::NotWanted;
            drop(kept::forget(&self.asked).await);
        }
    }

    fn note(&self, secrets: &Secrets) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Known {
            certificate_until: secrets.credential.as_ref().map(expiry),
            token_until: secrets.token.as_ref().map(|token| token.claims().expires_at),
            is_renewable: secrets.refresh_token.is_some(),
            not_kept: match &secrets.key_ring {
                KeyRing::Fails(why) => Some(why.clone()),
                KeyRing::Keeps | KeyRing::NotWanted => None,
            },
        };
    }

    fn known(&self) -> Known {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Whether Git signs such a thing.
pub(super) fn is_signable(payload: &[u8]) -> bool {
    payload::is_complete(payload)
}

/// Whether there is a certificate now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Certified {
    No,
    Yes,
}

fn expiry(credential: &SigningCredential) -> Timestamp {
    credential.certificate.certificate().not_after()
}

/// The authority's no to this token, which another one may not get.
fn is_refusal(problem: &Problem) -> bool {
    matches!(problem, Problem::Refused { status: 400..=403, .. })
}

fn failure(error: CredentialError) -> Failure {
    match error {
        CredentialError::Certificate(error) => Failure::Certificate(error.to_string()),
        CredentialError::Service(error) => Failure::Service(error),
        CredentialError::Token(error) => Failure::Token(error.to_string()),
    }
}

/// What a certificate must have before it: the client waits for the log for up to as long.
const LEFT_OVER: SignedDuration = SignedDuration::from_secs(30);
/// For a renewal that is under way when the session is ended.
const LAST_RENEWAL: Duration = Duration::from_secs(2);
/// A login is a person's act of that day.
const LONGEST_LOGIN: SignedDuration = SignedDuration::from_hours(24);
