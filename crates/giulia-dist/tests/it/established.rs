//! Peers that shake hands and then misbehave, or do what only a node can be made to do rarely.

use std::time::{Duration, Instant};

use giulia_dist::{
    Call, Connection, ErrorKind, Limits, Message, SpawnOptions,
    control::{self, Control, Process},
    flags,
    term::{Pid, Reference, Term},
};
use tokio::{io::AsyncWriteExt, sync::mpsc, time::timeout};

use crate::peer::{NAME, OURS, Peer, SOON, config, established};

fn their_pid(id: u32) -> Pid {
    Pid::new(NAME, id, 0, 9)
}

fn call() -> Call {
    Call::new("erlang", "node", vec![])
}

fn spawn_reply(reference: &Reference, to: &Pid, pid: &Pid) -> Term<'static> {
    Term::tuple([
        Term::int(31),
        Term::from(reference.clone()),
        Term::from(to.clone()),
        Term::int(1),
        Term::from(pid.clone()),
    ])
}

/// `{24, From, To}`: a link has broken; the reason is the payload.
fn link_exit(from: &Pid, to: &Pid) -> Term<'static> {
    Term::tuple([Term::int(24), Term::from(from.clone()), Term::from(to.clone())])
}

fn returned(reference: &Reference, value: Term<'static>) -> Term<'static> {
    Term::tuple([Term::from(reference.clone()), Term::atom("return"), value])
}

/// The next request for a process.
async fn request(peer: &mut Peer) -> (Reference, Pid) {
    loop {
        if let Control::SpawnRequest { reference, from } = peer.control().await {
            return (reference, from);
        }
    }
}

/// Whom the client kills next.
async fn killed(peer: &mut Peer) -> Pid {
    loop {
        if let Control::Exit2 { to, .. } = peer.control().await {
            return to;
        }
    }
}

/// Keeps the socket open and does nothing.
async fn frozen(peer: Peer) {
    std::future::pending::<()>().await;
    drop(peer);
}

async fn ends(connection: &Connection, kind: ErrorKind) {
    let error = timeout(SOON, connection.closed()).await.expect("it goes on");
    assert_eq!(error.kind(), kind, "{error}");
    assert!(connection.is_closed());
    let error = connection.call(&call()).await.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
}

#[tokio::test]
async fn an_honest_peer_is_understood() {
    let connection = established(config(), |mut peer| async move {
        let (reference, us) = request(&mut peer).await;
        let pid = their_pid(1);
        peer.send(&spawn_reply(&reference, &us, &pid), None).await;
        peer.send(&link_exit(&pid, &us), Some(&returned(&reference, Term::int(5)))).await;
        peer.linger().await;
    })
    .await;
    assert_eq!(connection.local_name(), OURS);
    assert_eq!(connection.peer().name.as_str(), NAME);
    let reply = connection.call(&call()).await.unwrap();
    assert_eq!(reply.reader().int(), Ok(5));
}

#[tokio::test]
async fn an_answer_without_its_spawn_reply_still_arrives() {
    let connection = established(config(), |mut peer| async move {
        let (reference, us) = request(&mut peer).await;
        peer.send(&link_exit(&their_pid(1), &us), Some(&returned(&reference, Term::int(5)))).await;
        peer.linger().await;
    })
    .await;
    assert_eq!(connection.call(&call()).await.unwrap().reader().int(), Ok(5));
}

#[tokio::test]
async fn four_gib_announced() {
    let connection = established(config(), |mut peer| async move {
        peer.stream.write_all(&[0xff; 4]).await.unwrap();
        peer.linger().await;
    })
    .await;
    ends(&connection, ErrorKind::Limit).await;
}

#[tokio::test]
async fn frames_and_control_messages_that_are_none() {
    for bytes in [
        &[0, 0, 0, 1, 99][..],
        &[0, 0, 0, 5, 131, 68, 0, 97, 1],
        // LINK with an integer in place of a pid.
        &[0, 0, 0, 11, 131, 68, 0, 104, 3, 97, 1, 97, 2, 97, 3],
    ] {
        let connection = established(config(), move |mut peer| async move {
            peer.stream.write_all(bytes).await.unwrap();
            peer.linger().await;
        })
        .await;
        ends(&connection, ErrorKind::Protocol).await;
    }
}

#[tokio::test]
async fn unknown_operations_are_ignored_and_counted() {
    let connection = established(config(), |mut peer| async move {
        peer.send(&Term::tuple([Term::int(99)]), None).await;
        let (reference, us) = request(&mut peer).await;
        peer.send(&link_exit(&their_pid(1), &us), Some(&returned(&reference, Term::int(5)))).await;
        peer.linger().await;
    })
    .await;
    connection.call(&call()).await.unwrap();
    assert_eq!(connection.stats().ignored, 1);
}

#[tokio::test]
async fn a_frozen_peer_is_silent() {
    let mut config = config();
    config.silence_max = Duration::from_millis(300);
    let connection = established(config, frozen).await;
    ends(&connection, ErrorKind::Silent).await;
}

#[tokio::test]
async fn a_peer_that_answers_when_asked_is_not_silent() {
    let mut config = config();
    config.silence_max = Duration::from_millis(300);
    let connection = established(config, |mut peer| async move {
        loop {
            if let Control::Monitor { from, to, reference } = peer.control().await {
                let reason = Term::atom("noproc");
                let (control, payload) =
                    control::monitor_exit(flags::OFFERED, &to, &from, &reference, reason);
                peer.send(&control, payload.as_ref()).await;
            }
        }
    })
    .await;
    timeout(Duration::from_secs(1), connection.closed()).await.unwrap_err();
}

#[tokio::test]
async fn a_peer_that_reads_nothing_costs_no_more_than_the_queue() {
    let mut config = config();
    config.limits.write_queue_bytes_max = 256 << 10;
    config.limits.write_stall_max = Duration::from_secs(1);
    let connection = established(config, frozen).await;
    let started = Instant::now();
    let mut calls = Vec::new();
    for _ in 0..200 {
        let connection = connection.clone();
        let call = Call::new("erlang", "size", vec![Term::binary(vec![0; 60_000])])
            .timeout(Duration::from_secs(3));
        calls.push(tokio::spawn(async move { connection.call(&call).await.unwrap_err().kind() }));
    }
    for call in calls {
        let kind = call.await.unwrap();
        assert!(matches!(kind, ErrorKind::Silent | ErrorKind::Deadline), "{kind:?}");
    }
    assert!(started.elapsed() < Duration::from_secs(6));
    ends(&connection, ErrorKind::Silent).await;
}

#[tokio::test]
async fn a_peer_that_wants_answers_and_does_not_read_them() {
    let mut config = config();
    config.limits.write_queue_bytes_max = 64 << 10;
    let connection = established(config, |mut peer| async move {
        let us = Pid::new(OURS, 99, 0, 7);
        let unlink = control::unlink(flags::OFFERED, 1, &their_pid(1), &us);
        let mut bytes = Vec::new();
        unlink.encode(&mut bytes).unwrap();
        let frame =
            giulia_dist::frame::encode(giulia_dist::frame::Header::Distribution, &bytes, None);
        let many = frame.repeat(1_000);
        while peer.stream.write_all(&many).await.is_ok() {}
    })
    .await;
    ends(&connection, ErrorKind::Limit).await;
}

#[tokio::test]
async fn an_oversized_answer_fails_its_call_alone() {
    let connection = established(config(), |mut peer| async move {
        let (reference, us) = request(&mut peer).await;
        let mut first = Vec::new();
        link_exit(&their_pid(1), &us).encode(&mut first).unwrap();
        let answer = returned(&reference, Term::binary(vec![0; 3 << 20]));
        answer.encode(&mut first).unwrap();
        let pieces: Vec<&[u8]> = first.chunks(64 << 10).collect();
        for (idx, piece) in pieces.iter().enumerate() {
            let mut body = vec![131, if idx == 0 { 69 } else { 70 }];
            body.extend(7u64.to_be_bytes());
            body.extend(u64::try_from(pieces.len() - idx).unwrap().to_be_bytes());
            if idx == 0 {
                body.push(0);
            }
            body.extend_from_slice(piece);
            peer.stream.write_u32(u32::try_from(body.len()).unwrap()).await.unwrap();
            peer.stream.write_all(&body).await.unwrap();
        }
        let (reference, us) = request(&mut peer).await;
        peer.send(&link_exit(&their_pid(2), &us), Some(&returned(&reference, Term::int(5)))).await;
        peer.linger().await;
    })
    .await;
    let error = connection.call(&call()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    assert_eq!(connection.call(&call()).await.unwrap().reader().int(), Ok(5));
}

#[tokio::test]
async fn a_dropped_call_is_killed_once_its_process_is_known() {
    let (sender, mut victims) = mpsc::unbounded_channel();
    let connection = established(config(), move |mut peer| {
        let sender = sender.clone();
        async move {
            // Known before the drop.
            let (reference, us) = request(&mut peer).await;
            peer.send(&spawn_reply(&reference, &us, &their_pid(1)), None).await;
            sender.send(killed(&mut peer).await).unwrap();
            // Known only after it.
            let (reference, us) = request(&mut peer).await;
            tokio::time::sleep(Duration::from_millis(300)).await;
            peer.send(&spawn_reply(&reference, &us, &their_pid(2)), None).await;
            sender.send(killed(&mut peer).await).unwrap();
            peer.linger().await;
        }
    })
    .await;
    for id in [1, 2] {
        let dropped = timeout(Duration::from_millis(200), connection.call(&call())).await;
        dropped.unwrap_err();
        let victim = timeout(SOON, victims.recv()).await.expect("nobody was killed").unwrap();
        assert_eq!(victim, their_pid(id));
    }
}

#[tokio::test]
async fn calls_have_a_limit_that_dropped_ones_count_towards() {
    let mut config = config();
    config.limits.calls_max = 2;
    let connection = established(config, |mut peer| async move { peer.linger().await }).await;
    for _ in 0..2 {
        timeout(Duration::from_millis(50), connection.call(&call())).await.unwrap_err();
    }
    let error = connection.call(&call()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
}

#[tokio::test]
async fn large_requests_are_refused_before_they_are_sent() {
    let connection = established(config(), |mut peer| async move { peer.linger().await }).await;
    let before = connection.stats().bytes_sent;
    let call = Call::new("erlang", "size", vec![Term::binary(vec![0; 65_536])]);
    assert_eq!(connection.call(&call).await.unwrap_err().kind(), ErrorKind::Request);
    let message = Term::binary(vec![0; 65_536]);
    let error = connection.send(&their_pid(1), &message).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Request);
    assert_eq!(connection.stats().bytes_sent, before);
}

#[tokio::test]
async fn a_full_mailbox_counts_what_it_drops() {
    let mut config = config();
    config.limits = Limits { mailbox_len_max: 10, ..config.limits };
    let connection = established(config, |mut peer| async move {
        let Control::Monitor { from, .. } = peer.control().await else { panic!() };
        let control = control::send(flags::OFFERED, &their_pid(1), &from);
        for n in 0..25 {
            peer.send(&control, Some(&Term::int(n))).await;
        }
        peer.linger().await;
    })
    .await;
    let mut mailbox = connection.mailbox();
    mailbox.monitor(&their_pid(1)).await.unwrap();
    timeout(SOON, async {
        while mailbox.dropped() < 15 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("too few were dropped");
    for expect in 0..10 {
        let Message::Term(payload) = mailbox.recv().await.unwrap() else { panic!() };
        assert_eq!(payload.reader().int(), Ok(expect));
    }
    assert_eq!(mailbox.dropped(), 15);
}

#[tokio::test]
async fn links_and_monitors_on_us_hear_of_our_end() {
    let (sender, mut heard) = mpsc::unbounded_channel();
    let connection = established(config(), move |mut peer| {
        let sender = sender.clone();
        async move {
            let Control::Link { from: us, .. } = peer.control().await else { panic!() };
            let reference = Reference::new(NAME, 9, &[1, 2, 3]).unwrap();
            let to = Process::Pid(us.clone());
            peer.send(&control::monitor_process(&their_pid(2), &to, &reference), None).await;
            peer.send(&control::unlink(flags::OFFERED, 77, &their_pid(3), &us), None).await;
            // Nobody has this pid: refused at once.
            let nobody = Pid::new(OURS, 500, 0, 7);
            peer.send(&control::link_to(&their_pid(4), &nobody), None).await;
            for _ in 0..4 {
                sender.send(peer.control().await).unwrap();
            }
            peer.linger().await;
        }
    })
    .await;
    let mailbox = connection.mailbox();
    let us = mailbox.pid().clone();
    mailbox.link(&their_pid(1)).await.unwrap();
    let next = heard.recv().await.unwrap();
    assert_eq!(next, Control::UnlinkIdAck { id: 77, from: us.clone(), to: their_pid(3) });
    let Control::Exit { to, .. } = heard.recv().await.unwrap() else { panic!() };
    assert_eq!(to, their_pid(4));
    drop(mailbox);
    let Control::Exit { from, to, .. } = heard.recv().await.unwrap() else { panic!() };
    assert_eq!((from, to), (us.clone(), their_pid(1)));
    let Control::MonitorExit { from, to, .. } = heard.recv().await.unwrap() else { panic!() };
    assert_eq!((from, to), (Process::Pid(us), their_pid(2)));
}

#[tokio::test]
async fn a_spawn_given_up_is_killed_when_it_comes() {
    let (sender, mut victims) = mpsc::unbounded_channel();
    let connection = established(config(), move |mut peer| {
        let sender = sender.clone();
        async move {
            let (reference, us) = request(&mut peer).await;
            tokio::time::sleep(Duration::from_millis(300)).await;
            peer.send(&spawn_reply(&reference, &us, &their_pid(1)), None).await;
            sender.send(killed(&mut peer).await).unwrap();
            peer.linger().await;
        }
    })
    .await;
    let mailbox = connection.mailbox();
    let call = call().timeout(Duration::from_millis(100));
    let error = mailbox.spawn(&call, SpawnOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Deadline, "{error}");
    assert_eq!(timeout(SOON, victims.recv()).await.unwrap().unwrap(), their_pid(1));
}

#[tokio::test]
async fn an_end_is_the_same_for_everybody() {
    let connection = established(config(), |mut peer| async move {
        let _request = request(&mut peer).await;
    })
    .await;
    let mut mailbox = connection.mailbox();
    let error = connection.call(&call()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    assert_eq!(mailbox.recv().await.unwrap_err().kind(), ErrorKind::Closed);
    ends(&connection, ErrorKind::Closed).await;
}
