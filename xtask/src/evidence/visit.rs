//! What a node has after giulia that it had not before, and what its VM's bugs switch off.

use std::{thread, time::Duration};

use anyhow::{Context, Result};
use giulia_testkit::Node;
use serde_json::Value;

use super::{Options, fleet, verdict};

/// A node forgets a visitor's name and processes shortly after the connection ends.
const SETTLING: Duration = Duration::from_millis(700);

/// Categories that a first visit may add to; a second may not.
const REMEMBERED: &[&str] = &["atoms", "modules", "nodes_known"];

/// Prints, for each OTP, the modules that OTP loads for a first visitor and the gates.
#[expect(clippy::print_stdout, reason = "figures are this program's data")]
pub(super) fn run(options: &Options) -> Result<()> {
    let mut is_clean = true;
    for otp in options.otps() {
        for (shape, builder) in [
            ("interactive", Node::builder(&otp)),
            ("embedded with Elixir", Node::builder(&otp).embedded().elixir()),
        ] {
            let node = builder.start();
            let before = node.residue();
            let seen = visit(options, &node)?;
            let between = node.residue();
            visit(options, &node)?;
            let after = node.residue();
            let first = before.diff(&between);
            let second = between.diff(&after);
            println!(
                "otp {} {shape}: first visit: {} modules ({}), {} atoms; nodes() {}; second visit: {}",
                otp.release,
                first.new_in("modules").len(),
                first.new_in("modules").join(" "),
                between.count("atoms").saturating_sub(before.count("atoms")),
                node.eval("nodes()"),
                second.to_string().trim_end()
            );
            is_clean &= first.without(REMEMBERED).is_empty() && second.is_empty();
            if shape == "interactive" {
                print_gates(&seen)?;
            }
        }
    }
    verdict(
        is_clean,
        "a first visit leaves only what OTP autoloads for any visitor, a second leaves nothing at all",
    )
}

fn visit(options: &Options, node: &Node) -> Result<Value> {
    fleet::snapshot(&options.giulia, node, &["--no-eval"])?;
    let run = fleet::snapshot(&options.giulia, node, &["--window", "300ms"])?;
    thread::sleep(SETTLING);
    Ok(run.answer)
}

#[expect(clippy::print_stdout, reason = "figures are this program's data")]
fn print_gates(answer: &Value) -> Result<()> {
    let gates = answer.pointer("/node/gates").and_then(Value::as_array);
    for gate in gates.context("the snapshot has no gates")? {
        let text = |name: &str| gate.get(name).and_then(Value::as_str).unwrap_or_default();
        println!("    {:8} {}: {}", text("state"), text("feature"), text("reason"));
    }
    Ok(())
}
