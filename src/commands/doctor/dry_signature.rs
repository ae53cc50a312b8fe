//! A signature from end to end, with a Sigstore of its own in this process: what fails here fails without any network, and
//! nothing of it is left.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{Request, StatusCode};
use jiff::Timestamp;
use tokio::sync::mpsc;
use url::Url;
use url::form_urlencoded::Serializer;

use super::Finding;
use crate::cms::armor;
use crate::cms::attributes::SignedAttributes;
use crate::command_error::CommandError;
use crate::credential::{Issuance, SigningCredential};
use crate::crypto::{Sha256Digest, random_bytes};
use crate::identity_token::IdentityToken;
use crate::instance::{Instance, InstanceBounds, InstanceName};
use crate::services::event_loop::EventLoop;
use crate::services::http::{Http, Limits, Repeat};
use crate::services::{ServiceName, Services};
use crate::settings::{DEFAULT_CLIENT_ID, LogChoice, TimestampChoice};
use crate::sign;
use crate::signature::git;
use crate::stack::public_url::{BadPublicUrl, PublicUrl};
use crate::stack::server::{Listener, ServerOptions, serve_until};
use crate::stack::{Stack, StackOptions};
use crate::trust_store::Documents;
use crate::verify::{SctRequirement, Verdict, Verifier};

/// Signs, verifies, and sees that what was changed afterwards is refused.
pub(super) fn finding(event_loop: &EventLoop, later: impl Fn() -> Timestamp) -> Finding {
    let outcome = event_loop.run(async { tokio::time::timeout(WAIT, in_own_stack(&later)).await });
    match outcome {
        Ok(Ok(())) => Finding::ok(
            CHECK,
            "a commit was signed, logged, stamped and verified with a Sigstore inside this process, and a forged one refused",
        ),
        Ok(Err(error)) => Finding::problem(CHECK, error.message(), FIX),
        Err(_elapsed) => Finding::problem(CHECK, format!("no signature within {} seconds", WAIT.as_secs()), FIX),
    }
}

async fn in_own_stack(later: &impl Fn() -> Timestamp) -> Result<(), CommandError> {
    let folder = tempfile::tempdir().map_err(|error| failed("no temporary folder", error))?;
    let listener = Listener::tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await;
    let listener = listener.map_err(|error| failed("no port on the loopback address", error))?;
    let bound = listener.address().ok_or_else(|| CommandError::failed("no port on the loopback address"))?;
    let url: PublicUrl =
        format!("http://{bound}").parse().map_err(|error: BadPublicUrl| CommandError::failed(error))?;
    let options = StackOptions { auto_login: vec![SIGNER.to_owned()], ..StackOptions::default() };
    let stack = Stack::open(&folder.path().join("sigstore"), &url, options, later())?;
    let (stop, commands) = mpsc::channel(1);
    let client = async {
        let outcome = sign_and_verify(&url, later).await;
        // The end of the channel ends the server.
        drop(stop);
        outcome
    };
    let server = serve_until(stack, listener, ServerOptions::new(|_line| ()), commands);
    tokio::join!(client, server).0
}

async fn sign_and_verify(url: &PublicUrl, later: &impl Fn() -> Timestamp) -> Result<(), CommandError> {
    let http = Http::default().with_limits(Limits { whole: WAIT, ..Limits::default() });
    let instance = instance(&http, url).await?;
    let config = instance.signing_config.as_ref().ok_or_else(|| CommandError::failed("there is no signing config"))?;
    let services = Services::select(config, LogChoice::Auto, TimestampChoice::Always, later());
    let services = services.map_err(CommandError::failed)?;
    let issuer = services.oidc_issuer.as_deref().ok_or_else(|| CommandError::failed("there is no issuer"))?;
    let token = login(&http, issuer).await?;
    let now = later();
    let certificate_authority = &services.certificate_authority;
    let issuance = Issuance { instance: &instance, certificate_authority, audience: DEFAULT_CLIENT_ID, signer: None };
    let SigningCredential { key, certificate } =
        issuance.issue(&http, &token, now).await.map_err(CommandError::failed)?;
    let attributes = SignedAttributes::for_payload(PAYLOAD, now).map_err(CommandError::failed)?;
    let signature = key.sign(attributes.message());
    let material =
        sign::record(attributes.message(), signature, certificate.certificate().clone(), &http, &services).await?;
    let entry = material.log_entry.as_ref();
    let sealed = git::seal(&attributes, &material.certificate, &material.signature, entry, &material.timestamps);
    let armor = armor::encode(&sealed.map_err(CommandError::failed)?);
    let verifier = Verifier::new(vec![instance], later(), SctRequirement::default())?;
    match verifier.verdict(PAYLOAD, armor.as_bytes()) {
        Verdict::Verified(signature) if signature.san().to_string() == SIGNER => {}
        Verdict::Verified(signature) => {
            return Err(CommandError::failed(format_args!("it is signed as {} instead of {SIGNER}", signature.san())));
        }
        Verdict::Rejected(rejection) => {
            return Err(CommandError::failed(format_args!("it was rejected: {}", rejection.error())));
        }
        Verdict::Undecided(undecided) => {
            return Err(CommandError::failed(format_args!("it is undecided: {}", undecided.missing())));
        }
        Verdict::Unsigned | Verdict::OtherFormat(_) | Verdict::VerifiedByKey(_) => {
            return Err(CommandError::failed("what was signed is unsigned"));
        }
    }
    match verifier.verdict(FORGED, armor.as_bytes()) {
        Verdict::Rejected(rejection) if rejection.payload_alone().is_some() => Ok(()),
        _ => Err(CommandError::failed("a forged commit was not refused")),
    }
}

async fn instance(http: &Http, url: &PublicUrl) -> Result<Instance, CommandError> {
    let document = async |name: &str| http.get(ServiceName::TrustMaterial, &url.join(&format!("/trust/{name}"))).await;
    let documents = Documents {
        trusted_root: document("trusted_root.json").await?,
        signing_config: Some(document("signing_config.v0.2.json").await?),
        rekor_v2_signing_config: None,
    };
    Ok(documents.instance(InstanceName::file(), InstanceBounds::default())?)
}

/// The authorization code flow, without a browser between.
async fn login(http: &Http, issuer: &str) -> Result<IdentityToken, CommandError> {
    let unusable = |what: &str| CommandError::failed(format_args!("the login of the stack inside: {what}"));
    let verifier = URL_SAFE_NO_PAD.encode(random_bytes::<32>());
    let challenge = URL_SAFE_NO_PAD.encode(Sha256Digest::of(verifier.as_bytes()));
    let query = Serializer::new(String::new())
        .extend_pairs([("client_id", DEFAULT_CLIENT_ID), ("response_type", "code"), ("scope", "openid email")])
        .extend_pairs([("redirect_uri", REDIRECT), ("state", "dry"), ("nonce", "dry"), ("login_hint", SIGNER)])
        .extend_pairs([("code_challenge", challenge.as_str()), ("code_challenge_method", "S256")])
        .finish();
    let request = Request::get(format!("{issuer}/auth?{query}")).body(Vec::new());
    let request = request.map_err(CommandError::failed)?;
    let answer = http.send(ServiceName::OidcIssuer, Repeat::UnlessSent, &request).await?;
    let location = answer.headers().get(LOCATION).and_then(|to| to.to_str().ok()).and_then(|to| Url::parse(to).ok());
    let location = location.ok_or_else(|| unusable(answer.status().as_str()))?;
    let code = location.query_pairs().find(|(name, _)| name == "code").map(|(_, code)| code.into_owned());
    let form = Serializer::new(String::new())
        .extend_pairs([("grant_type", "authorization_code"), ("client_id", DEFAULT_CLIENT_ID)])
        .extend_pairs([("code", code.ok_or_else(|| unusable("no code"))?.as_str()), ("redirect_uri", REDIRECT)])
        .append_pair("code_verifier", &verifier)
        .finish();
    let request = Request::post(format!("{issuer}/token"))
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(form.into_bytes())
        .map_err(CommandError::failed)?;
    let answer = http.send(ServiceName::OidcIssuer, Repeat::UnlessSent, &request).await?;
    if answer.status() != StatusCode::OK {
        return Err(unusable(answer.status().as_str()));
    }
    let answer: serde_json::Value = serde_json::from_slice(answer.body()).map_err(CommandError::failed)?;
    let token = answer.get("id_token").and_then(serde_json::Value::as_str);
    let token = token.ok_or_else(|| unusable("no identity token"))?;
    IdentityToken::parse(token.to_owned()).map_err(CommandError::failed)
}

fn failed(what: &str, error: std::io::Error) -> CommandError {
    CommandError::failed(format_args!("{what}: {error}"))
}

const CHECK: &str = "dry-signature";
const FIX: &str = "the temporary folder must be writable and 127.0.0.1 open; if they are, this is a bug in waxseal";
const SIGNER: &str = "doctor@example.invalid";
/// Nobody listens there: the code is read from the address.
const REDIRECT: &str = "http://localhost/auth/callback";
const PAYLOAD: &[u8] = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\
author Doctor <doctor@example.invalid> 0 +0000\n\
committer Doctor <doctor@example.invalid> 0 +0000\n\nA dry signature\n";
const FORGED: &[u8] = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\
author Doctor <doctor@example.invalid> 0 +0000\n\
committer Doctor <doctor@example.invalid> 0 +0000\n\nA forged signature\n";
/// Keys are made and logs opened: a second, and more on a busy machine.
const WAIT: Duration = Duration::from_secs(20);
