//! The gateway of `targets/nexus` on a real `PostgreSQL`, one test for each of its four registries:
//! its suite passes, what is counted of a load is what the load's arithmetic says, and what its
//! registry rests on is named.
//!
//! All four on OTP 27, the one in the database on 25 and 29 too.

use std::{
    collections::BTreeMap,
    process::{Command, Output},
};

use giulia_testkit::{Nexus, Otp, for_each_otp_from};
use serde_json::Value;

use crate::home::Home;

pub(crate) const GET: &str = "Nexus.Registry.TableRegistry.get/1";

/// Requests of a counted load: two of them go to the other database.
const REQUESTS: u32 = 1000;

/// The program, pointed at the gateway.
pub(crate) fn giulia(nexus: &Nexus, home: &Home, args: &[&str]) -> Command {
    let mut command = home.giulia(args);
    command.env("GIULIA_COOKIE", std::fs::read_to_string(nexus.cookie_file()).unwrap());
    command.env("ERL_EPMD_PORT", nexus.ports()[0].to_string()).env("GIULIA_TIMEOUT", "30s");
    command
}

/// Calls by function, as giulia counts them while the load runs.
fn counted(nexus: &Nexus) -> BTreeMap<String, u64> {
    let home = Home::new();
    let mut observe = giulia(nexus, &home, &["observe", Nexus::NODE, "--json", "--budget", "100%"]);
    observe.args(["--trace", "Nexus.Repo", "Nexus.Registry.TableRegistry", "--"]);
    observe.args(nexus.words(&["load", "--requests", &REQUESTS.to_string()]));
    let report = document(&observe.output().unwrap());
    let trace = &report["trace"];
    assert_eq!(trace["complete"], true, "{trace:#}");
    calls(trace)
}

/// What the registry rests on, as giulia sees it while the load runs.
fn explained(nexus: &Nexus) -> Value {
    let home = Home::new();
    let load = nexus.load(4);
    let args = [
        "explain",
        Nexus::NODE,
        GET,
        "--json",
        "--for",
        "10s",
        "--calls",
        "100",
        "--accept-vm-bug",
    ];
    let output = giulia(nexus, &home, &args).output().unwrap();
    Nexus::end(load);
    document(&output)
}

#[track_caller]
pub(crate) fn document(output: &Output) -> Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (data, talk) = (text(&output.stdout), text(&output.stderr));
    // What a command said comes first.
    let document = data.find("\n{").map_or(&data[..], |it| &data[it..]);
    serde_json::from_str(document).unwrap_or_else(|_| panic!("{}: {data}{talk}", output.status))
}

/// Functions that were called, as Elixir writes them.
pub(crate) fn calls(trace: &Value) -> BTreeMap<String, u64> {
    let functions = trace["functions"].as_array().unwrap_or_else(|| panic!("{trace:#}"));
    let named = functions.iter().map(|it| {
        let [module, name] = [&it["module"], &it["name"]].map(|it| it.as_str().unwrap());
        let function = format!("{}.{name}/{}", module.trim_start_matches("Elixir."), it["arity"]);
        (function, it["calls"].as_u64().unwrap_or_else(|| panic!("no calls in {it}")))
    });
    named.filter(|(_, calls)| *calls > 0).collect()
}

/// The whole of it on one registry; `is_right` says whether the first place is.
fn holds(otp: &Otp, registry: &str, is_right: impl Fn(&Nexus, &Value) -> bool) {
    let nexus = Nexus::start(otp, registry, &[]);
    let suite = nexus.script(&["suite"]);
    let passed = suite.data.ends_with("suite: 61 of 61 passed\n");
    assert!(passed && suite.code == Some(0), "{}{}", suite.data, suite.talk);
    assert_eq!(counted(&nexus), nexus.truth(REQUESTS), "{registry}");
    let explained = explained(&nexus);
    let first = &explained["rests_on"][0];
    assert!(is_right(&nexus, first), "{registry}: {explained:#}");
    assert_eq!(explained["verdict"], "rests", "{explained:#}");
}

fn is(place: &Value, kind: &str, name: &str, hops: u64) -> bool {
    place["kind"] == kind && place["name"].as_str().unwrap().contains(name) && place["hops"] == hops
}

#[test]
fn the_registry_in_the_database_rests_on_the_socket_of_postgresql() {
    let name = "giulia::the_registry_in_the_database_rests_on_the_socket_of_postgresql";
    for_each_otp_from(25, name, |otp| {
        holds(otp, "db", |nexus, place| {
            is(place, "socket", &format!("127.0.0.1:{}", nexus.ports()[2]), 1)
        });
    });
}

/// The others on one OTP: what they rest on is the same on all, and each costs half a minute.
pub(crate) fn on_27(test_name: &str, test: impl Fn(&Otp)) {
    for_each_otp_from(27, test_name, |otp| {
        if otp.release == 27 {
            test(otp);
        }
    });
}

#[test]
fn the_registry_in_a_process_rests_on_its_process() {
    on_27("giulia::the_registry_in_a_process_rests_on_its_process", |otp| {
        holds(otp, "genserver", |_, place| is(place, "process", "TableRegistry", 0));
    });
}

#[test]
fn the_registry_in_ets_rests_on_its_table() {
    on_27("giulia::the_registry_in_ets_rests_on_its_table", |otp| {
        holds(otp, "ets", |_, place| is(place, "ets_table", "TableRegistry", 0));
    });
}

#[test]
fn the_registry_in_persistent_terms_rests_on_them() {
    on_27("giulia::the_registry_in_persistent_terms_rests_on_them", |otp| {
        holds(otp, "persistent_term", |_, place| is(place, "persistent_term", "", 0));
    });
}

/// A folder for `PATH` with all programs of this machine but some, and with one that says who we are.
fn programs_without(missing: &[&str], user_id: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for from in ["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/bin"] {
        for program in std::fs::read_dir(from).into_iter().flatten().flatten() {
            let name = program.file_name();
            if !missing.iter().any(|it| **it == *name) {
                // The first one of a name is the one that counts.
                std::os::unix::fs::symlink(program.path(), folder.path().join(name)).ok();
            }
        }
    }
    let id = folder.path().join("id");
    std::fs::remove_file(&id).ok();
    let script =
        format!("#!/bin/sh\n[ \"$1\" = -u ] && echo {user_id} || exec /usr/bin/id \"$@\"\n");
    std::fs::write(&id, script).unwrap();
    std::fs::set_permissions(&id, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    folder
}

#[test]
fn a_postgresql_that_nobody_can_install_is_told_with_the_next_step() {
    on_27("giulia::a_postgresql_that_nobody_can_install_is_told", |_| {
        let nexus = Nexus::beside([1, 2, 3]);
        // Where it is not: what there is on this machine is hidden in a place of its own.
        let old = tempfile::tempdir().unwrap();
        for program in ["postgres", "initdb"] {
            let path = old.path().join(program);
            std::fs::write(&path, "#!/bin/sh\necho 'postgres (PostgreSQL) 13.9'\n").unwrap();
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))
                .unwrap();
        }
        let told = |bin: Option<&std::path::Path>, path: &std::path::Path| {
            let mut command = hidden(&nexus, path);
            if let Some(bin) = bin {
                command.env("NEXUS_PG_BIN", bin);
            }
            let output = command.output().unwrap();
            let talk = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(2), "{talk}");
            assert!(talk.contains("no PostgreSQL 15 or newer here"), "{talk}");
            talk.lines().last().unwrap_or_default().to_owned()
        };
        let all = programs_without(&[], 0);
        let told_old = told(Some(old.path()), all.path());
        assert!(
            told_old.contains("only 13 in") && told_old.contains("NEXUS_PG_BIN="),
            "{told_old}"
        );
        let no_apt = programs_without(&["apt-get", "pg_config"], 0);
        let told_no_apt = told(None, no_apt.path());
        assert!(
            told_no_apt.contains("no apt") && told_no_apt.contains("dnf install"),
            "{told_no_apt}"
        );
        let nobody = programs_without(&["sudo", "pg_config"], 1000);
        let told_nobody = told(None, nobody.path());
        assert!(
            told_nobody.contains("only root may install it")
                && told_nobody.contains("apt-get install postgresql"),
            "{told_nobody}"
        );
        assert!(!nexus.state().exists());
    });
}

/// `scripts/nexus start` with these programs, where no `PostgreSQL` is in its usual place: in a mount
/// namespace of its own, where one may be made.
fn hidden(nexus: &Nexus, path: &std::path::Path) -> Command {
    let start = nexus.command(&["start", "--otp", "27"]);
    let mut command = Command::new("unshare");
    let hide = "if [ -d /usr/lib/postgresql ]; then mount -t tmpfs none /usr/lib/postgresql; fi; exec \"$@\"";
    command.args(["--mount", "--map-root-user", "sh", "-c", hide, "sh"]);
    command.arg(start.get_program()).args(start.get_args());
    for (name, value) in start.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command.env("PATH", path);
    command
}

#[test]
fn what_is_missing_or_lost_is_told_with_the_next_step() {
    on_27("giulia::what_is_missing_or_lost_is_told_with_the_next_step", |otp| {
        let nexus = Nexus::start(otp, "ets", &[]);
        let refused = |nexus: &Nexus, args: &[&str], words: [&str; 2]| {
            let said = nexus.script(args);
            assert_eq!(said.code, Some(2), "{args:?}: {}{}", said.data, said.talk);
            assert!(words.iter().all(|it| said.talk.contains(it)), "{args:?}: {}", said.talk);
        };
        let start = ["start", "--otp", "27", "--registry", "db"];
        refused(&nexus, &start, ["runs already", "scripts/nexus stop"]);
        let other = Nexus::beside(nexus.ports());
        refused(&other, &start, ["is taken", "NEXUS_PORT="]);
        refused(&other, &["load"], ["no nexus@127.0.0.1 here", "scripts/nexus start"]);

        let postgres = std::fs::read_to_string(nexus.state().join("pg-pid")).unwrap();
        let killed = Command::new("kill").args(["-9", postgres.trim()]).status().unwrap();
        assert!(killed.success());
        for args in [&["load", "--requests", "5"][..], &["suite"], &["status"]] {
            refused(&nexus, args, ["PostgreSQL", "scripts/nexus stop, then start"]);
        }
        assert_eq!(nexus.script(&["stop"]).code, Some(0));
        assert!(!nexus.state().exists());
        assert_eq!(nexus.script(&["status"]).code, Some(1));
    });
}
