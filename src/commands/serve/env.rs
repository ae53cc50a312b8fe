//! `waxseal serve env`: what another program must be told to use the stack, as lines for a shell.
//!
//! Settings are `export` lines, so that `eval` takes them; what has no variable is a command in a comment.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::cli::{Client, ServeEnv};
use crate::command_error::CommandError;
use crate::commands::stdout;
use crate::stack::Stack;
use crate::tlog::hashedrekord::{Verifier, pem};
use crate::trusted_root::{TransparencyLogInstance, TrustedRoot};

/// Writes the files that the program wants, and prints the lines. The stack may be running.
pub(super) fn run(request: &ServeEnv) -> Result<(), CommandError> {
    let url = Stack::made_for(&request.data)?.to_string();
    let folder = request.files.clone().unwrap_or_else(|| request.data.join("clients"));
    let folder = std::path::absolute(&folder).unwrap_or(folder);
    fs::create_dir_all(&folder).map_err(|error| failed(&folder, &error))?;
    let files = Files { data: &request.data, folder };
    let lines = match request.client {
        Client::Cosign => cosign(&files, &url)?,
        Client::Gitsign => gitsign(&files, &url)?,
        Client::SigstoreJs => sigstore_js(&files, &url)?,
        Client::SigstorePython => sigstore_python(&files, &url)?,
    };
    stdout::print(&lines)
}

fn cosign(files: &Files<'_>, url: &str) -> Result<String, CommandError> {
    let trusted_root = files.copy("trust/trusted_root.json", "trusted_root.json")?;
    let signing_config = files.copy("trust/signing_config.v0.2.json", "signing_config.v0.2.json")?;
    let root = files.copy("tuf/1.root.json", "1.root.json")?;
    Ok(format!(
        "# cosign 3 takes files; the identity's issuer is {url}/oidc\n\
         # cosign sign-blob --trusted-root {trusted_root} --signing-config {signing_config} --bundle FILE.bundle FILE\n\
         # cosign verify-blob --trusted-root {trusted_root} --bundle FILE.bundle --certificate-identity WHO \
         --certificate-oidc-issuer {url}/oidc FILE\n\
         # or, once: cosign initialize --mirror {url}/tuf --root {root}\n"
    ))
}

/// gitsign's trust comes from an older kind of TUF target or from files; the stack is its own, so: files.
fn gitsign(files: &Files<'_>, url: &str) -> Result<String, CommandError> {
    let trusted_root = files.trusted_root()?;
    let mut authorities = Vec::new();
    for der in trusted_root.certificate_authorities.iter().flat_map(|authority| &authority.chain) {
        if !authorities.contains(der) {
            authorities.push(der.clone());
        }
    }
    let authorities: String = authorities.iter().map(|der| pem(Verifier::Certificate(der))).collect();
    let first_key = |logs: &[TransparencyLogInstance]| {
        logs.first().map(|log| pem(Verifier::PublicKey(log.key.spki_der()))).unwrap_or_default()
    };
    let fulcio = files.write("fulcio.pem", authorities.as_bytes())?;
    let rekor = files.write("rekor.pub", first_key(&trusted_root.transparency_logs).as_bytes())?;
    let ct_log = files.write("ctfe.pub", first_key(&trusted_root.ct_logs).as_bytes())?;
    let mut lines = String::new();
    for (name, value) in [
        ("GITSIGN_FULCIO_URL", url),
        ("GITSIGN_REKOR_URL", &format!("{url}/rekor")),
        ("GITSIGN_OIDC_ISSUER", &format!("{url}/oidc")),
        // The commit carries its proof, and waxseal verifies it without a network.
        ("GITSIGN_REKOR_MODE", "offline"),
        ("SIGSTORE_ROOT_FILE", &fulcio),
        ("SIGSTORE_REKOR_PUBLIC_KEY", &rekor),
        ("SIGSTORE_CT_LOG_PUBLIC_KEY_FILE", &ct_log),
    ] {
        let value = if value.starts_with('\'') { value.to_owned() } else { quoted(value) };
        let _infallible = writeln!(lines, "export {name}={value}");
    }
    lines.push_str(
        "# git config gpg.format x509 && git config gpg.x509.program gitsign && git config commit.gpgsign true\n",
    );
    Ok(lines)
}

fn sigstore_js(files: &Files<'_>, url: &str) -> Result<String, CommandError> {
    let root = files.copy("tuf/1.root.json", "1.root.json")?;
    let cache = quoted(&files.folder.join("sigstore-js-cache").display().to_string());
    Ok(format!(
        "# @sigstore/cli takes flags\n\
         # sigstore attest --fulcio-url {url} --rekor-url {url}/rekor --tsa-server-url {url}/tsa/api/v1/timestamp \
         --oidc-issuer {url}/oidc --oidc-client-id sigstore FILE -o FILE.bundle\n\
         # sigstore verify --tuf-mirror-url {url}/tuf --tuf-root-path {root} --tuf-cache-path {cache} \
         --certificate-identity-email WHO --certificate-issuer {url}/oidc FILE.bundle\n"
    ))
}

fn sigstore_python(files: &Files<'_>, url: &str) -> Result<String, CommandError> {
    let trusted_root = files.read("trust/trusted_root.json")?;
    let signing_config = files.read("trust/signing_config.v0.2.json")?;
    let config = Stack::client_trust_config(&trusted_root, &signing_config);
    let config = files.write("client_trust_config.json", &config)?;
    let with_v2 = files.read("trust/signing_config_rekor_v2.v0.2.json")?;
    let with_v2 = Stack::client_trust_config(&trusted_root, &with_v2);
    let with_v2 = files.write("client_trust_config_rekor_v2.json", &with_v2)?;
    let root = files.copy("tuf/1.root.json", "1.root.json")?;
    Ok(format!(
        "# sigstore for Python takes a file\n\
         # sigstore --trust-config {config} sign FILE\n\
         # sigstore --trust-config {config} verify identity --cert-identity WHO --cert-oidc-issuer {url}/oidc FILE\n\
         # or into Rekor v2, with a timestamp: sigstore --trust-config {with_v2} sign FILE\n\
         # or, once: sigstore --instance {url}/tuf trust-instance {root}\n\
         # then: sigstore --instance {url}/tuf sign FILE\n"
    ))
}

/// Where the files come from and go to.
struct Files<'a> {
    data: &'a Path,
    folder: PathBuf,
}

impl Files<'_> {
    fn trusted_root(&self) -> Result<TrustedRoot, CommandError> {
        let name = "trust/trusted_root.json";
        TrustedRoot::parse(&self.read(name)?).map_err(|error| CommandError::failed(format!("{name}: {error}")))
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, CommandError> {
        let path = self.data.join(name);
        fs::read(&path).map_err(|error| failed(&path, &error))
    }

    /// Copies a file of the stack's, and gives back its new place, quoted for a shell.
    fn copy(&self, from: &str, to: &str) -> Result<String, CommandError> {
        self.write(to, &self.read(from)?)
    }

    /// Writes a file whole or not at all, and gives back its place, quoted for a shell.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<String, CommandError> {
        let path = self.folder.join(name);
        let written = (|| {
            let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
            file.write_all(bytes)?;
            // Nothing here is secret, and whoever reads it may be someone else.
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt as _;
                file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
            }
            file.persist(&path)?;
            Ok::<_, io::Error>(())
        })();
        written.map_err(|error| failed(&path, &error))?;
        Ok(quoted(&path.display().to_string()))
    }
}

/// One word for a POSIX shell, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''").replace('\n', "?"))
}

fn failed(path: &Path, error: &io::Error) -> CommandError {
    CommandError::failed(format!("\"{}\": {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_one_word() {
        assert_eq!(quoted("/a b/$(c)'d"), r"'/a b/$(c)'\''d'");
    }
}
