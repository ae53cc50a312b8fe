//! Paths under the public URL. The authority is at the root: sigstore-python replaces the whole path of its address.

pub(super) const CT_LOG: &str = "/ct";
pub(super) const OIDC: &str = "/oidc";
pub(super) const REKOR: &str = "/rekor";
pub(super) const TIMESTAMPS: &str = "/tsa";
pub(super) const TUF: &str = "/tuf";
pub(super) const REKOR_V2: &str = "/rekor2";
