//! Where in a name it says whose it is: what stands there somebody registered, rented or was given.

use std::ops::Range;

use super::Field;
use super::strangers::is_mail_host;

/// What somebody registered: a name and what it is below.
pub(super) fn registered_place(field: Field, text: &str) -> Option<Range<usize>> {
    let (before, host, _) = hosted(field, text)?;
    let (below, _, _) = registered(host)?;
    Some(before.len().saturating_add(below.len())..before.len().saturating_add(host.len()))
}

/// What somebody was given: a mailbox, or a part of a path.
pub(super) fn owned_place(field: Field, text: &str) -> Option<Range<usize>> {
    let (before, owner, _) = owned(field, text)?;
    Some(before.len()..before.len().saturating_add(owner.len()))
}

/// Taken apart at its host: `alice@`, `example.org` and nothing; `https://`, `example.org` and `/path`.
pub(super) fn hosted(field: Field, text: &str) -> Option<(&str, &str, &str)> {
    let at = match field {
        Field::Email => text.rfind('@')?.saturating_add(1),
        Field::Username => text.rfind('!')?.saturating_add(1),
        Field::Issuer | Field::Uri => text.find("://")?.saturating_add("://".len()),
        Field::Path | Field::Ref => return None,
    };
    let (before, rest) = text.split_at_checked(at)?;
    let is_url = matches!(field, Field::Issuer | Field::Uri);
    let (host, behind) = rest.find('/').filter(|_| is_url).map_or((rest, ""), |at| rest.split_at(at));
    let is_one = is_url || before.matches(['@', '!']).count() == 1 && before.len() > 1;
    (is_one && is_host(host)).then_some((before, host, behind))
}

/// Taken apart at the name of whose it is, where anybody gets one: at a mail provider, or as the owner of a path.
pub(super) fn owned(field: Field, text: &str) -> Option<(&str, &str, &str)> {
    let (before, host, behind) = hosted(field, text)?;
    let at = if matches!(field, Field::Email | Field::Username) {
        is_mail_host(host).then_some(0)?
    } else {
        let (_, path) = OWNERS.iter().find(|(at, path)| *at == host && behind.starts_with(path))?;
        before.len().saturating_add(host.len()).saturating_add(path.len())
    };
    let (before, rest) = text.split_at_checked(at)?;
    // What follows a `+` is the same person's.
    let (owner, behind) = rest.find(['/', '+', '@', '!']).map_or((rest, ""), |at| rest.split_at(at));
    let is_owner = !owner.is_empty() && owner.chars().all(|char| char.is_alphanumeric() || "-._".contains(char));
    is_owner.then_some((before, owner, behind))
}

fn is_host(text: &str) -> bool {
    let is_label = |label: &str| !label.is_empty() && label.chars().all(|char| char.is_alphanumeric() || char == '-');
    text.split('.').all(is_label)
}

/// A host as what stands below the name that its owner has, with the dot, that name, and what it was registered under.
pub(super) fn registered(host: &str) -> Option<(&str, &str, &str)> {
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

/// Whether names below it are rented out, to anybody.
pub(super) fn is_platform(host: &str) -> bool {
    PLATFORMS.contains(&host)
}

const SECOND_LEVELS: [&str; 7] = ["ac.", "co.", "com.", "edu.", "gov.", "net.", "org."];
/// Where a part of the path is whoever came first.
const OWNERS: [(&str, &str); 11] = [
    ("bitbucket.org", "/"),
    ("buildkite.com", "/"),
    ("codeberg.org", "/"),
    ("container.googleapis.com", "/v1/projects/"),
    ("g.codefresh.io", "/"),
    ("gitea.com", "/"),
    ("github.com", "/"),
    ("gitlab.com", "/"),
    ("login.microsoftonline.com", "/"),
    ("oidc.circleci.com", "/org/"),
    ("storage.googleapis.com", "/"),
];
/// What rents out names below its own, to anybody.
const PLATFORMS: [&str; 28] = [
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
    "iam.gserviceaccount.com",
    "netlify.app",
    "ngrok-free.app",
    "ngrok.app",
    "ngrok.dev",
    "ngrok.io",
    "okta.com",
    "onrender.com",
    "pages.dev",
    "run.app",
    "storage.googleapis.com",
    "surge.sh",
    "trycloudflare.com",
    "up.railway.app",
    "vercel.app",
    "web.app",
    "workers.dev",
];
