//! The file: where it is, and what it may hold.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::config::Settings;

/// Longest configuration file that is read, in bytes; a thousand nodes fit in a tenth of it.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What a configuration file may hold.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct File {
    /// The file that sessions are kept in.
    pub(crate) store: Option<PathBuf>,
    /// For every node.
    pub(crate) connect: Settings,
    /// For nodes that differ, by name.
    pub(crate) node: BTreeMap<String, Settings>,
}

/// Reads the named file, or the usual one where it exists; with its path.
pub(crate) fn read(named: Option<&Path>) -> anyhow::Result<(PathBuf, File)> {
    let usual = || {
        let dirs = directories::ProjectDirs::from("", "", "giulia")?;
        Some(dirs.config_dir().join("giulia.toml"))
    };
    let path = match named {
        Some(path) => path.to_path_buf(),
        None => usual().unwrap_or_default(),
    };
    if named.is_none() && !path.exists() {
        return Ok((path, File::default()));
    }
    let shown = path.display();
    let meta = fs::metadata(&path)
        .with_context(|| format!("cannot read the configuration {shown}; check --config"))?;
    if meta.len() > FILE_BYTES_MAX {
        bail!(
            "the configuration {shown} has {} bytes; that is not ours, check --config",
            meta.len()
        );
    }
    let text = fs::read_to_string(&path)
        .with_context(|| format!("cannot read the configuration {shown}; check --config"))?;
    let file = parse(&text).map_err(|(line, why)| {
        anyhow::anyhow!("{shown}:{line}: {why}; `giulia config --reference` lists every key")
    })?;
    Ok((path, file))
}

/// The file's content, or the line that is wrong and why.
fn parse(text: &str) -> Result<File, (usize, String)> {
    let file: File = toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |it| it.start);
        (line_of(text, start), error.message().to_owned())
    })?;
    for name in file.node.keys() {
        if let Err(error) = name.parse::<giulia_engine::NodeName>() {
            let start = text.find(name.as_str()).unwrap_or(0);
            return Err((line_of(text, start), error.to_string()));
        }
    }
    Ok(file)
}

fn line_of(text: &str, at: usize) -> usize {
    text.get(..at).map_or(1, |before| before.matches('\n').count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let (line, why) = parse("[connect]\nepmd_port = 4370\ncokie_file = \"x\"\n").unwrap_err();
        assert_eq!(line, 3);
        assert!(why.contains("`cokie_file`") && why.contains("`cookie_file`"), "{why}");
        let (line, why) =
            parse("\n[node.\"shop@db1\"]\nat = \"db1:9001\"\ncookie = \"x\"\n").unwrap_err();
        assert_eq!(line, 4);
        assert!(why.contains("unknown field `cookie`"), "{why}");
    }

    #[test]
    fn a_wrong_value_is_named_with_its_line() {
        let (line, why) = parse("[connect]\ntls = true\ntimeout = \"10\"\n").unwrap_err();
        assert_eq!((line, why.contains("write e.g. 500ms")), (3, true), "{why}");
        let (line, why) = parse("[connect]\n\n[node.shop]\nat = \"db1:9001\"\n").unwrap_err();
        assert_eq!((line, why.contains("not a node name")), (3, true), "{why}");
    }
}
