//! What jumped from one window to the next: the largest rise and the largest fall of each figure, where
//! that is more than the figure changes anyway.

use std::collections::BTreeSet;

use giulia_model::{ProfileChange, ProfileWindow, Ranking};

use super::series::{CHANGE_MIN, NOISE_FACTOR, median};

/// Edges that it takes to tell what a figure changes usually.
const EDGES_MIN: usize = 3;
/// Changes that are told; the windows have the rest.
const CHANGES_MAX: usize = 10;
/// Of schedulers' time, and of a core: below, a window is as idle as the one before.
const BUSY_MIN: f64 = 0.05;
/// Of all work or calls of the busiest window: a smaller part of them explains nothing.
const PART_MIN: f64 = 0.1;
/// A mailbox or a count that changes by less is noise of its own kind.
const COUNT_MIN: f64 = 10.0;
/// In bytes. Our choice: the heaps of a quiet node swing by about so much between two collections.
const BYTES_MIN: f64 = 1_048_576.0;

/// A figure over the windows; none where a window does not have it.
#[derive(Debug)]
struct Figure {
    name: String,
    who: Option<String>,
    unit: &'static str,
    /// A smaller change is none.
    least: f64,
    values: Vec<Option<f64>>,
}

/// The largest, in the order of how far they are beyond the usual.
pub(super) fn changes(windows: &[ProfileWindow]) -> Vec<ProfileChange> {
    if windows.len() <= EDGES_MIN {
        return Vec::new();
    }
    let mut all: Vec<(f64, ProfileChange)> = Vec::new();
    let mut add = |it: &Figure| {
        all.extend([1.0, -1.0].into_iter().filter_map(|sign| jump(it, sign, windows)));
    };
    plain(windows, &mut add);
    mailboxes(windows, &mut add);
    groups(windows, &mut add);
    functions(windows, &mut add);
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    all.into_iter().take(CHANGES_MAX).map(|it| it.1).collect()
}

/// Figures that belong to nobody.
fn plain(windows: &[ProfileWindow], add: &mut impl FnMut(&Figure)) {
    let of = |name: &str, unit: &'static str, get: &dyn Fn(&ProfileWindow) -> Option<f64>| Figure {
        name: name.to_owned(),
        who: None,
        unit,
        least: BUSY_MIN,
        values: windows.iter().map(get).collect(),
    };
    add(&of("schedulers busy", "share", &|it| Some(it.schedulers.as_ref()?.utilisation?.median)));
    add(&of("CPU of the VM", "cores", &|it| Some(it.work.as_ref()?.cpu_cores?.median)));
    let online = windows.iter().filter_map(|it| it.schedulers.as_ref()).map(|it| it.online).max();
    let queue = of("run queue", "waiting", &|it| Some(it.schedulers.as_ref()?.run_queue.median));
    // One that waits for each scheduler is what work in bursts looks like.
    add(&Figure { least: as_f64(online.unwrap_or(1)).max(1.0), ..queue });
    let work = of("reductions", "per_second", &|it| Some(it.work.as_ref()?.reductions_per_second));
    add(&with_part(work));
    let calls = of("calls", "per_second", &|it| Some(it.calls.as_ref()?.calls_per_s));
    add(&with_part(calls));
    for name in names(windows.iter().flat_map(|it| &it.memory).map(|it| it.name.as_str())) {
        let at_end = |it: &ProfileWindow| {
            it.memory.iter().find(|it| it.name == name).map(|it| as_f64(it.last))
        };
        let figure = of(&format!("memory: {name}"), "bytes", &at_end);
        let least = (most(&figure) * CHANGE_MIN).max(BYTES_MIN);
        add(&Figure { least, ..figure });
    }
    for name in names(windows.iter().flat_map(|it| &it.limits).map(|it| it.name.as_str())) {
        let at_end = |it: &ProfileWindow| {
            it.limits.iter().find(|it| it.name == name).map(|it| as_f64(it.last))
        };
        let figure = of(&name, "count", &at_end);
        let least = (most(&figure) * CHANGE_MIN).max(COUNT_MIN);
        add(&Figure { least, ..figure });
    }
}

/// The longest one, whosever it is.
fn mailboxes(windows: &[ProfileWindow], add: &mut impl FnMut(&Figure)) {
    let longest = |it: &ProfileWindow| {
        let rows = it.mailboxes.as_ref()?;
        Some(as_f64(rows.first().map_or(0, |it| it.max)))
    };
    let rows = windows.iter().flat_map(|it| it.mailboxes.iter().flatten());
    add(&Figure {
        name: "longest mailbox".to_owned(),
        who: rows.max_by_key(|it| it.max).map(|it| it.name.clone()),
        unit: "count",
        least: COUNT_MIN,
        values: windows.iter().map(longest).collect(),
    });
}

/// Groups by initial call. One that is not among the rows of a window counts as none there; there
/// are rows enough that this is less than half of what is told at all.
fn groups(windows: &[ProfileWindow], add: &mut impl FnMut(&Figure)) {
    let per_second = |it: &ProfileWindow, reductions: u64| {
        as_f64(reductions) * 1000.0 / it.covered_ms.max(f64::MIN_POSITIVE)
    };
    let rows = |it: &ProfileWindow| it.work.as_ref().map(|it| it.by_initial_call.clone());
    let whole = |it: &ProfileWindow| it.work.as_ref().map(|it| it.reductions_per_second);
    let least = PART_MIN * windows.iter().filter_map(whole).fold(0.0, f64::max);
    let ranked: Vec<Option<Ranking>> = windows.iter().map(rows).collect();
    let all = windows.iter().zip(&ranked).flat_map(|(window, ranking)| {
        let rows = ranking.iter().flat_map(|it| &it.rows);
        rows.map(move |it| (it.name.as_str(), per_second(window, it.reductions)))
    });
    for name in names(all.filter(|it| it.1 >= least).map(|it| it.0)) {
        let values = windows.iter().zip(&ranked).map(|(window, ranking)| {
            let row = ranking.as_ref()?.rows.iter().find(|it| it.name == name);
            Some(row.map_or(0.0, |it| per_second(window, it.reductions)))
        });
        add(&Figure {
            name: "reductions of a group".to_owned(),
            who: Some(name.clone()),
            unit: "per_second",
            least,
            values: values.collect(),
        });
    }
}

/// Functions that were counted.
fn functions(windows: &[ProfileWindow], add: &mut impl FnMut(&Figure)) {
    let counted = || windows.iter().filter_map(|it| it.calls.as_ref());
    let least = PART_MIN * counted().map(|it| it.calls_per_s).fold(0.0, f64::max);
    let all = counted().flat_map(|it| &it.functions);
    let hot = all.filter(|it| it.calls_per_s.is_some_and(|it| it > 0.0 && it >= least));
    let hot: BTreeSet<_> = hot.map(giulia_model::TracedFunction::mfa).collect();
    for mfa in hot {
        let values = windows.iter().map(|it| {
            let row = it.calls.as_ref()?.functions.iter().find(|it| it.mfa() == mfa);
            // A lost counter says nothing of its window.
            row.map_or(Some(0.0), |it| it.calls_per_s)
        });
        add(&Figure {
            name: "calls of a function".to_owned(),
            who: Some(mfa.to_string()),
            unit: "per_second",
            least,
            values: values.collect(),
        });
    }
}

/// The largest change in this direction, and how many times what is usual and least it is.
fn jump(it: &Figure, sign: f64, windows: &[ProfileWindow]) -> Option<(f64, ProfileChange)> {
    // Windows that do not have the figure say nothing: those beside them are neighbours.
    let values: Vec<(usize, f64)> =
        it.values.iter().enumerate().filter_map(|(idx, it)| Some((idx, (*it)?))).collect();
    let edges: Vec<f64> = values
        .windows(2)
        .map(|pair| match pair {
            [before, after] => (after.1 - before.1) * sign,
            _ => 0.0,
        })
        .collect();
    if edges.len() < EDGES_MIN {
        return None;
    }
    let (largest, step) = edges.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let others = edges.iter().enumerate().filter(|(idx, _)| *idx != largest);
    let usual = median(others.map(|it| it.1.abs()))?;
    let beyond = (NOISE_FACTOR * usual).max(it.least);
    let is_beyond = |idx: usize| edges.get(idx).is_some_and(|it| *it > beyond);
    if !is_beyond(largest) {
        return None;
    }
    // What begins in the middle of a window needs two edges to be there.
    let (mut first, mut last) = (largest, largest);
    while first > 0 && is_beyond(first - 1) {
        first -= 1;
    }
    while is_beyond(last + 1) {
        last += 1;
    }
    let (before, begins) = (values.get(first)?, values.get(first + 1)?);
    let change = ProfileChange {
        figure: it.name.clone(),
        who: it.who.clone(),
        unit: it.unit.to_owned(),
        at_ms: windows.get(before.0 + 1)?.from_ms,
        window: u64::try_from(begins.0).unwrap_or(u64::MAX),
        before: before.1,
        after: values.get(last + 1)?.1,
        usual,
    };
    Some((step / beyond, change))
}

/// A change counts from a part of the most.
fn with_part(it: Figure) -> Figure {
    Figure { least: most(&it) * PART_MIN, ..it }
}

fn most(it: &Figure) -> f64 {
    it.values.iter().flatten().copied().fold(0.0, f64::max)
}

fn names<'a>(all: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    all.map(str::to_owned).collect()
}

#[expect(clippy::cast_precision_loss, reason = "figures are shown to three digits")]
fn as_f64(it: u64) -> f64 {
    it as f64
}

#[cfg(test)]
mod tests {
    use giulia_model::{Share, Trend, Work};

    use super::*;

    /// Windows of ten seconds with so much memory, in megabytes, at their ends.
    fn of_memory(megabytes: &[u64]) -> Vec<ProfileWindow> {
        let of = |(idx, megabytes): (usize, &u64)| ProfileWindow {
            from_ms: 10_000 * u64::try_from(idx).unwrap(),
            memory: vec![Trend {
                name: "total".to_owned(),
                last: megabytes << 20,
                ..Trend::default()
            }],
            ..ProfileWindow::default()
        };
        megabytes.iter().enumerate().map(of).collect()
    }

    fn told(windows: &[ProfileWindow]) -> Vec<(String, u64, f64, f64)> {
        let short = |it: ProfileChange| (it.figure, it.at_ms, it.before, it.after);
        changes(windows).into_iter().map(short).collect()
    }

    #[test]
    fn a_step_is_told_with_its_edge_and_noise_is_not() {
        let mb = |it: f64| it * 1_048_576.0;
        let step = told(&of_memory(&[50, 51, 50, 51, 90, 91, 90]));
        assert_eq!(step, [("memory: total".to_owned(), 40_000, mb(51.0), mb(90.0))]);
        assert_eq!(told(&of_memory(&[50, 53, 50, 54, 51, 55, 50])), []);
        // There and back are two.
        let peak = told(&of_memory(&[50, 51, 50, 90, 91, 50, 51]));
        let edges: Vec<u64> = peak.iter().map(|it| it.1).collect();
        assert_eq!(edges, [50_000, 30_000]);
    }

    #[test]
    fn growth_is_no_jump_and_too_few_windows_tell_nothing() {
        assert_eq!(told(&of_memory(&[50, 60, 70, 80, 90, 100])), []);
        assert_eq!(told(&of_memory(&[50, 50, 90])), []);
        assert_eq!(told(&of_memory(&[50, 50, 50, 90])).len(), 1);
    }

    #[test]
    fn what_begins_in_the_middle_of_a_window_is_told_from_there() {
        let it = told(&of_memory(&[50, 50, 50, 80, 150, 150, 150]));
        let mb = |it: f64| it * 1_048_576.0;
        assert_eq!(it, [("memory: total".to_owned(), 30_000, mb(50.0), mb(150.0))]);
    }

    #[test]
    fn windows_without_the_figure_are_looked_through() {
        let mut windows = of_memory(&[50, 0, 50, 0, 50, 0, 90, 90]);
        for it in &mut windows {
            it.memory.retain(|it| it.last > 0);
        }
        let mb = |it: f64| it * 1_048_576.0;
        let it = told(&windows);
        assert_eq!(it, [("memory: total".to_owned(), 50_000, mb(50.0), mb(90.0))]);
    }

    #[test]
    fn a_group_is_held_against_the_work_of_all() {
        let of = |idx: usize, busy: u64, small: u64| {
            let row = |name: &str, reductions| Share {
                name: name.to_owned(),
                reductions,
                ..Share::default()
            };
            let rows = [row("spin:run/0", busy), row("tiny:run/0", small)];
            let rows = rows.into_iter().filter(|it| it.reductions > 0).collect();
            let by_initial_call = Ranking { rows, ..Ranking::default() };
            let work = Work {
                reductions: busy + small,
                reductions_per_second: as_f64(busy + small),
                by_initial_call,
                ..Work::default()
            };
            ProfileWindow {
                from_ms: 1000 * u64::try_from(idx).unwrap(),
                covered_ms: 1000.0,
                work: Some(work),
                ..ProfileWindow::default()
            }
        };
        let load = [(0, 10), (0, 10), (0, 11), (9000, 500), (9000, 500)];
        let windows: Vec<_> =
            load.iter().enumerate().map(|(idx, it)| of(idx, it.0, it.1)).collect();
        let all = changes(&windows);
        let who: Vec<_> = all.iter().map(|it| (it.figure.as_str(), it.who.as_deref())).collect();
        let group = ("reductions of a group", Some("spin:run/0"));
        assert!(who.contains(&group) && who.contains(&("reductions", None)), "{who:?}");
        // A twentieth of the work explains nothing.
        assert_eq!(who.len(), 2, "{who:?}");
        assert!(all.iter().all(|it| (it.at_ms, it.window) == (3000, 3)), "{all:?}");
    }
}
