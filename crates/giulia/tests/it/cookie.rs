//! The cookie is shown to nobody.

use std::fs;

use crate::{giulia, ran};

const COOKIE: &str = "NEVER-TO-BE-SEEN-4711";

#[test]
fn no_command_prints_the_cookie_whatever_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("cookie");
    fs::write(&file, COOKIE).unwrap();
    for args in [
        &["config"][..],
        &["config", "--reference"],
        &["doctor", "shop@127.0.0.1", "-vvv", "--timeout=300ms", "--epmd-port=1"],
        &["snapshot", "shop@127.0.0.1", "--json", "-vvv", "--at=127.0.0.1:1"],
        &["snapshot", "shop@127.0.0.1", "--help"],
        &["nodes", "127.0.0.1", "--auth", "-vvv", "--epmd-port=1"],
        &["nodes", "--no-such-flag"],
    ] {
        let in_file = ["--cookie-file", file.to_str().unwrap()];
        for (variables, more) in [
            (vec![("GIULIA_COOKIE", COOKIE)], vec![]),
            (vec![("RELEASE_COOKIE", COOKIE), ("GIULIA_LOG", "trace")], vec![]),
            (vec![], in_file.to_vec()),
            (vec![], vec!["--cookie", COOKIE]),
        ] {
            let output = giulia(&[args, &more].concat()).envs(variables).output().unwrap();
            let (data, talk, _) = ran(&output);
            assert!(!data.contains(COOKIE) && !talk.contains(COOKIE), "{args:?}:\n{data}\n{talk}");
        }
    }
}

#[test]
fn the_order_of_cookies_is_the_documented_one() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("giulia.toml");
    fs::write(&file, "[connect]\ncookie_file = \"/from/the/file\"\n").unwrap();
    let origin = |args: &[&str], variables: &[(&str, &str)], key: &str| {
        let mut command = giulia(&[&["config", "--config", file.to_str().unwrap()], args].concat());
        let (text, _, _) = ran(&command.envs(variables.iter().copied()).output().unwrap());
        let line = text.lines().find(|it| it.starts_with(&format!("{key} "))).unwrap_or_default();
        line.split('#').next_back().unwrap_or_default().trim().to_owned()
    };
    let both = [("GIULIA_COOKIE", COOKIE), ("RELEASE_COOKIE", "other")];
    assert_eq!(origin(&["--cookie-file", "f", "--cookie", "x"], &both, "cookie"), "cookie_file");
    assert_eq!(origin(&["--cookie", "x"], &both, "cookie"), "command line");
    assert_eq!(origin(&[], &both, "cookie"), "GIULIA_COOKIE");
    assert_eq!(origin(&[], &both[1..], "cookie"), "RELEASE_COOKIE");
    assert_eq!(origin(&[], &[], "cookie"), "cookie_file");
    fs::write(&file, "").unwrap();
    assert_eq!(origin(&[], &[], "cookie"), "/nowhere/.erlang.cookie does not exist");
}

#[test]
fn a_cookie_on_the_command_line_is_warned_about() {
    let args = ["doctor", "nobody", "--cookie", COOKIE];
    let (_, talk, _) = ran(&giulia(&args).output().unwrap());
    assert!(talk.contains("--cookie-file"), "{talk}");
    let (_, quiet, _) = ran(&giulia(&[&args[..], &["-q"]].concat()).output().unwrap());
    assert_eq!(quiet, "");
}
