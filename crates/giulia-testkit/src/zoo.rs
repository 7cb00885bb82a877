//! The zoo of `targets/zoo`: which program belongs to which rule, and what is a wrong answer.
//!
//! The table in its README is the only place that says so; tests and evidence read it there.

use std::{collections::BTreeMap, fs, io, path::Path};

use serde_json::Value;

use crate::{
    fail::{OrFail, fail},
    findings::{names, said, text},
    group::{Group, Limits},
    node::Node,
};

/// One program, sick in one way.
#[derive(Debug, Clone, PartialEq)]
pub struct ZooProgram {
    /// Its module.
    pub name: String,
    /// The rule that has to find it.
    pub rule: String,
    /// Parts of names: the rule has to name the first as a culprit, and may name the others.
    pub culprits: Vec<String>,
    /// Programs of one such name may run on one node at the same time.
    pub shares: String,
    /// Flags that its node needs.
    pub flags: Vec<String>,
    /// Limits of the container that its node is put into, where it is about those.
    pub container: Option<Limits>,
}

/// Rules that rest on spans, which the VM of OTP 23 cannot give safely.
const BY_SPANS: [&str; 4] =
    ["rests_on_database", "pool_exhaustion", "n_plus_one", "waits_downstream"];
/// The first release with spans.
const SPANS_FROM: u32 = 25;
/// Rules that rest on who calls functions of `ets` that take objects, which a bug of the VM of OTP 25
/// here (ERTS 13.1.5) forbids to sample, also where others are accepted.
const BY_OBJECTS: [&str; 2] = ["ets_public_writers", "ets_written_by_cast"];
const BUGGY: u32 = 25;

fn tree() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// All programs, in the order of the README.
#[track_caller]
pub fn zoo() -> Vec<ZooProgram> {
    let readme = fs::read_to_string(tree().join("targets/zoo/README.md"));
    let programs: Vec<ZooProgram> =
        readme.or_fail("reading the zoo's README").lines().filter_map(row).collect();
    if programs.is_empty() {
        fail("the table in targets/zoo/README.md holds no program");
    }
    programs
}

/// The programs by the node that they share, in the order of the names.
pub fn zoo_nodes() -> BTreeMap<String, Vec<ZooProgram>> {
    let mut nodes: BTreeMap<String, Vec<ZooProgram>> = BTreeMap::new();
    for program in zoo() {
        nodes.entry(program.shares.clone()).or_default().push(program);
    }
    nodes
}

fn row(line: &str) -> Option<ZooProgram> {
    let cells: Vec<&str> = line.strip_prefix("| `zoo_").and(Some(line))?.split('|').collect();
    let cell = |idx: usize| cells.get(idx).map(|it| it.trim().trim_matches('`').to_owned());
    Some(ZooProgram {
        name: cell(1)?,
        rule: cell(2)?,
        culprits: cell(3)?.split(", ").map(|it| it.trim_matches('`').to_owned()).collect(),
        shares: cell(4)?,
        flags: cell(5)?.split_whitespace().map(str::to_owned).collect(),
        container: cell(6).filter(|it| !it.is_empty()).map(|it| container(&it)),
    })
}

/// `256 MiB` or `0.5 cores`.
#[track_caller]
fn container(told: &str) -> Limits {
    let (figure, unit) = told.split_once(' ').unwrap_or((told, ""));
    match unit {
        "MiB" => {
            let mib: u64 = figure.parse().or_fail("reading a container's memory");
            Limits { memory_bytes: Some(mib << 20), ..Limits::default() }
        }
        "cores" => {
            let cores = figure.parse().or_fail("reading a container's cores");
            Limits { cpu_cores: Some(cores), ..Limits::default() }
        }
        _ => fail(format_args!("targets/zoo/README.md: a container of `{told}`")),
    }
}

/// The container that the node of these programs has to be in; it has to outlive the node.
///
/// # Errors
///
/// Why this machine lets nobody make one.
pub fn zoo_container(programs: &[ZooProgram]) -> io::Result<Option<Group>> {
    programs.iter().find_map(|it| it.container).map(Group::make).transpose()
}

impl Node {
    /// Starts the zoo if it is not there, and these programs in it: `sick` or `healthy`.
    #[track_caller]
    pub fn zoo<'a>(&self, programs: impl IntoIterator<Item = &'a ZooProgram>, mode: &str) {
        self.eval("{ok, _} = application:ensure_all_started(zoo)");
        for it in programs {
            self.eval(&format!("ok = zoo:start({}, {mode})", it.name));
        }
    }
}

/// What is wrong in the answer of `giulia check --json` about a node on which these programs run.
///
/// A healthy node has no finding. On a sick one each program is found by its rule with its culprit,
/// and whatever else is found stands on the page of its rule.
pub fn misjudged(
    programs: &[ZooProgram],
    is_sick: bool,
    release: u32,
    document: &Value,
) -> Vec<String> {
    let findings = document.pointer("/findings/findings").and_then(Value::as_array);
    let Some(findings) = findings else { return vec!["there are no findings".to_owned()] };
    let mut wrong = Vec::new();
    for it in findings.iter().filter(|it| text(it, "outcome") == "found") {
        let rule = text(it, "rule");
        let is_right = |program: &ZooProgram| {
            let is_its = program.culprits.iter().any(|culprit| names(it, culprit));
            (program.rule == rule && is_its) || is_listed(rule, &program.name)
        };
        if !is_sick || !programs.iter().any(is_right) {
            wrong.push(format!("{rule} fires: {} ({})", text(it, "title"), text(it, "why")));
        }
    }
    for program in programs.iter().filter(|_| is_sick) {
        let of_rule: Vec<&Value> =
            findings.iter().filter(|it| text(it, "rule") == program.rule).collect();
        let Some(culprit) = program.culprits.first() else { continue };
        let is_found = |it: &&&Value| text(it, "outcome") == "found" && names(it, culprit);
        // Who cannot see it has to say so.
        let rule = program.rule.as_str();
        let is_blind = (release < SPANS_FROM && BY_SPANS.contains(&rule))
            || (release == BUGGY && BY_OBJECTS.contains(&rule));
        let is_told = |it: &&&Value| is_blind && text(it, "outcome") == "not_enough_seen";
        if !of_rule.iter().any(|it| is_found(&it) || is_told(&it)) {
            let said: Vec<String> = of_rule.iter().map(|it| said(it)).collect();
            wrong.push(format!(
                "{} is missed: {} says {}, and not {}",
                program.name,
                program.rule,
                said.join("; "),
                culprit
            ));
        }
    }
    wrong
}

/// Whether the page of a rule says that it fires on this program too.
fn is_listed(rule: &str, program: &str) -> bool {
    let page = fs::read_to_string(tree().join(format!("docs/rules/{rule}.md")));
    page.is_ok_and(|it| it.contains(&format!("`{program}`")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_row_is_a_program_with_a_rule_that_has_a_page() {
        for it in zoo() {
            let source = tree().join(format!("targets/zoo/src/{}.erl", it.name));
            assert!(source.is_file(), "{}", source.display());
            let page = tree().join(format!("docs/rules/{}.md", it.rule));
            assert!(page.is_file(), "{}", page.display());
            let culprit = it.culprits.first().is_some_and(|it| !it.is_empty());
            assert!(culprit && !it.shares.is_empty(), "{it:?}");
        }
    }

    #[test]
    fn a_page_lists_three_strangers_at_most() {
        let programs = zoo();
        for page in fs::read_dir(tree().join("docs/rules")).unwrap() {
            let path = page.unwrap().path();
            let rule = path.file_stem().unwrap().to_string_lossy().into_owned();
            let foreign =
                programs.iter().filter(|it| it.rule != rule && is_listed(&rule, &it.name));
            let foreign: Vec<&str> = foreign.map(|it| it.name.as_str()).collect();
            assert!(foreign.len() <= 3, "docs/rules/{rule}.md lists {foreign:?}");
        }
    }

    #[test]
    fn missed_and_wrong_findings_are_told_apart() {
        let program = ZooProgram {
            name: "zoo_x".to_owned(),
            rule: "mailbox_growth".to_owned(),
            culprits: vec!["zoo_orders".to_owned()],
            shares: "a".to_owned(),
            flags: Vec::new(),
            container: None,
        };
        let of = |rule: &str, culprit: &str| {
            json!({"findings": {"findings": [
                {"rule": rule, "outcome": "found", "culprits": [{"name": culprit}]}]}})
        };
        let programs = [program];
        let judged =
            |rule, culprit, is_sick| misjudged(&programs, is_sick, 27, &of(rule, culprit)).len();
        assert_eq!(judged("mailbox_growth", "zoo_orders", true), 0);
        assert_eq!(judged("mailbox_growth", "zoo_orders", false), 1);
        // Wrong, and missed.
        assert_eq!(judged("mailbox_growth", "another", true), 2);
        assert_eq!(judged("large_heap", "zoo_orders", true), 2);
    }
}
