//! Virtual machines of Google's: their metadata server makes tokens for the machine's service account, or lets it act for
//! another one.

use http::{HeaderValue, Method, Request, StatusCode};
use serde_json::{Value, json};
use std::io::Read as _;
use url::Url;

use super::{AmbientProblem, Job, Places};
use crate::address;
use crate::identity_token::IdentityToken;
use crate::services::ServiceError;
use crate::services::http::{Http, Repeat, ServiceName};
use crate::settings::{CiVariables, Secret};

/// What the firmware calls itself; nobody is asked over the network.
pub(super) fn is_there(ci: &CiVariables, places: &Places) -> bool {
    let named = || {
        let mut name = String::new();
        let file = std::fs::File::open(&places.product_name).ok()?;
        file.take(MAX_NAME_BYTES).read_to_string(&mut name).ok()?;
        PRODUCT_NAMES.contains(&name.trim()).then_some(())
    };
    !ci.not_google && (ci.google_metadata_host.is_some() || named().is_some())
}

impl Job<'_> {
    pub(super) async fn google_cloud(&self) -> Result<IdentityToken, AmbientProblem> {
        let Some(account) = &self.ci.google_service_account else {
            let query = [("audience", self.audience), ("format", "full")];
            let token = self.metadata("identity", &query).await?;
            let token = String::from_utf8(token).map_err(|_| self.no_text("identity"))?;
            return Ok(IdentityToken::parse(token.trim().to_owned())?);
        };
        let own = self.metadata("token", &[]).await?;
        let own: Option<Value> = serde_json::from_slice(&own).ok();
        let own = own.as_ref().and_then(|own| own.get("access_token")).and_then(Value::as_str);
        let own = Secret::new(own.ok_or_else(|| self.no_text("token"))?.to_owned());
        let mut address = Url::parse(&self.places.google_impersonation)
            .map_err(|_| self.bad_address(&self.places.google_impersonation))?;
        match address.path_segments_mut() {
            Ok(mut path) => drop(path.pop_if_empty().push(&format!("{account}:generateIdToken"))),
            Err(()) => return Err(self.bad_address(&self.places.google_impersonation)),
        }
        let wish = json!({ "audience": self.audience, "includeEmail": true });
        let body = self.ask(Method::POST, address.as_str(), Some(("Bearer", &own)), Some(wish)).await?;
        self.member(address.as_str(), &body, "token")
    }

    /// What the metadata server says of the machine's account.
    async fn metadata(&self, what: &str, query: &[(&str, &str)]) -> Result<Vec<u8>, AmbientProblem> {
        let address = self.metadata_address(what);
        let mut with_query = Url::parse(&address).map_err(|_| self.bad_address(&address))?;
        if !address::is_plain(&address) {
            return Err(self.bad_address(&address::without_secrets(&address)));
        }
        if !query.is_empty() {
            with_query.query_pairs_mut().extend_pairs(query);
        }
        let request = Request::builder().uri(with_query.as_str()).header(FLAVOR, GOOGLE).body(Vec::new());
        let request = request.map_err(|_| self.bad_address(&address))?;
        let http: &Http = self.http;
        let response = http.send(ServiceName::MetadataServer, Repeat::Always, &request).await?;
        let genuine = response.headers().get(FLAVOR) == Some(&HeaderValue::from_static(GOOGLE));
        match response.status() {
            _ if !genuine => Err(self.not_googles(&address).into()),
            StatusCode::OK => Ok(response.into_body()),
            StatusCode::NOT_FOUND => Err(AmbientProblem::NoAccount),
            _ => Err(ServiceError::refused(ServiceName::MetadataServer, &address, &response).into()),
        }
    }

    fn metadata_address(&self, what: &str) -> String {
        let host = self.ci.google_metadata_host.as_deref().unwrap_or(METADATA_HOST);
        format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/{what}")
    }

    fn no_text(&self, what: &str) -> AmbientProblem {
        ServiceError::garbage(ServiceName::MetadataServer, &self.metadata_address(what), "it holds no token").into()
    }

    fn not_googles(&self, address: &str) -> ServiceError {
        ServiceError::garbage(ServiceName::MetadataServer, address, "it does not say that it is Google's")
    }
}

/// As sigstore-python has them.
const PRODUCT_NAMES: [&str; 2] = ["Google", "Google Compute Engine"];
const MAX_NAME_BYTES: u64 = 128;
const METADATA_HOST: &str = "metadata.google.internal";
const FLAVOR: &str = "metadata-flavor";
const GOOGLE: &str = "Google";
