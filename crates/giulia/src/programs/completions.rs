//! `completions`: what a shell needs to complete giulia's command line.

use clap::{ArgMatches, Args, Command, FromArgMatches};
use clap_complete::Shell;

/// Print completions for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  giulia completions bash > ~/.local/share/bash-completion/completions/giulia
  giulia completions zsh  > ~/.zfunc/_giulia
  giulia completions fish > ~/.config/fish/completions/giulia.fish")]
struct Params {
    /// The shell.
    shell: Shell,
}

pub(super) fn command() -> Command {
    Params::augment_args(Command::new("completions"))
}

pub(super) fn run(matches: &ArgMatches) -> anyhow::Result<String> {
    let Params { shell } = Params::from_arg_matches(matches)?;
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut crate::cli::command(), "giulia", &mut script);
    Ok(String::from_utf8(script)?)
}
