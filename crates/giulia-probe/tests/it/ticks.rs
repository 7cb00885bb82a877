//! Ticks of a session against real nodes: what each window tells is true, and a watcher that is
//! lost is missed, replaced, and never left behind.

use std::{thread, time::Duration};

use giulia_model::{ProcessGroup, Snapshot};
use giulia_probe::{Link, TickOptions, TickParts, Ticker};
use giulia_testkit::{Node, for_each_otp};

use crate::{attach, has_signal_bugs, planted, processes, run, settled};

const LOOK: TickParts = TickParts { look: true, slow: false };
const LIGHT: TickParts = TickParts { look: false, slow: false };

/// How many processes there are that are started by nobody else: the watcher sleeps hibernated,
/// and its group leader is on our node.
const WATCHERS: &str = "length([P || P <- processes(), {group_leader, L} <- [process_info(P, group_leader)], node(L) =/= node()])";

async fn ticker(link: &Link) -> Ticker {
    let options = TickOptions { top: 20, lease: Duration::from_secs(10) };
    Ticker::start(link, &options).await.unwrap()
}

fn group<'a>(seen: &'a Snapshot, name: &str) -> Option<&'a ProcessGroup> {
    processes(seen).by_initial_call.iter().find(|it| it.name == name)
}

fn sleep(ms: u64) {
    thread::sleep(Duration::from_millis(ms));
}

#[test]
fn each_window_tells_the_shares_that_were_planted() {
    for_each_otp("each_window_tells_the_shares_that_were_planted", |otp| {
        let node = planted(otp);
        for no_eval in [false, true] {
            run(async {
                let link = attach(&node, no_eval).await;
                let mut ticker = ticker(&link).await;
                let first = ticker.tick(TickParts { look: true, slow: true }).await;
                assert!(first.window.is_none() && processes(&first).window.is_none());
                assert!(first.node.is_some() && first.host.is_some(), "{:?}", first.not_seen);
                assert!(first.ets.unwrap().top_by_memory.iter().any(|it| it.name == "planted"));
                for _ in 0..2 {
                    tokio::time::sleep(Duration::from_secs(2)).await;
                    let seen = ticker.tick(LOOK).await;
                    assert_shares(&seen);
                    let rooms = group(&seen, "{room,_}");
                    if !has_signal_bugs(otp) {
                        assert_eq!(rooms.unwrap().processes, 30);
                        let full = &processes(&seen).top_by_mailbox[0];
                        assert_eq!((full.name.as_str(), full.mailbox_len), ("full", Some(1000)));
                        assert_eq!(seen.not_seen, []);
                    }
                    assert!(seen.node.is_none() && seen.ets.is_none() && seen.host.is_none());
                    assert!(seen.activity.unwrap().reductions.in_window.is_some());
                }
            });
        }
    });
}

fn assert_shares(seen: &Snapshot) {
    let window = seen.window.unwrap();
    assert!((1900.0..2600.0).contains(&window.elapsed_ms), "{window:?}");
    let processes = processes(seen);
    let own = processes.window.unwrap();
    assert!((own.elapsed_ms - window.elapsed_ms).abs() < 200.0, "{own:?} {window:?}");
    for (place, row) in processes.top_by_reductions.iter().take(10).enumerate() {
        let rank: usize = row.name.strip_prefix("busy_").unwrap().parse().unwrap();
        // Neighbours change places on a busy machine; shares stay.
        assert!(rank.abs_diff(20 - place) <= 3, "place {place} is {}", row.name);
        let share = f64::from(u32::try_from(rank).unwrap()) / 210.0;
        assert!((row.reductions_share - share).abs() < 0.02, "{row:?} against {share}");
        assert!(row.reductions.in_window.unwrap() < row.reductions.since_start);
        // Where mailboxes may not be asked, neither may who ran when it was looked at.
        assert!(row.memory_bytes.is_some() || row.mailbox_len.is_none(), "{row:?}");
    }
    let counted = seen.counts.as_ref().unwrap().processes.count;
    assert!(processes.ranking_coverage.total.abs_diff(counted) <= 3, "{counted}");
    let groups: u64 = processes.by_initial_call.iter().map(|it| it.processes).sum();
    assert_eq!(groups, processes.ranking_coverage.total);
    let applications: u64 = processes.by_application.iter().map(|it| it.processes).sum();
    assert_eq!(applications, processes.ranking_coverage.total);
    assert!(processes.by_application.iter().any(|it| it.name == "kernel"));
    let worked: u64 =
        processes.by_initial_call.iter().filter_map(|it| it.reductions.in_window).sum();
    assert_eq!(Some(worked), processes.reductions.in_window);
}

#[test]
fn a_tick_is_one_message_each_way_once_everyone_is_known() {
    for_each_otp("a_tick_is_one_message_each_way_once_everyone_is_known", |otp| {
        let node = Node::builder(otp).start();
        run(async {
            let link = attach(&node, false).await;
            let mut ticker = ticker(&link).await;
            for _ in 0..3 {
                ticker.tick(LOOK).await;
            }
            let before = link.impact().round_trips;
            for parts in [LOOK, LIGHT, LOOK] {
                let seen = ticker.tick(parts).await;
                assert_eq!(seen.processes.is_some(), parts.look);
                assert!(seen.counts.is_some() && seen.memory.is_some(), "{:?}", seen.not_seen);
                assert!(seen.schedulers.is_some() && seen.activity.is_some());
            }
            assert_eq!(link.impact().round_trips - before, 3);
            let price = ticker.price();
            assert_eq!((price.wakeups, price.rest), (1, Duration::ZERO));
            // What is told is what the pace is made of, wakeups of schedulers included.
            let told = link.impact().questions.last().unwrap().elapsed_ms;
            assert!(
                (told - price.total().as_secs_f64() * 1000.0).abs() < 0.001,
                "{told} {price:?}"
            );
            assert!(price.look > Duration::from_micros(50) && price.reductions > 1000, "{price:?}");
        });
    });
}

#[test]
fn who_is_born_and_who_ends_is_told() {
    for_each_otp("who_is_born_and_who_ends_is_told", |otp| {
        let node = Node::builder(otp).start();
        // With the bug nobody who is not listed may be asked for a name.
        let named = !has_signal_bugs(otp);
        run(async {
            let link = attach(&node, false).await;
            let mut ticker = ticker(&link).await;
            ticker.tick(LOOK).await;
            let before = ticker.tick(LOOK).await;
            let n_before = processes(&before).ranking_coverage.total;
            assert_eq!(group(&before, "timer:sleep/1").map(|it| it.processes), None);
            // Until they sleep: on a busy machine some would do their first work a window later.
            node.eval(
                "Born = [spawn(timer, sleep, [infinity]) || _ <- lists:seq(1, 50)], Wait = fun(_, []) -> ok; (Self, [P | Rest] = All) -> case process_info(P, status) of {status, waiting} -> Self(Self, Rest); _ -> erlang:yield(), Self(Self, All) end end, Wait(Wait, Born)",
            );
            let seen = ticker.tick(LOOK).await;
            assert_eq!(processes(&seen).ranking_coverage.total, n_before + 50);
            if named {
                let born = group(&seen, "timer:sleep/1").unwrap();
                assert_eq!(born.processes, 50);
                // All that they did they did in the window.
                assert_eq!(born.reductions.in_window, Some(born.reductions.since_start));
                assert!(born.reductions.since_start > 0);
            }
            let quiet = ticker.tick(LOOK).await;
            if named {
                // To answer what one is costs one or two.
                let reductions = group(&quiet, "timer:sleep/1").unwrap().reductions;
                assert!(reductions.in_window.unwrap() < 500, "{reductions:?}");
            }
            node.eval(
                "[exit(P, kill) || P <- processes(), process_info(P, initial_call) =:= {initial_call, {timer, sleep, 1}}], timer:sleep(100)",
            );
            let seen = ticker.tick(LOOK).await;
            assert_eq!(processes(&seen).ranking_coverage.total, n_before);
            assert_eq!(group(&seen, "timer:sleep/1").map(|it| it.processes), None);
        });
    });
}

#[test]
fn a_watcher_that_is_killed_is_missed_and_replaced() {
    for_each_otp("a_watcher_that_is_killed_is_missed_and_replaced", |otp| {
        let node = Node::builder(otp).start();
        run(async {
            let link = attach(&node, false).await;
            let mut ticker = ticker(&link).await;
            ticker.tick(LOOK).await;
            assert_eq!(node.eval(WATCHERS), "1");
            node.eval("[exit(P, kill) || P <- processes(), {group_leader, L} <- [process_info(P, group_leader)], node(L) =/= node()], ok");
            let seen = ticker.tick(LOOK).await;
            let told = &seen.not_seen.iter().find(|it| it.what.starts_with("processes, and"));
            assert!(told.unwrap().why.contains("killed"), "{told:?}");
            assert!(seen.processes.is_none() && seen.window.is_none());
            assert!(seen.counts.is_some() && seen.memory.is_some());
            let seen = ticker.tick(LOOK).await;
            assert!(seen.processes.is_some_and(|it| it.window.is_none()), "{:?}", seen.not_seen);
            let seen = ticker.tick(LOOK).await;
            assert!(processes(&seen).window.is_some() && seen.window.is_some());
            assert_eq!(node.eval(WATCHERS), "1");
        });
    });
}

#[test]
fn a_watcher_that_hears_nothing_ends_with_its_lease() {
    for_each_otp("a_watcher_that_hears_nothing_ends_with_its_lease", |otp| {
        let node = Node::builder(otp).start();
        run(async {
            let link = attach(&node, false).await;
            let options = TickOptions { top: 20, lease: Duration::from_secs(1) };
            let mut ticker = Ticker::start(&link, &options).await.unwrap();
            for _ in 0..4 {
                ticker.tick(LIGHT).await;
                // Light ticks renew it.
                sleep(500);
                assert_eq!(node.eval(WATCHERS), "1");
            }
            sleep(1500);
            assert_eq!(node.eval(WATCHERS), "0");
            let seen = ticker.tick(LOOK).await;
            let told = seen.not_seen.iter().find(|it| it.what.starts_with("processes, and"));
            assert!(told.unwrap().why.contains("lease"), "{:?}", seen.not_seen);
            assert!(ticker.tick(LOOK).await.processes.is_some());
        });
    });
}

#[test]
fn a_node_that_was_frozen_longer_than_the_lease_keeps_its_watcher() {
    for_each_otp("a_node_that_was_frozen_longer_than_the_lease_keeps_its_watcher", |otp| {
        let node = Node::builder(otp).start();
        run(async {
            let link = attach(&node, false).await;
            let options = TickOptions { top: 20, lease: Duration::from_secs(1) };
            let mut ticker = Ticker::start(&link, &options).await.unwrap();
            ticker.tick(LOOK).await;
            for _ in 0..3 {
                node.freeze();
                let thaw = async {
                    tokio::time::sleep(Duration::from_millis(1500)).await;
                    node.thaw();
                };
                let (seen, ()) = tokio::join!(ticker.tick(LOOK), thaw);
                let window = seen.processes.as_ref().and_then(|it| it.window.as_ref());
                assert!(window.is_some(), "{:?}", seen.not_seen);
            }
        });
    });
}

#[test]
fn nothing_is_left_of_a_session_and_a_second_adds_no_atom() {
    for_each_otp("nothing_is_left_of_a_session_and_a_second_adds_no_atom", |otp| {
        let node = Node::builder(otp).start();
        let session = || {
            run(async {
                let link = attach(&node, false).await;
                let mut ticker = ticker(&link).await;
                ticker.tick(TickParts { look: true, slow: true }).await;
                for _ in 0..3 {
                    ticker.tick(LOOK).await;
                }
            });
        };
        let before = node.residue();
        run(async { drop(attach(&node, false).await) });
        let connected = settled(&node);
        session();
        let first = settled(&node);
        let rest = before.diff(&first).without(&["modules", "atoms", "nodes_known"]);
        assert!(rest.is_empty(), "{rest}");
        // 300 of these the VM makes for its allocators at the first `erlang:memory()`; the others are
        // the variables of the forms and what `erl_internal` names.
        let atoms = first.count("atoms") - connected.count("atoms");
        assert!(atoms <= 600, "{atoms} new atoms");
        session();
        let second = settled(&node);
        assert_eq!(second.count("atoms"), first.count("atoms"));
        assert_eq!(second.count("processes"), first.count("processes"));
    });
}

#[test]
fn work_that_is_cut_stays_a_remainder() {
    for_each_otp("work_that_is_cut_stays_a_remainder", |otp| {
        // Each of 3,000 does the same work: all are told where everyone is known, else a third.
        let many = "[spawn(fun Loop() -> receive after 100 -> Loop() end end) || _ <- lists:seq(1, 3000)], ok";
        let idle = "[spawn(timer, sleep, [infinity]) || _ <- lists:seq(1, 9000)], ok";
        let small = Node::builder(otp).eval(many).start();
        let large = Node::builder(otp).eval(many).eval(idle).start();
        for (node, total, has_cut) in [(small, 3000, false), (large, 12_000, true)] {
            run(async {
                let link = attach(&node, false).await;
                let mut ticker = ticker(&link).await;
                for _ in 0..4 {
                    ticker.tick(LOOK).await;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
                let seen = ticker.tick(LOOK).await;
                let processes = processes(&seen);
                assert!(processes.ranking_coverage.total >= total, "{processes:?}");
                let cut = group(&seen, "(not looked at)").map_or(0.0, |it| it.reductions_share);
                if has_signal_bugs(otp) {
                    assert!(cut > 0.9, "{cut}");
                } else if has_cut {
                    assert!((0.55..0.75).contains(&cut), "{cut}");
                } else {
                    assert!(cut < 0.001, "{cut}");
                }
                let groups: u64 = processes.by_initial_call.iter().map(|it| it.processes).sum();
                assert_eq!(groups, processes.ranking_coverage.total);
                let worked: u64 =
                    processes.by_initial_call.iter().filter_map(|it| it.reductions.in_window).sum();
                assert_eq!(Some(worked), processes.reductions.in_window);
                let applications: u64 =
                    processes.by_application.iter().filter_map(|it| it.reductions.in_window).sum();
                assert_eq!(Some(applications), processes.reductions.in_window);
                let reply = seen.impact.questions.iter().rev().find(|it| it.probe == "watch");
                assert!(reply.unwrap().received_bytes < 40_000, "{reply:?}");
            });
        }
    });
}

#[test]
fn what_was_answered_before_the_time_is_over_is_told() {
    for_each_otp("what_was_answered_before_the_time_is_over_is_told", |otp| {
        let node = Node::builder(otp).start();
        run(async {
            let link = attach(&node, false).await;
            let window = Some(Duration::from_secs(30));
            let options = giulia_probe::SnapshotOptions { window, top: 20 };
            let left = Duration::from_secs(2);
            let began = std::time::Instant::now();
            let seen = giulia_probe::snapshot_within(&link, &options, left).await;
            assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
            assert!(seen.node.is_some() && seen.memory.is_some() && seen.ets.is_some());
            assert!(seen.processes.is_none() && seen.window.is_none());
            let told: Vec<_> = seen.not_seen.iter().map(|it| it.what.as_str()).collect();
            assert_eq!(told, ["processes"]);
            assert!(seen.not_seen[0].why.contains("the 2.0 s for all"), "{:?}", seen.not_seen);
            // What was under way there is gone.
            tokio::time::sleep(Duration::from_millis(200)).await;
            assert_eq!(node.eval(WATCHERS), "0");
        });
    });
}
