//! Elixir's expanded definitions: who calls whom after all macros are gone.
//!
//! <https://hexdocs.pm/elixir/syntax-reference.html#the-elixir-ast>
//!
//! In expanded code a tuple of three is code and never data, which is written `{:{}, _, _}`;
//! what a node knows about itself, its second element, is neither.

use super::{
    How,
    flat::At,
    found::{FoundFunction, tells_subject},
};

/// Forms that the compiler knows and that call nothing by themselves.
const SPECIAL: &[&str] = &[
    "%",
    "%{}",
    "->",
    "::",
    "<-",
    "<<>>",
    "=",
    "^",
    "__aliases__",
    "__block__",
    "__cursor__",
    "case",
    "cond",
    "fn",
    "for",
    "in",
    "receive",
    "try",
    "when",
    "with",
    "{}",
    "|",
    ".",
    "&",
];

/// Functions that the compiler writes as others, with another order of their arguments.
///
/// Since Elixir 1.3 they never arrive where they are written.
const REWRITTEN: &[(&str, &str, usize, &str, &str)] = &[
    ("Elixir.Kernel", "elem", 2, "erlang", "element"),
    ("Elixir.Kernel", "put_elem", 3, "erlang", "setelement"),
    ("Elixir.Kernel", "is_map_key", 2, "erlang", "is_map_key"),
    ("Elixir.Map", "delete", 2, "maps", "remove"),
    ("Elixir.Map", "fetch", 2, "maps", "find"),
    ("Elixir.Map", "fetch!", 2, "maps", "get"),
    ("Elixir.Map", "has_key?", 2, "maps", "is_key"),
    ("Elixir.Map", "put", 3, "maps", "put"),
    ("Elixir.Map", "replace!", 3, "maps", "update"),
    ("Elixir.Process", "group_leader", 2, "erlang", "group_leader"),
    ("Elixir.Tuple", "delete_at", 2, "erlang", "delete_element"),
    ("Elixir.Tuple", "duplicate", 2, "erlang", "make_tuple"),
    ("Elixir.Tuple", "insert_at", 3, "erlang", "insert_element"),
];

/// A function or a macro.
#[derive(Debug)]
pub(super) struct Definition {
    /// Its name and arity in the source, which are not a macro's in the VM.
    pub(super) written_as: (String, u32),
    pub(super) function: FoundFunction,
    /// The fields of the struct that it returns, when it is `__struct__/0`.
    pub(super) fields: Option<Vec<String>>,
}

impl Definition {
    /// Reads `{{name, arity}, kind, meta, clauses}`.
    pub(super) fn read(it: At<'_, '_>, module: &str) -> Option<Self> {
        let [head, kind, meta, clauses] = it.tuple::<4>()?;
        let [name, arity] = head.tuple::<2>()?;
        let (name, arity) = (name.atom()?, arity.u32()?);
        let is_macro = matches!(kind.atom()?, "defmacro" | "defmacrop");
        let mut function = if is_macro {
            FoundFunction::new(&macro_name(name), arity.saturating_add(1), line(meta))
        } else {
            FoundFunction::new(name, arity, line(meta))
        };
        let mut structure = None;
        for [_, _, _, body] in clauses.list().filter_map(At::tuple::<4>) {
            body_calls(body, module, &mut function);
            if (name, arity) == ("__struct__", 0) {
                structure = fields(body);
            }
        }
        Some(Self { written_as: (name.to_owned(), arity), function, fields: structure })
    }
}

/// The fields of `%{__struct__: Module, field: default}`.
fn fields(body: At<'_, '_>) -> Option<Vec<String>> {
    let [_, _, pairs] = body.tagged::<3>("%{}")?;
    let keys = pairs.list().filter_map(At::tuple::<2>).filter_map(|[key, _]| key.atom());
    Some(keys.filter(|it| *it != "__struct__").map(str::to_owned).collect())
}

/// The function that a macro is.
fn macro_name(name: &str) -> String {
    format!("MACRO-{name}")
}

fn line(meta: At<'_, '_>) -> Option<u32> {
    meta.get("line").and_then(At::u32)
}

fn body_calls(body: At<'_, '_>, module: &str, into: &mut FoundFunction) {
    let mut waiting = vec![body];
    while let Some(it) = waiting.pop() {
        let first = waiting.len();
        match it.tuple::<3>() {
            Some([callee, meta, arguments]) if meta.is_list() => {
                node([callee, meta, arguments], module, into, &mut waiting);
            }
            _ => waiting.extend(it.inside()),
        }
        // In the order of the source.
        if let Some(added) = waiting.get_mut(first..) {
            added.reverse();
        }
    }
}

/// What one node calls; what is inside of it is left to do.
fn node<'t, 'a>(
    [callee, meta, arguments]: [At<'t, 'a>; 3],
    module: &str,
    into: &mut FoundFunction,
    waiting: &mut Vec<At<'t, 'a>>,
) {
    let Some(name) = callee.atom() else {
        if let Some([_, _, parts]) = callee.tagged::<3>(".") {
            remote(parts, [meta, arguments], into, waiting);
        } else {
            waiting.push(callee);
        }
        waiting.extend(arguments.inside());
        return;
    };
    match name {
        // A variable.
        _ if !arguments.is_list() => {}
        "super" => {
            let original = meta.get("super").and_then(At::tuple::<2>);
            if let Some([kind, name]) = original {
                let is_macro = matches!(kind.atom(), Some("defmacro" | "defmacrop"));
                let name = name.atom().unwrap_or_default();
                let arity = arguments.list_len().unwrap_or_default();
                if is_macro {
                    let target = (module, macro_name(name));
                    into.push_at(line(meta), How::Call, (target.0, &target.1), arity + 1);
                } else {
                    into.push_at(line(meta), How::Call, (module, name), arity);
                }
            }
            waiting.extend(arguments.inside());
        }
        "&" => capture([meta, arguments], module, into, waiting),
        // How wide a segment is and of which type: variables and words of their own.
        "::" => waiting.extend(arguments.inside().take(1)),
        name => {
            if !SPECIAL.contains(&name) {
                let arity = arguments.list_len().unwrap_or_default();
                into.push_at(line(meta), How::Call, (module, name), arity);
            }
            waiting.extend(arguments.inside());
        }
    }
}

/// `Left.right(...)`, `left.field`, `fun.(...)`.
fn remote<'t, 'a>(
    parts: At<'t, 'a>,
    [meta, arguments]: [At<'t, 'a>; 2],
    into: &mut FoundFunction,
    waiting: &mut Vec<At<'t, 'a>>,
) {
    let mut parts = parts.inside();
    let arity = arguments.list_len().unwrap_or_default();
    match (parts.next(), parts.next().and_then(At::atom)) {
        (Some(left), Some(right)) => match left.atom() {
            // Operators that may not look at their right side.
            Some("erlang") if matches!(right, "andalso" | "orelse") => {}
            Some(left) => {
                let target = rewritten(left, right, arity);
                into.push_at(line(meta), How::Call, target, arity);
                if tells_subject(target.0)
                    && let Some(call) = into.calls.last_mut()
                {
                    call.subject = arguments.inside().next().and_then(At::atom).map(str::to_owned);
                }
            }
            None => {
                // Without parentheses it is nearly always the field of a map.
                let is_field = arity == 0 && meta.get("no_parens").is_some();
                into.n_unresolved += u32::from(!is_field);
                waiting.push(left);
            }
        },
        (left, _) => {
            into.n_unresolved += 1;
            waiting.extend(left);
        }
    }
}

/// `&Left.right/2`, `&right/2`.
fn capture<'t, 'a>(
    [meta, arguments]: [At<'t, 'a>; 2],
    module: &str,
    into: &mut FoundFunction,
    waiting: &mut Vec<At<'t, 'a>>,
) {
    let slash = arguments.inside().next().and_then(|it| it.tagged::<3>("/"));
    let Some([_, _, parts]) = slash else {
        waiting.extend(arguments.inside());
        return;
    };
    let mut parts = parts.inside();
    let (Some(function), Some(arity)) = (parts.next(), parts.next().and_then(At::u32)) else {
        return;
    };
    let arity = arity as usize;
    let Some([name, _, _]) = function.tuple::<3>() else { return };
    if let Some(name) = name.atom() {
        into.push_at(line(meta), How::Reference, (module, name), arity);
    } else if let Some([_, _, remote]) = name.tagged::<3>(".") {
        let mut remote = remote.inside();
        match (remote.next(), remote.next().and_then(At::atom)) {
            (Some(left), Some(right)) if left.atom().is_some() => {
                let target = (left.atom().unwrap_or_default(), right);
                into.push_at(line(meta), How::Reference, target, arity);
            }
            (left, _) => {
                into.n_unresolved += 1;
                waiting.extend(left);
            }
        }
    }
}

fn rewritten<'n>(module: &'n str, name: &'n str, arity: usize) -> (&'n str, &'n str) {
    let found = REWRITTEN.iter().find(|(m, f, a, _, _)| (*m, *f, *a) == (module, name, arity));
    found.map_or((module, name), |(_, _, _, module, name)| (module, name))
}
