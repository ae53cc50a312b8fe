//! `git commit -S`: the payload on stdin becomes an armored signature on stdout, then SIG_CREATED on the status fd.
//!
//! Ctrl-C needs no handler: until the whole signature is written, at the very end, nothing was begun that could be left
//! half done, and the browser runs in a process group of its own.

mod claims;
mod committer;
mod payload;
pub(super) mod public_consent;
mod sign_in;
mod signature_output;

use std::io;

use jiff::Timestamp;

use self::public_consent::{PublicConsent, Purpose};
pub(super) use self::sign_in::SignIn;
use self::sign_in::Signature;
use super::configured;
use super::failure;
use super::status_fd::{self, StatusOutput};
use crate::agent;
use crate::cli::GitSign;
use crate::cms::armor;
use crate::command_error::CommandError;
use crate::credential::RequestedSigner;
use crate::instance::Instance;
use crate::seen_checkpoints::{Before, LiveCheckpoint, SeenCheckpoints};
use crate::services::Services;
use crate::services::event_loop::EventLoop;
use crate::services::http::{Http, Network};
use crate::settings::{Folders, MatchCommitter, Settings};
use crate::sign;
use crate::signature::git;
use crate::terminal::Terminal;
use crate::trust_store::TrustStore;
use crate::trusted_root::TransparencyLogInstance;
use crate::verify::{SctRequirement, VerifiedSignature, Verifier};

/// Signs as `request` wants it. Exit code 0 only when the whole signature was written.
///
/// # Errors
/// [`CommandError`], which was then also shown on the terminal and kept in the state folder: Git before 2.40 drops what
/// a failing signer says on stderr.
pub fn run(request: &GitSign, now: Timestamp) -> Result<(), CommandError> {
    agent::keep_out_of_dumps();
    // First of all and whatever comes: Git waits until the payload is taken, and a browser must not read it.
    let payload = payload::read(&request.payload);
    let settings = configured::settings().map_err(failure::failed);
    let may_ask = settings.as_ref().map_or(true, |settings| settings.may_prompt);
    let says_why = request.verbose || settings.as_ref().is_ok_and(|settings| settings.verbose);
    let terminal = Terminal::open_if(may_ask).that_says_why(says_why);
    let state = settings.as_ref().map_or_else(|_| Folders::of_user().state, |settings| settings.folders.state.clone());
    let outcome = settings.and_then(|settings| {
        let (signing, payload) = (Signing { request, settings: &settings, terminal: &terminal }, payload?);
        signing.run(&payload, now).map_err(|error| failure::meanwhile(error, &payload))
    });
    if let Err(error) = &outcome {
        // Who wants no questions wants to know why there is no signature.
        let terminal = if may_ask { terminal } else { Terminal::open_if(true) };
        failure::tell(error, &terminal, state.as_deref(), now);
    }
    outcome
}

struct Signing<'a> {
    request: &'a GitSign,
    settings: &'a Settings,
    terminal: &'a Terminal,
}

/// A finished signature, before anybody has seen it.
struct Signed {
    der: Vec<u8>,
    armor: String,
    at: Timestamp,
    /// The log's word for its own size, from its answer.
    checkpoint: Option<String>,
    /// What was known of logs before it was asked.
    before: Before,
}

impl Signing<'_> {
    fn run(&self, payload: &[u8], now: Timestamp) -> Result<(), CommandError> {
        payload::check(payload)?;
        let output = signature_output::Output::open(self.request.output.as_deref())?;
        let mut status = StatusOutput::open(self.request.status_fd).map_err(status_unwritten)?;
        let (instance, trusted) = instances(self.settings, now).map_err(failure::failed)?;
        let config = instance.signing_config.as_ref().ok_or_else(|| failure::no_signing_config(&instance.name))?;
        let services = Services::select(config, self.settings.log, self.settings.timestamp, now)
            .map_err(|error| failure::no_service(&instance.name, error))?;
        let http = Http::new(Network::new(&self.settings.network).map_err(failure::failed)?);
        let consent = PublicConsent::new(&instance, self.settings, self.terminal, Purpose::Signature)?;
        // Before Git 2.36 SIG_CREATED must not be the first line. The digest is SHA-256, number 8 of RFC 4880 §9.4.
        status.write("[GNUPG:] BEGIN_SIGNING H8\n").map_err(status_unwritten)?;
        let event_loop = EventLoop::new().map_err(CommandError::no_event_loop)?;
        let signing = async {
            let signed = self.sign(payload, &instance, &http, &services, &consent, now).await?;
            let (verified, log) = self_check(payload, &signed, trusted, &services)?;
            self.watch_log(&signed, log, &http, &services).await?;
            Ok::<_, CommandError>((signed, verified))
        };
        let (signed, verified) = event_loop.run(async {
            tokio::select! {
                outcome = signing => outcome,
                () = self.nobody_reads() => Err(nobody_wants_it()),
            }
        })?;
        output.write(if self.request.armor { signed.armor.as_bytes() } else { &signed.der })?;
        // A detached signature (D) by ECDSA (19) with SHA-256 (8) and class 00.
        let fingerprint = verified.sha1_fingerprint();
        let created = format!("[GNUPG:] SIG_CREATED D 19 8 00 {} {fingerprint}\n", signed.at.as_second());
        status.write(&created).map_err(status_unwritten)?;
        self.terminal.news(format_args!(
            "signed as {} via {}, log index {}",
            verified.san(),
            verified.issuer(),
            verified.log_index()
        ));
        let notices = [
            committer::difference(payload, verified.san(), self.settings.match_committer),
            payload::beyond_verify(payload),
        ];
        notices.iter().flatten().for_each(|notice| failure::warn(notice, self.terminal));
        Ok(())
    }

    /// Ends when whoever wanted the signature cannot read it any more: Git was killed, and a login would go on for nobody,
    /// with others waiting for it.
    async fn nobody_reads(&self) {
        match &self.request.output {
            Some(_) => std::future::pending().await,
            None => signature_output::nobody_reads().await,
        }
    }

    /// Who must be signing: whom the caller names, and the committer where that was chosen.
    fn requested(&self, payload: &[u8]) -> Result<Option<RequestedSigner>, CommandError> {
        let key = self.request.local_user.as_ref().map(|key| key.as_encoded_bytes()).unwrap_or_default();
        let by_key = RequestedSigner::new(key, payload::people(payload));
        match self.settings.match_committer {
            MatchCommitter::Warn => Ok(by_key),
            MatchCommitter::Require => committer::required(payload, by_key.as_ref()).map(Some),
        }
    }

    async fn sign(
        &self,
        payload: &[u8],
        instance: &Instance,
        http: &Http,
        services: &Services,
        consent: &PublicConsent<'_>,
        now: Timestamp,
    ) -> Result<Signed, CommandError> {
        let sign_in = SignIn { settings: self.settings, terminal: self.terminal, instance, services, http, consent };
        let requested = self.requested(payload)?;
        let Signature { attributes, certificate, octets, at } = sign_in.sign(payload, requested.as_ref(), now).await?;
        let before = SeenCheckpoints::new(&self.settings.folders).before_request();
        let material = sign::record(attributes.message(), octets, certificate, http, services).await;
        let material = material.map_err(failure::service)?;
        let entry = material.log_entry.as_ref();
        let (certificate, tokens) = (&material.certificate, &material.timestamps);
        let der = git::seal(&attributes, certificate, &material.signature, entry, tokens).map_err(failure::bug)?;
        let proof = entry.and_then(|entry| entry.inclusion_proof.as_ref());
        let checkpoint = proof.map(|proof| proof.checkpoint.clone());
        Ok(Signed { armor: armor::encode(&der), der, at, checkpoint, before })
    }

    /// Holds the log's answer against what it said before. Who shows two histories proves nothing with either.
    async fn watch_log(
        &self,
        signed: &Signed,
        log: Option<TransparencyLogInstance>,
        http: &Http,
        services: &Services,
    ) -> Result<(), CommandError> {
        let (Some(log), Some(checkpoint)) = (log, &signed.checkpoint) else { return Ok(()) };
        let service = &services.transparency_log;
        let answer = LiveCheckpoint { log: &log, service, envelope: checkpoint, at: signed.at };
        let seen = SeenCheckpoints::new(&self.settings.folders);
        let observed = seen.observe(http, &answer, &signed.before).await.map_err(failure::of_log)?;
        if let Some(notice) = observed.notice() {
            failure::warn(&notice, self.terminal);
        }
        Ok(())
    }
}

/// The same verifier that Git will call passes the signature, or nobody gets to see it. Gives the log that holds it, too.
fn self_check(
    payload: &[u8],
    signed: &Signed,
    trusted: Vec<Instance>,
    services: &Services,
) -> Result<(VerifiedSignature, Option<TransparencyLogInstance>), CommandError> {
    let verifier = Verifier::new(trusted, signed.at, SctRequirement::default()).map_err(failure::failed)?;
    let verified = failure::of_self_check(verifier.verdict(payload, signed.armor.as_bytes()), services)?;
    let mut logs = verifier.instances().flat_map(|instance| &instance.trusted_root.transparency_logs);
    let log = logs.find(|log| log.log_id == verified.log_id()).cloned();
    Ok((verified, log))
}

/// The instance that signs, and those that Git's verification will trust, which must include it.
///
/// # Errors
/// [`CommandError`], too when one of them is older than the user allows.
pub(super) fn instances(settings: &Settings, now: Timestamp) -> Result<(Instance, Vec<Instance>), CommandError> {
    let store = TrustStore::new(&settings.folders);
    let instance = store.signing(settings)?.ok_or_else(|| failure::no_instance(&settings.gitsign))?;
    // Git's own verification would not judge by older ones either.
    let demanded = settings.max_trust_age.map(|max| (max, now));
    let trusted = store.trusted_lately(settings, demanded)?;
    if !trusted.iter().any(|trusted| trusted.name == instance.name) {
        return Err(failure::not_trusted(&instance.name));
    }
    Ok((instance, trusted))
}

fn nobody_wants_it() -> CommandError {
    CommandError::failed("whoever wanted the signature has gone")
}

fn status_unwritten(error: io::Error) -> CommandError {
    CommandError::failed(format_args!("the status lines cannot be written: {error}")).hint(status_fd::HINT)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a login or an answer takes minutes where a person has to type, and an agent lives for hours"
)]
pub(super) fn clock() -> Timestamp {
    Timestamp::now()
}
