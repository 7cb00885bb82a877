//! `import`: a session that was exported, into the store.

use std::{
    fs::File,
    io::{self, BufReader},
    path::PathBuf,
};

use anyhow::Context as _;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use giulia_engine::Archive;
use giulia_ops::SessionArg;

use crate::{cli::Global, config, render};

/// Add a session that was exported
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  giulia import shop.giulia
  giulia import shop.giulia --name before    under another name
  giulia report before")]
struct Params {
    /// The file, or `-` for standard input.
    file: PathBuf,
    /// The name that it gets here, in place of its own.
    #[arg(long, value_name = "NAME")]
    name: Option<SessionArg>,
}

pub(super) fn command() -> Command {
    crate::cli::keeping(Params::augment_args(Command::new("import")))
}

pub(super) fn run(matches: &ArgMatches, global: &Global) -> anyhow::Result<u8> {
    let Params { file, name } = Params::from_arg_matches(matches)?;
    let config = config::load(matches, global.config.as_deref())?;
    let archive = Archive::new(config.store()?.0);
    let rename = name.as_ref().map(SessionArg::as_str);
    let imported = if file.as_os_str() == "-" {
        giulia_engine::import(&archive, io::stdin().lock(), rename)
    } else {
        let shown = file.display();
        let opened = File::open(&file).with_context(|| format!("cannot read {shown}"))?;
        giulia_engine::import(&archive, BufReader::new(opened), rename)
    };
    let session = imported.with_context(|| format!("importing {}", file.display()))?;
    if !global.quiet {
        render::talk(&format!("{} is there; see `giulia report {0}`", session.name));
    }
    Ok(0)
}
