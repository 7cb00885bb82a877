//! From exact rates of functions and samples of their calls to figures of tables and callers.
//!
//! A look sees some calls of one function that follow each other, and calls that follow each other
//! are alike (one process reads one table a hundred times): a hundred calls of one look say less
//! than a hundred calls of a hundred looks. So the looks are the sample (cluster sampling): the
//! spread between them gives the interval, by the usual ratio estimator (Cochran, Sampling
//! Techniques, 3rd ed., chapter 9A), and never a narrower one than independent calls would (the
//! score interval of Wilson, 1927).

use std::collections::{BTreeMap, HashMap};

use giulia_model::{Estimate, EtsAccess, EtsCaller, Mfa};

/// Callers that are listed for a table.
const CALLERS_MAX: usize = 10;

/// What of the reads, or of the writes, may be left out of a sample, here because the function is
/// called too seldom to be met by a look: all of it may be of one table, so that it widens the
/// upper end of each. With more than a quarter a figure says less than none.
const UNSEEN_MAX: f64 = 0.25;
/// A share of reads has no such end; here as much is left out as is less than its own error.
const UNSEEN_OF_A_SHARE_MAX: f64 = 0.01;

/// 95 of 100 lie within so many standard deviations.
const Z: f64 = 1.96;

/// Calls that were sampled in one look: table and caller of each.
pub(super) type Look = Vec<(String, Option<Mfa>)>;

/// One function: how often it is called, and what was seen of it; no look where it could not be.
#[derive(Debug)]
pub(super) struct Stratum {
    pub(super) access: EtsAccess,
    pub(super) per_second: f64,
    pub(super) looks: Vec<Look>,
}

/// What comes out for one table.
#[derive(Debug)]
pub(super) struct TableFigures {
    pub(super) key: String,
    pub(super) sampled: u64,
    pub(super) reads: Option<Estimate>,
    pub(super) writes: Option<Estimate>,
    pub(super) read_share: Option<Estimate>,
    pub(super) callers: Vec<EtsCaller>,
}

/// A rate with the variance of its estimate.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    value: f64,
    variance: f64,
}

/// Figures of every table that a look saw, the busiest first.
pub(super) fn tables(strata: &[Stratum]) -> Vec<TableFigures> {
    let mut sampled: BTreeMap<&str, u64> = BTreeMap::new();
    for (table, _) in strata.iter().flat_map(|it| it.looks.iter().flatten()) {
        *sampled.entry(table).or_default() += 1;
    }
    let mut figures: Vec<TableFigures> =
        sampled.into_iter().map(|(key, sampled)| table(strata, key, sampled)).collect();
    let value = |it: Option<Estimate>| it.map_or(0.0, |it| it.value);
    let rate = |it: &TableFigures| value(it.reads) + value(it.writes);
    figures.sort_by(|one, other| rate(other).total_cmp(&rate(one)));
    figures
}

fn table(strata: &[Stratum], key: &str, sampled: u64) -> TableFigures {
    let of = |access| sum(strata, Some(access), &|table, _| table == key);
    let (reads, writes) = (of(EtsAccess::Read), of(EtsAccess::Write));
    let (of_reads, of_writes) = (unseen(strata, EtsAccess::Read), unseen(strata, EtsAccess::Write));
    let is_told = of_reads.share.max(of_writes.share) <= UNSEEN_OF_A_SHARE_MAX;
    TableFigures {
        key: key.to_owned(),
        sampled,
        reads: of_reads.widened(reads),
        writes: of_writes.widened(writes),
        read_share: is_told.then(|| ratio(reads, writes)).flatten(),
        callers: callers(strata, key),
    }
}

/// Calls that no look met.
#[derive(Debug, Clone, Copy)]
struct Unseen {
    per_second: f64,
    /// Of all that do the same.
    share: f64,
}

fn unseen(strata: &[Stratum], access: EtsAccess) -> Unseen {
    let of = || strata.iter().filter(|it| it.access == access);
    let all: f64 = of().map(|it| it.per_second).sum();
    let unseen = of().filter(|it| it.looks.iter().all(Vec::is_empty));
    let per_second: f64 = unseen.map(|it| it.per_second).sum();
    Unseen { per_second, share: if all > 0.0 { per_second / all } else { 0.0 } }
}

impl Unseen {
    /// Absent where too much was not seen.
    fn widened(self, sum: Sum) -> Option<Estimate> {
        let seen = sum.estimate();
        let widened = Estimate { high: seen.high + self.per_second, ..seen };
        (self.share <= UNSEEN_MAX).then_some(widened)
    }
}

fn callers(strata: &[Stratum], key: &str) -> Vec<EtsCaller> {
    let mut seen: HashMap<Option<&Mfa>, u64> = HashMap::new();
    let calls = strata.iter().flat_map(|it| it.looks.iter().flatten());
    for (_, caller) in calls.filter(|(table, _)| table == key) {
        *seen.entry(caller.as_ref()).or_default() += 1;
    }
    let mut callers: Vec<EtsCaller> = seen
        .into_iter()
        .map(|(function, sampled)| {
            let fits = |table: &str, caller: Option<&Mfa>| table == key && caller == function;
            let per_second = sum(strata, None, &fits).estimate();
            let writes = Some(sum(strata, Some(EtsAccess::Write), &fits).estimate());
            EtsCaller { function: function.cloned(), sampled, per_second, writes }
        })
        .collect();
    callers.sort_by(|one, other| {
        let rate = other.per_second.value.total_cmp(&one.per_second.value);
        rate.then_with(|| one.function.cmp(&other.function))
    });
    callers.truncate(CALLERS_MAX);
    callers
}

/// The rate of calls that fit, over functions that do this to a table.
fn sum(
    strata: &[Stratum],
    access: Option<EtsAccess>,
    fits: &dyn Fn(&str, Option<&Mfa>) -> bool,
) -> Sum {
    let mut sum = Sum::default();
    for it in strata.iter().filter(|it| access.is_none_or(|access| it.access == access)) {
        let Some((share, variance)) = share(&it.looks, fits) else { continue };
        sum.value += it.per_second * share;
        sum.variance += it.per_second.powi(2) * variance;
    }
    sum
}

/// The share of calls that fit, and the variance of that share; absent without a call.
fn share(looks: &[Look], fits: &dyn Fn(&str, Option<&Mfa>) -> bool) -> Option<(f64, f64)> {
    let counts: Vec<(f64, f64)> = looks
        .iter()
        .filter(|it| !it.is_empty())
        .map(|look| {
            let fitting = look.iter().filter(|(table, caller)| fits(table, caller.as_ref()));
            (float(fitting.count()), float(look.len()))
        })
        .collect();
    let (fitting, calls) = counts.iter().fold((0.0, 0.0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
    if calls <= 0.0 {
        return None;
    }
    let share = fitting / calls;
    let alone = wilson_half(share, calls) / Z;
    let n_looks = float(counts.len());
    let between = if counts.len() < 2 {
        // One look alone says nothing of the others.
        0.0
    } else {
        let mean = calls / n_looks;
        let off: f64 = counts.iter().map(|(fits, all)| (fits - share * all).powi(2)).sum();
        off / (n_looks * (n_looks - 1.0)) / mean.powi(2)
    };
    Some((share, between.max(alone.powi(2))))
}

/// Half of Wilson's interval for a share of so many independent calls.
fn wilson_half(share: f64, calls: f64) -> f64 {
    let squared = Z * Z;
    let spread = (share * (1.0 - share) / calls + squared / (4.0 * calls * calls)).sqrt();
    Z * spread / (1.0 + squared / calls)
}

/// Reads of both, with the interval that their own variances leave (delta method).
fn ratio(reads: Sum, writes: Sum) -> Option<Estimate> {
    let both = reads.value + writes.value;
    if both <= 0.0 {
        return None;
    }
    let value = reads.value / both;
    let spread = (writes.value.powi(2) * reads.variance + reads.value.powi(2) * writes.variance)
        .sqrt()
        / both.powi(2);
    let (low, high) = ((value - Z * spread).max(0.0), (value + Z * spread).min(1.0));
    Some(Estimate { value, low, high })
}

impl Sum {
    fn estimate(self) -> Estimate {
        let half = Z * self.variance.sqrt();
        let high = if self.value > 0.0 { self.value + half } else { 0.0 };
        Estimate { value: self.value, low: (self.value - half).max(0.0), high }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a sample is far below 2^53 calls")]
fn float(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(calls: &[(&str, &str, usize)]) -> Look {
        let each = calls.iter().flat_map(|(table, caller, n)| {
            let call = ((*table).to_owned(), Some(Mfa::new("shop", *caller, 1)));
            vec![call; *n]
        });
        each.collect()
    }

    fn close(value: f64, expected: f64) -> bool {
        (value - expected).abs() < expected.abs() * 1e-9 + 1e-9
    }

    #[test]
    fn exact_rates_are_divided_by_sampled_shares() {
        let strata = [
            Stratum {
                access: EtsAccess::Read,
                per_second: 1000.0,
                looks: vec![look(&[("cart", "get", 90), ("stock", "count", 10)]); 10],
            },
            Stratum {
                access: EtsAccess::Write,
                per_second: 100.0,
                looks: vec![look(&[("cart", "put", 50)])],
            },
        ];
        let tables = tables(&strata);
        let (cart, stock) = (&tables[0], &tables[1]);
        assert_eq!((cart.key.as_str(), cart.sampled), ("cart", 950));
        assert!(
            close(cart.reads.unwrap().value, 900.0) && close(cart.writes.unwrap().value, 100.0),
            "{cart:?}"
        );
        assert!(close(cart.read_share.unwrap().value, 0.9), "{cart:?}");
        assert!(
            close(stock.reads.unwrap().value, 100.0) && close(stock.read_share.unwrap().value, 1.0)
        );
        assert_eq!(cart.callers[0].function, Some(Mfa::new("shop", "get", 1)));
        assert!(close(cart.callers[0].per_second.value, 900.0), "{:?}", cart.callers);
        assert!(close(cart.callers[1].per_second.value, 100.0), "{:?}", cart.callers);
    }

    #[test]
    fn looks_that_differ_widen_the_interval() {
        let mixed = vec![look(&[("a", "f", 50), ("b", "f", 50)]); 10];
        let pure = (0..10)
            .map(
                |idx| {
                    if idx % 2 == 0 { look(&[("a", "f", 100)]) } else { look(&[("b", "f", 100)]) }
                },
            )
            .collect();
        let width = |looks| {
            let strata = [Stratum { access: EtsAccess::Read, per_second: 1.0, looks }];
            let reads = tables(&strata)[0].reads.unwrap();
            assert!(close(reads.value, 0.5), "{reads:?}");
            reads.high - reads.low
        };
        let (narrow, wide) = (width(mixed), width(pure));
        // 1,000 independent calls: 0.5 +- 0.031; 10 looks of one table each: +- 0.33.
        assert!((narrow - 0.062).abs() < 0.002, "{narrow}");
        assert!((wide - 0.653).abs() < 0.01, "{wide}");
    }

    #[test]
    fn one_look_alone_has_the_interval_of_its_calls() {
        let looks = vec![look(&[("a", "f", 10)])];
        let strata = [Stratum { access: EtsAccess::Write, per_second: 10.0, looks }];
        let it = &tables(&strata)[0];
        assert!(close(it.writes.unwrap().value, 10.0) && it.writes.unwrap().low < 9.0, "{it:?}");
        assert!(close(it.read_share.unwrap().value, 0.0));
        assert!(tables(&[]).is_empty());
    }

    #[test]
    fn what_could_not_be_sampled_is_not_given_to_the_others() {
        let seen = |access, per_second, calls: &[(&str, &str, usize)]| Stratum {
            access,
            per_second,
            looks: vec![look(calls)],
        };
        let strata = |unseen| {
            [
                seen(EtsAccess::Read, 1000.0, &[("a", "f", 10)]),
                seen(EtsAccess::Write, 100.0, &[("a", "f", 10)]),
                Stratum { access: EtsAccess::Write, per_second: unseen, looks: vec![] },
            ]
        };
        let it = &tables(&strata(50.0))[0];
        assert!(it.reads.is_some() && it.writes.is_none() && it.read_share.is_none(), "{it:?}");
        // Ten writes a second were met by no look: this table has 100, or 110.
        let it = &tables(&strata(10.0))[0];
        let writes = it.writes.unwrap();
        assert!(close(writes.value, 100.0) && writes.high >= 110.0, "{writes:?}");
        assert!(writes.low <= 100.0 && it.read_share.is_none(), "{it:?}");
        let it = &tables(&strata(0.5))[0];
        assert!(it.writes.is_some() && it.read_share.is_some(), "{it:?}");
    }
}
