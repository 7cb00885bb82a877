//! Traces that meet trouble: somebody who stops them, code that goes away, a node without a process
//! to spare, another tool's tracer; and plans, which change nothing.

use std::{
    thread,
    time::{Duration, Instant},
};

use giulia_testkit::{Node, Wire, for_each_otp};
use serde_json::Value;

use crate::{
    home::{Home, is_clean_after, signal, spawned, told, wait},
    trace::{calls, planted, row, traced, wait_until_counted},
};

/// Whether a function carries anything of anybody's, before OTP 27 or after, or a process a flag.
const IS_ARMED: &str = "erlang:trace_info({plant_one, run, 2}, all) =/= {all, false} orelse \
    (erlang:function_exported(trace, session_info, 1) andalso trace:session_info({plant_one, run, 2}) =/= []) \
    orelse [] =/= [P || P <- processes(), {flags, [_ | _]} <- [erlang:trace_info(P, flags)]]";

/// How long the node holds what it has not heard of; the keeper's lease.
const LEASE: Duration = Duration::from_secs(5);

/// How long until nothing is armed any more.
fn disarmed_after(node: &Node, what: &str) -> Duration {
    let began = Instant::now();
    wait(what, || node.eval(IS_ARMED) == "false");
    began.elapsed()
}

#[test]
fn a_giulia_that_is_killed_in_mid_trace_leaves_nothing() {
    for_each_otp("giulia::a_giulia_that_is_killed_in_mid_trace_leaves_nothing", |otp| {
        let (node, home) = (planted(otp), Home::new());
        node.eval("spawn(fun() -> (fun Again() -> plant_one:run(1, 3), timer:sleep(200), Again() end)() end), ok");
        let before = node.residue();
        let name = node.name();
        let ways: [&[&str]; 3] = [
            &["trace", name, "plant_*", "--for", "60s"],
            &["observe", name, "--trace", "plant_*"],
            &[
                "trace",
                name,
                "plant_one:run/2",
                "--args",
                "1000",
                "--for",
                "60s",
                "--accept-vm-bug",
            ],
        ];
        for args in ways {
            let mut child = spawned(home.to(&node, args));
            wait("something armed", || node.eval(IS_ARMED) == "true");
            thread::sleep(Duration::from_millis(300));
            child.kill().unwrap();
            child.wait().unwrap();
            let took = disarmed_after(&node, "a clean node");
            eprintln!(
                "OTP {}: `{} {}` killed: clean after {took:?}",
                otp.release, args[0], args[2]
            );
            is_clean_after(&node, &before);
        }
    });
}

#[test]
fn a_trace_behind_a_silent_network_is_undone_with_its_lease() {
    for_each_otp("giulia::a_trace_behind_a_silent_network_is_undone", |otp| {
        let wire = match Wire::make() {
            Ok(wire) => wire,
            Err(why) => {
                eprintln!("live: skipped a cut network: {why}");
                return;
            }
        };
        let node = Node::builder(otp).listen_on(wire.near_address()).eval(crate::trace::PLANTED);
        let (node, home) = (node.start(), Home::new());
        let before = node.residue();
        let far = wire.far_command(env!("CARGO_BIN_EXE_giulia"));
        let at = format!("{}:{}", wire.near_address(), node.dist_port());
        let args = ["trace", node.name(), "plant_*", "--for", "60s", "--at", &at];
        let mut child = spawned(home.to_by(far, &node, &args));
        wait_until_counted(&node, "plant_one");
        thread::sleep(Duration::from_millis(500));
        wire.cut().unwrap();
        let took = disarmed_after(&node, "a lapsed lease");
        eprintln!("OTP {}: clean {took:?} after the cut, lease {LEASE:?}", otp.release);
        // The limit of a quiet machine is the lease and a second.
        assert!(took < LEASE + Duration::from_secs(3), "{took:?}");
        child.kill().unwrap();
        child.wait().unwrap();
        wire.mend().unwrap();
        is_clean_after(&node, &before);
    });
}

/// What a giulia printed that was asked to stop after `meanwhile`.
fn stopped(node: &Node, args: &[&str], meanwhile: impl FnOnce()) -> Value {
    let home = Home::new();
    let child = spawned(home.to(node, args));
    meanwhile();
    signal(&child, "-INT");
    let (data, _) = told(&child.wait_with_output().unwrap(), 0);
    serde_json::from_str(&data).unwrap()
}

#[test]
fn who_is_asked_to_stop_says_what_was_seen_until_then() {
    for_each_otp("giulia::who_is_asked_to_stop_says_what_was_seen", |otp| {
        let node = planted(otp);
        node.eval(
            "spawn(fun() -> register(planted_worker, self()), (fun Again() -> plant_one:take(7), \
             receive {stop, _} -> ok; _ -> Again() after 50 -> Again() end end)() end), ok",
        );
        let before = node.residue();
        let args = ["mailbox", node.name(), "planted_worker", "--for", "30s", "--json"];
        let seen = stopped(&node, &args, || thread::sleep(Duration::from_secs(3)));
        // On OTP 25 of the matrix a bug of the VM forbids flags on processes: nothing to look at.
        assert!(otp.release == 25 || seen["interrupted"] == true, "{seen:#}");
        assert!(seen["window_ms"].as_f64().unwrap() < 20_000.0, "{seen:#}");
        if otp.release != 25 {
            let args = [
                "trace",
                node.name(),
                "plant_one:take/1",
                "--args",
                "1000",
                "--for",
                "60s",
                "--json",
            ];
            let seen = stopped(&node, &args, || thread::sleep(Duration::from_secs(3)));
            let samples = &seen["samples"][0];
            assert_eq!(samples["ended"], "stopped", "{samples:#}");
            assert!(samples["calls"].as_array().unwrap().len() > 3, "{samples:#}");
        }
        is_clean_after(&node, &before);
    });
}

#[test]
fn a_plan_of_a_sample_is_the_calls_themselves_and_makes_none() {
    for_each_otp("giulia::a_plan_of_a_sample_is_the_calls_themselves", |otp| {
        let node = planted(otp);
        let plan = |pattern: &str, kind: &str| {
            let args = ["trace", node.name(), pattern, "--dry-run", "--json", kind, "5"];
            let (data, _) = told(&Home::new().to(&node, &args).output().unwrap(), 0);
            let document: Value = serde_json::from_str(&data).unwrap();
            let calls = document["planned_calls"].as_array().unwrap_or_else(|| panic!("{data}"));
            calls.iter().map(|it| it.as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        // Whether a function is a loop is known of those that have a file.
        for (kind, pattern, function) in [
            ("--args", "plant_one:take(K) when K > 3", "plant_one,take,1"),
            ("--callers", "plant_one:take/1", "plant_one,take,1"),
            ("--returns", "gen_server:call(S, _) when is_atom(S)", "gen_server,call,2"),
        ] {
            let before = node.residue();
            let calls = plan(pattern, kind);
            let armed: Vec<&String> =
                calls.iter().filter(|it| it.contains(&format!("{{{function}}}, ["))).collect();
            assert!(!armed.is_empty(), "{kind}: {calls:#?}");
            is_clean_after(&node, &before);
            // The node takes each as it is printed.
            let session = calls.iter().find(|it| it.starts_with("S = "));
            let session = session.map_or(String::new(), |it| format!("{it},"));
            for call in armed {
                let own = "Tracer = spawn(fun() -> receive _ -> ok end end)";
                assert_eq!(node.eval(&format!("{own}, {session} {call}")), "1", "{call}");
            }
            node.eval(&format!("erlang:trace_pattern({{{function}}}, false, [local])"));
            let flags = "[call, arity, monotonic_timestamp";
            assert!(calls.iter().any(|it| it.contains(flags)), "{calls:#?}");
        }
    });
}

#[test]
fn code_that_goes_away_is_lost_and_the_node_is_well() {
    for_each_otp("giulia::code_that_goes_away_is_lost", |otp| {
        let node = planted(otp);
        let before = node.residue();
        let document = traced(&node, &["plant_*", "--for", "3s", "--budget", "100%"], || {
            node.eval("plant_one:run(1, 1000), plant_two:run(2, 1000)");
            node.eval("code:delete(plant_two), code:purge(plant_two)");
            node.eval("plant_one:run(1, 1000)");
        });
        assert_eq!(calls(&document, "plant_one", "take"), 2000);
        let lost = row(&document, "plant_two", "take");
        assert!(lost["calls"].is_null() && lost["lost"].is_string(), "{lost}");
        assert_eq!(document["nodes"][0]["manifest"][0]["restored"], "yes", "{document:#}");
        is_clean_after(&node, &before);
    });
}

/// Takes every place there is for a process, and lets go of them after so long.
const FILL: &str = "spawn(fun() ->
    Fill = fun Fill(All) -> try Fill([spawn(fun() -> receive stop -> ok end end) | All]) catch _:_ -> All end end,
    All = Fill([]),
    timer:sleep(~TIME~),
    [It ! stop || It <- All]
end), timer:sleep(500), ok";

/// Until a hundred more processes fit: what fills the node has ended then, and not only paused.
fn wait_for_room(node: &Node) {
    wait("room", || {
        let room = "erlang:system_info(process_limit) - erlang:system_info(process_count) > 500";
        node.try_eval(room).as_deref() == Ok("true")
    });
}

#[test]
fn a_node_without_a_process_to_spare_outlasts_a_trace_and_nobody_who_dials_it() {
    for_each_otp("giulia::a_node_without_a_process_to_spare", |otp| {
        let node = Node::builder(otp).args(["+P", "1024"]).eval(crate::trace::PLANTED).start();
        let before = node.residue();
        // While it is counted: the counters are read when there is room again.
        let document = traced(&node, &["plant_*", "--for", "2s", "--budget", "100%"], || {
            node.eval("plant_one:run(1, 1000)");
            node.eval(&FILL.replace("~TIME~", "4000"));
        });
        assert_eq!(calls(&document, "plant_one", "take"), 1000, "{document:#}");
        assert_eq!(document["nodes"][0]["manifest"][0]["restored"], "yes", "{document:#}");
        wait_for_room(&node);
        is_clean_after(&node, &before);
        let armed = "erlang:trace_info({plant_one, take, 1}, all)";
        assert_eq!(node.eval(armed), "{all,false}");
        // FIXME: OTP 23 to 29 end when anybody dials them while their table is full: `net_kernel`
        // spawns for whoever calls, falls over it, and takes `kernel` along. Nothing tells before.
        node.eval(&FILL.replace("~TIME~", "6000"));
        let args = ["trace", node.name(), "plant_*", "--for", "1s", "--timeout", "3s"];
        let (data, talk) = told(&Home::new().to(&node, &args).output().unwrap(), 2);
        assert!(data.is_empty() && talk.contains("no process to spare"), "{talk}");
        wait("its end", || node.try_eval("ok").is_err());
    });
}

/// Takes places for processes up to a number, shuts whoever is connected out after a while, and lets
/// go of the places after another.
const FILL_AND_SHUT_OUT: &str = "spawn(fun() ->
    Fill = fun Fill(All) ->
        case erlang:system_info(process_count) < ~MOST~ of
            true -> try Fill([spawn(fun() -> receive stop -> ok end end) | All]) catch _:_ -> All end;
            false -> All
        end
    end,
    All = Fill([]),
    timer:sleep(1500),
    [erlang:disconnect_node(It) || It <- nodes(hidden)],
    timer:sleep(~TIME~),
    [It ! stop || It <- All]
end), ok";

/// A session in the foreground, with some ticks.
fn session(home: &Home, node: &Node, name: &str, more: &[&str]) -> std::process::Child {
    let all = [&["observe", node.name(), "--every", "200ms", "--name", name], more].concat();
    let child = spawned(home.to(node, &all));
    wait("ticks", || {
        let report = home.giulia(&["report", name, "--json"]).output().unwrap();
        let report: Value = serde_json::from_slice(&report.stdout).unwrap_or_default();
        report["window"]["ticks"].as_u64() >= Some(3)
    });
    child
}

#[test]
fn a_node_that_was_full_when_it_was_lost_is_not_dialled_before_it_was_started_anew() {
    for_each_otp("giulia::a_node_that_was_full_when_it_was_lost_is_not_dialled", |otp| {
        let (beside, home) = (Node::builder(otp).name("beside").start(), Home::new());
        let small =
            || Node::builder(otp).name("shop").args(["+P", "1024"]).epmd(beside.epmd()).start();
        let node = small();
        let child = session(&home, &node, "full", &[]);
        let seen = |kind: &str| crate::home::marks(&home.report("full")).contains(&kind);
        let fill = FILL_AND_SHUT_OUT.replace("~MOST~", "9999");
        node.eval(&fill.replace("~TIME~", "7000"));
        wait("being held", || seen("held"));
        let status = home.out(&["observe", "status", "--json"]);
        let status: Value = serde_json::from_str(&status).unwrap();
        assert_eq!(status["running"][0]["state"], "held", "{status}");
        // Whoever dialled it now would end it. With room again it is not dialled either: who could
        // know?
        wait_for_room(&node);
        thread::sleep(Duration::from_secs(2));
        assert!(!seen("returned") && node.residue().count("nodes_hidden") == 0);
        node.kill();
        let again = small();
        wait("the return", || seen("restarted"));
        let ticks = home.report("full")["window"]["ticks"].as_u64().unwrap();
        home.wait_for_ticks(ticks + 2);
        signal(&child, "-INT");
        told(&child.wait_with_output().unwrap(), 0);
        let report = home.report("full");
        let told_of: Vec<_> =
            crate::home::marks(&report).into_iter().filter(|it| *it != "missed").collect();
        assert_eq!(told_of, ["attached", "lost", "held", "restarted", "ended"]);
        let marks = report["marks"].as_array().unwrap();
        let held = marks.iter().find(|it| it["kind"] == "held").unwrap();
        let why = held["text"].as_str().unwrap();
        assert!(why.contains("of at most 1024 processes") && why.contains("--redial"), "{why}");
        let text = home.out(&["report", "full"]).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains("it is not dialled again"), "{text}");
        // Who knows that there is room says so.
        let child = session(&home, &again, "always", &["--redial", "always"]);
        let fill = FILL_AND_SHUT_OUT.replace("~MOST~", "900");
        again.eval(&fill.replace("~TIME~", "4000"));
        wait("the same node", || crate::home::marks(&home.report("always")).contains(&"returned"));
        signal(&child, "-INT");
        told(&child.wait_with_output().unwrap(), 0);
    });
}

#[test]
fn processes_that_another_tool_traces_are_named_and_left_alone() {
    for_each_otp("giulia::processes_that_another_tool_traces_are_named", |otp| {
        let node = planted(otp);
        // A tracer of somebody who traces calls of the worker.
        node.eval(
            "Worker = spawn(fun() -> register(planted_worker, self()), \
                 (fun Again() -> plant_one:take(7), timer:sleep(20), Again() end)() end), \
             Tracer = spawn(fun() -> register(somebody, self()), erlang:trace(Worker, true, [call]), \
                 (fun Drain() -> receive _ -> Drain() end end)() end), \
             timer:sleep(100), Tracer",
        );
        let theirs = "{erlang:trace_info(whereis(planted_worker), flags), erlang:trace_info(whereis(planted_worker), tracer)}";
        let before = node.eval(theirs);
        let args = [
            "trace",
            node.name(),
            "plant_one:take/1",
            "--args",
            "3",
            "--pids",
            "planted_worker",
            "--for",
            "1s",
        ];
        let output = Home::new().to(&node, &args).output().unwrap();
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        if otp.release < 27 {
            let is_named = said.contains("another tool") || said.contains("off on this node");
            assert!(is_named, "{said}");
        } else {
            // Sessions do not meet.
            assert!(said.contains("plant_one:take"), "{said}");
        }
        assert_eq!(node.eval(theirs), before);
        let document = traced(&node, &["plant_one", "--for", "1s", "--budget", "100%"], || ());
        assert!(calls(&document, "plant_one", "take") > 10);
        assert_eq!(node.eval(theirs), before);
        wait_until_not_counted(&node);
    });
}

fn wait_until_not_counted(node: &Node) {
    wait("no counter", || {
        let told = node.eval("erlang:trace_info({plant_one, take, 1}, call_count)");
        told == "{call_count,false}"
    });
}

#[test]
fn a_pattern_that_means_everything_is_answered_with_what_to_narrow() {
    for_each_otp("giulia::a_pattern_that_means_everything", |otp| {
        if otp.release != 27 {
            return;
        }
        let many = r#"
[begin
    Name = "many_" ++ integer_to_list(N),
    Functions = [{function, 1, list_to_atom("f" ++ integer_to_list(F)), 0, [{clause, 1, [], [], [{atom, 1, ok}]}]}
                 || F <- lists:seq(1, 2500)],
    {ok, Module, Code} = compile:forms([{attribute, 1, module, list_to_atom(Name)} | Functions], [nowarn_unused_function, no_copt, export_all]),
    {module, Module} = code:load_binary(Module, "planted", Code)
 end || N <- lists:seq(1, 20)]"#;
        let node = Node::builder(otp).eval(many).start();
        for args in [["trace", node.name(), "many_*"], ["observe", node.name(), "--trace=many_*"]] {
            let (data, talk) = told(&Home::new().to(&node, &args).output().unwrap(), 2);
            assert!(data.is_empty(), "{data}");
            assert!(
                talk.contains("50040 functions in 20 modules") && talk.contains("narrow"),
                "{talk}"
            );
        }
    });
}
