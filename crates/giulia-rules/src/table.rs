//! What an ETS table in place of a process or another machine would bring those who call a function:
//! one model for all advice to make one.

use giulia_model::{Explain, Gain, Metric, TracedFunction};

use crate::{
    Picture,
    predict::{self, Callers, Processors, Range, as_f64},
};

/// What a read from a table costs its caller where the node was not asked, in microseconds: 0.04 for
/// a small row, and 0.2 to 0.5 for copying a kilobyte out (`docs/evidence/06-findings.md`, OTP 23 to
/// 29), with the function around it.
const READ_US: f64 = 0.8;
/// The function around a read that is often made: its call, a match and the result that it makes.
const FUNCTION_US: f64 = 0.1;
/// A trace message costs the process that it is about 1 µs, and a callback makes two (beam-facts 4.4).
const TRACED_US: f64 = 2.0;
/// Of fewer cycles no share can be told.
const CYCLES_MIN: u64 = 20;
/// Where nobody saw what callers do between two calls.
const WAITED_UNKNOWN: f64 = 0.5;
/// Schedulers that work for so much of their time are asked for more than they can do.
const SATURATED: f64 = 0.9;

/// How a call will go through a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change {
    /// Share of the calls that the table answers, 0 to 1.
    pub(crate) hits: f64,
    /// CPU time that the server takes for a call now, in microseconds; 0 where there is none on the
    /// node.
    pub(crate) server_us: f64,
}

/// Calls a second and the time of a call, after the change.
pub(crate) fn gains(picture: &Picture, explain: &Explain, change: Change) -> Vec<Gain> {
    let Some(latency) = &explain.latency else { return Vec::new() };
    let Some((calls_per_s, _)) = picture.calls_per_s(&explain.function) else { return Vec::new() };
    let read_us = read_us(picture, explain, calls_per_s);
    let after_us = change.hits * read_us + (1.0 - change.hits) * latency.mean_us;
    let of = explain.function.to_string();
    let calls = Gain {
        metric: Metric::CallsPerSecond,
        of: of.clone(),
        before: calls_per_s,
        unit: "calls/s".to_owned(),
        assuming: "the same callers, and as much CPU time for the node as now".to_owned(),
        ..Gain::default()
    };
    let time = Gain {
        metric: Metric::LatencyUs,
        of,
        before: latency.mean_us,
        unit: "us".to_owned(),
        assuming: match &explain.read_price {
            Some(_) => "a read as dear as it was measured on this node",
            None => "values of up to 1 KB; what a read costs here was not measured",
        }
        .to_owned(),
        ..Gain::default()
    };
    let faster = throughput(picture, explain, change, (calls_per_s, after_us));
    vec![within(calls, faster), within(time, predict::range(after_us, 2.0))]
}

/// A prediction with its range.
pub(crate) fn within(gain: Gain, (likely, low, high): Range) -> Gain {
    Gain { likely, low, high, ..gain }
}

fn read_us(picture: &Picture, explain: &Explain, calls_per_s: f64) -> f64 {
    let Some(price) = &explain.read_price else { return READ_US };
    let (often_s, seldom_s) = ((price.often_us + FUNCTION_US) / 1e6, price.seldom_us / 1e6);
    let online = picture.report.schedulers.as_ref().map_or(1.0, |it| as_f64(it.online));
    predict::read_s(often_s, seldom_s, calls_per_s, online) * 1e6
}

fn throughput(
    picture: &Picture,
    explain: &Explain,
    change: Change,
    (calls_per_s, after_us): (f64, f64),
) -> Range {
    let vm = picture.report.schedulers.as_ref();
    let busy = vm.and_then(|it| it.utilisation).map_or(0.0, |it| it.median);
    let traced = traced(picture, explain);
    let call_us = explain.latency.as_ref().map_or(0.0, |it| it.mean_us);
    let cycles = explain.cycles.as_ref().filter(|it| it.seen >= CYCLES_MIN);
    let clients = traced.and_then(|it| it.own.as_ref()).map_or(0, |it| it.processes);
    let clients = as_f64(clients.max(explain.calls.processes)).max(1.0);
    let by_law = (calls_per_s * call_us / 1e6 / clients).min(1.0);
    // An open load that saturates a node is behind for ever; one that is in balance is closed.
    let unknown = if busy >= SATURATED { 0.0 } else { WAITED_UNKNOWN };
    let callers = Callers {
        calls_per_s,
        call_s: call_us / 1e6,
        // Tracing makes both the call and the rest longer, and the shares of either way of telling
        // are too large rather than too small.
        called_share: cycles.map_or(by_law, |it| it.called_share.min(by_law)),
        waited_share: cycles.map_or(unknown, |it| it.waited_share),
    };
    let own = traced.and_then(|it| it.own.as_ref()).filter(|it| it.own_time_calls > 0);
    let own_us = own.map(|it| as_f64(it.own_time_us) / as_f64(it.own_time_calls));
    let saved_us = match own_us {
        // What is elsewhere takes no scheduler, and what it takes of the machine is not seen.
        Some(own_us) if change.server_us > 0.0 => {
            change.hits * (own_us + change.server_us - after_us).max(0.0)
        }
        Some(_) | None => 0.0,
    };
    let schedulers = vm.map_or(1.0, |it| as_f64(it.online));
    let processors = Processors { schedulers, busy, saved_s: saved_us / 1e6 };
    predict::throughput(&callers, &processors, after_us / 1e6)
}

/// The counters of a function that measured its own time, or any.
pub(crate) fn traced<'a>(picture: &'a Picture, explain: &Explain) -> Option<&'a TracedFunction> {
    let all = picture.traces.as_deref().unwrap_or_default().iter().rev();
    let mut of_it = all.flat_map(|it| &it.functions).filter(|it| it.mfa() == explain.function);
    let first = of_it.next()?;
    Some(if first.own.is_some() {
        first
    } else {
        of_it.find(|it| it.own.is_some()).unwrap_or(first)
    })
}

/// CPU time that a server takes for a message, in microseconds, without what looking at it took.
pub(crate) fn server_us(it: &giulia_model::Mailbox) -> f64 {
    let busy = it.busy.map_or(0.0, |it| it.share - it.waiting_share.unwrap_or(0.0));
    let rate = it.waiting.map(|it| it.arrivals_per_second).or(it.per_second).unwrap_or(0.0);
    if rate <= 0.0 {
        return 0.0;
    }
    let least = it.service.map_or(0.0, |it| it.p50_us);
    (busy / rate * 1e6 - TRACED_US).max(least)
}
