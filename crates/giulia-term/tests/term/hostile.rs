//! Bytes made to hurt a decoder, each in a process of its own whose peak memory is read.

use std::{
    env, fs,
    io::{self, Read as _, Write as _},
    process::{Command, Stdio},
};

use flate2::{Compression, write::ZlibEncoder};
use giulia_term::{DecodeErrorKind, Limits, Reader, Term, validate};

/// Promised for every input below, in bytes; the input itself and the test harness included.
const PEAK_MAX: u64 = 64 << 20;

/// Address space of the child, in KiB: a reservation of gigabytes aborts it, touched or not.
const ADDRESS_SPACE_KIB: u64 = 1 << 20;

/// What all readers together say about an input.
type Outcome = Result<(), DecodeErrorKind>;

struct Case {
    name: &'static str,
    bytes: fn() -> Vec<u8>,
    outcome: Outcome,
}

const fn case(name: &'static str, outcome: Outcome, bytes: fn() -> Vec<u8>) -> Case {
    Case { name, bytes, outcome }
}

/// `131` in front where the case says so: compressed terms exist nowhere else.
const CASES: &[Case] = &[
    case("20,000 nested lists", Err(DecodeErrorKind::Limit), || {
        let mut bytes = [108, 0, 0, 0, 1].repeat(20_000);
        bytes.extend([106; 20_001]);
        bytes
    }),
    case("20,000 nested tuples", Err(DecodeErrorKind::Limit), || {
        let mut bytes = [104, 1].repeat(20_000);
        bytes.push(106);
        bytes
    }),
    case("20,000 lists in tails", Ok(()), || {
        let mut bytes = [108, 0, 0, 0, 1, 106].repeat(20_000);
        bytes.push(106);
        bytes
    }),
    case("20,000 empty lists in tails", Ok(()), || {
        let mut bytes = [108, 0, 0, 0, 0].repeat(20_000);
        bytes.push(106);
        bytes
    }),
    case("20,000 local terms in one another", Err(DecodeErrorKind::Truncated), || {
        [121, 0, 0, 0, 0].repeat(20_000)
    }),
    case("a list of 2^32-1", Err(DecodeErrorKind::Truncated), || {
        vec![108, 255, 255, 255, 255, 97, 1, 106]
    }),
    case("a tuple of 2^32-1", Err(DecodeErrorKind::Truncated), || {
        vec![105, 255, 255, 255, 255, 97, 1, 106]
    }),
    case("a map of 2^32-1", Err(DecodeErrorKind::Truncated), || {
        vec![116, 255, 255, 255, 255, 97, 1, 106]
    }),
    case("a record of 2^32-1", Err(DecodeErrorKind::Truncated), || {
        vec![67, 255, 255, 255, 255, 1, 119, 0]
    }),
    case("a binary of 2^32-1", Err(DecodeErrorKind::Truncated), || {
        vec![109, 255, 255, 255, 255, 1, 119, 0]
    }),
    case("100 tuples of 9 million in one another", Err(DecodeErrorKind::Truncated), || {
        [105, 0, 137, 84, 64].repeat(100)
    }),
    case("tuples that each claim all that is left", Err(DecodeErrorKind::Truncated), || {
        // Few enough for the limit of nodes: what the others still need has to be seen.
        let mut bytes: Vec<u8> = (1..=200_u32)
            .flat_map(|it| {
                let [a, b, c, d] = (900_000 - it * 5).to_be_bytes();
                [105, a, b, c, d]
            })
            .collect();
        bytes.resize(900_000, 106);
        bytes
    }),
    case("a fun of 2^32-1 variables", Err(DecodeErrorKind::Truncated), || {
        let mut bytes = vec![112, 0, 0, 0, 50, 1];
        bytes.extend([0; 20]);
        bytes.extend([255, 255, 255, 255, 119, 1, 97, 97, 0, 97, 0]);
        bytes
    }),
    case("a big integer of 4 GB", Err(DecodeErrorKind::Truncated), || {
        vec![111, 255, 255, 255, 255, 0, 1, 1]
    }),
    case("a distribution header", Err(DecodeErrorKind::Tag), || vec![68, 1, 0, 0]),
    case("an atom cache reference", Err(DecodeErrorKind::Tag), || vec![82, 0]),
    case("an old fun", Err(DecodeErrorKind::Tag), || vec![117, 0, 0, 0, 0]),
    case("compressed inside of a term", Err(DecodeErrorKind::Tag), || {
        vec![104, 1, 80, 0, 0, 0, 2, 120, 156]
    }),
    case("a latin-1 atom", Ok(()), || vec![115, 3, 233, 116, 233]),
    case("an atom that is not UTF-8", Err(DecodeErrorKind::Value), || vec![119, 1, 233]),
    case("an atom of 256 characters", Err(DecodeErrorKind::Value), || {
        let mut bytes = vec![118, 1, 0];
        bytes.extend([97; 256]);
        bytes
    }),
    case("a float that is not a number", Err(DecodeErrorKind::Value), || {
        vec![70, 127, 248, 0, 0, 0, 0, 0, 0]
    }),
    case("a reference of 65,535 words", Err(DecodeErrorKind::Value), || {
        vec![90, 255, 255, 119, 1, 97, 0, 0]
    }),
    case("no bits of no byte", Err(DecodeErrorKind::Value), || vec![77, 0, 0, 0, 0, 3]),
    case("16 MB of empty lists in a tuple", Err(DecodeErrorKind::Limit), || {
        let mut bytes = vec![105, 1, 0, 0, 0];
        bytes.resize(5 + (1 << 24), 106);
        bytes
    }),
    case("a million small tuples", Err(DecodeErrorKind::Limit), || {
        let mut bytes = vec![105, 0, 15, 66, 63];
        bytes.extend([104, 1, 106].repeat(999_999));
        bytes
    }),
    case("half a million small tuples", Ok(()), || {
        let mut bytes = vec![105, 0, 7, 122, 16];
        bytes.extend([104, 1, 106].repeat(490_000));
        bytes
    }),
    case("400 strings of 65,535", Err(DecodeErrorKind::Limit), || {
        let mut string = vec![107, 255, 255];
        string.resize(3 + 65_535, 97);
        let mut bytes = vec![105, 0, 0, 1, 144];
        bytes.extend(string.repeat(400));
        bytes
    }),
    case("pids of ever other nodes", Ok(()), || {
        let mut bytes = vec![105, 0, 1, 0, 0];
        for it in 0..65_536_u32 {
            bytes.extend([88, 119, 4]);
            bytes.extend(it.to_be_bytes().map(|it| it & 0x7f));
            bytes.extend([0; 12]);
        }
        bytes
    }),
    case("a compressed term of 1.5 GB", Err(DecodeErrorKind::Limit), || {
        compressed(1_500_000_000, 1_500_000_000)
    }),
    case("150 MB said to be 1 MB", Err(DecodeErrorKind::Compressed), || {
        compressed(150_000_000, 1 << 20)
    }),
    case("1 MB said to be 32 MB", Err(DecodeErrorKind::Compressed), || {
        compressed(1 << 20, 32 << 20)
    }),
    case("12 bytes said to be 32 MB", Err(DecodeErrorKind::Compressed), || {
        vec![131, 80, 2, 0, 0, 0, 120, 156, 3, 0, 0, 0]
    }),
    case("a compressed term of 32 MB", Ok(()), || compressed((32 << 20) - 5, 32 << 20)),
    case("compressed twice", Err(DecodeErrorKind::Tag), || {
        let mut bytes = vec![131, 80, 0, 0, 0, 3];
        bytes.extend(deflated(|out| out.write_all(&[80, 0, 0]).unwrap()));
        bytes
    }),
];

#[test]
fn a_node_of_a_tree_has_the_promised_size() {
    assert_eq!(size_of::<Term<'_>>(), 32);
}

#[test]
fn hostile_input_stays_within_64_mb() {
    for case in CASES {
        let limit = format!("ulimit -v {ADDRESS_SPACE_KIB}; exec \"$@\"");
        let mut output = Command::new("sh")
            .args(["-c", &limit, "sh"])
            .arg(env::current_exe().unwrap())
            .args(["--exact", "hostile::child", "--nocapture", "--test-threads=1"])
            .env("GIULIA_HOSTILE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = output.stdin.take().unwrap();
        stdin.write_all(&(case.bytes)()).unwrap();
        drop(stdin);
        let output = output.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let report = text.lines().find_map(|it| it.split_once("peak=")).map(|it| it.1);
        let (peak, outcome) = report
            .and_then(|it| it.split_once(" outcome="))
            .unwrap_or_else(|| panic!("{}: died: {text} {output:?}", case.name));
        let peak: u64 = peak.parse().unwrap();
        assert_eq!(outcome, format!("{:?}", case.outcome), "{}", case.name);
        assert!(peak <= PEAK_MAX, "{}: {} MiB", case.name, peak >> 20);
        println!("{}: {} MiB, {outcome}", case.name, peak >> 20);
    }
}

/// Not a test of its own: the body of the children above.
#[test]
fn child() {
    if env::var_os("GIULIA_HOSTILE").is_none() {
        return;
    }
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes).unwrap();
    let outcome = outcome(&bytes);
    println!("\npeak={} outcome={outcome:?}", peak());
}

fn outcome(bytes: &[u8]) -> Outcome {
    if bytes.first() == Some(&131) {
        let mut inflated = Vec::new();
        let reader = Reader::versioned(bytes, &Limits::DEFAULT, &mut inflated);
        return reader.and_then(|mut it| it.skip()).map_err(|it| it.kind());
    }
    let mut reader = Reader::new(bytes);
    // Pulled as everything that it might be; only the bounds matter here.
    let _pulled = (reader.clone().text().is_ok(), reader.clone().integers().is_ok());
    let _each = reader.clone().each(Reader::skip).is_ok();
    let skipped = reader.skip().and_then(|()| reader.finish());
    let valid = validate(bytes, &Limits::DEFAULT);
    assert_eq!(skipped.is_ok(), valid.is_ok());
    let tree = Term::decode(bytes).map(|it| it.to_string());
    // A tree has a limit more: its nodes.
    assert!(valid.is_ok() || tree.is_err());
    tree.map(drop).map_err(|it| it.kind())
}

/// Most memory that this process had so far, in bytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// A compressed binary of so many zeros under a declared size.
fn compressed(zeros: u32, declared: u32) -> Vec<u8> {
    let mut bytes = vec![131, 80];
    bytes.extend(declared.to_be_bytes());
    bytes.extend(deflated(|out| {
        out.write_all(&[109]).unwrap();
        out.write_all(&zeros.to_be_bytes()).unwrap();
        let chunk = [0; 1 << 12];
        let mut left = zeros as usize;
        while left > 0 {
            let len = left.min(chunk.len());
            out.write_all(&chunk[..len]).unwrap();
            left -= len;
        }
    }));
    bytes
}

fn deflated(write: impl FnOnce(&mut ZlibEncoder<Vec<u8>>)) -> Vec<u8> {
    let mut out = ZlibEncoder::new(Vec::new(), Compression::best());
    write(&mut out);
    out.finish().unwrap()
}
