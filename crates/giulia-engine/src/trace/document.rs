//! What was counted as a document: rows sorted and cut, shares, everything that is not in them.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

use giulia_model::{
    Change, LeftOut, Measured, Mfa, NotSeen, Own, Trace, TracedFunction, TracedGroup, TracedModule,
    TracedNode,
};

use super::{
    Told, TraceRequest, TraceSort,
    counting::Counted,
    measuring::{Group, Measurement},
};
use crate::remote::Link;

/// Functions that were left out and modules that were not loaded, by name.
const NAMED_MAX: usize = 1000;

/// Functions whose counter was lost, by name.
const LOST_MAX: usize = 20;
/// Modules that giulia's own questions call on the node.
const OURS: [&str; 6] = ["erl_eval", "erlang", "erpc", "ets", "lists", "trace"];

/// All nodes in one document.
pub(super) fn document(told: &[Told], request: &TraceRequest) -> Trace {
    let mut trace = Trace {
        patterns: request.patterns.iter().map(ToString::to_string).collect(),
        sort: request.sort.name().to_owned(),
        asked_ms: u64::try_from(request.window.as_millis()).unwrap_or(u64::MAX),
        ..Trace::default()
    };
    let is_one = told.len() == 1;
    for it in told {
        let named = (!is_one).then(|| it.node.clone());
        add(&mut trace, it, named.as_deref(), request);
    }
    trace.functions.sort_by(|left, right| functions(request.sort, left, right));
    trace.functions.truncate(request.top);
    trace.modules.sort_by(|left, right| modules(request.sort, left, right));
    trace.modules.truncate(request.top);
    trace.groups.sort_by_key(|it| {
        let words = if request.sort == TraceSort::Memory { it.words } else { None };
        std::cmp::Reverse((words, it.own_time_us))
    });
    trace.groups.truncate(request.top);
    trace.left_out.truncate(NAMED_MAX);
    trace
}

/// The functions of the rows that this node has a part in, those to be shown first before others.
pub(super) fn rows(told: &Told, request: &TraceRequest) -> Vec<Mfa> {
    let mut trace = Trace::default();
    add(&mut trace, told, None, request);
    trace.functions.sort_by(|left, right| functions(request.sort, left, right));
    trace.functions.iter().take(request.top).map(TracedFunction::mfa).collect()
}

fn add(trace: &mut Trace, told: &Told, node: Option<&str>, request: &TraceRequest) {
    let since = |at: std::time::Instant| {
        u64::try_from(at.saturating_duration_since(told.began).as_millis()).unwrap_or(u64::MAX)
    };
    let manifest = told.manifest.iter().map(|it| Change {
        what: it.name.clone(),
        made_at_ms: since(it.made),
        restored: it.restored,
        restored_at_ms: it.restored_at.map(since),
    });
    let mut is = TracedNode {
        node: told.node.clone(),
        budget_share: request.budget_share,
        other_tracers: told.other_tracers.clone(),
        manifest: manifest.collect(),
        impact: told.impact.clone(),
        ..TracedNode::default()
    };
    for it in &told.resolved.missing {
        trace.not_seen.push(NotSeen { what: it.pattern.clone(), why: it.to_string() });
    }
    trace.not_seen.extend(not_loaded(&told.resolved.not_loaded));
    trace.planned_calls.extend(told.planned_calls.iter().cloned());
    if let Some(counted) = &told.counted {
        let first = trace.functions.len();
        count(trace, &mut is, counted, node);
        for row in trace.functions.iter_mut().skip(first) {
            row.place = told.places.place(&row.mfa());
        }
        trace.not_seen.extend(told.places.not_seen(&told.node));
    } else {
        is.modules_counted = number(told.resolved.modules.len());
        is.functions_counted = number(told.resolved.len());
    }
    trace.nodes.push(is);
}

fn count(trace: &mut Trace, is: &mut TracedNode, counted: &Counted, node: Option<&str>) {
    let node = || node.map(str::to_owned);
    let calls = counted.functions.values().filter_map(|it| it.as_ref().ok());
    is.calls = calls.copied().fold(0, u64::saturating_add);
    is.window_ms = counted.window.as_secs_f64() * 1000.0;
    is.interrupted = counted.interrupted;
    is.functions_counted = number(counted.functions.len());
    let per_s = |calls: u64| of(calls, 1) / counted.window.as_secs_f64().max(1e-3);
    is.counters_share = counted.room.map_or(0.0, |it| it.counting(per_s(is.calls)));
    is.loaded_meanwhile.clone_from(&counted.loaded_meanwhile);
    let mut by_module: BTreeMap<&str, TracedModule> = BTreeMap::new();
    for (mfa, told) in &counted.functions {
        let module = by_module.entry(&mfa.module).or_default();
        module.node = node();
        module.module.clone_from(&mfa.module);
        if *told == Ok(0) {
            continue;
        }
        let own = counted.measurement.as_ref().and_then(|it| it.own(mfa));
        let mut row = TracedFunction {
            node: node(),
            module: mfa.module.clone(),
            name: mfa.function.clone(),
            arity: mfa.arity,
            window_ms: is.window_ms,
            own: own.filter(|it| it.own_time_calls > 0),
            ..TracedFunction::default()
        };
        match told {
            Ok(calls) => {
                (row.calls, row.calls_per_s) = (Some(*calls), Some(per_s(*calls)));
                row.share = Some(of(*calls, is.calls));
                module.functions_called += 1;
                module.calls = module.calls.saturating_add(*calls);
            }
            Err(why) => {
                row.lost = Some(why.clone());
                module.functions_lost += 1;
            }
        }
        if let Some(own) = &row.own {
            *module.own_time_us.get_or_insert(0) += own.own_time_us;
            if let Some(words) = own.words {
                *module.words.get_or_insert(0) += words;
            }
        }
        trace.functions.push(row);
    }
    is.modules_counted = number(by_module.len());
    for mut it in by_module.into_values() {
        it.calls_per_s = per_s(it.calls);
        it.share = of(it.calls, is.calls);
        if it.functions_called + it.functions_lost > 0 {
            trace.modules.push(it);
        }
    }
    if let Some(measurement) = &counted.measurement {
        is.measured = Some(measurement.facts());
        trace.groups.extend(measurement.rows(node().as_deref()));
    }
    trace.not_seen.extend(ours(counted.functions.keys()));
    trace.not_seen.extend(lost(counted));
    let left_out = counted.left_out.iter().cloned();
    trace.left_out.extend(left_out.map(|it| LeftOut { node: node(), ..it }));
    trace.not_seen.extend(counted.not_seen.iter().cloned());
}

impl Measurement {
    fn time_us(&self) -> u64 {
        self.functions.values().map(|it| it.time_us).fold(0, u64::saturating_add)
    }

    pub(super) fn own(&self, mfa: &Mfa) -> Option<Own> {
        let own = self.functions.get(mfa)?;
        Some(Own {
            own_time_us: own.time_us,
            own_time_share: of(own.time_us, self.time_us()),
            own_time_calls: own.calls,
            processes: own.processes,
            words: self.has_words.then_some(own.words),
        })
    }

    pub(super) fn rows(&self, node: Option<&str>) -> Vec<TracedGroup> {
        let row = |(group, it): (&String, &Group)| TracedGroup {
            node: node.map(str::to_owned),
            group: group.clone(),
            processes: it.processes,
            calls: it.calls,
            own_time_us: it.time_us,
            own_time_share: of(it.time_us, self.time_us()),
            words: self.has_words.then_some(it.words),
        };
        self.groups.iter().map(row).collect()
    }

    pub(super) fn facts(&self) -> Measured {
        Measured {
            window_ms: self.window.as_secs_f64() * 1000.0,
            functions: number(self.functions.len()),
            processes: self.processes,
            processes_total: self.processes_total,
            calls: self.functions.values().map(|it| it.calls).fold(0, u64::saturating_add),
            calls_of_everybody: self.calls_of_everybody,
            memory: self.has_words,
        }
    }
}

impl TraceSort {
    fn name(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Time => "time",
            Self::Memory => "memory",
        }
    }
}

/// Most first; those that were lost come before those that were not called, of which none is here.
fn functions(sort: TraceSort, left: &TracedFunction, right: &TracedFunction) -> Ordering {
    let key = |it: &TracedFunction| {
        let own = it.own.as_ref();
        let first = match sort {
            TraceSort::Calls => None,
            TraceSort::Time => own.map(|it| it.own_time_us),
            TraceSort::Memory => own.and_then(|it| it.words),
        };
        (first, it.calls)
    };
    key(right).cmp(&key(left)).then_with(|| left.mfa().cmp(&right.mfa()))
}

fn modules(sort: TraceSort, left: &TracedModule, right: &TracedModule) -> Ordering {
    let key = |it: &TracedModule| {
        let first = match sort {
            TraceSort::Calls => None,
            TraceSort::Time => it.own_time_us,
            TraceSort::Memory => it.words,
        };
        (first, it.calls)
    };
    key(right).cmp(&key(left)).then_with(|| left.module.cmp(&right.module))
}

/// They may be below the rows that are shown.
fn lost(counted: &Counted) -> Option<NotSeen> {
    let lost: Vec<String> =
        counted.functions.iter().filter(|it| it.1.is_err()).map(|it| it.0.to_string()).collect();
    let (shown, more) = lost.split_at_checked(LOST_MAX).unwrap_or((&lost, &[]));
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    (!lost.is_empty()).then(|| NotSeen {
        what: format!("calls of {} functions", lost.len()),
        why: format!("their counters were lost in the window: {}{more}", shown.join(", ")),
    })
}

/// Who calls is not counted, so that giulia's own calls are among those of the modules it uses.
pub(super) fn ours<'m>(counted: impl Iterator<Item = &'m Mfa>) -> Option<NotSeen> {
    let modules: BTreeSet<&str> = counted.map(|it| it.module.as_str()).collect();
    let is_counted = |name: &&str| modules.contains(*name);
    let shared: Vec<&str> = OURS.iter().copied().filter(is_counted).collect();
    (!shared.is_empty()).then(|| NotSeen {
        what: "who calls".to_owned(),
        why: format!(
            "giulia itself calls functions of {}, some thousand times while it reads, and counters \
             do not tell whose calls they are",
            shared.join(", ")
        ),
    })
}

pub(super) fn not_loaded(modules: &[String]) -> Option<NotSeen> {
    if modules.is_empty() {
        return None;
    }
    let shown: Vec<&str> =
        modules.iter().take(20).map(|it| it.strip_prefix("Elixir.").unwrap_or(it)).collect();
    let more = match modules.len().saturating_sub(shown.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(NotSeen {
        what: format!("{} modules", modules.len()),
        why: format!(
            "not loaded yet, so that they have nothing to count: {}{more}",
            shown.join(", ")
        ),
    })
}

/// The calls that change something, in their order, as Erlang would write them.
pub(super) fn planned(
    link: &Link,
    of: &giulia_probe::Resolved,
    request: &TraceRequest,
) -> Vec<String> {
    let is_isolated = link.erts().at_least(&[15]);
    let mut calls = Vec::new();
    if is_isolated {
        calls.push("S = trace:session_create(giulia, Tracer, [])".to_owned());
    }
    let call = |what: &str, value: &str| {
        if is_isolated {
            format!("trace:function(S, {what}, {value}, [call_count])")
        } else {
            format!("erlang:trace_pattern({what}, {value}, [call_count])")
        }
    };
    let patterns: Vec<String> =
        of.modules
            .iter()
            .flat_map(|it| {
                let whole = it.is_whole.then(|| format!("{{{}, '_', '_'}}", atom(&it.module)));
                let single = it.functions.iter().filter(|_| !it.is_whole).map(|(name, arity)| {
                    format!("{{{}, {}, {arity}}}", atom(&it.module), atom(name))
                });
                whole.into_iter().chain(single).collect::<Vec<_>>()
            })
            .collect();
    calls.extend(patterns.iter().map(|it| call(it, "true")));
    calls.push(format!(
        "%% after 50 ms: {} for those that would cost more than {} % of the schedulers",
        call("{M, F, A}", "false"),
        request.budget_share * 100.0
    ));
    calls.push("%% of the hottest 50 (20 before OTP 27), within the budget: the same with [call_time] and \
                [call_memory]".to_owned());
    calls.push(if is_isolated {
        "%% trace:process(S, Pid, true, [call]) for the 1,000 processes that work most".to_owned()
    } else {
        "%% erlang:trace(Pid, true, [call, {tracer, Tracer}]) for the 1,000 processes that work most"
            .to_owned()
    });
    calls.extend(patterns.iter().map(|it| call(it, "pause")));
    if is_isolated {
        calls.push("trace:session_destroy(S)".to_owned());
    } else {
        calls.extend(patterns.iter().rev().map(|it| call(it, "false")));
    }
    calls
}

/// An atom as Erlang writes it.
fn atom(name: &str) -> String {
    let is_plain = name.starts_with(|it: char| it.is_ascii_lowercase())
        && name.chars().all(|it| it.is_ascii_alphanumeric() || matches!(it, '_' | '@'));
    if is_plain {
        return name.to_owned();
    }
    format!("'{}'", name.replace('\\', "\\\\").replace('\'', "\\'"))
}

pub(super) fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// One figure of another, 0 where there is none.
#[expect(clippy::cast_precision_loss, reason = "shares and rates are shown to three digits")]
fn of(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
