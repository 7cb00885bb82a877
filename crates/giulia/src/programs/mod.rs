//! Subcommands that are not operations: they concern this machine and no node.

use clap::{ArgMatches, Command};

mod completions;
mod config;
mod man;

/// One such subcommand.
pub(crate) struct Program {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its command line.
    pub(crate) command: fn() -> Command,
    /// What it prints.
    pub(crate) run: fn(&ArgMatches) -> anyhow::Result<String>,
}

/// Every program, in the order in which help lists them.
pub(crate) static PROGRAMS: &[Program] = &[
    Program { name: "config", command: config::command, run: config::run },
    Program { name: "completions", command: completions::command, run: completions::run },
    Program { name: "man", command: man::command, run: man::run },
];
