//! Fetches the keys of other issuers for the stack, which asks nobody itself.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::runtime::Handle;

use crate::services::http::{Http, Limits, Network, ServiceName};
use crate::stack::external_issuers::{KeyFetcher, KeysUnavailable};

/// Fetches on `runtime`, by way of `network`; to be called from threads that may block.
pub(super) fn key_fetcher(runtime: Handle, network: Network) -> KeyFetcher {
    let limits = Limits { whole: WHOLE, connect: CONNECT, ..Limits::default() };
    let http = Arc::new(Http::new(network).with_limits(limits));
    KeyFetcher::new(move |issuer_url| runtime.block_on(fetch(&http, issuer_url)))
}

/// OpenID Connect Discovery §4, then RFC 7517.
async fn fetch(http: &Http, issuer_url: &str) -> Result<Vec<u8>, KeysUnavailable> {
    #[derive(Deserialize)]
    struct Discovery {
        issuer: String,
        jwks_uri: String,
    }

    let failed = |error: &dyn std::error::Error| KeysUnavailable::Fetch(error.to_string());
    let address = format!("{}/.well-known/openid-configuration", issuer_url.trim_end_matches('/'));
    let discovery = http.get(ServiceName::OidcIssuer, &address).await.map_err(|error| failed(&error))?;
    let unusable = |why: &str| KeysUnavailable::Fetch(format!("the discovery document of {issuer_url} {why}"));
    let discovery: Discovery = serde_json::from_slice(&discovery).map_err(|_| unusable("cannot be read"))?;
    // §4.3: exactly the same, or one issuer could speak for another.
    if discovery.issuer != issuer_url {
        return Err(unusable("is that of another issuer"));
    }
    http.get(ServiceName::OidcIssuer, &discovery.jwks_uri).await.map_err(|error| failed(&error))
}

/// Someone waits for a certificate meanwhile.
const WHOLE: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(5);
