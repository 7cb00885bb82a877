//! How long a person waits for the first answer, and what giulia itself needs.

use anyhow::{Context, Result};
use giulia_testkit::Node;

use super::{Options, fleet, median_and_max, verdict};

/// Part 1 of the plan: "first snapshot within 300 ms of process start on loopback".
const FIRST_SNAPSHOT_MAX_MS: f64 = 300.0;

/// Part 1 of the plan: "giulia's own peak memory at most 40 MB".
const OWN_MEMORY_MAX_MB: f64 = 40.0;

/// Prints a line an OTP; the slowest median and the highest memory decide.
#[expect(clippy::print_stdout, reason = "figures are this program's data")]
pub(super) fn run(options: &Options) -> Result<()> {
    let (mut worst_ms, mut highest_mb) = (0.0_f64, 0.0_f64);
    for otp in options.otps() {
        let node = Node::builder(&otp).start();
        node.eval("ok = application:start(sample), sample:plant(load)");
        let mut elapsed = Vec::new();
        let mut peak_mb = 0.0_f64;
        for _ in 0..options.runs {
            let run = fleet::snapshot(&options.giulia, &node, &[])?;
            run.answer.pointer("/processes/top_by_reductions").context("no processes seen")?;
            elapsed.push(run.elapsed_ms);
            peak_mb = peak_mb.max(megabytes(run.peak_bytes));
        }
        let first = elapsed.first().copied().unwrap_or(f64::NAN);
        let (median, max) = median_and_max(&mut elapsed);
        println!(
            "otp {}: first of all {first:.0} ms, median {median:.0} ms, max {max:.0} ms, own memory {peak_mb:.1} MB ({} runs)",
            otp.release, options.runs
        );
        worst_ms = worst_ms.max(first).max(median);
        highest_mb = highest_mb.max(peak_mb);
    }
    verdict(
        worst_ms <= FIRST_SNAPSHOT_MAX_MS && highest_mb <= OWN_MEMORY_MAX_MB && worst_ms > 0.0,
        &format!(
            "process start to last byte of a snapshot {worst_ms:.0} ms (limit {FIRST_SNAPSHOT_MAX_MS:.0}), own peak memory {highest_mb:.1} MB (limit {OWN_MEMORY_MAX_MB:.0})"
        ),
    )
}

#[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
pub(super) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
