//! Who did how much, added up over ticks in bounded memory, and ranked with what is left over.

use std::collections::BTreeMap;

use giulia_model::{Ranking, Share};

/// Names that are kept; one more, and the half that did least is let go into the rest. A process
/// that lives for one tick only is a name of its own, so a busy node brings many.
const NAMES_MAX: usize = 20_000;

/// Sums by key: a pid with the incarnation that it belongs to, or a name.
#[derive(Debug, Default)]
pub(super) struct Tally {
    entries: BTreeMap<(u32, String), Entry>,
    /// Reductions of those that were let go.
    forgotten: u64,
    n_forgotten: u64,
}

/// What one tick says of a name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) name: &'a str,
    pub(super) application: Option<&'a str>,
    pub(super) reductions: u64,
    pub(super) processes: u64,
    pub(super) mailbox_len: u64,
}

#[derive(Debug, Clone, Default)]
struct Entry {
    name: String,
    application: Option<String>,
    reductions: u64,
    processes_max: u64,
    mailbox_len_max: u64,
    ticks: u64,
}

impl Tally {
    /// Adds what a tick says.
    pub(super) fn add(&mut self, key: (u32, &str), seen: &Seen<'_>) {
        if self.entries.len() >= NAMES_MAX {
            self.forget();
        }
        let entry = self.entries.entry((key.0, key.1.to_owned())).or_default();
        seen.name.clone_into(&mut entry.name);
        if entry.application.is_none() {
            entry.application = seen.application.map(str::to_owned);
        }
        entry.reductions = entry.reductions.saturating_add(seen.reductions);
        entry.processes_max = entry.processes_max.max(seen.processes);
        entry.mailbox_len_max = entry.mailbox_len_max.max(seen.mailbox_len);
        entry.ticks += 1;
    }

    /// The busiest, as shares of `whole`. Figures that rest on samples can sum to more than the
    /// whole; then they are shares of their own sum.
    pub(super) fn ranking(&self, whole: u64, top: usize, are_pids: bool) -> Ranking {
        let all = self.entries.values().map(|it| it.reductions);
        let sum = all.fold(self.forgotten, u64::saturating_add);
        let base = whole.max(sum);
        let mut rows: Vec<_> = self.entries.iter().filter(|(_, it)| it.reductions > 0).collect();
        rows.sort_by(|a, b| b.1.reductions.cmp(&a.1.reductions).then_with(|| a.0.cmp(b.0)));
        let told_apart = rows.len();
        rows.truncate(top);
        let shown = rows.iter().map(|(_, it)| it.reductions).fold(0, u64::saturating_add);
        let others = u64::try_from(told_apart - rows.len()).unwrap_or(u64::MAX) + self.n_forgotten;
        let rows = rows.into_iter().map(|((_, key), it)| Share {
            name: it.name.clone(),
            pid: are_pids.then(|| key.clone()),
            application: it.application.clone(),
            processes_max: it.processes_max,
            reductions: it.reductions,
            share: share(it.reductions, base),
            mailbox_len_max: it.mailbox_len_max,
            ticks: it.ticks,
        });
        Ranking {
            rows: rows.collect(),
            others,
            rest_reductions: base.saturating_sub(shown),
            rest_share: share(base.saturating_sub(shown), base),
        }
    }

    fn forget(&mut self) {
        let mut sums: Vec<u64> = self.entries.values().map(|it| it.reductions).collect();
        sums.sort_unstable();
        let line = sums.get(sums.len() / 2).copied().unwrap_or_default();
        let mut to_go = sums.len() / 2;
        let (forgotten, n_forgotten) = (&mut self.forgotten, &mut self.n_forgotten);
        self.entries.retain(|_, it| {
            // Of equal ones only as many as must go.
            let goes = to_go > 0 && it.reductions <= line;
            if goes {
                to_go -= 1;
                *forgotten = forgotten.saturating_add(it.reductions);
                *n_forgotten += u64::from(it.reductions > 0);
            }
            !goes
        });
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share is shown to a tenth of a percent")]
pub(super) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen(name: &str, reductions: u64) -> Seen<'_> {
        Seen { name, application: None, reductions, processes: 1, mailbox_len: 0 }
    }

    proptest! {
        #[test]
        fn shares_and_the_rest_are_the_whole(
            work in proptest::collection::vec((0..30_u8, 0..1_000_000_u64), 0..200),
            unseen in 0..1_000_000_u64,
            top in 1..40_usize,
        ) {
            let mut tally = Tally::default();
            for (who, reductions) in &work {
                let name = format!("p{who}");
                tally.add((0, &name), &seen(&name, *reductions));
            }
            let sum: u64 = work.iter().map(|it| it.1).sum();
            let it = tally.ranking(sum + unseen, top, false);
            let shown: u64 = it.rows.iter().map(|it| it.reductions).sum();
            prop_assert_eq!(shown + it.rest_reductions, sum + unseen);
            let shares = it.rows.iter().map(|it| it.share).sum::<f64>() + it.rest_share;
            let expected = if sum + unseen == 0 { 0.0 } else { 1.0 };
            prop_assert!((shares - expected).abs() < 1e-9, "{}", shares);
            prop_assert!(it.rows.is_sorted_by(|a, b| a.reductions >= b.reductions));
        }
    }

    #[test]
    fn the_busy_survive_a_crowd_of_short_lives() {
        let mut tally = Tally::default();
        for idx in 0..50_000_u64 {
            let name = format!("<0.{idx}.0>");
            tally.add((0, &name), &seen(&name, 1));
            tally.add((0, "server"), &seen("server", 10));
        }
        assert!(tally.entries.len() <= NAMES_MAX);
        let it = tally.ranking(550_000, 1, true);
        assert_eq!(it.rows[0].name, "server");
        let rest = (it.rows[0].reductions, it.rest_reductions, it.others);
        assert_eq!(rest, (500_000, 50_000, 50_000));
    }

    #[test]
    fn the_same_pid_of_another_incarnation_is_another_process() {
        let mut tally = Tally::default();
        tally.add((0, "<0.100.0>"), &seen("shop", 5));
        tally.add((1, "<0.100.0>"), &seen("cart", 7));
        let names: Vec<_> = tally.ranking(12, 5, true).rows.into_iter().map(|it| it.name).collect();
        assert_eq!(names, ["cart", "shop"]);
    }
}
