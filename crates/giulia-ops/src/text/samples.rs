//! Sampled calls for people: one line a call, callers and durations as tables.

use giulia_model::{CallSample, Outcome, SampleEnd, SampleKind, Samples, Seen};

use crate::{
    Out, Style,
    columns::{Align, Cell, Columns},
    text::snapshot,
    units,
};

/// Processes that are named as left alone before the rest is counted.
const LEFT_ALONE_SHOWN: usize = 5;

/// What one node's sample says.
pub(crate) fn samples(it: &Samples, out: &mut Out) {
    head(it, out);
    if it.kind == SampleKind::Callers {
        callers(it, out);
    }
    for call in &it.calls {
        one(call, out);
    }
    if let Some(d) = it.durations.filter(|_| it.kind.has_ends()) {
        let percentiles = [("half", d.p50_us), ("90 %", d.p90_us), ("99 %", d.p99_us)];
        let told = percentiles
            .iter()
            .filter_map(|(name, us)| us.map(|us| format!("{name} within {}", time(us))));
        let told: Vec<String> = told.chain([format!("longest {}", time(d.max_us))]).collect();
        let text = format!("{} calls began and ended: {}.", d.calls, told.join(", "));
        out.paragraph(0, Style::Plain, &text);
    }
    left_alone(it, out);
    notes(it, out);
    snapshot::not_seen(&it.not_seen, out);
}

fn head(it: &Samples, out: &mut Out) {
    let functions: Vec<String> = it.functions.iter().map(ToString::to_string).collect();
    let n = if it.kind == SampleKind::Callers {
        it.callers.iter().map(|it| it.calls).sum()
    } else {
        it.calls.len() as u64
    };
    let ended = match &it.ended {
        SampleEnd::Full => "; the tracer was full".to_owned(),
        SampleEnd::Time => "; the time was up".to_owned(),
        SampleEnd::Stopped => "; it was stopped".to_owned(),
        SampleEnd::Killed => "; the tracer reached its limit of memory and was ended".to_owned(),
        SampleEnd::Other(why) => format!("; {why}"),
        SampleEnd::Whole | _ => String::new(),
    };
    let what = if let SampleKind::Slow { from_us } = it.kind {
        format!("calls of {} or more", time(from_us))
    } else {
        "calls".to_owned()
    };
    let new = if it.processes.new_too { " and those that began meanwhile" } else { "" };
    let text = format!(
        "{n} {what} of {} within {}, by {} of {} processes{new}{ended}.",
        if functions.is_empty() { "nothing".to_owned() } else { functions.join(", ") },
        units::ms(it.window_ms),
        it.processes.asked,
        it.processes.total,
    );
    out.paragraph(0, Style::Plain, &text);
    out.blank();
}

fn one(call: &CallSample, out: &mut Out) {
    let told = |it: &[Seen]| {
        let texts: Vec<&str> = it.iter().map(|it| it.text.as_str()).collect();
        texts.join(", ")
    };
    let mfa = &call.function;
    let name = mfa.to_string();
    let name = name.rsplit_once('/').map_or(name.as_str(), |it| it.0);
    let call_text = match &call.arguments {
        Some(arguments) => format!("{name}({})", told(arguments)),
        None => mfa.to_string(),
    };
    let outcome = match &call.outcome {
        Some(Outcome::Returned(it)) => format!(" -> {}", it.text),
        Some(Outcome::Raised { class, reason }) => format!(" raised {class}: {}", reason.text),
        Some(Outcome::StillRunning) => " has not ended".to_owned(),
        _ => String::new(),
    };
    let took = call.duration_us.map(|it| format!("  {}", time(it))).unwrap_or_default();
    out.hanging("  ", 4, Style::Plain, &format!("{call_text}{outcome}{took}"));
    let who = match &call.process {
        Some(name) => format!("{name} {}", call.pid),
        None => call.pid.to_string(),
    };
    let from = call.returns_to.as_ref().map(|it| format!(", returns to {it}")).unwrap_or_default();
    out.hanging("    ", 6, Style::Dim, &format!("by {who}{from}"));
}

fn callers(it: &Samples, out: &mut Out) {
    let mut columns = Columns::new(&[
        ("returns to", Align::Name),
        ("calls", Align::Right),
        ("share", Align::Right),
    ]);
    for row in &it.callers {
        let to = row.returns_to.as_ref().map_or("nowhere".to_owned(), ToString::to_string);
        let to = if it.functions.len() > 1 { format!("{to}  from {}", row.function) } else { to };
        columns.row([
            Cell::of(to),
            Cell::of(units::count(row.calls)),
            Cell::of(units::percent(row.share)),
        ]);
    }
    out.columns(&columns);
    out.blank();
}

fn left_alone(it: &Samples, out: &mut Out) {
    for left in it.processes.left_alone.iter().take(LEFT_ALONE_SHOWN) {
        out.hanging("", 2, Style::Warn, &format!("{} was left alone: {}", left.pid, left.why));
    }
    let shown = it.processes.left_alone.len().min(LEFT_ALONE_SHOWN);
    let more = it.processes.left_alone.len() - shown;
    let more = it.processes.left_alone_more + more as u64;
    if more > 0 {
        out.line(&[(Style::Dim, &format!("{more} more processes were left alone"))]);
    }
}

/// What a sample does not say.
fn notes(it: &Samples, out: &mut Out) {
    let ends = "Functions that are called in tail position return to their caller's caller, which is the one shown.";
    let note = match it.kind {
        SampleKind::Arguments if it.values => ends.to_owned(),
        SampleKind::Arguments => format!("Types and sizes only; --values shows values. {ends}"),
        SampleKind::Callers => format!(
            "Each process was asked for one call at a time, so shares are of processes that call and not of all calls. {ends}"
        ),
        SampleKind::Returns | SampleKind::Slow { .. } => {
            "At most ten of the processes that call were followed. Times include waiting, and some microseconds of tracing.".to_owned()
        }
    };
    out.paragraph(0, Style::Dim, &note);
    out.blank();
}

fn time(us: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a time for people")]
    let ms = us as f64 / 1000.0;
    if us < 1000 { format!("{us} us") } else { units::ms(ms) }
}
