//! A dump against planted stacks: who stands where, and with how much mail.

use giulia_model::{Dump, StackGroup};
use giulia_probe::{DumpOptions, dump};
use giulia_testkit::{Node, for_each_otp};

use crate::{attach, has_signal_bugs, run, settled};

/// 300 in one receive and 40 in another of the same call, one of each with mail; five servers;
/// one that is registered; one that never waits.
const PLANTED: &str = "
Here = fun(F) -> [proc_lib:spawn(F) || _ <- lists:seq(1, 300)] end,
[First | _] = Here(fun() -> timer:sleep(infinity) end),
[First ! letter || _ <- lists:seq(1, 7)],
[spawn(gen_server, loop_of_nobody, []) || _ <- []],
There = [spawn(fun() -> receive stop -> ok end, ok end) || _ <- lists:seq(1, 40)],
[hd(There) ! letter || _ <- lists:seq(1, 3)],
[gen_event:start() || _ <- lists:seq(1, 5)],
register(sleeper, spawn(timer, sleep, [infinity])),
timer:sleep(300)";

async fn taken(node: &Node, no_eval: bool, top: usize) -> Dump {
    let link = attach(node, no_eval).await;
    dump(&link, &DumpOptions { top }).await
}

fn group<'a>(dump: &'a Dump, name: &str) -> &'a StackGroup {
    let has = |it: &StackGroup| it.names.iter().any(|it| it.name == name);
    dump.groups.iter().find(|it| has(it)).unwrap_or_else(|| panic!("no {name} in {dump:#?}"))
}

#[test]
fn planted_stacks_are_grouped_and_counted() {
    for_each_otp("planted_stacks_are_grouped_and_counted", |otp| {
        let node = Node::builder(otp).name("planted").eval(PLANTED).start();
        let truth: u64 = node.eval("erlang:system_info(process_count)").parse().unwrap();
        for no_eval in [false, true] {
            let dump = run(taken(&node, no_eval, 100));
            let coverage = dump.coverage.unwrap();
            assert!(coverage.total.abs_diff(truth) <= 2, "{coverage:?}, {truth}");
            assert!(!coverage.sampled && dump.not_seen.is_empty(), "{:?}", dump.not_seen);
            let told: u64 = dump.groups.iter().map(|it| it.processes).sum();
            assert_eq!(told, coverage.asked);
            let first = &dump.groups[0];
            // The registered one stands in the same place.
            let sleeper = group(&dump, "sleeper");
            let sleeping: u64 = dump
                .groups
                .iter()
                .filter(|it| it.stack.first().is_some_and(|it| it.function.function == "sleep"))
                .map(|it| it.processes)
                .sum();
            assert_eq!(sleeping, 301, "{first:#?}");
            assert_eq!((sleeper.processes, sleeper.stack.len()), (1, 1), "{sleeper:#?}");
            assert_eq!(first.processes, 300, "{first:#?}");
            assert_eq!((first.waiting, first.mailbox_len, first.mailbox_len_max), (300, 7, 7));
            assert_eq!(first.stack[0].file.as_deref(), Some("timer.erl"));
            assert!(first.stack[0].line.is_some() && !first.cut);
            let events = group(&dump, "gen_event:init_it/6");
            let spawned = events.names.iter().find(|it| it.name == "gen_event:init_it/6");
            assert_eq!(spawned.unwrap().processes, 5);
            let forty = dump.groups.iter().find(|it| it.processes == 40).unwrap();
            assert_eq!((forty.mailbox_len, forty.mailbox_len_max), (3, 3));
            assert!(dump.impact.changed.is_empty());
        }
    });
}

#[test]
fn a_dump_leaves_nothing_and_a_second_adds_no_atom() {
    for_each_otp("a_dump_leaves_nothing_and_a_second_adds_no_atom", |otp| {
        for no_eval in [false, true] {
            let node = Node::builder(otp).start();
            drop(run(taken(&node, no_eval, 10)));
            let first = settled(&node);
            drop(run(taken(&node, no_eval, 10)));
            let second = settled(&node);
            let rest = first.diff(&second);
            assert!(rest.is_empty(), "{rest}");
        }
    });
}

#[test]
fn larger_nodes_are_grouped_whole_where_that_is_safe() {
    for_each_otp("larger_nodes_are_grouped_whole_where_that_is_safe", |otp| {
        let many = "[spawn(fun() -> receive stop -> ok end end) || _ <- lists:seq(1, 20000)], ok";
        let node = Node::builder(otp).eval(many).start();
        let whole = run(taken(&node, false, 5));
        let paged = run(taken(&node, true, 5));
        let asked = |it: &Dump| it.coverage.unwrap().asked;
        assert!(asked(&paged) < 3000 && paged.coverage.unwrap().sampled);
        assert!(paged.not_seen[0].why.contains("--no-eval") || has_signal_bugs(otp));
        if has_signal_bugs(otp) {
            assert!(whole.coverage.unwrap().sampled && asked(&whole) <= 2000);
            assert!(whole.not_seen[0].why.contains("doctor"), "{:?}", whole.not_seen);
        } else {
            assert_eq!(whole.groups[0].processes, 20_000);
            assert!(whole.not_seen.is_empty(), "{:?}", whole.not_seen);
        }
        let price = whole.impact.questions.iter().find(|it| it.probe == "dump").unwrap();
        assert!(price.received_bytes < 32 << 10, "{price:?}");
    });
}
