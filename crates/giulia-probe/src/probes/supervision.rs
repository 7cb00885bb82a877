//! Question: which supervisors are there, and what do they supervise?
//!
//! Call: evaluated (`erl/supervision.erl`): `ets:match/2` of the application controller's table,
//! then, level by level, `erlang:process_info/2` of names, and of links where it is a supervisor.
//! No supervisor is sent a message.
//! First OTP: 23. Single dictionary keys from ERTS 14.2, before that the whole dictionary of
//! processes below 256 KiB: a larger supervisor is told there as no supervisor.
//! Cost: 5 µs a process in the tree, and for each supervisor O(its links); nothing for one that no
//! application supervises.
//! Limit: 2,000 processes, eight levels; a supervisor of more than a hundred is counted, its
//! children not asked; not asked with `--no-eval`, nor where signals are dangerous.
//! Side effects: none. Each process looked at handles one signal. Children are told by links, so
//! whoever else is linked to a supervisor counts as one of them.

use std::collections::HashMap;

use giulia_dist::term::{Limits, Reader, Term};
use giulia_model::{ApplicationTree, Pid, Supervised, Supervision};

use super::Probe;
use crate::{
    ErtsVersion,
    answer::{self, Bif, Problem},
    eval, look,
    naming::Traits,
};

pub(crate) const PROBE: Probe = Probe {
    name: "supervision",
    question: "which supervisors are there, and what do they supervise?",
};

/// Children that are still asked one by one.
const LINKS_MAX: i64 = 100;
/// Whole dictionaries are copied only out of processes with less memory than this, in bytes: a
/// supervisor of some hundreds has 100 KB, and its dictionary three entries.
const DICTIONARY_BYTES_MAX: i64 = 256 << 10;
/// Processes that are looked at.
const MOST: i64 = 2000;
/// Levels: two of the application master's own, and eight of supervisors.
const DEEPEST: i64 = 9;
/// Levels above the top supervisor.
const MASTERS: u32 = 2;

pub(crate) fn question(erts: &ErtsVersion) -> Bif {
    let by_key = erts.at_least(&[14, 2]);
    let key = Term::tuple([Term::atom("dictionary"), Term::atom("$initial_call")]);
    let [memory, call] =
        if by_key { [Term::atom("priority"), key] } else { ["memory", "priority"].map(Term::atom) };
    let names = ["registered_name", "initial_call", "priority"].map(Term::atom);
    let items = Term::list(names.into_iter().chain([memory, call]));
    let dictionary = Term::tuple([Term::boolean(!by_key), Term::int(DICTIONARY_BYTES_MAX)]);
    let limits = [LINKS_MAX, MOST, DEEPEST].map(Term::int);
    eval::SUPERVISION.with(Term::tuple([items, dictionary].into_iter().chain(limits)))
}

pub(crate) fn read(bytes: &[u8]) -> Result<Supervision, Problem> {
    let mut inflated = Vec::new();
    let whole =
        Reader::versioned(answer::packed(bytes)?, &Limits::DEFAULT, &mut inflated)?.term()?;
    let Some([levels, left]) = whole.as_tuple() else { return Err(answer::unexpected(&whole)) };
    let mut asked = 0;
    let mut cut = answer::uint(left)? > 0;
    // Children by the text of their parent: a pid, or the name of an application.
    let mut below: HashMap<String, Vec<Supervised>> = HashMap::new();
    for (depth, level) in (0..).zip(levels.as_list().unwrap_or_default()) {
        let Some([left_out, rows]) = level.as_tuple() else {
            return Err(answer::unexpected(level));
        };
        cut |= answer::uint(left_out)? > 0;
        for row in rows.as_list().unwrap_or_default() {
            let (parent, one) = member(row, depth)?;
            asked += 1;
            below.entry(parent).or_default().push(one);
        }
    }
    let mut names: Vec<String> = below.keys().filter(|it| !it.starts_with('<')).cloned().collect();
    names.sort();
    let applications = names.into_iter().map(|application| {
        let members = members(&mut below, &application);
        ApplicationTree { application, members }
    });
    Ok(Supervision { applications: applications.collect(), asked, cut })
}

/// Everybody below a parent, each before its own children; the application's masters left out.
fn members(below: &mut HashMap<String, Vec<Supervised>>, top: &str) -> Vec<Supervised> {
    let mut open = below.remove(top).unwrap_or_default();
    let mut members = Vec::new();
    while let Some(mut one) = open.pop() {
        let children = below.remove(&one.pid.0).unwrap_or_default();
        one.followed = !children.is_empty();
        open.extend(children.into_iter().rev());
        if let Some(depth) = one.depth.checked_sub(MASTERS) {
            one.depth = depth;
            members.push(one);
        }
    }
    members
}

/// `{Parent, Pid, Registered, InitialCall, RealInitialCall, Kind, Children}`.
fn member(row: &Term<'_>, depth: u32) -> Result<(String, Supervised), Problem> {
    let Some([parent, Term::Pid(pid), registered, initial, call, kind, children]) = row.as_tuple()
    else {
        return Err(answer::unexpected(row));
    };
    let parent = parent.as_pid().map_or_else(
        || parent.as_atom().unwrap_or_default().to_owned(),
        giulia_dist::term::Pid::local,
    );
    let traits = Traits {
        registered: registered.as_atom().map(str::to_owned),
        call: look::as_call(call),
        initial: look::as_mfa(initial),
        ..Traits::default()
    };
    let (name, name_source) = traits.name();
    let supervisor = kind.is_atom("supervisor");
    let one = Supervised {
        depth,
        pid: Pid(pid.local()),
        name,
        name_source,
        initial_call: traits.initial_call().cloned(),
        supervisor,
        children: if supervisor { answer::uint(children)? } else { 0 },
        followed: false,
    };
    Ok((parent, one))
}
