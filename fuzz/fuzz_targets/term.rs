//! Arbitrary bytes through every reader of the term format.
//!
//! What must hold: nothing panics; the validator, `skip`, the tree and the puller agree on
//! what is a term and where it ends; a term that was read is written again and reads as
//! itself; a tree's nodes never outnumber the bytes they came from.
#![no_main]

use giulia_dist::term::{Kind, Limits, List, Reader, Term, validate};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits { inflated_bytes_max: 1 << 16, ..Limits::DEFAULT };

fuzz_target!(|bytes: &[u8]| {
    if bytes.first() == Some(&131) {
        let mut inflated = Vec::new();
        if let Ok(mut reader) = Reader::versioned(bytes, &LIMITS, &mut inflated) {
            drop(reader.term());
        }
        assert!(inflated.capacity() <= LIMITS.inflated_bytes_max);
        return;
    }
    let mut skipping = Reader::with_limits(bytes, &LIMITS);
    let skipped = skipping.skip();
    let mut treeing = Reader::with_limits(bytes, &LIMITS);
    let tree = treeing.term();
    assert_eq!(skipped.is_ok(), tree.is_ok(), "{skipped:?} {tree:?}");
    let whole = skipped.is_ok() && skipping.is_empty();
    assert_eq!(validate(bytes, &LIMITS).is_ok(), whole);
    let mut pulling = Reader::with_limits(bytes, &LIMITS);
    let pulled = pull(&mut pulling, 0);
    let Ok(tree) = tree else { return };
    assert_eq!(skipping.position(), treeing.position());
    if pulled {
        assert_eq!(skipping.position(), pulling.position());
    }
    assert!(nodes(&tree) <= treeing.position());
    written_again(&tree);
    drop(tree.to_string());
});

/// A map may arrive with a key twice, which we do not write; nothing else may stop us.
fn written_again(tree: &Term<'_>) {
    let mut written = Vec::new();
    match tree.encode(&mut written) {
        Ok(()) => assert_eq!(&Term::decode(&written).unwrap(), tree),
        Err(it) => assert!(has_map(tree), "{it} {tree:?}"),
    }
}

/// Reads a term by pulling; false for what has no pulling method or nests too deep for us.
fn pull(reader: &mut Reader<'_>, depth: usize) -> bool {
    if depth > 64 {
        return false;
    }
    let all = |reader: &mut Reader<'_>, count: usize| (0..count).all(|_| pull(reader, depth + 1));
    match reader.kind() {
        Ok(Kind::Integer) => {
            let text = reader.clone().text().is_ok();
            assert!(!text);
            reader.int().is_ok()
        }
        Ok(Kind::Float) => reader.float().is_ok(),
        Ok(Kind::Atom) => reader.atom().is_ok(),
        Ok(Kind::Binary) => reader.binary().is_ok(),
        Ok(Kind::Pid) => reader.pid().is_ok(),
        Ok(Kind::Port) => reader.port().is_ok(),
        Ok(Kind::Reference) => reader.reference().is_ok(),
        Ok(Kind::Tuple) => reader.tuple().is_ok_and(|count| all(reader, count)),
        Ok(Kind::Map) => reader.map().is_ok_and(|pairs| all(reader, pairs * 2)),
        Ok(Kind::List) => {
            drop((reader.clone().text(), reader.clone().integers()));
            match reader.list() {
                Ok(List::Elements(count)) => all(reader, count) && reader.end_list().is_ok(),
                head => head.is_ok(),
            }
        }
        Ok(Kind::Bits | Kind::Fun | Kind::Record | Kind::Local) => reader.raw().is_ok(),
        Err(_) => false,
    }
}

fn nodes(term: &Term<'_>) -> usize {
    1 + match term {
        Term::List(it) | Term::Tuple(it) => it.iter().map(nodes).sum(),
        Term::Improper(it) => it.elements.iter().map(nodes).sum::<usize>() + nodes(&it.tail),
        Term::Map(it) => it.iter().map(|(key, value)| nodes(key) + nodes(value)).sum(),
        Term::Record(it) => it.fields.iter().map(|(_, value)| nodes(value)).sum(),
        _ => 0,
    }
}

fn has_map(term: &Term<'_>) -> bool {
    match term {
        Term::Map(_) => true,
        Term::List(it) | Term::Tuple(it) => it.iter().any(has_map),
        Term::Improper(it) => it.elements.iter().any(has_map) || has_map(&it.tail),
        Term::Record(it) => it.fields.iter().any(|(_, value)| has_map(value)),
        _ => false,
    }
}
