//! The way to the services of the instance that signs: proxy, authorities, each of them once, and the clock against theirs.

use std::sync::Arc;
use std::time::Duration;

use http::Request;
use http::header::DATE;
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;

use super::{Finding, Signing};
use crate::clock::CLOCK_TOLERANCE;
use crate::command_error::CommandError;
use crate::commands::trust::address;
use crate::services::http::{Http, Limits, Network, Repeat};
use crate::services::{ServiceError, ServiceName, TransparencyLog};
use crate::settings::Settings;

/// Proxy and authorities.
pub(super) fn network(settings: &Settings) -> Vec<Finding> {
    if let Err(error) = Network::new(&settings.network) {
        return vec![Finding::of_error(NETWORK, CommandError::from(error))];
    }
    let network = &settings.network;
    let mut said = Vec::new();
    if let Some(proxy) = &network.proxy {
        // Its address may hold a password.
        let but = network.no_proxy.as_ref().map(|hosts| format!(", but for {hosts}")).unwrap_or_default();
        said.push(format!("https goes through the proxy of {}{but}", proxy.variable));
    } else {
        said.push("no proxy".to_owned());
    }
    let authorities = network.ca_file.as_ref().map(|file| format!(" and those in {}", file.display()));
    said.push(format!("the system's certificate authorities{}", authorities.unwrap_or_default()));
    vec![Finding::ok(NETWORK, said.join(", "))]
}

/// Asks each service for something that costs it nothing.
pub(super) async fn findings(
    settings: &Settings,
    signing: Option<&Signing>,
    offline: bool,
    later: impl Fn() -> Timestamp,
) -> Vec<Finding> {
    let skipped = |why: &str| vec![Finding::skipped(SERVICE, why), Finding::skipped(CLOCK, why)];
    if offline {
        return skipped("not asked (--offline)");
    }
    let Some(Signing { services, source, .. }) = signing else { return skipped("no instance signs") };
    // What is wrong with it was said.
    let Ok(network) = Network::new(&settings.network) else { return skipped("the network settings cannot be used") };
    let http = Arc::new(Http::new(network).with_limits(LIMITS));
    let join = |base: &str, path: &str| format!("{}/{path}", base.trim_end_matches('/'));
    let mut asked =
        vec![(ServiceName::CertificateAuthority, join(&services.certificate_authority, "api/v2/trustBundle"))];
    let issuer = services.oidc_issuer.iter();
    asked.extend(issuer.map(|at| (ServiceName::OidcIssuer, join(at, ".well-known/openid-configuration"))));
    asked.push((
        ServiceName::TransparencyLog,
        match &services.transparency_log {
            TransparencyLog::RekorV1(at) => join(at, "api/v1/log"),
            TransparencyLog::RekorV2(at) => join(at, "api/v2/checkpoint"),
        },
    ));
    let stamps = services.timestamp_authority.iter();
    asked.extend(stamps.map(|at| (ServiceName::TimestampAuthority, join(at, "certchain"))));
    let mut unasked = None;
    if let Some(at) = source {
        match address::check("the address that trust material comes from", at) {
            Ok(()) => asked.push((ServiceName::TrustMaterial, at.clone())),
            Err(error) => unasked = Some(Finding::of_error(SERVICE, error)),
        }
    }
    let mut tasks = JoinSet::new();
    for (place, (service, address)) in asked.into_iter().enumerate() {
        let http = Arc::clone(&http);
        tasks.spawn(async move { (place, service, ask(&http, service, &address).await, address) });
    }
    let (mut answers, mut offsets) = (Vec::new(), Vec::new());
    while let Some(done) = tasks.join_next().await {
        let Ok((place, service, outcome, address)) = done else { continue };
        // What a mirror answers may be of yesterday.
        if let Ok(Answer { date: Some(date), .. }) = &outcome
            && service != ServiceName::TrustMaterial
        {
            offsets.push((later().duration_since(*date), host(&address)));
        }
        answers.push((place, reachable(service, &address, outcome)));
    }
    answers.sort_by_key(|(place, _)| *place);
    answers.into_iter().map(|(_, finding)| finding).chain(unasked).chain([clock(offsets)]).collect()
}

struct Answer {
    status: u16,
    /// The service's clock.
    date: Option<Timestamp>,
}

async fn ask(http: &Http, service: ServiceName, address: &str) -> Result<Answer, ServiceError> {
    let request = Request::get(address).body(Vec::new());
    let request = request.map_err(|error| ServiceError::garbage(service, address, error))?;
    let response = http.send(service, Repeat::UnlessSent, &request).await?;
    let date = response.headers().get(DATE).and_then(|date| http_date(date.to_str().ok()?));
    Ok(Answer { status: response.status().as_u16(), date })
}

/// RFC 9110 §5.6.7 says GMT, where RFC 5322 has a number.
fn http_date(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text.replace("GMT", "+0000")).ok()
}

fn reachable(service: ServiceName, address: &str, outcome: Result<Answer, ServiceError>) -> Finding {
    let host = host(address);
    match outcome {
        Ok(Answer { status: 200, .. }) => Finding::ok(SERVICE, format!("{service} at {host} answers")),
        Ok(Answer { status: status @ 500.., .. }) if service == ServiceName::TrustMaterial => {
            Finding::warning(SERVICE, format!("{service} at {host} is down: status {status}"), WITHOUT_TRUST_MATERIAL)
        }
        Err(error) if service == ServiceName::TrustMaterial => {
            Finding::warning(SERVICE, error.to_string(), WITHOUT_TRUST_MATERIAL)
        }
        Ok(Answer { status: status @ 500.., .. }) => Finding::problem(
            SERVICE,
            format!("{service} at {host} is down: status {status}"),
            "try later; \"git -c commit.gpgSign=false commit\" commits unsigned meanwhile",
        ),
        Ok(Answer { status, .. }) => Finding::warning(
            SERVICE,
            format!("{service} at {host} answers, but with status {status} where 200 was to be expected"),
            "is something else in its place, a captive portal say?",
        ),
        Err(error) => Finding::of_error(SERVICE, CommandError::from(error)),
    }
}

/// The local clock against the service whose clock is nearest: one of them may be wrong itself.
fn clock(offsets: Vec<(SignedDuration, String)>) -> Finding {
    let Some((offset, host)) = offsets.into_iter().min_by_key(|(offset, _)| offset.abs()) else {
        return Finding::skipped(CLOCK, "no service said what time it is");
    };
    let seconds = offset.as_secs();
    let what = match seconds {
        -1..=2 => format!("the clock agrees with that of {host}"),
        3.. => format!("the clock is {seconds} s ahead of that of {host}"),
        _ => format!("the clock is {} s behind that of {host}", seconds.unsigned_abs()),
    };
    match offset.abs() {
        far if far > CLOCK_TOLERANCE => {
            Finding::problem(CLOCK, what, "set the clock: nothing that is signed would verify")
        }
        far if far > MUCH => Finding::warning(CLOCK, what, "set the clock"),
        _ => Finding::ok(CLOCK, what),
    }
}

fn host(address: &str) -> String {
    let parsed = url::Url::parse(address).ok();
    let host = parsed.as_ref().map(|url| url.authority().to_owned());
    host.unwrap_or_else(|| address.to_owned())
}

const NETWORK: &str = "network";
const SERVICE: &str = "service";
const WITHOUT_TRUST_MATERIAL: &str = "signing and verifying go on without it; \"waxseal trust refresh\" needs it";
const CLOCK: &str = "clock";
/// A person waits.
const LIMITS: Limits =
    Limits { connect: Duration::from_secs(5), whole: Duration::from_secs(8), response_bytes: 1 << 20 };
const MUCH: SignedDuration = SignedDuration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    #[test]
    fn a_services_clock() {
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Timestamp::constant(784_111_777, 0)));
        assert_eq!(http_date("yesterday"), None);
    }

    #[test]
    fn clocks_differ() {
        for (seconds, state) in [(0, State::Ok), (-29, State::Ok), (31, State::Warning), (-301, State::Problem)] {
            let offsets = vec![
                (SignedDuration::from_secs(9999), "far.example".to_owned()),
                (SignedDuration::from_secs(seconds), "near.example".to_owned()),
            ];
            assert_eq!(clock(offsets).state(), state, "{seconds}");
        }
        assert_eq!(clock(Vec::new()).state(), State::Skipped);
    }
}
