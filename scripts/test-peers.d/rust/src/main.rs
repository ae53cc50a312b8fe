//! Other people's crates as clients of a Sigstore. Of waxseal there is nothing in it.
//!
//! ```text
//! peers sign SIGNING_CONFIG FILE BUNDLE               signs; the token is in SIGSTORE_ID_TOKEN; a statement if FILE ends in .json
//! peers verify TRUSTED_ROOT FILE BUNDLE IDENTITY ISSUER
//! peers tuf URL TUF_ROOT CACHE TRUSTED_ROOT           fetches, and holds what came against a file
//! peers tough URL TUF_ROOT TRUSTED_ROOT              the same by another client
//! peers log LOG KEY HEADS [ACKNOWLEDGED]              reads C2SP tlog-tiles below LOG, an address or a folder
//! ```

mod log;

use std::error::Error;
use std::fs;

use sigstore_oidc::IdentityToken;
use sigstore_sign::{SigningContext, SigningServices};
use sigstore_trust_root::tuf::{TufBootstrap, TufConfig};
use sigstore_trust_root::{SigningConfig, TrustedRoot};
use sigstore_verify::types::Bundle;
use sigstore_verify::{VerificationPolicy, Verifier};
use tough::{IntoVec as _, RepositoryLoader, TargetName};
use url::Url;

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["sign", config, file, bundle] => runtime.block_on(sign(config, file, bundle)),
        ["verify", root, file, bundle, identity, issuer] => verify(root, file, bundle, identity, issuer),
        ["tuf", url, root, cache, expected] => runtime.block_on(tuf(url, root, cache, expected)),
        ["tough", url, root, expected] => runtime.block_on(tough(url, root, expected)),
        ["log", log, key, heads] => log::check(&runtime, log, key, heads, None),
        ["log", log, key, heads, acknowledged] => log::check(&runtime, log, key, heads, Some(acknowledged)),
        _ => Err("usage: peers sign|verify|tuf|tough|log …".into()),
    }
}

async fn sign(config: &str, file: &str, bundle: &str) -> Outcome {
    let config = SigningConfig::from_json(&fs::read_to_string(config)?)?;
    let context = SigningContext::new(SigningServices::from_signing_config(&config)?);
    let signer = context.signer(IdentityToken::from_jwt(&std::env::var("SIGSTORE_ID_TOKEN")?)?);
    let content = fs::read(file)?;
    let signed = if file.ends_with(".json") {
        signer.sign_raw_statement(&content).await?
    } else {
        signer.sign(content.as_slice()).await?
    };
    fs::write(bundle, signed.to_json()?)?;
    Ok(())
}

fn verify(root: &str, file: &str, bundle: &str, identity: &str, issuer: &str) -> Outcome {
    let root = TrustedRoot::from_json(&fs::read_to_string(root)?)?;
    let bundle = Bundle::from_json(&fs::read_to_string(bundle)?)?;
    let policy = VerificationPolicy::new(identity, issuer);
    let result = Verifier::new(&root)?.verify(fs::read(file)?.as_slice(), &bundle, &policy)?;
    println!("{:?}", result.identity());
    Ok(())
}

async fn tuf(url: &str, root: &str, cache: &str, expected: &str) -> Outcome {
    let config = TufConfig::custom(url, TufBootstrap::trusted(fs::read(root)?)).with_cache_dir(cache.into());
    let fetched = TrustedRoot::from_tuf(config.clone()).await?;
    SigningServices::from_signing_config(&SigningConfig::from_tuf(config).await?)?;
    let expected = TrustedRoot::from_json(&fs::read_to_string(expected)?)?;
    let same = serde_json::to_value(&fetched)? == serde_json::to_value(&expected)?;
    if same { Ok(()) } else { Err("another trusted root came".into()) }
}

async fn tough(url: &str, root: &str, expected: &str) -> Outcome {
    let (metadata, targets) = (Url::parse(&format!("{url}/"))?, Url::parse(&format!("{url}/targets/"))?);
    let root = fs::read(root)?;
    let repository = RepositoryLoader::new(&root, metadata, targets).load().await?;
    for name in repository.targets().signed.targets.keys() {
        repository.read_target(name).await?.ok_or("a target that is listed and not there")?.into_vec().await?;
    }
    let fetched = repository.read_target(&TargetName::new("trusted_root.json")?).await?;
    let fetched = fetched.ok_or("no trusted root")?.into_vec().await?;
    if fetched == fs::read(expected)? { Ok(()) } else { Err("another trusted root came".into()) }
}
