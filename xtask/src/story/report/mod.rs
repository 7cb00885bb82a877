//! The story as one page of Markdown: what was published, what we saw, and what became of advice.

mod changes;
mod sessions;

use std::fmt::Write as _;

use anyhow::{Result, bail};
use serde_json::Value;

use super::{Changed, Told, seed};

const REPO: &str = "Elixir.Nexus.Repo";
const REGISTRY: &str = "Elixir.Nexus.Registry.TableRegistry";
/// Names that the article found under the registry, where they are not.
const PIPELINE: [&str; 3] = ["prepare_opts", "default_options", "prepare_query"];

pub(super) fn write((otp, seconds): (u32, u32), sessions: &[Told], changes: &[Changed]) -> String {
    let mut page = String::from("# A stranger's node, told again\n\n");
    let _ = writeln!(
        page,
        "\"How We Told a Stranger's Node Where Its Cache Should Be\" watched an API gateway in seven \
         sessions and advised a cache.\n\
         These are the same seven sessions on `targets/nexus`, then the advice followed, then the \
         registry of Elixir's guide (\"Speeding up with ETS\") before and after its table.\n\
         Another machine, another PostgreSQL, loads of {seconds} s: ratios compare with the article, \
         absolute figures do not.\n\
         OTP {otp}; nothing was loaded on any node; each session is stored, and `giulia report`, \
         `giulia check` and `giulia compare` read it again.\n"
    );
    summary(&mut page, sessions, changes);
    sessions::table(&mut page, sessions);
    sessions::logger(&mut page, sessions);
    sessions::stress(&mut page, sessions);
    sessions::calls(&mut page, sessions);
    sessions::numbers(&mut page, sessions);
    for change in changes {
        changes::changed(&mut page, change);
    }
    priority(&mut page, changes);
    layers(&mut page, sessions, changes);
    page.push_str(
        "\n## How to read it again\n\n\
         `scripts/story FOLDER SECONDS OTP` writes this page; the sessions are in `giulia.db` beside \
         it: `giulia sessions --store giulia.db`, `giulia check story-7 --store giulia.db`.\n",
    );
    page
}

/// What somebody who reads nothing else should know.
fn summary(page: &mut String, sessions: &[Told], changes: &[Changed]) {
    page.push_str("## In short\n\n");
    let wrong = misplaced(sessions);
    let _ = writeln!(
        page,
        "- Calls belong to the module that they were made in: of the pipeline that the article saw \
         under `TableRegistry`, {} there is ours ({} of its names).",
        if wrong.is_empty() { "nothing" } else { "something" },
        wrong.len()
    );
    for change in changes {
        let advised: Vec<&str> = found(&change.before)
            .into_iter()
            .filter(|it| has_gain(it))
            .map(|it| text(it, "title"))
            .collect();
        let advised = match advised.as_slice() {
            [] => "no cache was advised: no process and no database was the bottleneck".to_owned(),
            titles => titles.join("; "),
        };
        let _ = writeln!(page, "- {}: {advised}. {}", change.what, changes::in_short(change));
    }
    page.push('\n');
}

fn has_gain(it: &Value) -> bool {
    it.get("gain").and_then(Value::as_array).is_some_and(|it| !it.is_empty())
}

/// The article's three actions, and ours.
fn priority(page: &mut String, changes: &[Changed]) {
    page.push_str(
        "\n## What to do first\n\nThe article:\n\n| # | action | impact | effort |\n|---|---|---|---|\n",
    );
    for (idx, (action, impact, effort)) in seed::ACTIONS.iter().enumerate() {
        let _ = writeln!(page, "| {} | {action} | {impact} | {effort} |", idx + 1);
    }
    for change in changes {
        let actions = change.before.pointer("/findings/actions").and_then(Value::as_array);
        let actions: Vec<&Value> = actions.into_iter().flatten().collect();
        let _ = writeln!(page, "\nHere, before the change ({}):\n", change.what);
        if actions.is_empty() {
            page.push_str("Nothing: no rule found anything to change.\n");
            continue;
        }
        page.push_str("| # | rule | action | impact | effort |\n|---|---|---|---|---|\n");
        for (idx, it) in actions.iter().enumerate() {
            let cell = |key: &str| text(it, key).replace('|', "\\|");
            let _ = writeln!(
                page,
                "| {} | `{}` | {} | {} | {} |",
                idx + 1,
                cell("rule"),
                cell("action"),
                cell("impact"),
                cell("effort")
            );
        }
    }
}

/// The article's last table, with what shows the same here.
fn layers(page: &mut String, sessions: &[Told], changes: &[Changed]) {
    page.push_str(
        "\n## What each layer revealed\n\n| finding | article: processes | article: functions | here, seen by |\n\
         |---|---|---|---|\n",
    );
    let all = || {
        let told = sessions.iter().map(|it| &it.checked);
        told.chain(changes.iter().map(|it| &it.before)).flat_map(findings)
    };
    for (finding, process, function, rule) in seed::LAYERS {
        let said = all()
            .filter(|it| text(it, "rule") == *rule && text(it, "outcome") != "not_enough_seen");
        let mut sources: Vec<&str> = said
            .flat_map(|it| it.get("evidence").and_then(Value::as_array).into_iter().flatten())
            .map(|it| text(it, "source"))
            .collect();
        sources.sort_unstable();
        sources.dedup();
        let here = match (sources.as_slice(), *rule) {
            (_, "") => "call counters, exact and by module".to_owned(),
            ([], _) => format!("`{rule}`: nothing to say"),
            (sources, _) => format!("`{rule}`: {}", sources.join(", ")),
        };
        let _ = writeln!(page, "| {finding} | {process} | {function} | {here} |");
    }
}

/// What the story claims, or an error that says what does not hold.
#[expect(clippy::print_stdout, reason = "the verdict is this program's data")]
pub(super) fn verdict(sessions: &[Told], changes: &[Changed]) -> Result<()> {
    let mut broken = Vec::new();
    let last = sessions.last().map(|it| &it.report);
    for name in misplaced(sessions) {
        broken.push(format!("{name} is told as a function of the registry"));
    }
    if last.and_then(|it| counted(it, REGISTRY, "get/1")).unwrap_or(0) == 0 {
        broken.push("no call of the registry was counted".to_owned());
    }
    if let Some(nexus) = changes.first() {
        let has = |it: &Value| found(it).iter().any(|it| text(it, "rule") == "rests_on_database");
        if !has(&nexus.before) {
            broken.push("a registry in PostgreSQL was not found".to_owned());
        }
        if has(&nexus.after) {
            broken.push("a registry in ETS was told to be in a database".to_owned());
        }
    }
    if changes.iter().any(|it| changes::predictions(it).is_empty()) {
        broken.push("a change without a prediction".to_owned());
    }
    if broken.is_empty() {
        println!("verdict: MET seven sessions told, no call credited to another module");
        return Ok(());
    }
    println!("verdict: NOT MET {}", broken.join("; "));
    bail!("the story does not hold")
}

/// Names of the repository's pipeline that were counted under the registry: there are none.
fn misplaced(sessions: &[Told]) -> Vec<&'static str> {
    let last = sessions.last().map(|it| &it.report);
    let is_there = |name: &&&str| {
        last.is_some_and(|it| {
            functions(it).any(|it| text(it, "module") == REGISTRY && text(it, "name") == **name)
        })
    };
    PIPELINE.iter().filter(|it| is_there(it)).copied().collect()
}

fn findings(checked: &Value) -> Vec<&Value> {
    let all = checked.pointer("/findings/findings").and_then(Value::as_array);
    all.into_iter().flatten().collect()
}

fn found(checked: &Value) -> Vec<&Value> {
    findings(checked).into_iter().filter(|it| text(it, "outcome") == "found").collect()
}

fn functions(report: &Value) -> impl Iterator<Item = &Value> {
    report.pointer("/trace/functions").and_then(Value::as_array).into_iter().flatten()
}

/// Calls of `name/arity` of a module; none where it is not there.
fn counted(report: &Value, module: &str, function: &str) -> Option<u64> {
    let (name, arity) = function.split_once('/')?;
    let arity: u64 = arity.parse().ok()?;
    functions(report)
        .find(|it| {
            let has_arity = it.get("arity").and_then(Value::as_u64) == Some(arity);
            text(it, "module") == module && text(it, "name") == name && has_arity
        })
        .and_then(|it| it.get("calls")?.as_u64())
}

fn number(of: &Value, pointer: &str) -> f64 {
    of.pointer(pointer).and_then(Value::as_f64).unwrap_or(0.0)
}

fn text<'a>(of: &'a Value, key: &str) -> &'a str {
    of.get(key).and_then(Value::as_str).unwrap_or("")
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Thousands kept apart, as the article writes them.
fn plain(value: f64) -> String {
    if value.abs() < 100.0 && value.fract() != 0.0 {
        return format!("{value:.2}");
    }
    let whole = format!("{value:.0}");
    let mut grouped = String::new();
    for (idx, it) in whole.chars().enumerate() {
        if idx > 0 && (whole.len() - idx) % 3 == 0 && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(it);
    }
    grouped
}

#[expect(clippy::cast_precision_loss, reason = "counts of a minute are far below 2^53")]
fn as_f64(it: u64) -> f64 {
    it as f64
}
