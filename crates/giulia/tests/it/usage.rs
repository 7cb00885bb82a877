//! Help and usage errors, word by word; a reader that goes away.

use std::{
    io::Read as _,
    process::{Command, Stdio},
};

use crate::{giulia, ran};

#[test]
fn help_and_usage_errors_read_as_recorded() {
    trycmd::TestCases::new().env("HOME", "/nowhere").case("tests/cmd/*.trycmd");
}

#[test]
fn a_reader_that_goes_away_is_not_an_error() {
    // `sh` reports the exit code of giulia, not of `head`.
    let script =
        format!("{} completions bash | head -c 1 >/dev/null", env!("CARGO_BIN_EXE_giulia"));
    let mut child = Command::new("bash")
        .args(["-o", "pipefail", "-c", &script])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut talk = String::new();
    child.stderr.take().unwrap().read_to_string(&mut talk).unwrap();
    assert!(child.wait().unwrap().success(), "{talk}");
    assert_eq!(talk, "");
}

#[test]
fn errors_are_one_line_on_stderr_and_exit_2() {
    for args in [
        &["snapshot", "shop@nowhere.invalid", "--cookie-file", "/no/such/file"][..],
        &["nodes", "--config", "/no/such/file"],
        &["man", "no-such-command"],
    ] {
        let (data, talk, code) = ran(&giulia(args).output().unwrap());
        assert_eq!((data.as_str(), code), ("", 2), "{talk}");
        assert!(talk.starts_with("giulia: ") && talk.lines().count() == 1, "{talk}");
    }
}
