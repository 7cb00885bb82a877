//! What a function rests on, for people: one sentence, then where that comes from.

use giulia_model::{
    Caller, Cycles, Explain, ExplainVerdict, ExplainWritten, Latency, Restored, RestsOn,
    RestsOnKind, Stability,
};

use crate::{
    Out, Style,
    columns::{Align, Cell, Columns},
    text::snapshot,
    units,
};

/// Callers in the text; the document has up to twenty.
const CALLERS_SHOWN_MAX: usize = 5;

/// What takes less of the time, and of the calls, is not in the first sentence.
const SAID_MIN: f64 = 0.05;

/// The whole answer.
pub(crate) fn explain(it: &Explain, out: &mut Out) {
    let where_ = format!("  on {}", it.node);
    out.line(&[(Style::Title, &it.function.to_string()), (Style::Plain, &where_)]);
    if let Some(written) = &it.written {
        out.hanging("", 0, Style::Dim, &self::written(written));
    }
    out.hanging("", 0, Style::Plain, &sentence(it));
    if let Some(why) = &it.why {
        out.hanging("", 0, Style::Warn, &format!("{}.", upper(why)));
    }
    if it.verdict == ExplainVerdict::Refused {
        snapshot::not_seen(&it.not_seen, out);
        snapshot::cost(&it.impact, out);
        return;
    }
    if !it.rests_on.is_empty() {
        shares(it, out);
    }
    out.blank();
    if let Some(latency) = &it.latency {
        fact("a call took", &self::latency(latency), out);
    }
    fact("seen", &seen(it), out);
    if !it.callers.is_empty() {
        fact("called by", &callers(&it.callers), out);
    }
    if let Some(stability) = &it.stability {
        fact("stability", &self::stability(stability), out);
    }
    if let Some(cycles) = &it.cycles {
        fact("callers", &self::cycles(cycles), out);
    }
    if let Some(price) = &it.read_price {
        let text = format!(
            "a read of an ETS table with such keys and values takes {:.2} us often and {:.2} us \
             once in a while on this node",
            price.often_us, price.seldom_us
        );
        fact("instead", &text, out);
    }
    if !it.sample.followed.is_empty() {
        fact("followed", &it.sample.followed.join(", "), out);
    }
    if !it.sample.other_tracers.is_empty() {
        let others = it.sample.other_tracers.join("; ");
        fact("other tools", &format!("{others}: times are longer for it"), out);
    }
    fact("switched on", &manifest(it), out);
    snapshot::gates(&it.gates, out);
    snapshot::not_seen(&it.not_seen, out);
    snapshot::cost(&it.impact, out);
}

fn written(it: &ExplainWritten) -> String {
    let file = it.file.as_deref().unwrap_or("an unknown file");
    let line = it.line.map(|it| format!(":{it}")).unwrap_or_default();
    let runs = match (it.is_what_runs, &it.graph) {
        (Some(true), _) => "; what runs is this file".to_owned(),
        (Some(false), None) => "; its file has changed since it was loaded".to_owned(),
        (Some(false), Some(graph)) => format!("; what is indexed of {graph} is not what runs"),
        (None, _) => String::new(),
    };
    let reachable: Vec<String> = it.reachable.iter().map(ToString::to_string).collect();
    let reachable = if reachable.is_empty() {
        "its module reaches no table, process, socket or file by name from it".to_owned()
    } else {
        format!("its bytecode can reach {}", reachable.join(", "))
    };
    format!("{file}{line}{runs}; {reachable}")
}

fn sentence(it: &Explain) -> String {
    match it.verdict {
        ExplainVerdict::Refused => return "It is not traced.".to_owned(),
        ExplainVerdict::NotCalled => return "It was not called.".to_owned(),
        ExplainVerdict::NotEnoughSeen => return "Not enough was seen.".to_owned(),
        ExplainVerdict::OwnCode if it.rests_on.len() <= 1 => {
            return "It rests on nothing but its own code.".to_owned();
        }
        ExplainVerdict::OwnCode | ExplainVerdict::Rests => {}
    }
    let said: Vec<String> = it
        .rests_on
        .iter()
        .filter(|it| it.share_of_time >= SAID_MIN || it.share_of_calls >= SAID_MIN)
        .map(|it| {
            let time = units::percent(it.share_of_time);
            let calls = units::percent(it.share_of_calls);
            format!("{} ({time} of its time, the most in {calls} of its calls)", named(it))
        })
        .collect();
    let short = it.latency.as_ref().is_some_and(|it| it.p50_us < it.resolution_us);
    let as_far = if short && it.verdict == ExplainVerdict::Rests {
        " What of its own code took less than a trace can tell is not in that."
    } else {
        ""
    };
    format!("It rests on {}.{as_far}", said.join(", and on "))
}

pub(super) fn named(it: &RestsOn) -> String {
    let kind = kind(it.kind);
    let name = if it.name.is_empty() { kind.to_owned() } else { format!("{kind} {}", it.name) };
    if it.via.is_empty() { name } else { format!("{name} through {}", it.via.join(", ")) }
}

fn kind(it: RestsOnKind) -> &'static str {
    match it {
        RestsOnKind::OwnCode => "its own code",
        RestsOnKind::EtsTable => "the ETS table",
        RestsOnKind::PersistentTerm => "persistent_term",
        RestsOnKind::Process => "the process",
        RestsOnKind::ChildProcess => "a process",
        RestsOnKind::RemoteNode => "another node:",
        RestsOnKind::Socket => "the socket to",
        RestsOnKind::TlsSocket => "the TLS socket to",
        RestsOnKind::Port => "the port",
        RestsOnKind::File => "the file",
        RestsOnKind::DiskTable => "the DETS table",
        RestsOnKind::Timer => "a timer",
    }
}

fn shares(it: &Explain, out: &mut Out) {
    let note = format!("{} of the time explained", units::percent(it.explained));
    out.heading("Where the time goes", &note);
    let mut columns = Columns::new(&[
        ("time", Align::Right),
        ("calls", Align::Right),
        ("on", Align::Name),
        ("through", Align::Extra),
    ]);
    for row in &it.rests_on {
        let name = RestsOn { via: Vec::new(), ..row.clone() };
        columns.row(vec![
            Cell::of(units::percent(row.share_of_time)),
            Cell::of(units::percent(row.share_of_calls)),
            Cell::of(named(&name)),
            Cell::of(row.via.join(", ")),
        ]);
    }
    out.columns(&columns);
}

fn latency(it: &Latency) -> String {
    if it.p99_us < it.resolution_us {
        return format!("less than {} us, too short to measure by a trace", it.resolution_us);
    }
    let us = |us: f64| match us {
        us if us < it.resolution_us => format!("under {} us", it.resolution_us),
        us if us < 1000.0 => format!("{us:.0} us"),
        us => units::ms(us / 1000.0),
    };
    format!(
        "{} (half of them), {} (90 %), {} (99 %), {} at most",
        us(it.p50_us),
        us(it.p90_us),
        us(it.p99_us),
        us(it.max_us)
    )
}

fn seen(it: &Explain) -> String {
    let calls = &it.calls;
    let mut facts = vec![format!(
        "{} whole calls in {} processes within {}",
        units::count(calls.whole),
        units::count(calls.processes),
        units::span(it.sample.window_ms)
    )];
    for (count, what) in [
        (calls.raised, "raised"),
        (calls.exited, "ended with their process"),
        (calls.cut, "were not over and left out"),
    ] {
        if count > 0 {
            facts.push(format!("{} {what}", units::count(count)));
        }
    }
    facts.join(", ")
}

fn callers(them: &[Caller]) -> String {
    let all: u64 = them.iter().map(|it| it.calls).sum();
    let shown = them.iter().take(CALLERS_SHOWN_MAX).map(|it| {
        let name = match &it.function {
            Some(mfa) => mfa.to_string(),
            None => "(the stack does not say)".to_owned(),
        };
        format!("{name} {}", units::percent(units::share(it.calls, all)))
    });
    let shown: Vec<String> = shown.collect();
    let rest = them.len().saturating_sub(shown.len());
    let rest = if rest > 0 { format!(", {rest} more") } else { String::new() };
    format!("{}{rest}", shown.join(", "))
}

fn stability(it: &Stability) -> String {
    let sizes = format!(
        "arguments of {} and results of {} (half of them), {} at most",
        units::bytes(it.key_bytes_p50),
        units::bytes(it.result_bytes_p50),
        units::bytes(it.result_bytes_max)
    );
    let keys = format!("{} different arguments in {} calls", it.distinct_keys, it.calls);
    let changed = match (it.repeated, it.changed) {
        (0, _) => "none came again".to_owned(),
        (repeated, 0) => format!("{repeated} came again, always with the same result"),
        (repeated, changed) => format!("{repeated} came again, {changed} with another result"),
    };
    format!("{keys}; {changed}; {sizes}")
}

fn cycles(it: &Cycles) -> String {
    format!(
        "from call to call {} on average under trace ({} of them seen): {} in the call, {} waiting \
         for a socket, a clock or somebody else's message",
        units::ms(it.mean_us / 1000.0),
        units::count(it.seen),
        units::percent(it.called_share),
        units::percent(it.waited_share)
    )
}

fn manifest(it: &Explain) -> String {
    let left = it.manifest.iter().filter(|it| it.restored != Restored::Yes).count();
    match (it.manifest.len(), left) {
        (0, _) => "nothing".to_owned(),
        (_, 0) => {
            let boundaries = units::count(it.sample.boundaries);
            format!(
                "tracing of this function and {boundaries} boundaries, {} times, and off again; its \
                 messages cost an estimated {} of a core",
                it.sample.rounds,
                units::percent(it.sample.cost_share)
            )
        }
        (_, left) => format!("{left} settings of which the node did not say that they are undone"),
    }
}

fn upper(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// A fact behind its name, in columns.
fn fact(name: &str, text: &str, out: &mut Out) {
    out.hanging(&format!("  {name:<14}"), 16, Style::Plain, text);
}
