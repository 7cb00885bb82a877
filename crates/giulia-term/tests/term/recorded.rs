//! Every line of `fixtures/terms/otp*.tsv`: what nodes wrote, read with every reader we have.

use std::{collections::BTreeSet, fs, path::PathBuf};

use giulia_term::{Kind, Limits, Reader, Term, validate};

struct Line {
    name: String,
    options: String,
    bytes: Vec<u8>,
    text: String,
}

fn recorded(otp: u32) -> Vec<Line> {
    let path = format!("../../fixtures/terms/otp{otp}.tsv");
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    let parse = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let hex = fields[2].as_bytes().chunks(2);
        let bytes = hex.map(|it| u8::from_str_radix(str::from_utf8(it).unwrap(), 16).unwrap());
        Line {
            name: fields[0].to_owned(),
            options: fields[1].to_owned(),
            bytes: bytes.collect(),
            text: fields[3].to_owned(),
        }
    };
    fs::read_to_string(path).unwrap().lines().map(parse).collect()
}

fn all() -> Vec<(u32, Line)> {
    [23, 25, 27, 29]
        .into_iter()
        .flat_map(|otp| recorded(otp).into_iter().map(move |it| (otp, it)))
        .collect()
}

/// The bytes of one line after the version byte, inflated.
fn body(line: &Line) -> Vec<u8> {
    let mut inflated = Vec::new();
    let mut reader = Reader::versioned(&line.bytes, &Limits::DEFAULT, &mut inflated).unwrap();
    let bytes = reader.raw().unwrap().to_vec();
    reader.finish().unwrap();
    bytes
}

#[test]
fn every_recorded_term_reads_as_the_node_shows_it() {
    for (otp, line) in all() {
        let at = format!("otp {otp} {} {}", line.name, line.options);
        let body = body(&line);
        validate(&body, &Limits::DEFAULT).unwrap_or_else(|it| panic!("{at}: {it}"));
        let term = Term::decode(&body).unwrap_or_else(|it| panic!("{at}: {it}"));
        if line.options == "[local]" {
            assert!(matches!(term, Term::Local(_)), "{at}");
        } else if ["string_unicode", "binary_utf8"].contains(&line.name.as_str()) {
            // A node without `+pc unicode` takes only Latin-1 for text; we always write text.
            assert!(["\"Пр\"", "<<\"Пр\"/utf8>>"].contains(&&*term.to_string()), "{at}: {term}");
        } else {
            assert_eq!(format!("{term:.65000}"), line.text, "{at}");
        }
    }
}

#[test]
fn what_otp_27_writes_by_default_is_what_we_write() {
    let mut compared = 0;
    for line in recorded(27).into_iter().chain(recorded(29)) {
        let body = body(&line);
        let mut again = Vec::new();
        Term::decode(&body).unwrap().encode(&mut again).unwrap();
        // Ports are the one deliberate difference: we write the form that OTP 23 reads.
        if line.options == "[]" && !["port", "mixed"].contains(&line.name.as_str()) {
            assert_eq!(again, body, "{}", line.name);
            compared += 1;
        }
    }
    assert!(compared > 100, "only {compared} lines were compared");
}

#[test]
fn every_encoding_of_a_term_reads_as_the_same_term() {
    let lines: Vec<_> = all().into_iter().filter(|(_, it)| it.options != "[local]").collect();
    for (otp, line) in &lines {
        // Funs hold atoms in the writing that they arrived in, and are kept as bytes.
        if line.name.starts_with("function") {
            continue;
        }
        let first = lines.iter().find(|(o, it)| o == otp && it.name == line.name).unwrap();
        let (this, first) = (body(line), body(&first.1));
        assert_eq!(
            Term::decode(&this).unwrap(),
            Term::decode(&first).unwrap(),
            "otp {otp} {} {}",
            line.name,
            line.options
        );
    }
}

#[test]
fn every_prefix_of_a_recorded_term_is_an_error() {
    for (otp, line) in all() {
        let body = body(&line);
        for len in 0..body.len() {
            assert!(Term::decode(&body[..len]).is_err(), "otp {otp} {} {len}", line.name);
            assert!(
                validate(&body[..len], &Limits::DEFAULT).is_err(),
                "otp {otp} {} {len}",
                line.name
            );
        }
    }
}

#[test]
fn the_pulling_methods_agree_with_the_tree() {
    let mut kinds = BTreeSet::new();
    for (_, line) in all() {
        let body = body(&line);
        let term = Term::decode(&body).unwrap();
        let kind = Reader::new(&body).kind().unwrap();
        kinds.insert(format!("{kind:?}"));
        let mut reader = Reader::new(&body);
        let pulled = match (kind, &term) {
            (Kind::Integer, Term::Big(it)) if it.to_u64().is_none() => {
                assert!(reader.int().is_err());
                reader = Reader::new(&body);
                reader.term().unwrap()
            }
            (Kind::Integer, Term::Big(_)) => Term::uint(reader.uint().unwrap()),
            (Kind::Integer, _) => Term::int(reader.int().unwrap()),
            (Kind::Float, _) => Term::float(reader.float().unwrap()),
            (Kind::Atom, _) => Term::atom(reader.atom().unwrap()),
            (Kind::Binary, _) => Term::binary(reader.binary().unwrap()),
            (Kind::Pid, _) => Term::from(reader.pid().unwrap()),
            (Kind::Port, _) => Term::from(reader.port().unwrap()),
            (Kind::Reference, _) => Term::from(reader.reference().unwrap()),
            (Kind::Tuple, _) => {
                let arity = reader.tuple().unwrap();
                Term::Tuple((0..arity).map(|_| reader.term().unwrap()).collect())
            }
            (Kind::Map, _) => {
                let pairs = reader.map().unwrap();
                let mut pair = || (reader.term().unwrap(), reader.term().unwrap());
                Term::Map((0..pairs).map(|_| pair()).collect())
            }
            _ => reader.term().unwrap(),
        };
        assert_eq!(pulled, term, "{}", line.name);
        reader.finish().unwrap();
    }
    assert_eq!(kinds.len(), 14, "every kind but none twice: {kinds:?}");
}

#[test]
fn text_is_read_from_each_of_its_forms() {
    for (otp, line) in all() {
        let wanted = match line.name.as_str() {
            "string" => "text \"quoted\" \\ \n",
            "string_latin1" => "é",
            "string_unicode" | "binary_utf8" => "Пр",
            "binary" => "text",
            "nil" | "binary_empty" => "",
            _ => continue,
        };
        if line.options != "[local]" {
            assert_eq!(
                Reader::new(&body(&line)).text().unwrap(),
                wanted,
                "otp {otp} {}",
                line.name
            );
        }
    }
}
