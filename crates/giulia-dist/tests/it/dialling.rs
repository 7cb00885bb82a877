//! Ways to fail before a connection stands.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use giulia_dist::{Backoff, Config, Connection, ErrorKind, LocalName, Target, epmd};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::sleep};

use crate::peer::{
    NAME, SOON, challenge, config, connect_error, give_name, listen, read_message, target,
    write_message,
};

const FOREVER: Duration = Duration::from_hours(1);

/// Connects to a stand-in that does `serve`, and expects this kind of error in time.
macro_rules! fails {
    ($kind:ident, |$stream:ident| $serve:block) => {{
        let address = listen(|$stream: TcpStream| async move { $serve }).await;
        let started = Instant::now();
        let error = connect_error(&address).await;
        assert_eq!(error.kind(), ErrorKind::$kind, "{error}");
        assert!(started.elapsed() < config().connect_timeout + Duration::from_secs(1), "{error}");
        error.to_string()
    }};
}

#[tokio::test]
async fn ports_of_other_protocols() {
    let text = fails!(NotErlang, |stream| {
        let mut stream = stream;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        sleep(SOON).await;
    });
    assert!(text.contains("HTTP/1.1 400"), "{text}");
    let text = fails!(NotErlang, |stream| {
        let mut stream = stream;
        stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").await.unwrap();
        sleep(SOON).await;
    });
    assert!(text.contains("SSH-2.0"), "{text}");
    // Another service that also counts with two bytes.
    fails!(NotErlang, |stream| {
        let mut stream = stream;
        write_message(&mut stream, b"xyz").await;
        sleep(SOON).await;
    });
}

#[tokio::test]
async fn a_tls_alert_is_recognised() {
    let text = fails!(Tls, |stream| {
        let mut stream = stream;
        stream.write_all(&[0x15, 3, 3, 0, 2, 2, 70]).await.unwrap();
        sleep(SOON).await;
    });
    assert!(text.contains("--tls"), "{text}");
}

#[tokio::test]
async fn silence_ends_at_the_deadline() {
    fails!(HandshakeTimeout, |stream| {
        sleep(FOREVER).await;
        drop(stream);
    });
}

#[tokio::test]
async fn a_peer_that_stops_or_dribbles_in_the_middle() {
    fails!(HandshakeTimeout, |stream| {
        let mut stream = stream;
        give_name(&mut stream).await;
        sleep(FOREVER).await;
    });
    fails!(HandshakeTimeout, |stream| {
        let mut stream = stream;
        let _name = read_message(&mut stream).await;
        for byte in [0, 200, b's', b'n', b'a', b'm', b'e', b'd', b':'] {
            if stream.write_all(&[byte]).await.is_err() {
                return;
            }
            sleep(Duration::from_secs(1)).await;
        }
    });
}

#[tokio::test]
async fn a_peer_that_hangs_up() {
    fails!(HandshakeClosed, |stream| {
        let mut stream = stream;
        stream.shutdown().await.unwrap();
    });
    fails!(HandshakeClosed, |stream| {
        let mut stream = stream;
        give_name(&mut stream).await;
    });
}

#[tokio::test]
async fn a_peer_that_refuses() {
    fails!(NotAllowed, |stream| {
        let mut stream = stream;
        let _name = read_message(&mut stream).await;
        write_message(&mut stream, b"snot_allowed").await;
        sleep(SOON).await;
    });
    fails!(AlreadyConnected, |stream| {
        let mut stream = stream;
        let _name = read_message(&mut stream).await;
        write_message(&mut stream, b"snok").await;
        sleep(SOON).await;
    });
    fails!(Protocol, |stream| {
        let mut stream = stream;
        let _name = read_message(&mut stream).await;
        write_message(&mut stream, b"swhatever").await;
        sleep(SOON).await;
    });
    fails!(VersionUnsupported, |stream| {
        let mut stream = stream;
        let _name = read_message(&mut stream).await;
        write_message(&mut stream, b"n\0\x05\0\0\0\0").await;
        sleep(SOON).await;
    });
}

#[tokio::test]
async fn our_name_is_in_use_and_stays_with_its_owner() {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let address = listen(move |mut stream| {
        let sender = sender.clone();
        async move {
            let _name = read_message(&mut stream).await;
            write_message(&mut stream, b"salive").await;
            sender.send(read_message(&mut stream).await).unwrap();
        }
    })
    .await;
    let mut config = config();
    config.local = LocalName::Chosen("me@127.0.0.1".parse().unwrap());
    let error = Connection::connect(&target(&address), &config).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyConnected, "{error}");
    assert_eq!(receiver.recv().await.unwrap(), b"sfalse");
}

#[tokio::test]
async fn another_node_is_named() {
    let text = fails!(NameMismatch, |stream| {
        let mut stream = stream;
        give_name(&mut stream).await;
        challenge(&mut stream, "stand@db1").await;
        sleep(SOON).await;
    });
    assert!(text.contains("use `stand@db1`"), "{text}");
}

#[tokio::test]
async fn cookies_that_differ_either_way() {
    fails!(CookieMismatch, |stream| {
        let mut stream = stream;
        give_name(&mut stream).await;
        challenge(&mut stream, NAME).await;
        let _reply = read_message(&mut stream).await;
    });
    // A peer that accepts everybody must prove that it knows the cookie too.
    fails!(CookieMismatch, |stream| {
        let mut stream = stream;
        give_name(&mut stream).await;
        challenge(&mut stream, NAME).await;
        let _reply = read_message(&mut stream).await;
        write_message(&mut stream, &[b"a".as_slice(), &[0; 16]].concat()).await;
        sleep(SOON).await;
    });
}

#[tokio::test]
async fn a_knock_stops_at_the_challenge() {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let address = listen(move |mut stream| {
        let sender = sender.clone();
        async move {
            give_name(&mut stream).await;
            challenge(&mut stream, "other@127.0.0.1").await;
            let mut rest = Vec::new();
            tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest).await.unwrap();
            sender.send(rest).unwrap();
        }
    })
    .await;
    let knock =
        Connection::knock(&target(&address), &LocalName::Dynamic, SOON, None).await.unwrap();
    assert_eq!((knock.name.as_str(), knock.creation), ("other@127.0.0.1", 9));
    assert_eq!(receiver.recv().await.unwrap(), b"", "nothing is answered");
}

#[tokio::test]
async fn a_wrong_cookie_is_never_tried_twice() {
    let n_tries = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&n_tries);
    let address = listen(move |mut stream| {
        counter.fetch_add(1, Ordering::Relaxed);
        async move {
            give_name(&mut stream).await;
            challenge(&mut stream, NAME).await;
            let _reply = read_message(&mut stream).await;
        }
    })
    .await;
    let until = tokio::time::Instant::now() + SOON;
    let error =
        Connection::connect_retrying(&target(&address), &config(), &mut Backoff::new(), until)
            .await
            .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CookieMismatch);
    assert_eq!(n_tries.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn what_time_may_repair_is_tried_again() {
    let n_tries = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&n_tries);
    let address = listen(move |stream| {
        counter.fetch_add(1, Ordering::Relaxed);
        async move { drop(stream) }
    })
    .await;
    let until = tokio::time::Instant::now() + Duration::from_secs(2);
    let error =
        Connection::connect_retrying(&target(&address), &config(), &mut Backoff::new(), until)
            .await
            .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::HandshakeClosed);
    // At once, after 0.4 to 0.5 s, after another 0.75 to 1 s; the next would be too late.
    assert_eq!(n_tries.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_closed_port_and_an_unknown_host() {
    let error = connect_error("127.0.0.1:1").await;
    assert_eq!(error.kind(), ErrorKind::NodeUnreachable, "{error}");
    let error = connect_error("no-such-host.invalid:1").await;
    assert_eq!(error.kind(), ErrorKind::HostUnknown, "{error}");
}

/// On a machine without IPv6 there is nothing to dial, and this passes without having tried.
#[tokio::test]
async fn an_ipv6_address_is_dialled() {
    let Ok(listener) = tokio::net::TcpListener::bind("[::1]:0").await else { return };
    let address = listener.local_addr().unwrap().to_string();
    let accepted = tokio::spawn(async move { listener.accept().await.map(drop) });
    let error = connect_error(&address).await;
    assert_eq!(error.kind(), ErrorKind::HandshakeClosed, "{error}");
    accepted.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_chosen_name_is_of_the_targets_kind() {
    let mut config: Config = config();
    config.local = LocalName::Chosen("me@short".parse().unwrap());
    let error = Connection::connect(&target("127.0.0.1:1"), &config).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidName, "{error}");
}

/// What a stand-in for EPMD answers; the kind of error that comes of it.
async fn epmd_error(answer: &'static [u8]) -> giulia_dist::Error {
    let address = listen(move |mut stream: TcpStream| async move {
        let _request = read_message(&mut stream).await;
        stream.write_all(answer).await.unwrap();
    })
    .await;
    let mut target = Target::new(NAME.parse().unwrap());
    target.epmd_port = address.rsplit_once(':').unwrap().1.parse().unwrap();
    Connection::connect(&target, &config()).await.unwrap_err()
}

#[tokio::test]
async fn epmds_that_are_none() {
    let error = epmd_error(b"HTTP/1.1 400\r\n\r\n").await;
    assert_eq!(error.kind(), ErrorKind::EpmdUnreachable, "{error}");
    assert!(error.to_string().contains("is not EPMD"), "{error}");
    let error = epmd_error(b"").await;
    assert_eq!(error.kind(), ErrorKind::EpmdUnreachable, "{error}");
    let error = epmd_error(&[119, 1]).await;
    assert_eq!(error.kind(), ErrorKind::NodeUnknown, "{error}");
    // Handshake version 5: OTP 22.
    let error = epmd_error(&[119, 0, 0, 9, 77, 0, 0, 5, 0, 5, 0, 0, 0, 0]).await;
    assert_eq!(error.kind(), ErrorKind::VersionUnsupported, "{error}");
}

#[tokio::test]
async fn an_epmd_without_end_is_cut_off() {
    let address = listen(|mut stream: TcpStream| async move {
        let line = b"name a at port 1\n".repeat(1_000);
        while stream.write_all(&line).await.is_ok() {}
    })
    .await;
    let port = address.rsplit_once(':').unwrap().1.parse().unwrap();
    let started = Instant::now();
    let error = epmd::names("127.0.0.1", port, SOON).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::EpmdUnreachable, "{error}");
    assert!(started.elapsed() < SOON, "{error}");
}

#[tokio::test]
async fn a_silent_epmd_ends_at_the_deadline() {
    let address = listen(|stream: TcpStream| async move {
        sleep(FOREVER).await;
        drop(stream);
    })
    .await;
    let port = address.rsplit_once(':').unwrap().1.parse().unwrap();
    let started = Instant::now();
    let error = epmd::names("127.0.0.1", port, Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::EpmdUnreachable, "{error}");
    assert!(started.elapsed() < Duration::from_secs(2), "{error}");
}
