//! Counts against the program's own: two modules of one shape, floods, short-lived processes, code
//! that is loaded anew, another giulia, and input that means nothing.

use std::{thread, time::Duration};

use giulia_testkit::{Node, Otp, for_each_otp};
use serde_json::Value;

use crate::home::{Home, spawned, told};

/// Two modules with functions of the same names and arities. `run(I, N)` calls each of them N times
/// and counts that in the program's own counters, at place I.
pub(crate) const PLANTED: &str = r#"
Compile = fun(Name, Hidden) ->
    Forms = [begin {ok, Tokens, _} = erl_scan:string(Text), {ok, Form} = erl_parse:parse_form(Tokens), Form end
             || Text <- ["-module('" ++ Name ++ "').", "-export([take/1, run/2]).", "take(K) -> hidden(K).", Hidden,
                         "run(_, 0) -> ok; run(I, N) -> take(N), counters:add(persistent_term:get(truth), I, 1), run(I, N - 1)."]],
    {ok, Module, Code} = compile:forms(Forms),
    {module, Module} = code:load_binary(Module, "planted", Code)
end,
persistent_term:put(truth, counters:new(2, [])),
Compile("plant_one", "hidden(K) -> {K, K}."),
Compile("plant_two", "hidden(K) -> [K, K].")"#;

/// Loads `plant_two` again.
pub(crate) const RELOAD: &str = r#"
Forms = [begin {ok, Tokens, _} = erl_scan:string(Text), {ok, Form} = erl_parse:parse_form(Tokens), Form end
         || Text <- ["-module(plant_two).", "-export([take/1, run/2]).", "take(K) -> hidden(K).", "hidden(K) -> [K].",
                     "run(_, 0) -> ok; run(I, N) -> take(N), counters:add(persistent_term:get(truth), I, 1), run(I, N - 1)."]],
{ok, Module, Code} = compile:forms(Forms),
code:purge(plant_two), {module, Module} = code:load_binary(Module, "planted", Code), ok"#;

pub(crate) fn planted(otp: &Otp) -> Node {
    Node::builder(otp).eval(PLANTED).start()
}

/// Waits until somebody counts a function of this module, before OTP 27 or after.
pub(crate) fn wait_until_counted(node: &Node, module: &str) {
    let is_counted = format!(
        "case erlang:function_exported(trace, session_info, 1) of
             true -> trace:session_info({{{module}, run, 2}}) =/= [];
             false -> erlang:trace_info({{{module}, run, 2}}, call_count) =/= {{call_count, false}}
         end"
    );
    crate::home::wait("a counter", || matches!(node.eval(&is_counted).as_str(), "true"));
}

/// The document of a trace within whose window `meanwhile` ran.
pub(crate) fn traced(node: &Node, args: &[&str], meanwhile: impl FnOnce()) -> Value {
    let home = Home::new();
    let args = [&["trace", node.name(), "--json"], args].concat();
    let child = spawned(home.to(node, &args));
    wait_until_counted(node, "plant_one");
    // What is counted while it is priced counts too; what is too dear then is another test's.
    thread::sleep(Duration::from_millis(400));
    meanwhile();
    let (data, _) = told(&child.wait_with_output().unwrap(), 0);
    serde_json::from_str(&data).unwrap()
}

pub(crate) fn row<'a>(document: &'a Value, module: &str, name: &str) -> &'a Value {
    let rows = document["functions"].as_array().unwrap();
    let is = |it: &&Value| it["module"] == module && it["name"] == name;
    rows.iter().find(is).unwrap_or_else(|| panic!("no {module}:{name} in {document:#}"))
}

pub(crate) fn calls(document: &Value, module: &str, name: &str) -> u64 {
    let row = row(document, module, name);
    row["calls"].as_u64().unwrap_or_else(|| panic!("no calls in {row}"))
}

pub(crate) fn truth(node: &Node, place: u32) -> u64 {
    node.eval(&format!("counters:get(persistent_term:get(truth), {place})")).parse().unwrap()
}

#[test]
fn calls_are_credited_to_their_own_module_exactly() {
    for_each_otp("giulia::calls_are_credited_to_their_own_module_exactly", |otp| {
        let node = planted(otp);
        let before = node.residue();
        let document = traced(&node, &["plant_*", "--for", "3s", "--budget", "100%"], || {
            // Both at once, and from many processes of which none lives long.
            node.eval(
                "All = [spawn_monitor(fun() -> plant_one:run(1, 71), plant_two:run(2, 29) end) || _ <- lists:seq(1, 2000)],
                 [receive {'DOWN', Ref, _, _, _} -> ok end || {_, Ref} <- All], ok",
            );
        });
        for (place, module) in [(1, "plant_one"), (2, "plant_two")] {
            let truth = truth(&node, place);
            assert!(truth > 50_000, "{truth}");
            assert_eq!(calls(&document, module, "take"), truth, "{module} of {document:#}");
            assert_eq!(calls(&document, module, "hidden"), truth);
            assert_eq!(calls(&document, module, "run"), truth + 2000);
        }
        assert_eq!(document["nodes"][0]["manifest"][0]["restored"], "yes", "{document:#}");
        crate::home::is_clean_after(&node, &before);
        let armed = "[{F, A} || M <- [plant_one, plant_two], {F, A} <- M:module_info(functions), \
                     erlang:trace_info({M, F, A}, call_count) =/= {call_count, false}]";
        assert_eq!(node.eval(armed), "[]");
    });
}

#[test]
fn a_function_that_is_loaded_anew_is_lost_and_never_a_smaller_count() {
    for_each_otp("giulia::a_function_that_is_loaded_anew_is_lost", |otp| {
        let node = planted(otp);
        let document = traced(&node, &["plant_*", "--for", "3s", "--budget", "100%"], || {
            node.eval("plant_one:run(1, 1000), plant_two:run(2, 1000)");
            node.eval(RELOAD);
            node.eval("plant_one:run(1, 1000), plant_two:run(2, 1000)");
        });
        assert_eq!(calls(&document, "plant_one", "take"), 2000);
        let lost = row(&document, "plant_two", "take");
        assert!(lost["calls"].is_null() && lost["lost"].is_string(), "{lost}");
    });
}

#[test]
fn a_second_giulia_counts_beside_the_first_or_arms_nothing() {
    for_each_otp("giulia::a_second_giulia_counts_beside_the_first", |otp| {
        let node = planted(otp);
        let mut second = None;
        let document = traced(&node, &["plant_*", "--for", "5s", "--budget", "100%"], || {
            let home = Home::new();
            let args = ["trace", node.name(), "plant_one", "plant_two", "--json", "--for", "1s"];
            let child = spawned(home.to(&node, &args));
            thread::sleep(Duration::from_millis(800));
            node.eval("plant_one:run(1, 3000), plant_two:run(2, 2000)");
            second = Some(child.wait_with_output().unwrap());
        });
        let second = second.unwrap();
        for (place, module) in [(1, "plant_one"), (2, "plant_two")] {
            assert_eq!(calls(&document, module, "take"), truth(&node, place));
        }
        if otp.release >= 27 {
            let (data, _) = told(&second, 0);
            let document: Value = serde_json::from_str(&data).unwrap();
            let seen = document["nodes"][0]["calls"].as_u64().unwrap();
            assert!(seen == 0 || calls(&document, "plant_one", "take") == 3000, "{document:#}");
        } else {
            let (data, talk) = told(&second, 2);
            assert!(data.is_empty() && talk.contains("plant_one:take/1"), "{talk}");
            assert!(talk.contains("nothing was armed"), "{talk}");
        }
    });
}

#[test]
fn what_is_too_dear_is_left_out_by_name() {
    for_each_otp("giulia::what_is_too_dear_is_left_out_by_name", |otp| {
        let node = planted(otp);
        // 50,000 calls and more within the 50 ms of the price are 2 % of two schedulers.
        node.eval("[spawn(fun() -> plant_two:run(2, 1 bsl 60) end) || _ <- [1, 2]], ok");
        let document = traced(&node, &["plant_*", "--for", "1s", "--budget", "0.1%"], || {
            node.eval("plant_one:run(1, 10)");
        });
        let left_out: Vec<&str> = document["left_out"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|it| it["price_share"].as_f64().is_some_and(|it| it > 0.0))
            .map(|it| it["what"].as_str().unwrap())
            .collect();
        assert!(left_out.contains(&"plant_two:take/1"), "{document:#}");
        assert_eq!(calls(&document, "plant_one", "take"), 10);
    });
}

#[test]
fn own_time_is_measured_where_the_vm_allows_and_leaves_waiting_out() {
    for_each_otp("giulia::own_time_is_measured_where_the_vm_allows", |otp| {
        let node = planted(otp);
        node.eval(
            "spawn(fun() -> register(planted_worker, self()),
                 (fun Again() -> plant_one:run(1, 200), timer:sleep(5), Again() end)() end), ok",
        );
        let document = traced(&node, &["plant_one", "--for", "3s", "--sort", "time"], || ());
        let run = row(&document, "plant_one", "run");
        // On OTP 25 of the matrix a bug of the VM forbids it, and that is said.
        if otp.release == 25 {
            assert!(run["own_time_us"].is_null(), "{run}");
            let not_seen = document["not_seen"].to_string();
            assert!(not_seen.contains("own time"), "{not_seen}");
            return;
        }
        let (own_us, of_calls) =
            (run["own_time_us"].as_f64().unwrap(), run["own_time_calls"].as_f64().unwrap());
        // It waits 5 ms after each 200 calls: with waiting a call would have 25 us.
        assert!(own_us > 0.0 && own_us / of_calls < 10.0, "{run}");
        let groups = document["groups"].as_array().unwrap();
        assert_eq!(groups.len(), 1, "{document:#}");
        assert_eq!(run["words"].is_u64(), otp.release >= 27, "{run}");
    });
}

#[test]
fn input_that_means_nothing_is_answered_clearly() {
    for_each_otp("giulia::input_that_means_nothing_is_answered_clearly", |otp| {
        let node = planted(otp);
        let before = node.residue();
        let refused = |args: &[&str]| {
            let args = [&["trace", node.name()], args].concat();
            told(&Home::new().to(&node, &args).output().unwrap(), 2).1
        };
        let text = refused(&["plant_oen"]);
        assert!(text.contains("no module plant_oen") && text.contains("plant_one"), "{text}");
        let text = refused(&["plant_one:tkae"]);
        assert!(text.contains("no function tkae") && text.contains("plant_one:take/1"), "{text}");
        assert!(refused(&["*"]).contains("every module"));
        assert!(refused(&["lists:map/2,lists:nth/2"]).contains("comma"));
        assert!(refused(&["plant_one", "--budget", "0"]).contains("write e.g. 2%"));
        assert!(refused(&["plant_one", "--no-eval"]).contains("--no-eval"));
        crate::home::is_clean_after(&node, &before);
    });
}

/// Processes that are always inside of one function of this module, and call the other from there.
const NESTED: &str = r#"
Forms = [begin {ok, Tokens, _} = erl_scan:string(Text), {ok, Form} = erl_parse:parse_form(Tokens), Form end
         || Text <- ["-module(nest).", "-export([start/0, outer/1]).", "start() -> spawn(fun Loop() -> outer(0), Loop() end).",
                     "outer(30) -> ok; outer(N) -> inner(N), timer:sleep(1), [outer(N + 1)], ok.", "inner(N) -> [deep(N)].", "deep(N) -> {N, N}."]],
{ok, Module, Code} = compile:forms(Forms),
{module, Module} = code:load_binary(Module, "nest", Code),
[nest:start() || _ <- lists:seq(1, 50)]"#;

#[test]
fn times_and_words_of_functions_inside_of_each_other_do_not_crash_the_node() {
    for_each_otp("giulia::times_and_words_of_functions_inside_of_each_other", |otp| {
        let node = Node::builder(otp).eval(NESTED).start();
        let home = Home::new();
        let args = ["trace", node.name(), "nest", "--json", "--for", "1s", "--budget", "100%"];
        // On a busy machine the time may be over before anything is measured.
        let mut measured = 0;
        for _ in 0..3 {
            let (data, _) = told(&home.to(&node, &args).output().unwrap(), 0);
            let document: Value = serde_json::from_str(&data).unwrap();
            let inner = row(&document, "nest", "inner");
            assert!(inner["calls"].as_u64() > Some(100), "{document:#}");
            measured += usize::from(inner["words"].is_u64());
        }
        assert_eq!(measured > 0, otp.release >= 27, "{measured}");
        assert!(node.is_running());
    });
}

/// Writes a module and its file of bytecode, where the node sees them: its root is not ours.
const WRITE: &str = r#"
Source = filename:join("~FOLDER~", "plant_file.erl"),
ok = file:write_file(Source, "-module(plant_file).\n-export([take/1, run/1]).\n~LINES~take(K) -> {K, ~TAG~}.\n\nrun(0) -> ok;\nrun(N) -> take(N), run(N - 1).\n"),
{ok, plant_file} = compile:file(Source, [{outdir, "~FOLDER~"}, debug_info])"#;

fn write(node: &Node, folder: &str, lines: &str, tag: &str) {
    let text = WRITE.replace("~FOLDER~", folder);
    node.eval(&text.replace("~LINES~", lines).replace("~TAG~", tag));
}

fn place<'d>(document: &'d Value, name: &str) -> &'d Value {
    &row(document, "plant_file", name)["place"]
}

fn is(place: &Value, line: u32, is_what_runs: bool, graph: Option<&str>) {
    assert!(place["file"].as_str().unwrap().ends_with("/plant_file.erl"), "{place}");
    assert_eq!(place["line"], line, "{place}");
    assert_eq!(place["is_what_runs"], is_what_runs, "{place}");
    assert_eq!(place["graph"].as_str(), graph, "{place}");
}

/// Where `explain` says that it stands; on OTP 23 nothing is explained.
fn written(home: &Home, node: &Node, otp: &Otp) -> Option<Value> {
    let explain = ["explain", node.name(), "plant_file:take/1", "--json", "--for", "2s"];
    let output = home.to(node, &[&explain[..], &["--accept-vm-bug"]].concat()).output().unwrap();
    let explained: Value = serde_json::from_slice(&output.stdout).unwrap();
    let written = explained.get("written").cloned();
    assert!(written.is_some() || otp.release == 23, "{explained:#}");
    written
}

#[test]
fn a_function_stands_with_its_file_and_line_and_whether_that_is_what_runs() {
    for_each_otp("giulia::a_function_stands_with_its_file_and_line", |otp| {
        let (node, home) = (Node::builder(otp).start(), Home::new());
        let folder = format!("/tmp/giulia-plant-{}", node.os_pid());
        node.eval(&format!("ok = file:make_dir(\"{folder}\")"));
        write(&node, &folder, "\\n", "one");
        let load = format!("code:load_abs(\"{folder}/plant_file\")");
        node.eval(&load);
        node.eval(
            "spawn(fun F() -> plant_file:run(10), lists:seq(1, 3), timer:sleep(20), F() end), ok",
        );
        let before = node.residue();
        let args = ["trace", node.name(), "plant_file", "lists:seq/2", "--for", "1s"];
        let shown = |more: &[&str]| {
            let (data, _) = told(&home.to(&node, &[&args[..], more].concat()).output().unwrap(), 0);
            data
        };
        let traced = || -> Value { serde_json::from_str(&shown(&["--json"])).unwrap() };
        // By the files of the node.
        let document = traced();
        is(place(&document, "take"), 4, true, None);
        is(place(&document, "run"), 6, true, None);
        let of_otp = &row(&document, "lists", "seq")["place"];
        assert!(of_otp["file"].as_str().unwrap().ends_with("lists.erl"), "{of_otp}");
        assert!(of_otp["line"].as_u64() > Some(1) && of_otp["is_what_runs"] == true, "{of_otp}");
        let text = shown(&[]);
        assert!(
            text.contains("plant_file.erl:4") && text.contains("all of it is what ran"),
            "{text}"
        );
        // A session keeps them, whatever becomes of the files.
        let observe =
            ["observe", node.name(), "--for", "3s", "--name", "kept", "--trace", "plant_file"];
        told(&home.to(&node, &observe).output().unwrap(), 0);
        crate::home::is_clean_after(&node, &before);
        write(&node, &folder, "\\n\\n\\n", "two");
        let report = home.report("kept");
        is(place(&report["trace"], "take"), 4, true, None);
        assert_eq!(report["trace"]["code"][0]["module"], "plant_file");
        for form in [home.out(&["report", "kept", "--md"]), home.out(&["report", "kept"])] {
            // Markdown takes an underscore for more than that.
            let plain = form.replace('\\', "");
            assert!(plain.contains("plant_file.erl:6") && plain.contains("written in"), "{form}");
        }
        let html = home.path().join("kept.html");
        home.out(&["report", "kept", "-q", "-o", html.to_str().unwrap()]);
        assert!(std::fs::read_to_string(&html).unwrap().contains("plant_file.erl:6"));
        // The file is another by now, which is said.
        is(place(&traced(), "take"), 6, false, None);
        let text = shown(&[]).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains("plant_file.erl:6 *"), "{text}");
        assert!(text.contains("What was read of plant_file is not what ran (MD5)"), "{text}");
        // By what is indexed, where something is; what ran then is still better in the session.
        told(
            &home
                .to(&node, &["code", "index", "--node", node.name(), "--modules", "plant_file"])
                .output()
                .unwrap(),
            0,
        );
        is(place(&traced(), "take"), 6, false, Some(node.name()));
        is(place(&home.report("kept")["trace"], "take"), 4, true, None);
        if let Some(it) = written(&home, &node, otp) {
            is(&it, 6, false, Some(node.name()));
        }
        node.eval(&load);
        is(place(&traced(), "take"), 6, true, Some(node.name()));
        let text = shown(&[]).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(&format!("by what is indexed of {}", node.name())), "{text}");
        node.eval(&format!("file:del_dir_r(\"{folder}\")"));
    });
}
