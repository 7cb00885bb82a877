//! `man`: giulia's manual pages, from the same declaration as its help.

use anyhow::Context as _;
use clap::{ArgMatches, Args, Command, FromArgMatches};

/// Print a manual page
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  giulia man | man -l -
  giulia man snapshot > giulia-snapshot.1")]
struct Params {
    /// The subcommand whose page is wanted; giulia's own without it.
    subcommand: Option<String>,
}

pub(super) fn command() -> Command {
    Params::augment_args(Command::new("man"))
}

pub(super) fn run(matches: &ArgMatches) -> anyhow::Result<String> {
    let Params { subcommand } = Params::from_arg_matches(matches)?;
    let mut giulia = crate::cli::command();
    // Options for all reach subcommands only once clap has built the whole.
    giulia.build();
    let page = match subcommand {
        None => giulia,
        Some(name) => {
            let found = giulia.find_subcommand(&name).cloned().with_context(|| {
                format!("there is no subcommand `{name}`; `giulia --help` lists them")
            })?;
            // Man pages of subcommands are found by `man giulia-snapshot`.
            found.name(format!("giulia-{name}")).bin_name(format!("giulia {name}"))
        }
    };
    let mut roff = Vec::new();
    clap_mangen::Man::new(page).render(&mut roff)?;
    Ok(String::from_utf8(roff)?)
}
