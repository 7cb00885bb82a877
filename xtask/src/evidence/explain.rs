//! What `explain` says of functions, against what they were written to rest on.

use std::{process::Command, thread};

use anyhow::{Context, Result};
use giulia_testkit::{Node, Otp};
use serde_json::Value;

use super::{Options, verdict};

/// Function of `kit_rests` (and the same with `_t`, by a tail call), and what it rests on: kind, a
/// part of the name, processes between, least share of the time, shares of the calls.
const TRUTH: [(&str, &[Rests]); 20] = [
    ("ets", &[Rests::on("ets_table", "kit_rests_table")]),
    ("persistent", &[Rests::on("persistent_term", "kit_rests")]),
    ("server", &[Rests::on("process", "kit_rests_server")]),
    ("tcp", &[Rests::on("socket", "127.0.0.1:")]),
    ("active", &[Rests::on("socket", "127.0.0.1:")]),
    ("backend", &[Rests::on("socket", "127.0.0.1:")]),
    ("tls", &[Rests::on("tls_socket", "127.0.0.1:")]),
    ("raw", &[Rests::on("file", "")]),
    ("plain", &[Rests::on("file", "")]),
    ("driver", &[Rests { hops: 1, ..Rests::on("socket", "127.0.0.1:") }]),
    ("pool", &[Rests::on("process", "kit_rests_pool")]),
    ("bang", &[Rests::on("process", "kit_rests_plain")]),
    ("remote", &[Rests::on("remote_node", "kit_rests_server on far@")]),
    ("task", &[Rests::on("child_process", "")]),
    ("nothing", &[Rests::on("own_code", "")]),
    ("mixed", &[Rests::calls("process", 0.25), Rests::calls("ets_table", 0.75)]),
    ("halves", &[Rests::half("process"), Rests::half("socket")]),
    ("raising", &[Rests::on("ets_table", "kit_rests_table")]),
    ("nested", &[Rests::on("ets_table", "kit_rests_table")]),
    ("sleeping", &[Rests::on("timer", "")]),
];

/// One thing that a function rests on.
struct Rests {
    kind: &'static str,
    name: &'static str,
    hops: u64,
    time: Option<(f64, f64)>,
    calls: Option<(f64, f64)>,
    /// How much of the time its clients spent there is theirs to say.
    is_half: bool,
}

/// How far a share of the time may be off from what the clients measured, who measured other calls
/// too: those before and after the sample.
const TIME_OFF_MAX: f64 = 0.1;

/// How far a share of sixty calls may be off: three standard deviations of a quarter of them.
const CALLS_OFF_MAX: f64 = 0.17;

impl Rests {
    const fn on(kind: &'static str, name: &'static str) -> Self {
        let nearly_all = Some((0.8, 1.01));
        Self { kind, name, hops: 0, time: nearly_all, calls: nearly_all, is_half: false }
    }

    const fn calls(kind: &'static str, share: f64) -> Self {
        let calls = Some((share - CALLS_OFF_MAX, share + CALLS_OFF_MAX));
        Self { kind, name: "kit_rests", hops: 0, time: None, calls, is_half: false }
    }

    /// Both wait for a timer of 2 ms, which the VM rounds up by a millisecond or not, and on a busy
    /// machine whoever has more steps waits longer.
    const fn half(kind: &'static str) -> Self {
        Self { kind, name: "", hops: 0, time: None, calls: None, is_half: true }
    }

    /// `served` is the share of the time that clients of `halves` spent with the process.
    fn is_told(&self, seen: &Value, served: f64) -> bool {
        let half = if self.kind == "process" { served } else { 1.0 - served };
        let half = self.is_half.then_some((half - TIME_OFF_MAX, half + TIME_OFF_MAX));
        let within = |value: &Value, range: Option<(f64, f64)>| {
            range.is_none_or(|(from, to)| value.as_f64().is_some_and(|it| from <= it && it < to))
        };
        let rows = seen.pointer("/rests_on").and_then(Value::as_array);
        rows.into_iter().flatten().any(|row| {
            row.pointer("/kind").and_then(Value::as_str) == Some(self.kind)
                && row.pointer("/hops").and_then(Value::as_u64) == Some(self.hops)
                && row
                    .pointer("/name")
                    .and_then(Value::as_str)
                    .is_some_and(|it| it.contains(self.name))
                && within(row.pointer("/share_of_time").unwrap_or(&Value::Null), self.time.or(half))
                && within(row.pointer("/share_of_calls").unwrap_or(&Value::Null), self.calls)
        })
    }
}

/// Of so many runs one has the clients of all functions at work, which takes all cores; in the
/// others those of the function that is asked about.
const BESIDE_ALL: u32 = 20;

/// The OTPs side by side: they wait most of the time.
#[expect(clippy::print_stdout, reason = "figures are this program's data")]
pub(super) fn run(options: &Options) -> Result<()> {
    // OTP 23 leaks under the flag `running` and is refused.
    let otps: Vec<Otp> = options.otps().into_iter().filter(|it| it.release >= 25).collect();
    let told: Vec<Result<Told>> = thread::scope(|scope| {
        let runs: Vec<_> = otps.iter().map(|it| scope.spawn(|| on(options, it))).collect();
        let lost = |_| Err(anyhow::anyhow!("a run of explain ended early"));
        runs.into_iter().map(|it| it.join().unwrap_or_else(lost)).collect()
    });
    let (mut wrong, mut all) = (0, 0);
    for (otp, told) in otps.iter().zip(told) {
        let told = told?;
        for it in &told.wrong {
            println!("otp {}: {it}", otp.release);
        }
        println!(
            "otp {}: {} of {} answers wrong, {} runs of {} functions and a loop",
            otp.release,
            told.wrong.len(),
            told.all,
            options.runs,
            chosen(options).count() * 2
        );
        wrong += told.wrong.len();
        all += told.all;
    }
    let text = format!("{wrong} of {all} answers about what a function rests on are wrong");
    verdict(wrong == 0 && all > 0, &text)
}

/// What one OTP gave.
#[derive(Default)]
struct Told {
    wrong: Vec<String>,
    all: u32,
}

#[expect(clippy::print_stderr, reason = "how far it is is talk")]
fn on(options: &Options, otp: &Otp) -> Result<Told> {
    let (node, _far) = nodes(otp);
    let mut told = Told::default();
    // All of them before any again: a run that is cut short has seen each as often.
    for run in 1..=options.runs {
        for (base, truth) in chosen(options) {
            for name in [(*base).to_owned(), format!("{base}_t")] {
                let wanted = if run % BESIDE_ALL == 1 { "all" } else { name.as_str() };
                node.eval(&format!("kit_rests:only({wanted})"));
                let before = halves(&node)?;
                let seen = explain(options, &node, &name)?;
                let after = halves(&node)?;
                let spent = [after.0 - before.0, after.1 - before.1];
                let served = spent[0] / (spent[0] + spent[1]).max(1.0);
                told.all += 1;
                if !truth.iter().all(|it| it.is_told(&seen, served)) {
                    let (why, rests_on) = (seen.pointer("/why"), seen.pointer("/rests_on"));
                    let text =
                        format!("run {run}: {name}: {why:?} {rests_on:?}, of halves {served:.2}");
                    eprintln!("otp {}: {text}", otp.release);
                    told.wrong.push(text);
                }
            }
        }
        eprintln!(
            "otp {}: run {run} of {}: {} of {} wrong so far",
            otp.release,
            options.runs,
            told.wrong.len(),
            told.all
        );
    }
    node.eval("kit_rests:only(all)");
    let refused = explain(options, &node, "loop")?;
    told.all += 1;
    if refused.pointer("/verdict").and_then(Value::as_str) != Some("refused") {
        told.wrong.push("a loop was not refused".to_owned());
    }
    Ok(told)
}

fn chosen(options: &Options) -> impl Iterator<Item = &'static (&'static str, &'static [Rests])> {
    TRUTH.iter().filter(move |it| options.is_chosen(it.0))
}

/// One that is asked, and one that it asks.
fn nodes(otp: &Otp) -> (Node, Node) {
    let far = Node::builder(otp).name("far").eval("kit_rests:start([])").start();
    let node = Node::builder(otp).epmd(far.epmd()).start();
    node.eval(&format!(
        "pong = net_adm:ping('{far}'), kit_rests:start([loop | [N || B <- kit_rests:names(), \
         N <- [B, list_to_atom(atom_to_list(B) ++ \"_t\")]]], '{far}')",
        far = far.name()
    ));
    (node, far)
}

/// Time that clients of `halves` spent with the process and with the socket.
fn halves(node: &Node) -> Result<(f64, f64)> {
    let told = node.eval("kit_rests:halves()");
    let pair = told.trim_matches(['{', '}']).split_once(',');
    let (server, socket) = pair.with_context(|| format!("halves are {told}"))?;
    Ok((server.parse()?, socket.parse()?))
}

fn explain(options: &Options, node: &Node, function: &str) -> Result<Value> {
    let mut command = Command::new(&options.giulia);
    command.args(["explain", node.name(), &format!("kit_rests:{function}/1"), "--json"]);
    command.args(["--for", "20s", "--timeout", "30s", "--calls", "60", "--accept-vm-bug"]);
    command.env_clear().env("HOME", "/nowhere").env("PATH", "/usr/bin:/bin");
    command.env("GIULIA_COOKIE", node.cookie());
    command.env("ERL_EPMD_PORT", node.epmd_port().to_string());
    let output = command.output().context("running giulia")?;
    serde_json::from_slice(&output.stdout).with_context(|| {
        format!("{function}: {}", String::from_utf8_lossy(&output.stderr).trim_end())
    })
}
