//! Who signs: the agent, if somebody is logged in there or logs in now; this process with a key of its own, where the login
//! is a program's, or the agent cannot be used.

use jiff::Timestamp;

use super::claims;
use super::clock;
use super::public_consent::{Consent, PublicConsent};
use crate::agent::{Admission, AgentError, Connection, Failure, Forwarded, Found, Login as AgentLogin, Place, Wanted};
use crate::cms::attributes::SignedAttributes;
use crate::command_error::CommandError;
use crate::commands::agent_error::{agent_error, of_agent};
use crate::commands::failure;
use crate::credential::{self, Issuance, RequestedSigner, SigningCredential};
use crate::identity_token::{Claims, IdentityToken};
use crate::instance::Instance;
use crate::oidc::{self, Login, LoginError, Obtained, UnattendedSources};
use crate::services::Services;
use crate::services::http::{Http, Problem};
use crate::settings::{CredentialStore, DEFAULT_CLIENT_ID, Settings};
use crate::terminal::Terminal;
use crate::x509::{Certificate, SigningCertificate};

/// What a login is for.
#[derive(Clone, Copy)]
pub(in crate::commands) struct SignIn<'a> {
    pub(in crate::commands) settings: &'a Settings,
    pub(in crate::commands) terminal: &'a Terminal,
    pub(in crate::commands) instance: &'a Instance,
    pub(in crate::commands) services: &'a Services,
    pub(in crate::commands) http: &'a Http,
    pub(in crate::commands) consent: &'a PublicConsent<'a>,
}

/// Whoever has the key.
pub(super) enum Signer {
    Agent {
        connection: Connection,
        found: Found,
    },
    /// On another machine, where somebody said yes: it has signed.
    Elsewhere {
        signature: Box<Signature>,
    },
    Own {
        credential: Box<SigningCredential>,
        now: Timestamp,
    },
}

/// A signature over a payload's signed attributes.
pub(super) struct Signature {
    pub(super) attributes: SignedAttributes,
    pub(super) certificate: Certificate,
    pub(super) octets: Vec<u8>,
    pub(super) at: Timestamp,
}

impl SignIn<'_> {
    /// Signs `payload`, as `requested` if that is demanded.
    pub(super) async fn sign(
        &self,
        payload: &[u8],
        requested: Option<&RequestedSigner>,
        now: Timestamp,
    ) -> Result<Signature, CommandError> {
        let signature = match self.signer(payload, requested, now).await? {
            Signer::Own { credential, now } => own_signature(payload, &credential, now)?,
            Signer::Elsewhere { signature } => *signature,
            Signer::Agent { mut connection, found } => match connection.sign(found.session, payload).await {
                Ok(Some(signed)) => agents_signature(payload, signed)?,
                Err(AgentError::Failed(failure)) => return Err(of_agent(failure)),
                // The issuer has ended the login, or the agent itself has ended, since it was asked.
                ended => {
                    let connection = self.still(ended.map(|_| connection));
                    match self.after_login(connection, requested).await? {
                        Signer::Own { credential, now } => own_signature(payload, &credential, now)?,
                        Signer::Elsewhere { signature } => *signature,
                        Signer::Agent { mut connection, found } => {
                            let signed = connection.sign(found.session, payload).await.map_err(agent_error)?;
                            agents_signature(payload, signed.ok_or_else(|| agent_error(no_session()))?)?
                        }
                    }
                }
            },
        };
        signature.check(requested)?;
        Ok(signature)
    }

    async fn signer(
        &self,
        payload: &[u8],
        requested: Option<&RequestedSigner>,
        now: Timestamp,
    ) -> Result<Signer, CommandError> {
        let sources = UnattendedSources { settings: self.settings, audience: self.audience() };
        if let Some(obtained) = oidc::unattended(&sources, self.http).await.map_err(failure::login)? {
            self.terminal.detail(format_args!("the identity token is from {}", obtained.flow));
            return self.own_signer(&obtained.token, requested, now).await;
        }
        if let Some(signature) = self.elsewhere(payload, requested).await? {
            return Ok(Signer::Elsewhere { signature: Box::new(signature) });
        }
        let mut agent = None;
        if Connection::takes(payload) {
            agent = self.still(self.agent().await);
        }
        let account = account(requested);
        let query = self.agent_login(account.as_deref())?.query(requested.map(ToString::to_string));
        let found = match &mut agent {
            Some(connection) => connection.find(query, |wait| failure::say(wait, self.terminal)).await,
            None => Ok(None),
        };
        match (found, agent) {
            (Ok(Some(found)), Some(connection)) => {
                self.terminal.detail(format_args!("{} is logged in at the agent", found.identity));
                self.consent.obtain(&found.identity, &found.issuer).await?;
                Ok(Signer::Agent { connection, found })
            }
            (found, agent) => {
                let mut agent = agent.and_then(|connection| self.still(found.map(|_| connection)));
                if let Some(connection) = &mut agent
                    && let Some(found) = self.out_of_the_key_ring(connection, requested, now).await?
                    && let Some(connection) = agent.take()
                {
                    return Ok(Signer::Agent { connection, found });
                }
                self.after_login(agent, requested).await
            }
        }
    }

    /// Has it signed where the user sits, if SSH leads there. A no there is a no.
    async fn elsewhere(
        &self,
        payload: &[u8],
        requested: Option<&RequestedSigner>,
    ) -> Result<Option<Signature>, CommandError> {
        let other_way = |error: &AgentError| {
            failure::warn(&format!("{error}; signing without it"), self.terminal);
        };
        if !Connection::takes(payload) {
            return Ok(None);
        }
        let forwarded = Forwarded::connect(&self.settings.folders).await;
        let Some(forwarded) = forwarded.inspect_err(other_way).ok().flatten() else { return Ok(None) };
        self.terminal.news("waiting for a yes where \"waxseal agent --forward\" runs");
        let account = account(requested);
        let asked = self.agent_login(account.as_deref())?.asked();
        let wanted = Wanted { asked, signer: requested.map(ToString::to_string), claims: claims::of_here() };
        match forwarded.sign(wanted, payload).await {
            Ok(Some(signed)) => {
                let signature = agents_signature(payload, signed)?;
                let leaf = SigningCertificate::read(signature.certificate.clone()).map_err(failure::bug)?;
                self.consent.obtain(leaf.claims().san.as_str(), &leaf.claims().issuer).await?;
                Ok(Some(signature))
            }
            Ok(None) => {
                let notice =
                    "where signatures are forwarded to, nobody is logged in for this instance as it is known here";
                failure::warn(notice, self.terminal);
                Ok(None)
            }
            Err(AgentError::Failed(failure)) => Err(of_agent(failure)),
            Err(error) => {
                other_way(&error);
                Ok(None)
            }
        }
    }

    /// Hands the agent what the key ring keeps of an earlier login. Whatever goes wrong, somebody can log in.
    async fn out_of_the_key_ring(
        &self,
        connection: &mut Connection,
        requested: Option<&RequestedSigner>,
        now: Timestamp,
    ) -> Result<Option<Found>, CommandError> {
        if self.settings.credential_store != CredentialStore::KeyRing {
            return Ok(None);
        }
        let account = account(requested);
        let mut login = self.agent_login(account.as_deref())?;
        let mut kept = login.kept(now).await;
        if account.is_some() && matches!(kept, Ok(None)) {
            // Whoever logged in for everything may be this account.
            login = self.agent_login(None)?;
            kept = login.kept(now).await;
        }
        let kept = match kept {
            Ok(kept) => kept,
            Err(error) => {
                self.terminal.detail(error);
                return Ok(None);
            }
        };
        let Some((kept, token)) = kept.and_then(|kept| kept.token().ok().map(|token| (kept, token))) else {
            return Ok(None);
        };
        let claims = token.claims();
        let name = credential::expected_name(claims);
        if requested.is_some_and(|signer| !name.as_deref().is_some_and(|name| signer.is(name))) {
            return Ok(None);
        }
        // Before it is admitted, which has a certificate made.
        self.consent_of(claims).await?;
        let admission = login.admission(&token, kept.refresh_token().as_ref());
        match connection.admit(Admission { until: Some(kept.until()), ..admission }).await {
            Ok(found) => {
                self.terminal.detail(format_args!("the key ring keeps the login of {}", found.identity));
                Ok(Some(found))
            }
            // Whoever is down is down for a new login, too.
            Err(AgentError::Failed(Failure::Service(error))) if !matches!(error.problem, Problem::Refused { .. }) => {
                Err(failure::service(error))
            }
            Err(error) => {
                self.terminal.detail(format_args!("the login that the key ring keeps is of no use: {error}"));
                Ok(None)
            }
        }
    }

    /// Logs in, and hands that to the agent: what `waxseal login` is for.
    pub(in crate::commands) async fn log_in(&self) -> Result<Found, CommandError> {
        // What it will be handed to must be there, and does not wait for a person.
        drop(self.agent().await.map_err(agent_error)?);
        let (obtained, now) = self.login(None).await?;
        self.agree(&obtained.token, None, now).await?;
        let mut connection = self.agent().await.map_err(agent_error)?;
        self.admit(&mut connection, &obtained, None).await?.map_err(agent_error)
    }

    async fn after_login(
        &self,
        agent: Option<Connection>,
        requested: Option<&RequestedSigner>,
    ) -> Result<Signer, CommandError> {
        let (obtained, now) = self.login(requested).await?;
        let Some(mut connection) = agent else { return self.own_signer(&obtained.token, requested, now).await };
        let now = self.agree(&obtained.token, requested, now).await?;
        match self.admit(&mut connection, &obtained, requested).await? {
            Ok(found) => Ok(Signer::Agent { connection, found }),
            Err(error) => {
                let _none: Option<Connection> = self.still(Err(error));
                self.own_signer(&obtained.token, requested, now).await
            }
        }
    }

    /// A key of this process's own.
    async fn own_signer(
        &self,
        token: &IdentityToken,
        requested: Option<&RequestedSigner>,
        now: Timestamp,
    ) -> Result<Signer, CommandError> {
        let now = self.agree(token, requested, now).await?;
        let credential = self.issuance(requested).issue(self.http, token, now).await.map_err(failure::credential)?;
        Ok(Signer::Own { credential: Box::new(credential), now })
    }

    /// The token is one that may be used, and its owner agrees to what becomes public. Gives the time after that.
    async fn agree(
        &self,
        token: &IdentityToken,
        requested: Option<&RequestedSigner>,
        now: Timestamp,
    ) -> Result<Timestamp, CommandError> {
        self.issuance(requested).check(token, now).map_err(failure::credential)?;
        Ok(match self.consent_of(token.claims()).await? {
            Consent::NotAsked => now,
            Consent::Given => clock(),
        })
    }

    async fn consent_of(&self, claims: &Claims) -> Result<Consent, CommandError> {
        let name = credential::expected_name(claims);
        let identity = name.as_deref().unwrap_or_else(|| claims.identity());
        self.consent.obtain(identity, claims.named_issuer()).await
    }

    async fn login(&self, requested: Option<&RequestedSigner>) -> Result<(Obtained, Timestamp), CommandError> {
        let (issuer, client_id) = (self.issuer()?, self.audience());
        let account = account(requested);
        let account = account.as_deref();
        let login = Login { issuer, client_id, settings: self.settings, account, limit: oidc::LOGIN_TIME };
        let obtained = login.interactive(self.http, self.terminal).await.map_err(|error| {
            let is_refused = matches!(error, LoginError::Refused { .. });
            let error = failure::login(error);
            match account.filter(|_| is_refused) {
                Some(account) => error.hint(format!(
                    "the signature is wanted from {account}: so say user.signingKey, the caller's key or waxseal.matchCommitter"
                )),
                None => error,
            }
        })?;
        Ok((obtained, clock()))
    }

    /// The outer error is for the user, the inner one says that there is no agent.
    async fn admit(
        &self,
        connection: &mut Connection,
        obtained: &Obtained,
        requested: Option<&RequestedSigner>,
    ) -> Result<Result<Found, AgentError>, CommandError> {
        let account = account(requested);
        let admission =
            self.agent_login(account.as_deref())?.admission(&obtained.token, obtained.refresh_token.as_ref());
        match connection.admit(admission).await {
            Err(AgentError::Failed(failure)) => Err(of_agent(failure)),
            admitted => {
                if let Ok(Found { not_kept: Some(why), .. }) = &admitted {
                    self.terminal.detail(format_args!("the agent alone keeps this login: {why}"));
                }
                Ok(admitted)
            }
        }
    }

    async fn agent(&self) -> Result<Connection, AgentError> {
        Connection::to_any(&Place::of_user(&self.settings.folders)?).await
    }

    /// The agent, or a warning that there is none.
    fn still(&self, agent: Result<Connection, AgentError>) -> Option<Connection> {
        agent
            .map_err(|error| {
                let notice = format!("{error}; this login is good for one signature only");
                let notice = match &error {
                    AgentError::Silent { who, .. } => format!("{notice}; {}", who.how_to_end()),
                    _ => notice,
                };
                failure::warn(&notice, self.terminal);
            })
            .ok()
    }

    /// What a login is asked for. One for an account that is demanded is that account's: it signs for nobody who demands none.
    fn agent_login<'b>(&'b self, account: Option<&'b str>) -> Result<AgentLogin<'b>, CommandError> {
        Ok(AgentLogin {
            instance: self.instance,
            certificate_authority: &self.services.certificate_authority,
            issuer: self.issuer()?,
            client_id: self.audience(),
            connector_id: self.settings.connector_id.as_deref(),
            login_hint: account.or(self.settings.login_hint.as_deref()),
            network: &self.settings.network,
            in_key_ring: self.settings.credential_store == CredentialStore::KeyRing,
        })
    }

    fn issuance<'b>(&'b self, signer: Option<&'b RequestedSigner>) -> Issuance<'b> {
        let certificate_authority = &self.services.certificate_authority;
        Issuance { instance: self.instance, certificate_authority, audience: self.audience(), signer }
    }

    fn issuer(&self) -> Result<&str, CommandError> {
        self.services.oidc_issuer.as_deref().ok_or_else(|| failure::no_issuer(&self.instance.name))
    }

    /// What the instance calls its tokens' audience is also the client's ID, unless the user says otherwise.
    fn audience(&self) -> &str {
        let chosen = self.settings.client_id.as_deref().or(self.instance.bounds.audience.as_deref());
        chosen.unwrap_or(DEFAULT_CLIENT_ID)
    }
}

impl Signature {
    /// Before anything is published: it is a signature, by whoever is demanded.
    fn check(&self, requested: Option<&RequestedSigner>) -> Result<(), CommandError> {
        let leaf = SigningCertificate::read(self.certificate.clone()).map_err(failure::bug)?;
        leaf.public_key().verify(self.attributes.message(), &self.octets).map_err(failure::bug)?;
        match requested {
            Some(signer) if !signer.is(leaf.claims().san.as_str()) => {
                Err(failure::bug(format_args!("it is by {}, and wanted from {signer}", leaf.claims().san.as_str())))
            }
            _ => Ok(()),
        }
    }
}

fn own_signature(payload: &[u8], credential: &SigningCredential, now: Timestamp) -> Result<Signature, CommandError> {
    let attributes = SignedAttributes::for_payload(payload, now).map_err(failure::bug)?;
    let octets = credential.key.sign(attributes.message());
    Ok(Signature { attributes, certificate: credential.certificate.certificate().clone(), octets, at: now })
}

fn agents_signature(payload: &[u8], signed: crate::agent::Signed) -> Result<Signature, CommandError> {
    let attributes = SignedAttributes::for_payload(payload, signed.at).map_err(failure::bug)?;
    let certificate = Certificate::from_der(&signed.certificate.0).map_err(failure::bug)?;
    Ok(Signature { attributes, certificate, octets: signed.signature.0, at: signed.at })
}

/// The account that is demanded, where it is one.
fn account(requested: Option<&RequestedSigner>) -> Option<String> {
    requested.map(ToString::to_string).filter(|account| account.contains('@') && !account.contains("://"))
}

fn no_session() -> AgentError {
    AgentError::Broken("the login that was just made is not there".to_owned())
}
