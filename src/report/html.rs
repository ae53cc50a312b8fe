//! One page for people, whole in itself: nothing is fetched, nothing runs. Its size is bounded, however long the history.

mod timeline;

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::signers::{Signers, share};
use super::{Failures, Head, Report, Row, Standing, grouped, key_kind, reasons};
use crate::crypto::Sha256Digest;
use crate::escape::markup;

/// The page.
#[must_use]
pub fn page(report: &Report<'_>, signers: &Signers) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    write_page(&mut out, report, signers).unwrap_or_default();
    out
}

fn write_page(out: &mut String, report: &Report<'_>, signers: &Signers) -> fmt::Result {
    let answer = markup(report.totals.answer());
    // What may be shown: this style and nothing else.
    let style = STANDARD.encode(Sha256Digest::of(STYLE.as_bytes()));
    writeln!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>waxseal: {answer}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>"
    )?;
    headline(out, report, signers, &answer)?;
    if signers.signatures() > 0 {
        timeline::section(out, signers)?;
        who(out, signers)?;
    }
    failures(out, report)?;
    changes(out, report)?;
    squashes(out, report)?;
    facts(out, report)?;
    writeln!(out, "</main>\n</body>\n</html>")
}

fn headline(out: &mut String, report: &Report<'_>, signers: &Signers, answer: &str) -> fmt::Result {
    let totals = report.totals;
    let worst = [Standing::Failed, Standing::Unknown, Standing::Unjudged].into_iter().find(|of| totals.of(*of) > 0);
    let worst = worst.unwrap_or(if totals.objects() == 0 { Standing::Unknown } else { Standing::Ok });
    writeln!(
        out,
        "<header class=\"{}\">\n<h1 class=\"verdict\">{answer}</h1>\n\
         <p class=\"soft asked\"><code>{}</code>, verified {} by {}, exit code {}</p>",
        class(worst),
        markup(&report.about.range),
        report.about.now.strftime("%Y-%m-%d %H:%M UTC"),
        report.about.tool,
        report.exit_code,
    )?;
    let objects = totals.objects();
    let tile = |out: &mut String, value: String, what: &str| writeln!(out, "<li><b>{value}</b>{what}</li>");
    writeln!(out, "<ul class=\"tiles\">")?;
    tile(out, grouped(objects), "objects")?;
    tile(out, share(signers.signatures(), objects), "with a verified signature")?;
    let told_apart = u64::try_from(signers.sorted().len()).unwrap_or(u64::MAX);
    let more = if signers.others() > 0 { " and more" } else { "" };
    tile(out, format!("{}{more}", grouped(told_apart)), if told_apart == 1 { "signer" } else { "signers" })?;
    tile(out, grouped(totals.of(Standing::Failed)), "failed")?;
    tile(out, grouped(totals.of(Standing::Unknown)), "unknown")?;
    writeln!(out, "</ul>")?;
    if objects > 0 {
        shares(out, report)?;
    }
    writeln!(out, "</header>")
}

/// What the whole is made of, as a bar.
fn shares(out: &mut String, report: &Report<'_>) -> fmt::Result {
    let totals = report.totals;
    let parts: Vec<_> = STANDINGS.iter().map(|of| (*of, totals.of(*of))).filter(|(_, count)| *count > 0).collect();
    // Each part can be seen, however small it is.
    let units = |count: u64| (count.saturating_mul(BAR) / totals.objects().max(1)).max(LEAST);
    let whole: u64 = parts.iter().map(|(_, count)| units(*count)).sum();
    let described: Vec<_> = parts.iter().map(|(of, count)| format!("{} {}", grouped(*count), word(*of))).collect();
    write!(
        out,
        "<svg class=\"bar\" viewBox=\"0 0 {whole} 10\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{0}\"><title>{0}</title>",
        described.join(", ")
    )?;
    let mut x = 0;
    for (of, count) in &parts {
        let width = units(*count);
        write!(out, "<rect class=\"f-{}\" x=\"{x}\" y=\"0\" width=\"{width}\" height=\"10\"/>", class(*of))?;
        x += width;
    }
    writeln!(out, "</svg>\n<ul class=\"legend\">")?;
    for (of, count) in &parts {
        let made_of = if *of == Standing::Exempt { String::new() } else { totals.breakdown(*of) };
        let made_of = if made_of.is_empty() { made_of } else { format!(" <span class=\"soft\">{made_of}</span>") };
        writeln!(
            out,
            "<li><svg viewBox=\"0 0 10 10\" aria-hidden=\"true\"><rect class=\"f-{}\" width=\"10\" height=\"10\" rx=\"2\"/></svg>{} {}{made_of}</li>",
            class(*of),
            grouped(*count),
            word(*of),
        )?;
    }
    writeln!(out, "</ul>")
}

fn who(out: &mut String, signers: &Signers) -> fmt::Result {
    let sorted = signers.sorted();
    writeln!(
        out,
        "<section>\n<h2>Signers</h2>\n<div class=\"scroll\"><table>\n\
         <thead><tr><th scope=\"col\">identity</th><th scope=\"col\">vouched for by</th>\
         <th scope=\"col\" class=\"number\">signatures</th><th scope=\"col\" class=\"number\">share</th>\
         <th scope=\"col\">first proven</th><th scope=\"col\">last proven</th></tr></thead>\n<tbody>"
    )?;
    for (identity, signer) in sorted.iter().take(MAX_SIGNERS) {
        let vouched = identity.issuer.as_deref().map_or_else(
            || key_kind(identity.signature).to_owned(),
            |issuer| {
                let at = identity.instance.as_deref().unwrap_or_default();
                format!("{} <span class=\"soft\">at {}</span>", markup(issuer), markup(at))
            },
        );
        let no = match signer.not_allowed {
            0 => String::new(),
            no => format!("<br><b class=\"c-fail\">{} not allowed</b>", grouped(no)),
        };
        let day = |time: Option<jiff::Timestamp>| {
            time.map_or_else(|| "no proven time".to_owned(), |time| time.strftime("%Y-%m-%d").to_string())
        };
        writeln!(
            out,
            "<tr><th scope=\"row\" class=\"wide\">{}{no}</th><td class=\"wide\" data-label=\"via\">{vouched}</td><td class=\"number\" data-label=\"signatures\">{}</td>\
             <td class=\"number\" data-label=\"share\">{}</td><td class=\"date\" data-label=\"from\">{}</td><td class=\"date\" data-label=\"to\">{}</td></tr>",
            markup(&identity.name),
            grouped(signer.count),
            share(signer.count, signers.signatures()),
            day(signer.first),
            day(signer.last),
        )?;
    }
    writeln!(out, "</tbody></table></div>")?;
    let left_out = sorted.iter().skip(MAX_SIGNERS).map(|(_, signer)| signer.count).sum::<u64>() + signers.others();
    if left_out > 0 {
        writeln!(
            out,
            "<p class=\"soft\">and {} signatures of others; <code>waxseal who</code> lists them</p>",
            grouped(left_out)
        )?;
    }
    writeln!(out, "</section>")
}

/// What somebody has to decide something about, by reason.
fn failures(out: &mut String, report: &Report<'_>) -> fmt::Result {
    let mut by_reason: BTreeMap<(Standing, &str), Vec<&Row>> = BTreeMap::new();
    for row in report.failures.rows() {
        by_reason.entry((row.standing, row.reason.unwrap_or(row.verdict))).or_default().push(row);
    }
    // That nobody said who may sign is to be decided once.
    by_reason.extend(report.totals.parts(Standing::Unjudged).map(|(code, _)| ((Standing::Unjudged, code), Vec::new())));
    if by_reason.is_empty() {
        return Ok(());
    }
    writeln!(out, "<section>\n<h2>What needs a decision</h2>")?;
    let order = |standing: Standing| match standing {
        Standing::Failed => 0,
        Standing::Unknown => 1,
        Standing::Exempt | Standing::Ok | Standing::Unjudged => 2,
    };
    let mut groups: Vec<_> = by_reason.into_iter().collect();
    groups.sort_by_key(|((standing, code), rows)| (order(*standing), std::cmp::Reverse(rows.len()), *code));
    // Each reason has its share, so that none is hidden behind another.
    let room = (MAX_ROWS / groups.len().max(1)).max(LEAST_ROWS);
    for ((standing, code), rows) in groups {
        let all = report.totals.parts(standing).find(|(label, _)| *label == code).map_or(0, |(_, count)| count);
        writeln!(
            out,
            "<div class=\"reason\">\n<h3 class=\"c-{}\">{} <span class=\"soft\">{}</span></h3>",
            class(standing),
            code.replace('-', " "),
            grouped(all)
        )?;
        if let Some(explanation) = reasons::explain(code) {
            writeln!(
                out,
                "<p>{}.</p>\n<p><b>What to do:</b> {}.</p>",
                sentence(explanation.meaning),
                marked(explanation.remedy)
            )?;
        }
        if rows.is_empty() {
            writeln!(out, "</div>")?;
            continue;
        }
        table(out, rows.iter().take(room).copied())?;
        let more = all.saturating_sub(u64::try_from(rows.len().min(room)).unwrap_or_default());
        if more > 0 {
            writeln!(
                out,
                "<p class=\"soft\">and {} more; <code>waxseal verify --failed</code> lists them</p>",
                grouped(more)
            )?;
        }
        writeln!(out, "</div>")?;
    }
    writeln!(out, "<p class=\"soft\">The whole proof of one: <code>waxseal explain ID</code></p>\n</section>")
}

/// Who changes the law.
fn changes(out: &mut String, report: &Report<'_>) -> fmt::Result {
    let rows = report.changes.rows();
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "<section>\n<h2>Commits that change the policy file</h2>")?;
    table(out, rows.iter())?;
    more(out, report.changes)?;
    writeln!(out, "</section>")
}

/// Who wrote what the forge signed is behind its name.
fn squashes(out: &mut String, report: &Report<'_>) -> fmt::Result {
    let rows = report.squashes.rows();
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "<section>\n<h2>Squashes and the heads that prove them</h2>")?;
    table(out, rows.iter())?;
    more(out, report.squashes)?;
    writeln!(out, "</section>")
}

/// How many are not shown.
fn more(out: &mut String, of: &Failures) -> fmt::Result {
    let more = of.all().saturating_sub(u64::try_from(of.rows().len()).unwrap_or_default());
    if more == 0 {
        return Ok(());
    }
    writeln!(out, "<p class=\"soft\">and {} more; <code>waxseal verify --list</code> has them</p>", grouped(more))
}

fn table<'a>(out: &mut String, rows: impl Iterator<Item = &'a Row>) -> fmt::Result {
    writeln!(
        out,
        "<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">object</th><th scope=\"col\">subject</th>\
         <th scope=\"col\">author, as claimed</th><th scope=\"col\">why</th></tr></thead>\n<tbody>"
    )?;
    for row in rows {
        let why = [
            row.detail.as_deref().map(markup),
            row.head.as_ref().map(head),
            row.signer().map(|signer| format!("signed by {}", markup(signer))),
        ];
        writeln!(
            out,
            "<tr><th scope=\"row\" class=\"id\"><code title=\"{}\">{}</code></th><td class=\"wide\">{}</td><td class=\"wide\" data-label=\"by\">{}</td>\
             <td class=\"wide\">{}</td></tr>",
            markup(&row.oid),
            markup(row.short_id()),
            markup(&row.subject),
            markup(&row.author),
            why.into_iter().flatten().collect::<Vec<_>>().join("<br>"),
        )?;
    }
    writeln!(out, "</tbody></table></div>")
}

fn head(head: &Head) -> String {
    let reference = head.reference.as_ref().map(|reference| format!("{} ", markup(reference))).unwrap_or_default();
    let (id, short) = (markup(&head.oid), markup(head.short_id()));
    format!("{} {reference}<code title=\"{id}\">{short}</code>", head.word())
}

fn facts(out: &mut String, report: &Report<'_>) -> fmt::Result {
    writeln!(out, "<section>\n<h2>What this rests on</h2>\n<dl>")?;
    for (name, value) in report.about.facts() {
        writeln!(out, "<dt>{name}</dt><dd>{}</dd>", markup(value))?;
    }
    if let Some(policy) = &report.about.policy {
        writeln!(out, "<dt>policy’s SHA-256</dt><dd><code>{}</code></dd>", markup(&policy.sha256))?;
    }
    writeln!(
        out,
        "</dl>\n<p class=\"soft\">Names and times of signers were proven when this was made; authors and subjects are what \
         the objects say of themselves. Whoever can change this file can change what it says: what counts is \
         <code>waxseal verify</code>.</p>\n</section>"
    )
}

/// Our own Markdown: code between backticks, and nothing else.
fn marked(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts.map(|(at, part)| if at % 2 == 1 { format!("<code>{}</code>", markup(part)) } else { markup(part) }).collect()
}

/// The same with a capital at its beginning.
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    marked(&(first + characters.as_str()))
}

fn word(standing: Standing) -> &'static str {
    if standing == Standing::Failed { "failed" } else { standing.word() }
}

fn class(standing: Standing) -> &'static str {
    match standing {
        Standing::Ok => "ok",
        Standing::Exempt => "exempt",
        Standing::Unjudged => "unjudged",
        Standing::Failed => "fail",
        Standing::Unknown => "unknown",
    }
}

const STYLE: &str = include_str!("html/page.css");
const STANDINGS: [Standing; 5] =
    [Standing::Ok, Standing::Exempt, Standing::Unjudged, Standing::Unknown, Standing::Failed];

/// The bar's width, and the least of a part.
const BAR: u64 = 1_000;
const LEAST: u64 = 8;

/// Rows of all reasons, and the least of each.
const MAX_ROWS: usize = 300;
const LEAST_ROWS: usize = 10;
const MAX_SIGNERS: usize = 100;
