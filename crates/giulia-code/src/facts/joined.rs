//! What was written and what was compiled, as one: each call with who says so.

use std::hash::BuildHasher;

use giulia_model::Mfa;
use hashbrown::{DefaultHashBuilder, HashMap, HashSet, HashTable};

use super::{
    CallFacts, Facts, FunctionFacts, How, Origin,
    docs::Docs,
    found::{FoundCall, FoundFunction},
};
use crate::{beam::Beam, problem::Problem};

/// Adds the functions of both to the facts.
pub(super) fn join(
    facts: &mut Facts,
    beam: &Beam<'_>,
    docs: &Docs,
    written: Vec<FoundFunction>,
    compiled: Vec<FoundFunction>,
) -> Result<(), Problem> {
    let exports: HashSet<(&str, u32)> = beam.exports().collect::<Result<_, _>>()?;
    let mut compiled_by_name: HashMap<(String, u32), FoundFunction> = HashMap::new();
    let mut compiled_order = Vec::new();
    for function in compiled {
        let key = (function.name.clone(), function.arity);
        compiled_order.push(key.clone());
        compiled_by_name.insert(key, function);
    }
    let mut targets = Targets::default();
    let mut add = |written: Option<FoundFunction>, compiled: Option<FoundFunction>| {
        let calls = calls(&mut targets, written.as_ref(), compiled.as_ref());
        let n_unresolved = written.as_ref().or(compiled.as_ref()).map_or(0, |it| it.n_unresolved);
        let Some(it) = written.or(compiled) else { return };
        facts.functions.push(FunctionFacts {
            is_exported: exports.contains(&(it.name.as_str(), it.arity)),
            doc: docs.functions.get(&(it.name.clone(), it.arity)).cloned(),
            line: it.line.filter(|line| *line > 0),
            name: it.name,
            arity: it.arity,
            file: it.file,
            calls,
            n_unresolved,
        });
    };
    for function in written {
        let same = compiled_by_name.remove(&(function.name.clone(), function.arity));
        add(Some(function), same);
    }
    for key in compiled_order {
        if let Some(function) = compiled_by_name.remove(&key) {
            add(None, Some(function));
        }
    }
    facts.targets = targets.listed;
    facts.subjects = targets.subjects;
    Ok(())
}

/// Who is called, and with which table or process, each with a number.
#[derive(Default)]
struct Targets {
    /// Places in `listed`.
    numbers: HashTable<u32>,
    hasher: DefaultHashBuilder,
    listed: Vec<Mfa>,
    subjects: Vec<String>,
}

/// A call before it is known who else says so.
type Numbered = (u32, How, Option<u32>, Option<u32>);

impl Targets {
    fn number(&mut self, call: &FoundCall) -> u32 {
        let Self { numbers, hasher, listed, .. } = self;
        let hash_of =
            |module: &str, function: &str, arity| hasher.hash_one((module, function, arity));
        let at = |place: u32| listed.get(usize::try_from(place).unwrap_or(usize::MAX));
        let hash = hash_of(&call.module, &call.function, call.arity);
        let is_it = |it: &Mfa| {
            it.arity == call.arity && it.function == call.function && it.module == call.module
        };
        if let Some(number) = numbers.find(hash, |place| at(*place).is_some_and(is_it)) {
            return *number;
        }
        let number = u32::try_from(listed.len()).unwrap_or(u32::MAX);
        numbers.insert_unique(hash, number, |place| {
            at(*place).map_or(0, |it| hash_of(&it.module, &it.function, it.arity))
        });
        listed.push(call.target());
        number
    }

    fn subject(&mut self, call: &FoundCall) -> Option<u32> {
        let subject = call.subject.as_ref()?;
        let place = self.subjects.iter().position(|it| it == subject).unwrap_or_else(|| {
            self.subjects.push(subject.clone());
            self.subjects.len() - 1
        });
        u32::try_from(place).ok()
    }
}

/// The calls of one function: all that were written, and those of the bytecode that were not.
fn calls(
    targets: &mut Targets,
    written: Option<&FoundFunction>,
    compiled: Option<&FoundFunction>,
) -> Vec<CallFacts> {
    let mut numbered = |function: Option<&FoundFunction>| -> Vec<Numbered> {
        let calls = function.map(|it| it.calls.as_slice()).unwrap_or_default();
        let number = |it: &FoundCall| {
            let line = it.line.filter(|it| *it > 0);
            (targets.number(it), it.how, line, targets.subject(it))
        };
        calls.iter().map(number).collect()
    };
    let (written, compiled) = (numbered(written), numbered(compiled));
    let in_compiled: HashSet<u32> = compiled.iter().map(|(to, ..)| *to).collect();
    let in_written: HashSet<u32> = written.iter().map(|(to, ..)| *to).collect();
    let places: HashSet<(u32, Option<u32>)> =
        written.iter().map(|(to, _, line, _)| (*to, *line)).collect();
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for (to, how, line, subject) in written {
        let origin = if in_compiled.contains(&to) { Origin::Both } else { Origin::DebugInfo };
        if seen.insert((to, how, line, subject)) {
            found.push(CallFacts { to, how, origin, line, subject });
        }
    }
    for (to, how, line, subject) in compiled {
        // A tail call has no line in bytecode, and is then one of those that were written.
        let is_known = in_written.contains(&to) && (line.is_none() || places.contains(&(to, line)));
        if !is_known && seen.insert((to, how, line, subject)) {
            found.push(CallFacts { to, how, origin: Origin::Bytecode, line, subject });
        }
    }
    found
}
