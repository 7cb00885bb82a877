//! Every way in which attaching fails is its own error, in time, with the next step.

use std::time::{Duration, Instant};

use giulia_dist::{Backoff, Connection, Cookie, ErrorKind, Target, term::Term};
use giulia_testkit::{Names, Node, for_each_otp};

use crate::{ask, attach, call, config, run, target};

#[test]
fn a_name_that_epmd_does_not_know() {
    for_each_otp("dist::a_name_that_epmd_does_not_know", |otp| {
        let node = Node::builder(otp).name("there").start();
        run(async {
            let mut unknown = Target::new("elsewhere@127.0.0.1".parse().unwrap());
            unknown.epmd_port = node.epmd_port();
            let error = Connection::connect(&unknown, &config(&node)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NodeUnknown, "{error}");
            assert!(error.to_string().contains("there"), "does not list what is: {error}");
            let unknown = Target::new("there@no-such-host.invalid".parse().unwrap());
            let error = Connection::connect(&unknown, &config(&node)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::HostUnknown, "{error}");
        });
    });
}

#[test]
fn a_wrong_cookie_is_told_and_not_retried() {
    for_each_otp("dist::a_wrong_cookie_is_told_and_not_retried", |otp| {
        let node = Node::builder(otp).start();
        run(async {
            let mut config = config(&node);
            config.cookie = Cookie::new("not-the-cookie");
            let started = Instant::now();
            let until = tokio::time::Instant::now() + Duration::from_secs(10);
            let error = Connection::connect_retrying(
                &target(&node),
                &config,
                &mut Backoff::default(),
                until,
            )
            .await
            .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::CookieMismatch, "{error}");
            assert!(!error.to_string().contains("not-the-cookie"), "{error}");
            assert!(started.elapsed() < Duration::from_secs(8), "it was retried");
            tokio::time::sleep(Duration::from_millis(200)).await;
            let reports = node.log().matches("Connection attempt").count();
            assert!(reports <= 1, "{reports} reports in the target's log:\n{}", node.log());
        });
    });
}

#[test]
fn crossed_name_modes_are_told() {
    for_each_otp("dist::crossed_name_modes_are_told", |otp| {
        for (names, wrong) in [(Names::Long, "kit@localhost"), (Names::Short, "kit@127.0.0.1")] {
            let node = Node::builder(otp).names(names).start();
            run(async {
                let mut crossed = Target::new(wrong.parse().unwrap());
                crossed.epmd_port = node.epmd_port();
                let error = Connection::connect(&crossed, &config(&node)).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::NameMismatch, "{error}");
            });
        }
    });
}

#[test]
fn a_frozen_node_holds_nobody_past_the_deadline() {
    for_each_otp("dist::a_frozen_node_holds_nobody_past_the_deadline", |otp| {
        let node = Node::builder(otp).start();
        run(async {
            let connection = attach(&node).await;
            let second = Duration::from_secs(1);
            node.freeze();
            let started = Instant::now();
            let quick = call("erlang", "is_alive", []).timeout(second);
            let error = ask(&connection, &quick).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Deadline, "{error}");
            let mut config = config(&node);
            config.connect_timeout = second;
            let error = Connection::connect(&target(&node), &config).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::HandshakeTimeout, "{error}");
            assert!(started.elapsed() < 3 * second, "{:?}", started.elapsed());
            node.thaw();
            assert_eq!(ask(&connection, &quick).await.unwrap(), "true");
        });
    });
}

#[test]
fn a_node_that_falls_silent_is_noticed() {
    for_each_otp("dist::a_node_that_falls_silent_is_noticed", |otp| {
        let node = Node::builder(otp).start();
        run(async {
            let mut config = config(&node);
            config.silence_max = Duration::from_secs(2);
            let connection = Connection::connect(&target(&node), &config).await.unwrap();
            ask(&connection, &call("erlang", "is_alive", [])).await.unwrap();
            node.freeze();
            let started = Instant::now();
            let error = connection.closed().await;
            assert_eq!(error.kind(), ErrorKind::Silent, "{error}");
            assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
            node.thaw();
        });
    });
}

#[test]
fn a_short_ticktime_keeps_an_idle_connection() {
    for_each_otp("dist::a_short_ticktime_keeps_an_idle_connection", |otp| {
        // The node drops whoever is silent for four seconds.
        let node = Node::builder(otp).args(["-kernel", "net_ticktime", "4"]).start();
        run(async {
            let connection = attach(&node).await;
            let ended = tokio::time::timeout(Duration::from_secs(9), connection.closed()).await;
            assert!(ended.is_err(), "{}", ended.unwrap());
            assert_eq!(ask(&connection, &call("erlang", "is_alive", [])).await.unwrap(), "true");
        });
    });
}

#[test]
fn a_node_that_dies_ends_calls_at_once_and_its_successor_is_found() {
    for_each_otp("dist::a_node_that_dies_ends_calls_at_once_and_its_successor_is_found", |otp| {
        let first = Node::builder(otp).name("phoenix").start();
        run(async {
            let connection = attach(&first).await;
            let forever = call("timer", "sleep", [Term::atom("infinity")]);
            let forever = forever.timeout(Duration::from_secs(30));
            let kill = async {
                tokio::time::sleep(Duration::from_millis(200)).await;
                first.kill();
            };
            let started = Instant::now();
            let (answer, ()) = tokio::join!(connection.call(&forever), kill);
            assert_eq!(answer.unwrap_err().kind(), ErrorKind::Closed);
            assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
            assert!(connection.is_closed());

            let (target, config) = (target(&first), config(&first));
            let epmd = first.epmd().clone();
            let restart = tokio::task::spawn_blocking({
                let otp = otp.clone();
                move || Node::builder(&otp).name("phoenix").epmd(&epmd).start()
            });
            let until = tokio::time::Instant::now() + Duration::from_secs(20);
            let mut backoff = Backoff::default();
            let again = Connection::connect_retrying(&target, &config, &mut backoff, until);
            let (again, second) = tokio::join!(again, restart);
            let (again, second) = (again.unwrap(), second.unwrap());
            assert_ne!(again.peer().creation, connection.peer().creation);
            assert_eq!(ask(&again, &call("erlang", "is_alive", [])).await.unwrap(), "true");
            drop(second);
        });
    });
}
