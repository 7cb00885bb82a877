//! What the bytecode of a function says, beside what a sample of its calls saw.

use std::collections::HashSet;

use giulia_code::{Facts, FunctionFacts, How};
use giulia_model::{ExplainWritten, Mfa};

/// Modules by which a function leaves its own code: tables, processes, sockets, files.
const BOUNDARIES: &[&str] = &[
    "Elixir.Agent",
    "Elixir.File",
    "Elixir.GenServer",
    "Elixir.Registry",
    "Elixir.Task",
    "dets",
    "ets",
    "file",
    "gen",
    "gen_event",
    "gen_server",
    "gen_statem",
    "gen_tcp",
    "gen_udp",
    "httpc",
    "mnesia",
    "persistent_term",
    "prim_file",
    "rpc",
    "socket",
    "ssl",
];

/// Functions that are listed; a dispatcher reaches all of its module.
const LISTED_MAX: usize = 20;

/// Where a function stands, whether its file is what runs, and what it can reach within its module.
pub(super) fn written(
    bytes: &[u8],
    function: &Mfa,
    loaded: Option<[u8; 16]>,
) -> Option<ExplainWritten> {
    let facts = giulia_code::facts(bytes).ok()?;
    let of = |name: &str, arity: u32| {
        facts.functions.iter().position(|it| it.name == name && it.arity == arity)
    };
    let first = of(&function.function, function.arity)?;
    let mut waiting = vec![first];
    let mut seen: HashSet<usize> = waiting.iter().copied().collect();
    let mut reachable: Vec<Mfa> = Vec::new();
    while let Some(it) = waiting.pop().and_then(|it| facts.functions.get(it)) {
        for (_, target) in targets(&facts, it) {
            if target.module == facts.module {
                let own = of(&target.function, target.arity);
                waiting.extend(own.filter(|it| seen.insert(*it)));
            } else if BOUNDARIES.contains(&target.module.as_str()) {
                reachable.push(target.clone());
            }
        }
    }
    reachable.sort();
    reachable.dedup();
    reachable.truncate(LISTED_MAX);
    let it = facts.functions.get(first)?;
    Some(ExplainWritten {
        file: it.file.clone().or(facts.source.clone()),
        line: it.line,
        is_what_runs: loaded.map(|it| it == facts.md5),
        graph: None,
        reachable,
    })
}

/// Whom a function calls or makes a fun of.
pub(super) fn targets<'f>(
    facts: &'f Facts,
    it: &'f FunctionFacts,
) -> impl Iterator<Item = (How, &'f Mfa)> {
    let calls = it.calls.iter().filter(|it| it.how != How::Bif);
    calls.filter_map(|it| Some((it.how, facts.targets.get(usize::try_from(it.to).ok()?)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPIN: &[u8] = include_bytes!("../../../../fixtures/beam/spin.beam");

    #[test]
    fn where_it_stands_and_whether_it_is_what_runs() {
        let function = Mfa::new("spin", "other", 1);
        let it = written(SPIN, &function, Some([0; 16])).unwrap();
        assert_eq!((it.line.is_some(), it.is_what_runs), (true, Some(false)));
        let md5 = giulia_code::facts(SPIN).unwrap().md5;
        assert_eq!(written(SPIN, &function, Some(md5)).unwrap().is_what_runs, Some(true));
        assert_eq!(written(SPIN, &function, None).unwrap().is_what_runs, None);
        assert!(written(SPIN, &Mfa::new("spin", "gone", 1), None).is_none());
    }
}
