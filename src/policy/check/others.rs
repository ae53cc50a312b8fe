//! Names that are not those that a pattern was written for: what it matches, with a host or an owner of somebody else's.

use super::Field;
use super::samples::samples;
use super::strangers::is_mail_host;
use crate::policy::Pattern;

/// One that `pattern` admits, too.
pub(super) fn admitted(field: Field, pattern: &Pattern) -> Option<String> {
    let others = |sample: String| match field {
        Field::Email => addresses(&sample, '@'),
        Field::Username => addresses(&sample, '!'),
        Field::Issuer => sites(&sample),
        Field::Uri => owners(&sample).into_iter().chain(sites(&sample)).collect(),
        Field::Path | Field::Ref => Vec::new(),
    };
    samples(pattern).into_iter().flat_map(others).find(|other| pattern.matches(other))
}

/// The same name at other hosts; at a host where anybody gets an address, other names.
fn addresses(sample: &str, mark: char) -> Vec<String> {
    let Some((name, host)) = sample.rsplit_once(mark) else { return Vec::new() };
    if name.is_empty() || name.contains(mark) || !is_host(host) {
        return Vec::new();
    }
    let mut others: Vec<String> = hosts(host).iter().map(|host| format!("{name}{mark}{host}")).collect();
    if is_mail_host(host) {
        others.extend(names(name).iter().map(|name| format!("{name}{mark}{host}")));
    }
    others
}

/// One letter more or another one. What follows a `+` is the same person's.
fn names(name: &str) -> Vec<String> {
    let (person, detail) = name.find('+').map_or((name, ""), |at| name.split_at(at));
    let letter = |char: char| match char {
        '0'..='8' => '9',
        '9' => '0',
        'z' | 'Z' => 'q',
        _ => 'z',
    };
    let ends = person.char_indices().map(|(at, char)| (at, at.saturating_add(char.len_utf8()), char));
    let replaced = ends.filter_map(|(at, end, char)| {
        Some(format!("{}{}{}{detail}", person.get(..at)?, letter(char), person.get(end..)?))
    });
    let longer =
        ["q", "7"].into_iter().flat_map(|more| [format!("{person}{more}{detail}"), format!("{more}{person}{detail}")]);
    replaced.chain(longer).collect()
}

/// The same URL at other hosts.
fn sites(sample: &str) -> Vec<String> {
    let Some((scheme, host, path)) = url(sample) else { return Vec::new() };
    hosts(host).iter().map(|host| format!("{scheme}://{host}{path}")).collect()
}

/// The same URL of other owners, where anybody can be one.
fn owners(sample: &str) -> Vec<String> {
    let Some((scheme, host, path)) = url(sample) else { return Vec::new() };
    let Some(path) = path.strip_prefix('/').filter(|_| FORGES.contains(&host)) else { return Vec::new() };
    let (owner, rest) = path.find('/').map_or((path, ""), |at| path.split_at(at));
    labels(owner).iter().map(|owner| format!("{scheme}://{host}/{owner}{rest}")).collect()
}

fn url(text: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    (is_host(host) && !scheme.is_empty()).then_some((scheme, host, path))
}

fn is_host(text: &str) -> bool {
    let is_label = |label: &str| !label.is_empty() && label.chars().all(|char| char.is_alphanumeric() || char == '-');
    text.split('.').all(is_label)
}

/// What somebody else can register: another name, a longer one, and what a dot that stands for anything lets through.
fn hosts(host: &str) -> Vec<String> {
    let mut others = vec![format!("{OTHER}.com"), format!("{host}.{OTHER}.com")];
    let Some((below, label, suffix)) = registered(host) else { return others };
    others.extend(labels(label).iter().map(|label| format!("{below}{label}.{suffix}")));
    others.extend([
        format!("{OTHER}.{suffix}"),
        format!("{below}{label}.{OTHER}.com"),
        format!("{below}{label}-{suffix}"),
    ]);
    others.extend(below.strip_suffix('.').map(|below| format!("{below}-{label}.{suffix}")));
    others
}

fn labels(label: &str) -> [String; 5] {
    [
        OTHER.to_owned(),
        format!("{OTHER}{label}"),
        format!("{label}{OTHER}"),
        format!("{OTHER}-{label}"),
        format!("{label}-{OTHER}"),
    ]
}

/// A host as what stands below the name that its owner has, with the dot, that name, and what it was registered under.
fn registered(host: &str) -> Option<(&str, &str, &str)> {
    let rented =
        PLATFORMS.iter().find(|platform| host.strip_suffix(**platform).is_some_and(|rest| rest.ends_with('.')));
    let dots = || host.rmatch_indices('.').map(|(at, _)| at);
    let suffix_at = match rented {
        Some(platform) => host.len().checked_sub(platform.len())?,
        None => {
            let top_at = dots().next()?.saturating_add(1);
            // co.uk, com.au: nobody is given the second level of a country alone.
            let second_at = dots().nth(1).map(|at| at.saturating_add(1)).filter(|at| {
                let second = host.get(*at..top_at).unwrap_or_default();
                host.len().saturating_sub(top_at) == 2 && SECOND_LEVELS.contains(&second)
            });
            second_at.unwrap_or(top_at)
        }
    };
    let owned = host.get(..suffix_at)?.strip_suffix('.')?;
    let label_at = owned.rfind('.').map_or(0, |at| at.saturating_add(1));
    Some((owned.get(..label_at)?, owned.get(label_at..)?, host.get(suffix_at..)?))
}

/// Nobody's name yet, and free for everybody.
const OTHER: &str = "zqxjkv";
const SECOND_LEVELS: [&str; 7] = ["ac.", "co.", "com.", "edu.", "gov.", "net.", "org."];
/// Where the first part of a path is whoever came first.
const FORGES: [&str; 7] =
    ["bitbucket.org", "buildkite.com", "codeberg.org", "g.codefresh.io", "github.com", "gitlab.com", "gitea.com"];
/// What rents out names below its own, to anybody.
const PLATFORMS: [&str; 26] = [
    "appspot.com",
    "auth0.com",
    "azurewebsites.net",
    "cloudfront.net",
    "codeberg.page",
    "deno.dev",
    "firebaseapp.com",
    "fly.dev",
    "github.io",
    "gitlab.io",
    "herokuapp.com",
    "netlify.app",
    "ngrok-free.app",
    "ngrok.app",
    "ngrok.dev",
    "ngrok.io",
    "okta.com",
    "onrender.com",
    "pages.dev",
    "run.app",
    "surge.sh",
    "trycloudflare.com",
    "up.railway.app",
    "vercel.app",
    "web.app",
    "workers.dev",
];
