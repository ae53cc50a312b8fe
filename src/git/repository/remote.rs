//! The address of a remote without what may be secret in it, and the remotes that were to keep objects for later.

use gix::bstr::BStr;

use super::Repository;

impl Repository {
    /// The first address of a remote, without user, password, query and fragment: any of them may be a secret. `None` too
    /// where it is no address but a command.
    #[must_use]
    pub fn remote_url(&self, remote: &str) -> Option<String> {
        let config = self.inner.config_snapshot();
        let urls = config.plumbing().strings_by("remote", Some(BStr::new(remote)), "url")?;
        without_secrets(&urls.first()?.to_string())
    }

    /// The remote from which Git fetches what a partial clone lacks; `None` where the clone is whole. Nothing is ever fetched
    /// from it here.
    #[must_use]
    pub fn promisor(&self) -> Option<String> {
        let config = self.inner.config_snapshot();
        // Git before 2.24 named it there alone.
        let named = config.string("extensions.partialClone").map(|name| name.to_string());
        let sections = config.plumbing().sections_by_name("remote").into_iter().flatten();
        let mut promisors = sections.filter_map(|section| {
            let name = section.header().subsection_name()?.to_string();
            let is_promisor = config.boolean(format!("remote.{name}.promisor").as_str()).unwrap_or_default();
            is_promisor.then_some(name)
        });
        promisors.next().or(named)
    }
}

/// Nothing is parsed that could fail: what is odd about an address must not save its password.
fn without_secrets(url: &str) -> Option<String> {
    if let Some((helper, address)) = url.split_once("::")
        && is_name(helper)
    {
        // `ext::` is followed by a command line, other helpers' words are their own unless they are an address.
        return address
            .contains("://")
            .then(|| without_secrets(address))
            .flatten()
            .map(|url| format!("{helper}::{url}"));
    }
    let Some((scheme, rest)) = url.split_once("://").filter(|(scheme, _)| is_name(scheme)) else {
        return without_user(url);
    };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    // Some pass over a third slash, and take what follows for user and password.
    if host.is_empty() && scheme != "file" {
        return None;
    }
    // A password with a slash in it ends what others take for the host. It is not a port, then.
    let port = host.rsplit_once(':').map_or("", |(_, port)| port);
    let is_host = host.ends_with(']') || port.bytes().all(|byte| byte.is_ascii_digit());
    is_host.then(|| format!("{scheme}://{host}{path}"))
}

/// That of a scheme or a helper.
fn is_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-+.".contains(&byte))
}

/// `[USER@]HOST:PATH` with a user who has no password, or a path of this machine.
fn without_user(address: &str) -> Option<String> {
    let host = address.split('/').next().unwrap_or_default();
    match host.rsplit_once('@') {
        Some((user, _)) if user.contains(':') => address.get(user.len() + 1..).map(str::to_owned),
        // A scheme with a slash too few.
        None if host.ends_with(':') && address.contains('@') => None,
        Some(_) | None => Some(address.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_secrets() {
        for (url, shown) in [
            ("https://forge.example/o/r.git", Some("https://forge.example/o/r.git")),
            ("https://user:s3cret@forge.example:8443/o/r.git", Some("https://forge.example:8443/o/r.git")),
            ("https://s3cret@forge.example/@scope/r", Some("https://forge.example/@scope/r")),
            ("https://user:s3@cret@forge.example/r", Some("https://forge.example/r")),
            ("https://user:s3/cret@forge.example/r", None),
            ("https://forge.example/o/r.git?token=s3cret", Some("https://forge.example/o/r.git")),
            ("https://forge.example?token=s3cret#s3cret", Some("https://forge.example")),
            ("https://user:s3cret@[::1]:8443/r", Some("https://[::1]:8443/r")),
            ("https://user:s3cret@[::1]/r", Some("https://[::1]/r")),
            ("HTTPS://s3cret@for ge.example/r", Some("HTTPS://for ge.example/r")),
            ("ssh://git:s3cret@forge.example/o/r.git", Some("ssh://forge.example/o/r.git")),
            ("git@forge.example:o/r.git", Some("git@forge.example:o/r.git")),
            ("git:s3cret@forge.example:o/r.git", Some("forge.example:o/r.git")),
            ("git:s3cret@forge.example:o/r://x", Some("forge.example:o/r://x")),
            ("hg::https://u:s3cret@forge.example/r", Some("hg::https://forge.example/r")),
            ("https:///u:s3cret@forge.example/r", None),
            ("https:/u:s3cret@forge.example/r", None),
            ("file:///srv/r@2", Some("file:///srv/r@2")),
            ("ext::curl -H s3cret", None),
            ("/srv/r@2/why?.git", Some("/srv/r@2/why?.git")),
            ("../r", Some("../r")),
        ] {
            assert_eq!(without_secrets(url).as_deref(), shown, "{url}");
        }
    }
}
