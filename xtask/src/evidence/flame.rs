//! Whether sampled stacks reproduce work of known shares: within three points, from so many samples.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use giulia_testkit::Node;
use serde_json::Value;

use super::{Options, verdict};

/// Part 3 of the plan: "reproduced within ±3 points from 3,000 samples on every OTP".
const POINTS_MAX: f64 = 3.0;
/// Runs of the program on one workload before it is given up.
const RUNS_MAX: u32 = 60;

/// Shares are by count: each function does the same spells of work, so many of each ten. A spell
/// is 200 calls, and a time slice 4,000.
const WORK: &str = r#"
{ok, Tokens, _} = erl_scan:string(
  "-module(work). -export([work/3]). "
  "work(A, B, C) -> hot(A), warm(B), cold(C), work(A, B, C). "
  "hot(0) -> ok; hot(N) -> burn(200), hot(N - 1). "
  "warm(0) -> ok; warm(N) -> burn(200), warm(N - 1). "
  "cold(0) -> ok; cold(N) -> burn(200), cold(N - 1). "
  "burn(0) -> ok; burn(N) -> burn(N - 1). "),
Split = fun Split([], _, Forms) -> lists:reverse(Forms);
            Split([{dot, _} = Dot | Rest], Form, Forms) -> Split(Rest, [], [lists:reverse([Dot | Form]) | Forms]);
            Split([Token | Rest], Form, Forms) -> Split(Rest, [Token | Form], Forms)
        end,
{ok, work, Binary} = compile:forms([element(2, erl_parse:parse_form(It)) || It <- Split(Tokens, [], [])]),
{module, work} = code:load_binary(work, "work", Binary)"#;

/// A workload and what each of its functions shall be seen with.
struct Load {
    name: &'static str,
    /// Processes, each with the shares of `hot`, `warm` and `cold`, in spells of a round.
    spawns: &'static str,
    shares: [(&'static str, f64); 3],
}

const LOADS: [Load; 3] = [
    Load {
        name: "80/20 in one process",
        spawns: "spawn(work, work, [80, 0, 20])",
        shares: [("hot", 0.8), ("warm", 0.0), ("cold", 0.2)],
    },
    Load {
        name: "50/30/20 in one process",
        spawns: "spawn(work, work, [50, 30, 20])",
        shares: [("hot", 0.5), ("warm", 0.3), ("cold", 0.2)],
    },
    Load {
        name: "50/30/20 in four, on two schedulers",
        spawns: "[spawn(work, work, [50, 30, 20]) || _ <- lists:seq(1, 4)]",
        shares: [("hot", 0.5), ("warm", 0.3), ("cold", 0.2)],
    },
];

/// Prints a line for each workload and OTP; the largest deviation decides.
#[expect(clippy::print_stdout, reason = "figures are this program's data")]
pub(super) fn run(options: &Options) -> Result<()> {
    let mut worst = 0.0_f64;
    let mut otps = Vec::new();
    for otp in options.otps() {
        for load in &LOADS {
            let node = Node::builder(&otp).eval(&format!("{WORK}, {}", load.spawns)).start();
            let seen = sampled(options, &node)?;
            let mut off = 0.0_f64;
            let mut told = Vec::new();
            for (function, share) in load.shares {
                let seen = seen.share(function);
                off = off.max((seen - share).abs() * 100.0);
                told.push(format!("{function} {:.1} % ({:.0})", seen * 100.0, share * 100.0));
            }
            println!(
                "otp {}: {}: {}; off by {off:.1} points, {} samples, {:.0} rounds a second, {} brief",
                otp.release,
                load.name,
                told.join(", "),
                seen.samples,
                seen.rate_hz,
                seen.brief,
            );
            worst = worst.max(off);
        }
        otps.push(otp.release.to_string());
    }
    verdict(
        worst <= POINTS_MAX && otps.len() > usize::from(options.otp.is_none()) * 3,
        &format!(
            "80/20 and 50/30/20 from {} samples on OTP {}: off by at most {worst:.1} points (limit {POINTS_MAX:.0})",
            options.runs,
            otps.join(", ")
        ),
    )
}

/// What several runs saw together.
#[derive(Default)]
struct Seen {
    samples: u64,
    brief: u64,
    rate_hz: f64,
    /// Samples with this function, of those that have one of the three.
    functions: [(&'static str, u64); 3],
}

impl Seen {
    #[expect(clippy::cast_precision_loss, reason = "thousands of samples")]
    fn share(&self, function: &str) -> f64 {
        let all: u64 = self.functions.iter().map(|(_, samples)| samples).sum();
        let own = self.functions.iter().find(|(name, _)| *name == function);
        own.map_or(0.0, |(_, samples)| *samples as f64 / all as f64)
    }
}

/// Runs the program until there are enough samples.
fn sampled(options: &Options, node: &Node) -> Result<Seen> {
    let mut seen = Seen { functions: [("hot", 0), ("warm", 0), ("cold", 0)], ..Seen::default() };
    for _ in 0..RUNS_MAX {
        let answer = flame(options, node)?;
        let number = |name: &str| answer.get(name).and_then(Value::as_u64).unwrap_or_default();
        seen.brief += number("brief");
        seen.rate_hz = answer.get("rate_hz").and_then(Value::as_f64).unwrap_or_default();
        let stacks = answer.get("stacks").and_then(Value::as_array).context("no stacks")?;
        for stack in stacks {
            let samples = stack.get("samples").and_then(Value::as_u64).unwrap_or_default();
            let frames = stack.get("stack").and_then(Value::as_array).context("no stack")?;
            let is = |frame: &Value, name: &str| {
                let text = |at: &str| frame.pointer(at).and_then(Value::as_str);
                text("/function/module") == Some("work") && text("/function/function") == Some(name)
            };
            for (name, known) in &mut seen.functions {
                if frames.iter().any(|frame| is(frame, name)) {
                    *known += samples;
                    seen.samples += samples;
                }
            }
        }
        if seen.samples >= u64::from(options.runs) {
            return Ok(seen);
        }
    }
    bail!("{} samples of {} after {RUNS_MAX} runs", seen.samples, options.runs)
}

/// `giulia flame NODE --json`, as a person would.
fn flame(options: &Options, node: &Node) -> Result<Value> {
    let output = Command::new(&options.giulia)
        .args(["flame", node.name(), "--json", "--accept-vm-bug", "--for", "10s", "--epmd-port"])
        .arg(node.epmd_port().to_string())
        .env("GIULIA_COOKIE", node.cookie())
        .stdin(Stdio::null())
        .output()
        .context("starting giulia")?;
    if !output.status.success() {
        bail!("giulia failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).context("reading giulia's answer")
}
