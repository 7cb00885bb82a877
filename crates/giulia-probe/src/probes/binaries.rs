//! Question: who keeps binaries alive outside of its heap?
//!
//! Call: evaluated (`erl/binaries.erl`): `erlang:process_info/2` of `garbage_collection_info` of
//! everyone, and of `binary` of the first ten.
//! First OTP: 23.
//! Cost: 1–2 µs a process, and for each of the ten O(its binaries): 0.1 ms for a thousand.
//! Limit: 5,000 processes, from a place at random on where there are more; ten of them, above
//! 1 MB by the VM's rough count; not asked with `--no-eval`, nor where signals are dangerous.
//! Side effects: none; no collection is forced. Each process handles a signal.

use giulia_dist::term::Term;
use giulia_model::{BinaryHolder, BinaryHolders, NameSource, Pid};

use super::Probe;
use crate::{
    answer::{self, Bif, Problem},
    eval,
    link::Link,
    paged,
};

pub(crate) const PROBE: Probe =
    Probe { name: "binaries", question: "who keeps binaries alive outside of its heap?" };

/// Processes that are ranked: 5,000 signals take some 5 to 10 ms.
const MOST: i64 = 5000;
/// Of those, how many are asked for their list.
const TOP: i64 = 10;
/// 1 MB in words: who holds less is nobody's problem.
const WORDS_MIN: i64 = 131_072;

pub(crate) fn question(us: &str) -> Bif {
    let limits = [MOST, TOP, WORDS_MIN].map(Term::int);
    eval::BINARIES.with(Term::tuple([Term::atom(us.to_owned())].into_iter().chain(limits)))
}

pub(crate) async fn read(link: &Link, bytes: &[u8]) -> Result<BinaryHolders, Problem> {
    let whole = Term::decode(bytes)?;
    let inner = whole.as_list().and_then(<[_]>::first).and_then(Term::as_tuple);
    let Some([total, ranked, held]) = inner else { return Err(answer::unexpected(&whole)) };
    let mut holders = Vec::new();
    for it in held.as_list().unwrap_or_default() {
        let Some([Term::Pid(pid), count, bytes]) = it.as_tuple() else {
            return Err(answer::unexpected(it));
        };
        holders.push((pid.clone(), answer::uint(count)?, answer::uint(bytes)?));
    }
    let names = paged::names(link, holders.iter().map(|it| it.0.clone()).collect()).await;
    let mut top: Vec<BinaryHolder> = holders
        .into_iter()
        .filter(|(_, count, _)| *count > 0)
        .map(|(pid, count, bytes)| {
            let unknown = || ("(unnamed)".to_owned(), NameSource::Unknown);
            let (name, name_source) = names.get(&pid).cloned().unwrap_or_else(unknown);
            BinaryHolder { pid: Pid(pid.local()), name, name_source, count, bytes }
        })
        .collect();
    top.sort_by_key(|it| std::cmp::Reverse(it.bytes));
    Ok(BinaryHolders { ranked: answer::uint(ranked)?, total: answer::uint(total)?, top })
}
