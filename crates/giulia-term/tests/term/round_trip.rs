//! Generated terms through our own encoder and readers.

use giulia_term::{DecodeErrorKind, EncodeErrorKind, Limits, Reader, Term, validate};
use proptest::prelude::*;

use crate::generate::{any_term, encoded};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_we_write_we_read(term in any_term()) {
        let bytes = encoded(&term);
        validate(&bytes, &Limits::DEFAULT).unwrap();
        let mut reader = Reader::new(&bytes);
        prop_assert_eq!(reader.raw().unwrap(), &bytes[..]);
        let read = Term::decode(&bytes).unwrap();
        prop_assert_eq!(&read, &term);
        prop_assert_eq!(encoded(&read.into_owned()), bytes.clone());
        prop_assert_eq!(encoded(&Term::encoded(bytes.clone())), bytes);
    }

    #[test]
    fn a_flipped_byte_never_panics_and_all_readers_agree(
        term in any_term(), at in any::<prop::sample::Index>(), to in any::<u8>(),
    ) {
        let mut bytes = encoded(&term);
        let at = at.index(bytes.len());
        bytes[at] = to;
        let valid = validate(&bytes, &Limits::DEFAULT).is_ok();
        let tree = Term::decode(&bytes);
        prop_assert_eq!(valid, tree.is_ok(), "{:?}", tree);
        if let Ok(tree) = tree {
            let _text = tree.to_string();
        }
    }

    #[test]
    fn text_never_exceeds_its_bound(term in any_term(), bound in 0..200_usize) {
        let text = format!("{term:.bound$}");
        prop_assert!(text.len() <= bound + "...".len(), "{}", text);
    }
}

fn nested(depth: usize) -> Term<'static> {
    (0..depth).fold(Term::Nil, |inner, _| Term::tuple([inner]))
}

#[test]
fn depth_256_is_read_and_written_and_257_is_not() {
    let bytes = encoded(&nested(256));
    assert_eq!(Term::decode(&bytes).unwrap(), nested(256));
    validate(&bytes, &Limits::DEFAULT).unwrap();
    assert_eq!(nested(257).encode(&mut Vec::new()).unwrap_err().kind(), EncodeErrorKind::Depth);
    let mut deeper = vec![104, 1];
    deeper.extend(bytes);
    assert_eq!(Term::decode(&deeper).unwrap_err().kind(), DecodeErrorKind::Limit);
    assert_eq!(validate(&deeper, &Limits::DEFAULT).unwrap_err().kind(), DecodeErrorKind::Limit);
}

#[test]
fn what_no_node_would_read_is_not_written() {
    let twice = [(Term::int(1), Term::Nil), (Term::int(1), Term::Nil)];
    let cases = [
        (Term::atom("x".repeat(256)), EncodeErrorKind::AtomLength),
        (Term::atom("Я".repeat(256)), EncodeErrorKind::AtomLength),
        (Term::float(f64::NAN), EncodeErrorKind::Float),
        (Term::float(f64::INFINITY), EncodeErrorKind::Float),
        (Term::map(twice), EncodeErrorKind::DuplicateKey),
        (Term::encoded(vec![104, 2, 106]), EncodeErrorKind::Encoded),
        (Term::encoded(vec![106, 106]), EncodeErrorKind::Encoded),
        (Term::encoded(vec![131, 106]), EncodeErrorKind::Encoded),
    ];
    for (term, kind) in cases {
        let mut out = vec![1, 2, 3];
        let result = Term::list([Term::Nil, term]).encode(&mut out);
        assert_eq!(result.unwrap_err().kind(), kind);
        assert_eq!(out, [1, 2, 3], "an error leaves nothing behind");
    }
}

#[test]
fn an_error_says_where_and_what() {
    let bytes = encoded(&Term::tuple([Term::atom("error"), Term::int(7)]));
    let mut reader = Reader::new(&bytes);
    reader.tuple_of(2).unwrap();
    let cases = [
        (
            reader.expect_atom("ok").unwrap_err(),
            "term, byte 2: expected the atom ok, found the atom error",
        ),
        (reader.int().unwrap_err(), "term, byte 2: expected an integer, found an atom (tag 119)"),
        (reader.pid().unwrap_err(), "term, byte 2: expected a pid, found an atom (tag 119)"),
        (
            reader.boolean().unwrap_err(),
            "term, byte 2: expected the atom true or false, found the atom error",
        ),
        (reader.finish().unwrap_err(), "term, byte 2: 9 bytes after the term"),
        (
            Term::decode(&bytes[..8]).unwrap_err(),
            "term, byte 4: 5 bytes or elements announced, 4 bytes left",
        ),
        (
            Term::decode(&[82, 0]).unwrap_err(),
            "term, byte 0: expected a term, found an atom cache reference, and we offer no atom cache (tag 82)",
        ),
        (
            Term::decode(&[117, 0]).unwrap_err(),
            "term, byte 0: expected a term, found a fun of before OTP R8, which we do not read (tag 117)",
        ),
    ];
    for (error, text) in cases {
        assert_eq!(error.to_string(), text);
    }
    // None of the refusals consumed anything.
    reader.expect_atom("error").unwrap();
    assert_eq!(reader.uint().unwrap(), 7);
}

#[test]
fn lists_are_pulled_in_every_form() {
    let mixed = encoded(&Term::list([Term::int(1), Term::int(1_000)]));
    let bytes = encoded(&Term::string("ab"));
    assert_eq!(Reader::new(&mixed).integers().unwrap(), [1, 1_000]);
    assert_eq!(Reader::new(&bytes).integers().unwrap(), [97, 98]);
    assert_eq!(Reader::new(&[106]).integers().unwrap(), [0_i64; 0]);
    let mut sum = 0;
    let mut add = |reader: &mut Reader<'_>| {
        sum += reader.int()?;
        Ok(())
    };
    Reader::new(&mixed).each(&mut add).unwrap();
    Reader::new(&[106]).each(&mut add).unwrap();
    let refused = Reader::new(&bytes).each(&mut add).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "term, byte 0: expected a list of other things than bytes, found a list of bytes (tag 107)"
    );
    assert_eq!(sum, 1_001);
    let improper = [108, 0, 0, 0, 1, 97, 1, 97, 2];
    assert!(Reader::new(&improper).each(Reader::skip).is_err());
}

#[test]
fn a_list_whose_tail_is_a_list_is_one_list() {
    let bytes = [108, 0, 0, 0, 1, 97, 1, 108, 0, 0, 0, 1, 97, 2, 107, 0, 1, 3];
    assert_eq!(Term::decode(&bytes).unwrap().to_string(), "[1,2,3]");
    validate(&bytes, &Limits::DEFAULT).unwrap();
}
