//! `kill -9` of an observing giulia at random moments: the session opens, at most its last tick
//! is missing, and the node is clean soon after.

use std::{
    hash::{BuildHasher, RandomState},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use giulia_testkit::Node;
use serde_json::Value;

use super::{Options, median_and_max, observed, verdict};

/// Between two ticks: short, so that many moments fall into one.
const EVERY: Duration = Duration::from_millis(250);
/// The kill comes between these after the start: while attaching, arming, ticking.
const KILL_AFTER_MS: (u64, u64) = (20, 3000);
/// Until the node is clean, on a quiet host; OTP 23 and 25 remove settings one by one.
const CLEAN_MAX_MS: f64 = 1000.0;
const CLEAN_BEFORE_27_MAX_MS: f64 = 2000.0;
/// A node that is not clean by then stays dirty.
const GIVE_UP: Duration = Duration::from_secs(15);
/// Between the moment of a tick and its record lie the question and the write; the machine is shared.
const SLACK_MS: f64 = 150.0;

/// What a node has of us: a process that writes to our side, or the flag that the keeper holds.
const DIRT: &str = "{erlang:statistics(scheduler_wall_time) =/= undefined, \
    length([P || P <- processes(), {group_leader, L} <- [process_info(P, group_leader)], \
    node(L) =/= node()])}";

/// [`DIRT`] where there is none.
const CLEAN: &str = "{false,0}";

/// `--runs` is the number of kills, spread over the OTPs.
#[expect(clippy::print_stdout, reason = "figures are this program's data")]
pub(super) fn run(options: &Options) -> Result<()> {
    let otps = options.otps();
    let each = options.runs.div_ceil(u32::try_from(otps.len())?);
    let mut is_met = true;
    let mut total = 0;
    for otp in otps {
        let node = Node::builder(&otp).start();
        node.eval("ok = application:start(sample), sample:plant(ratio)");
        let mut clean_ms = Vec::new();
        let mut lost_ms = Vec::new();
        let (mut before_the_first, mut ticks, mut dirty) = (0, 0, 0);
        for idx in 0..each {
            let store = observed::Store::new()?;
            let killed = kill_once(options, &node, &store)
                .with_context(|| format!("kill {idx} on OTP {}", otp.release))?;
            clean_ms.push(killed.clean_ms);
            dirty += u32::from(killed.was_dirty);
            match killed.recorded {
                Some(recorded) => {
                    lost_ms.push(recorded.lost_ms);
                    ticks += recorded.ticks;
                }
                None => before_the_first += 1,
            }
        }
        let (clean_median, clean_max) = median_and_max(&mut clean_ms);
        let (_, lost_max) = median_and_max(&mut lost_ms);
        let limit = if otp.release >= 27 { CLEAN_MAX_MS } else { CLEAN_BEFORE_27_MAX_MS };
        // One interval since the last recorded tick is the rule; the second is the tick that was lost.
        let lost_limit = EVERY.as_secs_f64() * 2000.0 + SLACK_MS;
        println!(
            "otp {}: {each} kills, {before_the_first} before a session began, {dirty} while something was switched on, {ticks} ticks recorded; clean after {clean_median:.0} ms (most {clean_max:.0}, limit {limit:.0}); last record at most {lost_max:.0} ms before the kill (limit {lost_limit:.0})",
            otp.release
        );
        // A look that sees nothing before the kill proves nothing after it.
        is_met &= clean_max <= limit && lost_max <= lost_limit && dirty * 2 > each;
        total += each;
    }
    verdict(
        is_met,
        &format!(
            "{total} kills at random moments: every session that had begun opens as killed, at most its last tick is missing, the node was clean in time"
        ),
    )
}

struct Killed {
    was_dirty: bool,
    clean_ms: f64,
    recorded: Option<Recorded>,
}

struct Recorded {
    ticks: u64,
    lost_ms: f64,
}

fn kill_once(options: &Options, node: &Node, store: &observed::Store) -> Result<Killed> {
    let every = format!("{}ms", EVERY.as_millis());
    let mut watching = observed::watch(options, node, store, "killed", &["--every", &every])?;
    let (least, most) = KILL_AFTER_MS;
    let after = least + RandomState::new().hash_one(0) % (most - least);
    thread::sleep(Duration::from_millis(after));
    let was_dirty = node.eval(DIRT) != CLEAN;
    let at = jiff::Timestamp::now();
    watching.kill()?;
    let clean_ms = until_clean(node)?;
    Ok(Killed { was_dirty, clean_ms, recorded: recorded(options, store, at)? })
}

fn until_clean(node: &Node) -> Result<f64> {
    let began = Instant::now();
    loop {
        let dirt = node.eval(DIRT);
        if dirt == CLEAN {
            return Ok(began.elapsed().as_secs_f64() * 1000.0);
        }
        if began.elapsed() > GIVE_UP {
            bail!("the node still has {dirt} of us after {GIVE_UP:?}");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// What the store has of the session; nothing when it was killed before it began one.
fn recorded(
    options: &Options,
    store: &observed::Store,
    at: jiff::Timestamp,
) -> Result<Option<Recorded>> {
    if !store.path().exists() || !observed::sessions(&options.giulia, &store.path())? {
        return Ok(None);
    }
    let report = observed::report(&options.giulia, &store.path(), "killed")?;
    let text = |path: &str| report.pointer(path).and_then(Value::as_str);
    if text("/session/ended") != Some("killed") {
        bail!("the session ended as {:?}, not as killed", text("/session/ended"));
    }
    let started: jiff::Timestamp = text("/session/started_at").context("no start")?.parse()?;
    let elapsed = report.pointer("/window/elapsed_ms").and_then(Value::as_f64);
    let ticks = report.pointer("/window/ticks").and_then(Value::as_u64).context("no ticks")?;
    let lived_ms = at.duration_since(started).as_secs_f64() * 1000.0;
    Ok(Some(Recorded { ticks, lost_ms: lived_ms - elapsed.context("no elapsed time")? }))
}
