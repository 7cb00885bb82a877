//! What a change would bring: pure functions, each with what it assumes and how far it may be off.
//!
//! Queues are those of the books (Lazowska et al., *Quantitative System Performance*, 1984:
//! asymptotic bounds in chapter 5, mean value analysis in 6); a cache's hits are counted on the
//! keys and result hashes of a sample.

use giulia_model::Stability;

/// A figure and the range that is stated for it.
pub type Range = (f64, f64, f64);

/// The widest range that is stated: its ends differ by a factor of two.
const RANGE_MAX: f64 = std::f64::consts::SQRT_2;
/// Clients beyond these change nothing: the server is saturated long before.
const CLIENTS_MAX: u64 = 20_000;

/// What a cache in front of a function would do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CacheGain {
    /// Share of the calls that it would answer, 0 to 1.
    pub hits: Range,
    /// Calls a second that would not be made any more.
    pub saved_per_s: Range,
    /// Keys that it would hold for the sampled time.
    pub keys: f64,
    /// Memory that they would take in a table, in bytes.
    pub bytes: Range,
}

/// What a server does at some load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Demand {
    /// Share of its time in which it is busy, 0 to 1.
    pub utilisation: f64,
    /// How long one waits before it is served, on average, in seconds.
    pub waiting_s: f64,
    /// From sending to the answer, on average, in seconds.
    pub response_s: f64,
    /// Answers a second.
    pub throughput_per_s: f64,
    /// More a second than it can ever serve.
    pub saturation_per_s: f64,
}

/// A cache that holds what was asked for until it changes, told about each change.
///
/// A call hits when its arguments were seen before and their result has not changed since. The
/// chance of arguments never seen is that of Good and Turing (seen once / calls). Absent for a
/// sample in which nothing was repeated.
pub fn cache(sample: &Stability, calls_per_s: f64) -> Option<CacheGain> {
    let (calls, repeated) = (as_f64(sample.calls), as_f64(sample.repeated));
    if calls < 1.0 || repeated < 1.0 {
        return None;
    }
    let distinct = as_f64(sample.distinct_keys);
    let once = sample.seen_once.map_or(distinct, as_f64);
    let known = 1.0 - proportion(once, calls).0;
    let same = 1.0 - proportion(as_f64(sample.changed), repeated).0;
    let likely = (known * same).clamp(0.0, 1.0);
    // Both ends from the 95 % intervals of the two shares, at most a factor of two apart.
    let (known_low, known_high) = complement(proportion(once, calls));
    let (same_low, same_high) = complement(proportion(as_f64(sample.changed), repeated));
    let low = (known_low * same_low).max(likely / RANGE_MAX).min(likely);
    let high = (known_high * same_high).min(likely * RANGE_MAX).clamp(likely, 1.0_f64.max(likely));
    let saved = (likely * calls_per_s, low * calls_per_s, high * calls_per_s);
    // Keys yet to come: as many again as the chance of a new one says, over as many calls.
    let keys = distinct + once.min(calls);
    let bytes = table_bytes(keys.max(1.0), sample.key_bytes_p50, sample.result_bytes_p50);
    Some(CacheGain { hits: (likely, low, high), saved_per_s: saved, keys, bytes })
}

/// Memory of a table with so many objects of a key and a value, sizes in external form.
///
/// An object of a `set` is seven words beside its terms (hash value, next, size, tuple of three,
/// bucket); a term on a heap takes about twice its external form (small integers, atoms and list
/// cells are words there, a byte or three here).
pub fn table_bytes(objects: f64, key_bytes: u64, value_bytes: u64) -> Range {
    const OBJECT_BYTES: f64 = 7.0 * 8.0;
    const HEAP_FACTOR: f64 = 2.0;
    let each = OBJECT_BYTES + HEAP_FACTOR * (as_f64(key_bytes) + as_f64(value_bytes));
    range(objects * each, RANGE_MAX)
}

/// Callers of a function, as they are now.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Callers {
    /// Their calls a second, all together.
    pub calls_per_s: f64,
    /// How long a call takes, on average, in seconds.
    pub call_s: f64,
    /// Share of a caller's time inside of the call, 0 to 1.
    pub called_share: f64,
    /// Share of a caller's time in which it waits for what it was not asked by this node: its own
    /// next request, a clock. At 0 it asks again as soon as it has its answer (a closed loop); near
    /// 1 its calls come when they come, whatever they take (open arrivals).
    pub waited_share: f64,
}

/// Normal schedulers and what a call takes of them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Processors {
    /// How many are online.
    pub schedulers: f64,
    /// Share of their time that they work, 0 to 1.
    pub busy: f64,
    /// CPU time that a call would not take any more, the caller's and the server's, in seconds.
    pub saved_s: f64,
}

/// From here on schedulers, and not waiting for each other, decide how fast a closed loop goes: a
/// process that becomes runnable finds all of them at work nine times of ten.
const SATURATED: f64 = 0.9;
/// What is saved is known to about a third: counters in a function and messages about a server
/// each take time of their own.
const SAVED_ERROR: f64 = 0.35;
/// Counts of a few seconds differ by so much between two looks at the same load: arrivals by a tenth,
/// a closed loop on a shared machine by a fifth (97,394 to 124,273 a second of one load within an
/// hour, `docs/evidence/06-findings.md`).
const COUNT_ERROR: (f64, f64) = (1.1, 1.2);
/// A change that speeds callers up by more than this is not believed: where four fifths of the time
/// go, an error of a twentieth in that is a third in what is left, and something else limits them.
const FASTER_MAX: f64 = 5.0;

/// Calls a second when a call takes `after_s` in place of what it takes now.
///
/// A closed loop goes round in the time outside of the call and the new call (the interactive
/// response time law), and not faster than the processors serve what is left of its work (asymptotic
/// bounds); where they are saturated already, they alone decide. Open arrivals stay as they are.
/// Who waits for a part of the time is in between, by that part.
pub fn throughput(callers: &Callers, processors: &Processors, after_s: f64) -> Range {
    let gone = callers.called_share.clamp(0.0, 1.0)
        * (1.0 - after_s / callers.call_s.max(1e-9)).clamp(0.0, 1.0);
    let by_waiting = 1.0 / (1.0 - gone).max(1.0 / FASTER_MAX);
    let work_s = processors.schedulers * processors.busy / callers.calls_per_s.max(1e-9);
    let left_s = (work_s - processors.saved_s).max(work_s / FASTER_MAX);
    let by_work = if left_s > 0.0 { work_s / left_s } else { 1.0 };
    let closed = if processors.saved_s <= 0.0 || work_s <= 0.0 {
        by_waiting
    } else if processors.busy >= SATURATED {
        by_work
    } else {
        by_waiting.min(by_work / processors.busy.max(1e-9))
    };
    let part = 1.0 - callers.waited_share.clamp(0.0, 1.0);
    let at = |part: f64| callers.calls_per_s * closed.max(1.0).powf(part);
    let likely = at(part);
    let (arrivals, loops) = COUNT_ERROR;
    let counted = arrivals + (loops - arrivals) * part;
    let low = at((part - SAVED_ERROR).max(0.0)) / counted;
    let high = at(part + SAVED_ERROR) * counted;
    (likely, low.max(likely / RANGE_MAX), high.min(likely * RANGE_MAX))
}

/// What a read costs whose calls come so often on each scheduler: as in a loop when little else ran
/// since the last one, as once in a while when milliseconds of other work did.
pub fn read_s(often_s: f64, seldom_s: f64, calls_per_s: f64, schedulers: f64) -> f64 {
    /// Between two reads on a scheduler, in seconds. Measured: where a seldom read was priced at 4.8
    /// µs, those of kv took 0.5 µs in a loop, 1.2 at 10,000 a second on two schedulers, 3.0 at 2,000
    /// and 5.6 at 500 (OTP 27, `docs/evidence/06-findings.md`): a straight line from 40 µs to 2 ms,
    /// by the logarithms of both.
    const OFTEN_S: f64 = 40e-6;
    const SELDOM_S: f64 = 2e-3;
    let between_s = schedulers.max(1.0) / calls_per_s.max(1e-9);
    let part = ((between_s / OFTEN_S).ln() / (SELDOM_S / OFTEN_S).ln()).clamp(0.0, 1.0);
    often_s.max(1e-9).powf(1.0 - part) * seldom_s.max(often_s).max(1e-9).powf(part)
}

/// One server, arrivals that do not depend on it (Pollaczek and Khinchine): how long they wait.
///
/// `variation` is the squared coefficient of variation of the service time: 0 constant, 1
/// exponential. Absent from saturation on, where there is no mean.
pub fn open_queue(arrivals_per_s: f64, service_s: f64, variation: f64) -> Option<Demand> {
    let utilisation = arrivals_per_s * service_s;
    if !(0.0..1.0).contains(&utilisation) || service_s <= 0.0 {
        return None;
    }
    let waiting_s = utilisation * service_s * (1.0 + variation) / (2.0 * (1.0 - utilisation));
    Some(Demand {
        utilisation,
        waiting_s,
        response_s: waiting_s + service_s,
        throughput_per_s: arrivals_per_s,
        saturation_per_s: 1.0 / service_s,
    })
}

/// A closed loop: so many clients each think, ask a station of `servers` alike, and wait for the
/// answer (mean value analysis; several servers by Seidmann's approximation).
pub fn closed_loop(clients: u64, think_s: f64, service_s: f64, servers: u64) -> Option<Demand> {
    let clients = clients.min(CLIENTS_MAX);
    if clients == 0 || service_s <= 0.0 || think_s < 0.0 || servers == 0 {
        return None;
    }
    let m = as_f64(servers);
    let (queued_s, delay_s) = (service_s / m, service_s * (m - 1.0) / m);
    let (mut len, mut throughput, mut at_queue_s) = (0.0, 0.0, queued_s);
    for n in 1..=clients {
        at_queue_s = queued_s * (1.0 + len);
        throughput = as_f64(n) / (think_s + delay_s + at_queue_s);
        len = throughput * at_queue_s;
    }
    let response_s = at_queue_s + delay_s;
    Some(Demand {
        utilisation: (throughput * queued_s).min(1.0),
        waiting_s: (response_s - service_s).max(0.0),
        response_s,
        throughput_per_s: throughput,
        saturation_per_s: m / service_s,
    })
}

/// A figure with a range around it: `factor` below and above, never wider than two apart.
pub fn range(likely: f64, factor: f64) -> Range {
    let factor = factor.clamp(1.0, RANGE_MAX);
    (likely, likely / factor, likely * factor)
}

/// A share and its 95 % interval (Wilson, J. Am. Stat. Assoc. 22, 1927).
fn proportion(part: f64, whole: f64) -> Range {
    const Z: f64 = 1.96;
    if whole <= 0.0 {
        return (0.0, 0.0, 1.0);
    }
    let share = (part / whole).clamp(0.0, 1.0);
    let denominator = 1.0 + Z * Z / whole;
    let middle = (share + Z * Z / (2.0 * whole)) / denominator;
    let half =
        Z * (share * (1.0 - share) / whole + Z * Z / (4.0 * whole * whole)).sqrt() / denominator;
    (share, (middle - half).clamp(0.0, share), (middle + half).clamp(share, 1.0))
}

fn complement((_, low, high): Range) -> (f64, f64) {
    (1.0 - high, 1.0 - low)
}

#[expect(clippy::cast_precision_loss, reason = "counts and sizes, shown to three digits")]
pub(crate) fn as_f64(it: u64) -> f64 {
    it as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample(calls: u64, distinct: u64, once: u64, changed: u64) -> Stability {
        Stability {
            calls,
            distinct_keys: distinct,
            repeated: calls - distinct,
            changed,
            seen_once: Some(once),
            key_bytes_p50: 10,
            result_bytes_p50: 100,
            result_bytes_max: 100,
        }
    }

    #[test]
    fn nothing_repeated_is_no_cache() {
        assert_eq!(cache(&sample(100, 100, 100, 0), 50.0), None);
    }

    #[test]
    fn eight_schemas_that_never_change_are_hits() {
        let it = cache(&sample(200, 8, 0, 0), 126.0).unwrap();
        assert!(it.hits.0 > 0.99 && it.saved_per_s.0 > 125.0, "{it:?}");
        assert!((it.keys - 8.0).abs() < 1e-9 && it.bytes.0 < 8.0 * 400.0, "{it:?}");
    }

    #[test]
    fn a_queue_half_used_waits_as_long_as_the_book_says() {
        // M/M/1: W = ρ S / (1 - ρ) = S at ρ = 0.5; M/D/1 half of it.
        let exponential = open_queue(50.0, 0.01, 1.0).unwrap();
        assert!((exponential.waiting_s - 0.01).abs() < 1e-12);
        let constant = open_queue(50.0, 0.01, 0.0).unwrap();
        assert!((constant.waiting_s - 0.005).abs() < 1e-12);
        assert_eq!(open_queue(100.0, 0.01, 1.0), None);
    }

    #[test]
    fn one_client_never_waits_and_many_saturate() {
        let one = closed_loop(1, 0.009, 0.001, 1).unwrap();
        assert!((one.throughput_per_s - 100.0).abs() < 1e-9 && one.waiting_s.abs() < 1e-12);
        let many = closed_loop(1000, 0.0, 0.001, 1).unwrap();
        assert!((many.throughput_per_s - 1000.0).abs() < 1e-6);
        assert!((many.response_s - 1.0).abs() < 1e-6);
    }

    fn closed(called_share: f64, call_s: f64) -> Callers {
        Callers { calls_per_s: 1_000.0, call_s, called_share, waited_share: 0.0 }
    }

    #[test]
    fn a_closed_loop_that_spends_half_of_its_time_in_the_call_doubles() {
        let idle = Processors { schedulers: 8.0, busy: 0.1, saved_s: 0.0 };
        let (likely, low, high) = throughput(&closed(0.5, 0.001), &idle, 0.0);
        assert!((likely - 2_000.0).abs() < 1e-6, "{likely}");
        assert!(low < likely && likely < high && high <= 2.0 * low * (1.0 + 1e-9), "{low} {high}");
        let open = Callers { waited_share: 1.0, ..closed(0.5, 0.001) };
        assert!((throughput(&open, &idle, 0.0).0 - 1_000.0).abs() < 1e-6);
    }

    #[test]
    fn saturated_processors_decide_by_what_is_left_to_do() {
        // 2 ms of CPU time a call on two schedulers; 0.5 ms of it go.
        let full = Processors { schedulers: 2.0, busy: 1.0, saved_s: 0.0005 };
        let (likely, ..) = throughput(&closed(0.9, 0.03), &full, 0.0);
        assert!((likely - 1_000.0 * 2.0 / 1.5).abs() < 1e-6, "{likely}");
        // With half of them idle, the loop gains by waiting less, up to all that there is.
        let half = Processors { schedulers: 4.0, busy: 0.5, saved_s: 0.0005 };
        let (likely, ..) = throughput(&closed(0.9, 0.03), &half, 0.0);
        assert!((likely - 2.0 * 1_000.0 * 2.0 / 1.5).abs() < 1e-6, "{likely}");
    }

    #[test]
    fn a_read_costs_more_the_seldomer_it_is() {
        let at = |rate| read_s(0.1e-6, 1.0e-6, rate, 2.0);
        assert!((at(1e6) - 0.1e-6).abs() < 1e-12 && (at(100.0) - 1.0e-6).abs() < 1e-12);
        assert!(at(20_000.0) > at(100_000.0));
    }

    proptest! {
        #[test]
        fn a_throughput_never_falls_and_its_range_is_no_wider_than_two(
            rate in 1.0..1e6_f64, called in 0.0..1.0_f64, waited in 0.0..1.0_f64,
            busy in 0.0..1.0_f64, saved in 0.0..0.01_f64, after in 0.0..0.01_f64,
        ) {
            let callers = Callers {
                calls_per_s: rate, call_s: 0.005, called_share: called, waited_share: waited,
            };
            let processors = Processors { schedulers: 4.0, busy, saved_s: saved };
            let (likely, low, high) = throughput(&callers, &processors, after);
            prop_assert!(likely >= rate * (1.0 - 1e-9) && low <= likely && likely <= high);
            prop_assert!(high <= 2.0 * low * (1.0 + 1e-9));
        }

        #[test]
        fn a_cache_never_saves_more_than_there_is(
            calls in 2_u64..5000, distinct in 1_u64..5000, once in 0_u64..5000,
            changed in 0_u64..5000, rate in 0.0..1e6_f64,
        ) {
            let distinct = distinct.min(calls);
            let it = sample(calls, distinct, once.min(distinct), changed.min(calls - distinct));
            if let Some(gain) = cache(&it, rate) {
                for (likely, low, high) in [gain.hits, gain.saved_per_s, gain.bytes] {
                    prop_assert!(low <= likely && likely <= high, "{:?}", gain);
                    prop_assert!(high <= 2.0 * low * (1.0 + 1e-9) + 1e-12, "{:?}", gain);
                }
                prop_assert!(gain.hits.2 <= 1.0 && gain.saved_per_s.2 <= rate * (1.0 + 1e-9));
            }
        }

        #[test]
        fn fewer_changes_are_more_hits(
            calls in 20_u64..2000, distinct in 1_u64..10, changed in 1_u64..10,
        ) {
            let few = cache(&sample(calls, distinct, 0, changed - 1), 1.0).unwrap();
            let more = cache(&sample(calls, distinct, 0, changed), 1.0).unwrap();
            prop_assert!(few.hits.0 > more.hits.0);
        }

        #[test]
        fn a_closed_loop_keeps_the_bounds_of_the_book(
            clients in 1_u64..500, think in 0.0..0.1_f64, service in 1e-6..0.01_f64,
            servers in 1_u64..16,
        ) {
            let it = closed_loop(clients, think, service, servers).unwrap();
            let most = (as_f64(clients) / (think + service)).min(as_f64(servers) / service);
            prop_assert!(it.throughput_per_s <= most * (1.0 + 1e-9), "{:?} {most}", it);
            // Little's law over the whole loop.
            let there = it.throughput_per_s * (it.response_s + think);
            prop_assert!((there - as_f64(clients)).abs() < 1e-6 * as_f64(clients));
            let one_more = closed_loop(clients + 1, think, service, servers).unwrap();
            prop_assert!(one_more.throughput_per_s >= it.throughput_per_s * (1.0 - 1e-12));
        }

        #[test]
        fn an_open_queue_waits_longer_the_busier_it_is(
            service in 1e-6..0.1_f64, busy in 0.0..0.97_f64, variation in 0.0..4.0_f64,
        ) {
            let at = |busy: f64| open_queue(busy / service, service, variation).unwrap();
            prop_assert!(at(busy + 0.01).waiting_s > at(busy).waiting_s);
        }
    }
}
