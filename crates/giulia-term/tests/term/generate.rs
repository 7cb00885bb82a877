//! Generated terms: what a node can make of what we send, and every size of head.

use std::borrow::Cow;

use giulia_term::{BigInt, BitString, Improper, Pid, Port, Reference, Term};
use proptest::{collection::vec, prelude::*};

/// Any term that a node can read, without funs of modules that it does not have.
pub(crate) fn any_term() -> impl Strategy<Value = Term<'static>> {
    leaf().prop_recursive(6, 96, 8, |inner| {
        let keys = vec((inner.clone(), inner.clone()), 0..6);
        prop_oneof![
            3 => vec(inner.clone(), 0..8).prop_map(Term::list),
            3 => vec(inner.clone(), 0..8).prop_map(Term::Tuple),
            1 => vec(leaf(), 250..270).prop_map(Term::Tuple),
            1 => (vec(inner.clone(), 1..5), not_a_list()).prop_map(|(elements, tail)| {
                Term::Improper(Box::new(Improper { elements, tail }))
            }),
            2 => keys.prop_map(|pairs| canonical(Term::Map(pairs))),
        ]
    })
}

/// Maps in the order of their keys' bytes and without a key twice: equality without an order.
pub(crate) fn canonical(term: Term<'static>) -> Term<'static> {
    match term {
        Term::Map(pairs) => {
            let mut pairs: Vec<_> =
                pairs.into_iter().map(|(k, v)| (canonical(k), canonical(v))).collect();
            pairs.sort_by_cached_key(|(key, _)| encoded(key));
            pairs.dedup_by_key(|(key, _)| encoded(key));
            Term::Map(pairs)
        }
        Term::List(it) => Term::List(it.into_iter().map(canonical).collect()),
        Term::Tuple(it) => Term::Tuple(it.into_iter().map(canonical).collect()),
        Term::Improper(it) => Term::Improper(Box::new(Improper {
            elements: it.elements.into_iter().map(canonical).collect(),
            tail: canonical(it.tail),
        })),
        other => other,
    }
}

pub(crate) fn encoded(term: &Term<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    term.encode(&mut out).unwrap();
    out
}

fn leaf() -> impl Strategy<Value = Term<'static>> {
    prop_oneof![
        4 => atom().prop_map(Term::atom),
        2 => any::<i64>().prop_map(Term::Int),
        2 => any::<i8>().prop_map(|it| Term::Int(it.into())),
        1 => any::<i32>().prop_map(|it| Term::Int(it.into())),
        1 => big(),
        // Zero has one sign: before OTP 27 a node takes 0.0 and -0.0 for one map key.
        1 => (-1.0e300..1.0e300).prop_map(|it: f64| Term::Float(it + 0.0)),
        1 => Just(Term::Nil),
        2 => vec(any::<u8>(), 0..40).prop_map(Term::binary),
        1 => ".{0,12}".prop_map(|it: String| Term::string(&it)),
        1 => vec(any::<u8>(), 250..270)
            .prop_map(|it| Term::list(it.into_iter().map(|it| Term::Int(it.into())))),
        1 => bits(),
        1 => (node(), 0..1_u32 << 15, 0..1_u32 << 13, 1..=u32::MAX)
            .prop_map(|(node, id, serial, creation)| Pid::new(node, id, serial, creation).into()),
        1 => (node(), 0..1_u64 << 28, 1..=u32::MAX)
            .prop_map(|(node, id, creation)| Port::new(node, id, creation).into()),
        1 => (node(), 1..=u32::MAX, 0..1_u32 << 18, any::<(u32, u32)>())
            .prop_map(|(node, creation, a, (b, c))| {
                Reference::new(node, creation, &[a, b, c]).unwrap().into()
            }),
        1 => (atom(), atom(), any::<u8>()).prop_map(|(m, f, a)| Term::export(m, f, a)),
    ]
}

/// A few hundred names and no more, because a node keeps every atom for ever.
fn atom() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[a-d][a-d0-1_@]{0,1}",
        2 => prop_oneof![Just(""), Just("é"), Just("Пр"), Just("日本"), Just("a b"), Just("\u{1f600}")]
            .prop_map(str::to_owned),
        1 => (253..=255_usize).prop_map(|len| "x".repeat(len)),
        1 => (126..=129_usize).prop_map(|len| "é".repeat(len)),
        1 => Just("Я".repeat(255)),
    ]
}

fn node() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("a@b"), Just("shop@127.0.0.1"), Just("ü@h")]
}

fn big() -> impl Strategy<Value = Term<'static>> {
    let sizes = prop_oneof![9_usize..20, 254_usize..260];
    (any::<bool>(), sizes.prop_flat_map(|len| vec(1..=255_u8, len))).prop_map(
        |(negative, magnitude)| {
            Term::Big(Box::new(BigInt { negative, magnitude: Cow::Owned(magnitude) }))
        },
    )
}

fn bits() -> impl Strategy<Value = Term<'static>> {
    (vec(any::<u8>(), 1..9), 1..8_u8).prop_map(|(mut bytes, last_bits)| {
        *bytes.last_mut().unwrap() &= !(0xff >> last_bits);
        Term::Bits(Box::new(BitString { bytes: Cow::Owned(bytes), last_bits }))
    })
}

fn not_a_list() -> impl Strategy<Value = Term<'static>> {
    prop_oneof![atom().prop_map(Term::atom), any::<i64>().prop_map(Term::Int)]
}
