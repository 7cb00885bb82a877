//! Sessions that count calls: what they say equals what the program itself counted, over the end of
//! a command, a killed keeper, a restarted node and code that is loaded anew.

use std::{thread, time::Duration};

use giulia_testkit::{Node, for_each_otp};
use serde_json::Value;

use crate::{
    home::{Home, is_clean_after, signal, spawned, told, wait},
    trace::{RELOAD, planted, truth, wait_until_counted},
};

/// Listens at a port and works for whoever connects, in many processes, then says that it is done.
const SERVER: &str = r#"
{ok, Listening} = gen_tcp:listen(0, [{ip, {127, 0, 0, 1}}, {active, false}, binary]),
spawn(fun() ->
    gen_tcp:controlling_process(Listening, self()),
    (fun Again() ->
        {ok, Socket} = gen_tcp:accept(Listening),
        All = [spawn_monitor(fun() -> plant_one:run(1, 71), plant_two:run(2, 29) end) || _ <- lists:seq(1, 2000)],
        [receive {'DOWN', Ref, _, _, _} -> ok end || {_, Ref} <- All],
        gen_tcp:send(Socket, "done\n"),
        gen_tcp:close(Socket),
        Again()
    end)()
end),
{ok, Port} = inet:port(Listening), receive after 100 -> Port end"#;

/// The server outlives the evaluation that started it.
fn serving(node: &Node) -> String {
    let serve = format!(
        "Self = self(), spawn(fun() -> Self ! {{port, begin {SERVER} end}}, timer:sleep(infinity) end), \
         receive {{port, Port}} -> Port end"
    );
    node.eval(&serve)
}

fn document(output: &std::process::Output) -> Value {
    let (data, _) = told(output, 0);
    let document =
        data.lines().skip_while(|it| !it.starts_with('{')).collect::<Vec<_>>().join("\n");
    serde_json::from_str(&document).unwrap()
}

fn found<'a>(report: &'a Value, module: &str, name: &str) -> Option<&'a Value> {
    let is = |it: &&Value| it["module"] == module && it["name"] == name;
    report["trace"]["functions"].as_array()?.iter().find(is)
}

fn row<'a>(report: &'a Value, module: &str, name: &str) -> &'a Value {
    let row = found(report, module, name);
    row.unwrap_or_else(|| panic!("no {module}:{name} in {:#}", report["trace"]))
}

fn wait_for_calls(home: &Home, module: &str, calls: u64) {
    wait("calls", || {
        found(&home.report("rough"), module, "take").is_some_and(|it| it["calls"] == calls)
    });
}

#[test]
fn what_a_command_makes_a_node_do_is_counted_exactly() {
    for_each_otp("giulia::what_a_command_makes_a_node_do_is_counted_exactly", |otp| {
        let (node, home) = (planted(otp), Home::new());
        let port = serving(&node);
        let before = node.residue();
        let script = format!(
            "for i in 1 2 3; do exec 3<>/dev/tcp/127.0.0.1/{port}; read -r -u 3 told; sleep 0.3; done"
        );
        let args = ["observe", node.name(), "--json", "--every", "200ms", "--name", "counted"];
        let args =
            [&args[..], &["--budget", "100%", "--trace", "plant_*", "--", "bash", "-c", &script]];
        let report = document(&home.to(&node, &args.concat()).output().unwrap());
        let trace = &report["trace"];
        for (place, module) in [(1, "plant_one"), (2, "plant_two")] {
            let truth = truth(&node, place);
            assert_eq!(truth, 3 * 2000 * if place == 1 { 71 } else { 29 });
            for (name, calls) in [("take", truth), ("hidden", truth), ("run", truth + 6000)] {
                assert_eq!(
                    row(&report, module, name)["calls"],
                    calls,
                    "{module}:{name}: {trace:#}"
                );
            }
        }
        assert_eq!(trace["complete"], true, "{trace:#}");
        assert!(trace["other_tracers"].is_null(), "{trace:#}");
        assert_eq!(trace["gaps"].as_array().unwrap().len(), 0, "{trace:#}");
        let manifest = report["session"]["manifest"].as_array().unwrap();
        let counters = manifest.iter().find(|it| it["what"] == "call counters of the session");
        assert_eq!(counters.unwrap()["restored"], "yes", "{manifest:?}");
        is_clean_after(&node, &before);
        let text = home.out(&["report", "counted"]);
        assert!(text.contains("plant_one:take/1") && text.contains("No call is missing"), "{text}");
        let markdown = home.out(&["report", "counted", "--md"]);
        assert!(markdown.contains("\n## Calls\n"), "{markdown}");
    });
}

#[test]
fn what_was_not_counted_is_a_gap_or_lost_and_never_a_smaller_count() {
    for_each_otp("giulia::what_was_not_counted_is_a_gap_or_lost", |otp| {
        let (beside, home) = (Node::builder(otp).name("beside").start(), Home::new());
        let start = || {
            let builder = Node::builder(otp).name("shop").epmd(beside.epmd());
            builder.eval(crate::trace::PLANTED).start()
        };
        let node = start();
        let args =
            ["observe", node.name(), "--every", "200ms", "--name", "rough", "--trace", "plant_*"];
        let child = spawned(home.to(&node, &[&args[..], &["--budget", "100%"]].concat()));
        wait_until_counted(&node, "plant_one");
        home.wait_for_ticks(2);
        node.eval("plant_one:run(1, 1000), plant_two:run(2, 1000)");
        wait_for_calls(&home, "plant_one", 1000);
        // Somebody kills what holds the counters and the other settings.
        // Each is one of a pair that watch each other, the other of which has undone it by then.
        node.eval(
            "Kept = [P || P <- processes(), {group_leader, G} <- [process_info(P, group_leader)], \
                     node(G) =/= node(), process_info(P, trap_exit) =:= {trap_exit, true}], \
             [exit(P, kill) || P <- Kept, {monitors, Watched} <- [process_info(P, monitors)], \
                     [] =/= [Q || {process, Q} <- Watched, lists:member(Q, Kept), P > Q]], ok",
        );
        wait("a second stretch", || {
            home.report("rough")["trace"]["stretches"].as_array().is_some_and(|it| it.len() >= 2)
        });
        node.eval("plant_one:run(1, 500)");
        wait_for_calls(&home, "plant_one", 1500);
        node.eval(RELOAD);
        wait("a lost counter", || {
            let report = home.report("rough");
            found(&report, "plant_two", "take").is_some_and(|it| it["lost"].is_string())
        });
        drop(node);
        thread::sleep(Duration::from_millis(500));
        let node = start();
        wait_until_counted(&node, "plant_one");
        node.eval("plant_one:run(1, 250)");
        thread::sleep(Duration::from_secs(1));
        signal(&child, "-INT");
        told(&child.wait_with_output().unwrap(), 0);
        let report = home.report("rough");
        let trace = &report["trace"];
        assert_eq!(row(&report, "plant_one", "take")["calls"], 1750, "{trace:#}");
        let lost = row(&report, "plant_two", "take");
        assert!(lost["calls"].is_null() && lost["lost"].is_string(), "{lost}");
        assert!(lost["lost"].as_str().unwrap().contains("1000 calls"), "{lost}");
        assert_eq!(trace["complete"], false);
        let gaps = trace["gaps"].as_array().unwrap();
        assert!(gaps.len() >= 2 && gaps.iter().all(|it| it["why"] != ""), "{trace:#}");
    });
}

/// A session that counts the planted modules, with calls of both in its figures already.
fn counting(home: &Home, node: &Node, name: &str) -> std::process::Child {
    let args = ["observe", node.name(), "--every", "200ms", "--name", name, "--trace", "plant_*"];
    let child = spawned(home.to(node, &[&args[..], &["--budget", "100%"]].concat()));
    wait_until_counted(node, "plant_one");
    wait("the first reading", || {
        let report = home.giulia(&["report", name, "--json"]).output().unwrap();
        let report: Value = serde_json::from_slice(&report.stdout).unwrap_or_default();
        report["window"]["ticks"].as_u64() >= Some(2)
    });
    node.eval("plant_one:run(1, 1000), plant_two:run(2, 1000)");
    wait("calls", || {
        let report = home.report(name);
        ["plant_one", "plant_two"]
            .iter()
            .all(|it| found(&report, it, "take").is_some_and(|it| it["calls"] == 1000))
    });
    child
}

fn is_lost(home: &Home, session: &str, module: &str, name: &str) -> bool {
    found(&home.report(session), module, name).is_some_and(|it| it["lost"].is_string())
}

/// Before OTP 27 a function has one counter for everybody; from then on nobody meets us.
#[test]
fn a_counter_that_another_tool_takes_for_its_own_stays_with_it() {
    for_each_otp("giulia::a_counter_that_another_tool_takes_for_its_own", |otp| {
        if otp.release >= 27 {
            return;
        }
        let (node, home) = (planted(otp), Home::new());
        let armed = "[{M, F, A, N} || M <- [plant_one, plant_two], {F, A} <- M:module_info(functions), \
                     {call_count, N} <- [erlang:trace_info({M, F, A}, call_count)], N =/= false]";
        let taken =
            "erlang:trace_pattern({plant_one, take, 1}, true, [call_count]), plant_one:run(1, 300)";
        // Ended well, and killed.
        for (session, ending) in [("ended", "-INT"), ("killed", "-KILL")] {
            let child = counting(&home, &node, session);
            node.eval(taken);
            wait("a lost counter", || is_lost(&home, session, "plant_one", "take"));
            node.eval("plant_one:run(1, 5)");
            signal(&child, ending);
            child.wait_with_output().unwrap();
            wait("what is ours to be gone", || node.eval(armed) == "[{plant_one,take,1,305}]");
            // It counts on: nobody stopped it either.
            node.eval("plant_one:run(1, 7)");
            assert_eq!(node.eval(armed), "[{plant_one,take,1,312}]");
            node.eval("erlang:trace_pattern({plant_one, take, 1}, false, [call_count])");
        }
        let report = home.report("ended");
        let lost = row(&report, "plant_one", "take");
        assert!(lost["lost"].as_str().unwrap().contains("(1000 calls"), "{lost}");
        assert_eq!(row(&report, "plant_one", "hidden")["calls"], 1305);
        assert_eq!(row(&report, "plant_two", "take")["calls"], 1000);
        // A function of which nothing is left of ours: its module was loaded anew, and then somebody
        // counts it.
        let child = counting(&home, &node, "anew");
        node.eval(RELOAD);
        wait("a lost counter", || is_lost(&home, "anew", "plant_two", "take"));
        node.eval(
            "erlang:trace_pattern({plant_two, '_', '_'}, true, [call_count]), plant_two:run(2, 11)",
        );
        thread::sleep(Duration::from_millis(500));
        signal(&child, "-INT");
        told(&child.wait_with_output().unwrap(), 0);
        node.eval("plant_two:run(2, 2)");
        let theirs = node.eval(armed);
        assert!(
            !theirs.contains("plant_one") && theirs.contains("{plant_two,take,1,13}"),
            "{theirs}"
        );
    });
}

/// Loads a third module of the shape of the planted ones.
const LATE: &str = r#"
Forms = [begin {ok, Tokens, _} = erl_scan:string(Text), {ok, Form} = erl_parse:parse_form(Tokens), Form end
         || Text <- ["-module(plant_late).", "-export([take/1, run/2]).", "take(K) -> hidden(K).", "hidden(K) -> [K].",
                     "run(_, 0) -> ok; run(I, N) -> take(N), run(I, N - 1)."]],
{ok, Module, Code} = compile:forms(Forms), {module, Module} = code:load_binary(Module, "planted", Code), ok"#;

#[test]
fn a_module_that_is_loaded_meanwhile_is_counted_from_the_next_reading_on() {
    for_each_otp("giulia::a_module_that_is_loaded_meanwhile_is_counted", |otp| {
        let (node, home) = (planted(otp), Home::new());
        let before = node.residue();
        let child = counting(&home, &node, "late");
        node.eval(LATE);
        node.eval("plant_late:run(1, 5)");
        wait_until_counted(&node, "plant_late");
        node.eval("plant_late:run(1, 123), plant_one:run(1, 10)");
        thread::sleep(Duration::from_millis(500));
        signal(&child, "-INT");
        told(&child.wait_with_output().unwrap(), 0);
        let report = home.report("late");
        let trace = &report["trace"];
        let late = row(&report, "plant_late", "take");
        assert_eq!(late["calls"], 123, "{trace:#}");
        assert_eq!(row(&report, "plant_one", "take")["calls"], 1010);
        let window = |it: &Value| it["window_ms"].as_f64().unwrap();
        assert!(window(late) < window(row(&report, "plant_one", "take")), "{trace:#}");
        let taken = &trace["taken_over"][0];
        assert_eq!(taken["module"], "plant_late", "{trace:#}");
        assert!(taken["absent_at_ms"].as_u64() <= taken["from_ms"].as_u64(), "{taken}");
        assert_eq!(
            (&trace["complete"], trace["gaps"].as_array().unwrap().len()),
            (&false.into(), 0)
        );
        assert!(trace["loaded_meanwhile"].is_null(), "{trace:#}");
        let text = home.out(&["report", "late"]).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            text.contains("plant_late was loaded after") && text.contains("is counted from"),
            "{text}"
        );
        assert!(!text.contains("No call is missing"), "{text}");
        let manifest = report["session"]["manifest"].as_array().unwrap();
        assert!(manifest.iter().all(|it| it["restored"] == "yes"), "{manifest:?}");
        is_clean_after(&node, &before);
        let armed = "erlang:trace_info({plant_late, take, 1}, call_count)";
        assert_eq!(node.eval(armed), "{call_count,false}");
    });
}

#[test]
fn what_cannot_be_counted_is_said_before_anything_is_recorded() {
    for_each_otp("giulia::what_cannot_be_counted_is_said_before", |otp| {
        let (node, home) = (planted(otp), Home::new());
        let run = |pattern: &str| {
            let args = ["observe", node.name(), "--trace", pattern, "--", "touch", "ran"];
            told(&home.to(&node, &args).output().unwrap(), 2).1
        };
        let talk = run("plant_oen");
        assert!(talk.contains("no module plant_oen") && talk.contains("plant_one"), "{talk}");
        assert!(run("plant_one:take(_, x)").contains("asks for arguments"));
        assert!(home.out(&["sessions"]).starts_with("No session in "));
        // The older command line.
        let args = ["start", node.name(), "-", "200", "plant_one,plant_two"];
        let mut start = home.command(env!("CARGO_BIN_EXE_giulia-observe"), &args);
        start = crate::home::with_access(start, &node);
        told(&start.output().unwrap(), 0);
        node.eval("plant_one:run(1, 77), plant_two:run(2, 33)");
        let (data, _) = told(&home.giulia(&["observe", "stop", "--json"]).output().unwrap(), 0);
        let report: Value = serde_json::from_str(&data).unwrap();
        assert_eq!(row(&report, "plant_one", "take")["calls"], 77);
        assert_eq!(row(&report, "plant_two", "hidden")["calls"], 33);
    });
}
