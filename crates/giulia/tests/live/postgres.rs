//! The database behind the gateway of `targets/nexus` as a second witness, on a real `PostgreSQL`:
//! what it says of its statements is what the node's counters say of the function behind them, its
//! password is nowhere, and what it does not let us see is told.

use std::{
    process::{Command, Output},
    time::Duration,
};

use giulia_testkit::Nexus;
use serde_json::Value;

use crate::{
    home::Home,
    nexus::{GET, calls, document, giulia, on_27},
};

/// Of the registry: what each of its lookups is.
const LOOKUP: &str = "SELECT name, columns::text FROM nexus_tables WHERE name = $1";
/// How far the two may lie apart. The load has two requests for another database of the server.
const DEVIATION_MAX: f64 = 0.02;

fn witnessed(nexus: &Nexus, home: &Home, args: &[&str]) -> Command {
    let mut command = giulia(nexus, home, args);
    command.env("GIULIA_POSTGRES_URL", nexus.postgres_url());
    command
}

fn password(nexus: &Nexus) -> String {
    let url = nexus.postgres_url();
    let credentials = url.split_once("://").unwrap().1.split_once('@').unwrap().0;
    credentials.split_once(':').unwrap().1.to_owned()
}

fn statement<'a>(report: &'a Value, query: &str) -> &'a Value {
    let all = report["database"]["statements"].as_array().unwrap_or_else(|| panic!("{report:#}"));
    let found = all.iter().find(|it| it["query"] == query);
    found.unwrap_or_else(|| panic!("{:#}", report["database"]))
}

fn apart(one: &Value, other: &Value) -> f64 {
    (one.as_f64().unwrap() / other.as_f64().unwrap() - 1.0).abs()
}

/// No file below the folder and no word of the program holds the secret.
#[track_caller]
fn is_nowhere(secret: &str, home: &Home, output: &Output) {
    let holds = |bytes: &[u8]| bytes.windows(secret.len()).any(|it| it == secret.as_bytes());
    assert!(!holds(&output.stdout), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(!holds(&output.stderr), "{}", String::from_utf8_lossy(&output.stderr));
    let mut folders = vec![home.path().to_owned()];
    let mut n_files = 0;
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                n_files += 1;
                assert!(!holds(&std::fs::read(&path).unwrap()), "{}", path.display());
            }
        }
    }
    assert!(n_files > 0);
}

/// All that a session holds, unpacked.
fn records(home: &Home) -> Output {
    home.giulia(&["replay", "last", "--json"]).output().unwrap()
}

#[test]
fn the_database_counts_what_the_node_counts_and_its_password_is_nowhere() {
    on_27("giulia::the_database_counts_what_the_node_counts", |otp| {
        let nexus = Nexus::start(otp, "db", &[]);
        let (home, secret) = (Home::new(), password(&nexus));
        let args =
            ["observe", Nexus::NODE, "--json", "--budget", "100%", "-vvv", "--trace", "Nexus.Repo"];
        let mut observe = witnessed(&nexus, &home, &args);
        observe.args(["Nexus.Registry.TableRegistry", "--"]);
        // Somebody's command line holds it too.
        observe.args(["env", &format!("DATABASE_URL={}", nexus.postgres_url())]);
        observe.args(nexus.words(&["load", "--requests", "3000"]));
        let output = observe.output().unwrap();
        let report = document(&output);
        is_nowhere(&secret, &home, &output);
        is_nowhere(&secret, &home, &records(&home));
        let (database, lookup) = (&report["database"], statement(&report, LOOKUP));
        assert_eq!(database["complete"], true, "{database:#}");
        assert_eq!(database["database"]["host"], "127.0.0.1");
        let counted = calls(&report["trace"])[GET];
        let function = report["trace"]["functions"].as_array().unwrap();
        let function = function.iter().find(|it| it["name"] == "get" && it["arity"] == 1).unwrap();
        eprintln!(
            "get/1: {counted} calls, {}/s; its SELECT: {} calls, {}/s, {} ms each; read {} times, at most {} ms",
            function["calls_per_s"],
            lookup["calls"],
            lookup["calls_per_s"],
            lookup["mean_ms"],
            database["readings"],
            database["reading_max_ms"]
        );
        assert!(
            apart(&lookup["calls"], &function["calls"]) < DEVIATION_MAX,
            "{lookup:#} {function:#}"
        );
        assert!(
            apart(&lookup["calls_per_s"], &function["calls_per_s"]) < 0.1,
            "{lookup:#} {function:#}"
        );
        // Ours are left out.
        let all = database["statements"].as_array().unwrap();
        assert!(
            all.iter().all(|it| !it["query"].as_str().unwrap().contains("pg_stat")),
            "{all:#?}"
        );
        let text = home.out(&["report", "last"]);
        assert!(
            text.contains("The database's own account") && text.contains("WHERE name = $1"),
            "{text}"
        );
        let page = home.path().join("report.html");
        home.out(&["report", "last", "-o", page.to_str().unwrap()]);
        assert!(std::fs::read_to_string(page).unwrap().contains("The database's own account"));
    });
}

#[test]
fn a_check_holds_the_function_against_the_statement_that_matches() {
    on_27("giulia::a_check_holds_the_function_against_the_statement", |otp| {
        let nexus = Nexus::start(otp, "db", &[]);
        let (home, secret) = (Home::new(), password(&nexus));
        let load = nexus.load(4);
        let args =
            ["check", Nexus::NODE, "--for", "10s", "--trace", GET, "--accept-vm-bug", "--json"];
        let output = witnessed(&nexus, &home, &args).output().unwrap();
        Nexus::end(load);
        let checked = document(&output);
        is_nowhere(&secret, &home, &output);
        let report = document(&home.giulia(&["report", "last", "--json"]).output().unwrap());
        let rows =
            report["database"]["functions"].as_array().unwrap_or_else(|| panic!("{report:#}"));
        let is_get =
            |it: &&Value| it["function"]["function"] == "get" && it["function"]["arity"] == 1;
        let row = rows.iter().find(is_get).unwrap_or_else(|| panic!("{rows:#?}"));
        let matched = &row["matches"][0];
        eprintln!("{row:#}");
        assert_eq!(matched["query"], LOOKUP, "{row:#}");
        let [waited, executed] =
            [&row["waited_us"], &matched["mean_us"]].map(|it| it.as_f64().unwrap());
        assert!(executed > 0.0 && executed < waited, "{row:#}");
        let findings = checked["findings"]["findings"].as_array().unwrap();
        let of_rule = findings.iter().find(|it| it["rule"] == "rests_on_database").unwrap();
        let said = |it: &Value| it["source"] == "postgres";
        let evidence = of_rule["evidence"].as_array().unwrap_or_else(|| panic!("{of_rule:#}"));
        assert!(evidence.iter().any(said), "{of_rule:#}");
    });
}

#[test]
fn a_database_that_shows_nothing_is_told_and_one_that_is_not_there_is_an_error() {
    on_27("giulia::a_database_that_shows_nothing_is_told", |otp| {
        let nexus = Nexus::start(otp, "ets", &[]);
        let (home, secret) = (Home::new(), password(&nexus));
        // The extension is made in one database of the server.
        let [_, _, port] = nexus.ports();
        let elsewhere =
            nexus.postgres_url().replace(&format!(":{port}/nexus"), &format!(":{port}/postgres"));
        let args = ["observe", Nexus::NODE, "--for", "2s", "--json"];
        let mut observe = giulia(&nexus, &home, &args);
        let output = observe.env("GIULIA_POSTGRES_URL", elsewhere).output().unwrap();
        let report = document(&output);
        is_nowhere(&secret, &home, &output);
        let why = report["database"]["not_seen"][0]["why"]
            .as_str()
            .unwrap_or_else(|| panic!("{report:#}"));
        assert!(why.contains("CREATE EXTENSION pg_stat_statements"), "{why}");
        assert!(report["window"]["ticks"].as_u64().unwrap() >= 2, "{report:#}");

        for (url, words) in [
            (format!("postgres://nexus:{secret}@127.0.0.1:1/nexus"), ["127.0.0.1:1", "is it up"]),
            (
                format!("postgres://nexus:{secret}x@127.0.0.1:{port}/nexus"),
                ["password authentication failed", "~/.pgpass"],
            ),
            (
                format!("postgres://nexus:{secret}@127.0.0.1:{port}/none"),
                ["does not exist", "postgres://USER"],
            ),
            (
                format!("postgres://nexus:{secret}@127.0.0.1:port/nexus"),
                ["cannot be read", "postgres://USER"],
            ),
            (format!("mysql://nexus:{secret}@127.0.0.1/nexus"), ["postgres://", "postgres://USER"]),
        ] {
            let home = Home::new();
            let args = ["observe", Nexus::NODE, "--for", "2s", "--postgres", url.as_str()];
            let output = giulia(&nexus, &home, &args).output().unwrap();
            let talk = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(2), "{talk}");
            assert!(words.iter().all(|it| talk.contains(it)), "{talk}");
            assert!(talk.contains("GIULIA_POSTGRES_URL"), "an argument is no place for it: {talk}");
            is_nowhere(&secret, &home, &output);
            let sessions = home.out(&["sessions", "--json"]);
            assert!(sessions.contains("\"sessions\": []"), "{sessions}");
        }
    });
}

#[test]
fn a_database_that_goes_away_is_a_gap_of_its_account_and_not_the_end_of_a_session() {
    on_27("giulia::a_database_that_goes_away_is_a_gap", |otp| {
        let nexus = Nexus::start(otp, "ets", &[]);
        let (home, secret) = (Home::new(), password(&nexus));
        let args = ["observe", Nexus::NODE, "--for", "14s", "--json"];
        let mut observe = witnessed(&nexus, &home, &args);
        observe.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let observe = observe.spawn().unwrap();
        std::thread::sleep(Duration::from_secs(4));
        let postgres = std::fs::read_to_string(nexus.state().join("pg-pid")).unwrap();
        assert!(Command::new("kill").args(["-9", postgres.trim()]).status().unwrap().success());
        let output = observe.wait_with_output().unwrap();
        let report = document(&output);
        is_nowhere(&secret, &home, &output);
        assert_eq!(report["database"]["complete"], false);
        let why = report["database"]["not_seen"][0]["why"]
            .as_str()
            .unwrap_or_else(|| panic!("{report:#}"));
        assert!(why.contains("nothing is counted from"), "{why}");
        assert_eq!(report["session"]["ended"], "time_up");
    });
}
