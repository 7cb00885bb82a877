//! `export`: a session as one file, for another machine or an issue.

use std::{
    fs::{self, OpenOptions, Permissions},
    io::{self, BufWriter, IsTerminal as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use clap::{ArgMatches, Args, Command, FromArgMatches};
use giulia_engine::Archive;
use giulia_ops::SessionArg;

use crate::{cli::Global, config, render};

/// Write a session to a file, for another machine
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  giulia export last -o shop.giulia      then, elsewhere: giulia import shop.giulia
  giulia export shop-20260301 | ssh me@laptop giulia import -")]
struct Params {
    /// The session: its name, the beginning of its name, or `last`.
    #[arg(default_value_t)]
    session: SessionArg,
    /// Where to; standard output without it.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn command() -> Command {
    crate::cli::keeping(Params::augment_args(Command::new("export")))
}

pub(super) fn run(matches: &ArgMatches, global: &Global) -> anyhow::Result<u8> {
    let Params { session, output } = Params::from_arg_matches(matches)?;
    let config = config::load(matches, global.config.as_deref())?;
    let archive = Archive::new(config.store()?.0);
    let Some(path) = output else {
        if io::stdout().is_terminal() {
            bail!("an export is not text for a terminal; pass -o FILE, or pipe it on");
        }
        let mut stdout = io::stdout().lock();
        giulia_engine::export(&archive, session.as_str(), &mut stdout)?;
        stdout.flush()?;
        return Ok(0);
    };
    let exported = to_file(&archive, session.as_str(), &path)?;
    if !global.quiet {
        render::talk(&format!("{exported} is in {}", path.display()));
    }
    Ok(0)
}

/// A session tells of somebody's system: nobody else reads its file until its owner says so.
const MODE: u32 = 0o600;

/// Beside its place first, so that a disk that fills up leaves no half of a file under its name.
fn to_file(archive: &Archive, session: &str, path: &Path) -> anyhow::Result<String> {
    let shown = path.display();
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let failed = || format!("cannot write {shown}; check the folder, its space and your rights");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(MODE);
    let file = options.open(&part).with_context(failed)?;
    // One that was left behind keeps the mode that it had.
    file.set_permissions(Permissions::from_mode(MODE)).with_context(failed)?;
    let mut file = BufWriter::new(file);
    let exported = giulia_engine::export(archive, session, &mut file);
    let written = exported.map_err(anyhow::Error::from).and_then(|session| {
        file.flush().with_context(failed)?;
        file.get_ref().sync_all().with_context(failed)?;
        fs::rename(&part, path).with_context(failed)?;
        Ok(session.name)
    });
    if written.is_err() {
        // What is left of it is of use to nobody.
        fs::remove_file(&part).ok();
    }
    written
}
