//! Kinds of messages: what the VM is told to tell of one, and how that reads.
//!
//! The target takes a tag and sizes out of a message in a match specification; whole messages
//! come only from a receive trace, and are reduced to the same here. Contents go no further.

use giulia_dist::term::Term;
use giulia_model::{MeasuredSize, MessageSize};

use crate::naming;

/// What a message looks like, and how large what could be measured of it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) shape: String,
    pub(super) size: Option<(MeasuredSize, u64)>,
}

/// Shapes as small numbers, so that no atom travels.
const ATOM: i64 = 0;
const TAGGED: i64 = 1;
const TUPLE: i64 = 2;
const STRUCT: i64 = 3;
const MAP: i64 = 4;
const BINARY: i64 = 5;
const LIST: i64 = 6;
const OTHER: i64 = 7;

/// How a message came: told by the function that is traced, or by one of its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Via {
    /// Always this.
    Fixed(&'static str),
    /// The argument `'$2'` of a `gen_statem`: an atom, or a tuple that begins with one.
    EventType,
    /// The argument `'$2'` of a `gen_event`: the callback's name.
    Callback,
}

/// Events of a `gen_statem` that callbacks are called with.
const EVENT_TYPES: [&str; 7] =
    ["cast", "info", "timeout", "state_timeout", "internal", "enter", "call"];

/// The match specification of one callback: for this process alone, tag and sizes of the argument
/// `'$1'`. `head` has `$1` where the message is, `$2` where [`Via`] looks, and `_` elsewhere.
///
/// Only this process, because before OTP 27 a pattern speaks for whoever traces.
pub(super) fn match_spec(pid: &Term<'static>, head: &[&'static str], via: Via) -> Term<'static> {
    let head = || Term::list(head.iter().map(|it| Term::atom(*it)));
    let mut clauses = Vec::new();
    for (of_via, via) in vias(via) {
        for (of_shape, shape) in shapes() {
            let this = call("=:=", [call("self", []), pid.clone()]);
            let guards = [this].into_iter().chain(of_via.clone()).chain(of_shape);
            let told = constructed([via.clone()].into_iter().chain(shape));
            let body = Term::list([call("message", [told])]);
            clauses.push(Term::tuple([head(), Term::list(guards), body]));
        }
    }
    Term::list(clauses)
}

/// What a message of the target told of a message: `{Via, Shape, ...}`.
pub(super) fn told(term: &Term<'_>) -> Option<(String, Look)> {
    let [via, shape, rest @ ..] = term.as_tuple()? else { return None };
    let size = |of, bytes: &Term<'_>| Some((of, u64::try_from(bytes.as_int()?).ok()?));
    let look = match (shape.as_int()?, rest) {
        (ATOM, [tag]) => Look { shape: atom(tag), size: None },
        (TAGGED, [tag, arity, second, second_size, third, third_size]) => {
            let parts = [(second, second_size), (third, third_size)];
            let binaries = parts.iter().filter(|(is_binary, _)| is_binary.is_atom("true"));
            let sizes: Vec<u64> =
                binaries.filter_map(|(_, size)| u64::try_from(size.as_int()?).ok()).collect();
            let sum = (!sizes.is_empty()).then(|| sizes.iter().sum());
            let size = sum.map(|sum| (MeasuredSize::BinaryBytes, sum));
            Look { shape: tuple(Some(&atom(tag)), arity.as_int()?), size }
        }
        (TUPLE, [arity]) => Look { shape: tuple(None, arity.as_int()?), size: None },
        (STRUCT, [keys, name]) => {
            Look { shape: structure(name), size: size(MeasuredSize::Keys, keys) }
        }
        (MAP, [keys]) => Look { shape: "map".to_owned(), size: size(MeasuredSize::Keys, keys) },
        (BINARY, [bytes]) => {
            Look { shape: "binary".to_owned(), size: size(MeasuredSize::BinaryBytes, bytes) }
        }
        (LIST, []) => Look { shape: "list".to_owned(), size: None },
        (OTHER, []) => Look { shape: "other".to_owned(), size: None },
        _ => return None,
    };
    let via = via.as_atom()?;
    Some((via.strip_prefix("handle_").unwrap_or(via).to_owned(), look))
}

/// The same of a whole message; `bytes` is its encoded length.
#[expect(clippy::wildcard_enum_match_arm, reason = "terms of all other types are alike here")]
pub(super) fn of_message(term: &Term<'_>, bytes: usize) -> Look {
    let shape = match term {
        Term::Atom(_) => atom(term),
        Term::Tuple(parts) => {
            let tag = parts.first().filter(|it| it.as_atom().is_some()).map(atom);
            tuple(tag.as_deref(), i64::try_from(parts.len()).unwrap_or(i64::MAX))
        }
        Term::Map(_) => match term.get("__struct__") {
            Some(name) => structure(name),
            None => "map".to_owned(),
        },
        Term::Binary(_) => "binary".to_owned(),
        Term::List(_) | Term::Nil | Term::Improper(_) => "list".to_owned(),
        _ => "other".to_owned(),
    };
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    Look { shape, size: Some((MeasuredSize::EncodedBytes, bytes)) }
}

/// Sizes of one kind together.
pub(super) fn size(of: MeasuredSize, mut sizes: Vec<u64>) -> Option<MessageSize> {
    sizes.sort_unstable();
    let p50 = *sizes.get(sizes.len() / 2)?;
    Some(MessageSize { of, p50, max: sizes.last().copied()? })
}

/// Guards, and the term that says how it came.
fn vias(via: Via) -> Vec<(Vec<Term<'static>>, Term<'static>)> {
    let how = || Term::atom("$2");
    match via {
        Via::Fixed(name) => vec![(Vec::new(), Term::atom(name))],
        Via::Callback => vec![(vec![call("is_atom", [how()])], how())],
        Via::EventType => {
            let first = || call("element", [Term::int(1), how()]);
            let known = |of: fn() -> Term<'static>| {
                let each = EVENT_TYPES.map(|it| call("=:=", [of(), Term::atom(it)]));
                Term::tuple([Term::atom("orelse")].into_iter().chain(each))
            };
            // A tuple is never one of these atoms, and an atom has no element.
            vec![
                (vec![known(|| Term::atom("$2"))], how()),
                (vec![known(|| call("element", [Term::int(1), Term::atom("$2")]))], first()),
            ]
        }
    }
}

/// Guards, and what is told of a message that they let through; the first that fits counts.
fn shapes() -> Vec<(Vec<Term<'static>>, Vec<Term<'static>>)> {
    let it = || Term::atom("$1");
    let is = |test: &'static str| call(test, [it()]);
    let element = |idx: i64| call("element", [Term::int(idx), it()]);
    let size = || call("size", [it()]);
    let keys = || call("map_size", [it()]);
    let name = || Term::atom("__struct__");
    let has_elements = call(">", [size(), Term::int(0)]);
    let tagged = vec![is("is_tuple"), has_elements, call("is_atom", [element(1)])];
    // What fails in a body is told as 'EXIT'.
    let parts = [2, 3]
        .into_iter()
        .flat_map(|idx| [call("is_binary", [element(idx)]), call("size", [element(idx)])]);
    let parts = [Term::int(TAGGED), element(1), size()].into_iter().chain(parts).collect();
    let has_name = call("is_map_key", [name(), it()]);
    vec![
        (vec![is("is_atom")], vec![Term::int(ATOM), it()]),
        (tagged, parts),
        (vec![is("is_tuple")], vec![Term::int(TUPLE), size()]),
        (
            vec![is("is_map"), has_name],
            vec![Term::int(STRUCT), keys(), call("map_get", [name(), it()])],
        ),
        (vec![is("is_map")], vec![Term::int(MAP), keys()]),
        (vec![is("is_binary")], vec![Term::int(BINARY), size()]),
        (vec![is("is_list")], vec![Term::int(LIST)]),
        (vec![], vec![Term::int(OTHER)]),
    ]
}

/// A call in a match specification.
fn call(name: &'static str, args: impl IntoIterator<Item = Term<'static>>) -> Term<'static> {
    Term::tuple([Term::atom(name)].into_iter().chain(args))
}

/// A tuple that a match specification makes: one in another.
fn constructed(parts: impl IntoIterator<Item = Term<'static>>) -> Term<'static> {
    Term::tuple([Term::tuple(parts)])
}

fn atom(term: &Term<'_>) -> String {
    naming::atom(term.as_atom().unwrap_or("_")).to_owned()
}

fn structure(name: &Term<'_>) -> String {
    format!("%{}{{}}", atom(name))
}

/// Elements that are written out: more than a reader counts.
const ELEMENTS_SHOWN: i64 = 6;

fn tuple(tag: Option<&str>, arity: i64) -> String {
    let mut parts: Vec<&str> = tag.into_iter().collect();
    let named = i64::try_from(parts.len()).unwrap_or_default();
    if arity > ELEMENTS_SHOWN {
        return format!("{{{}, ...}} of {arity}", parts.first().unwrap_or(&"_"));
    }
    parts.extend((named..arity).map(|_| "_"));
    format!("{{{}}}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(term: &Term<'_>) -> (String, Option<u64>) {
        let look = of_message(term, 17);
        (look.shape, look.size.map(|(_, bytes)| bytes))
    }

    #[test]
    fn a_message_is_told_by_its_shape() {
        let shape = |it: Term<'_>| whole(&it).0;
        let tagged =
            |n: usize| Term::tuple([Term::atom("put")].into_iter().chain(vec![Term::int(1); n]));
        assert_eq!(shape(Term::atom("refresh")), "refresh");
        assert_eq!(shape(Term::atom("Elixir.Refresh")), "Refresh");
        assert_eq!(shape(tagged(0)), "{put}");
        assert_eq!(shape(tagged(2)), "{put, _, _}");
        assert_eq!(shape(tagged(7)), "{put, ...} of 8");
        assert_eq!(shape(Term::tuple([Term::int(1), Term::atom("secret")])), "{_, _}");
        assert_eq!(shape(Term::tuple([])), "{}");
        let named = (Term::atom("__struct__"), Term::atom("Elixir.Order"));
        assert_eq!(shape(Term::map([named])), "%Order{}");
        assert_eq!(shape(Term::binary(b"secret".to_vec())), "binary");
        assert_eq!(shape(Term::string("secret")), "list");
        assert_eq!(shape(Term::int(17)), "other");
        assert_eq!(whole(&Term::int(17)).1, Some(17));
    }

    #[test]
    fn what_the_target_tells_reads_the_same() {
        let told = |rest: Vec<Term<'static>>| {
            let all = [Term::atom("call")].into_iter().chain(rest);
            super::told(&Term::tuple(all)).map(|(via, look)| (via, look.shape, look.size))
        };
        let exit = || Term::atom("EXIT");
        let put = [
            Term::int(TAGGED),
            Term::atom("put"),
            Term::int(3),
            Term::boolean(false),
            exit(),
            Term::boolean(true),
            Term::int(100),
        ];
        let bytes = Some((MeasuredSize::BinaryBytes, 100));
        let expected = ("call".to_owned(), "{put, _, _}".to_owned(), bytes);
        assert_eq!(told(put.to_vec()), Some(expected));
        let order = vec![Term::int(STRUCT), Term::int(4), Term::atom("Elixir.Order")];
        let (_, shape, size) = told(order).unwrap();
        assert_eq!((shape.as_str(), size), ("%Order{}", Some((MeasuredSize::Keys, 4))));
        assert_eq!(told(vec![Term::int(99)]), None);
        assert_eq!(super::told(&Term::atom("call")), None);
    }

    #[test]
    fn half_of_the_sizes_are_at_most_the_middle_one() {
        let size = size(MeasuredSize::Keys, vec![9, 1, 2]).unwrap();
        assert_eq!((size.p50, size.max), (2, 9));
        assert_eq!(super::size(MeasuredSize::Keys, vec![]), None);
    }
}
