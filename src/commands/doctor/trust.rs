//! The instances: the one that signs, and for each that is trusted whether it can be read, is valid, and how old it is.

use jiff::{SignedDuration, Timestamp};

use super::{Finding, Signing};
use crate::command_error::CommandError;
use crate::instance::InstanceName;
use crate::services::Services;
use crate::settings::Settings;
use crate::trust_age::TrustAge;
use crate::trust_store::{Origin, PUBLIC_GOOD_MIRROR, TrustStore};
use crate::verify::{SctRequirement, Verifier};

/// The instance that signs, if it can.
pub(super) fn signing(settings: &Settings, now: Timestamp) -> (Option<Signing>, Vec<Finding>) {
    match find_signing(settings, now) {
        Ok(signing) => {
            let what = format!("{} signs", signing.instance.name);
            (Some(signing), vec![Finding::ok(INSTANCE, what)])
        }
        Err(finding) => (None, vec![finding]),
    }
}

fn find_signing(settings: &Settings, now: Timestamp) -> Result<Signing, Finding> {
    let instance = TrustStore::new(&settings.folders).signing(settings);
    let instance = instance.map_err(|error| Finding::of_error(INSTANCE, error))?.ok_or_else(|| {
        Finding::warning(INSTANCE, "none is chosen to sign with", "\"waxseal setup --instance NAME\" chooses one")
    })?;
    let name = &instance.name;
    if settings.trust.as_ref().is_some_and(|trust| !trust.iter().any(|other| other == name.as_str())) {
        return Err(Finding::problem(
            INSTANCE,
            format!("waxseal.trust does not list {name}, so what it signs would not verify"),
            format!("\"git config --global --add waxseal.trust {name}\" trusts it"),
        ));
    }
    let Some(config) = &instance.signing_config else {
        return Err(Finding::problem(
            INSTANCE,
            format!("{name} has no signing config, so it can only verify"),
            "add it again under another name with --url, or with --signing-config",
        ));
    };
    let services = Services::select(config, settings.log, settings.timestamp, now).map_err(|error| {
        let fix = "waxseal.log and waxseal.timestamp must fit what the instance offers (\"waxseal trust show\")";
        Finding::problem(INSTANCE, format!("cannot sign at {name}: {error}"), fix)
    })?;
    Ok(Signing { services, source: source(settings, name), instance })
}

/// The document that a refresh begins with.
fn source(settings: &Settings, name: &InstanceName) -> Option<String> {
    let stored = TrustStore::new(&settings.folders).stored(name).ok()?;
    let (address, document) = match stored.origin() {
        Origin::BuiltIn => (PUBLIC_GOOD_MIRROR, "timestamp.json"),
        Origin::Files | Origin::Tuf(None) => return None,
        Origin::Tuf(Some(mirror)) => (mirror.as_str(), "timestamp.json"),
        Origin::Url(url) => (url.as_str(), "trust/trusted_root.json"),
    };
    Some(format!("{}/{document}", address.trim_end_matches('/')))
}

/// One finding an instance.
pub(super) fn findings(settings: &Settings, now: Timestamp) -> Vec<Finding> {
    let store = TrustStore::new(&settings.folders);
    let names: Result<Vec<InstanceName>, CommandError> = match &settings.trust {
        Some(names) => names
            .iter()
            .map(|name| {
                name.parse().map_err(|error| CommandError::usage(format!("waxseal.trust: \"{name}\": {error}")))
            })
            .collect(),
        None => store.names().map_err(CommandError::from),
    };
    let mut findings = match names {
        Ok(names) => names.iter().map(|name| one(&store, name, settings, now)).collect(),
        Err(error) => vec![Finding::of_error(TRUST, error)],
    };
    let strays = store.strays();
    findings.extend(strays.iter().map(|stray| Finding::warning(TRUST, stray.to_string(), "remove it")));
    findings
}

fn one(store: &TrustStore, name: &InstanceName, settings: &Settings, now: Timestamp) -> Finding {
    let found = store.stored_with_tuf(name).and_then(|found| Ok((found.0.instance()?, found)));
    let (instance, (stored, tuf)) = match found {
        Ok(found) => found,
        Err(error) => return Finding::of_error(TRUST, error),
    };
    let in_use = {
        let root = &instance.trusted_root;
        let authority = root.certificate_authorities.iter().any(|authority| authority.valid_for.contains(now));
        let log = root.transparency_logs.iter().any(|log| log.valid_for.contains(now));
        authority && log
    };
    let (origin, refreshed) = (stored.origin().clone(), stored.refreshed());
    let age = refreshed.map(|refreshed| TrustAge { refreshed, now });
    let what = format!("{name}, {}{}", stored.source(), age.map(|age| format!(", {age}")).unwrap_or_default());
    let refresh = match origin {
        Origin::Files | Origin::Tuf(None) => format!("\"waxseal trust import {name}\" takes newer files"),
        Origin::BuiltIn | Origin::Tuf(Some(_)) | Origin::Url(_) => {
            format!("\"waxseal trust refresh {name}\" asks for newer")
        }
    };
    if let Some(max) = settings.max_trust_age
        && let Err(error) = stored.demand_fresh(max, now)
    {
        return Finding::of_error(TRUST, error);
    }
    if let Err(error) = Verifier::new(vec![instance], now, SctRequirement::default()) {
        return Finding::of_error(TRUST, error);
    }
    if !in_use {
        return Finding::warning(TRUST, format!("{what}: no authority or no log of it is in use now"), refresh);
    }
    if let Some(expired) = tuf.expires().filter(|expires| *expires < now) {
        return Finding::warning(TRUST, format!("{what}: its TUF metadata was valid until {expired}"), refresh);
    }
    match refreshed {
        Some(refreshed) if now.duration_since(refreshed) > OLD => Finding::warning(TRUST, what, refresh),
        _ => Finding::ok(TRUST, what),
    }
}

const INSTANCE: &str = "instance";
const TRUST: &str = "trust";
/// Sigstore announces new keys months before they are used.
const OLD: SignedDuration = SignedDuration::from_hours(24 * 180);
