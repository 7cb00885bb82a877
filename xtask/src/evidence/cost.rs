//! What a session at one tick a second costs a busy node: CPU time for each 1,000 operations.
//!
//! The node is `targets/kv` under a fixed arrival rate below saturation: a closed loop would use
//! all the CPU there is, whatever giulia takes.
//!
//! On a shared machine an operation takes 0.6 to 0.95 of its usual CPU time from one second to the
//! next, so whole seconds with and without giulia say nothing below some percent. What is compared
//! instead, within one run, are neighbours: the tenths of a second in which giulia acts (its own
//! CPU time tells when) with those before and after (`cost/bins.rs`), and half seconds in which the
//! one setting of a session is held with half seconds in which it is not (`cost/flag.rs`). The
//! profile by phase shows that nothing of a tick is left between ticks; the same comparison half a
//! second after each tick shows what it finds where there is nothing.
//!
//! Sessions are on and off by turns all the same, in the order on, off, off, on, as the cross-check
//! that a figure of whole turns can be.
mod bins;
mod flag;
mod kv;

use std::{
    ops::Range,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use self::{
    bins::{BIN_MS, Estimate, Recording},
    flag::{Flag, What},
    kv::{Kv, RATE, Session},
};
use super::{Options, observed, os, verdict};

/// Part 2 of the plan.
const MORE_MAX_PERCENT: f64 = 1.0;
/// Part 3 of the plan.
const COUNTERS_MAX_PERCENT: f64 = 2.0;
/// Attaching and the first tick, before a turn is measured.
const SETTLING: Duration = Duration::from_secs(3);
/// The end of a session, after a turn.
const LETTING_GO: Duration = Duration::from_secs(2);
/// What changes slowly is asked at the first and the last tick, and in between so often.
const SLOW_EVERY: Duration = Duration::from_mins(1);
/// Bins before and after a tick that its profile shows.
const PROFILE: (usize, usize) = (15, 35);
/// Bins of one line of the profile.
const LINE: usize = 5;

/// What was found on one OTP.
#[derive(Default)]
struct Found {
    /// CPU milliseconds a second of the node where nobody asks.
    quiet_ms: Vec<f64>,
    /// What each tick added, its renewal of the lease included.
    ticks_ms: Vec<f64>,
    /// The same half a second after each, where giulia does nothing.
    between_ms: Vec<f64>,
    /// What each tick with the slow parts added.
    slow_ms: Vec<f64>,
    /// What the end of a session added, which is such a tick, and undoing.
    ends_ms: Vec<f64>,
    /// Seconds in which ticks were looked for, and how many acts there were.
    seconds: f64,
    acts: f64,
    /// The profile: node and giulia, bin by bin around each tick.
    profile: [Vec<Vec<f64>>; 2],
    /// What the load said.
    load: String,
    /// CPU milliseconds for 1,000 operations in whole turns, observed and not.
    turns_ms: [Vec<f64>; 2],
}

/// Processes in a recording, by their place.
const NODE: usize = 0;
const GIULIA: usize = 1;
/// Every operation that was due was begun.
const KEPT_UP: &str = "not_begun=0 ";
/// What is only there to be compared with.
const BESIDE: Duration = Duration::from_secs(24);
/// Half a second, in bins.
const BETWEEN: usize = 25;

/// What counters on all modules of the node cost it: CPU time for each 1,000 operations, in tens of
/// seconds by `--runs`; times and messages beside them, for comparison.
#[expect(clippy::print_stdout, reason = "figures are this program's data")]
pub(super) fn counters(options: &Options) -> Result<()> {
    let (mut worst, mut kept_up) = (f64::NEG_INFINITY, true);
    for otp in options.otps() {
        let kv = Kv::start(otp.release)?;
        let node = kv.pid()?;
        os::goes_first(node);
        let lasting = Duration::from_secs(10) * options.runs;
        let load = kv.load(lasting.as_secs() + 12)?;
        thread::sleep(Duration::from_secs(5));
        let found = flag::measure(&kv, node, lasting, What::Counters)?;
        let said = load.result()?;
        println!("otp {}: the load: {said}", otp.release);
        println!(
            "otp {}: counters on all modules of kv: {} % more CPU time for 1,000 operations (95 % interval, {} comparisons)",
            otp.release, found.percent, found.compared
        );
        kept_up &= said.contains(KEPT_UP);
        worst = f64::max(worst, found.percent.mean + found.percent.half);
        for (title, what) in [("times", What::Times), ("messages", What::Messages)] {
            // A load of its own: what these cost may be more than the node has left.
            let load = kv.load(BESIDE.as_secs() + 12)?;
            thread::sleep(Duration::from_secs(5));
            let found = flag::measure(&kv, node, BESIDE, what)?;
            println!(
                "otp {}: {title} on the same functions in all processes: {} % more ({} comparisons), the load: {}",
                otp.release,
                found.percent,
                found.compared,
                load.result()?
            );
        }
    }
    verdict(
        kept_up && worst <= COUNTERS_MAX_PERCENT,
        &format!(
            "counters on all modules of kv cost at most {worst:+.2} % of CPU time for each operation (upper end of the 95 % interval on the worst OTP, limit {COUNTERS_MAX_PERCENT} %), at {RATE} operations/s"
        ),
    )
}

/// `--runs` is the number of pairs of turns, `--seconds` how long each is.
#[expect(clippy::print_stdout, reason = "figures are this program's data")]
pub(super) fn run(options: &Options) -> Result<()> {
    let mut worst: f64 = f64::NEG_INFINITY;
    let mut kept_up = true;
    for otp in options.otps() {
        let kv = Kv::start(otp.release)?;
        let (found, flag) =
            measure(options, &kv).with_context(|| format!("on OTP {}", otp.release))?;
        let sum = told(otp.release, &found, &flag);
        worst = worst.max(sum.mean + sum.half);
        kept_up &= found.load.contains(KEPT_UP);
    }
    if !kept_up {
        println!("the load was above what a node could do beside the machine's other work");
    }
    verdict(
        kept_up && worst <= MORE_MAX_PERCENT,
        &format!(
            "one tick a second costs at most {worst:+.2} % of CPU time for each operation (upper end of the 95 % interval on the worst OTP, limit {MORE_MAX_PERCENT} %), at {RATE} operations/s"
        ),
    )
}

#[expect(clippy::print_stdout, reason = "figures are this program's data")]
fn measure(options: &Options, kv: &Kv) -> Result<(Found, Flag)> {
    let node = kv.pid()?;
    if ![node, std::process::id()].iter().all(|it| os::goes_first(*it)) {
        println!(
            "the node cannot be put before the machine's other work; a quiet machine is needed"
        );
    }
    let turn = Duration::from_secs(options.seconds);
    let flag_turn = turn * options.runs * 2;
    let whole = (turn + SETTLING + LETTING_GO) * options.runs * 2 + flag_turn;
    let load = kv.load(whole.as_secs() + 20)?;
    thread::sleep(Duration::from_secs(5));
    let store = observed::Store::new()?;
    let mut found = Found::default();
    for idx in 0..options.runs * 2 {
        // On, off, off, on, so that a drift falls on both.
        if idx % 4 == 0 || idx % 4 == 3 {
            let began = Instant::now();
            let session = kv.observe(&options.giulia, &store.path(), &format!("turn-{idx}"))?;
            thread::sleep(SETTLING);
            found.observe((session, began), node, turn)?;
        } else {
            thread::sleep(SETTLING);
            let mut recording = Recording::start();
            recording.record(&[node], turn)?;
            found.whole_turn(&recording, 1);
        }
    }
    let flag = flag::measure(kv, node, flag_turn, What::WallTime)?;
    found.load = load.result()?;
    Ok((found, flag))
}

impl Found {
    /// One turn with a session, and the session's end.
    fn observe(
        &mut self,
        (mut session, began): (Session, Instant),
        node: u32,
        turn: Duration,
    ) -> Result<()> {
        let pids = [node, session.pid()];
        let mut recording = Recording::start();
        recording.record(&pids, turn)?;
        let turn_ms = recording.now_ms();
        self.whole_turn(&recording, 0);
        session.interrupt()?;
        recording.record(&pids, LETTING_GO)?;
        let to_slow = SLOW_EVERY.as_secs_f64() - began.elapsed().as_secs_f64();
        let slow_ms = recording.now_ms() + to_slow * 1000.0;
        session.wait()?;

        let [own, giulias] = [NODE, GIULIA].map(|it| recording.bins(it));
        let acts = bins::acts(&giulias);
        #[expect(clippy::cast_precision_loss, reason = "thousands of bins")]
        let at_ms = |bin: usize| bin as f64 * BIN_MS;
        let episodes = bins::episodes(&own, &acts);
        // It is the first tick a minute after the one before, and costs giulia the most.
        let near = episodes.iter().filter(|it| {
            let at_ms = at_ms(it.bins.start);
            at_ms < turn_ms - 100.0 && (at_ms - slow_ms).abs() < 2500.0
        });
        let spent =
            |bins: &Range<usize>| giulias.get(bins.clone()).unwrap_or_default().iter().sum::<f64>();
        let slow =
            near.max_by(|left, right| f64::total_cmp(&spent(&left.bins), &spent(&right.bins)));
        let slow = slow.map(|it| it.bins.clone());
        for it in episodes {
            if at_ms(it.bins.start) > turn_ms - 100.0 {
                self.ends_ms.push(it.extra_ms);
            } else if Some(&it.bins) == slow.as_ref() {
                self.slow_ms.push(it.extra_ms);
            } else {
                self.ticks_ms.push(it.extra_ms);
                self.show([&own, &giulias], it.bins.start + 1);
            }
        }
        let between: Vec<_> = acts.iter().map(|it| it.start + BETWEEN..it.end + BETWEEN).collect();
        let between = bins::episodes(&own, &between);
        let between = between.iter().filter(|it| at_ms(it.bins.start) < turn_ms - 1000.0);
        self.between_ms.extend(between.map(|it| it.extra_ms));
        self.seconds += turn_ms / 1000.0;
        let in_turn = acts.iter().take_while(|it| at_ms(it.start) < turn_ms - 100.0);
        self.acts += bins::count(&in_turn.collect::<Vec<_>>());
        let is_quiet = |idx: usize| !acts.iter().any(|it| it.contains(&idx));
        let quiet = own.iter().enumerate().filter(|(idx, _)| is_quiet(*idx)).map(|it| *it.1);
        self.quiet_ms.extend(quiet);
        Ok(())
    }

    /// The bins around a tick, into the profile.
    fn show(&mut self, bins: [&Vec<f64>; 2], tick: usize) {
        let (before, after) = PROFILE;
        let Some(from) = tick.checked_sub(before) else { return };
        for (rows, bins) in self.profile.iter_mut().zip(bins) {
            rows.extend(bins.get(from..tick + after).map(<[f64]>::to_vec));
        }
    }

    /// A whole turn; `place` is 0 with a session and 1 without.
    fn whole_turn(&mut self, recording: &Recording, place: usize) {
        let own = recording.bins(NODE);
        let n_thousands = f64::from(RATE) / 1000.0 * bins::count(&own) * BIN_MS / 1000.0;
        if let Some(turns) = self.turns_ms.get_mut(place) {
            turns.push(own.iter().sum::<f64>() / n_thousands);
        }
    }
}

/// Prints what was found; the whole in percent.
#[expect(clippy::print_stdout, reason = "figures are this program's data")]
fn told(otp: u32, found: &Found, flag: &Flag) -> Estimate {
    let own_ms = bins::mean(&found.quiet_ms) * 1000.0 / BIN_MS;
    println!(
        "otp {otp}: {:.2} CPU ms for 1,000 operations unobserved, {own_ms:.0} ms a second between ticks",
        bins::mean(&found.turns_ms[1])
    );
    println!("otp {otp}: the load: {}", found.load);
    profile(otp, found);
    let ticks = Estimate::of(&found.ticks_ms);
    let between = Estimate::of(&found.between_ms);
    let (slow, of) = if found.slow_ms.is_empty() {
        (&found.ends_ms, "ends of sessions, in place of it")
    } else {
        (&found.slow_ms, "of them")
    };
    let slow = few(slow, &found.ticks_ms);
    // Those at the edges of a recording lack neighbours and cost as much as the others.
    let each_second =
        ticks.times(found.acts / found.seconds).plus(slow.0.times(1.0 / SLOW_EVERY.as_secs_f64()));
    let sum = each_second.times(100.0 / own_ms).plus(flag.percent);
    println!(
        "otp {otp}: a tick with its renewal of the lease: {ticks} ms more than around it ({} of {} acts in {:.0} s); half a second later: {between} ms",
        found.ticks_ms.len(),
        found.acts,
        found.seconds
    );
    println!(
        "otp {otp}: the tick with what changes slowly, once a minute: {} ms ({} {of})",
        slow.0, slow.1
    );
    println!("otp {otp}: the end of a session: {} ms", few(&found.ends_ms, &found.ticks_ms).0);
    println!(
        "otp {otp}: scheduler wall time held: {} % more ({} times, against those around them)",
        flag.percent, flag.compared
    );
    println!("otp {otp}: all of it: {sum} % of the CPU time for 1,000 operations");
    let [on, off] = &found.turns_ms;
    let turns: Vec<f64> = on.iter().zip(off).map(|(on, off)| (on / off - 1.0) * 100.0).collect();
    println!(
        "otp {otp}: cross-check, whole turns: {} % ({} pairs)",
        Estimate::of(&turns),
        turns.len()
    );
    sum
}

/// Of a few figures their mean, with the error that many of their kind have.
fn few(figures: &[f64], many: &[f64]) -> (Estimate, usize) {
    let one = Estimate::of(many).half * bins::count(many).sqrt();
    (Estimate { mean: bins::mean(figures), half: one / bins::count(figures).sqrt() }, figures.len())
}

/// A line for each tenth of a second around a tick.
#[expect(clippy::print_stdout, reason = "figures are this program's data")]
fn profile(otp: u32, found: &Found) {
    let (before, after) = PROFILE;
    for from in (0..before + after).step_by(LINE) {
        let tenth = |rows: &Vec<Vec<f64>>| {
            let sums = rows.iter().filter_map(|it| Some(it.get(from..from + LINE)?.iter().sum()));
            Estimate::of(&sums.collect::<Vec<f64>>())
        };
        let [own, giulia] =
            [NODE, GIULIA].map(|it| found.profile.get(it).map(tenth).unwrap_or_default());
        #[expect(clippy::cast_precision_loss, reason = "dozens of bins")]
        let at_ms = (from as f64 - before as f64) * BIN_MS;
        println!(
            "otp {otp}: {at_ms:+5.0} ms from a tick: node {:.2} ms +- {:.2} in 100 ms, giulia {:.2}",
            own.mean, own.half, giulia.mean
        );
    }
}
