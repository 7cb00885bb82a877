//! The code chunk as facts: funs and comprehensions belong to the function that they stand in.

use std::collections::HashMap;

use giulia_term::{Limits, Reader};

use super::{
    How,
    flat::{At, Flat, problem},
    found::FoundFunction,
};
use crate::{
    beam::{Beam, Callee, Code, Function, Lines},
    problem::{Problem, ProblemKind},
};

/// Where a function of the code chunk belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Home {
    /// It was written.
    Itself,
    /// It is a part of this one.
    Part(usize),
    /// It stands for `fun name/arity` of this one.
    Alias(usize),
}

/// External funs in the literals of one module, each time that one is used; the modules of OTP
/// have a hundred at most. A forged file could make the product of two long lists of it.
const REFERENCES_MAX: usize = 1_000_000;

/// The functions that somebody wrote, with all that they call.
pub(super) fn folded(beam: &Beam<'_>, code: &Code<'_>) -> Result<Vec<FoundFunction>, Problem> {
    let lines = beam.lines()?;
    let homes = homes(code);
    let exports = exported_literals(beam)?;
    let mut left = REFERENCES_MAX;
    let mut found: Vec<Option<FoundFunction>> = code
        .functions
        .iter()
        .zip(&homes)
        .map(|(it, home)| {
            let line = lines.at(it.location).map(|(_, line)| line);
            (*home == Home::Itself).then(|| FoundFunction::new(it.name, it.arity, line))
        })
        .collect();
    for (index, function) in code.functions.iter().enumerate() {
        let home = match homes.get(index) {
            Some(Home::Itself) => index,
            Some(Home::Part(home)) => *home,
            Some(Home::Alias(_)) | None => continue,
        };
        if let Some(Some(into)) = found.get_mut(home) {
            let context = Context { beam, code, homes: &homes, lines: &lines };
            context.calls(function, into)?;
            let mut literals = function.literals.clone();
            literals.sort_unstable();
            literals.dedup();
            for literal in &literals {
                let exports = exports.get(literal).map(Vec::as_slice).unwrap_or_default();
                left = left.checked_sub(exports.len()).ok_or_else(too_many)?;
                for (module, name, arity) in exports {
                    into.push_at(None, How::Reference, (module, name), usize::from(*arity));
                }
            }
        }
    }
    Ok(found.into_iter().flatten().collect())
}

#[cold]
fn too_many() -> Problem {
    let text = format!("literals with more than {REFERENCES_MAX} external funs");
    Problem::new(ProblemKind::Limit, text)
}

struct Context<'c, 'a> {
    beam: &'c Beam<'a>,
    code: &'c Code<'c>,
    homes: &'c [Home],
    lines: &'c Lines<'a>,
}

impl Context<'_, '_> {
    fn calls(&self, function: &Function<'_>, into: &mut FoundFunction) -> Result<(), Problem> {
        for call in &function.calls {
            let line = self.lines.at(call.location).map(|(_, line)| line);
            let (how, import) = match call.to {
                Callee::Local(to) | Callee::KnownFun(to) => {
                    self.local(to, How::Call, line, into);
                    continue;
                }
                Callee::MakesFun(to) => {
                    self.local(to, How::Reference, line, into);
                    continue;
                }
                Callee::Fun | Callee::Apply => {
                    into.n_unresolved += 1;
                    continue;
                }
                Callee::Send => {
                    into.push_at(line, How::Bif, ("erlang", "!"), 2);
                    continue;
                }
                Callee::External(import) => (How::Call, import),
                Callee::Bif(import) => (How::Bif, import),
            };
            let (module, name, arity) = self.beam.import(import)?;
            into.push_at(line, how, (module, name), arity as usize);
        }
        Ok(())
    }

    /// A call of a function of the module, unless it is a part of one.
    fn local(&self, to: usize, how: How, line: Option<u32>, into: &mut FoundFunction) {
        let (to, how) = match self.homes.get(to) {
            Some(Home::Itself) => (to, how),
            Some(Home::Alias(to)) => (*to, How::Reference),
            Some(Home::Part(_)) | None => return,
        };
        if let Some(callee) = self.code.functions.get(to) {
            let target = (self.beam.module(), callee.name);
            into.push_at(line, how, target, callee.arity as usize);
        }
    }
}

/// Which functions are parts of others, as their names say: `-name/2-fun-0-`,
/// `-name/2-lc$^0/1-0-`, and `-fun.name/2-` for the fun of a function.
fn homes(code: &Code<'_>) -> Vec<Home> {
    let named = code.functions.iter().enumerate();
    let by_name: HashMap<(&str, u32), usize> =
        named.map(|(index, it)| ((it.name, it.arity), index)).collect();
    let home = |(index, function): (usize, &Function<'_>)| {
        let inner = function.name.strip_prefix('-').and_then(|it| it.strip_suffix('-'));
        let Some(inner) = inner else { return Home::Itself };
        if let Some((name, arity)) = inner.strip_prefix("fun.").and_then(|it| it.rsplit_once('/'))
            && let Ok(arity) = arity.parse()
            && let Some(it) = by_name.get(&(name, arity))
        {
            return Home::Alias(*it);
        }
        let mut slashes = inner.match_indices('/').filter_map(|(place, _)| {
            let name = inner.get(..place)?;
            let (arity, _) = inner.get(place + 1..)?.split_once('-')?;
            by_name.get(&(name, arity.parse().ok()?)).copied()
        });
        slashes.find(|it| *it != index).map_or(Home::Itself, Home::Part)
    };
    let direct: Vec<Home> = code.functions.iter().enumerate().map(home).collect();
    direct.iter().map(|it| outermost(&direct, *it)).collect()
}

/// A part of a part is a part of the whole.
fn outermost(direct: &[Home], mut home: Home) -> Home {
    // Names get shorter with each step, so there are few.
    for _ in 0..16 {
        match home {
            Home::Part(of) => match direct.get(of) {
                Some(Home::Part(of)) => home = Home::Part(*of),
                _ => return home,
            },
            Home::Itself | Home::Alias(_) => return home,
        }
    }
    home
}

/// The external funs of each literal that has some.
type Exports = HashMap<u64, Vec<(String, String, u8)>>;

fn exported_literals(beam: &Beam<'_>) -> Result<Exports, Problem> {
    let mut found = Exports::new();
    let literals = beam.literals()?;
    for (number, bytes) in (0_u64..).zip(literals.each()?) {
        // The tag of an external fun; a literal without one is not worth reading.
        if !bytes.contains(&b'q') {
            continue;
        }
        let mut unpacked = Vec::new();
        let reader = Reader::versioned(bytes, &Limits::DEFAULT, &mut unpacked);
        let mut reader = reader.map_err(problem)?;
        let tree = Flat::read(&mut reader)?;
        let exports: Vec<(String, String, u8)> = tree
            .root()
            .all()
            .filter_map(At::export)
            .map(|it| (it.module.to_string(), it.function.to_string(), it.arity))
            .collect();
        if !exports.is_empty() {
            found.insert(number, exports);
        }
    }
    Ok(found)
}
