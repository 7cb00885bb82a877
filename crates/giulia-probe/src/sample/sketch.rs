//! What of a term is shown without its values: types, sizes, names of structs, tags and keys.
//!
//! Of arguments the VM makes it itself, in the body of the match specification: no argument is
//! copied, however large it is, and none leaves the node. Of a return value the VM sends the whole,
//! and it is made here. In both an atom is shown only as the first element of a tuple, as a key, as
//! a struct's name, or where it is one of a few that say nothing about anybody.

use giulia_dist::term::Term;
use giulia_model::{Seen, Writing};

use super::match_spec::call;

/// Types, sizes and tags of a term.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Sketch {
    Atom(String),
    Integer,
    Float,
    Binary(Option<u64>),
    Bits,
    Tuple(u64, Vec<Sketch>),
    List(Option<u64>, Option<Box<Sketch>>),
    Map { keys: u64, of: Option<String>, named: Vec<String> },
    Other(&'static str),
}

/// Elements of a tuple that are looked into: tagged tuples of OTP have two to five.
const PARTS: usize = 5;
/// Keys of a map that are named.
const KEYS: usize = 8;
/// A sketch is a line, not a page.
const TEXT_CHARS_MAX: usize = 400;

/// Atoms that are shown anywhere.
const KNOWN: [&str; 16] = [
    "true",
    "false",
    "nil",
    "undefined",
    "ok",
    "error",
    "infinity",
    "normal",
    "none",
    "noreply",
    "reply",
    "stop",
    "shutdown",
    "ignore",
    "timeout",
    "eof",
];

/// The expression whose value [`Sketch::read`] reads, of a term that an expression stands for.
///
/// Tests that fail leave `'EXIT'` in their place; `andalso` returns what stands last in it.
pub(super) fn expression(of: &Term<'static>, has_structs: bool, depth: usize) -> Term<'static> {
    let test = |name: &'static str| call(name, [of.clone()]);
    let only = |name: &'static str, then| call("andalso", [test(name), then]);
    let tuple = |parts: Vec<Term<'static>>| Term::tuple([Term::Tuple(parts)]);
    let mut fields = vec![
        only("is_atom", tuple(vec![of.clone()])),
        test("is_integer"),
        test("is_float"),
        test("size"),
        test("length"),
        test("map_size"),
    ];
    let tests =
        ["is_tuple", "is_binary", "is_list", "is_pid", "is_port", "is_reference", "is_function"];
    fields.extend(tests.map(test));
    fields.push(if has_structs {
        let name = || call("map_get", [Term::atom("__struct__"), of.clone()]);
        let atom = call("andalso", [call("is_atom", [name()]), name()]);
        only("is_map", atom)
    } else {
        Term::boolean(false)
    });
    if let Some(depth) = depth.checked_sub(1) {
        let element = |place: i64| {
            let it = Term::tuple([Term::atom("element"), Term::Int(place), of.clone()]);
            expression(&it, has_structs, depth)
        };
        let places = (1..).take(PARTS);
        fields.push(only("is_tuple", Term::list(places.map(element))));
        let head = call("hd", [of.clone()]);
        fields.push(only("is_list", expression(&head, has_structs, depth)));
    }
    tuple(fields)
}

impl Sketch {
    /// What [`expression`] came to.
    pub(super) fn read(told: &Term<'_>) -> Option<Self> {
        let fields = told.as_tuple()?;
        let [atom, integer, float, size, length, map_size, rest @ ..] = fields else { return None };
        let [tuple, binary, list, pid, port, reference, function, of, inside @ ..] = rest else {
            return None;
        };
        let number = |it: &Term<'_>| it.as_int().and_then(|it| u64::try_from(it).ok());
        if let Some([name]) = atom.as_tuple() {
            return Some(Self::Atom(name.as_atom()?.to_owned()));
        }
        if tuple.is_atom("true") {
            let n = number(size)?;
            let parts = inside.first().and_then(Term::as_list).unwrap_or_default();
            let known = usize::try_from(n).unwrap_or(usize::MAX);
            let parts = parts.iter().take(known).filter_map(Self::read).collect();
            return Some(Self::Tuple(n, parts));
        }
        if list.is_atom("true") {
            let length = number(length);
            let first = inside.get(1).filter(|_| length != Some(0)).and_then(Self::read);
            return Some(Self::List(length, first.map(Box::new)));
        }
        if let Some(keys) = number(map_size) {
            let of = of.as_atom().filter(|it| !matches!(*it, "false" | "EXIT"));
            return Some(Self::Map { keys, of: of.map(str::to_owned), named: Vec::new() });
        }
        if binary.is_atom("true") {
            return Some(Self::Binary(number(size)));
        }
        let tests = [(integer, "integer"), (float, "float"), (pid, "pid"), (port, "port")];
        let tests = tests.into_iter().chain([(reference, "reference"), (function, "fun")]);
        let found = tests.into_iter().find(|(it, _)| it.is_atom("true")).map(|it| it.1);
        Some(match found {
            Some("integer") => Self::Integer,
            Some("float") => Self::Float,
            Some(other) => Self::Other(other),
            None => Self::Bits,
        })
    }

    /// That of a term that we hold.
    pub(super) fn of(term: &Term<'_>, depth: usize) -> Self {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let inside = |it: &Term<'_>| depth.checked_sub(1).map(|depth| Self::of(it, depth));
        match term {
            Term::Int(_) | Term::Big(_) => Self::Integer,
            Term::Float(_) => Self::Float,
            Term::Atom(name) => Self::Atom(name.clone().into_owned()),
            Term::Nil => Self::List(Some(0), None),
            Term::List(parts) => {
                let first = parts.first().and_then(inside).map(Box::new);
                Self::List(Some(count(parts.len())), first)
            }
            Term::Improper(it) => {
                Self::List(None, it.elements.first().and_then(inside).map(Box::new))
            }
            Term::Tuple(parts) => {
                let shown = parts.iter().take(PARTS).filter_map(inside).collect();
                Self::Tuple(count(parts.len()), shown)
            }
            Term::Map(pairs) => {
                let of = term.get("__struct__").and_then(Term::as_atom).map(str::to_owned);
                let atoms = pairs.iter().filter_map(|(key, _)| key.as_atom());
                let mut named: Vec<String> =
                    atoms.filter(|it| *it != "__struct__").map(str::to_owned).collect();
                // Their order in a map is the VM's own business.
                named.sort();
                named.truncate(KEYS);
                Self::Map { keys: count(pairs.len()), of, named }
            }
            Term::Binary(bytes) => Self::Binary(Some(count(bytes.len()))),
            Term::Bits(_) => Self::Bits,
            Term::Pid(_) => Self::Other("pid"),
            Term::Port(_) => Self::Other("port"),
            Term::Reference(_) => Self::Other("reference"),
            Term::Export(_) | Term::Fun(_) => Self::Other("fun"),
            Term::Record(_) => Self::Other("record"),
            Term::Local(_) | Term::Encoded(_) => Self::Other("term"),
        }
    }

    /// For people.
    pub(super) fn seen(&self, writing: Writing) -> Seen {
        let (kind, size) = match self {
            Self::Atom(_) => ("atom", None),
            Self::Integer => ("integer", None),
            Self::Float => ("float", None),
            Self::Binary(size) => ("binary", *size),
            Self::Bits => ("bitstring", None),
            Self::Tuple(n, _) => ("tuple", Some(*n)),
            Self::List(n, _) => ("list", *n),
            Self::Map { keys, .. } => ("map", Some(*keys)),
            Self::Other(kind) => (*kind, None),
        };
        let text = cut(&self.text(writing));
        Seen { text, kind: kind.to_owned(), size }
    }

    fn text(&self, writing: Writing) -> String {
        match self {
            Self::Atom(name) if KNOWN.contains(&name.as_str()) => atom(name, writing),
            Self::Atom(_) => "atom".to_owned(),
            Self::Integer => "integer".to_owned(),
            Self::Float => "float".to_owned(),
            Self::Binary(Some(size)) => format!("binary of {size} bytes"),
            Self::Binary(None) => "binary".to_owned(),
            Self::Bits => "bitstring".to_owned(),
            Self::Tuple(n, parts) => Self::tuple(*n, parts, writing),
            Self::List(Some(0), _) => "[]".to_owned(),
            Self::List(n, first) => {
                let len = n.map_or("improper list".to_owned(), |it| format!("list of {it}"));
                match first {
                    Some(first) => format!("{len}: [{}, …]", first.text(writing)),
                    None => len,
                }
            }
            Self::Map { keys, of: Some(of), .. } => {
                format!("%{}{{}} of {keys} keys", atom(of, writing))
            }
            Self::Map { keys, named, .. } if named.is_empty() => format!("map of {keys} keys"),
            Self::Map { keys, named, .. } => {
                let names: Vec<String> = named.iter().map(|it| atom(it, writing)).collect();
                let all = u64::try_from(named.len()) == Ok(*keys);
                let more = if all { "" } else { ", …" };
                format!("map of {keys} keys: {}{more}", names.join(", "))
            }
            Self::Other(kind) => (*kind).to_owned(),
        }
    }

    fn tuple(n: u64, parts: &[Self], writing: Writing) -> String {
        if parts.is_empty() && n > 0 {
            return format!("tuple of {n}");
        }
        let mut shown = Vec::new();
        for (place, part) in parts.iter().enumerate() {
            // A tag says which kind of tuple it is.
            let tag = if let Self::Atom(name) = part { Some(name) } else { None };
            let tag = tag.filter(|_| place == 0).map(|it| atom(it, writing));
            shown.push(tag.unwrap_or_else(|| part.text(writing)));
        }
        if u64::try_from(parts.len()) != Ok(n) {
            shown.push("…".to_owned());
        }
        format!("{{{}}}", shown.join(", "))
    }
}

/// A value for people.
pub(super) fn value(term: &Term<'_>, writing: Writing) -> Seen {
    let text = match writing {
        Writing::Erlang => format!("{term:.400}"),
        Writing::Elixir => {
            let mut text = String::new();
            elixir(term, &mut text);
            text
        }
    };
    Seen { text: cut(&text), ..Sketch::of(term, 0).seen(writing) }
}

/// Elixir's writing, as far as fits.
fn elixir(term: &Term<'_>, out: &mut String) {
    // Bytes are at least as many as characters, so that the cut shows that there was more.
    if out.len() > TEXT_CHARS_MAX * 4 {
        return;
    }
    match term {
        Term::Atom(name) => out.push_str(&atom(name, Writing::Elixir)),
        Term::Binary(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) if !text.chars().any(|it| it.is_control() && !it.is_whitespace()) => {
                out.extend(std::iter::once('"').chain(text.escape_debug()).chain(['"']));
            }
            Ok(_) | Err(_) => {
                let shown = bytes.iter().take(TEXT_CHARS_MAX).map(ToString::to_string);
                out.extend(["<<", &shown.collect::<Vec<_>>().join(", "), ">>"]);
            }
        },
        Term::Nil => out.push_str("[]"),
        Term::List(parts) => between(('[', ']'), parts, out),
        Term::Tuple(parts) => between(('{', '}'), parts, out),
        Term::Map(pairs) => {
            out.push('%');
            if let Some(Term::Atom(name)) = term.get("__struct__") {
                out.push_str(&atom(name, Writing::Elixir));
            }
            out.push('{');
            let shown = pairs.iter().filter(|(key, _)| !key.is_atom("__struct__"));
            for (idx, (key, value)) in shown.enumerate() {
                out.push_str(if idx > 0 { ", " } else { "" });
                match key.as_atom().map(|it| atom(it, Writing::Elixir)) {
                    Some(key) if key.starts_with(':') => {
                        out.push_str(key.trim_start_matches(':'));
                        out.push_str(": ");
                    }
                    Some(_) | None => {
                        elixir(key, out);
                        out.push_str(" => ");
                    }
                }
                elixir(value, out);
            }
            out.push('}');
        }
        Term::Pid(_) => out.extend(["#PID", &term.to_string()]),
        Term::Int(_)
        | Term::Big(_)
        | Term::Float(_)
        | Term::Improper(_)
        | Term::Bits(_)
        | Term::Port(_)
        | Term::Reference(_)
        | Term::Export(_)
        | Term::Fun(_)
        | Term::Record(_)
        | Term::Local(_)
        | Term::Encoded(_) => out.push_str(&term.to_string()),
    }
}

fn between((open, close): (char, char), parts: &[Term<'_>], out: &mut String) {
    out.push(open);
    for (idx, part) in parts.iter().enumerate() {
        out.push_str(if idx > 0 { ", " } else { "" });
        elixir(part, out);
    }
    out.push(close);
}

/// An atom as its language writes it.
fn atom(name: &str, writing: Writing) -> String {
    let is_plain = |it: &str| {
        it.starts_with(|it: char| it.is_ascii_lowercase() || it == '_')
            && it.chars().all(|it| it.is_ascii_alphanumeric() || matches!(it, '_' | '@'))
    };
    match writing {
        Writing::Erlang => Term::atom(name).to_string(),
        Writing::Elixir if matches!(name, "true" | "false" | "nil") => name.to_owned(),
        Writing::Elixir => match name.strip_prefix("Elixir.") {
            Some(alias) => alias.to_owned(),
            None if is_plain(name.trim_end_matches(['?', '!'])) => format!(":{name}"),
            None => format!(":{name:?}"),
        },
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= TEXT_CHARS_MAX {
        return text.to_owned();
    }
    text.chars().take(TEXT_CHARS_MAX - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> Term<'static> {
        Term::tuple([
            Term::atom("login"),
            Term::atom("hunter2"),
            Term::binary(&b"hunter2"[..]),
            Term::list([Term::Int(7), Term::Int(8)]),
            Term::map([
                (Term::atom("__struct__"), Term::atom("Elixir.My.User")),
                (Term::atom("password"), Term::binary(&b"hunter2"[..])),
            ]),
            Term::map([(Term::atom("password"), Term::binary(&b"hunter2"[..]))]),
        ])
    }

    #[test]
    fn a_sketch_has_types_sizes_tags_and_keys_and_no_values() {
        let it = Sketch::of(&secret(), 2);
        assert_eq!(
            it.seen(Writing::Elixir).text,
            "{:login, atom, binary of 7 bytes, list of 2: [integer, …], %My.User{} of 2 keys, …}"
        );
        assert_eq!(it.seen(Writing::Erlang).size, Some(6));
        let map = Sketch::of(&secret().as_tuple().unwrap()[5], 2);
        assert_eq!(map.seen(Writing::Erlang).text, "map of 1 keys: password");
        assert_eq!(Sketch::of(&Term::atom("ok"), 0).seen(Writing::Elixir).text, ":ok");
    }

    #[test]
    fn a_value_is_in_the_writing_of_its_language_and_ends_somewhere() {
        assert_eq!(
            value(&secret(), Writing::Elixir).text,
            "{:login, :hunter2, \"hunter2\", [7, 8], %My.User{password: \"hunter2\"}, \
             %{password: \"hunter2\"}}"
        );
        assert!(
            value(&secret(), Writing::Erlang).text.starts_with("{login,hunter2,<<\"hunter2\">>")
        );
        let long = Term::binary(vec![b'x'; 100_000]);
        for writing in [Writing::Elixir, Writing::Erlang] {
            assert!(value(&long, writing).text.chars().count() <= 404);
        }
    }
}
