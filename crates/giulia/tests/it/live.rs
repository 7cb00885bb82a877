//! The three commands against real nodes of every OTP.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use giulia_testkit::{Builder, Names, Node, ServerCertificate, TlsSetup, for_each_otp};

use crate::{giulia, ran};

/// Every shape in which a node may stand: names, code mode, Elixir.
fn shapes(otp: &giulia_testkit::Otp) -> [Builder; 4] {
    [
        Node::builder(otp).name("erl"),
        Node::builder(otp).name("short").names(Names::Short).elixir(),
        Node::builder(otp).name("release").embedded(),
        Node::builder(otp).name("exrelease").embedded().elixir(),
    ]
}

/// A command against this node, with its cookie and EPMD.
fn ask(node: &Node, command: &str, args: &[&str]) -> Command {
    let mut giulia = giulia(&[&[command, node.name()], args].concat());
    giulia.env("GIULIA_COOKIE", node.cookie()).env("ERL_EPMD_PORT", node.epmd_port().to_string());
    giulia
}

#[track_caller]
fn answer(command: &mut Command) -> String {
    let (data, talk, code) = ran(&command.output().unwrap());
    assert_eq!((code, talk.as_str()), (0, ""), "{command:?}\n{data}\n{talk}");
    data
}

#[track_caller]
fn failure(command: &mut Command) -> String {
    let (data, talk, code) = ran(&command.output().unwrap());
    assert_eq!((code, data.as_str()), (2, ""), "{command:?}\n{data}\n{talk}");
    assert!(talk.starts_with("giulia: ") && talk.lines().count() == 1, "{talk}");
    talk
}

#[test]
fn every_command_works_on_every_shape_of_node() {
    for_each_otp("giulia::every_command_works_on_every_shape_of_node", |otp| {
        for node in shapes(otp).map(Builder::start) {
            let name = node.name();
            let doctor = answer(&mut ask(&node, "doctor", &[]));
            assert!(doctor.contains("Healthy"), "{doctor}");
            let text = answer(&mut ask(&node, "snapshot", &[]));
            assert!(text.starts_with(name), "{text}");
            assert!(text.contains("since start") && !text.contains("/s"), "{text}");
            let restarted = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let restarted =
                restarted.split_once("no setting stays changed; restarted for others: ");
            assert!(restarted.is_some_and(|it| it.1.contains("statistics(reductions)")), "{text}");
            let windowed = answer(&mut ask(&node, "snapshot", &["--window", "200ms"]));
            assert!(windowed.contains("rates measured over"), "{windowed}");
            let dump = answer(&mut ask(&node, "dump", &[]));
            assert!(dump.starts_with(name) && dump.contains("gen_server:loop/"), "{dump}");
            let process = answer(&mut ask(&node, "process", &["file_server_2", "--state"]));
            assert!(process.starts_with("file_server_2  <0."), "{process}");
            assert!(process.contains("State  (its shape, no contents)"), "{process}");
            let json = answer(&mut ask(&node, "snapshot", &["--json", "--no-eval"]));
            assert!(json.starts_with("{\n  \"schema\": \"giulia.snapshot/1\""), "{json}");
            let host = name.split('@').nth(1).unwrap();
            let mut nodes = giulia(&["nodes", host, "--auth"]);
            nodes.env("GIULIA_COOKIE", node.cookie());
            nodes.env("ERL_EPMD_PORT", node.epmd_port().to_string());
            let nodes = answer(&mut nodes);
            assert!(nodes.contains(name) && nodes.contains("authenticated"), "{nodes}");
            assert_eq!(node.eval("nodes()"), "[]", "we are seen");
        }
    });
}

#[test]
fn a_wrong_cookie_and_crossed_names_say_what_to_do() {
    for_each_otp("giulia::a_wrong_cookie_and_crossed_names_say_what_to_do", |otp| {
        let node = Node::builder(otp).name("shop").start();
        let wrong = failure(ask(&node, "snapshot", &[]).env("GIULIA_COOKIE", "wrong"));
        assert!(wrong.contains("cookie") && wrong.contains("--cookie-file"), "{wrong}");
        assert!(!wrong.contains("wrong"), "the cookie is shown: {wrong}");
        let port = node.epmd_port().to_string();
        let nobody = ["snapshot", "nobody@127.0.0.1", "--epmd-port", &port, "--timeout", "2s"];
        let nobody = failure(giulia(&nobody).env("GIULIA_COOKIE", "x"));
        assert!(nobody.contains("shop"), "the names that it knows are missing: {nobody}");
        let crossed = ["snapshot", "shop@localhost", "--epmd-port", &port, "--timeout", "2s"];
        let crossed = failure(giulia(&crossed).env("GIULIA_COOKIE", node.cookie()));
        assert!(crossed.contains("shop@127.0.0.1"), "{crossed}");
        let nobody = failure(&mut ask(&node, "process", &["nobody_here"]));
        assert!(nobody.contains("no process is registered as `nobody_here`"), "{nobody}");
        let at = format!("127.0.0.1:{}", node.dist_port());
        answer(ask(&node, "snapshot", &["--at", &at]).env("ERL_EPMD_PORT", "1"));
    });
}

#[test]
fn a_node_that_allows_only_some_lets_the_chosen_name_in() {
    for_each_otp("giulia::a_node_that_allows_only_some_lets_the_chosen_name_in", |otp| {
        let node = Node::builder(otp).name("picky").eval("net_kernel:allow(['me@127.0.0.1'])");
        let node = node.start();
        let doctor = answer(&mut ask(&node, "doctor", &["--name", "me@127.0.0.1"]));
        assert!(doctor.contains("Healthy"), "{doctor}");
        let port = node.epmd_port().to_string();
        let mut nodes = giulia(&["nodes", "127.0.0.1", "--auth", "--name", "me@127.0.0.1"]);
        nodes.env("GIULIA_COOKIE", node.cookie()).env("ERL_EPMD_PORT", port);
        let nodes = answer(&mut nodes);
        assert!(nodes.contains("authenticated"), "{nodes}");
        node.eval("timer:sleep(200)");
        assert_eq!(node.log(), "");
        let refused = ask(&node, "doctor", &[]).output().unwrap();
        let (data, _, code) = ran(&refused);
        assert!(code == 2 && data.contains("--name"), "{data}");
        node.eval("timer:sleep(200)");
        assert_eq!(node.log().matches("disallowed node").count(), 1, "{}", node.log());
    });
}

#[test]
fn each_node_is_told_the_cookie_of_its_own_section() {
    for_each_otp("giulia::each_node_is_told_the_cookie_of_its_own_section", |otp| {
        let usual = Node::builder(otp).name("usual").cookie("usualcookie").start();
        let own = Node::builder(otp).name("own").cookie("owncookie").epmd(usual.epmd()).start();
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (common, section) = (file("common", usual.cookie()), file("section", own.cookie()));
        let config = file(
            "giulia.toml",
            &format!(
                "[connect]\ncookie_file = \"{common}\"\n\n[node.\"{}\"]\ncookie_file = \"{section}\"\n",
                own.name()
            ),
        );
        // By a host that is in no name: only the knock tells whose section it is.
        for host in ["127.0.0.1", "localhost"] {
            let mut nodes = giulia(&["nodes", host, "--auth", "--config", &config]);
            nodes.env("ERL_EPMD_PORT", usual.epmd_port().to_string());
            let nodes = answer(&mut nodes);
            assert_eq!(nodes.matches("authenticated").count(), 2, "{nodes}");
        }
        own.eval("timer:sleep(200)");
        assert_eq!((usual.log(), own.log()), (String::new(), String::new()));
    });
}

#[test]
fn looking_at_the_nodes_of_a_host_writes_nothing_into_their_logs() {
    for_each_otp("giulia::looking_at_the_nodes_of_a_host_writes_nothing", |otp| {
        let node = Node::builder(otp).name("quiet").start();
        let before = node.log();
        let mut nodes = giulia(&["nodes", "127.0.0.1"]);
        answer(nodes.env("ERL_EPMD_PORT", node.epmd_port().to_string()));
        // The log is written by another process of the node; give it the time.
        node.eval("timer:sleep(200)");
        assert_eq!(node.log(), before);
    });
}

#[test]
fn a_frozen_node_does_not_hide_the_others() {
    for_each_otp("giulia::a_frozen_node_does_not_hide_the_others", |otp| {
        let frozen = Node::builder(otp).name("frozen").start();
        let well = Node::builder(otp).name("well").epmd(frozen.epmd()).start();
        frozen.freeze();
        let mut nodes = giulia(&["nodes", "127.0.0.1", "--timeout", "1s"]);
        let text = answer(nodes.env("ERL_EPMD_PORT", well.epmd_port().to_string()));
        let line = |name: &str| text.lines().find(|it| it.trim_start().starts_with(name)).unwrap();
        assert!(line("well@127.0.0.1").ends_with("  answers"), "{text}");
        assert!(line("frozen ").contains("no answer"), "{text}");
    });
}

#[test]
fn a_frozen_node_costs_no_more_than_the_deadline() {
    for_each_otp("giulia::a_frozen_node_costs_no_more_than_the_deadline", |otp| {
        let node = Node::builder(otp).name("frozen").start();
        node.freeze();
        for command in ["snapshot", "doctor"] {
            let started = Instant::now();
            let output = ask(&node, command, &["--timeout", "1s"]).output().unwrap();
            let (data, talk, code) = ran(&output);
            assert_eq!(code, 2, "{data}{talk}");
            let text = format!("{data}{talk}");
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(text.contains("frozen"), "{text}");
            assert!(started.elapsed() < Duration::from_millis(2500), "{:?}", started.elapsed());
        }
        node.thaw();
        answer(&mut ask(&node, "snapshot", &[]));
    });
}

#[test]
fn tls_distribution_in_its_good_and_bad_ways() {
    for_each_otp("giulia::tls_distribution_in_its_good_and_bad_ways", |otp| {
        let good = ServerCertificate::Good;
        let node = Node::builder(otp).name("tls").tls(TlsSetup::Mutual(good)).start();
        let files = node.tls();
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let (ca, other_ca) = (text(&files.ca()), text(&files.other_ca()));
        let (cert, key) = files.client();
        let (cert, key) = (text(&cert), text(&key));
        let client = ["--tls-cert", &cert, "--tls-key", &key];
        let trusted = [&["--tls-cacert", &ca][..], &client].concat();
        answer(&mut ask(&node, "snapshot", &trusted));
        let doctor = answer(&mut ask(&node, "doctor", &trusted));
        assert!(doctor.contains("certificate is trusted"), "{doctor}");
        let named = [&trusted[..], &["--name", "me@127.0.0.1"]].concat();
        let doctor = answer(&mut ask(&node, "doctor", &named));
        assert!(doctor.contains("Healthy"), "{doctor}");
        let optfile = text(&files.client_optfile());
        answer(&mut ask(&node, "snapshot", &["--ssl-dist-optfile", &optfile]));
        let untrusted = [&["--tls-cacert", &other_ca, "--timeout", "2s"][..], &client].concat();
        let untrusted = failure(&mut ask(&node, "snapshot", &untrusted));
        assert!(untrusted.contains("--tls-cacert"), "{untrusted}");
        let nameless = failure(&mut ask(&node, "snapshot", &["--tls-cacert", &ca, "--timeout=2s"]));
        assert!(nameless.contains("--tls-cert"), "{nameless}");
        let plain = failure(&mut ask(&node, "snapshot", &["--timeout", "2s"]));
        assert!(plain.contains("--tls"), "{plain}");
    });
}

#[test]
fn an_interrupted_window_answers_with_what_there_is() {
    for_each_otp("giulia::an_interrupted_window_answers_with_what_there_is", |otp| {
        let node = Node::builder(otp).name("slow").start();
        let started = Instant::now();
        let child = ask(&node, "snapshot", &["--window", "20s"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(1500));
        interrupt(child.id());
        let (data, talk, code) = ran(&child.wait_with_output().unwrap());
        assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
        assert_eq!(code, 0, "{data}{talk}");
        assert!(data.contains("interrupted"), "{data}");
        assert!(talk.contains("Ctrl-C again"), "{talk}");
    });
}

#[test]
fn a_second_ctrl_c_ends_at_once() {
    for_each_otp("giulia::a_second_ctrl_c_ends_at_once", |otp| {
        let node = Node::builder(otp).name("stuck").start();
        let mut child = ask(&node, "snapshot", &["--window", "20s", "-q"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(700));
        // The one last sample that the first asks for never comes.
        node.freeze();
        interrupt(child.id());
        thread::sleep(Duration::from_millis(300));
        assert!(child.try_wait().unwrap().is_none(), "one Ctrl-C ended it");
        let second = Instant::now();
        interrupt(child.id());
        assert_eq!(child.wait().unwrap().code(), Some(130));
        assert!(second.elapsed() < Duration::from_millis(500), "{:?}", second.elapsed());
    });
}

fn interrupt(pid: u32) {
    let kill = Command::new("kill").args(["-INT", &pid.to_string()]).status();
    assert!(kill.unwrap().success());
}
