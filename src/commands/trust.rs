//! `waxseal trust`: which instances are believed. Nothing is ever trusted on first use: a digest, a file or a yes on the
//! terminal comes first.

use crate::cli::{Trust, TrustAdd, TrustSource};
use crate::command_error::{CommandError, ErrorKind};
use crate::commands::configured;
use crate::commands::stdout::print;
use crate::crypto::Sha256Digest;
use crate::escape;
use crate::instance::{Instance, InstanceBounds, InstanceName};
use crate::services::http::{Http, Network, Problem, ServiceError, ServiceName};
use crate::settings::Settings;
use crate::signing_config::Service;
use crate::terminal::{Answer, Terminal};
use crate::trust_digest::trust_digest;
use crate::trust_store::{self, Documents, Origin, TrustStore};
use crate::trusted_root::{CertificateAuthority, TransparencyLogInstance};
use crate::verify::{SctRequirement, Verifier};

/// Does what was asked of the trust store.
///
/// # Errors
/// [`CommandError`]: 1 when it failed, 2 for a bad name, 4 for unusable trust material.
pub fn run(request: &Trust, now: jiff::Timestamp) -> Result<u8, CommandError> {
    let settings = configured::settings()?;
    let store = TrustStore::new(&settings.folders);
    match request {
        Trust::Add(request) => add(&store, request, &settings, now),
        Trust::List => list(&store, &settings),
        Trust::Show { name } => show(&store, &parse_name(name)?),
        Trust::Remove { name } => {
            let name = parse_name(name)?;
            store.remove(&name)?;
            print(&format!("instance {name} is no longer trusted\n"))?;
            Ok(0)
        }
    }
}

fn add(store: &TrustStore, request: &TrustAdd, settings: &Settings, now: jiff::Timestamp) -> Result<u8, CommandError> {
    let name = parse_name(&request.name)?;
    // Before the network is asked, and before the user is.
    store.check_free(&name)?;
    let (documents, origin) = match &request.source() {
        TrustSource::Url { url, sha256 } => {
            let wanted = sha256.map(parse_digest).transpose()?;
            let documents = fetch(url, settings)?;
            let instance = check(&name, &documents, now)?;
            agree(request, url, &digest(&documents), wanted, &instance, settings)?;
            (documents, Origin::Url((*url).to_owned()))
        }
        TrustSource::Files { trusted_root, signing_config } => {
            let documents = Documents {
                trusted_root: trust_store::read(trusted_root)?,
                signing_config: signing_config.map(trust_store::read).transpose()?,
                // A signing config from a file may list Rekor v2 itself.
                rekor_v2_signing_config: None,
            };
            check(&name, &documents, now)?;
            (documents, Origin::Files)
        }
    };
    let signs = documents.signing_config.is_some();
    store.add(&name, &documents, origin)?;
    let next =
        if signs { format!("; to sign with it: git config --global waxseal.instance {name}") } else { String::new() };
    print(&format!("instance {name} is trusted{next}\n"))?;
    Ok(0)
}

/// The documents of the service at `url`; the second signing config where there is one.
fn fetch(url: &str, settings: &Settings) -> Result<Documents, CommandError> {
    let http = Http::new(Network::new(&settings.network)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| CommandError::failed(format!("no runtime for the network: {error}")))?;
    let base = url.trim_end_matches('/');
    runtime.block_on(async {
        let document = async |file: &str| http.get(ServiceName::TrustMaterial, &format!("{base}/trust/{file}")).await;
        let trusted_root = document("trusted_root.json").await?;
        let signing_config = document("signing_config.v0.2.json").await?;
        let rekor_v2_signing_config = match document("signing_config_rekor_v2.v0.2.json").await {
            Ok(document) => Some(document),
            Err(ServiceError { problem: Problem::Refused { status: 404, .. }, .. }) => None,
            Err(error) => return Err(error.into()),
        };
        Ok(Documents { trusted_root, signing_config: Some(signing_config), rekor_v2_signing_config })
    })
}

/// Refuses what could not verify anything later.
fn check(name: &InstanceName, documents: &Documents, now: jiff::Timestamp) -> Result<Instance, CommandError> {
    let instance = documents.instance(name.clone(), InstanceBounds::default()).map_err(|error| {
        CommandError::new(ErrorKind::TrustMaterial, error).hint("nothing was added; ask the instance's operator for it")
    })?;
    Verifier::new(vec![instance.clone()], now, SctRequirement::default())?;
    Ok(instance)
}

/// The digest that was demanded, or a yes on the terminal.
fn agree(
    request: &TrustAdd,
    url: &str,
    found: &Sha256Digest,
    wanted: Option<Sha256Digest>,
    instance: &Instance,
    settings: &Settings,
) -> Result<(), CommandError> {
    if let Some(wanted) = wanted {
        return if wanted == *found {
            Ok(())
        } else {
            Err(CommandError::failed(format!("the trust material at {url} has digest {found}, not {wanted}"))
                .hint("ask its operator which digest is right; nothing was added"))
        };
    }
    let terminal = if settings.may_prompt { Terminal::open() } else { Terminal::none() };
    for line in summary(instance) {
        terminal.news(line);
    }
    terminal.news(format!("digest {found}; its operator can tell you whether that is right"));
    let answer = terminal.ask(format!("trust {url} as {}?", instance.name));
    let command = format!("waxseal trust add {} --url {url} --sha256 {found}", request.name);
    match answer {
        Answer::Yes => Ok(()),
        Answer::No => Err(CommandError::failed("nothing was added")),
        Answer::NobodyThere => Err(CommandError::failed(format!(
            "nobody vouches for {url}: --sha256 was not given and nobody can be asked"
        ))
        .hint(format!("if its operator names the same digest: {command}"))),
    }
}

fn list(store: &TrustStore, settings: &Settings) -> Result<u8, CommandError> {
    let mut lines = String::new();
    let mut unreadable = 0;
    for name in store.names()? {
        let what = store.load(&name).and_then(|instance| Ok((instance.signing_config.is_some(), store.origin(&name)?)));
        let column = format!("{:<20}", name.as_str());
        let chosen = settings.instance.as_deref() == Some(name.as_str());
        let line = match what {
            Ok((_, origin)) if chosen => format!("{column} {origin}, signs"),
            Ok((true, origin)) => format!("{column} {origin}"),
            Ok((false, origin)) => format!("{column} {origin}, verifies only"),
            Err(error) => {
                unreadable += 1;
                format!("{column} {error}")
            }
        };
        lines.push_str(&escape::terminal(line));
        lines.push('\n');
    }
    print(&lines)?;
    Ok(if unreadable == 0 { 0 } else { ErrorKind::TrustMaterial.exit_code() })
}

fn show(store: &TrustStore, name: &InstanceName) -> Result<u8, CommandError> {
    let instance = store.load(name)?;
    let documents = store.documents(name)?;
    let mut lines = vec![
        format!("instance {name}, {}", store.origin(name)?),
        format!("digest {} (trusted root and signing config)", digest(&documents)),
        format!("trusted root sha256 {}", instance.trusted_root.sha256()),
    ];
    lines.extend(summary(&instance));
    let text: String = lines.iter().map(|line| escape::terminal(line) + "\n").collect();
    print(&text)?;
    Ok(0)
}

/// Whom the instance vouches for, and where it signs: a line each.
fn summary(instance: &Instance) -> Vec<String> {
    let root = &instance.trusted_root;
    let mut lines = Vec::new();
    lines.extend(
        root.certificate_authorities.iter().map(|authority| authority_line("certificate authority", authority)),
    );
    lines.extend(root.ct_logs.iter().map(|log| log_line("CT log", log)));
    lines.extend(root.transparency_logs.iter().map(|log| log_line("transparency log", log)));
    lines.extend(root.timestamp_authorities.iter().map(|authority| authority_line("timestamp authority", authority)));
    match &instance.signing_config {
        None => lines.push("verifies only: it has no signing config".to_owned()),
        Some(config) => {
            for (what, services) in [
                ("certificates from", &config.ca_urls),
                ("log in at", &config.oidc_urls),
                ("logs to", &config.rekor_tlog_urls),
                ("timestamps from", &config.tsa_urls),
            ] {
                lines.extend(services.iter().map(|service| service_line(what, service)));
            }
            let opt_in = config.opt_in_logs().iter();
            lines.extend(opt_in.map(|log| service_line("with waxseal.log = v2, logs to", log)));
        }
    }
    if let Some(issuers) = &instance.bounds.oidc_issuers {
        lines.push(format!("may vouch for identities of {} only", issuers.join(", ")));
    }
    if let Some(audience) = &instance.bounds.audience {
        lines.push(format!("takes identity tokens for the audience {audience}"));
    }
    lines
}

fn authority_line(what: &str, authority: &CertificateAuthority) -> String {
    let CertificateAuthority { organization, common_name, uri, chain, valid_for } = authority;
    let anchor = chain.last().map(|der| Sha256Digest::of(der).to_string()).unwrap_or_default();
    format!("{what} {common_name} of {organization}, {uri}, {valid_for}, anchor sha256 {anchor}")
}

fn log_line(what: &str, log: &TransparencyLogInstance) -> String {
    format!("{what} {}, {}, id {}", log.base_url, log.valid_for, log.log_id)
}

fn service_line(what: &str, service: &Service) -> String {
    let until = service.valid_for.end.map(|end| format!(" until {end}")).unwrap_or_default();
    format!("{what} {} (version {}){until}", service.url, service.major_api_version)
}

fn digest(documents: &Documents) -> Sha256Digest {
    trust_digest(&documents.trusted_root, documents.signing_config.as_deref().unwrap_or_default())
}

fn parse_name(text: &str) -> Result<InstanceName, CommandError> {
    text.parse().map_err(|error| CommandError::usage(format!("{text:?} is no instance: {error}")))
}

fn parse_digest(text: &str) -> Result<Sha256Digest, CommandError> {
    let digest = Sha256Digest::from_hex(&text.to_ascii_lowercase());
    digest.ok_or_else(|| CommandError::usage("--sha256 wants 64 hexadecimal digits"))
}
