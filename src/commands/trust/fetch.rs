//! Documents over the network: those that a service publishes, and those that a TUF repository signs.

use super::Run;
use crate::command_error::CommandError;
use crate::services::event_loop::EventLoop;
use crate::services::http::{Http, Network, Problem, ServiceError, ServiceName};
use crate::trust_store::Documents;
use crate::trust_store::tuf::{self, Followed, Source, TufState};

impl Run {
    /// The documents of the service at `url`; the second signing config where there is one.
    pub(super) fn documents_at(&self, url: &str) -> Result<Documents, CommandError> {
        let http = self.http()?;
        let base = url.trim_end_matches('/');
        let name = ServiceName::TrustMaterial;
        wait(async {
            let document = async |file: &str| http.get(name, &format!("{base}/trust/{file}")).await;
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

    /// What the TUF repository at `url` signs today.
    pub(super) fn follow(&self, url: &str, state: TufState) -> Result<Followed, CommandError> {
        self.follow_source(Source::Web { http: Box::new(self.http()?), address: url.to_owned() }, state)
    }

    /// The same from anywhere.
    pub(super) fn follow_source(&self, source: Source, state: TufState) -> Result<Followed, CommandError> {
        wait(async { Ok(tuf::follow(source, state, self.now).await?) })
    }

    fn http(&self) -> Result<Http, CommandError> {
        Ok(Http::new(Network::new(&self.settings.network)?))
    }
}

fn wait<T>(work: impl Future<Output = Result<T, CommandError>>) -> Result<T, CommandError> {
    EventLoop::new().map_err(CommandError::no_event_loop)?.run(work)
}
