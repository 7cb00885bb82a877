//! A change that was advised, before and after, and what its predictions were worth.

use std::fmt::Write as _;

use serde_json::Value;

use super::{super::Changed, found, number, plain, text};

/// Figures of a load's last line that are told, as its two scripts name them.
const LOAD: [(&str, &str); 7] = [
    ("operations_per_second", "operations/s"),
    ("median_ms", "median, ms"),
    ("p50_us", "median, µs"),
    ("p95_ms", "95 %, ms"),
    ("p95_us", "95 %, µs"),
    ("p99_ms", "99 %, ms"),
    ("p99_us", "99 %, µs"),
];

pub(super) fn changed(page: &mut String, change: &Changed) {
    let _ = writeln!(page, "\n## {}\n", change.what);
    page.push_str("What the load said of itself, while it was looked at closely too:\n\n| figure | before | after |\n|---|---|---|\n");
    let [before, after] = &change.loads;
    for (name, title) in LOAD {
        if let (Some(before), Some(after)) = (before.get(name), after.get(name)) {
            let _ = writeln!(page, "| {title} | {} | {} |", plain(*before), plain(*after));
        }
    }
    page.push('\n');
    for (when, checked) in [("Before", &change.before), ("After", &change.after)] {
        let all = found(checked);
        let _ = writeln!(
            page,
            "{when}, `giulia check` found{}\n",
            if all.is_empty() { " nothing." } else { ":" }
        );
        for it in all {
            let _ = writeln!(
                page,
                "- **{}** ({}): {}.",
                text(it, "title"),
                text(it, "severity"),
                text(it, "why")
            );
            advice(page, it);
        }
        page.push('\n');
    }
    scored(page, change);
}

/// What to do, what may go wrong, and how one tells whether it helped.
fn advice(page: &mut String, it: &Value) {
    if !text(it, "recommendation").is_empty() {
        let _ = writeln!(page, "  - do: {}", text(it, "recommendation"));
    }
    for risk in it.get("risks").and_then(Value::as_array).into_iter().flatten() {
        let _ = writeln!(page, "  - risk: {}", risk.as_str().unwrap_or_default());
    }
    if !text(it, "verify").is_empty() {
        let _ = writeln!(page, "  - verify: `{}`", text(it, "verify"));
    }
}

fn scored(page: &mut String, change: &Changed) {
    page.push_str(
        "What was predicted before the change, and what `giulia compare` measured after it:\n\n\
         | prediction | before | predicted | range | measured | off by | |\n|---|---|---|---|---|---|---|\n",
    );
    for it in predictions(change) {
        let gain = it.get("gain").unwrap_or(&Value::Null);
        let off = it.get("error_share").and_then(Value::as_f64);
        let _ = writeln!(
            page,
            "| {} of `{}` | {} | {} | {} to {} | {} | {} | {} |",
            text(gain, "unit"),
            text(gain, "of"),
            plain(number(gain, "/before")),
            plain(number(gain, "/likely")),
            plain(number(gain, "/low")),
            plain(number(gain, "/high")),
            it.get("measured").and_then(Value::as_f64).map_or("-".to_owned(), plain),
            off.map_or("-".to_owned(), |it| format!("{:.0} %", it * 100.0)),
            match it.get("within").and_then(Value::as_bool) {
                Some(true) => "within",
                Some(false) => "outside",
                None => "not measured",
            }
        );
    }
}

/// The predictions of the session before, held against the one after.
pub(super) fn predictions(change: &Changed) -> Vec<&Value> {
    let all = change.compared.get("predictions").and_then(Value::as_array);
    all.into_iter().flatten().collect()
}

/// In a sentence.
pub(super) fn in_short(change: &Changed) -> String {
    let rows = predictions(change);
    let within = rows.iter().filter(|it| it.get("within") == Some(&Value::Bool(true))).count();
    let rate = |at: usize| change.loads.get(at).and_then(|it| it.get("operations_per_second"));
    let rates = match (rate(0), rate(1)) {
        (Some(before), Some(after)) => {
            format!("{} operations/s before, {} after; ", plain(*before), plain(*after))
        }
        _ => String::new(),
    };
    format!("{rates}{within} of {} predictions came true", rows.len())
}
