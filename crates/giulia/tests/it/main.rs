//! The program as people meet it: its help, its errors, its configuration.
#![cfg(test)]

mod advice;
mod bad_input;
mod config;
mod cookie;
mod flame;
mod live;
mod usage;

use std::process::{Command, Output};

/// The program with nothing of this machine's surroundings.
fn giulia(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_giulia"));
    command.args(args).env_clear().env("HOME", "/nowhere").env("PATH", "/usr/bin:/bin");
    command
}

/// What it printed to stdout, to stderr, and its exit code.
fn ran(output: &Output) -> (String, String, i32) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr), output.status.code().unwrap())
}
