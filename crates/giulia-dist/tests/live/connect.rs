//! Every way in, and that nobody on the target sees us come.

use std::time::Duration;

use giulia_dist::{Connection, ErrorKind, LocalName, NameMode, Target};
use giulia_testkit::{Names, Node, for_each_otp};

use crate::{ask, attach, call, config, run, target, within};

#[test]
fn every_shape_of_node_lets_us_in_and_nobody_sees_us() {
    for_each_otp("dist::every_shape_of_node_lets_us_in_and_nobody_sees_us", |otp| {
        for builder in [
            Node::builder(otp).name("plain"),
            Node::builder(otp).name("short").names(Names::Short),
            Node::builder(otp).name("six").names(Names::LongIpv6),
            Node::builder(otp).name("release").embedded().elixir(),
            Node::builder(otp).name("with-dash_9"),
        ] {
            let node = builder.start();
            run(async {
                let connection = attach(&node).await;
                assert_eq!(connection.peer().name.as_str(), node.name());
                let name = ask(&connection, &call("erlang", "node", [])).await.unwrap();
                assert_eq!(name.trim_matches('\''), node.name());
                assert_eq!(node.eval("nodes()"), "[]");
                let hidden = node.eval("nodes(hidden)");
                assert_eq!(hidden.replace('\'', ""), format!("[{}]", connection.local_name()));
                connection.close();
                let gone = || node.eval("nodes(hidden)") == "[]";
                assert!(within(Duration::from_secs(2), gone).await);
                assert_eq!(node.log(), "", "the node logged our visit");
            });
        }
    });
}

#[test]
fn a_host_and_port_replace_epmd() {
    for_each_otp("dist::a_host_and_port_replace_epmd", |otp| {
        let node = Node::builder(otp).start();
        node.epmd().stop();
        run(async {
            let error = Connection::connect(&target(&node), &config(&node)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::EpmdUnreachable, "{error}");
            for host in ["127.0.0.1", "localhost"] {
                let at = target(&node).at(format!("{host}:{}", node.dist_port()));
                let connection = Connection::connect(&at, &config(&node)).await.unwrap();
                assert_eq!(
                    ask(&connection, &call("erlang", "is_alive", [])).await.unwrap(),
                    "true"
                );
            }
        });
    });
}

#[test]
fn a_chosen_name_is_the_one_that_the_node_sees() {
    for_each_otp("dist::a_chosen_name_is_the_one_that_the_node_sees", |otp| {
        let node = Node::builder(otp).start();
        run(async {
            let mut config = config(&node);
            config.local = LocalName::Chosen("eye@127.0.0.1".parse().unwrap());
            let connection = Connection::connect(&target(&node), &config).await.unwrap();
            assert_eq!(connection.local_name(), "eye@127.0.0.1");
            assert_eq!(node.eval("nodes(hidden)"), "['eye@127.0.0.1']");
            // A second of the same name while the first is there.
            let error = Connection::connect(&target(&node), &config).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AlreadyConnected, "{error}");
            assert_eq!(ask(&connection, &call("erlang", "is_alive", [])).await.unwrap(), "true");
        });
    });
}

#[test]
fn two_attach_side_by_side() {
    for_each_otp("dist::two_attach_side_by_side", |otp| {
        let node = Node::builder(otp).start();
        run(async {
            let (first, second) = (attach(&node).await, attach(&node).await);
            assert_ne!(first.local_name(), second.local_name());
            drop(first);
            tokio::time::sleep(Duration::from_millis(200)).await;
            assert_eq!(ask(&second, &call("erlang", "is_alive", [])).await.unwrap(), "true");
        });
    });
}

#[test]
fn knocking_needs_no_cookie_and_is_not_logged() {
    for_each_otp("dist::knocking_needs_no_cookie_and_is_not_logged", |otp| {
        for names in [Names::Long, Names::Short] {
            let node = Node::builder(otp).names(names).start();
            run(async {
                let (second, local) = (Duration::from_secs(5), LocalName::Dynamic);
                let knock = Connection::knock(&target(&node), &local, second, None).await.unwrap();
                assert_eq!(knock.name.as_str(), node.name());
                // Under a name of the other kind it still says its real name.
                let wrong = if names == Names::Long { "kit@localhost" } else { "kit@127.0.0.1" };
                let mut crossed = Target::new(wrong.parse().unwrap());
                crossed.epmd_port = node.epmd_port();
                let knock = Connection::knock(&crossed, &local, second, None).await.unwrap();
                assert_eq!(knock.name.as_str(), node.name());
                let mode = if names == Names::Long { NameMode::Long } else { NameMode::Short };
                assert_eq!(knock.name.mode(), mode);
                assert_eq!(node.eval("nodes(connected)"), "[]");
                assert_eq!(node.log(), "");
            });
        }
    });
}

#[test]
fn a_knock_brings_the_chosen_name_and_a_refused_one_is_logged_once() {
    for_each_otp("dist::a_knock_brings_the_chosen_name_and_a_refused_one_is_logged_once", |otp| {
        let node = Node::builder(otp).eval("net_kernel:allow(['eye@127.0.0.1'])").start();
        run(async {
            let second = Duration::from_secs(5);
            let eye = LocalName::Chosen("eye@127.0.0.1".parse().unwrap());
            let knock = Connection::knock(&target(&node), &eye, second, None).await.unwrap();
            assert_eq!(knock.name.as_str(), node.name());
            // Right behind it: the node has let go of the name.
            let mut config = config(&node);
            config.local = eye;
            Connection::connect(&target(&node), &config).await.unwrap().close();
            assert_eq!(node.log(), "");
            let nobody = LocalName::Dynamic;
            let error = Connection::knock(&target(&node), &nobody, second, None).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotAllowed, "{error}");
            let is_logged = || node.log().contains("disallowed node");
            assert!(within(Duration::from_secs(2), is_logged).await, "{}", node.log());
            tokio::time::sleep(Duration::from_millis(300)).await;
            assert_eq!(node.log().matches("disallowed node").count(), 1, "{}", node.log());
        });
    });
}
