//! What goes wrong beside the node: two giulia at once, one that is stopped, a network that is
//! silent, a command that does not want to end.

use std::{
    thread,
    time::{Duration, Instant},
};

use giulia_testkit::{Node, Otp, Wire, for_each_otp};
use serde_json::Value;

use crate::home::{Home, is_clean_after, signal, spawned, told, wait};

/// How long the node holds what we switched on without hearing from us: the keeper's lease, and
/// the watcher's at intervals below two seconds.
const LEASE: Duration = Duration::from_secs(5);
/// After the lease, on a machine that other tests run on too; 1 s on a quiet one.
const LATE_MAX: Duration = Duration::from_secs(3);

/// The processes whose group leader is elsewhere: those that we started.
fn ours(node: &Node) -> usize {
    let there = "length([P || P <- processes(),
        {group_leader, G} <- [process_info(P, group_leader)], node(G) =/= node()])";
    node.eval(there).parse().unwrap()
}

/// Those that stay between two ticks.
fn resident(node: &Node) -> usize {
    let looks = (0..20).map(|_| {
        thread::sleep(Duration::from_millis(20));
        ours(node)
    });
    looks.min().unwrap()
}

fn has_wall_time(node: &Node) -> bool {
    node.residue().values("system_flags").contains(&"{scheduler_wall_time,true}")
}

/// How long until nothing is switched on and no process of ours is left.
#[track_caller]
fn clean_after(node: &Node, within: Duration) -> Duration {
    let began = Instant::now();
    loop {
        let (ours, wall_time) = (ours(node), has_wall_time(node));
        let took = began.elapsed();
        if ours == 0 && !wall_time {
            return took;
        }
        assert!(took < within, "after {took:?}: {ours} processes of ours, flag {wall_time}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The kinds of all marks but alarms, in order.
fn kinds(report: &Value) -> Vec<&str> {
    let kinds = report["marks"].as_array().unwrap().iter().filter_map(|it| it["kind"].as_str());
    kinds.filter(|it| *it != "alarm").collect()
}

/// Waits until this session has what it switches on, and some ticks.
#[track_caller]
fn wait_for_armed(home: &Home, session: &str) {
    wait("a session that goes", || {
        let output = home.giulia(&["report", session, "--json"]).output().unwrap();
        let Ok(report) = serde_json::from_slice::<Value>(&output.stdout) else { return false };
        kinds(&report).contains(&"armed") && report["window"]["ticks"].as_u64() >= Some(3)
    });
}

/// Of a session that was cut off from its node for a while: it says so, counts what it missed,
/// and goes on with everything as before.
#[track_caller]
fn went_on(report: &Value, missed_min: u64, every_ms: u64) {
    let told = kinds(report);
    let lapsed = told.iter().position(|it| *it == "lease_lapsed");
    let after = &told[lapsed.unwrap_or_else(|| panic!("no lapse: {}", report["marks"]))..];
    assert!(after.contains(&"armed"), "not armed again: {}", report["marks"]);
    assert!(told.contains(&"missed"), "{}", report["marks"]);
    let missed = report["window"]["ticks_missed"].as_u64();
    assert!(missed >= Some(missed_min), "{}", report["window"]);
    all_are_known(report, every_ms);
}

/// Each tick that was due is there or counted as missed; what was switched on is off, by line.
#[track_caller]
fn all_are_known(report: &Value, every_ms: u64) {
    let window = &report["window"];
    let figure = |name: &str| window[name].as_u64().unwrap_or_else(|| panic!("{window}"));
    let (due, known) = (figure("elapsed_ms") / every_ms, figure("ticks") + figure("ticks_missed"));
    // The first is due at once, and the last one is beside the beat.
    assert!((due..=due + 2).contains(&known), "{known} of {due}: {window}");
    let manifest = report["session"]["manifest"].as_array().unwrap();
    assert!(manifest.len() >= 2, "each keeper has its own line: {manifest:?}");
    // The node's word that it undid them is lost with a connection that it gives up.
    let is_off = |it: &Value| ["yes", "by_the_node"].iter().any(|known| it["restored"] == *known);
    assert!(manifest.iter().all(is_off), "{manifest:?}");
    assert_eq!(report["session"]["ended"], "stopped");
}

#[test]
fn two_at_one_node_do_not_undo_each_others_settings() {
    for_each_otp("giulia::two_at_one_node_do_not_undo_each_others_settings", |otp| {
        let (node, home) = (Node::builder(otp).name("shop").start(), Home::new());
        let before = node.residue();
        let start = |name: &str| {
            let args = ["observe", node.name(), "--every", "200ms", "--name", name];
            let child = spawned(home.to(&node, &args));
            wait_for_armed(&home, name);
            child
        };
        let stays = start("stays");
        let alone = resident(&node);
        let mut killed = start("killed");
        assert!(resident(&node) > alone);
        let ticks = home.report("stays")["window"]["ticks"].as_u64().unwrap();
        let at = Instant::now();
        killed.kill().unwrap();
        killed.wait().unwrap();
        let mut took = None;
        while at.elapsed() < Duration::from_secs(4) {
            assert!(has_wall_time(&node), "the other's setting was undone: {:?}", at.elapsed());
            if took.is_none() && resident(&node) <= alone {
                took = Some(at.elapsed());
            }
        }
        let took = took.expect("the killed one left its processes");
        eprintln!("OTP {}: the killed one's processes were gone {took:?} after", otp.release);
        signal(&stays, "-INT");
        told(&stays.wait_with_output().unwrap(), 0);
        let report = home.report("stays");
        assert_eq!(report["session"]["ended"], "stopped");
        assert!(report["window"]["ticks"].as_u64() >= Some(ticks + 10), "{}", report["window"]);
        assert!(!kinds(&report).contains(&"lease_lapsed"), "{}", report["marks"]);
        assert!(report["schedulers"]["utilisation"].is_object(), "{}", report["schedulers"]);
        let killed = home.report("killed")["session"].take();
        assert_eq!(killed["ended"], "killed");
        assert_eq!(killed["manifest"][0]["restored"], "by_the_node", "{}", killed["manifest"]);
        is_clean_after(&node, &before);
    });
}

#[test]
fn a_giulia_that_is_stopped_loses_its_lease_and_goes_on() {
    for_each_otp("giulia::a_giulia_that_is_stopped_loses_its_lease_and_goes_on", |otp| {
        let (node, home) = (Node::builder(otp).name("shop").start(), Home::new());
        let before = node.residue();
        let args = ["observe", node.name(), "--every", "200ms", "--name", "stopped"];
        let child = spawned(home.to(&node, &args));
        wait_for_armed(&home, "stopped");
        assert!(has_wall_time(&node) && resident(&node) > 0);
        signal(&child, "-STOP");
        let took = clean_after(&node, LEASE + LATE_MAX);
        eprintln!("OTP {}: clean {took:?} after SIGSTOP, lease {LEASE:?}", otp.release);
        assert!(took > LEASE / 2, "it was not the lease: {took:?}");
        // Nobody closed the connection.
        assert_eq!(node.residue().count("nodes_hidden"), 1);
        thread::sleep((LEASE + Duration::from_secs(2)).saturating_sub(took));
        signal(&child, "-CONT");
        wait("a session that goes on", || has_wall_time(&node) && resident(&node) > 0);
        thread::sleep(Duration::from_secs(1));
        signal(&child, "-INT");
        told(&child.wait_with_output().unwrap(), 0);
        // 7 s of five ticks each.
        went_on(&home.report("stopped"), 30, 200);
        is_clean_after(&node, &before);
    });
}

/// The report of a session whose network was silent for so long.
fn cut_for(otp: &Otp, node_args: &[&str], silent: Duration) -> Option<Value> {
    let wire = match Wire::make() {
        Ok(wire) => wire,
        Err(why) => {
            eprintln!("live: skipped a cut network: {why}");
            return None;
        }
    };
    let node = Node::builder(otp).name("shop").listen_on(wire.near_address());
    let node = node.args(node_args.iter().copied()).start();
    let (before, home) = (node.residue(), Home::new());
    let far = wire.far_command(env!("CARGO_BIN_EXE_giulia"));
    let at = format!("{}:{}", wire.near_address(), node.dist_port());
    let args = ["observe", node.name(), "--every", "200ms", "--name", "cut", "--at", &at];
    let child = spawned(home.to_by(far, &node, &args));
    wait_for_armed(&home, "cut");
    wire.cut().unwrap();
    let cut = Instant::now();
    let took = clean_after(&node, LEASE + LATE_MAX);
    eprintln!("OTP {}: clean {took:?} after the cut, lease {LEASE:?}", otp.release);
    thread::sleep(silent.saturating_sub(cut.elapsed()));
    eprintln!("connections then: {}", node.residue().count("nodes_hidden"));
    wire.mend().unwrap();
    let mended = Instant::now();
    wait("a session that goes on", || has_wall_time(&node) && resident(&node) > 0);
    eprintln!("OTP {}: goes on {:?} after the mend", otp.release, mended.elapsed());
    thread::sleep(Duration::from_secs(2));
    signal(&child, "-INT");
    told(&child.wait_with_output().unwrap(), 0);
    is_clean_after(&node, &before);
    Some(home.report("cut"))
}

#[test]
fn a_silent_network_costs_the_lease_and_not_the_session() {
    for_each_otp("giulia::a_silent_network_costs_the_lease_and_not_the_session", |otp| {
        // The node does not notice: it would after a minute.
        let Some(report) = cut_for(otp, &[], LEASE + Duration::from_secs(4)) else { return };
        went_on(&report, 40, 200);
        let told = kinds(&report);
        let place = |kind: &str| told.iter().position(|it| *it == kind);
        assert!(place("frozen") < place("thawed") && place("frozen").is_some(), "{told:?}");
        assert!(!told.contains(&"lost"), "the connection stood: {told:?}");
    });
}

#[test]
fn a_network_that_is_silent_until_the_node_gives_up_is_dialled_again() {
    for_each_otp("giulia::a_network_that_is_silent_until_the_node_gives_up", |otp| {
        let gives_up = ["-kernel", "net_ticktime", "8"];
        let Some(report) = cut_for(otp, &gives_up, Duration::from_secs(14)) else { return };
        let told = kinds(&report);
        let place = |kind: &str| told.iter().position(|it| *it == kind).expect(kind);
        assert!(place("frozen") < place("lost"), "{told:?}");
        assert!(place("lost") < place("returned"), "{told:?}");
        assert!(told[place("returned")..].contains(&"armed"), "{told:?}");
        assert!(told.contains(&"missed"), "{told:?}");
        all_are_known(&report, 200);
    });
}

#[test]
fn ctrl_c_is_heard_when_the_node_is_not() {
    for_each_otp("giulia::ctrl_c_is_heard_when_the_node_is_not", |otp| {
        let (node, home) = (Node::builder(otp).name("shop").start(), Home::new());
        let before = node.residue();
        // Before it is called frozen, and after.
        for (name, silent) in [("soon", 700), ("late", 6_500)] {
            let args = ["observe", node.name(), "--every", "200ms", "--name", name];
            let child = spawned(home.to(&node, &args));
            wait_for_armed(&home, name);
            node.freeze();
            thread::sleep(Duration::from_millis(silent));
            let at = Instant::now();
            signal(&child, "-INT");
            told(&child.wait_with_output().unwrap(), 0);
            let took = at.elapsed();
            node.thaw();
            eprintln!("OTP {}: silent for {silent} ms, ended {took:?} after", otp.release);
            assert!(took < Duration::from_secs(10), "{took:?}");
            let report = home.report(name);
            assert_eq!(report["session"]["ended"], "stopped");
            // It is, and nobody was there to see it.
            let manifest = &report["session"]["manifest"];
            assert_eq!(manifest[0]["restored"], "by_the_node", "{manifest}");
            is_clean_after(&node, &before);
        }
    });
}

#[test]
fn a_command_that_will_not_end_is_ended_and_the_session_kept() {
    for_each_otp("giulia::a_command_that_will_not_end_is_ended", |otp| {
        let (node, home) = (Node::builder(otp).name("shop").start(), Home::new());
        let before = node.residue();
        for (deaf_to, signal_number) in [("INT", 15), ("INT TERM", 9)] {
            let script = format!("trap '' {deaf_to}; echo deaf; while :; do sleep 0.1; done");
            let args = ["observe", node.name(), "--json", "--", "sh", "-c", &script];
            let child = spawned(home.to(&node, &args));
            wait("the command", || home.out(&["observe", "status", "--json"]).contains("began"));
            // The trap is set a moment after the command began.
            thread::sleep(Duration::from_millis(300));
            let at = Instant::now();
            signal(&child, "-INT");
            let output = child.wait_with_output().unwrap();
            let took = at.elapsed();
            let (data, _) = told(&output, 128 + signal_number);
            eprintln!("OTP {}: deaf to {deaf_to}, ended {took:?} after Ctrl-C", otp.release);
            assert!(took < Duration::from_secs(15), "{took:?}");
            let report: Value = serde_json::from_str(data.strip_prefix("deaf\n").unwrap()).unwrap();
            assert_eq!(report["session"]["ended"], "stopped");
            assert_eq!(report["session"]["workload"]["signal"], signal_number);
            // It was watched to its end.
            assert!(report["window"]["ticks"].as_u64() >= Some(4), "{}", report["window"]);
            is_clean_after(&node, &before);
        }
    });
}
