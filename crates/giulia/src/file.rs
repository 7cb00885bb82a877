//! Answers as files: which format, and a place that holds a whole one or none.

use std::{
    fs::{self, File},
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use giulia_ops::{AnyAnswer, Format, format_of_name};

use crate::{
    cli::{Global, Writing},
    render,
};

/// Where an answer goes, and as what.
#[derive(Debug)]
pub(crate) struct Place {
    format: &'static str,
    /// Standard output without one.
    path: Option<PathBuf>,
}

/// What was asked for, if it was, checked before a node is asked anything.
pub(crate) fn place(formats: &[Format], asked: Writing) -> anyhow::Result<Option<Place>> {
    let named = asked.format.as_deref();
    let named = named.and_then(|name| formats.iter().find(|it| it.name == name));
    let Some(path) = asked.output else {
        return Ok(named.map(|it| Place { format: it.name, path: None }));
    };
    let from_name = || format_of_name(formats, &path.to_string_lossy());
    let Some(format) = named.copied().or_else(from_name) else {
        let endings: Vec<&str> = formats.iter().flat_map(|it| it.endings.iter().copied()).collect();
        bail!(
            "{} does not say which format it shall have; end it with one of {}, or pass --format",
            path.display(),
            endings.join(" ")
        );
    };
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|it| !it.is_dir()) {
        bail!("there is no folder {}; make it first, or name another", folder.display());
    }
    Ok(Some(Place { format: format.name, path: Some(path) }))
}

/// Writes it.
pub(crate) fn write(answer: &dyn AnyAnswer, to: &Place, global: &Global) -> anyhow::Result<()> {
    let bytes = answer.file(to.format).context("no such format")?;
    let Some(path) = &to.path else {
        let mut stdout = io::stdout().lock();
        if stdout.is_terminal() && !is_text(&bytes) {
            bail!("{} is not text for a terminal; pass -o FILE, or pipe it on", to.format);
        }
        stdout.write_all(&bytes)?;
        return Ok(stdout.flush()?);
    };
    whole(path, &bytes)?;
    if !global.quiet {
        render::talk(&format!("wrote {} ({})", path.display(), to.format));
    }
    Ok(())
}

/// Beside its place first, so that a disk that fills up leaves no half of a file under its name.
fn whole(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let failed =
        || format!("cannot write {}; check the folder, its space and your rights", path.display());
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let written = File::create(&part)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        // What is left of it is of use to nobody.
        fs::remove_file(&part).ok();
    }
    written.with_context(failed)
}

fn is_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok()
}
