//! What a target looks like after us, measured inside it by other means than ours.

use std::{
    env, fs,
    process::{Command, Stdio},
    time::Duration,
};

use giulia_dist::{SpawnOptions, term::Term};
use giulia_testkit::{Difference, Node, Residue, for_each_otp};

use crate::{ask, attach, call, run, within};

/// Connecting by itself makes the node remember a name, load what serves `spawn_request`,
/// and know the atoms of both; each test looks at these by itself.
const REMEMBERED: &[&str] = &["atoms", "modules", "nodes_known"];

async fn settles(before: &Residue, node: &Node) -> Difference {
    let clean = || before.diff(&node.residue()).without(REMEMBERED).is_empty();
    within(Duration::from_secs(3), clean).await;
    before.diff(&node.residue())
}

async fn visit(node: &Node) {
    let connection = attach(node).await;
    let mailbox = connection.mailbox();
    let forever = call("timer", "sleep", [Term::atom("infinity")]);
    let tied = SpawnOptions { link: true, monitor: true };
    mailbox.spawn(&forever, tied).await.unwrap();
    for _ in 0..20 {
        ask(&connection, &call("erlang", "processes", [])).await.unwrap();
    }
    drop(tokio::time::timeout(Duration::from_millis(50), connection.call(&forever)).await);
}

#[test]
fn a_visit_leaves_nothing_and_the_second_adds_no_atom() {
    for_each_otp("dist::a_visit_leaves_nothing_and_the_second_adds_no_atom", |otp| {
        for builder in [Node::builder(otp), Node::builder(otp).embedded().elixir()] {
            let node = builder.start();
            run(async {
                let before = node.residue();
                visit(&node).await;
                let first = settles(&before, &node).await;
                assert!(first.clone().without(REMEMBERED).is_empty(), "{first}");
                // Kernel and stdlib modules that OTP loads by itself at their first use.
                let loaded = first.new_in("modules");
                assert!(loaded.iter().all(|it| it == "erpc" || it == "timer"), "{first}");
                assert!(first.new_in("nodes_known").len() <= 1, "{first}");
                let between = node.residue();
                visit(&node).await;
                let second = settles(&between, &node).await;
                assert!(second.is_empty(), "{second}");
                assert_eq!(node.log(), "");
            });
        }
    });
}

/// As the name says; a second process visits, because this one must live to look.
#[test]
fn a_visitor_that_is_killed_leaves_nothing() {
    const INNER: &str = "GIULIA_LIVE_INNER";
    if let Ok(inner) = env::var(INNER) {
        let words: Vec<&str> = inner.split(' ').collect();
        let mut target = giulia_dist::Target::new(words[0].parse().unwrap());
        target.epmd_port = words[1].parse().unwrap();
        let config = giulia_dist::Config::new(giulia_dist::Cookie::new(words[2]));
        run(async {
            let connection = giulia_dist::Connection::connect(&target, &config).await.unwrap();
            let mailbox = connection.mailbox();
            let forever = call("timer", "sleep", [Term::atom("infinity")]);
            let tied = SpawnOptions { link: true, monitor: false };
            mailbox.spawn(&forever, tied).await.unwrap();
            let wait = forever.timeout(Duration::from_mins(1));
            let ready = async {
                tokio::time::sleep(Duration::from_millis(200)).await;
                fs::write(words[3], "ready").unwrap();
                std::future::pending::<()>().await;
            };
            tokio::join!(async { drop(connection.call(&wait).await) }, ready);
        });
    }
    for_each_otp("dist::a_visitor_that_is_killed_leaves_nothing", |otp| {
        let node = Node::builder(otp).start();
        run(async {
            visit(&node).await;
            let before = node.residue();
            let before = {
                within(Duration::from_secs(1), || node.residue() == before).await;
                node.residue()
            };
            let folder = tempfile::tempdir().unwrap();
            let ready = folder.path().join("ready");
            let inner = format!(
                "{} {} {} {}",
                node.name(),
                node.epmd_port(),
                node.cookie(),
                ready.display()
            );
            let mut visitor = Command::new(env::current_exe().unwrap())
                .args(["a_visitor_that_is_killed_leaves_nothing", "--nocapture"])
                .env(INNER, inner)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            assert!(within(Duration::from_secs(20), || ready.exists()).await, "no visitor came");
            let during = before.diff(&node.residue());
            assert_eq!(during.new_in("processes").len(), 2, "{during}");
            assert_eq!(during.new_in("nodes_hidden").len(), 1, "{during}");
            visitor.kill().unwrap();
            visitor.wait().unwrap();
            let difference = settles(&before, &node).await;
            assert!(difference.clone().without(REMEMBERED).is_empty(), "{difference}");
        });
    });
}
