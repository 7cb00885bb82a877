//! What a call means beyond itself: functions told by name, processes, tables, children.
//!
//! One row a function of OTP that is told somebody else's name, as its documentation says.

use super::{
    found::{Found, FoundRef, Shape, Whose},
    lex::Token,
};
use crate::source::{
    names::{Name, Names},
    reference::{Certainty, Guess, RefKind},
};

/// Arguments of a call that are looked at, and elements of a tuple.
pub(super) const SHAPES: usize = 6;

/// A call with what is known of its arguments.
#[derive(Debug, Clone, Copy)]
pub(super) struct Called<'c> {
    pub(super) callee: Shape,
    pub(super) arity: u32,
    pub(super) arguments: &'c [Shape; SHAPES],
    pub(super) at: Token,
}

impl Called<'_> {
    fn argument(&self, place: usize) -> Shape {
        let is_there = u32::try_from(place).is_ok_and(|it| it < self.arity);
        self.arguments.get(place).copied().filter(|_| is_there).unwrap_or_default()
    }
}

/// A tuple or arguments that look like a function with its arguments.
pub(super) fn names_function(
    found: &mut Found,
    (module, name): (Name, Name),
    arity: u32,
    at: Token,
) {
    found.push(RefKind::Mfa, Whose::Module(module), (Some(name), arity), at);
    if let Some(it) = found.refs.last_mut() {
        it.certainty = Certainty::Guess(Guess::LooksLikeMfa);
    }
}

/// Such a tuple, where a supervisor is told what to start.
pub(super) fn is_child(it: &mut FoundRef) {
    (it.kind, it.certainty) = (RefKind::Child, Certainty::Certain);
}

/// Whether this is `ets:fun2ms` or `dbg:fun2ms`, whose argument becomes a value.
pub(super) fn is_match_spec(names: &Names, callee: Shape) -> bool {
    let Shape::Remote(Some(module), Some(name)) = callee else { return false };
    matches!(names.get(module), "ets" | "dbg") && names.get(name) == "fun2ms"
}

/// Adds a call and what it says by its arguments.
pub(super) fn call(names: &Names, called: &Called<'_>, found: &mut Found) {
    let (whose, name) = match called.callee {
        Shape::Atom(name) => (Whose::Local, name),
        Shape::Remote(Some(module), Some(name)) => (Whose::Module(module), name),
        // To whom nobody knows.
        _ => return,
    };
    // Its value is known when the module is compiled; no function of that name exists.
    if whose == Whose::Local && called.arity == 2 && names.get(name) == "record_info" {
        return;
    }
    let call_at = found.refs.len();
    found.push(RefKind::Call, whose, (Some(name), called.arity), called.at);
    let text = names.get(name);
    match whose {
        Whose::Local => bif(text, called, found),
        Whose::Module(module) => match names.get(module) {
            "erlang" => bif(text, called, found),
            "ets" => table(text, called, found),
            "gen_server" | "gen_statem" | "gen_event" | "supervisor" => {
                process(names, text, called, found);
            }
            "rpc" | "erpc" | "timer" | "proc_lib" => told(names.get(module), text, called, found),
            _ => {}
        },
        Whose::Nobody => {}
    }
    if whose == Whose::Local {
        for it in found.refs.iter_mut().skip(call_at + 1) {
            it.via = Some((name, called.arity));
        }
    }
}

/// Three arguments: a module, a function, its arguments.
fn by_name(kind: RefKind, first: usize, called: &Called<'_>, found: &mut Found) {
    let told = [0, 1, 2].map(|it| called.argument(first + it));
    if let [Shape::Atom(module), Shape::Atom(name), Shape::List(Some(arity))] = told {
        found.push(kind, Whose::Module(module), (Some(name), arity), called.at);
    }
}

/// BIFs of `erlang`.
fn bif(name: &str, called: &Called<'_>, found: &mut Found) {
    match (name, called.arity) {
        ("apply", 3) => by_name(RefKind::Apply, 0, called, found),
        ("spawn" | "spawn_link" | "spawn_monitor", 3) | ("spawn_opt", 4) => {
            by_name(RefKind::Spawn, 0, called, found);
        }
        ("spawn" | "spawn_link", 4) | ("spawn_opt", 5) => {
            by_name(RefKind::Spawn, 1, called, found);
        }
        ("hibernate", 3) => by_name(RefKind::Mfa, 0, called, found),
        ("register", 2) | ("whereis" | "unregister", 1) => {
            named(RefKind::Register, called.argument(0), called, found);
        }
        ("send", 2 | 3) => named(RefKind::MessageSend, called.argument(0), called, found),
        _ => {}
    }
}

/// Functions of OTP that call what they are told.
fn told(module: &str, name: &str, called: &Called<'_>, found: &mut Found) {
    let first = match (module, name, called.arity) {
        ("rpc" | "erpc", "call" | "cast" | "multicall", 4 | 5)
        | ("rpc", "block_call" | "async_call", 4 | 5)
        | ("erpc", "send_request", 4)
        | ("timer", "apply_after" | "apply_interval" | "apply_repeatedly", 4)
        | ("proc_lib", "spawn" | "spawn_link", 4)
        | ("proc_lib", "spawn_opt", 5) => 1,
        ("timer", "tc", 3)
        | ("rpc", "multicall", 3)
        | ("proc_lib", "spawn" | "spawn_link" | "spawn_monitor" | "hibernate", 3)
        | ("proc_lib", "spawn_opt", 4)
        | ("proc_lib", "start" | "start_link" | "start_monitor", 3..=5) => 0,
        _ => return,
    };
    by_name(RefKind::Mfa, first, called, found);
}

/// Servers: who starts them with which module, and who asks them.
fn process(names: &Names, name: &str, called: &Called<'_>, found: &mut Found) {
    match (name, called.arity) {
        ("call", 2 | 3) => named(RefKind::MessageCall, called.argument(0), called, found),
        ("cast", 2) => named(RefKind::MessageCast, called.argument(0), called, found),
        ("notify" | "sync_notify" | "send_request", 2) => {
            named(RefKind::MessageSend, called.argument(0), called, found);
        }
        ("start" | "start_link" | "start_monitor", 2..=4) => {
            if let Shape::Pair(scope, it) = called.argument(0) {
                if names.get(scope) == "local" {
                    found.push(RefKind::Register, Whose::Nobody, (Some(it), 0), called.at);
                }
                callbacks(called.argument(1), called, found);
            } else {
                callbacks(called.argument(0), called, found);
            }
        }
        _ => {}
    }
}

fn callbacks(module: Shape, called: &Called<'_>, found: &mut Found) {
    if let Shape::Atom(module) = module {
        found.push(RefKind::Module, Whose::Module(module), (None, 0), called.at);
    }
}

/// A process by its name, `{Name, Node}` included.
fn named(kind: RefKind, it: Shape, called: &Called<'_>, found: &mut Found) {
    if let Shape::Atom(name) | Shape::Pair(name, _) = it {
        found.push(kind, Whose::Nobody, (Some(name), 0), called.at);
    }
}

/// Tables of ETS that have a name.
fn table(name: &str, called: &Called<'_>, found: &mut Found) {
    let (kind, place) = match (name, called.arity) {
        ("new", 2) => (RefKind::EtsNew, 0),
        (
            "lookup" | "lookup_element" | "member" | "match" | "match_object" | "select"
            | "select_count" | "select_reverse" | "tab2list" | "first" | "next" | "prev" | "last"
            | "first_lookup" | "next_lookup" | "prev_lookup" | "last_lookup" | "info" | "slot"
            | "whereis" | "tab2file",
            _,
        ) => (RefKind::EtsRead, 0),
        ("foldl" | "foldr", 3) => (RefKind::EtsRead, 2),
        (
            "insert" | "insert_new" | "update_counter" | "update_element" | "delete_object"
            | "delete_all_objects" | "match_delete" | "select_delete" | "select_replace" | "take",
            _,
        )
        | ("delete", 2) => (RefKind::EtsWrite, 0),
        ("delete", 1) | ("give_away", 3) => (RefKind::EtsDelete, 0),
        _ => return,
    };
    if let Shape::Atom(table) = called.argument(place) {
        found.push(kind, Whose::Nobody, (Some(table), 0), called.at);
    }
}
