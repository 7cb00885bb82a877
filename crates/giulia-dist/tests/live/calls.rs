//! Calls: many at once, large, late, refused, dropped.

use std::time::{Duration, Instant};

use giulia_dist::{Connection, ErrorKind, term::Term};
use giulia_testkit::{Node, for_each_otp};
use tokio::task::JoinSet;

use crate::{ask, attach, call, config, run, target, within};

#[test]
fn many_calls_are_in_flight_and_each_gets_its_own_answer() {
    for_each_otp("dist::many_calls_are_in_flight_and_each_gets_its_own_answer", |otp| {
        let node = Node::builder(otp).start();
        run(async {
            let connection = attach(&node).await;
            let started = Instant::now();
            let mut calls = JoinSet::new();
            for number in 0..500_i64 {
                let connection = connection.clone();
                calls.spawn(async move {
                    // The later ones are the first to be answered.
                    let nap = Term::int(500 - number);
                    ask(&connection, &call("timer", "sleep", [nap])).await.unwrap();
                    let sum = call("erlang", "+", [Term::int(number), Term::int(1)]);
                    (number, ask(&connection, &sum).await.unwrap())
                });
            }
            while let Some(answer) = calls.join_next().await {
                let (number, answer) = answer.unwrap();
                assert_eq!(answer, (number + 1).to_string());
            }
            // One after another they would take 125 s.
            assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
        });
    });
}

#[test]
fn a_large_answer_holds_up_no_small_one() {
    for_each_otp("dist::a_large_answer_holds_up_no_small_one", |otp| {
        let node = Node::builder(otp).start();
        run(async {
            let connection = attach(&node).await;
            let bytes = 40 << 20;
            let large = call("binary", "copy", [Term::binary(&b"x"[..]), Term::int(bytes)]);
            let large = large.timeout(Duration::from_secs(30));
            let small = call("erlang", "is_alive", []);
            let mut n_small = 0;
            let waiting = connection.call(&large);
            tokio::pin!(waiting);
            let reply = loop {
                tokio::select! {
                    reply = &mut waiting => break reply.unwrap(),
                    answer = connection.call(&small) => {
                        answer.unwrap();
                        n_small += 1;
                    }
                }
            };
            let term = reply.term().unwrap();
            assert_eq!(term.as_binary().unwrap().len(), usize::try_from(bytes).unwrap());
            assert!(term.as_binary().unwrap().iter().all(|it| *it == b'x'));
            assert!(n_small > 0, "no small answer came before the large one");
        });
    });
}

#[test]
fn an_answer_above_the_limit_fails_alone() {
    for_each_otp("dist::an_answer_above_the_limit_fails_alone", |otp| {
        let node = Node::builder(otp).start();
        run(async {
            let mut config = config(&node);
            config.limits.message_bytes_max = 1 << 20;
            let connection = Connection::connect(&target(&node), &config).await.unwrap();
            let copy = |bytes| call("binary", "copy", [Term::binary(&b"x"[..]), Term::int(bytes)]);
            let error = ask(&connection, &copy(8 << 20)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
            assert_eq!(ask(&connection, &call("erlang", "is_alive", [])).await.unwrap(), "true");
        });
    });
}

#[test]
fn what_nobody_waits_for_is_killed_on_the_target() {
    for_each_otp("dist::what_nobody_waits_for_is_killed_on_the_target", |otp| {
        let node = Node::builder(otp).start();
        node.eval("ok");
        run(async {
            let connection = attach(&node).await;
            let forever = call("timer", "sleep", [Term::atom("infinity")]);
            ask(&connection, &call("timer", "sleep", [Term::int(1)])).await.unwrap();
            let before = node.residue();
            // Dropped while it runs, and dropped before its pid was known.
            for patience in [Duration::from_millis(200), Duration::ZERO] {
                let dropped = tokio::time::timeout(patience, connection.call(&forever)).await;
                assert!(dropped.is_err());
            }
            let late = forever.clone().timeout(Duration::from_millis(300));
            let started = Instant::now();
            let error = ask(&connection, &late).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Deadline, "{error}");
            assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
            let clean = || before.diff(&node.residue()).new_in("processes").is_empty();
            assert!(
                within(Duration::from_secs(2), clean).await,
                "{}",
                before.diff(&node.residue())
            );
            assert_eq!(ask(&connection, &call("erlang", "is_alive", [])).await.unwrap(), "true");
        });
    });
}

#[test]
fn what_the_function_raised_is_told() {
    for_each_otp("dist::what_the_function_raised_is_told", |otp| {
        let node = Node::builder(otp).start();
        run(async {
            let connection = attach(&node).await;
            let boom = || Term::tuple([Term::atom("boom"), Term::int(7)]);
            for (function, class) in [("error", "error"), ("exit", "exit"), ("throw", "throw")] {
                let error =
                    ask(&connection, &call("erlang", function, [boom()])).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Raised, "{error}");
                let text = error.to_string();
                assert!(text.contains("{boom,7}") || text.contains("{boom, 7}"), "{text}");
                assert!(text.contains(class), "{text}");
            }
            let error = ask(&connection, &call("nowhere", "nothing", [])).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Raised, "{error}");
            assert!(error.to_string().contains("undef"), "{error}");
            assert_eq!(node.log(), "", "a call that raises is no crash of the target's");
        });
    });
}

#[test]
fn a_heap_limit_kills_the_call_and_nothing_else() {
    for_each_otp("dist::a_heap_limit_kills_the_call_and_nothing_else", |otp| {
        let node = Node::builder(otp).start();
        run(async {
            let connection = attach(&node).await;
            let greedy = call("lists", "seq", [Term::int(1), Term::int(5_000_000)]);
            let error = ask(&connection, &greedy.max_heap_words(100_000)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Killed, "{error}");
            let modest = call("lists", "seq", [Term::int(1), Term::int(3)]).max_heap_words(100_000);
            assert_eq!(ask(&connection, &modest.low_priority()).await.unwrap(), "[1,2,3]");
            assert_eq!(node.log(), "");
        });
    });
}

#[test]
fn a_request_above_64_kib_is_not_sent() {
    for_each_otp("dist::a_request_above_64_kib_is_not_sent", |otp| {
        let node = Node::builder(otp).start();
        run(async {
            let connection = attach(&node).await;
            let sent = connection.stats().bytes_sent;
            let large = call("erlang", "byte_size", [Term::binary(vec![0; 70_000])]);
            let error = ask(&connection, &large).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Request, "{error}");
            assert_eq!(connection.stats().bytes_sent, sent);
            let fits = call("erlang", "byte_size", [Term::binary(vec![0; 60_000])]);
            assert_eq!(ask(&connection, &fits).await.unwrap(), "60000");
        });
    });
}
