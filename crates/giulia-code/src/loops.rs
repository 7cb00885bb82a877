//! Which functions hand their stack frame on instead of returning.
//!
//! A traced return costs a frame on the target's stack until it happens: a function that
//! tail-calls itself grows that stack with every round and returns never. The bytecode proves
//! which functions these are.

use std::{collections::HashMap, sync::Arc};

use giulia_model::Mfa;

use crate::{
    beam::{Beam, Callee, Code, unpack},
    components::components,
    problem::Problem,
};

/// How a function ends otherwise than by returning to its caller.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Loop {
    /// It tail-calls itself.
    pub itself: bool,
    /// The functions of its module that reach it and that it reaches by tail calls, itself among
    /// them, in the file's order; empty when there is no other.
    // Shared, because a hostile file could put all its functions into one cycle.
    pub cycle: Arc<[(String, u32)]>,
    /// It, or a function of its cycle, takes messages from its mailbox.
    pub receives: bool,
    /// A function that loops and that it ends in, directly or by way of others; it returns only
    /// when that loop does.
    pub enters: Option<(String, u32)>,
    /// The functions of other modules that it ends in, BIFs among them; each once.
    pub external: Vec<Mfa>,
    /// It ends in a call of a fun, or of a function whose name is a value: possibly in itself.
    pub unknown: bool,
}

impl Loop {
    /// Whether it comes back to itself without returning, as far as one module can tell.
    pub fn is_loop(&self) -> bool {
        self.itself || !self.cycle.is_empty()
    }
}

/// The functions of a `.beam` file that end in a tail call or take messages, and how.
///
/// Functions that do neither are left out. A call by full name of the own module counts as the
/// local call that it is, unless the code was reloaded in between. A fun is a function of its
/// own (`-loop/1-fun-0-`). Cycles through other modules are for the caller to find, by joining
/// [`Loop::external`].
///
/// # Errors
/// When the file cannot be read as bytecode.
pub fn loops(beam: &[u8]) -> Result<Vec<(String, u32, Loop)>, Problem> {
    let bytes = unpack(beam)?;
    let beam = Beam::read(&bytes)?;
    let code = Code::read(&beam)?;
    let named = code.functions.iter().enumerate();
    let own: HashMap<(&str, u32), usize> =
        named.map(|(index, it)| ((it.name, it.arity), index)).collect();
    let mut found: Vec<Loop> = Vec::with_capacity(code.functions.len());
    let mut edges: Vec<Vec<usize>> = Vec::with_capacity(code.functions.len());
    for function in &code.functions {
        let mut it = Loop { receives: function.receives, ..Loop::default() };
        let mut to = Vec::new();
        for call in function.calls.iter().filter(|it| it.is_tail) {
            match call.to {
                Callee::Local(callee) | Callee::KnownFun(callee) => to.push(callee),
                Callee::External(number) => {
                    let (module, name, arity) = beam.import(number)?;
                    let is_apply =
                        module == "erlang" && name == "apply" && (2..=3).contains(&arity);
                    it.unknown |= is_apply;
                    let own = own.get(&(name, arity)).filter(|_| module == beam.module());
                    match own {
                        Some(callee) => to.push(*callee),
                        None if is_apply => {}
                        None => it.external.push(Mfa::new(module, name, arity)),
                    }
                }
                Callee::Fun | Callee::Apply => it.unknown = true,
                Callee::Bif(_) | Callee::MakesFun(_) | Callee::Send => {}
            }
        }
        it.external.sort();
        it.external.dedup();
        to.sort_unstable();
        to.dedup();
        found.push(it);
        edges.push(to);
    }
    close(&code, &edges, &mut found);
    let named = code.functions.iter().zip(found).filter(|(_, it)| *it != Loop::default());
    Ok(named.map(|(function, it)| (function.name.to_owned(), function.arity, it)).collect())
}

/// Adds what follows from the tail calls between the functions of the module.
fn close(code: &Code<'_>, edges: &[Vec<usize>], found: &mut [Loop]) {
    let name = |index: usize| {
        let function = code.functions.get(index);
        function.map(|it| (it.name.to_owned(), it.arity)).unwrap_or_default()
    };
    // A loop that each function ends in, by way of functions that were closed before.
    let mut ends_in: Vec<Option<usize>> = vec![None; edges.len()];
    for members in components(edges) {
        let targets = |member: usize| edges.get(member).into_iter().flatten().copied();
        let itself = |member: usize| targets(member).any(|it| it == member);
        let loops = members.len() > 1 || members.iter().any(|it| itself(*it));
        let receives = members.iter().filter_map(|it| found.get(*it)).any(|it| it.receives);
        let beyond = members
            .iter()
            .flat_map(|member| targets(*member))
            .filter(|it| members.binary_search(it).is_err())
            .find_map(|it| ends_in.get(it).copied().flatten());
        let others = if members.len() > 1 { members.as_slice() } else { &[] };
        let cycle: Arc<[(String, u32)]> = others.iter().map(|it| name(*it)).collect();
        for member in &members {
            let Some(it) = found.get_mut(*member) else { continue };
            it.itself = itself(*member);
            it.cycle = Arc::clone(&cycle);
            it.receives = receives;
            it.enters = beyond.map(name);
            if let Some(slot) = ends_in.get_mut(*member) {
                *slot = if loops { Some(*member) } else { beyond };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPIN: &[u8] = include_bytes!("../../../fixtures/beam/spin.beam");

    fn of(name: &str) -> Loop {
        let found = loops(SPIN).unwrap();
        found.into_iter().find(|(it, _, _)| it == name).map(|(_, _, it)| it).unwrap_or_default()
    }

    #[test]
    fn a_direct_loop() {
        assert_eq!(of("down"), Loop { itself: true, ..Loop::default() });
    }

    /// `odd` calls `even` by full name.
    #[test]
    fn a_cycle_is_the_same_from_each_of_its_functions() {
        let cycle = Arc::new([("even".to_owned(), 1), ("odd".to_owned(), 1)]);
        assert_eq!(of("even"), Loop { cycle: cycle.clone(), ..Loop::default() });
        assert_eq!(of("odd"), Loop { cycle, ..Loop::default() });
    }

    #[test]
    fn a_server_receives_and_ends_in_another_loop() {
        let enters = Some(("even".to_owned(), 1));
        let server = Loop { itself: true, receives: true, enters, ..Loop::default() };
        assert_eq!(of("serve"), server);
    }

    #[test]
    fn a_fun_may_be_anything() {
        assert_eq!(of("then"), Loop { unknown: true, ..Loop::default() });
    }

    #[test]
    fn a_call_of_another_module_is_named() {
        let external = vec![Mfa::new("lists", "reverse", 1)];
        assert_eq!(of("other"), Loop { external, ..Loop::default() });
    }

    #[test]
    fn a_call_that_something_follows_is_none() {
        assert_eq!(of("calls"), Loop::default());
    }
}
