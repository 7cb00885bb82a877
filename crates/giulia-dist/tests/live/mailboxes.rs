//! Links, monitors, messages and processes of one's own on the target.

use std::time::Duration;

use giulia_dist::{Mailbox, Message, SpawnOptions, term::Term};
use giulia_testkit::{Node, for_each_otp};

use crate::{ask, attach, call, run, within};

async fn next(mailbox: &mut Mailbox) -> Message {
    tokio::time::timeout(Duration::from_secs(5), mailbox.recv()).await.unwrap().unwrap()
}

#[test]
fn a_message_from_the_target_arrives() {
    for_each_otp("dist::a_message_from_the_target_arrives", |otp| {
        let node = Node::builder(otp).start();
        run(async {
            let connection = attach(&node).await;
            let mut mailbox = connection.mailbox();
            let hello = Term::tuple([Term::atom("hello"), Term::int(42)]);
            let send = call("erlang", "send", [Term::Pid(mailbox.pid().clone()), hello.clone()]);
            ask(&connection, &send).await.unwrap();
            let Message::Term(payload) = next(&mut mailbox).await else { panic!("no message") };
            assert_eq!(payload.term().unwrap(), hello);
        });
    });
}

#[test]
fn a_message_reaches_a_process_there() {
    for_each_otp("dist::a_message_reaches_a_process_there", |otp| {
        let node = Node::builder(otp).start();
        node.eval(
            "register(echo, spawn(fun F() ->
                 receive {From, Text} -> From ! {self(), Text} end, F() end))",
        );
        run(async {
            let connection = attach(&node).await;
            let mut mailbox = connection.mailbox();
            let us = Term::Pid(mailbox.pid().clone());
            let hello = Term::tuple([us.clone(), Term::binary(&b"hello"[..])]);
            connection.send_name("echo", &hello).await.unwrap();
            let Message::Term(answer) = next(&mut mailbox).await else { panic!("no message") };
            let answer = answer.term().unwrap().into_owned();
            let echo = answer.as_tuple().unwrap()[0].as_pid().unwrap().clone();
            mailbox.send(&echo, &Term::tuple([us, Term::int(2)])).await.unwrap();
            let Message::Term(answer) = next(&mut mailbox).await else { panic!("no message") };
            assert_eq!(answer.term().unwrap().as_tuple().unwrap()[1], Term::Int(2));
        });
    });
}

#[test]
fn a_process_of_ours_ends_with_its_mailbox() {
    for_each_otp("dist::a_process_of_ours_ends_with_its_mailbox", |otp| {
        let node = Node::builder(otp).start();
        run(async {
            let connection = attach(&node).await;
            let mailbox = connection.mailbox();
            let forever = call("timer", "sleep", [Term::atom("infinity")]);
            let tied = SpawnOptions { link: true, monitor: true };
            let spawned = mailbox.spawn(&forever, tied).await.unwrap();
            let alive = format!("is_process_alive(list_to_pid(\"{}\"))", spawned.pid.local());
            assert_eq!(node.eval(&alive), "true");
            drop(mailbox);
            assert!(within(Duration::from_secs(2), || node.eval(&alive) == "false").await);
        });
    });
}

#[test]
fn ends_of_processes_are_told_with_their_reason() {
    for_each_otp("dist::ends_of_processes_are_told_with_their_reason", |otp| {
        let node = Node::builder(otp).start();
        run(async {
            let connection = attach(&node).await;
            let mut mailbox = connection.mailbox();
            let forever = call("timer", "sleep", [Term::atom("infinity")]);
            let tied = SpawnOptions { link: true, monitor: true };
            let spawned = mailbox.spawn(&forever, tied).await.unwrap();
            node.eval(&format!("exit(list_to_pid(\"{}\"), planned)", spawned.pid.local()));
            let (mut n_exits, mut n_downs) = (0, 0);
            for _ in 0..2 {
                let message = next(&mut mailbox).await;
                if let Message::Exit { from, reason, .. } = &message {
                    assert_eq!(*from, spawned.pid);
                    assert!(reason.term().unwrap().is_atom("planned"));
                    n_exits += 1;
                } else if let Message::Down { reference, reason, .. } = &message {
                    assert_eq!(Some(reference), spawned.monitor.as_ref());
                    assert!(reason.term().unwrap().is_atom("planned"));
                    n_downs += 1;
                } else {
                    panic!("{message:?}");
                }
            }
            assert_eq!((n_exits, n_downs), (1, 1));
            // A monitor on what is gone already answers at once.
            let reference = mailbox.monitor(&spawned.pid).await.unwrap();
            let Message::Down { reference: told, reason, .. } = next(&mut mailbox).await else {
                panic!("no end")
            };
            assert_eq!(told, reference);
            assert!(reason.term().unwrap().is_atom("noproc"));
        });
    });
}

#[test]
fn a_full_mailbox_drops_and_counts() {
    for_each_otp("dist::a_full_mailbox_drops_and_counts", |otp| {
        let node = Node::builder(otp).start();
        run(async {
            let mut config = crate::config(&node);
            config.limits.mailbox_len_max = 100;
            let target = crate::target(&node);
            let connection = giulia_dist::Connection::connect(&target, &config).await.unwrap();
            let mailbox = connection.mailbox();
            let us = mailbox.pid().clone();
            let send = call("erlang", "send", [Term::Pid(us), Term::atom("ping")]);
            for _ in 0..300 {
                ask(&connection, &send).await.unwrap();
            }
            assert!(within(Duration::from_secs(2), || mailbox.dropped() == 200).await);
            assert!(!connection.is_closed());
        });
    });
}
