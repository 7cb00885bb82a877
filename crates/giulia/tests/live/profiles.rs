//! A session by windows: a load that begins in its middle is in the right one, and all of them are
//! the session.

use std::{thread, time::Duration};

use giulia_testkit::for_each_otp;
use serde_json::Value;

use crate::{
    home::{Home, signal, spawned, told, wait},
    trace::{planted, wait_until_counted},
};

/// In windows of two ticks.
const WINDOW: &[&str] = &["--window", "1s", "--top", "20", "--json"];

fn profile(home: &Home, session: &str, more: &[&str]) -> Value {
    serde_json::from_str(&home.out(&[&["profile", session], more].concat())).unwrap()
}

fn windows(profile: &Value) -> &[Value] {
    profile["windows"].as_array().unwrap()
}

/// Windows in which a look at all processes ended.
fn looks(profile: &Value) -> Vec<&Value> {
    windows(profile).iter().filter(|it| it["looks"].is_object()).collect()
}

/// The sum of a figure over all windows, nothing where a window lacks it.
fn sum(profile: &Value, keys: &[&str]) -> u64 {
    let figure = |it: &Value| keys.iter().try_fold(it, |it, key| it.get(key))?.as_u64();
    windows(profile).iter().filter_map(figure).sum()
}

/// How much of the work a group did in a window.
fn share(window: &Value, group: &str) -> f64 {
    let rows = window["work"]["by_initial_call"]["rows"].as_array();
    let row = rows.into_iter().flatten().find(|it| it["name"] == group);
    row.map_or(0.0, |it| it["share"].as_f64().unwrap())
}

/// Calls of a function over all windows.
fn calls(windows: &[Value], module: &str, name: &str) -> u64 {
    let rows = windows.iter().filter_map(|it| it["calls"]["functions"].as_array()).flatten();
    let of_it = rows.filter(|it| it["module"] == module && it["name"] == name);
    of_it.map(|it| it["calls"].as_u64().unwrap()).sum()
}

/// Now, in milliseconds from the start of the session.
fn elapsed_ms(home: &Home) -> u64 {
    home.report("loaded")["window"]["elapsed_ms"].as_u64().unwrap()
}

fn is_whole(profile: &Value, report: &Value) {
    let window = &report["window"];
    assert_eq!(sum(profile, &["ticks"]), window["ticks"].as_u64().unwrap());
    assert_eq!(sum(profile, &["gaps_ms"]), window["gaps_ms"].as_u64().unwrap());
    let reductions = report["work"]["reductions"].as_u64().unwrap();
    assert_eq!(sum(profile, &["work", "reductions"]), reductions, "{profile:#}");
    let trace = &report["trace"];
    assert_eq!(sum(profile, &["calls", "calls"]), trace["calls"].as_u64().unwrap(), "{trace:#}");
    assert_eq!(sum(profile, &["calls", "counted_ms"]), trace["counted_ms"].as_u64().unwrap());
    for row in trace["functions"].as_array().unwrap() {
        let [module, name] = ["module", "name"].map(|it| row[it].as_str().unwrap());
        let called = calls(windows(profile), module, name);
        assert_eq!(called, row["calls"].as_u64().unwrap(), "{module}:{name}");
    }
    let edges = |it: &Value| ["from_ms", "to_ms"].map(|edge| it[edge].as_u64().unwrap());
    let all: Vec<[u64; 2]> = windows(profile).iter().map(edges).collect();
    assert!(all.windows(2).all(|pair| pair[0][1] == pair[1][0]), "{all:?}");
    let ends = (all[0][0], all[all.len() - 1][1]);
    assert_eq!(ends, (0, window["elapsed_ms"].as_u64().unwrap()));
}

#[test]
fn a_load_that_begins_in_the_middle_is_in_its_window_and_windows_are_the_report() {
    for_each_otp("giulia::a_load_that_begins_in_the_middle_is_in_its_window", |otp| {
        let (node, home) = (planted(otp), Home::new());
        let args = ["observe", node.name(), "--every", "500ms", "--name", "loaded"];
        let counted = ["--trace", "plant_*", "--budget", "100%"];
        let child = spawned(home.to(&node, &[&args[..], &counted].concat()));
        wait_until_counted(&node, "plant_one");
        home.wait_for_ticks(2);
        // Where looking is dear, not every tick looks at all processes.
        wait("looks before the load", || looks(&profile(&home, "last", WINDOW)).len() >= 5);
        let (before_ms, running) = (elapsed_ms(&home), profile(&home, "last", WINDOW));
        assert_eq!(running["running"], true);
        assert!(windows(&running).len() >= 4, "{running:#}");
        assert!(share(windows(&running).last().unwrap(), "plant_one:run/2") <= 0.0);
        node.eval("register(busy, spawn(plant_one, run, [1, 1 bsl 40])), ok");
        // What is recorded when this returns was made by then; some of a tick is on its way.
        let after_ms = elapsed_ms(&home) + 1000;
        // The last tick looks at all processes, and at this one in its midst.
        thread::sleep(Duration::from_secs(5));
        signal(&child, "-INT");
        told(&child.wait_with_output().unwrap(), 0);

        let (report, it) = (home.report("loaded"), profile(&home, "loaded", WINDOW));
        is_whole(&it, &report);
        // What a look says is of the time since the one before.
        let at = |it: &Value, edge: &str| it["looks"][edge].as_u64().unwrap();
        let looked = looks(&it);
        for window in looked.iter().filter(|it| at(it, "to_ms") <= before_ms) {
            assert!(share(window, "plant_one:run/2") <= 0.0, "{window:#}");
            assert_eq!(calls(&[(**window).clone()], "plant_one", "take"), 0);
        }
        for window in looked.iter().filter(|it| at(it, "from_ms") >= after_ms) {
            assert!(share(window, "plant_one:run/2") > 0.5, "{window:#}");
        }
        let last = looked.last().unwrap();
        assert!(share(last, "plant_one:run/2") > 0.1, "{after_ms}: {last:#}");
        let changes = it["changes"].as_array().unwrap();
        let is_it =
            |it: &&Value| it["figure"] == "reductions of a group" && it["who"] == "plant_one:run/2";
        let is_rise = |it: &&Value| it["after"].as_f64() > it["before"].as_f64();
        let begun = changes.iter().filter(is_it).find(is_rise);
        let begun = begun.unwrap_or_else(|| panic!("no begin of the load in {changes:#?}"));
        let first = usize::try_from(begun["window"].as_u64().unwrap()).unwrap();
        let (earlier, rise) = (&windows(&it)[..first], &windows(&it)[first]);
        let is_there = |it: &Value| at(it, "to_ms") > before_ms && at(it, "from_ms") < after_ms;
        // A load that begins late in a look, which shows some of it, rises most to the next one.
        let before = earlier.iter().rfind(|it| it["looks"].is_object()).unwrap_or(rise);
        let is_late = is_there(before) && share(before, "plant_one:run/2") > 0.0;
        assert!(is_there(rise) || is_late, "{before_ms} {after_ms}: {begun:#} {before:#} {rise:#}");

        let text = home.out(&["profile", "loaded", "--window", "1s"]);
        assert!(text.contains("What changed most") && text.contains("plant_one:run/2"), "{text}");
        let page = home.path().join("loaded.html");
        home.out(&["profile", "loaded", "-q", "-o", page.to_str().unwrap()]);
        assert!(std::fs::read_to_string(page).unwrap().contains("<polyline"));
        // On another machine it is the same.
        let moved = home.path().join("loaded.giulia");
        let moved = moved.to_str().unwrap();
        home.out(&["export", "loaded", "-q", "-o", moved]);
        home.out(&["import", moved, "--name", "moved"]);
        let mut there = profile(&home, "moved", WINDOW);
        there["session"]["name"] = "loaded".into();
        assert_eq!(there, it);
        // What does not fit is told with what does.
        let (_, talk) = told(&home.giulia(&["profile", "--window", "100ms"]).output().unwrap(), 2);
        assert!(talk.contains("take --window 500ms or more"), "{talk}");
    });
}
