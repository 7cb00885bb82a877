//! The `.beam` files of a folder: which of them are the ones that a build left, each module once.

use std::{
    collections::HashSet,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use giulia_model::CodeProblem;

/// Files that are read of one folder; an installation of OTP with Elixir has 1,100.
const FILES_MAX: usize = 200_000;

/// The builds of Mix and rebar3, the one to be read first; their folders are all alike.
const BUILDS: &[&str] = &["dev", "default", "prod", "test"];

/// Folders that hold copies of what is elsewhere, or no code.
const SKIPPED: &[&str] = &["consolidated", "node_modules", "rel", ".git"];

/// A file that a graph is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CodeFile {
    /// Its place within the folder: the name of its unit.
    pub(super) unit: String,
    pub(super) path: PathBuf,
    /// The application that its place tells.
    pub(super) application: Option<String>,
    pub(super) bytes: u64,
    /// Nanoseconds since 1970.
    pub(super) written_ns: u64,
}

/// All of a folder, in order, and what could not be looked into.
pub(super) fn beams(root: &Path) -> (Vec<CodeFile>, Vec<CodeProblem>) {
    let mut found = Walk { root, files: Vec::new(), problems: Vec::new(), seen: HashSet::new() };
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        found.folder(&folder, &mut folders);
        if found.files.len() > FILES_MAX {
            let text = format!("more than {FILES_MAX} files; those behind are left out");
            found.problem(root, text);
            break;
        }
    }
    found.files.sort_by(|left, right| left.unit.cmp(&right.unit));
    (found.files, found.problems)
}

struct Walk<'a> {
    root: &'a Path,
    files: Vec<CodeFile>,
    problems: Vec<CodeProblem>,
    // Folders by device and number: a link may lead back up.
    seen: HashSet<(u64, u64)>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, below: &mut Vec<PathBuf>) {
        let entries = match fs::metadata(folder).and_then(|it| Ok((it, fs::read_dir(folder)?))) {
            Ok((metadata, entries)) => {
                if !self.seen.insert((metadata.dev(), metadata.ino())) {
                    return;
                }
                entries
            }
            Err(error) => return self.problem(folder, format!("cannot be looked into: {error}")),
        };
        let mut folders = Vec::new();
        for entry in entries {
            let path = match entry {
                Ok(it) => it.path(),
                Err(error) => {
                    self.problem(folder, format!("cannot be looked into: {error}"));
                    continue;
                }
            };
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let is_beam = path.extension().is_some_and(|it| it == "beam");
            // A link that leads nowhere is nothing.
            let Ok(metadata) = fs::metadata(&path) else { continue };
            if metadata.is_dir() && !SKIPPED.contains(&name.as_str()) {
                folders.push(path);
            } else if metadata.is_file() && is_beam {
                self.file(path, &metadata);
            }
        }
        if folder.file_name().is_some_and(|it| it == "_build") {
            folders = one_build(folders);
        }
        below.append(&mut folders);
    }

    fn file(&mut self, path: PathBuf, metadata: &fs::Metadata) {
        let unit = path.strip_prefix(self.root).unwrap_or(&path).to_string_lossy().into_owned();
        let written = metadata.modified().ok().and_then(|it| it.duration_since(UNIX_EPOCH).ok());
        let written_ns = written.and_then(|it| u64::try_from(it.as_nanos()).ok());
        self.files.push(CodeFile {
            unit,
            application: application(&path),
            bytes: metadata.len(),
            written_ns: written_ns.unwrap_or_default(),
            path,
        });
    }

    fn problem(&mut self, path: &Path, text: String) {
        let file = path.strip_prefix(self.root).unwrap_or(path).display().to_string();
        self.problems.push(CodeProblem { file, line: None, text });
    }
}

/// Of several builds of the same code, one.
fn one_build(folders: Vec<PathBuf>) -> Vec<PathBuf> {
    let named = |name: &str| folders.iter().find(|it| it.ends_with(name)).cloned();
    match BUILDS.iter().find_map(|it| named(it)) {
        Some(build) => vec![build],
        None => folders.into_iter().take(1).collect(),
    }
}

/// `shop` of `…/shop/ebin/x.beam` and of `…/shop-1.2/ebin/x.beam`.
pub(super) fn application(path: &Path) -> Option<String> {
    let ebin = path.parent().filter(|it| it.ends_with("ebin"))?;
    let name = ebin.parent()?.file_name()?.to_string_lossy();
    let bare = name.split_once('-').map_or(&*name, |(bare, _)| bare);
    Some(bare.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_build_is_read_and_links_may_go_round() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for file in [
            "_build/test/lib/shop/ebin/a.beam",
            "_build/dev/lib/shop/ebin/a.beam",
            "_build/dev/lib/shop/consolidated/p.beam",
            "_build/dev/lib/shop/ebin/a.app",
            "lib/kernel-9.2/ebin/b.beam",
            "c.beam",
        ] {
            let path = root.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        std::os::unix::fs::symlink(root, root.join("lib/up")).unwrap();
        std::os::unix::fs::symlink("nowhere", root.join("d.beam")).unwrap();
        let (files, problems) = beams(root);
        let found: Vec<(&str, Option<&str>)> =
            files.iter().map(|it| (it.unit.as_str(), it.application.as_deref())).collect();
        assert_eq!(
            found,
            [
                ("_build/dev/lib/shop/ebin/a.beam", Some("shop")),
                ("c.beam", None),
                ("lib/kernel-9.2/ebin/b.beam", Some("kernel")),
            ]
        );
        assert_eq!(problems, []);
    }
}
