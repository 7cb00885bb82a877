//! Functions whose arguments say more than that they are called: another function, a process,
//! a table, a child.

use super::{
    super::{Certainty, Guess, RefKind, RefOrigin},
    call::{Call, option},
    tree::{At, Kind},
    walk::{Ctx, Mode, To, Walk},
};

/// What the arguments of a known function are.
#[derive(Clone, Copy)]
enum Means {
    /// Module, function, arguments, from this place on.
    Mfa(RefKind, usize),
    /// A process in the first argument.
    Process(RefKind),
    /// A name of a process or table in the argument at this place.
    Named(RefKind, usize),
    /// Children in the first argument.
    Children,
}

/// Module, function, the least and the largest arity, what it means.
const KNOWN: &[(&str, &str, usize, usize, Means)] = &[
    ("Elixir.Kernel", "apply", 3, 3, Means::Mfa(RefKind::Apply, 0)),
    ("erlang", "apply", 3, 3, Means::Mfa(RefKind::Apply, 0)),
    ("erlang", "spawn", 3, 3, Means::Mfa(RefKind::Spawn, 0)),
    ("erlang", "spawn_link", 3, 3, Means::Mfa(RefKind::Spawn, 0)),
    ("erlang", "spawn_monitor", 3, 3, Means::Mfa(RefKind::Spawn, 0)),
    ("proc_lib", "spawn", 3, 3, Means::Mfa(RefKind::Spawn, 0)),
    ("proc_lib", "spawn_link", 3, 3, Means::Mfa(RefKind::Spawn, 0)),
    ("proc_lib", "start_link", 3, 5, Means::Mfa(RefKind::Spawn, 0)),
    ("Elixir.Task", "async", 3, 3, Means::Mfa(RefKind::Spawn, 0)),
    ("Elixir.Task", "start", 3, 3, Means::Mfa(RefKind::Spawn, 0)),
    ("Elixir.Task", "start_link", 3, 3, Means::Mfa(RefKind::Spawn, 0)),
    ("Elixir.Task.Supervisor", "async", 4, 5, Means::Mfa(RefKind::Spawn, 1)),
    ("Elixir.Task.Supervisor", "async_nolink", 4, 5, Means::Mfa(RefKind::Spawn, 1)),
    ("Elixir.Task.Supervisor", "start_child", 4, 5, Means::Mfa(RefKind::Spawn, 1)),
    ("timer", "apply_after", 4, 4, Means::Mfa(RefKind::Spawn, 1)),
    ("timer", "apply_interval", 4, 4, Means::Mfa(RefKind::Spawn, 1)),
    ("rpc", "call", 4, 5, Means::Mfa(RefKind::Apply, 1)),
    ("erpc", "call", 4, 5, Means::Mfa(RefKind::Apply, 1)),
    ("Elixir.GenServer", "call", 2, 3, Means::Process(RefKind::MessageCall)),
    ("gen_server", "call", 2, 3, Means::Process(RefKind::MessageCall)),
    ("gen_statem", "call", 2, 3, Means::Process(RefKind::MessageCall)),
    ("Elixir.Agent", "get", 2, 5, Means::Process(RefKind::MessageCall)),
    ("Elixir.Agent", "update", 2, 5, Means::Process(RefKind::MessageCall)),
    ("Elixir.Agent", "get_and_update", 2, 5, Means::Process(RefKind::MessageCall)),
    ("Elixir.GenServer", "cast", 2, 2, Means::Process(RefKind::MessageCast)),
    ("gen_server", "cast", 2, 2, Means::Process(RefKind::MessageCast)),
    ("gen_statem", "cast", 2, 2, Means::Process(RefKind::MessageCast)),
    ("Elixir.Agent", "cast", 2, 4, Means::Process(RefKind::MessageCast)),
    ("Elixir.Kernel", "send", 2, 2, Means::Process(RefKind::MessageSend)),
    ("erlang", "send", 2, 3, Means::Process(RefKind::MessageSend)),
    ("Elixir.Process", "send", 3, 3, Means::Process(RefKind::MessageSend)),
    ("Elixir.Process", "send_after", 3, 4, Means::Process(RefKind::MessageSend)),
    ("Elixir.Process", "register", 2, 2, Means::Named(RefKind::Register, 1)),
    ("Elixir.Process", "whereis", 1, 1, Means::Named(RefKind::Register, 0)),
    ("erlang", "register", 2, 2, Means::Named(RefKind::Register, 0)),
    ("Elixir.Supervisor", "start_link", 2, 2, Means::Children),
    ("Elixir.Supervisor", "init", 2, 2, Means::Children),
];

/// What the functions of `ets` do to the table that they are given first.
const ETS: &[(RefKind, &[&str])] = &[
    (RefKind::EtsNew, &["new"]),
    (
        RefKind::EtsRead,
        &[
            "lookup",
            "lookup_element",
            "member",
            "match",
            "match_object",
            "select",
            "foldl",
            "foldr",
            "first",
            "next",
            "last",
            "prev",
            "tab2list",
            "info",
            "slot",
            "select_count",
            "whereis",
            "select_reverse",
        ],
    ),
    (
        RefKind::EtsWrite,
        &[
            "insert",
            "insert_new",
            "update_counter",
            "update_element",
            "delete_object",
            "match_delete",
            "select_delete",
            "delete_all_objects",
            "take",
            "select_replace",
        ],
    ),
    (RefKind::EtsDelete, &["delete", "give_away", "rename"]),
];

/// What else a local call says, were it Kernel's.
pub(super) fn local<'t>(walk: &mut Walk<'t>, name: &str, call: Call<'t>, ctx: Ctx) {
    let arity = call.arity() + usize::from(ctx.extra);
    match name {
        "apply" | "send" => known(walk, ("Elixir.Kernel", name, arity), call, ctx),
        "raise" | "reraise" => raised(walk, call, ctx),
        "spawn" | "spawn_link" | "spawn_monitor" => {
            known(walk, ("erlang", name, arity), call, ctx);
        }
        _ => looks_like_mfa(walk, call, ctx),
    }
}

/// `raise` makes the exception that it names, or a `RuntimeError` of a text.
fn raised<'t>(walk: &mut Walk<'t>, call: Call<'t>, ctx: Ctx) {
    let Some(at) = call.arg(0).filter(|_| ctx.extra == 0) else { return };
    let module = match at.kind() {
        Kind::String | Kind::Sigil => Some(walk.names.add("Elixir.RuntimeError")),
        Kind::BinaryOperator if at.operator() == "<>" => {
            Some(walk.names.add("Elixir.RuntimeError"))
        }
        _ => walk.module(at, ctx),
    };
    if module.is_some() {
        let function = Some(walk.names.add("exception"));
        walk.refer(ctx, at, RefKind::Call, To { module, function, arity: 1 });
        if let Some(it) = walk.references.last_mut() {
            it.origin = RefOrigin::Expanded;
        }
    }
}

/// What else a remote call says.
pub(super) fn remote<'t>(
    walk: &mut Walk<'t>,
    (module, function, arity): (super::super::Name, &str, usize),
    call: Call<'t>,
    ctx: Ctx,
) {
    let module = walk.names.get(module).to_owned();
    if module == "ets" && ctx.extra == 0 {
        let of = |it: &&(RefKind, &[&str])| it.1.contains(&function);
        // `delete/2` deletes what is in it.
        let kind = match (function, arity) {
            ("delete", 2) => Some(RefKind::EtsWrite),
            _ => ETS.iter().find(of).map(|it| it.0),
        };
        if let (Some(kind), Some(at)) = (kind, call.arg(0)) {
            named(walk, kind, at, ctx);
        }
        return;
    }
    known(walk, (&module, function, arity), call, ctx);
}

fn known<'t>(
    walk: &mut Walk<'t>,
    (module, function, arity): (&str, &str, usize),
    call: Call<'t>,
    ctx: Ctx,
) {
    let is_it = |it: &&(&str, &str, usize, usize, Means)| {
        it.0 == module && it.1 == function && (it.2..=it.3).contains(&arity)
    };
    let Some((.., means)) = KNOWN.iter().find(is_it) else {
        return looks_like_mfa(walk, call, ctx);
    };
    // What is piped in comes first.
    let piped = usize::from(ctx.extra);
    let arg = |place: usize| call.arg(place.checked_sub(piped)?);
    match *means {
        Means::Mfa(kind, from) => {
            if let (Some(one), Some(two), Some(three)) = (arg(from), arg(from + 1), arg(from + 2)) {
                mfa(walk, [one, two, three], kind, ctx);
            }
        }
        Means::Process(kind) => {
            if let Some(at) = arg(0) {
                named(walk, kind, at, ctx);
            }
        }
        Means::Named(kind, place) => {
            if let Some(at) = arg(place) {
                named(walk, kind, at, ctx);
            }
        }
        Means::Children => {
            if let Some(at) = arg(0) {
                children(walk, at, ctx);
            }
        }
    }
}

/// Three arguments one after the other, as many functions that start something take them.
fn looks_like_mfa<'t>(walk: &mut Walk<'t>, call: Call<'t>, ctx: Ctx) {
    let arguments: Vec<At<'t>> = call.args().take(6).collect();
    for three in arguments.windows(3) {
        if let [module, function, list] = three {
            mfa(walk, [*module, *function, *list], RefKind::Mfa, ctx);
        }
    }
}

/// A module, an atom and a list, when they are written out.
pub(super) fn mfa<'t>(walk: &mut Walk<'t>, parts: [At<'t>; 3], kind: RefKind, ctx: Ctx) {
    let [module, function, list] = parts;
    if !list.is(Kind::List) || !matches!(function.kind(), Kind::Atom | Kind::QuotedAtom) {
        return;
    }
    // The arity is not known with a tail: `[a | rest]`.
    if list.children().any(|it| it.is(Kind::BinaryOperator) && it.operator() == "|") {
        return;
    }
    let is_word = module.is(Kind::Word) || ctx.mode != Mode::Code;
    let (Some(name), Some(to), false) = (function.atom(), walk.module(module, ctx), is_word) else {
        return;
    };
    let function = Some(walk.names.add(name));
    let arity = u8::try_from(list.len()).unwrap_or(u8::MAX);
    walk.refer(ctx, module, kind, To { module: Some(to), function, arity });
    if let (RefKind::Mfa, Some(it)) = (kind, walk.references.last_mut()) {
        it.certainty = Certainty::Guess(Guess::LooksLikeMfa);
    }
}

/// A process or table that is named by an atom.
fn named<'t>(walk: &mut Walk<'t>, kind: RefKind, at: At<'t>, ctx: Ctx) {
    let at = if at.is(Kind::Tuple) { at.child(1).unwrap_or(at) } else { at };
    let (module, function) = match at.kind() {
        Kind::Atom | Kind::QuotedAtom => (None, at.atom().map(|it| walk.names.add(it))),
        _ => (walk.module(at, ctx), None),
    };
    if module.is_none() && function.is_none() {
        return;
    }
    // A table's name is a name, also where it is a module's.
    let is_table =
        matches!(kind, RefKind::EtsNew | RefKind::EtsRead | RefKind::EtsWrite | RefKind::EtsDelete);
    let to = if is_table {
        To { module: None, function: function.or(module), arity: 0 }
    } else {
        To { module, function, arity: 0 }
    };
    walk.refer(ctx, at, kind, to);
}

/// The children of a supervisor, as far as they are written out.
pub(super) fn children<'t>(walk: &mut Walk<'t>, list: At<'t>, ctx: Ctx) {
    if !list.is(Kind::List) {
        return;
    }
    for it in list.children() {
        child(walk, it, ctx);
    }
}

/// `Mod`, `{Mod, argument}`, `Supervisor.child_spec(…)` or a map with `start:`.
fn child<'t>(walk: &mut Walk<'t>, at: At<'t>, ctx: Ctx) {
    let named = match at.kind() {
        Kind::Tuple => at.child(0),
        Kind::Call => Call::of(at).and_then(|it| it.arg(0)).map(|it| match it.kind() {
            Kind::Tuple => it.child(0).unwrap_or(it),
            _ => it,
        }),
        Kind::Map => {
            let content = at.child_of(Kind::MapContent);
            let start = content.and_then(|it| it.child(0)).and_then(|it| option(it, "start"));
            start.and_then(|it| it.child(0))
        }
        _ => Some(at),
    };
    let Some(named) = named.filter(|it| !it.is(Kind::Word)) else { return };
    if let Some(module) = walk.module(named, ctx) {
        let to = To { module: Some(module), function: None, arity: 0 };
        walk.refer(ctx, named, RefKind::Child, to);
    }
}
