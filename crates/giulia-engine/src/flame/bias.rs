//! What sampling stacks shows too large, too small or not at all, in sentences with its figures.

use giulia_model::{Flame, FlameOf, ThreadsBusy};

/// The notes of one graph, the most important first.
pub(super) fn notes(it: &Flame) -> Vec<String> {
    match it.of {
        FlameOf::Running => running(it),
        FlameOf::Waiting => waiting(it),
    }
}

fn running(it: &Flame) -> Vec<String> {
    let mut notes = vec![
        "A process answers at the end of its time slice (4,000 reductions) or when it waits, so a \
         sample shows where slices end: shares follow reductions within a process, time between \
         processes. Time in a built-in or native function appears at the function that called it."
            .to_owned(),
    ];
    let found = it.brief.saturating_add(it.samples_all);
    if it.brief > 0 {
        let most = it.brief_groups.first().map_or("", |it| it.name.as_str());
        notes.push(format!(
            "{} of {found} processes found at work waited again before they could be asked (most \
             of them {most}): work in pieces shorter than a time slice is shown too small.",
            it.brief,
        ));
    }
    if let Some(busy) = &it.utilisation {
        let threads = |of: &ThreadsBusy| of.each.iter().sum::<f64>();
        notes.push(format!(
            "Schedulers were {:.0} % busy ({:.2} of {} threads), with {:.2} samples a round; what \
             they do without a process (ports, timers, memory, looking for work) has no stack. \
             Native code on dirty schedulers took {:.2} threads of CPU work and {:.2} of IO.",
            busy.normal.total * 100.0,
            threads(&busy.normal),
            busy.normal.each.len(),
            ratio(it.samples_all, it.rounds),
            threads(&busy.dirty_cpu),
            threads(&busy.dirty_io),
        ));
    }
    notes.extend(cut(it));
    notes
}

fn waiting(it: &Flame) -> Vec<String> {
    let mut notes = vec![format!(
        "Each of {} rounds counts every process that waits once: divided by the rounds, samples are \
         processes. Waiting is where a process stands when nobody has sent it work yet; most of it \
         is idleness, not delay.",
        it.rounds
    )];
    notes.extend(cut(it));
    notes
}

fn cut(it: &Flame) -> Option<String> {
    let cut: u64 = it.stacks.iter().filter(|it| it.cut).map(|it| it.samples).sum();
    (cut > 0).then(|| {
        format!(
            "{:.0} % of the stacks were cut by the VM at its backtrace_depth (8 frames by default): \
             their outer functions are missing, and `total` of those is too small.",
            ratio(cut, it.samples) * 100.0
        )
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts of samples")]
fn ratio(part: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { part as f64 / of as f64 }
}
