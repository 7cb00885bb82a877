//! What the files of a project say about it: its tool, its applications, whose each file is.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::{Application, FileKind, FileRole, Layout, Project, ProjectFile, read, walk::Found};

/// Folders of an application that its code lies in; what lies above them is the application.
const INSIDE: &[&str] = &["src", "ebin"];

/// Folders whose code only tests run.
const TESTS: &[&str] = &["test", "tests", "itest", "integration_test", "eunit", "bench"];

/// Folders whose code only tools run.
const TOOLS: &[&str] = &["config", "priv", "rel", "scripts"];

pub(super) fn laid_out(root: PathBuf, libraries: &[PathBuf], found: Found) -> Project {
    let text = |path: &Path| {
        let bytes = read(&root.join(path)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let paths: Vec<&Path> = found.files.iter().map(|(path, _)| path.as_path()).collect();
    let layout = layout(&paths, &text);
    let applications = applications(&root, layout, &paths, &text);
    let mut files = Vec::new();
    for (path, bytes) in &found.files {
        let Some(kind) = kind(path) else { continue };
        let application = application(&applications, path);
        let folder = application.and_then(|it| applications.get(it)).map(|it| &*it.folder);
        let inside = path.strip_prefix(folder.unwrap_or(Path::new(""))).unwrap_or(path);
        let role = role(inside, kind);
        files.push(ProjectFile { path: path.clone(), kind, role, application, bytes: *bytes });
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    let mut problems = found.problems;
    problems.sort_by(|one, other| one.path.cmp(&other.path));
    let dependencies = dependencies(&found.dependencies, &applications, &paths, &text);
    let libraries = libraries.to_vec();
    Project { root, layout, applications, files, dependencies, problems, libraries }
}

fn layout(paths: &[&Path], text: &impl Fn(&Path) -> String) -> Layout {
    let has = |name: &str| paths.iter().any(|it| *it == Path::new(name));
    if has("mix.exs") {
        let is_umbrella = text(Path::new("mix.exs")).contains("apps_path:");
        return if is_umbrella { Layout::Umbrella } else { Layout::Mix };
    }
    match (has("rebar.config"), has("erlang.mk")) {
        (true, _) => Layout::Rebar3,
        (false, true) => Layout::ErlangMk,
        (false, false) => Layout::Plain,
    }
}

/// The applications of a project, by folder.
fn applications(
    root: &Path,
    layout: Layout,
    paths: &[&Path],
    text: &impl Fn(&Path) -> String,
) -> Vec<Application> {
    // A name that a file states outright wins over one that a folder suggests.
    let mut found: BTreeMap<PathBuf, (u8, String)> = BTreeMap::new();
    let mut add = |folder: &Path, rank: u8, name: String| {
        let entry = found.entry(folder.to_owned()).or_insert((0, String::new()));
        if rank > entry.0 {
            *entry = (rank, name);
        }
    };
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let folder = path.parent().unwrap_or(Path::new(""));
        let above = above(folder);
        if let Some(stem) = name.strip_suffix(".app.src").or_else(|| name.strip_suffix(".app")) {
            add(above, 3, stem.to_owned());
        } else if name == "mix.exs" {
            let text = text(path);
            if let Some(it) = word_after(&text, "app: :") {
                add(folder, 2, it.to_owned());
            } else if !text.contains("apps_path:") {
                add(folder, 1, folder_name(root, folder));
            }
        } else if name == "Makefile" {
            let text = text(path);
            let project = text.lines().find_map(|it| it.strip_prefix("PROJECT"));
            if let Some(it) = project.and_then(|it| it.trim_start().strip_prefix('=')) {
                add(folder, 2, it.trim().to_owned());
            }
        } else if name == "rebar.config" && folder != Path::new("") {
            add(folder, 1, folder_name(root, folder));
        }
    }
    // Libraries of OTP have a `src` and nothing else that says so.
    let sources = paths.iter().filter(|it| it.extension().is_some_and(|it| it == "erl"));
    for folder in sources.filter_map(|it| it.parent()) {
        let is_source = folder.file_name().is_some_and(|it| it == "src");
        let above = above(folder);
        let is_known = above.ancestors().any(|it| found.contains_key(it));
        if is_source && !is_known {
            found.insert(above.to_owned(), (1, folder_name(root, above)));
        }
    }
    if found.is_empty() && layout != Layout::Umbrella {
        found.insert(PathBuf::new(), (0, folder_name(root, Path::new(""))));
    }
    found.into_iter().map(|(folder, (_, name))| Application { name, folder }).collect()
}

/// The application's folder over one of its inner ones.
fn above(folder: &Path) -> &Path {
    let is_inner = folder.file_name().is_some_and(|it| INSIDE.iter().any(|inner| it == *inner));
    if is_inner { folder.parent().unwrap_or(folder) } else { folder }
}

/// The name of a folder without the version that releases put behind it.
fn folder_name(root: &Path, folder: &Path) -> String {
    let whole = root.join(folder);
    let name = whole.file_name().unwrap_or_default().to_string_lossy();
    match name.rsplit_once('-') {
        Some((name, version)) if version.starts_with(|it: char| it.is_ascii_digit()) => {
            name.to_owned()
        }
        _ => name.into_owned(),
    }
}

/// The application that a path is in: the innermost one.
fn application(applications: &[Application], path: &Path) -> Option<usize> {
    path.ancestors()
        .skip(1)
        .find_map(|folder| applications.binary_search_by(|it| it.folder.as_path().cmp(folder)).ok())
}

fn kind(path: &Path) -> Option<FileKind> {
    match path.extension()?.to_str()? {
        "erl" | "escript" => Some(FileKind::Erlang),
        "hrl" => Some(FileKind::Header),
        "ex" | "exs" => Some(FileKind::Elixir),
        "eex" | "heex" | "leex" => Some(FileKind::Template),
        _ => None,
    }
}

/// What a file is for; its path is one within its application.
fn role(inside: &Path, kind: FileKind) -> FileRole {
    let folders = inside.parent().unwrap_or(Path::new(""));
    let is_in = |names: &[&str]| {
        folders.iter().next().is_some_and(|it| names.iter().any(|name| it == *name))
    };
    let stem = inside.file_stem().unwrap_or_default().to_string_lossy();
    let is_script = inside.extension().is_some_and(|it| it == "exs");
    let is_test = match kind {
        FileKind::Erlang => stem.ends_with("_SUITE") || stem.ends_with("_tests"),
        FileKind::Elixir => is_script && stem.ends_with("_test"),
        FileKind::Header | FileKind::Template => false,
    };
    if is_in(TESTS) || is_test {
        FileRole::Test
    } else if is_in(TOOLS) || (is_script && folders.as_os_str().is_empty()) {
        FileRole::Build
    } else {
        FileRole::Source
    }
}

/// What is depended on: the folders that were left out, and what lock files name.
fn dependencies(
    folders: &[PathBuf],
    applications: &[Application],
    paths: &[&Path],
    text: &impl Fn(&Path) -> String,
) -> Vec<String> {
    let mut found: BTreeSet<String> = BTreeSet::new();
    for it in folders {
        found.insert(it.file_name().unwrap_or_default().to_string_lossy().into_owned());
    }
    for path in paths {
        let name = path.file_name().unwrap_or_default();
        let (before, after) = match name.to_str() {
            Some("mix.lock") => ("\"", "\":"),
            Some("rebar.lock") => ("{<<\"", "\">>"),
            _ => continue,
        };
        let text = text(path);
        let lines = text.lines().map(|it| it.trim_start().trim_start_matches('['));
        let named = lines.filter_map(|it| it.strip_prefix(before)?.split_once(after));
        found.extend(named.map(|(name, _)| name.to_owned()));
    }
    for it in applications {
        found.remove(&it.name);
    }
    found.into_iter().collect()
}

/// The word that follows a text directly.
fn word_after<'t>(text: &'t str, before: &str) -> Option<&'t str> {
    let rest = text.split_once(before)?.1;
    let end = rest.find(|it: char| !it.is_alphanumeric() && it != '_').unwrap_or(rest.len());
    rest.get(..end).filter(|it| !it.is_empty())
}
