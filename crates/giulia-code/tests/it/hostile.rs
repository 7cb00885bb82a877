//! Damaged and forged files: a problem or facts, never a panic, never more memory than bytes.

use giulia_code::{ProblemKind, facts, loops};
use proptest::{collection::vec, prelude::*};

const SPIN: &[u8] = include_bytes!("../../../../fixtures/beam/spin.beam");

/// A file with one chunk whose bytes are these.
fn with_chunk(name: [u8; 4], bytes: &[u8]) -> Vec<u8> {
    let mut body = b"BEAM".to_vec();
    for (name, bytes) in [(*b"AtU8", &[0, 0, 0, 1, 1, b'a'][..]), (name, bytes)] {
        body.extend(name);
        body.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
        body.extend(bytes);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let mut file = b"FOR1".to_vec();
    file.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
    file.extend(body);
    file
}

fn kind(file: &[u8]) -> ProblemKind {
    loops(file).unwrap_err().kind()
}

#[test]
fn each_kind_of_problem_has_a_file() {
    assert_eq!(kind(b"#!/bin/sh"), ProblemKind::NotBeam);
    assert_eq!(kind(&SPIN[..SPIN.len() - 8]), ProblemKind::Truncated);
    assert_eq!(kind(&with_chunk(*b"Attr", &[])), ProblemKind::Missing);
    assert_eq!(kind(&[0x1f, 0x8b, 8, 0, 0]), ProblemKind::Compressed);
    let head = |set: u8| [&[0, 0, 0, 16, 0, 0, 0, set][..], &[0; 12]].concat();
    assert_eq!(kind(&with_chunk(*b"Code", &head(1))), ProblemKind::Value);
    let unknown = [&head(0)[..], &[250]].concat();
    assert_eq!(kind(&with_chunk(*b"Code", &unknown)), ProblemKind::Opcode);
    // A call of label 7, where nothing is.
    let lost = [&head(0)[..], &[2, 0x02, 0x12, 0x00, 1, 0x10, 6, 0x00, 0x75, 3]].concat();
    assert_eq!(kind(&with_chunk(*b"Code", &lost)), ProblemKind::Value);
}

/// Announces 2^31 atoms and has none.
#[test]
fn an_announced_count_is_not_believed() {
    let file = with_chunk(*b"ImpT", &[0x7f, 0xff, 0xff, 0xff]);
    assert_eq!(kind(&file), ProblemKind::Truncated);
}

#[test]
fn packed_zeros_stop_at_the_limit() {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let zeros = vec![0; 1 << 20];
    for _ in 0..=giulia_code::UNPACKED_BYTES_MAX >> 20 {
        std::io::Write::write_all(&mut packer, &zeros).unwrap();
    }
    assert_eq!(kind(&packer.finish().unwrap()), ProblemKind::Limit);
}

#[test]
fn a_packed_file_reads_as_itself() {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packer, SPIN).unwrap();
    assert_eq!(loops(&packer.finish().unwrap()), loops(SPIN));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damage_is_survived(changes in vec((0..SPIN.len(), any::<u8>()), 1..8)) {
        let mut file = SPIN.to_vec();
        for (place, byte) in changes {
            file[place] = byte;
        }
        drop((loops(&file), facts(&file)));
    }

    #[test]
    fn any_code_is_survived(code in vec(any::<u8>(), 0..200)) {
        let code = [&[0, 0, 0, 16, 0, 0, 0, 0][..], &[0; 12], &code].concat();
        drop(loops(&with_chunk(*b"Code", &code)));
    }
}
