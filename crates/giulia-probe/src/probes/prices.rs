//! Question: what does a read of an ETS table cost on this node, now?
//!
//! Call: evaluated (`erl/prices.erl`): a table of its own with one object, whose key and value are
//! as large as those in question; `ets:lookup/2` of it in a native loop, and one by one with a
//! millisecond between; both also of a function that does nothing.
//! First OTP: 23.
//! Cost: 7,500 reads at most and 40 more one by one: 2 ms of work in 0.2 s.
//! Limit: values of more than 64 KB are taken as 64 KB; some 10 MB while it runs.
//! Side effects: none that last: the table ends with the process that asks.

use std::time::Duration;

use giulia_dist::{Error, term::Term};

use super::Probe;
use crate::{
    answer::{self, Problem},
    eval,
    link::Link,
};

pub(crate) const PROBE: Probe =
    Probe { name: "prices", question: "what does a read of a table cost here?" };

/// A term on a heap takes about twice its external form; a cell of a list is two words.
const BYTES_A_CELL: u64 = 8;
/// As much as is copied in one go of the native loop.
const COPIED_MAX: u64 = 100_000;
/// All results of a loop are alive at its end: these of the largest values are 0.5 MB.
const LOOKUPS_MIN: u64 = 4;
const VALUE_MAX: u64 = 64 << 10;
const KEY_MAX: u64 = 4 << 10;
/// Read one by one: the median of 40 is within a tenth of that of all.
const ROUNDS: u64 = 40;
const PAUSE: Duration = Duration::from_millis(1);
/// Of the temporary heap: half of it is enough for the largest values (`tests/it/prices.rs`).
const HEAP_WORDS: u64 = 1_500_000;

/// What a read of a table costs, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ReadPrice {
    /// One after the other, with nothing between.
    pub often_us: f64,
    /// Once in a while, when other work has used the caches meanwhile: a whole call that reads, since
    /// code that nobody ran for a millisecond is as dear as data that nobody read.
    pub seldom_us: f64,
}

/// What a read of a key and a value of these sizes in external form costs.
///
/// # Errors
///
/// When the node does not answer.
pub async fn read_price(link: &Link, key_bytes: u64, value_bytes: u64) -> Result<ReadPrice, Error> {
    Ok(ask(link, key_bytes.min(KEY_MAX), value_bytes.min(VALUE_MAX)).await?)
}

async fn ask(link: &Link, key_bytes: u64, value_bytes: u64) -> Result<ReadPrice, Problem> {
    let cells = value_bytes / BYTES_A_CELL;
    let lookups = (COPIED_MAX / value_bytes.max(1)).clamp(LOOKUPS_MIN, 500);
    let pause_ms = u64::try_from(PAUSE.as_millis()).unwrap_or(1);
    let told = [key_bytes, cells, lookups, ROUNDS, pause_ms];
    let told = told.map(|it| Term::int(i64::try_from(it).unwrap_or(i64::MAX)));
    let bytes =
        link.ask_soon(PROBE.name, &eval::PRICES.with(Term::tuple(told)), HEAP_WORDS).await?;
    let [reply] = <[Term<'_>; 1]>::try_from(answer::list(Term::decode(&bytes)?)?)
        .map_err(|_| Problem("another number of answers".to_owned()))?;
    let Some([often, seldom]) = reply.as_tuple() else { return Err(odd()) };
    let ([loops, empty], [single, nothing]) = (columns(often)?, columns(seldom)?);
    // The least of the loops: who is put off by others in the middle of one waits, and does not read.
    let (Some(loops), Some(empty)) = (least(&loops), least(&empty)) else { return Err(odd()) };
    let (Some(single), Some(nothing)) = (middle(single), middle(nothing)) else {
        return Err(odd());
    };
    let often_us = ((loops - empty) / as_f64(lookups) / 1000.0).max(0.0);
    // Two calls that nobody made for a while, one of which reads the clock; of the other all counts.
    let seldom_us = (single - nothing / 2.0) / 1000.0;
    // Reading once in a while is never cheaper than reading all the time.
    Ok(ReadPrice { often_us, seldom_us: seldom_us.max(often_us) })
}

/// Those of the left and those of the right of pairs, in nanoseconds.
fn columns(pairs: &Term<'_>) -> Result<[Vec<f64>; 2], Problem> {
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for pair in answer::list(pairs.clone())? {
        let Some([one, other]) = pair.as_tuple() else { return Err(odd()) };
        left.extend(nanoseconds(one));
        right.extend(nanoseconds(other));
    }
    Ok([left, right])
}

fn odd() -> Problem {
    Problem("an answer of another shape".to_owned())
}

fn least(figures: &[f64]) -> Option<f64> {
    figures.iter().copied().min_by(f64::total_cmp)
}

fn nanoseconds(it: &Term<'_>) -> Option<f64> {
    u64::try_from(it.as_int()?).ok().map(as_f64)
}

fn middle(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}

#[expect(clippy::cast_precision_loss, reason = "nanoseconds of a second")]
fn as_f64(it: u64) -> f64 {
    it as f64
}
