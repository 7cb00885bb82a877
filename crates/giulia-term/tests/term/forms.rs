//! Forms that no current node writes but that the format still has, by hand from the spec.
//!
//! <https://www.erlang.org/doc/apps/erts/erl_ext_dist.html>

use giulia_term::{DecodeErrorKind, Limits, Reader, Term, validate};

fn fun(size: u8, tail: &[u8]) -> Vec<u8> {
    let mut bytes = vec![112, 0, 0, 0, size, 1];
    bytes.extend([7; 16]);
    bytes.extend([0, 0, 0, 3, 0, 0, 0, 1]);
    bytes.extend([119, 1, b'm', 97, 3, 97, 9, 103, 119, 1, b'n', 0, 0, 0, 1, 0, 0, 0, 0, 0]);
    bytes.extend(tail);
    bytes
}

#[test]
fn older_forms_are_read() {
    let cases: &[(&[u8], &str)] = &[
        (&[103, 100, 0, 1, b'n', 0, 0, 0, 5, 0, 0, 0, 6, 3], "<0.5.6>"),
        (&[102, 119, 1, b'n', 0, 0, 0, 5, 3], "#Port<0.5>"),
        (&[101, 119, 1, b'n', 0, 0, 0, 5, 3], "#Ref<0.5>"),
        (&[114, 0, 2, 119, 1, b'n', 3, 0, 0, 0, 5, 0, 0, 0, 6], "#Ref<0.6.5>"),
        (
            &[
                90, 0, 5, 119, 1, b'n', 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4,
                0, 0, 0, 5,
            ],
            "#Ref<0.5.4.3.2.1>",
        ),
        (&[120, 119, 1, b'n', 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3], "#Port<0.72057594037927936>"),
        (b"c1.50000000000000000000e+00\0\0\0\0\0", "1.5"),
        (&[115, 1, 233], "é"),
        (&[100, 0, 1, 233], "é"),
        (&[118, 0, 2, 195, 169], "é"),
        (&[110, 1, 1, 0], "0"),
        (&[110, 3, 1, 7, 0, 0], "-7"),
        (&[111, 0, 0, 0, 1, 0, 7], "7"),
        (&[105, 0, 0, 0, 1, 106], "{[]}"),
        (&[108, 0, 0, 0, 0, 97, 1], "1"),
        (&[107, 0, 0], "[]"),
        (&[77, 0, 0, 0, 1, 8, 255], "<<255>>"),
        (&[77, 0, 0, 0, 1, 3, 255], "<<7:3>>"),
        (&[77, 0, 0, 0, 0, 0], "<<>>"),
        (&fun(51, &[97, 1]), "#Fun<m.3.9>"),
        (
            &[
                108, 0, 0, 0, 1, 106, 121, 0, 0, 0, 0, 108, 0, 0, 0,
                2, // [[] | Local [Pid, Pid]]
                88, 106, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, // Pid
                88, 106, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 106,
            ],
            "[[]|#Local<39 bytes>]",
        ),
        // Inside of a local term a node is written as [].
        (&[121, 1, 2, 3, 4, 88, 106, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0], "#Local<19 bytes>"),
    ];
    for (bytes, text) in cases {
        validate(bytes, &Limits::DEFAULT).unwrap_or_else(|it| panic!("{text}: {it}"));
        let term = Term::decode(bytes).unwrap();
        assert_eq!(&term.to_string(), text);
        let mut again = Vec::new();
        term.encode(&mut again).unwrap();
        assert_eq!(Term::decode(&again).unwrap(), term);
    }
}

#[test]
fn what_is_nearly_a_term_is_refused() {
    let cases: &[(&[u8], DecodeErrorKind)] = &[
        // Only inside of a local term is a node [], and only up to its end.
        (&[88, 106, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0], DecodeErrorKind::Type),
        (
            &[104, 2, 121, 0, 0, 0, 0, 106, 88, 106, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
            DecodeErrorKind::Type,
        ),
        (&fun(50, &[97, 1]), DecodeErrorKind::Value),
        (&fun(52, &[97, 1]), DecodeErrorKind::Value),
        (&fun(52, &[97, 1, 106]), DecodeErrorKind::Value),
        (&[77, 0, 0, 0, 1, 9, 255], DecodeErrorKind::Value),
        (&[77, 0, 0, 0, 1, 0, 255], DecodeErrorKind::Value),
        (&[110, 1, 2, 0], DecodeErrorKind::Value),
        (&[90, 0, 0, 119, 1, b'n', 0, 0, 0, 3], DecodeErrorKind::Value),
        (b"cinf\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", DecodeErrorKind::Value),
        (&[113, 119, 1, b'm', 119, 1, b'f', 98, 0, 0, 0, 1], DecodeErrorKind::Type),
        (&[67, 0, 0, 0, 0, 2, 119, 1, b'm', 119, 1, b'r'], DecodeErrorKind::Value),
        (&[0], DecodeErrorKind::Tag),
        (&[131, 106], DecodeErrorKind::Tag),
        (&[], DecodeErrorKind::Truncated),
        (&[106, 106], DecodeErrorKind::Trailing),
    ];
    for (bytes, kind) in cases {
        assert_eq!(Term::decode(bytes).unwrap_err().kind(), *kind, "{bytes:?}");
        assert_eq!(validate(bytes, &Limits::DEFAULT).unwrap_err().kind(), *kind, "{bytes:?}");
    }
}

#[test]
fn the_version_byte_is_asked_for() {
    let mut inflated = Vec::new();
    let found = Reader::versioned(&[106], &Limits::DEFAULT, &mut inflated).unwrap_err();
    assert_eq!(
        found.to_string(),
        "term, byte 0: expected the version byte 131, found the empty list (tag 106)"
    );
}

#[test]
fn a_compressed_term_is_exactly_what_it_declares() {
    // zlib of the one byte of [].
    let stream = [0x78, 0x9c, 0xcb, 0x02, 0x00, 0x00, 0x6b, 0x00, 0x6b];
    let read = |declared: u32, after: &[u8]| {
        let mut bytes = vec![131, 80];
        bytes.extend(declared.to_be_bytes());
        bytes.extend(stream);
        bytes.extend(after);
        let mut inflated = Vec::new();
        let found = Reader::versioned(&bytes, &Limits::DEFAULT, &mut inflated);
        let found = found.and_then(|mut it| it.raw().map(<[u8]>::to_vec)).map_err(|it| it.kind());
        (found, inflated.capacity())
    };
    assert_eq!(read(1, &[]).0, Ok(vec![106]));
    assert_eq!(read(0, &[]).0, Err(DecodeErrorKind::Compressed));
    assert_eq!(read(2, &[]).0, Err(DecodeErrorKind::Compressed));
    assert_eq!(read(1, &[0]).0, Err(DecodeErrorKind::Compressed));
    // No stream of nine bytes inflates to 32 MiB, so that nothing is reserved for it.
    assert_eq!(read(32 << 20, &[]), (Err(DecodeErrorKind::Compressed), 0));
}

#[test]
fn integers_are_pulled_at_their_limits() {
    let bytes = |it: Term<'_>| {
        let mut out = Vec::new();
        it.encode(&mut out).unwrap();
        out
    };
    for it in [i64::MIN, i64::MIN + 1, -1, 0, 255, 256, i64::MAX] {
        assert_eq!(Reader::new(&bytes(Term::int(it))).int().unwrap(), it);
        assert_eq!(Reader::new(&bytes(Term::int(it))).uint().ok(), u64::try_from(it).ok());
    }
    let above = bytes(Term::uint(u64::MAX));
    assert_eq!(Reader::new(&above).uint().unwrap(), u64::MAX);
    assert_eq!(Reader::new(&above).int().unwrap_err().kind(), DecodeErrorKind::Value);
    assert_eq!(Reader::new(&bytes(Term::int(3))).float().unwrap().to_string(), "3");
}

#[test]
fn a_map_is_pulled_by_pairs() {
    let mut bytes = Vec::new();
    let pairs = [(Term::atom("a"), Term::int(1)), (Term::atom("b"), Term::int(2))];
    Term::map(pairs).encode(&mut bytes).unwrap();
    let mut found = Vec::new();
    let mut reader = Reader::new(&bytes);
    reader
        .each_pair(|it| {
            found.push((it.atom()?.into_owned(), it.int()?));
            Ok(())
        })
        .unwrap();
    reader.finish().unwrap();
    assert_eq!(found, [("a".to_owned(), 1), ("b".to_owned(), 2)]);
}
