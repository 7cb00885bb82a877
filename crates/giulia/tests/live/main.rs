//! What the program says of a node whose truth is known, and what it leaves there.
#![cfg(test)]

mod check;
mod code;
mod counted_sessions;
mod disks;
mod explain;
mod home;
mod leaves_nothing;
mod nexus;
mod postgres;
mod profiles;
mod sessions;
mod trace;
mod trace_trouble;
mod trouble;
mod truth;
mod zoo;

use std::process::Command;

use giulia_testkit::Node;
use serde_json::Value;

/// The program, pointed at this node, with nothing of this machine's surroundings.
fn giulia(node: &Node, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_giulia"));
    command.args(args).arg(node.name()).env_clear();
    command.env("HOME", "/nowhere").env("PATH", "/usr/bin:/bin");
    // The machine is shared with other tests: what is measured here is not speed.
    command.args(["--timeout", "30s"]);
    command.env("GIULIA_COOKIE", node.cookie());
    command.env("ERL_EPMD_PORT", node.epmd_port().to_string());
    command
}

/// The document that a snapshot prints.
fn snapshot(node: &Node, args: &[&str]) -> Value {
    let output = giulia(node, &[&["snapshot", "--json"], args].concat()).output().unwrap();
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {talk}");
    serde_json::from_slice(&output.stdout).unwrap()
}
