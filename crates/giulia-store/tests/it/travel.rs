//! Sessions that leave as one file and come back, whole or not at all.

use std::io::{self, Read};

use giulia_model::Ended;
use giulia_store::{ErrorKind, Kind, Store};
use proptest::prelude::*;

use crate::support::{new_store, numbers, recorded, session};

fn exported(store: &Store, name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    store.export(name, &mut bytes).unwrap();
    bytes
}

/// What an export looks like that says this.
fn forged(inner: &[u8]) -> Vec<u8> {
    let mut bytes = b"giulia.export/1 0.1.0\n".to_vec();
    bytes.extend(zstd::encode_all(inner, 1).unwrap());
    bytes
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    let mut all = u32::try_from(bytes.len()).unwrap().to_le_bytes().to_vec();
    all.extend(bytes);
    all
}

fn head(name: &str) -> Vec<u8> {
    sized(&serde_json::to_vec(&session(name)).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_leaves_comes_back_the_same(
        records in prop::collection::vec(
            (0..3_usize, 0..1_u64 << 40, prop::collection::vec(any::<u8>(), 0..2_000)), 0..200),
    ) {
        let (_folder, store) = new_store();
        let mut head = session("a");
        let recorder = store.begin(&head).unwrap();
        for (kind, at_ms, body) in &records {
            recorder.append(Kind::ALL[*kind], *at_ms, body.clone()).unwrap();
        }
        head.ended = Some(Ended::Stopped);
        recorder.finish(&head).unwrap();
        let (_other, elsewhere) = new_store();
        let bytes = exported(&store, "a");
        let back = elsewhere.import(bytes.as_slice(), None).unwrap();
        prop_assert_eq!(&back, &store.find("a").unwrap().session);
        let read = elsewhere.records("a", &[], None, usize::MAX).unwrap();
        prop_assert_eq!(&read, &store.records("a", &[], None, usize::MAX).unwrap());
        let said: Vec<_> = read.into_iter().map(|it| (it.kind, it.at_ms, it.body)).collect();
        let expected: Vec<_> =
            records.into_iter().map(|it| (Kind::ALL[it.0], it.1, it.2)).collect();
        prop_assert_eq!(said, expected);
    }

    #[test]
    fn no_bytes_at_all_break_the_reader(inner in prop::collection::vec(any::<u8>(), 0..300)) {
        let (_folder, store) = new_store();
        let mut after_head = head("a");
        after_head.extend(&inner);
        for bytes in [inner.clone(), forged(&inner), forged(&after_head)] {
            prop_assert!(store.import(bytes.as_slice(), None).is_err());
        }
        prop_assert!(store.sessions().unwrap().is_empty());
    }
}

#[test]
fn a_name_that_is_taken_wants_another_one() {
    let (_folder, store) = new_store();
    recorded(&store, "a", 5);
    let bytes = exported(&store, "a");
    assert_eq!(store.import(bytes.as_slice(), None).unwrap_err().kind(), ErrorKind::NameTaken);
    assert_eq!(store.import(bytes.as_slice(), Some("b")).unwrap().name, "b");
    let bad = store.import(bytes.as_slice(), Some("\u{1b}[2J")).unwrap_err();
    assert_eq!(bad.kind(), ErrorKind::BadName);
    assert_eq!(store.sessions().unwrap().len(), 2);
}

#[test]
fn every_cut_and_every_flipped_byte_is_noticed() {
    let (_folder, store) = new_store();
    recorded(&store, "a", 30);
    let whole = exported(&store, "a");
    let (_other, elsewhere) = new_store();
    for len in 0..whole.len() {
        let error = elsewhere.import(&whole[..len], None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotAnExport, "cut to {len}: {error}");
    }
    let line = whole.iter().position(|it| *it == b'\n').unwrap();
    for place in line + 1..whole.len() {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x10;
        // One bit of zstd's header means nothing; whatever was flipped, nothing else is read.
        if let Ok(it) = elsewhere.import(bytes.as_slice(), None) {
            assert_eq!(it, store.find("a").unwrap().session, "a flip at {place}");
            assert_eq!(numbers(&elsewhere, "a").len(), 30, "a flip at {place}");
            elsewhere.delete("a").unwrap();
        }
    }
    let mut longer = whole.clone();
    longer.push(0);
    assert_eq!(
        elsewhere.import(longer.as_slice(), None).unwrap_err().kind(),
        ErrorKind::NotAnExport
    );
    assert!(elsewhere.sessions().unwrap().is_empty());
    elsewhere.import(whole.as_slice(), None).unwrap();
}

#[test]
fn forged_lengths_and_orders_are_refused() {
    let (_folder, store) = new_store();
    let record = |seq: u64, announced: u32| {
        let mut it = vec![4];
        it.extend(b"tick");
        it.extend(seq.to_le_bytes());
        it.extend(0_u64.to_le_bytes());
        it.extend(announced.to_le_bytes());
        it
    };
    let end = |count: u64| [&[0], count.to_le_bytes().as_slice()].concat();
    let cases = [
        ("a head of 4 GB", vec![0xff; 4]),
        ("a body of 4 GB", [head("a"), record(0, u32::MAX)].concat()),
        ("a body that is not there", [head("a"), record(0, 1_000_000)].concat()),
        ("an order", [head("a"), record(1, 0), record(1, 0), end(2)].concat()),
        ("a seq above what SQLite has", [head("a"), record(u64::MAX, 0), end(1)].concat()),
        ("a count", [head("a"), record(1, 0), end(2)].concat()),
        ("a kind that is no name", [head("a"), b"\x01;".to_vec(), vec![0; 20], end(1)].concat()),
    ];
    for (what, inner) in cases {
        let error = store.import(forged(&inner).as_slice(), None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotAnExport, "{what}: {error}");
    }
    let good = [head("a"), record(7, 0), end(1)].concat();
    assert_eq!(store.import(forged(&good).as_slice(), None).unwrap().ticks, 1);
}

#[test]
fn a_bomb_stops_at_the_limit_and_not_in_memory() {
    let (_folder, store) = new_store();
    // A body of 32 MB is the limit, and this one says it has one byte more.
    let mut record = vec![4];
    record.extend(b"tick");
    record.extend([0; 16]);
    record.extend(((32 << 20) + 1_u32).to_le_bytes());
    record.resize(64 << 20, 0);
    let bytes = forged(&[head("a"), record].concat());
    assert!(bytes.len() < 10_000);
    let error = store.import(bytes.as_slice(), None).unwrap_err();
    assert!(error.to_string().contains("33554432 are the limit"), "{error}");
}

#[test]
fn a_newer_export_says_who_wrote_it() {
    let (_folder, store) = new_store();
    let error = store.import(b"giulia.export/9 3.2.1\nwhatever".as_slice(), None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Newer);
    assert!(error.to_string().contains("giulia 3.2.1 wrote it"), "{error}");
}

#[test]
fn a_reader_that_fails_leaves_nothing_behind() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the network went away"))
        }
    }
    let (_folder, store) = new_store();
    recorded(&store, "a", 50);
    let bytes = exported(&store, "a");
    let cut = bytes[..bytes.len() / 2].chain(Failing);
    let error = store.import(cut, Some("b")).unwrap_err();
    assert!(error.to_string().contains("the network went away"), "{error}");
    assert_eq!(store.sessions().unwrap().len(), 1);
}
