//! Against real nodes of every OTP: what is told is true, and nothing is left behind.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail their test")]

mod calls;
mod dump;
mod ets_rates;
mod flame;
mod functions;
mod keeper;

mod limits;
mod mailbox;
mod prices;
mod process;
mod sample;
mod slow;
mod tracing;

use std::time::Duration;

mod ticks;

use giulia_model::{NameSource, Processes, Snapshot};
use giulia_probe::{AttachOptions, Link, SnapshotOptions, dist, snapshot, tracers};
use giulia_testkit::{
    Node, Otp, for_each_otp,
    hostile::{After, COOKIE, Hostile, Peer},
};

/// 20 processes that work in ratio 1:2:…:20, paced by count; 30 with a label; a mailbox of 1,000;
/// a table of 2,000 objects.
const PLANTED: &str = include_str!("../../../../fixtures/planted.txt");

struct Asked {
    link: Link,
    seen: Snapshot,
}

/// A runtime of one thread, as the program has.
fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(future)
}

async fn attach(node: &Node, no_eval: bool) -> Link {
    let mut target = dist::Target::new(node.name().parse().unwrap());
    target.epmd_port = node.epmd_port();
    let config = dist::Config::new(dist::Cookie::new(node.cookie()));
    let options = AttachOptions { no_eval, ..AttachOptions::new(config) };
    Link::attach(&target, &options).await.unwrap()
}

async fn ask(node: &Node, no_eval: bool, window_ms: Option<u64>) -> Asked {
    let link = attach(node, no_eval).await;
    let options = SnapshotOptions { window: window_ms.map(Duration::from_millis), top: 20 };
    let seen = snapshot(&link, &options).await;
    Asked { link, seen }
}

fn processes(seen: &Snapshot) -> &Processes {
    seen.processes.as_ref().unwrap_or_else(|| panic!("{:?}", seen.not_seen))
}

fn planted(otp: &Otp) -> Node {
    Node::builder(otp).name("planted").eval(PLANTED).start()
}

fn has_signal_bugs(otp: &Otp) -> bool {
    otp.release == 25
}

#[test]
fn every_part_of_a_snapshot_is_seen() {
    for_each_otp("every_part_of_a_snapshot_is_seen", |otp| {
        let node = Node::builder(otp).elixir().start();
        for no_eval in [false, true] {
            let seen = run(ask(&node, no_eval, None)).seen;
            let missing: Vec<_> =
                seen.not_seen.iter().filter(|it| !it.what.starts_with("mailboxes")).collect();
            assert!(missing.is_empty(), "{missing:?}");
            let facts = seen.node.unwrap();
            assert_eq!(facts.otp_release, otp.release.to_string());
            assert!(facts.elixir_version.is_some());
            assert_eq!(facts.code_mode, "interactive");
            assert_eq!(facts.connected_nodes, Vec::<String>::new());
            assert!(!facts.flags.iter().any(|it| it.contains(node.cookie())), "{:?}", facts.flags);
            assert!(facts.applications.iter().any(|it| it.name == "logger"));
            assert_eq!(seen.host.unwrap().os_pid, u64::from(node.os_pid()));
        }
    });
}

#[test]
fn embedded_mode_without_elixir_is_told_and_loads_nothing() {
    for_each_otp("embedded_mode_without_elixir_is_told_and_loads_nothing", |otp| {
        let node = Node::builder(otp).embedded().start();
        let before = node.residue();
        let seen = run(ask(&node, false, Some(50))).seen;
        assert!(seen.processes.is_some(), "{:?}", seen.not_seen);
        let facts = seen.node.unwrap();
        assert_eq!((facts.code_mode.as_str(), facts.elixir_version), ("embedded", None));
        let loaded = before.diff(&settled(&node));
        assert_eq!(loaded.new_in("modules"), Vec::<String>::new());
    });
}

#[test]
fn shares_ranks_sizes_and_names_are_those_planted() {
    for_each_otp("shares_ranks_sizes_and_names_are_those_planted", |otp| {
        let node = planted(otp);
        let seen = run(ask(&node, false, Some(2000))).seen;
        let window = seen.window.unwrap();
        assert!((2000.0..2400.0).contains(&window.elapsed_ms), "{window:?}");
        let processes = processes(&seen);
        assert!(seen.activity.as_ref().is_some_and(|it| it.reductions.in_window.is_some()));
        for (place, row) in processes.top_by_reductions.iter().take(10).enumerate() {
            let rank: usize = row.name.strip_prefix("busy_").unwrap().parse().unwrap();
            assert!(rank.abs_diff(20 - place) <= 1, "place {place} is {}", row.name);
            let share = f64::from(u32::try_from(rank).unwrap()) / 210.0;
            assert!((row.reductions_share - share).abs() < 0.02, "{row:?} against {share}");
        }
        let groups = &processes.by_initial_call;
        assert!(!groups.iter().any(|it| it.name.contains("proc_lib")), "{groups:?}");
        let rooms = groups.iter().find(|it| it.name == "{room,_}");
        if has_signal_bugs(otp) {
            // Only the 20 that are listed are asked what they are.
            assert_eq!(rooms, None);
            let others = groups.iter().find(|it| it.name == "(not looked at)").unwrap();
            assert!(others.processes > 30 && others.reductions_share < 0.05, "{others:?}");
            assert_eq!(processes.group_coverage.asked, 20);
        } else {
            assert_eq!(rooms.unwrap().processes, 30);
            let full = &processes.top_by_mailbox[0];
            assert_eq!((full.name.as_str(), full.mailbox_len), ("full", Some(1000)));
        }
        let tables = seen.ets.as_ref().unwrap();
        let table = tables.top_by_memory.iter().find(|it| it.name == "planted").unwrap();
        assert_eq!(table.size, 2000);
        let counted = seen.counts.as_ref().unwrap().processes.count;
        assert!(processes.ranking_coverage.total.abs_diff(counted) <= 3, "{counted}");
        assert_eq!(seen.not_seen.iter().find(|it| it.what.starts_with("work")), None);
        // Attaching, what is cheap, the cgroup, tables, processes.
        assert!(seen.impact.round_trips <= 5, "{:?}", seen.impact);
        assert_eq!(seen.impact.changed, Vec::<String>::new());
    });
}

#[test]
fn without_evaluation_the_same_is_told() {
    for_each_otp("without_evaluation_the_same_is_told", |otp| {
        let node = planted(otp);
        let seen = run(ask(&node, true, Some(1000))).seen;
        let processes = processes(&seen);
        // Neighbours may change places in a short window.
        let first = processes.top_by_reductions[0].name.as_str();
        assert!(["busy_20", "busy_19"].contains(&first), "{first}");
        assert!((processes.top_by_reductions[0].reductions_share - 0.095).abs() < 0.02);
        if has_signal_bugs(otp) {
            assert_eq!(processes.top_by_mailbox, []);
            assert!(seen.not_seen.iter().any(|it| it.what.starts_with("mailboxes")));
        } else {
            assert_eq!(processes.top_by_mailbox[0].mailbox_len, Some(1000));
            let rooms = processes.by_initial_call.iter().find(|it| it.name == "{room,_}");
            assert_eq!(rooms.unwrap().processes, 30);
        }
        let groups = &processes.by_initial_call;
        assert!(!groups.iter().any(|it| it.name.contains("proc_lib")), "{groups:?}");
    });
}

/// What OTP loads in interactive mode when the first peer connects and calls: its side of the
/// handshake (`crypto` for the challenge brings most atoms), and `erpc`.
const LOADED_BY_CONNECTING: [&str; 7] =
    ["crypto", "dist_util", "epp", "erpc", "rand", "string", "unicode_util"];
/// And when the first expression is evaluated; nothing without evaluation.
const LOADED_BY_EVALUATING: [&str; 2] = ["erl_eval", "erl_internal"];

#[test]
fn nothing_is_left_behind_and_a_second_look_adds_no_atom() {
    for_each_otp("nothing_is_left_behind_and_a_second_look_adds_no_atom", |otp| {
        for no_eval in [false, true] {
            let node = Node::builder(otp).start();
            let before = node.residue();
            run(async { drop(attach(&node, no_eval).await) });
            let connected = settled(&node);
            drop(run(ask(&node, no_eval, Some(100))));
            let first = settled(&node);
            for module in before.diff(&connected).new_in("modules") {
                assert!(LOADED_BY_CONNECTING.contains(&module.as_str()), "loaded {module}");
            }
            for module in connected.diff(&first).new_in("modules") {
                let evaluating = LOADED_BY_EVALUATING.contains(&module.as_str());
                assert!(!no_eval && evaluating, "loaded {module}");
            }
            let atoms = first.count("atoms") - connected.count("atoms");
            // 300 of these the VM makes for its allocators at the first `erlang:memory()`; the others
            // are the variables of the forms and what `erl_internal` names.
            assert!(atoms <= if no_eval { 400 } else { 600 }, "{atoms} new atoms");
            let rest = before.diff(&first).without(&["modules", "atoms", "nodes_known"]);
            assert!(rest.is_empty(), "{rest}");
            drop(run(ask(&node, no_eval, Some(100))));
            let second = settled(&node);
            assert_eq!(second.count("atoms"), first.count("atoms"));
        }
    });
}

/// The node takes a moment to notice that we are gone.
fn settled(node: &Node) -> giulia_testkit::Residue {
    for _ in 0..50 {
        // Not `eval`: printing its value loads a dozen modules.
        if node.residue().count("nodes_hidden") == 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(100));
    node.residue()
}

#[test]
fn another_tools_tracing_is_found() {
    for_each_otp("another_tools_tracing_is_found", |otp| {
        let node = Node::builder(otp).start();
        run(async {
            let link = attach(&node, true).await;
            assert_eq!(tracers(&link).await.unwrap(), Vec::<String>::new());
        });
        node.eval(
            "spawn(fun() -> register(redbug, self()), erlang:trace(new_processes, true, [call]), timer:sleep(infinity) end), timer:sleep(50)",
        );
        run(async {
            let link = attach(&node, true).await;
            let found = tracers(&link).await.unwrap().join("; ");
            assert!(found.contains("flags on new processes"), "{found}");
            assert!(found.contains("redbug"), "{found}");
        });
    });
}

#[test]
fn what_is_told_as_restarted_for_others_is_what_restarts() {
    for_each_otp("what_is_told_as_restarted_for_others_is_what_restarts", |otp| {
        let node = Node::builder(otp).start();
        // Work since the last call, as the node's next caller would read it.
        let work =
            "W = fun W(0) -> ok; W(N) -> W(N - 1) end, statistics(reductions), W(1000000), ok";
        let since_last_call = || {
            let told = node.eval("element(2, statistics(reductions))");
            told.parse::<u64>().unwrap()
        };
        node.eval(work);
        let alone = since_last_call();
        node.eval(work);
        let seen = run(ask(&node, false, None)).seen;
        let after_us = since_last_call();
        assert!(after_us < alone, "{after_us} of {alone}");
        let [told] = seen.impact.disturbed.as_slice() else { panic!("{:?}", seen.impact) };
        assert!(told.contains("reductions") && told.contains("runtime"), "{told}");
        let link = run(async {
            let link = attach(&node, false).await;
            tracers(&link).await.unwrap();
            link.impact()
        });
        assert_eq!(link.disturbed, Vec::<String>::new());
    });
}

#[test]
fn a_long_node_name_does_not_burst_the_pages() {
    for_each_otp("a_long_node_name_does_not_burst_the_pages", |otp| {
        let many = "[spawn(fun() -> receive stop -> ok end end) || _ <- lists:seq(1, 600)], spawn(fun() -> [ets:new(t, [public]) || _ <- lists:seq(1, 600)], receive stop -> ok end end), timer:sleep(100)";
        let node = Node::builder(otp).name(&"long".repeat(55)).eval(many).start();
        let seen = run(ask(&node, true, None)).seen;
        let missing = |it: &&giulia_model::NotSeen| !it.what.starts_with("mailboxes");
        assert_eq!(seen.not_seen.iter().find(missing), None);
        assert!(seen.ets.unwrap().total > 600);
        assert!(seen.processes.unwrap().ranking_coverage.total > 600);
    });
}

#[test]
fn a_reply_larger_than_any_that_we_ask_for_is_refused_unread() {
    let peer = Hostile::node(Peer::Connects(After::FortyEightMiB));
    let mut target = dist::Target::new("hostile@127.0.0.1".parse().unwrap());
    target.epmd_port = peer.epmd_port();
    let options = AttachOptions::new(dist::Config::new(dist::Cookie::new(COOKIE)));
    let error = run(Link::attach(&target, &options)).unwrap_err();
    assert_eq!(error.kind(), dist::ErrorKind::Limit, "{error}");
}

#[test]
fn larger_nodes_are_sampled_and_say_so() {
    for_each_otp("larger_nodes_are_sampled_and_say_so", |otp| {
        let many = "[spawn(fun() -> receive stop -> ok end end) || _ <- lists:seq(1, 15000)], ok";
        let node = Node::builder(otp).eval(many).eval(PLANTED).start();
        let asked = run(ask(&node, false, Some(1000)));
        let processes = processes(&asked.seen);
        let (ranking, groups) = (processes.ranking_coverage, processes.group_coverage);
        assert!(ranking.total > 15_000 && !ranking.sampled, "{ranking:?}");
        // With the bug nobody is asked for an estimate.
        assert_eq!(groups.sampled, !has_signal_bugs(otp), "{groups:?}");
        assert!(groups.asked < 5000, "{groups:?}");
        let busy: f64 = processes
            .top_by_reductions
            .iter()
            .filter(|it| it.name.starts_with("busy_"))
            .map(|it| it.reductions_share)
            .sum();
        assert!(busy > 0.95, "{busy}");
        let reply = asked.seen.impact.questions.iter().find(|it| it.probe == "processes").unwrap();
        assert!(reply.received_bytes < 64 << 10, "{reply:?}");
        assert!(!asked.link.connection().is_closed());
        let paged = run(ask(&node, true, None)).seen;
        let ranking = paged.processes.unwrap().ranking_coverage;
        assert!(ranking.sampled && ranking.asked < 3000, "{ranking:?}");
    });
}

#[test]
fn the_letters_of_a_stuck_server_stay_with_it() {
    for_each_otp("the_letters_of_a_stuck_server_stay_with_it", |otp| {
        if has_signal_bugs(otp) {
            // Mailboxes of larger nodes are not counted there.
            return;
        }
        let rooms = "Rooms = [proc_lib:spawn(fun() -> put('$process_label', {room, K}), receive stop -> ok end end) || K <- lists:seq(1, 12000)], [Room ! letter || Room <- Rooms], ok";
        let stuck = "Stuck = spawn(timer, sleep, [infinity]), [Stuck ! letter || _ <- lists:seq(1, 200000)], timer:sleep(500)";
        let node = Node::builder(otp).eval(rooms).eval(stuck).start();
        let seen = run(ask(&node, false, Some(300))).seen;
        let processes = processes(&seen);
        assert!(processes.group_coverage.sampled, "{:?}", processes.group_coverage);
        let mail = |name: &str| {
            let group = processes.by_initial_call.iter().find(|it| it.name == name);
            group.unwrap_or_else(|| panic!("{name}: {:?}", processes.by_initial_call)).mailbox_len
        };
        assert_eq!(mail("timer:sleep/1"), 200_000);
        assert!((11_000..=12_500).contains(&mail("{room,_}")), "{}", mail("{room,_}"));
    });
}

#[test]
fn a_stack_too_deep_to_see_the_end_of_names_nobody() {
    for_each_otp("a_stack_too_deep_to_see_the_end_of_names_nobody", |otp| {
        if has_signal_bugs(otp) {
            // Without evaluation the 20 busiest alone are asked for their names there.
            return;
        }
        let deep = "Deep = fun Deep(0) -> receive stop -> ok end; Deep(N) -> [_] = lists:map(fun(_) -> Deep(N - 1) end, [1]), N end, P = spawn(fun() -> Deep(30), ok end), [P ! letter || _ <- lists:seq(1, 500)], ok";
        let flat = "P = spawn(fun() -> receive stop -> ok end end), [P ! letter || _ <- lists:seq(1, 400)], timer:sleep(200)";
        let node = Node::builder(otp).eval(deep).eval(flat).start();
        for no_eval in [false, true] {
            let seen = run(ask(&node, no_eval, None)).seen;
            let [deep, flat, ..] = processes(&seen).top_by_mailbox.as_slice() else {
                panic!("{seen:?}")
            };
            assert_eq!((deep.mailbox_len, flat.mailbox_len), (Some(500), Some(400)));
            assert_eq!(deep.name_source, NameSource::SpawnedWith, "{deep:?}");
            assert_eq!(deep.name, "erlang:apply/2");
            assert_eq!(flat.name_source, NameSource::OutermostFunction, "{flat:?}");
        }
    });
}

#[test]
fn work_of_processes_that_ended_is_told_to_be_missing() {
    for_each_otp("work_of_processes_that_ended_is_told_to_be_missing", |otp| {
        let churn = "Work = fun Work(0) -> ok; Work(N) -> Work(N - 1) end, spawn(fun Churn() -> spawn(fun() -> Work(5000) end), receive stop -> ok after 20 -> Churn() end end), ok";
        let (busy, idle) = (Node::builder(otp).eval(churn).start(), Node::builder(otp).start());
        for no_eval in [false, true] {
            let seen = run(ask(&busy, no_eval, Some(1000))).seen;
            let told = seen.not_seen.iter().find(|it| it.what.starts_with("work of"));
            let share = told.and_then(|it| it.why.split_once(" %")?.0.parse::<u32>().ok());
            assert!(share.is_some_and(|it| it > 60), "{no_eval}: {:?}", seen.not_seen);
            let seen = run(ask(&idle, no_eval, Some(1000))).seen;
            let told = seen.not_seen.iter().find(|it| it.what.starts_with("work of"));
            assert_eq!(told, None);
        }
    });
}
