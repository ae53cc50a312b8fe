//! What a key, a variable and both together come to.

use super::*;
use crate::settings::gitsign::GitsignAddress;

#[expect(clippy::disallowed_methods, reason = "where git is")]
pub(super) fn path_of_programs() -> OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

fn settings(config: &str, environment: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let config = File::try_from(config).unwrap();
    Settings::resolve(&config, &[], Some(Path::new("/home/alice")), &|name| {
        environment.iter().find(|(variable, _)| *variable == name).map(|(_, value)| value.into())
    })
}

#[test]
fn the_environment_wins_over_git_config() {
    let config = "[waxseal]\ninstance = one\nallow = a b\nallow = c d\ntrust = t\nacceptPublic\n[waxseal \"x\"]\ninstance = no\n";
    let read = settings(config, &[]).unwrap();
    assert_eq!(read.instance.as_deref(), Some("one"));
    assert_eq!(read.allow, ["a b", "c d"]);
    assert_eq!(read.trust, Some(vec!["t".to_owned()]));
    assert!(read.accept_public && read.may_prompt && read.client_id.is_none());
    let read = settings(
        config,
        &[
            ("WAXSEAL_INSTANCE", "two"),
            ("WAXSEAL_ALLOW", "e f\n\n g h \n"),
            ("WAXSEAL_ACCEPT_PUBLIC", "off"),
            ("WAXSEAL_TRUST", ""),
            ("GIT_TERMINAL_PROMPT", "0"),
        ],
    )
    .unwrap();
    assert_eq!(read.instance.as_deref(), Some("two"));
    assert_eq!(read.allow, ["e f", "g h"]);
    assert_eq!(read.trust, Some(vec!["t".to_owned()]));
    assert!(!read.accept_public && !read.may_prompt);
}

#[test]
fn an_empty_value_takes_back_those_before_it() {
    let read = settings("[waxseal]\nallow = a b\nallow =\nallow = c d\ninstance = x\ninstance =\n", &[]).unwrap();
    assert_eq!(read.allow, ["c d"]);
    assert_eq!(read.instance, None);
    assert_eq!(settings("[waxseal]\ntrust =\n", &[]).unwrap().trust, Some(vec![]));
}

#[test]
fn booleans_are_gits() {
    for (value, expected) in
        [("yes", true), ("ON", true), ("1k", true), ("-1", true), ("", false), ("no", false), ("0", false)]
    {
        let read = settings(&format!("[waxseal]\nacceptPublic = {value}\n"), &[]).unwrap();
        assert_eq!(read.accept_public, expected, "{value:?}");
    }
    let bad = settings("[waxseal]\nacceptPublic = maybe\n", &[]).unwrap_err();
    assert_eq!(bad.to_string(), "waxseal.acceptPublic is no boolean: \"maybe\"");
    let bad = settings("", &[("WAXSEAL_ACCEPT_PUBLIC", "2x")]).unwrap_err();
    assert_eq!(bad.to_string(), "WAXSEAL_ACCEPT_PUBLIC is no boolean: \"2x\"");
}

#[test]
fn a_text_is_a_text() {
    assert_eq!(settings("[waxseal]\ninstance\n", &[]).unwrap_err().to_string(), "waxseal.instance has no value");
    let config = File::try_from(gix::bstr::BStr::new(b"[waxseal]\nbrowser = \xff\n")).unwrap();
    let error = Settings::resolve(&config, &[], None, &|_| None).unwrap_err();
    assert_eq!(error.to_string(), "waxseal.browser is not UTF-8");
}

#[test]
fn a_token_is_not_shown() {
    let read = settings("", &[("SIGSTORE_ID_TOKEN", "later"), ("WAXSEAL_ID_TOKEN", "first\n")]).unwrap();
    assert_eq!(read.identity_token.as_ref().unwrap().expose(), "first");
    assert!(!format!("{read:?}").contains("first"));
    let read = settings("", &[("SIGSTORE_ID_TOKEN", "later"), ("WAXSEAL_ID_TOKEN", "")]).unwrap();
    assert_eq!(read.identity_token.unwrap().expose(), "later");
}

#[test]
fn choices_are_words_and_paths_may_begin_at_home() {
    let read = settings("[waxseal]\nlog = v2\ntimestamp = always\ncaFile = ~/ca.pem\n", &[]).unwrap();
    assert_eq!((read.log, read.timestamp), (LogChoice::V2, TimestampChoice::Always));
    assert_eq!(read.network.ca_file.as_deref(), Some(Path::new("/home/alice/ca.pem")));
    let read = settings("[waxseal]\nlog =\ncaFile =\n", &[("WAXSEAL_TIMESTAMP", "never")]).unwrap();
    assert_eq!((read.log, read.timestamp), (LogChoice::Auto, TimestampChoice::Never));
    assert_eq!(read.network.ca_file, None);
    let read = settings("[waxseal]\ncaFile = x\n", &[("WAXSEAL_CA_FILE", "/y")]).unwrap();
    assert_eq!(read.network.ca_file.as_deref(), Some(Path::new("/y")));
    let bad = settings("[waxseal]\nlog = v3\n", &[]).unwrap_err();
    assert_eq!(bad.to_string(), "waxseal.log cannot be \"v3\"");
    let bad = settings("", &[("WAXSEAL_TIMESTAMP", "Always")]).unwrap_err();
    assert_eq!(bad.to_string(), "WAXSEAL_TIMESTAMP cannot be \"Always\"");
}

#[test]
fn an_age_has_a_unit() {
    let read = settings("[waxseal]\nmaxTrustAge = 30d\n", &[("WAXSEAL_MAX_TRUST_AGE", "2w")]).unwrap();
    assert_eq!(read.max_trust_age, Some("14d".parse().unwrap()));
    assert_eq!(settings("[waxseal]\nmaxTrustAge =\n", &[]).unwrap().max_trust_age, None);
    let bad = settings("[waxseal]\nmaxTrustAge = 30\n", &[]).unwrap_err();
    assert_eq!(bad.to_string(), "waxseal.maxTrustAge is no age: \"30\"");
    let bad = settings("", &[("WAXSEAL_MAX_TRUST_AGE", "month")]).unwrap_err();
    assert_eq!(bad.to_string(), "WAXSEAL_MAX_TRUST_AGE is no age: \"month\"");
}

#[test]
fn the_proxy_is_that_of_curl_and_is_not_shown() {
    let read = settings("", &[("ALL_PROXY", "http://b"), ("HTTPS_PROXY", "http://u:pass@a"), ("NO_PROXY", "x")]);
    let network = read.unwrap().network;
    let proxy = network.proxy.as_ref().unwrap();
    assert_eq!((proxy.variable, proxy.address.expose()), ("HTTPS_PROXY", "http://u:pass@a"));
    assert_eq!(network.no_proxy.as_deref(), Some("x"));
    assert!(!format!("{network:?}").contains("pass"));
    assert!(settings("", &[("https_proxy", ""), ("http_proxy", "x")]).unwrap().network.proxy.is_none());
}

#[test]
fn every_key_has_its_variable() {
    for key in KEYS {
        let snake = key.name.chars().fold(String::from("WAXSEAL_"), |mut snake, letter| {
            if letter.is_ascii_uppercase() {
                snake.push('_');
            }
            snake.push(letter.to_ascii_uppercase());
            snake
        });
        assert_eq!(key.variable, snake);
    }
}

#[test]
fn gitsigns_values_are_read_where_nothing_else_is_set() {
    let config = "[gitsign]\nclientID = one\nrekorVersion = 2\nurlOpener = open '{{.URL}}'\nmatchCommitter\n\
                  fulcio = https://f\nrekor = https://r\n";
    let read = settings(config, &[]).unwrap();
    assert_eq!(read.client_id.as_deref(), Some("one"));
    assert_eq!((read.log, read.browser.as_deref()), (LogChoice::V2, Some("open '{url}'")));
    let services = read.gitsign;
    assert_eq!(services.fulcio.unwrap().address, "https://f");
    assert_eq!(services.rekor.unwrap().address, "https://r");
    assert_eq!(read.instance, None);
    let read = settings(config, &[("SIGSTORE_OIDC_CLIENT_ID", "later"), ("GITSIGN_OIDC_CLIENT_ID", "two")]).unwrap();
    assert_eq!(read.client_id.as_deref(), Some("two"));
    let own = format!("{config}[waxseal]\nclientId = three\nlog = auto\nbrowser = b\ninstance = own\n");
    let read = settings(&own, &[("GITSIGN_OIDC_CLIENT_ID", "two"), ("GITSIGN_REKOR_VERSION", "1")]).unwrap();
    assert_eq!(
        (read.client_id.as_deref(), read.log, read.browser.as_deref()),
        (Some("three"), LogChoice::Auto, Some("b"))
    );
    assert_eq!(read.gitsign, GitsignServices::default());
}

#[test]
fn services_of_gitsigns_come_from_both_places() {
    let only = settings("[gitsign]\nfulcio = https://f\nrekor\n", &[]).unwrap().gitsign;
    let set =
        |address: &str, set_in: &str| Some(GitsignAddress { address: address.to_owned(), set_in: set_in.to_owned() });
    assert_eq!(only, GitsignServices { fulcio: set("https://f", "gitsign.fulcio"), rekor: None });
    let both = settings("[gitsign]\nfulcio = https://f\n", &[("SIGSTORE_REKOR_URL", "https://r")]).unwrap();
    assert_eq!(both.gitsign.rekor, set("https://r", "SIGSTORE_REKOR_URL"));
}

#[test]
fn what_waxseal_cannot_follow_of_gitsigns_is_not_read() {
    let read = settings("[gitsign]\nrekorVersion = 3\nurlOpener = open {{.URL | urlquery}}\nclientID\n", &[]).unwrap();
    assert_eq!((read.log, read.browser, read.client_id), (LogChoice::Auto, None, None));
}
