//! Subcommands that are not operations: they touch the caller's machine (its files, commands,
//! cookies and processes), which no other face may.

use clap::{ArgMatches, Command};

use crate::cli::Global;

mod completions;
mod config;
mod export;
mod import;
mod man;
mod observe;

/// One such subcommand.
pub(crate) struct Program {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its command line.
    pub(crate) command: fn() -> Command,
    /// What it does.
    pub(crate) run: Run,
}

/// How a program ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Run {
    /// It prints this, and that is all.
    Prints(fn(&ArgMatches) -> anyhow::Result<String>),
    /// It prints as it goes, and says the exit code.
    Does(fn(&ArgMatches, &Global) -> anyhow::Result<u8>),
}

/// Every program, in the order in which help lists them.
pub(crate) static PROGRAMS: &[Program] = &[
    Program { name: "observe", command: observe::command, run: Run::Does(observe::run) },
    Program { name: "export", command: export::command, run: Run::Does(export::run) },
    Program { name: "import", command: import::command, run: Run::Does(import::run) },
    Program { name: "config", command: config::command, run: Run::Prints(config::run) },
    Program {
        name: "completions",
        command: completions::command,
        run: Run::Prints(completions::run),
    },
    Program { name: "man", command: man::command, run: Run::Prints(man::run) },
];
