//! What a target looks like after us, measured inside it by other means than ours.

use std::{
    env, fs,
    process::{Command, Stdio},
    time::Duration,
};

use giulia_dist::{SpawnOptions, term::Term};
use giulia_testkit::{Difference, Node, Otp, Residue, for_each_otp};

use crate::{ask, attach, call, run, within};

/// Connecting by itself makes the node remember a name, load what serves `spawn_request`,
/// and know the atoms of both; each test looks at these by itself.
const REMEMBERED: &[&str] = &["atoms", "modules", "nodes_known"];

/// What `net_kernel` loads to make up a name for whoever asks for one: it takes random bytes
/// from `crypto` where there is one (which on OTP 29 loads `epp`), and from `rand` elsewhere.
const DYNAMIC_NAME: &[&str] = &["crypto", "epp", "rand"];

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

/// What OTP loads by itself when any node connects and asks: a real one shows which.
fn autoloaded(otp: &Otp) -> Vec<String> {
    let asked = Node::builder(otp).name("asked").start();
    let asking = Node::builder(otp).name("asking").args(["-hidden"]).epmd(asked.epmd()).start();
    let before = asked.residue();
    asking.eval("erpc:call('asked@127.0.0.1', timer, sleep, [1])");
    before.diff(&asked.residue()).new_in("modules").to_vec()
}

#[test]
fn a_visit_leaves_nothing_and_the_second_adds_no_atom() {
    for_each_otp("dist::a_visit_leaves_nothing_and_the_second_adds_no_atom", |otp| {
        let autoloaded = autoloaded(otp);
        for (builder, is_embedded) in
            [(Node::builder(otp), false), (Node::builder(otp).embedded().elixir(), true)]
        {
            let node = builder.start();
            run(async {
                let before = node.residue();
                visit(&node).await;
                let first = settles(&before, &node).await;
                assert!(first.clone().without(REMEMBERED).is_empty(), "{first}");
                for module in first.new_in("modules") {
                    assert!(!is_embedded, "{module} was loaded in embedded mode");
                    let is_otps =
                        autoloaded.contains(module) || DYNAMIC_NAME.contains(&module.as_str());
                    assert!(is_otps, "{module} is loaded, and not for a real node: {autoloaded:?}");
                }
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
            let alone = || node.eval("nodes(hidden)") == "[]";
            assert!(within(Duration::from_secs(2), alone).await);
            let before = node.residue();
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
            // The connection's, the spawned, the called.
            assert_eq!(during.new_in("processes").len(), 3, "{during}");
            assert_eq!(during.new_in("nodes_hidden").len(), 1, "{during}");
            visitor.kill().unwrap();
            visitor.wait().unwrap();
            let difference = settles(&before, &node).await;
            assert!(difference.clone().without(REMEMBERED).is_empty(), "{difference}");
        });
    });
}
