//! The rules of STYLE.md that a machine can hold, run by a plain `cargo test`.

use std::{collections::BTreeMap, fs, path::Path};

/// Who may depend on whom. A new arrow is an architectural change: edit this table in its own commit.
const ARROWS: &[(&str, &[&str])] = &[
    ("giulia-model", &[]),
    ("giulia-dist", &[]),
    ("giulia-embed", &[]),
    ("giulia-testkit", &[]),
    ("giulia-probe", &["giulia-dist", "giulia-model"]),
    ("giulia-code", &["giulia-model"]),
    ("giulia-rules", &["giulia-code", "giulia-model"]),
    ("giulia-store", &["giulia-model"]),
    (
        "giulia-engine",
        &[
            "giulia-code",
            "giulia-embed",
            "giulia-model",
            "giulia-probe",
            "giulia-rules",
            "giulia-store",
        ],
    ),
    ("giulia-ops", &["giulia-code", "giulia-engine", "giulia-model", "giulia-rules"]),
    ("giulia", &["giulia-engine", "giulia-model", "giulia-ops"]),
];

/// Names in prose that look like crates and are not.
const NOT_CRATES: &[&str] = &["giulia-observe"];

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Workspace crates and the workspace crates each one names under `[dependencies]`.
fn arrows() -> BTreeMap<String, Vec<String>> {
    let crates = fs::read_dir(root().join("crates")).unwrap().map(|it| it.unwrap().path());
    crates
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
        .filter(|it| !NOT_CRATES.contains(it))
        .collect();
    for name in arrows().keys() {
        assert!(named.contains(&name.as_str()), "ARCHITECTURE.md does not mention `{name}`");
    }
    for name in named {
        assert!(arrows().contains_key(name), "ARCHITECTURE.md mentions `{name}`, which is gone");
    }
}
