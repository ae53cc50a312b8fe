//! The templates in which Fulcio's configuration says what of a CI token goes into a certificate.
//!
//! A bare word names a claim. Otherwise the text is taken as it is, but for `{{ .claim }}`, `{{ index . "claim" }}` and
//! `{{ if eq A "text" }}…{{ else }}…{{ end }}`: what Fulcio's own configuration uses of Go's template language.

use std::borrow::Cow;

/// A template, read once when the configuration is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Claim(String),
    Either { claim: String, is: String, then: Vec<Self>, otherwise: Vec<Self> },
    Text(String),
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// [`BadTemplate`] when it is empty, or uses more of the language than this module knows.
    pub(super) fn parse(text: &str) -> Result<Self, BadTemplate> {
        if text.trim().is_empty() {
            return Err(BadTemplate(text.to_owned()));
        }
        if !text.contains("{{") {
            return Ok(Self(vec![Part::Claim(text.trim().to_owned())]));
        }
        let bad = || BadTemplate(text.to_owned());
        let mut rest = text;
        match parts(&mut rest).ok_or_else(bad)? {
            (parts, None) => Ok(Self(parts)),
            (_, Some(_)) => Err(bad()),
        }
    }

    /// The text, with every claim that it wants from `claim`.
    ///
    /// # Errors
    /// [`MissingClaim`] when there is no such claim.
    pub(super) fn fill<'a>(&self, claim: &impl Fn(&str) -> Option<Cow<'a, str>>) -> Result<String, MissingClaim> {
        let mut text = String::new();
        fill(&self.0, claim, &mut text)?;
        Ok(text)
    }
}

/// A template that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a template that waxseal knows")]
pub struct BadTemplate(pub String);

/// The token lacks what its kind of certificate needs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the identity token has no claim \"{0}\"")]
pub struct MissingClaim(pub String);

/// What ends a run of parts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    Else,
    End,
}

/// Parts up to the end of the text, or up to the `else` or `end` of the `if` that they are in.
fn parts(rest: &mut &str) -> Option<(Vec<Part>, Option<Stop>)> {
    let mut parts = Vec::new();
    while let Some((text, after)) = rest.split_once("{{") {
        if !text.is_empty() {
            parts.push(Part::Text(text.to_owned()));
        }
        let (action, after) = after.split_once("}}")?;
        *rest = after;
        match action.trim() {
            "else" => return Some((parts, Some(Stop::Else))),
            "end" => return Some((parts, Some(Stop::End))),
            action => parts.push(match action.strip_prefix("if eq ") {
                Some(condition) => either(condition, rest)?,
                None => Part::Claim(operand(action)?),
            }),
        }
    }
    if !rest.is_empty() {
        parts.push(Part::Text((*rest).to_owned()));
        *rest = "";
    }
    Some((parts, None))
}

fn either(condition: &str, rest: &mut &str) -> Option<Part> {
    let (claim, is) = condition.trim().strip_suffix('"')?.rsplit_once('"')?;
    let (claim, is) = (operand(claim.trim())?, is.to_owned());
    let (then, stop) = parts(rest)?;
    let otherwise = match stop? {
        Stop::End => Vec::new(),
        Stop::Else => {
            let (otherwise, stop) = parts(rest)?;
            (stop == Some(Stop::End)).then_some(otherwise)?
        }
    };
    Some(Part::Either { claim, is, then, otherwise })
}

/// `.name`, `index . "name"`, or the latter in brackets.
fn operand(text: &str) -> Option<String> {
    let bare = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')).unwrap_or(text).trim();
    if let Some(quoted) = bare.strip_prefix("index . \"") {
        let name = quoted.strip_suffix('"')?;
        return (!name.is_empty() && !name.contains('"')).then(|| name.to_owned());
    }
    let name = bare.strip_prefix('.')?;
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (!name.is_empty() && name.bytes().all(word)).then(|| name.to_owned())
}

fn fill<'a>(
    parts: &[Part],
    claim: &impl Fn(&str) -> Option<Cow<'a, str>>,
    text: &mut String,
) -> Result<(), MissingClaim> {
    let value = |name: &str| claim(name).ok_or_else(|| MissingClaim(name.to_owned()));
    for part in parts {
        match part {
            Part::Claim(name) => text.push_str(&value(name)?),
            Part::Either { claim: name, is, then, otherwise } => {
                fill(if value(name)? == is.as_str() { then } else { otherwise }, claim, text)?;
            }
            Part::Text(literal) => text.push_str(literal),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filled(template: &str) -> Result<String, MissingClaim> {
        let claims = [("a", "1"), ("ref_type", "branch"), ("x.example/b-c", "2")];
        let claim =
            |name: &str| claims.iter().find(|(found, _)| *found == name).map(|(_, value)| Cow::Borrowed(*value));
        Template::parse(template).unwrap().fill(&claim)
    }

    #[test]
    fn words_substitutions_and_conditions() {
        for (template, expected) in [
            ("a", "1"),
            ("{{ .a }}", "1"),
            ("x{{.a}}y{{ .a }}z", "x1y1z"),
            (r#"{{index . "x.example/b-c"}}/{{(index . "x.example/b-c")}}"#, "2/2"),
            (r#"refs/{{if eq .ref_type "branch"}}heads/{{ else }}tags/{{end}}{{ .a }}"#, "refs/heads/1"),
            (r#"{{if eq .a "2"}}x{{ else }}y{{end}}"#, "y"),
            (r#"{{if eq .a "2"}}x{{end}}z"#, "z"),
        ] {
            assert_eq!(filled(template), Ok(expected.to_owned()), "{template}");
        }
        assert_eq!(filled("b"), Err(MissingClaim("b".to_owned())));
        assert_eq!(filled("{{ .b }}"), Err(MissingClaim("b".to_owned())));
    }

    #[test]
    fn what_is_not_known_is_refused_when_it_is_read() {
        for template in
            ["", " ", "{{", "{{ a }}", "{{ .a | html }}", "{{ else }}", "{{ end }}", "{{if eq .a \"x\"}}y", "{{ . }}"]
        {
            assert_eq!(Template::parse(template), Err(BadTemplate(template.to_owned())));
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in r#"(\{\{|\}\}|if eq |else|end|\.a|"|\(|index \. |x| ){0,12}"#) {
            drop(Template::parse(&text).map(|template| template.fill(&|_| Some(Cow::Borrowed("")))));
        }
    }
}
