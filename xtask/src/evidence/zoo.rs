//! The zoo, each program alone: whether its rule finds it, nobody else does, and its twin is well.

use std::{collections::BTreeMap, process::Command, thread};

use anyhow::{Context, Result, bail};
use giulia_testkit::{Node, Otp, ZooProgram, misjudged, zoo, zoo_container};
use serde_json::Value;

use super::{Options, verdict};

/// Nodes at once: they wait most of the time.
const AT_ONCE: usize = 6;
/// These take whole cores, so nothing else runs beside them.
const ALONE: [&str; 2] = ["busy", "bound"];
/// A mode of a program.
const MODES: [&str; 2] = ["sick", "healthy"];

/// Which rules fired how often, by program and mode.
type Matrix = BTreeMap<(String, String), BTreeMap<String, u32>>;

/// What one run gave.
struct Run {
    wrong: Vec<String>,
    fired: Vec<String>,
}

/// Prints each wrong answer, a line an OTP, and the matrix; one wrong answer decides.
#[expect(clippy::print_stdout, reason = "figures are this program's data")]
pub(super) fn run(options: &Options) -> Result<()> {
    let (mut wrong, mut all) = (0, 0);
    let mut matrix = Matrix::new();
    let programs: Vec<ZooProgram> =
        zoo().into_iter().filter(|it| options.is_chosen(&it.name)).collect();
    let (alone, quiet): (Vec<_>, Vec<_>) =
        programs.into_iter().partition(|it| ALONE.contains(&it.shares.as_str()));
    for otp in options.otps() {
        let before = (wrong, all);
        for _ in 0..options.runs {
            for mode in MODES {
                let rounds = quiet.chunks(AT_ONCE).chain(alone.chunks(1));
                for round in rounds {
                    for (program, run) in round.iter().zip(at_once(options, &otp, round, mode)) {
                        let run = run?;
                        all += 1;
                        wrong += usize::from(!run.wrong.is_empty());
                        for it in &run.wrong {
                            println!("otp {}: {mode} {}: {it}", otp.release, program.name);
                        }
                        let row =
                            matrix.entry((program.name.clone(), mode.to_owned())).or_default();
                        for rule in run.fired {
                            *row.entry(rule).or_default() += 1;
                        }
                    }
                }
            }
        }
        let (was_wrong, was_all) = before;
        println!("otp {}: {} of {} runs wrong", otp.release, wrong - was_wrong, all - was_all);
    }
    print(&matrix);
    verdict(wrong == 0 && all > 0, &format!("{wrong} of {all} runs of the zoo are judged wrong"))
}

fn at_once(options: &Options, otp: &Otp, round: &[ZooProgram], mode: &str) -> Vec<Result<Run>> {
    thread::scope(|scope| {
        let runs: Vec<_> =
            round.iter().map(|it| scope.spawn(move || one(options, otp, it, mode))).collect();
        let lost = |_| Err(anyhow::anyhow!("a run of the zoo ended early"));
        runs.into_iter().map(|it| it.join().unwrap_or_else(lost)).collect()
    })
}

fn one(options: &Options, otp: &Otp, program: &ZooProgram, mode: &str) -> Result<Run> {
    let home = tempfile::tempdir().context("making a home")?;
    let programs = [program.clone()];
    let container = zoo_container(&programs).context("making a cgroup")?;
    let node =
        Node::builder(otp).name("zoo").args(program.flags.iter().map(String::as_str)).start();
    if let Some(container) = &container {
        container.enter(&node);
    }
    node.zoo(&programs, mode);
    let mut command = Command::new(&options.giulia);
    command.args(["check", node.name(), "--for", "10s", "--json"]);
    // Bugs of this VM forbid most closer looks; our own node may be lost to them.
    command.args((otp.release == 25).then_some("--accept-vm-bug"));
    command.env_clear().env("HOME", home.path()).env("PATH", "/usr/bin:/bin");
    command.env("XDG_RUNTIME_DIR", home.path()).env("TMPDIR", home.path());
    command.env("GIULIA_COOKIE", node.cookie()).env("GIULIA_TIMEOUT", "30s");
    command.env("ERL_EPMD_PORT", node.epmd_port().to_string());
    let output = command.output().context("running giulia check")?;
    if !output.status.success() {
        bail!("giulia check: {}", String::from_utf8_lossy(&output.stderr));
    }
    let document: Value = serde_json::from_slice(&output.stdout).context("reading its answer")?;
    let wrong = misjudged(&programs, mode == "sick", otp.release, &document);
    if !wrong.is_empty() {
        keep(program, mode, &output.stdout)?;
    }
    let findings = document.pointer("/findings/findings").and_then(Value::as_array);
    let is_found = |it: &&Value| it.pointer("/outcome").is_some_and(|it| it == "found");
    let rule = |it: &Value| it.pointer("/rule").and_then(Value::as_str).map(str::to_owned);
    Ok(Run {
        wrong,
        fired: findings.into_iter().flatten().filter(is_found).filter_map(rule).collect(),
    })
}

/// A document that was judged wrong is kept, because the next run may be right.
#[expect(clippy::print_stderr, reason = "where it is kept is talk")]
fn keep(program: &ZooProgram, mode: &str, document: &[u8]) -> Result<()> {
    let path = std::env::temp_dir().join(format!("{}-{mode}.json", program.name));
    std::fs::write(&path, document).with_context(|| format!("writing {}", path.display()))?;
    eprintln!("kept: {}", path.display());
    Ok(())
}

/// Programs by rules: how often each fired over all runs; silent pairs left out.
#[expect(clippy::print_stdout, reason = "figures are this program's data")]
fn print(matrix: &Matrix) {
    for ((program, mode), rules) in matrix {
        let fired: Vec<String> = rules.iter().map(|(rule, n)| format!("{rule} {n}")).collect();
        println!(
            "matrix: {program} {mode}: {}",
            if fired.is_empty() { "-".to_owned() } else { fired.join(", ") }
        );
    }
}
