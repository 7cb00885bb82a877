//! Sick programs and their healthy twins: each is found by its rule, and nobody else is.
//!
//! Once on one OTP, with those together that do not disturb each other; each alone, on every OTP
//! and ten times, is `scripts/evidence/06-zoo`.

use std::thread;

use giulia_testkit::{
    Node, Otp, ZooProgram, live_enabled, misjudged, otp, record_live, zoo_container, zoo_nodes,
};
use serde_json::Value;

use crate::home::Home;

/// The release that these run on.
const RELEASE: u32 = 27;
/// Nodes that sleep most of the time, at once.
const AT_ONCE: usize = 4;
/// These take whole cores, so they run alone; their twins do not.
const ALONE: [&str; 2] = ["busy", "bound"];

/// What is wrong in what giulia says of these programs on a node.
fn wrong(otp: &Otp, programs: &[ZooProgram], mode: &str) -> Vec<String> {
    let mut node = Node::builder(otp).name("zoo");
    for program in programs.iter().filter(|_| mode == "sick") {
        node = node.args(program.flags.iter().map(String::as_str));
    }
    let container = match zoo_container(programs) {
        Ok(container) => container,
        Err(why) => {
            eprintln!("skipped {}: no cgroup can be made here: {why}", programs[0].shares);
            return Vec::new();
        }
    };
    let (node, home) = (node.start(), Home::new());
    if let Some(container) = &container {
        container.enter(&node);
    }
    node.zoo(programs, mode);
    let output =
        home.to(&node, &["check", node.name(), "--for", "10s", "--json"]).output().unwrap();
    let talk = String::from_utf8_lossy(&output.stderr);
    let document: Value = match serde_json::from_slice(&output.stdout) {
        Ok(document) => document,
        Err(why) => return vec![format!("no document: {why}: {talk}")],
    };
    let told = misjudged(programs, mode == "sick", otp.release, &document);
    told.iter().map(|it| format!("{mode} {}: {it}", programs[0].shares)).collect()
}

fn all_right(test_name: &str, mode: &str, rounds: &[Vec<Vec<ZooProgram>>]) {
    let Some(otp) = otp(RELEASE).filter(|_| live_enabled()) else {
        eprintln!("live: skipped {test_name} (GIULIA_LIVE=1 and scripts/otp-matrix {RELEASE})");
        return;
    };
    let mut found = Vec::new();
    for round in rounds {
        let together: Vec<Vec<String>> = thread::scope(|scope| {
            let runs: Vec<_> =
                round.iter().map(|it| scope.spawn(|| wrong(&otp, it, mode))).collect();
            runs.into_iter().map(|it| it.join().unwrap()).collect()
        });
        for (programs, said) in round.iter().zip(together).filter(|it| !it.1.is_empty()) {
            // Several nodes and several giulias share the cores only to save time, and a program
            // that gets none of them is not sick. What holds is what is said of it alone.
            eprintln!("among {} nodes: {}; again, alone", round.len(), said.join("; "));
            found.extend(wrong(&otp, programs, mode));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    record_live(&otp, test_name);
}

#[test]
fn each_sick_program_is_found_by_its_rule_and_no_other() {
    let (alone, quiet): (Vec<_>, Vec<_>) =
        zoo_nodes().into_iter().partition(|(name, _)| ALONE.contains(&name.as_str()));
    let quiet: Vec<Vec<ZooProgram>> = quiet.into_iter().map(|it| it.1).collect();
    let mut rounds: Vec<_> = quiet.chunks(AT_ONCE).map(<[_]>::to_vec).collect();
    rounds.extend(alone.into_iter().map(|it| vec![it.1]));
    all_right("giulia::each_sick_program_is_found_by_its_rule", "sick", &rounds);
}

#[test]
fn nothing_is_found_on_healthy_twins() {
    let nodes: Vec<Vec<ZooProgram>> = zoo_nodes().into_values().collect();
    let rounds: Vec<_> = nodes.chunks(AT_ONCE).map(<[_]>::to_vec).collect();
    all_right("giulia::nothing_is_found_on_healthy_twins", "healthy", &rounds);
}
