//! The story as one page of Markdown: what was published, what we saw, and what became of advice.

use std::fmt::Write as _;

use anyhow::{Result, bail};
use serde_json::Value;

use super::{
    Changed, Told,
    lab::Figures,
    seed::{CALLS, SESSIONS},
};

const REPO: &str = "Elixir.Nexus.Repo";
const REGISTRY: &str = "Elixir.Nexus.Registry.TableRegistry";
/// Names that the article found under the registry, where they are not.
const PIPELINE: [&str; 3] = ["prepare_opts", "default_options", "prepare_query"];

pub(super) fn write(otp: u32, sessions: &[Told], changes: &[Changed]) -> String {
    let mut page = String::from("# A stranger's node, told again\n\n");
    page.push_str(
        "The article of 2026 observed its Nexus in seven sessions; these are the same seven on \
         `targets/nexus`, on another machine, so ratios compare and absolute figures do not.\n",
    );
    let _ = writeln!(page, "OTP {otp}; each session is stored and can be read again.\n");
    table_of_sessions(&mut page, sessions);
    page.push_str("\n## Who called what\n\n");
    calls(&mut page, sessions);
    for change in changes {
        changed(&mut page, change);
    }
    page
}

fn table_of_sessions(page: &mut String, sessions: &[Told]) {
    page.push_str(
        "## Seven sessions\n\n\
         | session | seconds: article, here | run queue at most: article, here | busiest module: \
         article | busiest group here | logger's share: article, here | requests/s, p95 here |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for (place, (seed, told)) in SESSIONS.iter().zip(sessions).enumerate() {
        let report = &told.report;
        let work = report.get("work").unwrap_or(&Value::Null);
        let top = work.pointer("/by_initial_call/rows/0");
        let name = top.and_then(|it| it.get("name")).and_then(Value::as_str).unwrap_or("nobody");
        let load = match (told.load.get("throughput"), told.load.get("p95_ms")) {
            (Some(rate), Some(p95)) => format!("{rate:.0}, {p95:.1} ms"),
            _ => "-".to_owned(),
        };
        let queue = seed.run_queue.map_or("-".to_owned(), |it| it.to_string());
        let _ = writeln!(
            page,
            "| {}. {} | {}, {:.0} | {queue}, {:.0} | {} | `{name}` {} | {}, {} | {load} |",
            place + 1,
            seed.title,
            seed.seconds,
            number(report, "/window/elapsed_ms") / 1000.0,
            number(report, "/schedulers/run_queue/max"),
            seed.top,
            percent(top.map_or(0.0, |it| number(it, "/share"))),
            seed.logger,
            percent(number(work, "/logger/share")),
        );
    }
}

/// Session 7: each module's own calls, where the article counted by name and arity alone.
fn calls(page: &mut String, sessions: &[Told]) {
    let Some(told) = sessions.last() else { return };
    page.push_str(
        "The article's tracer counted by name and arity, without the module, and so found the \
         pipeline of the repository under the registry.\n\
         Counters of the VM belong to one function of one module:\n\n\
         | function | `Nexus.Repo`: article, here | `TableRegistry`: article, here |\n|---|---|---|\n",
    );
    let shown = |module: &str, name: &str| {
        counted(&told.report, module, name).map_or("none".to_owned(), |it| it.to_string())
    };
    for (name, repo, registry) in CALLS {
        let (ours, theirs) = (shown(REPO, name), shown(REGISTRY, name));
        let _ = writeln!(page, "| `{name}` | {repo}, {ours} | {registry}, {theirs} |");
    }
    let reads = counted(&told.report, REPO, "all/1").unwrap_or(0)
        + counted(&told.report, REPO, "one/1").unwrap_or(0);
    let writes = counted(&told.report, REPO, "insert_all/3").unwrap_or(0);
    let pipeline: u64 = ["prepare_opts/2", "default_options/1", "prepare_query/3"]
        .iter()
        .filter_map(|it| counted(&told.report, REPO, it))
        .sum();
    let operations = (reads + writes).max(1);
    let _ = writeln!(
        page,
        "\nReads and writes of the repository: {reads} and {writes} (article: 87 % reads); pipeline \
         calls by operation: {:.2} (article: 1.38, over operations that it counted twice).",
        as_f64(pipeline) / as_f64(operations)
    );
}

fn changed(page: &mut String, change: &Changed) {
    let _ = writeln!(page, "\n## {}\n", change.what);
    for (when, checked, load) in
        [("Before", &change.before, &change.loads[0]), ("After", &change.after, &change.loads[1])]
    {
        let _ = writeln!(page, "{when}: {}.\n", load_text(load));
        for it in found(checked) {
            let _ = writeln!(
                page,
                "- **{}** ({}): {}",
                text(it, "title"),
                text(it, "severity"),
                text(it, "why")
            );
        }
        if found(checked).is_empty() {
            page.push_str("- nothing found\n");
        }
        page.push('\n');
    }
    let _ = writeln!(page, "```\n{}\n```", change.compared.trim_end());
}

fn load_text(load: &Figures) -> String {
    if load.is_empty() {
        return "no load".to_owned();
    }
    let shown: Vec<String> = load.iter().map(|(name, value)| format!("{name} {value}")).collect();
    format!("the load said {}", shown.join(", "))
}

/// What the story claims, or an error that says what does not hold.
#[expect(clippy::print_stdout, reason = "the verdict is this program's data")]
pub(super) fn verdict(sessions: &[Told], changes: &[Changed]) -> Result<()> {
    let mut broken = Vec::new();
    let last = sessions.last().map(|it| &it.report);
    for name in PIPELINE {
        let is_there = last.is_some_and(|it| {
            functions(it).any(|it| text(it, "module") == REGISTRY && text(it, "name") == name)
        });
        if is_there {
            broken.push(format!("{name} is told as a function of the registry"));
        }
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
    if broken.is_empty() {
        println!("verdict: MET seven sessions told, no call credited to another module");
        return Ok(());
    }
    println!("verdict: NOT MET {}", broken.join("; "));
    bail!("the story does not hold")
}

fn found(checked: &Value) -> Vec<&Value> {
    let all = checked.pointer("/findings/findings").and_then(Value::as_array);
    all.into_iter().flatten().filter(|it| text(it, "outcome") == "found").collect()
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

#[expect(clippy::cast_precision_loss, reason = "counts of a minute are far below 2^53")]
fn as_f64(it: u64) -> f64 {
    it as f64
}
