//! Names that anybody can have: what admits one of them says little about who it admits.

use super::Field;

/// Samples of what anybody could be called, made once for a policy.
pub(super) struct Strangers {
    emails: Vec<String>,
    issuers: Vec<String>,
    uris: Vec<String>,
    usernames: Vec<String>,
}

impl Strangers {
    pub(super) fn new() -> Self {
        let sites = || HOSTS.iter().flat_map(|host| PATHS.iter().map(move |path| format!("{host}{path}")));
        let everywhere = || sites().flat_map(|site| [format!("https://{site}"), format!("http://{site}")]);
        let of_each_host = |mark: char| {
            let hosts = || HOSTS.iter().chain(&MAIL_HOSTS).filter(|host| !host.contains(':'));
            hosts().flat_map(|host| PEOPLE.map(|name| format!("{name}{mark}{host}"))).collect()
        };
        Self {
            emails: of_each_host('@'),
            issuers: everywhere()
                .chain(TENANTS.map(str::to_owned))
                .chain(ISSUERS.iter().flat_map(look_alikes))
                .collect(),
            uris: everywhere().chain(JOBS.map(str::to_owned)).collect(),
            usernames: of_each_host('!'),
        }
    }

    /// One that is admitted by what `admits` says.
    pub(super) fn among(&self, field: Field, admits: impl Fn(&str) -> bool) -> Option<&str> {
        let strangers = match field {
            Field::Email => &self.emails,
            Field::Issuer => &self.issuers,
            Field::Uri => &self.uris,
            Field::Username => &self.usernames,
            Field::Path | Field::Ref => return None,
        };
        strangers.iter().map(String::as_str).find(|stranger| admits(stranger))
    }
}

/// Whether anybody gets an address there: the great providers have names under many countries.
pub(super) fn is_mail_host(host: &str) -> bool {
    let host = &*host.to_ascii_lowercase();
    MAIL_HOSTS.contains(&host) || host.split_once('.').is_some_and(|(name, _)| PROVIDERS.contains(&name))
}

/// What is not `issuer` and might be taken for it.
fn look_alikes(issuer: &(&str, &str)) -> [String; 2] {
    let (host, path) = issuer;
    [format!("https://{host}.zqxjkv.com{path}"), format!("https://{}{path}", host.replacen('.', "-", 1))]
}

/// Hosts under the names that people buy, in every form of a host.
const HOSTS: [&str; 24] = [
    "zqxjkv.com",
    "login.zqxjkv.com",
    "z9-q4x.com",
    "zqxjkv.org",
    "login.zqxjkv.org",
    "z9-q4x.org",
    "zqxjkv.net",
    "login.zqxjkv.net",
    "zqxjkv.io",
    "login.zqxjkv.io",
    "zqxjkv.dev",
    "zqxjkv.app",
    "zqxjkv.cloud",
    "zqxjkv.info",
    "zqxjkv.co.uk",
    "zqxjkv.de",
    "zqxjkv.fr",
    "zqxjkv.eu",
    "zqxjkv.cn",
    "zqxjkv.ru",
    "zqxjkv.edu",
    "zqxjkv.com:8443",
    "zqxjkv",
    "192.0.2.77",
];
/// Where anybody gets an address.
const MAIL_HOSTS: [&str; 25] = [
    "gmail.com",
    "googlemail.com",
    "outlook.com",
    "hotmail.com",
    "live.com",
    "yahoo.com",
    "icloud.com",
    "me.com",
    "proton.me",
    "protonmail.com",
    "gmx.de",
    "gmx.net",
    "web.de",
    "aol.com",
    "mail.ru",
    "yandex.ru",
    "qq.com",
    "163.com",
    "fastmail.com",
    "zoho.com",
    "tutanota.com",
    "hey.com",
    "users.noreply.github.com",
    // Whoever makes a project of a platform names robots there.
    "appspot.gserviceaccount.com",
    "developer.gserviceaccount.com",
];
/// Those that have such hosts in many countries.
const PROVIDERS: [&str; 7] = ["gmx", "hotmail", "live", "outlook", "proton", "yahoo", "yandex"];
const PEOPLE: [&str; 3] = ["zqxjkv", "z9.q-x+v_j", "77031"];
const PATHS: [&str; 7] = ["", "/", "/zqxjkv", "/zqxjkv/", "/zqxjkv/wvqk", "/zqxjkv/wvqk/77031", "/a/b/c/d?e=f"];
/// Host and path of issuers that many trust.
const ISSUERS: [(&str, &str); 8] = [
    ("accounts.google.com", ""),
    ("agent.buildkite.com", ""),
    ("github.com", "/login/oauth"),
    ("gitlab.com", ""),
    ("login.microsoftonline.com", ""),
    ("oauth2.sigstore.dev", "/auth"),
    ("oidc.codefresh.io", ""),
    ("token.actions.githubusercontent.com", ""),
];
/// Issuers that anybody gets from those who rent them out.
const TENANTS: [&str; 10] = [
    "https://container.googleapis.com/v1/projects/zqxjkv/locations/europe-west1/clusters/wvqk",
    "https://login.microsoftonline.com/5d1f0c52-9c1a-4e57-8d0b-6a2f77031abc/v2.0",
    "https://oidc.circleci.com/org/5d1f0c52-9c1a-4e57-8d0b-6a2f77031abc",
    "https://oidc.eks.us-east-1.amazonaws.com/id/5D1F0C529C1A4E578D0B6A2F77031ABC",
    "https://storage.googleapis.com/zqxjkv",
    "https://zqxjkv.auth0.com/",
    "https://zqxjkv.eu.auth0.com/",
    "https://zqxjkv.okta.com",
    "https://zqxjkv.gitlab.io",
    "https://zqxjkv.github.io",
];
/// Jobs and workloads that anybody can run.
const JOBS: [&str; 10] = [
    "https://github.com/zqxjkv/wvqk/.github/workflows/build.yml@refs/heads/main",
    "https://github.com/zqxjkv/wvqk/.github/workflows/release.yaml@refs/tags/v7.0.31",
    "https://github.com/zqxjkv/wvqk",
    "https://gitlab.com/zqxjkv/wvqk//.gitlab-ci.yml@refs/heads/main",
    "https://gitlab.com/zqxjkv/group/wvqk//.gitlab-ci.yml@refs/heads/main",
    "https://buildkite.com/zqxjkv/wvqk",
    "https://circleci.com/api/v2/projects/5d1f0c52-9c1a-4e57-8d0b-6a2f77031abc/pipeline-definitions/77031abc",
    "https://g.codefresh.io/zqxjkv/wvqk/build:77031",
    "https://kubernetes.io/namespaces/zqxjkv/serviceaccounts/wvqk",
    "spiffe://zqxjkv.com/wvqk",
];
