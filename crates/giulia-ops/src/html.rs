//! A report, or a profile, as one HTML file that needs no network: charts, the pages that text and
//! Markdown show, and below them every figure of the document.

use std::fmt::Write as _;

use giulia_model::{Profile, ProfileWindow, Report, SeriesOver, SeriesPoint};
use serde_json::Value;

use crate::{
    out::clean,
    text::{self, findings::value},
    units,
};

/// What the browser shows before and after; a policy that forbids it to fetch anything.
const HEAD: &str = include_str!("report_head.html");
/// Of a chart, in pixels.
const WIDTH: f64 = 340.0;
const HEIGHT: f64 = 110.0;
/// How deep a document nests; ours nest to nine.
const DEPTH_MAX: usize = 32;

/// A report as a whole file.
pub(crate) fn report(it: &Report) -> Vec<u8> {
    let document = serde_json::to_value(it).unwrap_or_default();
    file(&it.session.name, &it.series, &text::report(it).html(), &document)
}

/// A profile as a whole file: a point of a chart is a window.
pub(crate) fn profile(it: &Profile) -> Vec<u8> {
    let document = serde_json::to_value(it).unwrap_or_default();
    file(&it.session.name, &by_window(it), &text::profile(it).html(), &document)
}

fn by_window(it: &Profile) -> Vec<SeriesOver> {
    let of = |name: &str, unit: &str, get: &dyn Fn(&ProfileWindow) -> Option<f64>| SeriesOver {
        name: name.to_owned(),
        unit: unit.to_owned(),
        points: it
            .windows
            .iter()
            .filter_map(|it| Some(SeriesPoint { at_ms: it.to_ms, value: get(it)? }))
            .collect(),
    };
    let total =
        |it: &ProfileWindow| it.memory.iter().find(|it| it.name == "total").map(|it| it.last);
    let mailbox = |it: &ProfileWindow| {
        it.mailboxes.as_ref().map(|it| as_f64(it.first().map_or(0, |it| it.max)))
    };
    vec![
        of("schedulers busy", "share", &|it| Some(it.schedulers.as_ref()?.utilisation?.median)),
        of("CPU of the VM", "cores", &|it| Some(it.work.as_ref()?.cpu_cores?.median)),
        of("reductions", "per_second", &|it| Some(it.work.as_ref()?.reductions_per_second)),
        of("run queue", "waiting", &|it| Some(it.schedulers.as_ref()?.run_queue.median)),
        of("memory: total", "bytes", &|it| total(it).map(as_f64)),
        of("longest mailbox", "count", &mailbox),
        of("calls", "per_second", &|it| Some(it.calls.as_ref()?.calls_per_s)),
    ]
}

/// Charts, the page, and every figure below.
fn file(name: &str, all: &[SeriesOver], shown: &str, document: &Value) -> Vec<u8> {
    let mut page = HEAD.replace("TITLE", &escaped(&format!("giulia: {name}")));
    page.push_str("<section class=\"charts\">\n");
    for series in all.iter().filter(|it| it.points.len() > 1) {
        chart(series, &mut page);
    }
    page.push_str("</section>\n<main>\n");
    page.push_str(shown);
    page.push_str("</main>\n<section class=\"all\">\n<h2>Every figure</h2>\n");
    tree(document, &mut page, 0);
    page.push_str("</section>\n</body>\n</html>\n");
    page.into_bytes()
}

/// A line over time, with its least and most.
fn chart(it: &SeriesOver, page: &mut String) {
    let values = || it.points.iter().map(|it| it.value);
    let most = values().fold(f64::MIN, f64::max);
    let least = values().fold(f64::MAX, f64::min).min(most);
    // Shares and counts begin at nothing, so that a tenth of a percent is no mountain.
    let floor = if it.unit == "bytes" { least } else { 0.0_f64.min(least) };
    let room = (most - floor).max(f64::MIN_POSITIVE);
    let until = it.points.last().map_or(1, |it| it.at_ms.max(1));
    let mut points = String::new();
    for point in &it.points {
        let x = as_f64(point.at_ms) / as_f64(until) * WIDTH;
        let y = HEIGHT - (point.value - floor) / room * HEIGHT;
        // Writing to a string does not fail.
        write!(points, "{x:.1},{y:.1} ").ok();
    }
    let [least, most] = [least, most].map(|it_| value(it_, &it.unit));
    let (name, until) = (escaped(&it.name), units::span(until));
    writeln!(
        page,
        "<figure><figcaption>{name}<span>{} to {}</span></figcaption>\
         <svg viewBox=\"0 -4 {WIDTH} {}\" role=\"img\" aria-label=\"{name}\" \
         preserveAspectRatio=\"none\"><polyline points=\"{}\"/></svg>\
         <div class=\"axis\"><span>0</span><span>{}</span></div></figure>",
        escaped(&least),
        escaped(&most),
        HEIGHT + 8.0,
        points.trim_end(),
        escaped(&until),
    )
    .ok();
}

/// Every figure under its name.
fn tree(it: &Value, page: &mut String, depth: usize) {
    if depth > DEPTH_MAX {
        return;
    }
    match it {
        Value::Object(fields) => {
            page.push_str("<dl>");
            for (name, field) in fields {
                write!(page, "<dt>{}</dt><dd>", escaped(name)).ok();
                tree(field, page, depth + 1);
                page.push_str("</dd>");
            }
            page.push_str("</dl>");
        }
        Value::Array(all) => {
            let plural = if all.len() == 1 { "" } else { "s" };
            write!(page, "<details open><summary>{} row{plural}</summary><ol>", all.len()).ok();
            for it in all {
                page.push_str("<li>");
                tree(it, page, depth + 1);
                page.push_str("</li>");
            }
            page.push_str("</ol></details>");
        }
        Value::String(text) => page.push_str(&escaped(text)),
        Value::Null => page.push('-'),
        other @ (Value::Bool(_) | Value::Number(_)) => page.push_str(&other.to_string()),
    }
}

/// What a node says of itself is text and no markup.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for it in clean(text).chars() {
        match it {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            _ => escaped.push(it),
        }
    }
    escaped
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of a session")]
fn as_f64(it: u64) -> f64 {
    it as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = include_str!("../fixtures/report.json");

    /// Every leaf of a document.
    fn leaves(it: &Value, all: &mut Vec<String>) {
        match it {
            Value::Object(fields) => fields.values().for_each(|it| leaves(it, all)),
            Value::Array(rows) => rows.iter().for_each(|it| leaves(it, all)),
            Value::Null => {}
            Value::String(text) => all.push(escaped(text)),
            Value::Bool(_) | Value::Number(_) => all.push(it.to_string()),
        }
    }

    #[test]
    fn the_page_holds_every_figure_and_fetches_nothing() {
        let mut it: Report = serde_json::from_str(REPORT).unwrap();
        it.session.name = "<b>shop</b>".to_owned();
        it.series = vec![SeriesOver {
            name: "memory: total".to_owned(),
            unit: "bytes".to_owned(),
            points: vec![
                giulia_model::SeriesPoint { at_ms: 0, value: 1_000.0 },
                giulia_model::SeriesPoint { at_ms: 1000, value: 3_000.0 },
            ],
        }];
        let page = String::from_utf8(report(&it)).unwrap();
        let mut all = Vec::new();
        leaves(&serde_json::to_value(&it).unwrap(), &mut all);
        assert!(all.len() > 100, "{}", all.len());
        for leaf in all {
            assert!(page.contains(&leaf), "{leaf} is not in the page");
        }
        for word in ["http://", "https://", "<script", "src=", "url(", "<b>"] {
            assert!(!page.contains(word), "the page has {word}");
        }
        assert!(page.contains("<polyline points=\"0.0,110.0 340.0,0.0\"/>"), "no chart");
    }
}
