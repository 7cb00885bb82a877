//! The rules of STYLE.md that a machine can hold, run by a plain `cargo test`.
#![cfg(test)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Who may depend on whom. A new arrow is an architectural change: edit this table in its own commit.
const ARROWS: &[(&str, &[&str])] = &[
    ("giulia-model", &[]),
    ("giulia-term", &[]),
    ("giulia-dist", &["giulia-term"]),
    ("giulia-testkit", &[]),
    ("giulia-probe", &["giulia-dist", "giulia-model"]),
    ("giulia-code", &["giulia-model", "giulia-term"]),
    ("giulia-store", &["giulia-model"]),
    ("giulia-postgres", &["giulia-model"]),
    ("giulia-rules", &["giulia-model"]),
    (
        "giulia-engine",
        &[
            "giulia-code",
            "giulia-model",
            "giulia-postgres",
            "giulia-probe",
            "giulia-rules",
            "giulia-store",
        ],
    ),
    ("giulia-ops", &["giulia-engine", "giulia-model", "giulia-rules"]),
    ("giulia", &["giulia-engine", "giulia-model", "giulia-ops"]),
];

/// Names in prose that look like crates and are not.
const NOT_CRATES: &[&str] = &["giulia-observe"];

/// DESIGN 11: what one person can still review in an update.
const LOCKED_PACKAGES_MAX: usize = 480;

/// STYLE 5: a file that does not fit two screens of an editor's outline wants a second file.
const FILE_LINES_MAX: usize = 800;

/// STYLE 4: the front door of a crate is read whole.
const LIB_LINES_MAX: usize = 150;

/// What the doc of a probe states (STYLE 21).
const PROBE_DOC: &[&str] =
    &["question:", "call:", "first otp:", "cost:", "limit:", "side effects:"];

/// What the page of a rule tells, in this order (STYLE 31).
const RULE_PAGE: &[&str] = &[
    "What it sees",
    "Why it matters",
    "What to do",
    "Thresholds and their source",
    "When it is wrong",
];

/// How the tests of a rule begin their names (STYLE 35).
const RULE_CASES: &[&str] = &["fires", "silent", "edge"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Workspace crates and the workspace crates each one names under `[dependencies]`.
fn arrows() -> BTreeMap<String, Vec<String>> {
    let crates = fs::read_dir(root().join("crates")).unwrap().map(|it| it.unwrap().path());
    crates
        .filter(|dir| dir.join("Cargo.toml").is_file())
        .map(|dir| {
            let manifest = fs::read_to_string(dir.join("Cargo.toml")).unwrap();
            let dependencies =
                manifest.split("\n[").find(|it| it.starts_with("dependencies]")).unwrap_or("");
            let mut names: Vec<String> = dependencies
                .lines()
                .filter_map(|line| line.split(['=', '.', ' ']).next())
                .filter(|name| *name == "giulia" || name.starts_with("giulia-"))
                .map(str::to_owned)
                .collect();
            names.sort();
            (dir.file_name().unwrap().to_string_lossy().into_owned(), names)
        })
        .collect()
}

/// Every `.rs` file of the product, its tests and its chores.
fn rust_files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("crates"), root().join("xtask"), root().join("fuzz")];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.map(|it| it.unwrap().path()) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && name != "corpus" {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                found.push(path);
            }
        }
    }
    assert!(found.len() > 30, "the walk found only {} files", found.len());
    found
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

#[test]
fn arrows_point_down() {
    for (name, used) in arrows() {
        let allowed = ARROWS.iter().find(|(it, _)| *it == name).map(|(_, to)| *to);
        let allowed = allowed.unwrap_or_else(|| panic!("ARROWS does not name `{name}`"));
        for it in used {
            assert!(allowed.contains(&it.as_str()), "`{name}` may not use `{it}`");
        }
    }
}

#[test]
fn the_map_names_every_crate_and_no_ghosts() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let named: Vec<&str> = map
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|it| *it == "giulia" || it.starts_with("giulia-"))
        .filter(|it| !it.contains([' ', '/']) && !NOT_CRATES.contains(it))
        .collect();
    for name in arrows().keys() {
        assert!(named.contains(&name.as_str()), "ARCHITECTURE.md does not mention `{name}`");
    }
    for name in named {
        assert!(arrows().contains_key(name), "ARCHITECTURE.md mentions `{name}`, which is gone");
    }
}

/// A file that ARCHITECTURE.md or CONTRIBUTING.md points at exists.
#[test]
fn the_guides_point_at_files_that_exist() {
    for guide in ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"] {
        let text = fs::read_to_string(root().join(guide)).unwrap();
        for it in text.split('`').skip(1).step_by(2) {
            let is_path = (it.starts_with("crates/") || it.starts_with("scripts/"))
                && !it.contains(['<', '*', ' ', '{']);
            assert!(!is_path || root().join(it).exists(), "{guide} names `{it}`, which is gone");
        }
    }
}

#[test]
fn directory_package_and_prose_share_one_name() {
    for name in arrows().keys() {
        let manifest = root().join("crates").join(name).join("Cargo.toml");
        let text = fs::read_to_string(manifest).unwrap();
        assert!(text.contains(&format!("name = \"{name}\"")), "`{name}` is another package");
    }
}

#[test]
fn every_file_says_why_it_exists() {
    for path in rust_files() {
        let text = fs::read_to_string(&path).unwrap();
        let first = text.lines().find(|it| !it.starts_with("#![")).unwrap_or_default();
        assert!(first.starts_with("//!"), "{} does not open with `//!`", shown(&path));
        assert!(first.len() > 12, "{} opens with an empty `//!`", shown(&path));
    }
}

#[test]
fn files_stay_readable() {
    for path in rust_files() {
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().take_while(|it| *it != "#[cfg(test)]").count();
        let is_lib = path.ends_with("lib.rs");
        let most = if is_lib { LIB_LINES_MAX } else { FILE_LINES_MAX };
        assert!(
            lines <= most,
            "{} has {lines} lines before its tests, {most} at most",
            shown(&path)
        );
    }
}

#[test]
fn nothing_is_silenced_without_a_reason() {
    for path in rust_files().into_iter().filter(|it| !it.ends_with("tidy.rs")) {
        let text = fs::read_to_string(&path).unwrap();
        for banned in ["[ignore", "[should_panic", "[allow("] {
            let is_there = ["#", "#!"].iter().any(|it| text.contains(&format!("{it}{banned}")));
            assert!(!is_there, "{} has `#{banned}`", shown(&path));
        }
    }
}

#[test]
fn locked_packages_stay_under_their_ceiling() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let n_packages = lock.lines().filter(|it| *it == "[[package]]").count();
    assert!(n_packages < LOCKED_PACKAGES_MAX, "{n_packages} locked packages");
}

/// STYLE 40: a dependency whose reason nobody wrote down has none.
#[test]
fn each_dependency_says_why() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let table = manifest.split("[workspace.dependencies]").nth(1).unwrap();
    let table = table.split("\n[").next().unwrap();
    let mut above = "";
    for line in table.lines() {
        if line.contains(" = ") && !line.starts_with('#') && !line.starts_with("giulia") {
            assert!(above.starts_with("# "), "no reason above `{line}`");
        }
        above = line;
    }
}

#[test]
fn each_probe_states_question_call_cost_and_limit() {
    let folder = root().join("crates/giulia-probe/src/probes");
    let probes = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    let mut n_probes = 0;
    for path in probes.filter(|it| it.extension().is_some_and(|it| it == "rs")) {
        if path.ends_with("mod.rs") {
            continue;
        }
        n_probes += 1;
        let text = fs::read_to_string(&path).unwrap();
        let doc: String = text.lines().take_while(|it| it.starts_with("//!")).collect();
        let doc = doc.to_lowercase();
        for word in PROBE_DOC {
            assert!(doc.contains(word), "{} does not state `{word}`", shown(&path));
        }
    }
    assert!(n_probes >= 8, "only {n_probes} probes");
}

/// A probe's and an operation's file without its entry in the slice would never be asked.
#[test]
fn each_file_has_its_entry() {
    for (folder, slice) in [
        ("crates/giulia-probe/src/probes", "crates/giulia-probe/src/probes/mod.rs"),
        ("crates/giulia-ops/src/ops", "crates/giulia-ops/src/ops/mod.rs"),
    ] {
        let entries = fs::read_to_string(root().join(slice)).unwrap();
        for path in fs::read_dir(root().join(folder)).unwrap().map(|it| it.unwrap().path()) {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let has_entry = name == "mod" || entries.contains(&format!("{name}::"));
            assert!(has_entry, "{slice} has no entry for `{name}`");
        }
    }
}

/// A rule that nobody can look up, or doubt, is a canned sentence: STYLE 31 and 35.
#[test]
fn each_rule_has_its_page_and_its_three_cases() {
    let folder = root().join("crates/giulia-rules/src/rules");
    let entries = fs::read_to_string(folder.join("mod.rs")).unwrap();
    let mut n_rules = 0;
    for path in fs::read_dir(&folder).unwrap().map(|it| it.unwrap().path()) {
        let id = path.file_stem().unwrap().to_string_lossy().into_owned();
        if id == "mod" {
            continue;
        }
        n_rules += 1;
        assert!(entries.contains(&format!("&{id}::RULE")), "RULES has no entry for `{id}`");
        let page = fs::read_to_string(root().join(format!("docs/rules/{id}.md")))
            .unwrap_or_else(|_| panic!("docs/rules/{id}.md is missing"));
        for heading in RULE_PAGE {
            let has = page.lines().any(|it| it == format!("## {heading}"));
            assert!(has, "docs/rules/{id}.md lacks `## {heading}`");
        }
        let text = fs::read_to_string(&path).unwrap();
        let tests = text.split("#[cfg(test)]").nth(1).unwrap_or_default();
        for case in RULE_CASES {
            assert!(tests.contains(&format!("fn {case}")), "{id}.rs has no test `{case}…`");
        }
    }
    assert!(n_rules >= 3, "only {n_rules} rules");
    for page in fs::read_dir(root().join("docs/rules")).unwrap().map(|it| it.unwrap().path()) {
        let id = page.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(folder.join(format!("{id}.rs")).is_file(), "docs/rules/{id}.md has no rule");
    }
}

/// The clippy.toml of a crate replaces the root's; where one exists it must repeat the shared keys.
#[test]
fn crate_local_clippy_files_repeat_the_shared_keys() {
    let shared = fs::read_to_string(root().join("clippy.toml")).unwrap();
    for name in arrows().keys() {
        let Ok(own) = fs::read_to_string(root().join("crates").join(name).join("clippy.toml"))
        else {
            continue;
        };
        for line in shared.lines().filter(|it| it.contains("threshold") || it.contains("max-")) {
            assert!(own.contains(line), "clippy.toml of `{name}` lacks `{line}`");
        }
    }
}
