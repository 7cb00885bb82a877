//! The command line: operations from their table, programs from theirs, options for all.

use std::path::PathBuf;

use clap::{Arg, ArgAction, Args, Command, CommandFactory, Parser};
use giulia_ops::{AnyOperation, GROUPS, Group, Kind, OPS};

use crate::{
    config::{CookieArgs, DatabaseArgs, Settings, StoreArgs, reference},
    programs::PROGRAMS,
};

/// Attach to somebody else's BEAM node, change nothing, and say what it is doing.
#[derive(Debug, Parser)]
#[command(
    name = "giulia",
    version,
    after_help = EXAMPLES,
    next_help_heading = "For every command"
)]
pub(crate) struct Global {
    /// Configuration file, in place of the usual giulia.toml or `GIULIA_CONFIG`.
    #[arg(long, global = true, env = "GIULIA_CONFIG", hide_env = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// When to use colour: auto, always or never (auto obeys `NO_COLOR`).
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_default_value = true,
        hide_possible_values = true
    )]
    pub(crate) color: When,
    /// Say on stderr what giulia itself does; twice for more.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// No progress, no warnings.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum When {
    /// On a terminal that wants it.
    Auto,
    /// Also into a file.
    Always,
    /// Not at all.
    Never,
}

/// How an answer is printed.
#[derive(Debug, Args)]
pub(crate) struct Printing {
    /// Print the answer as a JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where an answer that can be a file of another format goes.
#[derive(Debug, Args)]
pub(crate) struct Writing {
    /// Write a file, in the format that its name ends with; in place of the text.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// The file's format, where its name does not say; without -o, to standard output.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<String>,
}

/// The flag of answers that can be Markdown.
pub(crate) const MARKDOWN: &str = "md";

const EXAMPLES: &str = "\
Examples:
  giulia doctor shop@db1                 can I attach, and if not, why?
  giulia check shop@db1                  what is wrong with it, and what to do? records a session

Cookie: --cookie-file, --cookie, GIULIA_COOKIE, RELEASE_COOKIE, cookie_file or ~/.erlang.cookie.
giulia logs by -v, -vv or GIULIA_LOG (e.g. GIULIA_LOG=giulia_dist=trace), never a cookie.
Exit codes: 0 done; 1 found by `check`; 2 failure or usage; 130 second Ctrl-C; `observe -- C`: of C.";

/// The whole command line.
pub(crate) fn command() -> Command {
    let mut command = Global::command()
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        // One screen whichever way one asks; the details are in the help of each command.
        .disable_help_flag(true)
        .arg(
            Arg::new("help")
                .short('h')
                .long("help")
                .action(ArgAction::HelpShort)
                .help("Print help"),
        )
        .max_term_width(100);
    for &operation in OPS {
        let Some(name) = operation.group() else {
            command = command.subcommand(with_help(with_options(operation)));
            continue;
        };
        // The first of a group brings all of it.
        if !command.get_subcommands().any(|it| it.get_name() == name)
            && let Some(it) = GROUPS.iter().find(|it| it.name == name)
        {
            command = command.subcommand(group(it));
        }
    }
    for program in PROGRAMS {
        command = command.subcommand((program.command)().arg(help(ArgAction::Help)));
    }
    command
}

/// A group with its operations.
fn group(group: &Group) -> Command {
    let command = Command::new(group.name)
        .about(group.about)
        .long_about(format!("{}.\n\n{}", group.about, group.details))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true);
    let operations = OPS.iter().filter(|it| it.group() == Some(group.name));
    let operations = operations.map(|it| with_help(with_options(*it)));
    with_help(command.subcommands(operations))
}

/// A subcommand of a subcommand, with the help that all have.
pub(crate) fn with_help(command: Command) -> Command {
    command.disable_help_flag(true).arg(help(ArgAction::Help))
}

fn help(action: ArgAction) -> Arg {
    Arg::new("help")
        .short('h')
        .long("help")
        .action(action)
        .help("Print help")
        .help_heading("For every command")
}

/// What the program adds to an operation: how to print, and how to reach what it asks.
fn with_options(operation: &dyn AnyOperation) -> Command {
    let mut command = keeping_text(operation.command(), Printing::augment_args);
    if operation.has_markdown() {
        command = command.arg(
            Arg::new(MARKDOWN)
                .long(MARKDOWN)
                .action(ArgAction::SetTrue)
                .conflicts_with("json")
                .help("Print the answer as Markdown"),
        );
    }
    let formats = operation.formats();
    if !formats.is_empty() {
        let names: Vec<&str> = formats.iter().map(|it| it.name).collect();
        command = keeping_text(command, Writing::augment_args);
        command = command.mut_arg("format", |arg| {
            arg.value_parser(clap::builder::PossibleValuesParser::new(names))
        });
        for name in ["output", "format"] {
            command = command.mut_arg(name, |arg| arg.conflicts_with("json"));
        }
    }
    match operation.kind() {
        Kind::Live if operation.keeps() => keeping(reaching(command)),
        Kind::Live => reaching(command),
        Kind::Recording => witnessing(keeping(reaching(command))),
        Kind::Query | Kind::Job | Kind::Change => keeping(command),
    }
}

/// Where sessions are kept, for whatever reads or writes them.
pub(crate) fn keeping(command: Command) -> Command {
    keeping_text(command, StoreArgs::augment_args)
}

/// The database behind the node, for whatever records a session.
pub(crate) fn witnessing(command: Command) -> Command {
    keeping_text(command, DatabaseArgs::augment_args)
}

/// The settings and the cookie, for whatever dials.
pub(crate) fn reaching(command: Command) -> Command {
    let add = |it| Settings::augment_args(CookieArgs::augment_args(it));
    let mut command = keeping_text(command, add);
    for entry in reference::entries() {
        command = command.mut_arg(&entry.key, |arg| {
            let default = entry.default_shown().map(|it| format!(" [default: {it}]"));
            let short = format!("{}{}", entry.about, default.unwrap_or_default());
            let long = format!("{short}\nVariable: {}", entry.variable);
            arg.help(short).long_help(long)
        });
    }
    command
}

/// Adding the arguments of a struct replaces the command's text by the struct's own.
fn keeping_text(command: Command, add: impl FnOnce(Command) -> Command) -> Command {
    let (about, long_about) = (command.get_about().cloned(), command.get_long_about().cloned());
    let command = add(command);
    let about = about.unwrap_or_default();
    command.about(about.clone()).long_about(long_about.unwrap_or(about))
}

#[cfg(test)]
mod tests {
    #[test]
    fn clap_finds_no_contradiction() {
        super::command().debug_assert();
    }

    #[test]
    fn help_fits_one_screen() {
        let help = super::command().render_help().to_string();
        assert!(help.lines().count() <= 48, "{help}");
        assert!(help.lines().all(|it| it.chars().count() <= 100), "{help}");
    }
}
