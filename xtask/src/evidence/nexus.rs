//! The gateway of `targets/nexus` on each of its registries: its suite, the stress test, counts
//! against two other ways to know them, and what its registry rests on.

use std::{
    collections::BTreeMap,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};
use giulia_testkit::{Nexus, Otp};
use serde_json::Value;

use super::{Options, named, verdict};

const GET: &str = "Nexus.Registry.TableRegistry.get/1";

/// Requests whose calls are counted: every kind, and five visits to the other database.
const REQUESTS: u32 = 2000;

/// What the node may have grown by in a stress test: what 20 connections and their statements
/// hold, and the part of a heap that the next collection takes.
const GROWTH_MAX_BYTES: f64 = 8e6;

/// What each registry rests on: kind, a part of the name, processes between.
fn truth(registry: &str, postgres: u16) -> Result<(&'static str, String, u64)> {
    let table = || "TableRegistry".to_owned();
    Ok(match registry {
        "db" => ("socket", format!("127.0.0.1:{postgres}"), 1),
        "genserver" => ("process", table(), 0),
        "ets" => ("ets_table", table(), 0),
        "persistent_term" => ("persistent_term", table(), 0),
        _ => bail!("no truth for {registry}"),
    })
}

/// `--runs` is the seconds of a stress test; prints a line for each registry.
#[expect(clippy::print_stdout, reason = "figures are this program's data")]
pub(super) fn run(options: &Options) -> Result<()> {
    let otp = giulia_testkit::otp(options.otp.unwrap_or(27));
    let otp = otp.context("no such OTP here: scripts/otp-matrix 27")?;
    let mut wrong = Vec::new();
    let registries = Nexus::REGISTRIES.into_iter();
    let chosen: Vec<_> = registries.filter(|it| options.is_chosen(it)).collect();
    ensure!(!chosen.is_empty(), "--only is none of {}", Nexus::REGISTRIES.join(", "));
    for registry in &chosen {
        let seen = Seen::of(options, &otp, registry).with_context(|| format!("with {registry}"))?;
        println!("{registry}: {}", seen.text);
        wrong.extend(seen.wrong.iter().map(|it| format!("{registry}: {it}")));
    }
    let text = format!(
        "OTP {}, registries {}: the suite passes, a stress test of {} s has no errors and flat memory, \
         counts equal the truth file and the build that counts, and explain names what each rests on{}{}",
        otp.release,
        chosen.join(", "),
        options.runs,
        if wrong.is_empty() { "" } else { "; not: " },
        wrong.join("; ")
    );
    verdict(wrong.is_empty(), &text)
}

/// What one registry showed.
struct Seen {
    text: String,
    wrong: Vec<&'static str>,
}

impl Seen {
    fn of(options: &Options, otp: &Otp, registry: &str) -> Result<Self> {
        let mut wrong = Vec::new();
        let mut check = |holds: bool, what: &'static str| {
            if !holds {
                wrong.push(what);
            }
        };
        let nexus = Nexus::start(otp, registry, &[]);
        let suite = nexus.script(&["suite"]);
        let passed = suite.data.lines().last().unwrap_or_default().to_owned();
        check(passed == "suite: 61 of 61 passed", "the suite");
        let stress = figures(&nexus, &["load", "--for", &options.runs.to_string()])?;
        let figure = |name: &str| stress.get(name).copied().unwrap_or(f64::NAN);
        check(figure("errors") == 0.0, "errors under stress");
        let growth = figure("memory_after_bytes") - figure("memory_before_bytes");
        check(growth < GROWTH_MAX_BYTES, "memory under stress");
        let truth_file = nexus.truth(REQUESTS);
        let counted = counted(options, &nexus)?;
        check(counted == truth_file, "counts");
        let (kind, name, hops) = truth(registry, nexus.ports()[2])?;
        let place = explained(options, &nexus)?;
        let is = |field: &str, value: &Value| place.get(field) == Some(value);
        let shown = place.get("name").and_then(Value::as_str).unwrap_or_default();
        let is_right =
            is("kind", &kind.into()) && is("hops", &hops.into()) && shown.contains(&name);
        check(is_right, "what it rests on");
        drop(nexus);
        // The same modules with a counter in each function, and no giulia.
        let nexus = Nexus::start(otp, registry, &["--counted"]);
        figures(&nexus, &["load", "--requests", &REQUESTS.to_string()])?;
        check(nexus.counters() == truth_file, "the build that counts");
        let text = format!(
            "{passed}; {:.0} operations in {:.0} s, {:.0}/s, {} errors, median {} ms, p95 {} ms, p99 {} ms, max {} ms; \
             memory {:.1} MB then {:.1} MB; {} functions and {} calls of {REQUESTS} requests counted; rests on {kind} {shown} ({:.0} % of the time)",
            figure("operations"),
            figure("seconds"),
            figure("operations_per_second"),
            figure("errors"),
            figure("median_ms"),
            figure("p95_ms"),
            figure("p99_ms"),
            figure("max_ms"),
            figure("memory_before_bytes") / 1e6,
            figure("memory_after_bytes") / 1e6,
            counted.len(),
            counted.values().sum::<u64>(),
            place.get("share_of_time").and_then(Value::as_f64).unwrap_or_default() * 100.0,
        );
        Ok(Self { text, wrong })
    }
}

/// The last line of a load, by name.
pub(super) fn figures(nexus: &Nexus, args: &[&str]) -> Result<BTreeMap<String, f64>> {
    let said = nexus.script(args);
    let figures = named(&said.data);
    ensure!(figures.contains_key("errors"), "scripts/nexus {args:?}: {}{}", said.data, said.talk);
    Ok(figures)
}

/// A command that asks the gateway.
pub(super) fn giulia(options: &Options, nexus: &Nexus, args: &[&str]) -> Command {
    let mut command = Command::new(&options.giulia);
    command.args(args).args(["--json", "--cookie-file"]).arg(nexus.cookie_file());
    command.env("GIULIA_TIMEOUT", "30s");
    command.env("ERL_EPMD_PORT", nexus.ports()[0].to_string()).stdin(Stdio::null());
    command
}

/// Calls by function as giulia counts them while the load runs, of those that were called.
fn counted(options: &Options, nexus: &Nexus) -> Result<BTreeMap<String, u64>> {
    let store = tempfile::tempdir()?;
    let mut observe = giulia(options, nexus, &["observe", Nexus::NODE, "--budget", "100%"]);
    observe.args(["--trace", "Nexus.Repo", "Nexus.Registry.TableRegistry", "--"]);
    observe.args(nexus.words(&["load", "--requests", &REQUESTS.to_string()]));
    let output = observe.env("GIULIA_STORE", store.path().join("giulia.db")).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    // What the load said comes first.
    let report = said.find("\n{").and_then(|it| said.get(it..)).unwrap_or_default();
    let report: Value = serde_json::from_str(report)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    let is_complete = report.pointer("/trace/complete").and_then(Value::as_bool);
    ensure!(is_complete == Some(true), "calls are missing: {:?}", report.pointer("/trace/gaps"));
    let mut found = BTreeMap::new();
    for it in report.pointer("/trace/functions").and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| it.get(name).and_then(Value::as_str).unwrap_or_default();
        let arity = it.get("arity").and_then(Value::as_u64).unwrap_or_default();
        let module = text("module");
        let module = module.strip_prefix("Elixir.").unwrap_or(module);
        let calls = it.get("calls").and_then(Value::as_u64).context("a function was lost")?;
        if calls > 0 {
            found.insert(format!("{module}.{}/{arity}", text("name")), calls);
        }
    }
    Ok(found)
}

/// The first thing that the registry rests on, while a load runs.
fn explained(options: &Options, nexus: &Nexus) -> Result<Value> {
    let load = nexus.load(4);
    let args = ["explain", Nexus::NODE, GET, "--for", "10s", "--accept-vm-bug"];
    let output = giulia(options, nexus, &args).output();
    Nexus::end(load);
    let document: Value =
        serde_json::from_slice(&output?.stdout).context("what giulia explain said")?;
    Ok(document.pointer("/rests_on/0").cloned().unwrap_or_default())
}
