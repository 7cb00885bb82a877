//! Samples of calls on real nodes: what is told is true, secrets stay, nothing is left behind.

use std::{sync::Arc, time::Duration};

use giulia_model::{CallPattern, Mfa, Outcome, SampleEnd, SampleKind, Samples};
use giulia_probe::{Keeper, KeeperOptions, Link, SampleOptions, SampledFunction, sample};
use giulia_testkit::{Node, Otp, for_each_otp};

use crate::{
    run,
    tracing::{accepting, patterns},
};

/// Five workers that call `fetch/2` three times through `left/1` and once through `right/1`, where
/// it raises, and `slow/1` every round, which sleeps for 30 ms in every tenth.
const SEEN: &str = r#"
-module(seen).
-export([boot/0, worker/1, fetch/2, left/1, right/1, slow/1, loop/1]).
boot() -> [register(list_to_atom("worker_" ++ integer_to_list(I)), spawn(seen, worker, [I])) || I <- [1, 2, 3, 4, 5]], ok.
worker(N) -> left(N), left(N + 1), left(N + 2), right(N), slow(N), timer:sleep(1), worker(N + 1).
left(N) -> {ok, _} = fetch({user, N}, <<"hunter2-left">>), ok.
right(N) -> try fetch(boom, #{password => <<"hunter2-right">>, id => N}) catch error:{bad, _} -> ok end, ok.
fetch(boom, #{password := P}) -> erlang:error({bad, P});
fetch({user, N}, P) -> {ok, #{n => N, password => P}}.
slow(N) when N rem 10 =:= 0 -> timer:sleep(30), ok;
slow(_) -> ok.
loop(0) -> done;
loop(N) -> loop(N - 1).
"#;

const KEPT: KeeperOptions = KeeperOptions { lease: Duration::from_mins(1) };

fn seen(otp: &Otp) -> Node {
    let node = Node::builder(otp).start();
    let text = SEEN.replace('\\', "\\\\").replace('"', "\\\"");
    node.eval(&format!(
        "ok = file:write_file(\"/srv/seen.erl\", \"{text}\"),
         {{ok, seen}} = compile:file(\"/srv/seen\", [{{outdir, \"/srv\"}}]),
         true = code:add_patha(\"/srv\"), seen:boot()"
    ));
    node
}

fn options(kind: SampleKind, wanted: usize) -> SampleOptions {
    SampleOptions { kind, wanted, values: false, whom: vec![], within: Duration::from_secs(3) }
}

fn calls_of(text: &str) -> Vec<SampledFunction> {
    let pattern = CallPattern::parse(text).unwrap().unwrap();
    let function = pattern.function.strip_prefix("seen:").unwrap().to_owned();
    let arity = u32::try_from(pattern.arity()).unwrap();
    vec![SampledFunction { function: Mfa::new("seen", function, arity), pattern: Some(pattern) }]
}

fn all_of(function: &str, arity: u32) -> Vec<SampledFunction> {
    vec![SampledFunction { function: Mfa::new("seen", function, arity), pattern: None }]
}

#[expect(clippy::unnecessary_wraps, reason = "others fail")]
/// What bytecode of `seen` says, told by somebody who got it.
fn loops(beam: &[u8]) -> Result<Vec<(String, u32)>, String> {
    assert_eq!(beam.get(..4), Some(&b"FOR1"[..]));
    Ok(vec![("worker".to_owned(), 1), ("loop".to_owned(), 1)])
}

async fn taken(link: &Link, functions: &[SampledFunction], options: &SampleOptions) -> Samples {
    let keeper = Arc::new(Keeper::start(link, &KEPT).await.unwrap());
    let samples = sample(link, &keeper, functions, options, (&loops, &|| false)).await.unwrap();
    assert!(keeper.changes().iter().all(|it| it.restored == giulia_model::Restored::Yes));
    samples
}

fn text(samples: &Samples) -> String {
    serde_json::to_string(samples).unwrap()
}

#[test]
fn arguments_are_shapes_unless_values_are_asked_for() {
    for_each_otp("sample::arguments_are_shapes_unless_values_are_asked_for", |otp| {
        let node = seen(otp);
        let before = patterns(&node);
        run(async {
            let link = accepting(&node).await;
            let shapes =
                taken(&link, &all_of("fetch", 2), &options(SampleKind::Arguments, 40)).await;
            assert_eq!((&shapes.ended, shapes.calls.len()), (&SampleEnd::Whole, 40), "{shapes:?}");
            assert!(!text(&shapes).contains("hunter2"), "{shapes:?}");
            let mut names: Vec<_> = shapes.calls.iter().map(|it| it.process.clone()).collect();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), 5, "{names:?}");
            for call in &shapes.calls {
                let told: Vec<_> =
                    call.arguments.iter().flatten().map(|it| it.text.as_str()).collect();
                let from = call.returns_to.as_ref().unwrap().function.as_str();
                match from {
                    "left" => assert_eq!(told, ["{user, integer}", "binary of 12 bytes"]),
                    "right" => assert_eq!(told, ["atom", "map of 2 keys"]),
                    other => panic!("{other}"),
                }
            }
            let asked = SampleOptions { values: true, ..options(SampleKind::Arguments, 10) };
            let even = calls_of("seen:fetch({user, N}, _) when N rem 2 =:= 0, N > 3");
            let values = taken(&link, &even, &asked).await;
            assert_eq!(values.calls.len(), 10, "{values:?}");
            for call in &values.calls {
                let [user, secret] = call.arguments.as_deref().unwrap() else { panic!("{call:?}") };
                assert_eq!(secret.text, "<<\"hunter2-left\">>");
                let n = user.text.trim_start_matches("{user,").trim_end_matches('}');
                assert_eq!(n.parse::<u64>().unwrap() % 2, 0, "{user:?}");
            }
        });
        assert_eq!(patterns(&node), before);
    });
}

#[test]
fn returns_and_raises_are_told_and_loops_refused() {
    for_each_otp("sample::returns_and_raises_are_told_and_loops_refused", |otp| {
        let node = seen(otp);
        let before = patterns(&node);
        run(async {
            let link = accepting(&node).await;
            let it = taken(&link, &all_of("fetch", 2), &options(SampleKind::Returns, 40)).await;
            assert!(it.calls.len() == 40 && !text(&it).contains("hunter2"), "{it:?}");
            for call in &it.calls {
                match (&call.outcome, call.returns_to.as_ref().unwrap().function.as_str()) {
                    (Some(Outcome::Returned(seen)), "left") => {
                        assert_eq!(seen.text, "{ok, map of 2 keys: n, password}");
                    }
                    (Some(Outcome::Raised { class, reason }), "right") => {
                        assert_eq!(class, "error");
                        assert_eq!(reason.text, "{bad, binary of 13 bytes}");
                    }
                    // The last ones may be open.
                    (Some(Outcome::StillRunning), _) => {}
                    other => panic!("{other:?}"),
                }
            }
            for (name, arity) in [("loop", 1), ("worker", 1)] {
                let it = taken(&link, &all_of(name, arity), &options(SampleKind::Returns, 5)).await;
                assert!(it.calls.is_empty() && it.functions.is_empty(), "{it:?}");
                assert!(it.not_seen[0].why.contains("tail position"), "{it:?}");
            }
        });
        assert_eq!(patterns(&node), before);
    });
}

#[test]
fn callers_and_slow_calls_are_those_planted() {
    for_each_otp("sample::callers_and_slow_calls_are_those_planted", |otp| {
        let node = seen(otp);
        run(async {
            let link = accepting(&node).await;
            let it = taken(&link, &all_of("fetch", 2), &options(SampleKind::Callers, 100)).await;
            assert_eq!(it.callers.iter().map(|it| it.calls).sum::<u64>(), 100, "{it:?}");
            let left = it
                .callers
                .iter()
                .find(|it| it.returns_to.as_ref().is_some_and(|it| it.function == "left"));
            assert!(left.is_some_and(|it| it.share > 0.4), "{it:?}");
            let slow = SampleKind::Slow { from_us: 20_000 };
            let within = Duration::from_secs(1);
            let asked = SampleOptions { within, ..options(slow, 5) };
            let it = taken(&link, &all_of("slow", 1), &asked).await;
            let durations = it.durations.unwrap();
            assert!(durations.calls > 20, "{it:?}");
            assert!(durations.p50_us.unwrap() < 10_000 && durations.max_us >= 30_000, "{it:?}");
            assert_eq!(it.calls.len(), 5, "{it:?}");
            assert!(it.calls.iter().all(|it| it.duration_us >= Some(20_000)));
        });
    });
}

#[test]
fn what_cannot_match_is_told_and_makes_no_atom() {
    for_each_otp("sample::what_cannot_match_is_told_and_makes_no_atom", |otp| {
        let node = seen(otp);
        run(async {
            let link = accepting(&node).await;
            let calls = calls_of("seen:fetch(no_such_atom_anywhere, _)");
            let it = taken(&link, &calls, &options(SampleKind::Arguments, 1)).await;
            let why = "`no_such_atom_anywhere` is no atom on this node, so no call there can match";
            assert_eq!(it.not_seen[0].why, why);
            let asked = "try binary_to_existing_atom(list_to_binary([\"no_such_atom\", \"_anywhere\"]), utf8) catch _:_ -> none end";
            assert_eq!(node.eval(asked), "none");
        });
    });
}

#[test]
fn a_process_that_another_tool_traces_is_left_alone() {
    for_each_otp("sample::a_process_that_another_tool_traces_is_left_alone", |otp| {
        let node = seen(otp);
        node.eval(
            "T = spawn(fun() -> receive never -> ok end end), register(other_tracer, T),
             erlang:trace(whereis(worker_1), true, [call, {tracer, T}])",
        );
        run(async {
            let link = accepting(&node).await;
            let it = taken(&link, &all_of("fetch", 2), &options(SampleKind::Arguments, 40)).await;
            assert_eq!(it.calls.len(), 40, "{it:?}");
            let left = it.processes.left_alone.iter().any(|it| it.why.starts_with("another tool"));
            assert_eq!(left, otp.release < 27, "{:?}", it.processes);
        });
        let still = node.eval(
            "{flags, F} = erlang:trace_info(whereis(worker_1), flags),
             {message_queue_len, N} = process_info(whereis(other_tracer), message_queue_len), {F, N}",
        );
        assert_eq!(still, "{[call],0}");
    });
}
