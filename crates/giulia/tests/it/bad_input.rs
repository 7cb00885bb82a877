//! Peers that stall, lie, or are none: a clear error with the next step, never past the deadline.

use std::{
    net::TcpListener,
    thread,
    time::{Duration, Instant},
};

use giulia_testkit::hostile::{After, COOKIE, EpmdPeer, Hostile, Peer, Shake};

use crate::{giulia, ran};

/// The deadline that each command is given.
const TIMEOUT: &str = "1s";
/// The deadline, and what a busy machine of two cores needs to start a program.
const LATEST: Duration = Duration::from_millis(2500);

/// Runs the three commands against this peer; each must end in time, with exit code 2 and one
/// line of talk that holds one of the words and names a next step.
#[track_caller]
fn check(hostile: &Hostile, words: &[&str]) {
    let (epmd_port, at) = (hostile.epmd_port().to_string(), hostile.dist_port().to_string());
    let node = "hostile@127.0.0.1";
    let common = ["--timeout", TIMEOUT, "--epmd-port", &epmd_port];
    let talk = fails_in_time(&[&["snapshot", node][..], &common].concat());
    assert!(words.iter().any(|it| talk.contains(it)), "none of {words:?} in: {talk}");
    assert!([";", "?", "log says why"].iter().any(|it| talk.contains(it)), "no next step: {talk}");
    let at = format!("127.0.0.1:{at}");
    fails_in_time(&["snapshot", node, "--timeout", TIMEOUT, "--at", &at, "--window", "100ms"]);
    let started = Instant::now();
    let args = [&["doctor", node, "--json"][..], &common].concat();
    let output = giulia(&args).env("GIULIA_COOKIE", COOKIE).output().unwrap();
    let (data, talk, code) = ran(&output);
    assert_eq!((code, talk.as_str()), (2, ""), "{data}");
    assert!(started.elapsed() < LATEST, "doctor took {:?}", started.elapsed());
    let failed = data.split("\"status\": \"fail\"").count() - 1;
    assert_eq!(failed, 1, "{data}");
    assert_eq!(data.matches("\"fix\": \"").count(), 1, "{data}");
}

#[track_caller]
fn fails_in_time(args: &[&str]) -> String {
    let started = Instant::now();
    let (data, talk, code) = ran(&giulia(args).env("GIULIA_COOKIE", COOKIE).output().unwrap());
    let took = started.elapsed();
    assert_eq!((data.as_str(), code), ("", 2), "{args:?}: {talk}");
    assert!(talk.starts_with("giulia: ") && talk.lines().count() == 1, "{args:?}: {talk}");
    assert!(took < LATEST, "{args:?} took {took:?}: {talk}");
    assert!(!talk.contains(COOKIE), "{talk}");
    talk
}

/// Side by side, because each waits for its deadline; all are told, not only the first.
fn check_all(cases: Vec<(Hostile, &'static str, Vec<&'static str>)>) {
    let running: Vec<_> = cases
        .into_iter()
        .map(|(hostile, name, words)| (name, thread::spawn(move || check(&hostile, &words))))
        .collect();
    let failed: Vec<_> =
        running.into_iter().filter_map(|(name, it)| it.join().err().map(|_| name)).collect();
    assert!(failed.is_empty(), "failed, for the reasons above: {failed:?}");
}

#[test]
fn nodes_that_are_none() {
    let node = Hostile::node;
    check_all(vec![
        (node(Peer::Silent), "silent", vec!["did not answer"]),
        (node(Peer::Http), "http", vec!["does not speak Erlang", "closed the connection"]),
        (node(Peer::SshBanner), "ssh", vec!["does not speak Erlang"]),
        (node(Peer::ClosesAtOnce), "closes", vec!["closed the connection", "broke"]),
        (node(Peer::HugeHandshake), "huge", vec!["does not speak Erlang", "did not answer"]),
        (node(Peer::Garbage), "garbage", vec!["does not speak Erlang"]),
    ]);
}

#[test]
fn handshakes_that_go_wrong() {
    let shakes = |it| Hostile::node(Peer::Shakes(it));
    check_all(vec![
        (shakes(Shake::Stops), "stops", vec!["did not answer"]),
        (shakes(Shake::Closes), "closes", vec!["closed the connection"]),
        (shakes(Shake::OneBytePerSecond), "slow", vec!["did not answer"]),
        (shakes(Shake::NotAllowed), "not_allowed", vec!["does not allow", "refuses"]),
        (shakes(Shake::Nok), "nok", vec!["just now connecting"]),
        (shakes(Shake::ProvesNothing), "proves_nothing", vec!["could not prove"]),
    ]);
}

#[test]
fn connections_that_go_wrong() {
    let connects = |it| Hostile::node(Peer::Connects(it));
    check_all(vec![
        (connects(After::AnnouncesFourGiB), "four_gib", vec!["limit"]),
        (connects(After::DeepTerm), "deep", vec!["nested", "limit"]),
        (connects(After::WideTerm), "wide", vec!["announced", "left"]),
        (connects(After::CompressedFourGiB), "compressed", vec!["limit", "compressed"]),
        (connects(After::GarbageFrames), "frames", vec!["not a term", "frame"]),
        (connects(After::TicksOnly), "ticks", vec!["did not answer", "took longer"]),
        (connects(After::Silent), "silent", vec!["did not answer", "took longer"]),
    ]);
}

#[test]
fn an_epmd_that_lies_or_is_down() {
    let epmd = Hostile::epmd;
    check_all(vec![
        (epmd(EpmdPeer::Silent), "silent", vec!["EPMD"]),
        (epmd(EpmdPeer::ClosesAtOnce), "closes", vec!["EPMD"]),
        (epmd(EpmdPeer::Http), "http", vec!["EPMD"]),
        (epmd(EpmdPeer::HalfAnswer), "half", vec!["EPMD", "did not answer"]),
        (epmd(EpmdPeer::OneBytePerSecond), "slow", vec!["EPMD"]),
    ]);
    for command in ["snapshot", "doctor"] {
        let port = closed_port().to_string();
        let args = [command, "shop@127.0.0.1", "--epmd-port", &port, "--timeout", TIMEOUT];
        let (data, talk, code) = ran(&giulia(&args).env("GIULIA_COOKIE", "x").output().unwrap());
        assert_eq!(code, 2);
        assert!(format!("{data}{talk}").contains("EPMD"), "{data}{talk}");
    }
}

#[test]
fn nodes_tells_of_one_that_is_none_and_goes_on() {
    let hostile = Hostile::node(Peer::Http);
    let port = hostile.epmd_port().to_string();
    let args = ["nodes", "127.0.0.1", "--epmd-port", &port, "--timeout", TIMEOUT];
    let (data, talk, code) = ran(&giulia(&args).output().unwrap());
    assert_eq!((code, talk.as_str()), (0, ""), "{data}");
    assert!(data.contains("no answer, see below"), "{data}");
    assert_eq!(hostile.connections(), 1, "it was dialled more than once");
}

#[test]
fn a_refused_cookie_is_not_tried_again() {
    let hostile = Hostile::node(Peer::Shakes(Shake::ProvesNothing));
    let at = format!("127.0.0.1:{}", hostile.dist_port());
    fails_in_time(&["snapshot", "hostile@127.0.0.1", "--timeout", TIMEOUT, "--at", &at]);
    assert_eq!(hostile.connections(), 1);
}

/// A port that was free a moment ago.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
