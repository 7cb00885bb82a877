//! Flags over variables over a node's section over the file over defaults.

use std::fs;

use crate::{giulia, ran};

const FILE: &str = "\
[connect]
epmd_port = 1001
timeout = \"11s\"
tls_cacert = \"/etc/ca.pem\"

[node.\"shop@db1\"]
timeout = \"12s\"
at = \"db1:9001\"
";

/// The value of a key and its origin, as `giulia config` prints them.
fn line(text: &str, key: &str) -> String {
    let line = text.lines().find(|it| it.split(' ').next() == Some(key));
    line.unwrap_or_else(|| panic!("no {key} in:\n{text}"))
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn every_layer_wins_over_those_below() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("giulia.toml");
    fs::write(&path, FILE).unwrap();
    let path = path.to_str().unwrap();
    let shown = |args: &[&str], variables: &[(&str, &str)]| {
        let mut command = giulia(args);
        command.env("GIULIA_CONFIG", path).envs(variables.iter().copied());
        let (text, talk, code) = ran(&command.output().unwrap());
        assert_eq!(code, 0, "{talk}");
        text
    };
    let any = shown(&["config"], &[]);
    assert_eq!(line(&any, "timeout"), format!("timeout = \"11s\" # {path} [connect]"));
    assert_eq!(line(&any, "epmd_port"), format!("epmd_port = 1001 # {path} [connect]"));
    assert_eq!(line(&any, "no_eval"), "no_eval = false # default");
    assert!(!any.contains("9001"), "one node's setting leaked to all:\n{any}");
    let node = shown(&["config", "shop@db1"], &[]);
    assert_eq!(line(&node, "timeout"), format!("timeout = \"12s\" # {path} [node.\"shop@db1\"]"));
    let variables = [("GIULIA_TIMEOUT", "13s"), ("ERL_EPMD_PORT", "1003")];
    let variable = shown(&["config", "shop@db1"], &variables);
    assert_eq!(line(&variable, "timeout"), "timeout = \"13s\" # GIULIA_TIMEOUT");
    assert_eq!(line(&variable, "epmd_port"), "epmd_port = 1003 # ERL_EPMD_PORT");
    let flag = shown(&["config", "shop@db1", "--timeout", "14s"], &variables);
    assert_eq!(line(&flag, "timeout"), "timeout = \"14s\" # command line");
    assert_eq!(line(&flag, "epmd_port"), "epmd_port = 1003 # ERL_EPMD_PORT");
}

#[test]
fn the_usual_file_is_found_without_being_named() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir_all(home.path().join("giulia")).unwrap();
    fs::write(home.path().join("giulia/giulia.toml"), "[connect]\nepmd_port = 1004\n").unwrap();
    let output = giulia(&["config"]).env("XDG_CONFIG_HOME", home.path()).output().unwrap();
    assert!(ran(&output).0.contains("1004"), "{output:?}");
}

#[test]
fn an_unknown_key_names_the_file_and_the_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("giulia.toml");
    fs::write(&path, "[connect]\n\ncokie_file = \"x\"\n").unwrap();
    let output = giulia(&["config", "--config", path.to_str().unwrap()]).output().unwrap();
    let (data, talk, code) = ran(&output);
    assert_eq!((data.as_str(), code), ("", 2));
    assert!(talk.contains(&format!("{}:3: unknown field `cokie_file`", path.display())), "{talk}");
    assert_eq!(talk.lines().count(), 1, "{talk}");
}

#[test]
fn the_reference_is_read_back() {
    let (reference, _, _) = ran(&giulia(&["config", "--reference"]).output().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("giulia.toml");
    fs::write(&path, reference.replace("# timeout = \"10s\"", "timeout = \"9s\"")).unwrap();
    let output = giulia(&["config", "--config", path.to_str().unwrap()]).output().unwrap();
    assert!(line(&ran(&output).0, "timeout").contains("\"9s\""), "{output:?}");
}
