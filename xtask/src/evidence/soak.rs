//! A long session on every OTP at once: every tick there or told missing, nothing that grows.
//!
//! Beside each observed node runs a twin that nobody observes, with the same load, so that a
//! trend of the node itself is told from one of ours.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use giulia_testkit::{Node, Otp};
use serde_json::Value;

use super::{Options, observed, os, verdict};

/// Between two ticks.
const EVERY: Duration = Duration::from_secs(1);
/// Between two looks at who might grow.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The first part is not judged: caches fill, allocators take what they keep.
const SETTLING_SHARE: f64 = 0.2;
/// Growth that is told from none, over a whole run: a few pages of an allocator that come and go.
const GIULIA_GROWTH_MAX_KB: f64 = 512.0;
/// The VM's own total moves by a megabyte as its collections come and go.
const TARGET_GROWTH_MAX_KB: f64 = 1024.0;

/// What is looked at again and again.
#[derive(Debug, Clone, Copy)]
struct Look {
    at_s: f64,
    giulia_kb: f64,
    processes: f64,
    atoms: f64,
    memory_kb: f64,
    twin_memory_kb: f64,
}

/// One node, its twin and what was seen of them.
struct Pair {
    otp: Otp,
    node: Node,
    twin: Node,
    watching: observed::Watching,
    looks: Vec<Look>,
}

/// `--runs` is the length in seconds.
#[expect(clippy::print_stdout, reason = "figures are this program's data")]
pub(super) fn run(options: &Options) -> Result<()> {
    let lasts = Duration::from_secs(options.runs.into());
    let store = observed::Store::new()?;
    let mut pairs = Vec::new();
    for otp in options.otps() {
        pairs.push(start(options, &store, otp, lasts)?);
    }
    let began = Instant::now();
    while began.elapsed() < lasts {
        thread::sleep(LOOK_EVERY);
        for pair in &mut pairs {
            let look = look(pair, began);
            // The session ends a moment before us.
            pair.looks.extend(look);
        }
    }
    let mut is_met = true;
    for pair in pairs {
        let release = pair.otp.release;
        let (line, good) = judge(pair, lasts).with_context(|| format!("on OTP {release}"))?;
        println!("otp {release}: {line}");
        is_met &= good;
    }
    verdict(
        is_met,
        &format!(
            "sessions of {} s at {} s on every OTP: no tick missed without saying so, growth of giulia within {GIULIA_GROWTH_MAX_KB:.0} KB, of the target within {TARGET_GROWTH_MAX_KB:.0} KB of its unobserved twin, no process and no atom more",
            lasts.as_secs(),
            EVERY.as_secs()
        ),
    )
}

fn start(options: &Options, store: &observed::Store, otp: Otp, lasts: Duration) -> Result<Pair> {
    let alive = |name: &str| {
        let node = Node::builder(&otp).name(name).start();
        node.eval("ok = application:start(sample), sample:plant(ratio), sample:plant({idle, 500})");
        // What looking needs is loaded and made before the first look.
        facts(&node);
        node
    };
    let (node, twin) = (alive("soaked"), alive("twin"));
    let name = format!("soak-{}", otp.release);
    let seconds = format!("{}s", lasts.as_secs());
    let watching =
        observed::watch(options, &node, store, &name, &["--every", "1s", "--for", &seconds])?;
    Ok(Pair { otp, node, twin, watching, looks: Vec::new() })
}

fn look(pair: &Pair, began: Instant) -> Option<Look> {
    let giulia = os::memory_bytes(pair.watching.pid(), "VmRSS")?;
    let [processes, atoms, memory_kb] = facts(&pair.node);
    let [_, _, twin_memory_kb] = facts(&pair.twin);
    #[expect(clippy::cast_precision_loss, reason = "kilobytes of one process")]
    let giulia_kb = giulia as f64 / 1024.0;
    Some(Look {
        at_s: began.elapsed().as_secs_f64(),
        giulia_kb,
        processes,
        atoms,
        memory_kb,
        twin_memory_kb,
    })
}

/// Processes, atoms, memory in KB.
fn facts(node: &Node) -> [f64; 3] {
    let said = node.eval(
        "[erlang:system_info(process_count), erlang:system_info(atom_count), \
         erlang:memory(total) div 1024]",
    );
    let mut numbers =
        said.trim_matches(['[', ']']).split(',').map(|it| it.trim().parse().unwrap_or(f64::NAN));
    std::array::from_fn(|_| numbers.next().unwrap_or(f64::NAN))
}

fn judge(pair: Pair, lasts: Duration) -> Result<(String, bool)> {
    let Pair { node, watching, looks, .. } = pair;
    let report = watching.report()?;
    let count = |name: &str| {
        report.pointer(&format!("/session/{name}")).and_then(Value::as_u64).context("no session")
    };
    let (ticks, missed) = (count("ticks")?, count("ticks_missed")?);
    let due = lasts.as_millis() / EVERY.as_millis();
    let accounted = u128::from(ticks + missed);
    let settled: Vec<Look> = looks
        .iter()
        .copied()
        .filter(|it| it.at_s >= lasts.as_secs_f64() * SETTLING_SHARE)
        .collect();
    let grown = |of: fn(&Look) -> f64| {
        let points: Vec<(f64, f64)> = settled.iter().map(|it| (it.at_s, of(it))).collect();
        slope(&points) * lasts.as_secs_f64()
    };
    let giulia_kb = grown(|it| it.giulia_kb);
    let target_kb = grown(|it| it.memory_kb);
    let twin_kb = grown(|it| it.twin_memory_kb);
    let processes = grown(|it| it.processes);
    let (first, last) = (settled.first().context("nothing seen")?, settled.last());
    let atoms = last.map_or(f64::NAN, |it| it.atoms - first.atoms);
    // The first and the last tick are due at the edges.
    let is_accounted = accounted.abs_diff(due) <= 1;
    let good = is_accounted
        && giulia_kb <= GIULIA_GROWTH_MAX_KB
        && target_kb - twin_kb <= TARGET_GROWTH_MAX_KB
        && atoms <= 0.0
        && processes.abs() < 1.0
        && node.is_running();
    let line = format!(
        "{ticks} ticks and {missed} told missing of {due}; giulia {:.1} MB, trend {giulia_kb:+.0} KB; target memory trend {target_kb:+.0} KB (twin {twin_kb:+.0}), processes {processes:+.2}, atoms {atoms:+.0}",
        last.map_or(f64::NAN, |it| it.giulia_kb / 1024.0)
    );
    Ok((line, good))
}

/// The median of the slopes between all pairs of points (Theil 1950, Sen 1968): one peak of a
/// collection does not make a trend.
fn slope(points: &[(f64, f64)]) -> f64 {
    let mut slopes: Vec<f64> = points
        .iter()
        .enumerate()
        .flat_map(|(idx, from)| {
            points.iter().skip(idx + 1).map(move |to| (to.1 - from.1) / (to.0 - from.0))
        })
        .collect();
    super::median_and_max(&mut slopes).0
}

#[cfg(test)]
mod tests {
    #[test]
    fn one_peak_makes_no_trend_and_a_steady_rise_does() {
        let flat = [(0.0, 1.0), (1.0, 1.0), (2.0, 90.0), (3.0, 1.0), (4.0, 1.0)];
        assert!(super::slope(&flat).abs() < 1e-9);
        let rising: Vec<(f64, f64)> =
            (0..9).map(|it| (f64::from(it), f64::from(it) * 3.0)).collect();
        assert!((super::slope(&rising) - 3.0).abs() < 1e-9);
    }
}
