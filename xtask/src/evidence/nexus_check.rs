//! What `giulia check` says of the gateway of `targets/nexus`: on each registry, of a registry that
//! saturates and one that does not, and of each of its pathologies.

use std::{thread, time::Duration};

use anyhow::{Context, Result, ensure};
use giulia_testkit::{
    Nexus, Otp,
    findings::{names, said, text},
};
use serde_json::Value;

use super::{Options, nexus::giulia, verdict};

const REGISTRY: &str = "Nexus.Registry.TableRegistry";
const REPO: &str = "Nexus.Repo";
/// Until a load is in its stride.
const LEAD: Duration = Duration::from_secs(3);

/// A gateway under a load, and what has to be said of it.
struct Case {
    name: &'static str,
    registry: &'static str,
    pathology: Option<&'static str>,
    workers: u32,
    /// Functions to look at; without any those that waiting processes and busy servers name.
    traces: &'static [&'static str],
    says: &'static [Say],
    /// Rules that may find nothing about the registry.
    silent: &'static [&'static str],
}

/// A rule, a part of a culprit's name (of any or none where it is empty), the outcomes that are right,
/// and a part of what is said.
struct Say(&'static str, &'static str, &'static str, &'static str);

const BOTH: &[&str] = &[REGISTRY, REPO];
/// No cache for it, and no bottleneck.
const NO_ADVICE: &[&str] = &["rests_on_database", "serialising_process", "n_plus_one"];

/// What holds of the repository whatever the registry is, which stays in one of its two databases
/// for long. With the registry in the database nine of ten operations read; without, as many as the
/// rule's threshold is, and either answer is right.
const STRUCTURAL: Say = Say("repo_overhead", REPO, "clear", "structural");
const SWITCHES: Say = Say("repo_switching", REPO, "clear", "seldom");
const READS: Say = Say("repo_reads", REPO, "found", "read");

const CACHE_IT: Say = Say("rests_on_database", REGISTRY, "found", "stable: cache it");
/// Where both cores are taken, either answer is right and no third one.
const NOT_CLEAR: Say = Say("rests_on_database", "", "found|not_enough_seen", "TableRegistry.get/1");
const NO_BOTTLENECK: Say = Say("serialising_process", REGISTRY, "clear", "no bottleneck");
const BOTTLENECK: Say = Say("serialising_process", REGISTRY, "found", "serialises");

const CASES: [Case; 12] = [
    Case {
        name: "db",
        registry: "db",
        pathology: None,
        workers: 4,
        traces: BOTH,
        says: &[CACHE_IT, STRUCTURAL, SWITCHES, READS],
        silent: &["serialising_process"],
    },
    Case {
        name: "db, saturated",
        registry: "db",
        pathology: None,
        workers: 20,
        traces: BOTH,
        says: &[NOT_CLEAR, STRUCTURAL, SWITCHES, READS],
        silent: &["serialising_process"],
    },
    Case {
        name: "genserver",
        registry: "genserver",
        pathology: None,
        workers: 20,
        traces: BOTH,
        says: &[NO_BOTTLENECK, STRUCTURAL, SWITCHES],
        silent: NO_ADVICE,
    },
    Case {
        name: "genserver, saturated",
        registry: "genserver",
        pathology: Some("slow_registry"),
        workers: 20,
        traces: BOTH,
        says: &[BOTTLENECK],
        silent: &["rests_on_database"],
    },
    Case {
        name: "genserver, as slow and not saturated",
        registry: "genserver",
        pathology: Some("slow_registry"),
        workers: 1,
        traces: BOTH,
        says: &[NO_BOTTLENECK],
        silent: NO_ADVICE,
    },
    Case {
        name: "ets",
        registry: "ets",
        pathology: None,
        workers: 20,
        traces: BOTH,
        says: &[STRUCTURAL, SWITCHES],
        silent: NO_ADVICE,
    },
    Case {
        name: "persistent_term",
        registry: "persistent_term",
        pathology: None,
        workers: 20,
        traces: BOTH,
        says: &[STRUCTURAL, SWITCHES],
        silent: NO_ADVICE,
    },
    Case {
        name: "mailbox_leak",
        registry: "ets",
        pathology: Some("mailbox_leak"),
        workers: 4,
        traces: &[],
        says: &[Say("mailbox_growth", "Nexus.Pathology.Mailbox", "found", "")],
        silent: NO_ADVICE,
    },
    Case {
        name: "binary_leak",
        registry: "ets",
        pathology: Some("binary_leak"),
        workers: 4,
        traces: &[],
        says: &[Say("binary_retention", "Nexus.Pathology", "found", "")],
        silent: NO_ADVICE,
    },
    Case {
        name: "process_leak",
        registry: "ets",
        pathology: Some("process_leak"),
        workers: 4,
        traces: &[],
        says: &[Say("process_leak", "Nexus.Pathology", "found", "")],
        silent: NO_ADVICE,
    },
    Case {
        name: "atom_growth",
        registry: "ets",
        pathology: Some("atom_growth"),
        workers: 4,
        traces: &[],
        says: &[Say("atom_growth", "atoms", "found", "")],
        silent: NO_ADVICE,
    },
    Case {
        name: "n_plus_one",
        registry: "ets",
        pathology: Some("n_plus_one"),
        workers: 4,
        traces: &["Nexus.Operations", REPO],
        says: &[Say("n_plus_one", "Nexus.Operations", "found", "")],
        silent: &["rests_on_database", "serialising_process"],
    },
];

/// `--only` is a case; prints what was said of each, and what is wrong with that.
#[expect(clippy::print_stdout, reason = "figures are this program's data")]
pub(super) fn run(options: &Options) -> Result<()> {
    let otp = giulia_testkit::otp(options.otp.unwrap_or(27));
    let otp = otp.context("no such OTP here: scripts/otp-matrix 27")?;
    let chosen: Vec<&Case> = CASES.iter().filter(|it| options.is_chosen(it.name)).collect();
    ensure!(!chosen.is_empty(), "--only is none of {}", CASES.map(|it| it.name).join(", "));
    let mut wrong = 0;
    for case in &chosen {
        let document = checked(options, &otp, case).with_context(|| format!("on {}", case.name))?;
        let all = document.pointer("/findings/findings").and_then(Value::as_array);
        let all = all.context("an answer without findings")?;
        for it in all.iter().filter(|it| text(it, "outcome") == "found") {
            println!("{}: {} finds: {}", case.name, text(it, "rule"), text(it, "title"));
        }
        for it in case.says.iter().filter_map(|it| it.missed(all)).chain(case.spoke(all)) {
            wrong += 1;
            println!("{}: WRONG: {it}", case.name);
        }
    }
    verdict(
        wrong == 0,
        &format!("OTP {}, {} gateways: {wrong} wrong answers", otp.release, chosen.len()),
    )
}

impl Say {
    /// What is said instead.
    #[expect(clippy::print_stdout, reason = "figures are this program's data")]
    fn missed(&self, all: &[Value]) -> Option<String> {
        let Self(rule, culprit, outcome, part) = self;
        let of_rule: Vec<&Value> = all.iter().filter(|it| text(it, "rule") == *rule).collect();
        let is_it = |it: &&&Value| {
            outcome.split('|').any(|right| text(it, "outcome") == right)
                && (culprit.is_empty() || names(it, culprit))
                && format!("{} {}", text(it, "title"), text(it, "why")).contains(part)
        };
        if let Some(it) = of_rule.iter().find(is_it) {
            println!(
                "  {rule} {outcome}: {} ({}){}",
                text(it, "title"),
                text(it, "why"),
                gains(it)
            );
            return None;
        }
        let said: Vec<String> = of_rule.iter().map(|it| said(it)).collect();
        Some(format!("{rule} says {} and not `{outcome}` of {culprit}", said.join("; ")))
    }
}

impl Case {
    /// Rules that found what is not there.
    fn spoke(&self, all: &[Value]) -> Vec<String> {
        let is_wrong = |it: &&Value| {
            text(it, "outcome") == "found"
                && self.silent.contains(&text(it, "rule"))
                && names(it, REGISTRY)
        };
        all.iter().filter(is_wrong).map(|it| format!("{} {}", text(it, "rule"), said(it))).collect()
    }
}

/// What it predicts.
fn gains(it: &Value) -> String {
    let all = it.get("gain").and_then(Value::as_array).into_iter().flatten();
    let one = |it: &Value| {
        let figure = |key: &str| it.get(key).and_then(Value::as_f64).unwrap_or(f64::NAN);
        let (before, likely) = (figure("before"), figure("likely"));
        format!("; {} from {before:.2} to {likely:.2}", text(it, "unit"))
    };
    all.map(one).collect()
}

/// The answer of a check under the load.
fn checked(options: &Options, otp: &Otp, case: &Case) -> Result<Value> {
    let home = tempfile::tempdir()?;
    let more: Vec<&str> = case.pathology.iter().flat_map(|it| ["--pathology", it]).collect();
    let nexus = Nexus::start(otp, case.registry, &more);
    let load = nexus.load(case.workers);
    thread::sleep(LEAD);
    let mut command = giulia(options, &nexus, &["check", Nexus::NODE, "--for", "10s", "-q"]);
    command.args(case.traces.iter().flat_map(|it| ["--trace", it]));
    command.env("GIULIA_STORE", home.path().join("giulia.db"));
    let output = command.output();
    Nexus::end(load);
    let output = output?;
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    serde_json::from_slice(&output.stdout).with_context(|| format!("giulia check said {talk}"))
}
