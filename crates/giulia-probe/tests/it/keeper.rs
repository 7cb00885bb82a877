//! The keeper against real nodes: whoever is killed, stopped or cut off, nothing stays switched on.

use std::{
    env,
    io::{BufRead, BufReader, Lines},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use giulia_model::Restored;
use giulia_probe::dist::term::Term;
use giulia_probe::{
    AttachOptions, Keeper, KeeperEnd, KeeperOptions, Link, Setting, SnapshotOptions, Step, Steps,
    SystemEventLimits, SystemEvents, Undo, dist, snapshot, tracers,
};
use giulia_testkit::{Node, Wire, for_each_otp, for_each_otp_from};

use crate::{attach, run, settled};

/// Modules that every node has loaded, with more than 600 functions together.
const MODULES: [&str; 12] = [
    "lists",
    "ets",
    "file",
    "code_server",
    "gen_server",
    "supervisor",
    "application_controller",
    "inet",
    "inet_db",
    "logger",
    "proc_lib",
    "gen_event",
];
const FUNCTIONS: usize = 600;

/// Longer than any of these tests: whoever cleans up did not wait for it.
const LONG_LEASE: KeeperOptions = KeeperOptions { lease: Duration::from_mins(1) };

/// The host is not quiet. On a quiet one: OTP 23 and 25 within 2 s, 27 and 29 within 1 s.
const CLEAN_MAX: Duration = Duration::from_secs(10);

/// After the lease; 1 s on a quiet host.
const LATE_MAX: Duration = Duration::from_secs(3);

/// Call counters on many functions, with the one interface that every OTP has.
async fn counters(link: &Link) -> Setting {
    let mut functions = Vec::new();
    for module in MODULES {
        let asked = dist::Call::new(module, "module_info", vec![Term::atom("functions")]);
        let reply = link.connection().call(&asked).await.unwrap();
        for function in reply.term().unwrap().as_list().unwrap() {
            let [name, arity] = function.as_tuple().unwrap() else { panic!("{function}") };
            functions
                .push(Term::tuple([Term::atom(module), name.clone(), arity.clone()]).into_owned());
        }
    }
    functions.truncate(FUNCTIONS);
    assert_eq!(functions.len(), FUNCTIONS);
    let steps = |value: bool| {
        let counted = || Term::list([Term::atom("call_count")]);
        let args = functions.iter().map(|it| vec![it.clone(), Term::boolean(value), counted()]);
        args.map(|args| Step::new("erlang", "trace_pattern", args)).collect()
    };
    let name = "call counters".to_owned();
    Setting::Steps(Steps { name, apply: steps(true), undo: Undo::Told(steps(false)) })
}

fn armed(node: &Node) -> usize {
    node.residue().values("trace_patterns").len()
}

fn has_wall_time(node: &Node) -> bool {
    node.residue().values("system_flags").contains(&"{scheduler_wall_time,true}")
}

/// How long until nothing is switched on.
#[track_caller]
fn clean_after(node: &Node, within: Duration) -> Duration {
    let began = Instant::now();
    loop {
        let armed = armed(node);
        let took = began.elapsed();
        if armed == 0 && !has_wall_time(node) {
            return took;
        }
        assert!(took < within, "{armed} functions still armed after {took:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn kill_there(node: &Node, pid: &dist::term::Pid) {
    node.eval(&format!("exit(list_to_pid(\"{}\"), kill)", pid.local()));
}

/// The processes whose group leader is elsewhere: those that we started.
const OURS: &str = "[P || P <- processes(),
    {group_leader, G} <- [process_info(P, group_leader)], node(G) =/= node()]";

fn ours(node: &Node) -> usize {
    node.eval(&format!("length({OURS})")).parse().unwrap()
}

#[test]
fn what_is_made_is_undone_and_told() {
    for_each_otp("keeper::what_is_made_is_undone_and_told", |otp| {
        let node = Node::builder(otp).start();
        let before = node.residue();
        let mut atoms = Vec::new();
        for _ in 0..3 {
            run(async {
                let link = attach(&node, false).await;
                let keeper = Keeper::start(&link, &KeeperOptions::default()).await.unwrap();
                keeper.arm(Setting::SchedulerWallTime).await.unwrap();
                keeper.arm(Setting::SchedulerWallTime).await.unwrap();
                keeper.arm(counters(&link).await).await.unwrap();
                assert!(has_wall_time(&node));
                assert_eq!(armed(&node), FUNCTIONS);
                let kept = keeper.changes();
                assert_eq!(
                    kept.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(),
                    ["scheduler wall time", "call counters"]
                );
                assert!(kept.iter().all(|it| it.restored == Restored::NotYet), "{kept:?}");
                keeper.disarm(Setting::SchedulerWallTime).await.unwrap();
                assert!(!has_wall_time(&node));
                assert_eq!(armed(&node), FUNCTIONS);
                let kept = keeper.stop().await;
                assert!(kept.iter().all(|it| it.restored == Restored::Yes), "{kept:?}");
                assert_eq!(armed(&node), 0);
            });
            let after = settled(&node);
            atoms.push(after.count("atoms"));
            let rest = before.diff(&after).without(&["modules", "atoms", "nodes_known"]);
            assert!(rest.is_empty(), "{rest}");
        }
        assert!(atoms[1] == atoms[0] && atoms[2] == atoms[0], "{atoms:?}");
    });
}

/// Of OTP, in interactive mode; an embedded node has loaded them all.
const LOADED: [&str; 3] = ["erl_eval", "erl_internal", "trace"];

#[test]
fn nothing_is_loaded_but_what_evaluates_and_traces() {
    for_each_otp("keeper::nothing_is_loaded_but_what_evaluates_and_traces", |otp| {
        for is_embedded in [false, true] {
            let builder = Node::builder(otp);
            let node = if is_embedded { builder.embedded() } else { builder }.start();
            run(async { drop(attach(&node, false).await) });
            let before = settled(&node);
            let mut atoms = Vec::new();
            for _ in 0..2 {
                run(async {
                    let link = attach(&node, false).await;
                    let keeper = Keeper::start(&link, &LONG_LEASE).await.unwrap();
                    keeper.arm(Setting::SchedulerWallTime).await.unwrap();
                    let events = Setting::SystemEvents(SystemEventLimits::default());
                    if otp.release >= 28 {
                        keeper.arm(events).await.unwrap();
                        keeper.events().await.unwrap();
                    }
                    assert!(keeper.stop().await.iter().all(|it| it.restored == Restored::Yes));
                });
                let after = settled(&node);
                for module in before.diff(&after).new_in("modules") {
                    assert!(!is_embedded && LOADED.contains(&module.as_str()), "loaded {module}");
                }
                atoms.push(after.count("atoms"));
            }
            eprintln!("OTP {}: {} atoms", otp.release, atoms[0] - before.count("atoms"));
            assert_eq!(atoms[0], atoms[1]);
        }
    });
}

#[test]
fn two_keepers_on_one_node_do_not_disturb_each_other() {
    for_each_otp("keeper::two_keepers_on_one_node_do_not_disturb_each_other", |otp| {
        let node = Node::builder(otp).start();
        run(async {
            let mut both = Vec::new();
            for _ in 0..2 {
                let link = attach(&node, false).await;
                let keeper = Keeper::start(&link, &LONG_LEASE).await.unwrap();
                keeper.arm(Setting::SchedulerWallTime).await.unwrap();
                if otp.release >= 28 {
                    let limits = SystemEventLimits::default();
                    keeper.arm(Setting::SystemEvents(limits)).await.unwrap();
                    // Each is a giulia of its own: what it holds itself is nobody else's.
                    let found = tracers(&link).await.unwrap();
                    let others = found.iter().filter(|it| it.starts_with("another giulia"));
                    assert_eq!(others.count(), both.len(), "{found:?}");
                }
                both.push(keeper);
            }
            let n_sessions = sessions(&node);
            assert_eq!(n_sessions, if otp.release >= 28 { 2 } else { 0 });
            let second = both.pop().unwrap();
            assert!(both.pop().unwrap().stop().await.iter().all(|it| it.restored == Restored::Yes));
            assert_eq!((has_wall_time(&node), sessions(&node)), (true, n_sessions / 2));
            assert!(second.stop().await.iter().all(|it| it.restored == Restored::Yes));
            assert_eq!((has_wall_time(&node), sessions(&node)), (false, 0));
        });
    });
}

#[test]
fn an_arming_that_was_given_up_can_be_undone() {
    for_each_otp("keeper::an_arming_that_was_given_up_can_be_undone", |otp| {
        let node = Node::builder(otp).start();
        run(async {
            let link = attach(&node, false).await;
            let keeper = Keeper::start(&link, &LONG_LEASE).await.unwrap();
            let counters = counters(&link).await;
            node.freeze();
            let within = Duration::from_millis(200);
            let given_up = tokio::time::timeout(within, keeper.arm(counters.clone())).await;
            assert!(given_up.is_err());
            node.thaw();
            // It may be made by now: it is in the manifest.
            assert_eq!(keeper.changes()[0].restored, Restored::NotYet);
            keeper.arm(counters.clone()).await.unwrap();
            assert_eq!((armed(&node), keeper.changes().len()), (FUNCTIONS, 1));
            keeper.disarm(counters).await.unwrap();
            assert_eq!(armed(&node), 0);
            assert_eq!(keeper.changes()[0].restored, Restored::Yes);
        });
    });
}

#[test]
fn whichever_of_the_three_is_killed_nothing_stays() {
    for_each_otp("keeper::whichever_of_the_three_is_killed_nothing_stays", |otp| {
        let node = Node::builder(otp).start();
        run(async {
            let link = attach(&node, false).await;
            for victim in ["custodian", "sentinel", "client"] {
                let keeper = Keeper::start(&link, &LONG_LEASE).await.unwrap();
                keeper.arm(Setting::SchedulerWallTime).await.unwrap();
                keeper.arm(counters(&link).await).await.unwrap();
                assert_eq!(armed(&node), FUNCTIONS);
                match victim {
                    "custodian" => kill_there(&node, keeper.custodian()),
                    "sentinel" => kill_there(&node, keeper.sentinel()),
                    _ => {
                        drop(keeper);
                        // The task that holds the mailbox runs on this thread.
                        tokio::time::sleep(Duration::from_millis(10)).await;
                        clean_after(&node, CLEAN_MAX);
                        continue;
                    }
                }
                clean_after(&node, CLEAN_MAX);
                assert_eq!(keeper.ended().await, KeeperEnd::Killed, "{victim}");
                let kept = keeper.changes();
                let told = |name: &str| kept.iter().find(|it| it.name == name).unwrap().restored;
                assert_eq!(told("call counters"), Restored::Yes, "{victim}");
                // The flag of a custodian that was killed: the VM does not say.
                let flag = if victim == "custodian" { Restored::ByTheNode } else { Restored::Yes };
                assert_eq!(told("scheduler wall time"), flag, "{victim}");
                assert!(keeper.arm(Setting::SchedulerWallTime).await.is_err());
            }
            assert!(!link.connection().is_closed());
        });
        assert_eq!(ours(&node), 0);
    });
}

#[test]
fn a_lease_that_lapsed_is_told_with_what_was_undone() {
    for_each_otp("keeper::a_lease_that_lapsed_is_told_with_what_was_undone", |otp| {
        let node = Node::builder(otp).start();
        run(async {
            let link = attach(&node, false).await;
            let lease = Duration::from_millis(500);
            let keeper = Keeper::start(&link, &KeeperOptions { lease }).await.unwrap();
            keeper.arm(counters(&link).await).await.unwrap();
            // Nothing of ours runs meanwhile.
            thread::sleep(4 * lease);
            assert_eq!(armed(&node), 0);
            assert_eq!(keeper.ended().await, KeeperEnd::LeaseLapsed);
            assert!(keeper.changes().iter().all(|it| it.restored == Restored::Yes));
            let error = keeper.arm(Setting::SchedulerWallTime).await.unwrap_err();
            assert!(error.to_string().contains("did not hear from us"), "{error}");
            // And another one can be had.
            let keeper = Keeper::start(&link, &LONG_LEASE).await.unwrap();
            keeper.arm(Setting::SchedulerWallTime).await.unwrap();
            assert_eq!(keeper.stop().await[0].restored, Restored::Yes);
        });
        assert_eq!(ours(&node), 0);
    });
}

#[test]
fn a_node_that_was_frozen_goes_on_where_it_was() {
    for_each_otp("keeper::a_node_that_was_frozen_goes_on_where_it_was", |otp| {
        let node = Node::builder(otp).start();
        run(async {
            let link = attach(&node, false).await;
            let lease = Duration::from_secs(3);
            let keeper = Keeper::start(&link, &KeeperOptions { lease }).await.unwrap();
            keeper.arm(counters(&link).await).await.unwrap();
            node.freeze();
            tokio::time::sleep(2 * lease).await;
            node.thaw();
            tokio::time::sleep(lease).await;
            assert_eq!(armed(&node), FUNCTIONS);
            let kept = keeper.stop().await;
            assert_eq!(kept[0].restored, Restored::Yes);
        });
    });
}

/// What a keeper cannot help, as its doc says: the flag goes, the patterns stay.
#[test]
fn custodian_and_sentinel_killed_together_leave_patterns() {
    for_each_otp("keeper::custodian_and_sentinel_killed_together_leave_patterns", |otp| {
        let node = Node::builder(otp).start();
        run(async {
            let link = attach(&node, false).await;
            let keeper = Keeper::start(&link, &LONG_LEASE).await.unwrap();
            keeper.arm(Setting::SchedulerWallTime).await.unwrap();
            keeper.arm(counters(&link).await).await.unwrap();
            let both = [keeper.custodian(), keeper.sentinel()].map(dist::term::Pid::local);
            node.eval(&format!(
                "Both = [list_to_pid(P) || P <- {both:?}], [erlang:suspend_process(P) || P <- Both],
                 [exit(P, kill) || P <- Both], ok"
            ));
            assert_eq!(keeper.ended().await, KeeperEnd::Killed);
            let kept = keeper.changes();
            assert!(kept.iter().all(|it| it.restored == Restored::ByTheNode), "{kept:?}");
            assert_eq!((armed(&node), has_wall_time(&node)), (FUNCTIONS, false));
        });
    });
}

#[test]
fn a_custodian_that_hangs_is_helped_by_the_sentinel() {
    for_each_otp("keeper::a_custodian_that_hangs_is_helped_by_the_sentinel", |otp| {
        let node = Node::builder(otp).start();
        run(async {
            let link = attach(&node, false).await;
            let keeper = Keeper::start(&link, &LONG_LEASE).await.unwrap();
            keeper.arm(counters(&link).await).await.unwrap();
            let custodian = keeper.custodian().local();
            // Whoever suspends it must live on.
            node.eval(&format!(
                "spawn(fun() -> true = erlang:suspend_process(list_to_pid(\"{custodian}\")),
                               receive after 30000 -> ok end end), timer:sleep(100)"
            ));
            drop(keeper);
        });
        thread::sleep(Duration::from_secs(5));
        assert_eq!(armed(&node), FUNCTIONS);
        clean_after(&node, Duration::from_secs(15));
    });
}

#[test]
fn a_trace_session_ends_with_its_custodian() {
    for_each_otp_from(27, "keeper::a_trace_session_ends_with_its_custodian", |otp| {
        let node = Node::builder(otp).start();
        run(async {
            let link = attach(&node, false).await;
            let whereis = dist::Call::new("erlang", "whereis", vec![Term::atom("init")]);
            let init = link.connection().call(&whereis).await.unwrap();
            let init = init.term().unwrap().into_owned();
            for victim in ["nobody", "custodian", "sentinel", "client"] {
                let keeper = Keeper::start(&link, &LONG_LEASE).await.unwrap();
                let create = vec![Term::atom("giulia"), init.clone(), Term::Nil];
                let session = Steps {
                    name: "trace session".to_owned(),
                    apply: vec![Step::new("trace", "session_create", create)],
                    undo: Undo::OwnResult("trace", "session_destroy"),
                };
                let created = keeper.arm_returning(session).await.unwrap();
                let function = ["lists", "seq"].map(Term::atom).into_iter().chain([Term::int(2)]);
                let counted = Term::list([Term::atom("call_count")]);
                let arguments =
                    vec![created[0].clone(), Term::tuple(function), Term::boolean(true), counted];
                keeper
                    .arm(Setting::Steps(Steps {
                        name: "call counters".to_owned(),
                        apply: vec![Step::new("trace", "function", arguments)],
                        undo: Undo::None,
                    }))
                    .await
                    .unwrap();
                assert_eq!(sessions(&node), 1);
                let traced = "length(trace:session_info({lists, seq, 2}))";
                assert!(node.try_eval(traced).is_err() || node.eval(traced) == "1");
                match victim {
                    "nobody" => {
                        let kept = keeper.stop().await;
                        assert!(kept.iter().all(|it| it.restored == Restored::Yes), "{kept:?}");
                        assert_eq!(sessions(&node), 0);
                        continue;
                    }
                    "custodian" => kill_there(&node, keeper.custodian()),
                    "sentinel" => kill_there(&node, keeper.sentinel()),
                    _ => drop(keeper),
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
                let began = Instant::now();
                while sessions(&node) > 0 {
                    assert!(began.elapsed() < CLEAN_MAX, "{victim}");
                    thread::sleep(Duration::from_millis(5));
                }
            }
        });
    });
}

fn sessions(node: &Node) -> usize {
    node.residue().values("trace_sessions").len()
}

#[test]
fn system_events_come_where_a_session_can_have_them() {
    for_each_otp("keeper::system_events_come_where_a_session_can_have_them", |otp| {
        let node = Node::builder(otp).start();
        run(async {
            let link = attach(&node, false).await;
            let keeper = Keeper::start(&link, &LONG_LEASE).await.unwrap();
            let limits = SystemEventLimits {
                long_gc_ms: 10_000,
                long_schedule_ms: 10_000,
                large_heap_words: 1_000_000,
                mailbox_len: 100,
            };
            let armed = keeper.arm(Setting::SystemEvents(limits)).await;
            if otp.release < 28 {
                assert_eq!(armed.unwrap_err().kind(), dist::ErrorKind::VersionUnsupported);
                assert!(keeper.events().await.is_err());
                assert_eq!(keeper.changes(), []);
                return;
            }
            armed.unwrap();
            assert_eq!(sessions(&node), 1);
            let big = "spawn(fun() -> L = lists:seq(1, 2000000), garbage_collect(), length(L) end)";
            let big = node.eval(big);
            let full = node.eval(
                "P = spawn(timer, sleep, [infinity]), register(full, P),
                 [P ! I || I <- lists:seq(1, 150)], P",
            );
            // Our own work is not the node's.
            let large = dist::Call::new("lists", "seq", vec![Term::int(1), Term::int(2_000_000)]);
            link.connection().call(&large).await.unwrap();
            let mut seen = SystemEvents::default();
            for _ in 0..100 {
                let more = keeper.events().await.unwrap();
                seen.counts.extend(more.counts);
                seen.of_giulia += more.of_giulia;
                seen.events.extend(more.events);
                let has = |kind| seen.counts.contains_key(kind);
                if has("large_heap") && has("long_message_queue") {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            // The evaluator's own heap is large too.
            assert!(
                seen.events.iter().any(|it| it.kind == "large_heap" && it.who == big),
                "{seen:?}"
            );
            assert_eq!(seen.counts.get("long_message_queue"), Some(&1), "{seen:?}");
            let queue = seen.events.iter().find(|it| it.kind == "long_message_queue").unwrap();
            assert_eq!((queue.who.as_str(), queue.info.as_str()), (full.as_str(), "true"));
            assert_eq!(queue.name.as_deref(), Some("full"));
            assert!(seen.of_giulia > 0, "{seen:?}");
            let sink = keeper.sink().await.unwrap();
            let many = "[P ! {monitor, self(), busy_port, x} || _ <- lists:seq(1, 1000)], ok";
            node.eval(&format!("P = list_to_pid(\"{}\"), {many}", sink.local()));
            let seen = keeper.events().await.unwrap();
            // A late event of a large heap takes one of the places, and then none of these is lost.
            assert_eq!((seen.events.len(), seen.counts.values().sum::<u64>()), (200, 200));
            assert_eq!(seen.counts["busy_port"] + seen.counts_beyond["busy_port"], 1000);
            assert!(seen.counts["busy_port"] > 190, "{seen:?}");
            // Flooded, the VM kills it, and the node is none the worse.
            let flood = "[P ! {flood, L} || L <- [lists:seq(1, 1000)], _ <- lists:seq(1, 3000)]";
            node.eval(&format!("P = list_to_pid(\"{}\"), {flood}, ok", sink.local()));
            let error = keeper.events().await.unwrap_err();
            assert_eq!(error.kind(), dist::ErrorKind::Killed);
            keeper.disarm(Setting::SystemEvents(limits)).await.unwrap();
            assert_eq!(sessions(&node), 0);
            keeper.arm(Setting::SystemEvents(limits)).await.unwrap();
            assert_eq!(keeper.events().await.unwrap().counts.get("long_message_queue"), None);
            let kept = keeper.stop().await;
            assert!(kept.iter().all(|it| it.restored == Restored::Yes), "{kept:?}");
            assert_eq!((sessions(&node), ours(&node)), (0, 0));
        });
        assert!(!node.log().contains("heap"), "{}", node.log());
    });
}

#[test]
fn its_processes_stay_small_and_idle_and_are_nobodys_work() {
    let name = "keeper::its_processes_stay_small_and_idle_and_are_nobodys_work";
    for_each_otp(name, |otp| {
        let node = Node::builder(otp).start();
        run(async {
            let link = attach(&node, false).await;
            // No renewal comes while we look.
            let lease = Duration::from_hours(1);
            let keeper = Keeper::start(&link, &KeeperOptions { lease }).await.unwrap();
            keeper.arm(Setting::SchedulerWallTime).await.unwrap();
            if otp.release >= 28 {
                let limits = SystemEventLimits::default();
                keeper.arm(Setting::SystemEvents(limits)).await.unwrap();
            }
            let mut all = vec![
                ("custodian", keeper.custodian().clone(), "renew"),
                ("sentinel", keeper.sentinel().clone(), "nothing"),
            ];
            all.extend(
                keeper.sink().await.map(|it| ("sink", it, "{monitor, self(), long_gc, []}")),
            );
            for (name, pid, message) in &all {
                // It gives up after 5,000.
                let rounds = if *name == "sink" { 3 } else { 100 };
                let figures = stays_small(&node, name, (pid, message), rounds);
                eprintln!("OTP {}: {name}: {figures}", otp.release);
            }
            keeper.arm(counters(&link).await).await.unwrap();
            for (name, pid, _) in all.iter().take(2) {
                let asked = format!("process_info(list_to_pid(\"{}\"), memory)", pid.local());
                eprintln!(
                    "OTP {}: {name} with {FUNCTIONS} patterns {}",
                    otp.release,
                    node.eval(&asked)
                );
            }
            let reductions = || {
                let pids: Vec<String> = all.iter().map(|(_, it, _)| it.local()).collect();
                let asked = format!(
                    "[element(2, process_info(list_to_pid(P), reductions)) || P <- {pids:?}]"
                );
                node.eval(&asked)
            };
            let before = reductions();
            let options = SnapshotOptions { window: Some(Duration::from_secs(1)), top: 100 };
            let seen = snapshot(&link, &options).await;
            assert_eq!(before, reductions());
            let rows = format!("{:?}", seen.processes.unwrap().top_by_reductions);
            for (name, pid, _) in &all {
                assert!(!rows.contains(&pid.local()), "{name} in {rows}");
            }
        });
    });
}

/// After many messages, as after the first 1,000, in which the sink has kept its 200.
fn stays_small(
    node: &Node,
    name: &str,
    (pid, message): (&dist::term::Pid, &str),
    rounds: u32,
) -> String {
    let info = |item: &str| -> u64 {
        let pid = pid.local();
        let asked = format!("element(2, process_info(list_to_pid(\"{pid}\"), {item}))");
        node.eval(&asked).parse().unwrap()
    };
    let send_1000 = || {
        let sent = format!("P = list_to_pid(\"{}\"), M = {message},", pid.local());
        node.eval(&format!("{sent} [P ! M || _ <- lists:seq(1, 1000)], ok"));
        while info("message_queue_len") > 0 {}
    };
    let settled = || {
        thread::sleep(Duration::from_millis(100));
        (info("memory"), info("reductions"))
    };
    send_1000();
    let before = settled();
    let began = Instant::now();
    for _ in 0..rounds {
        send_1000();
    }
    let took = began.elapsed() / (rounds * 1000);
    let after = settled();
    let each = (after.1 - before.1) / u64::from(rounds * 1000);
    // The sink may be looked at in the middle of a batch, with 50 events' garbage.
    let (factor, bytes_max) = if name == "sink" { (8, 1_000_000) } else { (1, 40_000) };
    assert!(after.0 <= factor * before.0, "{name} grew: {before:?} {after:?}");
    assert!(after.0 < bytes_max, "{name} has {} bytes", after.0);
    let (bytes, later) = (before.0, after.0);
    format!("{bytes} bytes, then {later}; a message {each} reductions, {took:?}")
}

#[test]
fn without_evaluation_there_is_none() {
    for_each_otp("keeper::without_evaluation_there_is_none", |otp| {
        let node = Node::builder(otp).start();
        run(async {
            let link = attach(&node, true).await;
            let error = Keeper::start(&link, &LONG_LEASE).await.unwrap_err();
            assert_eq!(error.kind(), dist::ErrorKind::InvalidConfig);
            assert!(error.to_string().contains("--no-eval"), "{error}");
        });
        assert_eq!(ours(&node), 0);
    });
}

#[test]
fn what_the_node_refuses_is_told_and_leaves_nothing() {
    for_each_otp("keeper::what_the_node_refuses_is_told_and_leaves_nothing", |otp| {
        let node = Node::builder(otp).start();
        run(async {
            let link = attach(&node, false).await;
            let keeper = Keeper::start(&link, &LONG_LEASE).await.unwrap();
            let Setting::Steps(mut steps) = counters(&link).await else { panic!("no steps") };
            // In the last message: others are made by then.
            steps.apply[599] = Step::new("erlang", "atom_to_list", vec![Term::int(1)]);
            let error = keeper.arm(Setting::Steps(steps)).await.unwrap_err();
            assert_eq!(error.kind(), dist::ErrorKind::Raised);
            assert!(error.to_string().contains("call counters: error: badarg"), "{error}");
            assert_eq!((armed(&node), keeper.changes()), (0, Vec::new()));
            // What cannot be undone is not said to be.
            let steps = Steps {
                name: "stuck".to_owned(),
                apply: vec![Step::new("erlang", "node", vec![])],
                undo: Undo::Told(vec![Step::new("erlang", "atom_to_list", vec![Term::int(1)])]),
            };
            keeper.arm(Setting::Steps(steps)).await.unwrap();
            keeper.arm(Setting::SchedulerWallTime).await.unwrap();
            let kept = keeper.stop().await;
            assert_eq!(kept[0].restored, Restored::NotYet, "{kept:?}");
            assert_eq!(kept[1].restored, Restored::Yes, "{kept:?}");
        });
    });
}

/// A giulia of its own process: this very program, told by its environment to be one.
struct Giulia {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
}

/// What it does once it has armed.
#[derive(Debug, Clone, Copy)]
enum Doing {
    Nothing,
    /// Asks for 40 MB, again and again, in two calls at a time.
    LargeReplies,
}

/// In milliseconds.
const LEASE: &str = "GIULIA_KEEPER_LEASE";
const TARGET: &str = "GIULIA_KEEPER_TARGET";
const COOKIE: &str = "GIULIA_KEEPER_COOKIE";
const EPMD: &str = "GIULIA_KEEPER_EPMD";
const AT: &str = "GIULIA_KEEPER_AT";
const REPLIES: &str = "GIULIA_KEEPER_REPLIES";

impl Giulia {
    /// Starts it and waits until it has armed.
    fn start(node: &Node, mut command: Command, lease: Duration, doing: Doing) -> Self {
        command.args(["keeper::giulia_of_its_own", "--exact", "--nocapture"]);
        command.env(TARGET, node.name()).env(COOKIE, node.cookie());
        command.env(EPMD, node.epmd_port().to_string());
        command.env(LEASE, lease.as_millis().to_string());
        if matches!(doing, Doing::LargeReplies) {
            command.env(REPLIES, "1");
        }
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut giulia = Self { child, said };
        giulia.says("armed");
        giulia
    }

    /// Waits until it has said this.
    #[track_caller]
    fn says(&mut self, what: &str) {
        let found = self.said.by_ref().map_while(Result::ok).any(|it| it.ends_with(what));
        assert!(found, "it ended without saying {what:?}");
    }

    fn here() -> Command {
        Command::new(env::current_exe().unwrap())
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }
}

impl Drop for Giulia {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Not a test of its own: what [`Giulia::start`] runs.
#[test]
fn giulia_of_its_own() {
    let Ok(name) = env::var(TARGET) else { return };
    let mut target = dist::Target::new(name.parse().unwrap());
    target.epmd_port = env::var(EPMD).unwrap().parse().unwrap();
    target.at = env::var(AT).ok();
    let config = dist::Config::new(dist::Cookie::new(env::var(COOKIE).unwrap()));
    let lease = Duration::from_millis(env::var(LEASE).unwrap().parse().unwrap());
    run(async {
        let link = Link::attach(&target, &AttachOptions::new(config)).await.unwrap();
        let keeper = Keeper::start(&link, &KeeperOptions { lease }).await.unwrap();
        keeper.arm(Setting::SchedulerWallTime).await.unwrap();
        keeper.arm(counters(&link).await).await.unwrap();
        println!("armed");
        let large = dist::Call::new("lists", "seq", vec![Term::int(1), Term::int(8_000_000)])
            .timeout(Duration::from_mins(1));
        let asking = async {
            while env::var(REPLIES).is_ok() {
                let both = (link.connection().call(&large), link.connection().call(&large));
                drop(tokio::join!(both.0, both.1));
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            end = keeper.ended() => {
                let restored: Vec<_> = keeper.changes().iter().map(|it| it.restored).collect();
                println!("ended {end:?} {restored:?}");
            }
            () = asking => {}
        }
    });
}

#[test]
fn a_killed_giulia_leaves_nothing() {
    for_each_otp("keeper::a_killed_giulia_leaves_nothing", |otp| {
        let node = Node::builder(otp).start();
        for _ in 0..3 {
            let giulia = Giulia::start(&node, Giulia::here(), LONG_LEASE.lease, Doing::Nothing);
            assert_eq!((armed(&node), has_wall_time(&node)), (FUNCTIONS, true));
            giulia.signal("-KILL");
            let took = clean_after(&node, CLEAN_MAX);
            eprintln!("OTP {}: clean {took:?} after kill -9", otp.release);
        }
        assert_eq!(ours(&node), 0);
    });
}

#[test]
fn a_stopped_giulia_loses_its_lease_in_the_middle_of_a_large_reply() {
    let name = "keeper::a_stopped_giulia_loses_its_lease_in_the_middle_of_a_large_reply";
    for_each_otp(name, |otp| {
        let node = Node::builder(otp).start();
        let lease = Duration::from_secs(3);
        let mut giulia = Giulia::start(&node, Giulia::here(), lease, Doing::LargeReplies);
        // While it lives and reads, replies of 40 MB do not make it lose its lease.
        thread::sleep(2 * lease);
        assert_eq!((armed(&node), has_wall_time(&node)), (FUNCTIONS, true));
        giulia.signal("-STOP");
        thread::sleep(lease / 4);
        // It answers, to a buffer that is full; a plain send would suspend it with its settings.
        let told = node.eval(&format!("[P ! {{disarm, 0, 0}} || P <- {OURS}], ok"));
        assert_eq!(told, "ok");
        assert_eq!((armed(&node), has_wall_time(&node)), (FUNCTIONS, true));
        let took = lease / 4 + clean_after(&node, 3 * lease / 4 + LATE_MAX);
        eprintln!("OTP {}: clean {took:?} after SIGSTOP, lease {lease:?}", otp.release);
        // Its own are gone too, though the buffer towards it is full.
        assert_eq!(ours(&node), 0);
        giulia.signal("-CONT");
        giulia.says("ended LeaseLapsed [Yes, Yes]");
    });
}

#[test]
fn a_silent_network_ends_the_lease() {
    for_each_otp("keeper::a_silent_network_ends_the_lease", |otp| {
        let wire = match Wire::make() {
            Ok(wire) => wire,
            Err(why) => {
                eprintln!("live: skipped a_silent_network_ends_the_lease: {why}");
                return;
            }
        };
        let node = Node::builder(otp).listen_on(wire.near_address()).start();
        let lease = Duration::from_secs(3);
        let mut far = wire.far_command(env::current_exe().unwrap().to_str().unwrap());
        far.env(AT, format!("{}:{}", wire.near_address(), node.dist_port()));
        let mut giulia = Giulia::start(&node, far, lease, Doing::Nothing);
        thread::sleep(2 * lease);
        assert_eq!((armed(&node), has_wall_time(&node)), (FUNCTIONS, true));
        wire.cut().unwrap();
        thread::sleep(lease / 2);
        assert_eq!((armed(&node), has_wall_time(&node)), (FUNCTIONS, true));
        let took = lease / 2 + clean_after(&node, lease / 2 + LATE_MAX);
        eprintln!("OTP {}: clean {took:?} after the cut, lease {lease:?}", otp.release);
        // The node has not noticed yet: it was the lease, not the connection.
        assert_eq!(node.residue().count("nodes_hidden"), 1);
        wire.mend().unwrap();
        giulia.says("ended LeaseLapsed [Yes, Yes]");
    });
}
