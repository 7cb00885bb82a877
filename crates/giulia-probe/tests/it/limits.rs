//! Nodes in cgroups with limits: the limits are told, and questions keep within them.

use std::io::{self, Write as _};

use giulia_model::Snapshot;
use giulia_testkit::{Group, Limits, Node, for_each_otp};

use crate::{ask, run};

/// A group of so much memory and 1.5 cores.
fn in_group(memory_bytes: u64, test: impl Fn(&Group)) {
    let limits = Limits { memory_bytes: Some(memory_bytes), cpu_cores: Some(1.5) };
    match Group::make(limits) {
        Ok(group) => test(&group),
        Err(why) => drop(writeln!(io::stderr(), "skipped: no cgroup can be made here: {why}")),
    }
}

fn missing<'a>(seen: &'a Snapshot, what: &str) -> Option<&'a str> {
    seen.not_seen.iter().find(|it| it.what.contains(what)).map(|it| it.why.as_str())
}

#[test]
fn limits_of_a_parent_group_are_told() {
    for_each_otp("limits_of_a_parent_group_are_told", |otp| {
        in_group(512 << 20, |group| {
            let node = Node::builder(otp).start();
            group.enter(&node);
            for no_eval in [false, true] {
                let seen = run(ask(&node, no_eval, None)).seen;
                assert_eq!(missing(&seen, "cgroup"), None, "{:?}", seen.not_seen);
                let told = seen.host.unwrap().cgroup.unwrap();
                assert_eq!(told.memory_limit_bytes, Some(512 << 20));
                assert_eq!(told.cpu_quota_cores, Some(1.5));
                let left = told.memory_available_bytes.unwrap();
                assert!((300 << 20..=512 << 20).contains(&left), "{left}");
            }
            drop(node);
        });
    });
}

#[test]
fn a_node_with_little_memory_left_is_sampled_and_not_ranked() {
    for_each_otp("a_node_with_little_memory_left_is_sampled_and_not_ranked", |otp| {
        let many = "[spawn(fun() -> receive stop -> ok end end) || _ <- lists:seq(1, 12000)], ok";
        // Ranking 12,000 processes may take 39 MB, so 155 MB must be left for it.
        in_group(128 << 20, |group| {
            let node = Node::builder(otp).start();
            group.enter(&node);
            node.eval(many);
            let seen = run(ask(&node, false, None)).seen;
            let processes = seen.processes.as_ref().unwrap();
            assert!(processes.ranking_coverage.sampled, "{:?}", processes.ranking_coverage);
            let why = missing(&seen, "not sampled").unwrap();
            assert!(why.contains("MiB of memory that its container"), "{why}");
            assert!(seen.ets.is_some(), "{:?}", seen.not_seen);
            drop(node);
        });
        in_group(1 << 30, |group| {
            let node = Node::builder(otp).start();
            group.enter(&node);
            node.eval(many);
            let seen = run(ask(&node, false, None)).seen;
            let processes = seen.processes.unwrap();
            assert!(!processes.ranking_coverage.sampled, "{:?}", processes.ranking_coverage);
            drop(node);
        });
    });
}

#[test]
fn tables_in_thousands_fit_the_heap_that_is_sized_by_them() {
    for_each_otp("tables_in_thousands_fit_the_heap_that_is_sized_by_them", |otp| {
        let tables = |n: u64| {
            format!(
                "spawn(fun() -> [ets:new(some_table, [public]) || _ <- lists:seq(1, {n})], \
                 receive stop -> ok end end), timer:sleep(300)"
            )
        };
        let node = Node::builder(otp).args(["+e", "20000"]).start();
        for (more, all) in [(300, 300), (4700, 5000), (7000, 12_000)] {
            node.eval(&tables(more));
            let seen = run(ask(&node, false, None)).seen;
            let ets = seen.ets.unwrap_or_else(|| panic!("{all}: {:?}", seen.not_seen));
            assert!(ets.total >= all, "{}", ets.total);
        }
    });
}
