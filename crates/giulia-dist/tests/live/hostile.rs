//! Peers that are no node, or a bad one: an error in time, and no memory for it.

use std::{
    fs,
    time::{Duration, Instant},
};

use giulia_dist::{
    Call, Config, Connection, Cookie, Error, ErrorKind, Target, epmd,
    tls::{TlsOptions, Verify},
};
use giulia_testkit::hostile::{After, COOKIE, EpmdPeer, Hostile, Peer, Shake};

use crate::{call, run};

/// Short, so that the whole table takes seconds.
const DEADLINE: Duration = Duration::from_secs(2);

fn target(peer: &Hostile) -> Target {
    let mut target = Target::new("hostile@127.0.0.1".parse().unwrap());
    target.epmd_port = peer.epmd_port();
    target
}

fn config() -> Config {
    let mut config = Config::new(Cookie::new(COOKIE));
    config.connect_timeout = DEADLINE;
    config
}

/// The same over TLS, trusting whoever signed the peer's certificate.
fn tls_config(peer: &Hostile) -> Config {
    let mut config = config();
    config.tls = Some(TlsOptions { ca_file: Some(peer.ca()), ..TlsOptions::default() });
    config
}

fn connect(peer: &Hostile) -> Error {
    connect_with(peer, &config())
}

fn connect_with(peer: &Hostile, config: &Config) -> Error {
    let started = Instant::now();
    let error = run(Connection::connect(&target(peer), config)).unwrap_err();
    let elapsed = started.elapsed();
    assert!(elapsed < DEADLINE + Duration::from_millis(500), "{elapsed:?}: {error}");
    error
}

#[test]
fn whoever_is_no_node_is_told_in_time() {
    use ErrorKind::{
        AlreadyConnected, CookieMismatch, HandshakeClosed, HandshakeTimeout, NotAllowed, NotErlang,
    };
    for (peer, expected) in [
        (Peer::Silent, HandshakeTimeout),
        (Peer::Http, NotErlang),
        (Peer::SshBanner, NotErlang),
        (Peer::ClosesAtOnce, HandshakeClosed),
        (Peer::HugeHandshake, NotErlang),
        (Peer::Garbage, NotErlang),
        (Peer::Shakes(Shake::Stops), HandshakeTimeout),
        (Peer::Shakes(Shake::Closes), HandshakeClosed),
        (Peer::Shakes(Shake::OneBytePerSecond), HandshakeTimeout),
        (Peer::Shakes(Shake::NotAllowed), NotAllowed),
        (Peer::Shakes(Shake::Nok), AlreadyConnected),
        (Peer::Shakes(Shake::ProvesNothing), CookieMismatch),
    ] {
        let error = connect(&Hostile::node(peer));
        assert_eq!(error.kind(), expected, "{peer:?}: {error}");
    }
}

#[test]
fn whoever_agrees_on_tls_and_is_no_node_is_told_in_time() {
    use ErrorKind::{
        AlreadyConnected, CookieMismatch, HandshakeClosed, HandshakeTimeout, NotAllowed, NotErlang,
    };
    for (peer, expected) in [
        (Peer::Silent, HandshakeTimeout),
        (Peer::Http, NotErlang),
        (Peer::SshBanner, NotErlang),
        (Peer::ClosesAtOnce, ErrorKind::Tls),
        (Peer::HugeHandshake, NotErlang),
        (Peer::Garbage, NotErlang),
        (Peer::Shakes(Shake::Stops), HandshakeTimeout),
        (Peer::Shakes(Shake::Closes), HandshakeClosed),
        (Peer::Shakes(Shake::OneBytePerSecond), HandshakeTimeout),
        (Peer::Shakes(Shake::NotAllowed), NotAllowed),
        (Peer::Shakes(Shake::Nok), AlreadyConnected),
        (Peer::Shakes(Shake::ProvesNothing), CookieMismatch),
    ] {
        let hostile = Hostile::tls_node(peer);
        let error = connect_with(&hostile, &tls_config(&hostile));
        assert_eq!(error.kind(), expected, "{peer:?}: {error}");
    }
    assert!(memory_peak_mib() < 64, "{} MiB", memory_peak_mib());
}

#[test]
fn whoever_never_agrees_on_tls_is_told_in_time() {
    let trusting = TlsOptions { verify: Verify::None, ..TlsOptions::default() };
    let config = Config { tls: Some(trusting), ..config() };
    for peer in [Peer::Silent, Peer::Http, Peer::SshBanner, Peer::ClosesAtOnce, Peer::Garbage] {
        let error = connect_with(&Hostile::node(peer), &config);
        assert_eq!(error.kind(), ErrorKind::Tls, "{peer:?}: {error}");
    }
}

#[test]
fn an_epmd_that_is_none_is_told_in_time() {
    for peer in [
        EpmdPeer::Silent,
        EpmdPeer::ClosesAtOnce,
        EpmdPeer::Http,
        EpmdPeer::HalfAnswer,
        EpmdPeer::OneBytePerSecond,
    ] {
        let hostile = Hostile::epmd(peer);
        let error = connect(&hostile);
        assert_eq!(error.kind(), ErrorKind::EpmdUnreachable, "{peer:?}: {error}");
        let started = Instant::now();
        let names = run(epmd::names("127.0.0.1", hostile.epmd_port(), DEADLINE));
        assert!(names.is_err(), "{peer:?}: {names:?}");
        assert!(started.elapsed() < DEADLINE + Duration::from_millis(500), "{peer:?}");
    }
    let endless = Hostile::epmd(EpmdPeer::Endless);
    connect(&endless);
    run(epmd::names("127.0.0.1", endless.epmd_port(), DEADLINE)).unwrap_err();
    assert!(memory_peak_mib() < 64, "{} MiB", memory_peak_mib());
}

#[test]
fn a_bad_message_ends_the_connection_and_nothing_else() {
    use ErrorKind::{Deadline, Limit, Protocol, Silent};
    let expected: &[(After, &[ErrorKind])] = &[
        (After::AnnouncesFourGiB, &[Limit]),
        (After::DeepTerm, &[Limit, Protocol]),
        (After::WideTerm, &[Limit, Protocol]),
        (After::CompressedFourGiB, &[Limit, Protocol]),
        (After::GarbageFrames, &[Protocol]),
        (After::Floods, &[Deadline]),
        (After::TicksOnly, &[Deadline]),
        (After::Silent, &[Deadline, Silent]),
    ];
    for (after, kinds) in expected {
        let (plain, secure) =
            (Hostile::node(Peer::Connects(*after)), Hostile::tls_node(Peer::Connects(*after)));
        for (peer, config) in [(&plain, config()), (&secure, tls_config(&secure))] {
            let question: Call = call("erlang", "is_alive", []).timeout(Duration::from_secs(1));
            let started = Instant::now();
            let error = run(async {
                let connection = Connection::connect(&target(peer), &config).await?;
                connection.call(&question).await
            });
            let error = error.unwrap_err();
            assert!(kinds.contains(&error.kind()), "{after:?}: {:?}: {error}", error.kind());
            assert!(started.elapsed() < Duration::from_millis(2500), "{after:?}");
            assert!(memory_peak_mib() < 64, "{after:?}: {} MiB", memory_peak_mib());
        }
    }
}

/// The most memory that this process held; under nextest that is this test alone.
fn memory_peak_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|it| it.starts_with("VmHWM:")).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib / 1024
}
