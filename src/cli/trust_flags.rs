//! The commands and flags of `waxseal trust`.

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args, Subcommand};

/// `waxseal trust`
#[derive(Debug, PartialEq, Eq, Subcommand)]
pub enum Trust {
    /// Trust a Sigstore instance under a name
    Add(TrustAdd),
    /// Take newer trust material from a file or a folder, without network
    Import(TrustImport),
    /// List the instances that are trusted
    List,
    /// Ask for newer trust material where each instance came from
    Refresh(TrustRefresh),
    /// Show whom an instance vouches for and where it signs
    Show {
        /// The instance
        name: String,
    },
    /// Stop trusting an instance; of public-good, forget what was refreshed
    Remove {
        /// The instance
        name: String,
    },
}

/// `waxseal trust add`
#[derive(Args, Debug, PartialEq, Eq)]
#[command(group = ArgGroup::new("source").required(true).args(["url", "tuf", "trusted_root"]))]
pub struct TrustAdd {
    /// What to call it
    pub name: String,
    /// Fetch URL/trust/trusted_root.json and URL/trust/signing_config.v0.2.json (https, or loopback)
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// The digest that trusted root and signing config together must have, as `waxseal serve` prints it
    #[arg(long, value_name = "HEX", requires = "url", conflicts_with_all = ["tuf", "trusted_root"])]
    pub sha256: Option<String>,
    /// Follow the TUF repository at this address, from the root in --root on
    #[arg(long, value_name = "URL", requires = "root")]
    pub tuf: Option<String>,
    /// The TUF root that the repository is verified from: any one that you were given by somebody you trust
    #[arg(long, value_name = "FILE", requires = "tuf", conflicts_with_all = ["url", "trusted_root"])]
    pub root: Option<PathBuf>,
    /// Take the trusted root from a file
    #[arg(long, value_name = "FILE")]
    pub trusted_root: Option<PathBuf>,
    /// Take the signing config from a file; without it the instance only verifies
    #[arg(long, value_name = "FILE", requires = "trusted_root", conflicts_with_all = ["url", "tuf"])]
    pub signing_config: Option<PathBuf>,
    /// The only OIDC issuer whose identities the instance may vouch for; several may be given
    #[arg(long, value_name = "URL")]
    pub oidc_issuer: Vec<String>,
}

/// Where the documents of a new instance come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustSource<'a> {
    /// Files that the user has.
    Files {
        /// protobuf-specs `TrustedRoot`.
        trusted_root: &'a Path,
        /// protobuf-specs `SigningConfig`.
        signing_config: Option<&'a Path>,
    },
    /// A TUF repository.
    Tuf {
        /// Its address.
        url: &'a str,
        /// The root that it is verified from.
        root: &'a Path,
    },
    /// A service that publishes them.
    Url {
        /// Its address.
        url: &'a str,
        /// The digest that both together must have.
        sha256: Option<&'a str>,
    },
}

impl TrustAdd {
    /// Where the documents come from.
    #[must_use]
    pub fn source(&self) -> TrustSource<'_> {
        // The grammar demands one of the three, and a root beside --tuf.
        match (&self.url, &self.tuf, &self.trusted_root) {
            (Some(url), _, _) => TrustSource::Url { url, sha256: self.sha256.as_deref() },
            (None, Some(url), _) => TrustSource::Tuf { url, root: self.root.as_deref().unwrap_or(Path::new("")) },
            (None, None, trusted_root) => TrustSource::Files {
                trusted_root: trusted_root.as_deref().unwrap_or(Path::new("")),
                signing_config: self.signing_config.as_deref(),
            },
        }
    }
}

/// `waxseal trust refresh`
#[derive(Args, Debug, PartialEq, Eq)]
pub struct TrustRefresh {
    /// The instances; every one that has an address when none is named
    pub names: Vec<String>,
    /// Follow the TUF repository at this address from now on, for an instance that has a TUF root
    #[arg(long, value_name = "URL", requires = "names")]
    pub mirror: Option<String>,
    /// The digest that trusted root and signing config together must have, for an instance that was added with --url
    #[arg(long, value_name = "HEX", requires = "names", conflicts_with = "mirror")]
    pub sha256: Option<String>,
}

/// `waxseal trust import`
#[derive(Args, Debug, PartialEq, Eq)]
pub struct TrustImport {
    /// The instance: one that there is, or the name of a new one
    pub name: String,
    /// A trusted_root.json, or a folder with a copy of a TUF repository
    #[arg(value_name = "FILE | FOLDER")]
    pub path: PathBuf,
    /// With a folder, for a new instance: the TUF root that it is verified from
    #[arg(long, value_name = "FILE")]
    pub root: Option<PathBuf>,
    /// With a file: the signing config that belongs to it; without it the present one stays
    #[arg(long, value_name = "FILE", conflicts_with = "root")]
    pub signing_config: Option<PathBuf>,
    /// With a file, in the place of present documents: the digest that trusted root and signing config together must have
    #[arg(long, value_name = "HEX", conflicts_with = "root")]
    pub sha256: Option<String>,
}
