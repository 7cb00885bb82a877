//! Sampled stacks against work of known shares, and against planted waiting.

use std::time::{Duration, Instant};

use giulia_model::{Flame, FlameOf, FlameStack};
use giulia_probe::{AttachOptions, Budget, Link, StackOptions, Stacks, dist};
use giulia_testkit::{Node, Otp, for_each_otp};

use crate::{attach, has_signal_bugs, run, settled};

/// A module whose functions share the work of a process by count: `hot` 8 and `cold` 2 of ten
/// spells of the same work, each spell some time slices long.
const WORK: &str = r#"
{ok, Tokens, _} = erl_scan:string(
  "-module(work). -export([one/2, wait/0]). "
  "one(Hot, Cold) -> hot(Hot), cold(Cold), one(Hot, Cold). "
  "hot(0) -> ok; hot(N) -> burn(200), hot(N - 1). "
  "cold(0) -> ok; cold(N) -> burn(200), cold(N - 1). "
  "burn(0) -> ok; burn(N) -> burn(N - 1). "
  "wait() -> receive stop -> ok end. "),
Split = fun Split([], _, Forms) -> lists:reverse(Forms);
            Split([{dot, _} = Dot | Rest], Form, Forms) -> Split(Rest, [], [lists:reverse([Dot | Form]) | Forms]);
            Split([Token | Rest], Form, Forms) -> Split(Rest, [Token | Form], Forms)
        end,
Forms = [begin {ok, It} = erl_parse:parse_form(Form), It end || Form <- Split(Tokens, [], [])],
{ok, work, Binary} = compile:forms(Forms),
{module, work} = code:load_binary(work, "work", Binary)"#;

fn worker(otp: &Otp, spawns: &str) -> Node {
    Node::builder(otp).eval(&format!("{WORK}, {spawns}")).start()
}

/// On the matrix's OTP 25 a bug must be accepted first.
async fn accepting(node: &Node) -> Link {
    let mut target = dist::Target::new(node.name().parse().unwrap());
    target.epmd_port = node.epmd_port();
    let config = dist::Config::new(dist::Cookie::new(node.cookie()));
    let options = AttachOptions { accept_vm_bug: true, ..AttachOptions::new(config) };
    Link::attach(&target, &options).await.unwrap()
}

async fn sampled(node: &Node, of: FlameOf, enough: impl Fn(&Flame) -> bool) -> Flame {
    let link = accepting(node).await;
    // Not what it costs is asked here, but what it sees.
    let options = StackOptions { of, hz_max: 300, budget: Budget { core_share: 1.0 } };
    let mut stacks = Stacks::start(&link, options).await.unwrap();
    let until = Instant::now() + Duration::from_mins(1);
    while Instant::now() < until && !enough(&stacks.so_far()) {
        stacks.batch(Duration::from_millis(500)).await.unwrap();
    }
    stacks.so_far()
}

fn samples_with(flame: &Flame, function: &str) -> u64 {
    let has = |it: &&FlameStack| {
        it.stack.iter().any(|it| it.function.module == "work" && it.function.function == function)
    };
    flame.stacks.iter().filter(has).map(|it| it.samples).sum()
}

/// 4.9 standard deviations, which chance alone passes once in a million runs: of 400 samples 9.8
/// points, and more of the fewer that a machine under load allows in its time. The claim itself,
/// three points, is `scripts/evidence/03-flame`.
#[test]
fn work_of_known_shares_is_sampled_in_those_shares() {
    for_each_otp("work_of_known_shares_is_sampled_in_those_shares", |otp| {
        let node = worker(otp, "spawn(work, one, [80, 20])");
        let flame = run(sampled(&node, FlameOf::Running, |it| it.samples >= 400));
        let of = |name| f64::from(u32::try_from(samples_with(&flame, name)).unwrap());
        let both = of("hot") + of("cold");
        assert!(both > 100.0, "{flame:#?}");
        let (hot, bound) = (of("hot") / both, 4.9 * (0.8 * 0.2 / both).sqrt());
        assert!((hot - 0.8).abs() < bound, "{hot} within {bound} of {flame:#?}");
        let group = flame.stacks.iter().find(|it| it.group == "work:one/2").unwrap();
        assert!(group.stack.last().unwrap().function.function == "one");
        let busy = flame.utilisation.unwrap();
        assert!(busy.normal.total > 0.2, "{busy:?}");
    });
}

#[test]
fn planted_waiting_appears_with_its_count() {
    for_each_otp("planted_waiting_appears_with_its_count", |otp| {
        let node = worker(otp, "[spawn(work, wait, []) || _ <- lists:seq(1, 40)]");
        let flame = run(sampled(&node, FlameOf::Waiting, |it| it.rounds >= 20));
        assert_eq!(samples_with(&flame, "wait"), 40 * flame.rounds, "{flame:#?}");
        assert!(flame.not_seen.is_empty(), "{:?}", flame.not_seen);
        let named = |name: &str| flame.stacks.iter().any(|it| it.group == name);
        assert!(named("kernel_sup") && named("work:wait/0"), "{:#?}", flame.stacks);
    });
}

#[test]
fn sampling_leaves_nothing_and_a_second_time_adds_no_atom() {
    for_each_otp("sampling_leaves_nothing_and_a_second_time_adds_no_atom", |otp| {
        let node = Node::builder(otp).start();
        drop(run(sampled(&node, FlameOf::Running, |it| it.rounds >= 20)));
        let first = settled(&node);
        drop(run(sampled(&node, FlameOf::Waiting, |it| it.rounds >= 20)));
        let second = settled(&node);
        let rest = first.diff(&second);
        assert!(rest.is_empty(), "{rest}");
        // Counted by process, it went with the one that held it.
        assert_eq!(node.eval("erlang:statistics(scheduler_wall_time)"), "undefined");
    });
}

#[test]
fn a_bug_of_the_vm_is_a_reason_and_so_is_no_eval() {
    for_each_otp("a_bug_of_the_vm_is_a_reason_and_so_is_no_eval", |otp| {
        let node = Node::builder(otp).start();
        let options =
            StackOptions { of: FlameOf::Running, hz_max: 10, budget: Budget::ONE_PERCENT };
        let started = run(async { Stacks::start(&attach(&node, false).await, options).await });
        match (has_signal_bugs(otp), started) {
            (true, Err(why)) => assert!(why.to_string().contains("--accept-vm-bug"), "{why}"),
            (false, Ok(_)) => {
                let refused =
                    run(async { Stacks::start(&attach(&node, true).await, options).await });
                let why = refused.unwrap_err().to_string();
                assert!(why.contains("--no-eval"), "{why}");
            }
            (_, other) => panic!("{other:?}"),
        }
    });
}
