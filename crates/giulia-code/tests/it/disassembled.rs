//! Every call and every loop, as `beam_disasm` of the same OTP has them.

use std::{fmt::Write, path::Path};

use giulia_code::{Beam, Callee, Code, Loop, loops, opcode, unpack};
use giulia_testkit::{Node, Otp, for_each_otp};

use crate::corpus;

/// One file's calls and loops in the text of `truth:code/1`.
fn text(bytes: &[u8]) -> String {
    let bytes = unpack(bytes).unwrap();
    let beam = Beam::read(&bytes).unwrap();
    let code = Code::read(&beam).unwrap();
    let mut text = String::new();
    let name = |index: usize| {
        let function = code.functions.get(index).unwrap();
        format!("{}/{}", function.name, function.arity)
    };
    let import = |number: usize| {
        let (module, function, arity) = beam.import(number).unwrap();
        (module.to_owned(), format!("{function}/{arity}"))
    };
    for function in &code.functions {
        writeln!(text, "function {}/{}", function.name, function.arity).unwrap();
        for call in &function.calls {
            let kind = if call.is_tail { "tail" } else { "call" };
            let line = match call.to {
                Callee::Local(it) | Callee::KnownFun(it) => format!("{kind} local {}", name(it)),
                Callee::External(it) => {
                    let (module, function) = import(it);
                    format!("{kind} external {module}:{function}")
                }
                Callee::Bif(it) => format!("bif {}", import(it).1),
                Callee::MakesFun(it) => format!("makes local {}", name(it)),
                Callee::Fun => format!("{kind} a_fun"),
                Callee::Apply => format!("{kind} apply"),
                Callee::Send => "call send".to_owned(),
            };
            writeln!(text, "{line}").unwrap();
        }
    }
    text
}

/// The same of the loops; functions that are none are left out, as `loops` leaves them out.
fn loop_lines(found: &[(String, u32, Loop)]) -> Vec<String> {
    let line = |(name, arity, it): &(String, u32, Loop)| {
        let own = format!("{name}/{arity}");
        let cycle = it.cycle.iter().map(|(name, arity)| format!("{name}/{arity}"));
        let mut cycle: Vec<String> = cycle.filter(|it| *it != own).collect();
        cycle.sort();
        format!(
            "loop {own} itself={} receives={} enters={} with {}",
            it.itself,
            it.receives,
            it.enters.is_some(),
            cycle.join(" ")
        )
    };
    found.iter().map(line).filter(|it| !is_nothing(it)).collect()
}

fn is_nothing(line: &str) -> bool {
    line.contains(" itself=false receives=false enters=false with ") && line.ends_with(" with ")
}

/// How many lines a file has, and the first at which each of its two lists differs.
pub(crate) fn differences(otp: &Otp, node: &Node, file: &Path) -> (usize, Vec<String>) {
    let answer = corpus::ask(node, "code", file);
    let (their_loops, their_calls): (Vec<&str>, Vec<&str>) =
        answer.lines().partition(|it| it.starts_with("loop "));
    let their_calls: Vec<&str> = their_calls.into_iter().filter(|it| *it != "loop_rec").collect();
    let their_loops: Vec<&str> = their_loops.into_iter().filter(|it| !is_nothing(it)).collect();
    let bytes = corpus::bytes(otp, file);
    let calls = text(&bytes);
    let calls: Vec<&str> = calls.lines().collect();
    let found_loops = loop_lines(&loops(&bytes).unwrap());
    let found_loops: Vec<&str> = found_loops.iter().map(String::as_str).collect();
    let mut differ = Vec::from_iter(first_difference(&calls, &their_calls));
    differ.extend(first_difference(&found_loops, &their_loops));
    (calls.len() + found_loops.len(), differ)
}

fn first_difference(here: &[&str], there: &[&str]) -> Option<String> {
    let mut places = 0..here.len().max(there.len());
    let place = places.find(|it| here.get(*it) != there.get(*it))?;
    Some(format!("found {:?}, expected {:?}", here.get(place), there.get(place)))
}

#[test]
fn calls_and_loops_equal_the_disassembler() {
    for_each_otp("calls_and_loops_equal_the_disassembler", |otp| {
        let node = corpus::truthful(otp);
        let (mut n_files, mut n_lines, mut looked_at, mut scored) = (0, 0, 0, 0);
        for file in corpus::some_files(otp) {
            let (lines, differ) = differences(otp, &node, &file);
            (n_files, n_lines) = (n_files + 1, n_lines + lines);
            if differ.is_empty() {
                continue;
            }
            if corpus::is_looked_at(&file) {
                looked_at += 1;
                println!("{}: {}", file.display(), differ.join("; "));
            } else {
                scored += 1;
            }
        }
        println!(
            "OTP {}: files={n_files} calls_and_functions={n_lines} files_that_differ={looked_at} \
             in_the_scored_half={scored}",
            otp.release
        );
        assert_eq!((looked_at, scored), (0, 0), "OTP {}", otp.release);
        assert!(n_files >= 10, "only {n_files} files");
    });
}

/// Every file of every installation is read; nothing is skipped.
#[test]
fn every_file_is_read() {
    for_each_otp("every_file_is_read", |otp| {
        let files = corpus::all_files(otp);
        let mut n_loops = 0;
        for file in &files {
            match loops(&corpus::bytes(otp, file)) {
                Ok(found) => n_loops += found.iter().filter(|(_, _, it)| it.is_loop()).count(),
                Err(problem) => panic!("{}: {problem}", file.display()),
            }
        }
        println!("OTP {}: files={} functions_in_loops={n_loops}", otp.release, files.len());
        assert!(n_loops > 5 * files.len(), "only {n_loops} loops in {} files", files.len());
    });
}

/// What a reader of OTP's sources knows, lest both sides share a mistake.
#[test]
fn well_known_loops() {
    for_each_otp("well_known_loops", |otp| {
        let files = corpus::all_files(otp);
        let of = |module: &str, function: &str| -> Vec<Loop> {
            let name = format!("{module}.beam");
            let file = files.iter().find(|it| it.ends_with(&name)).unwrap();
            let found = loops(&corpus::bytes(otp, file)).unwrap().into_iter();
            found.filter(|(name, _, _)| name == function).map(|(_, _, it)| it).collect()
        };
        // `foldl/3` itself up to OTP 23, its helper after that; `map/2` builds its list on the way
        // back.
        let foldl = if otp.release == 23 { "foldl" } else { "foldl_1" };
        assert!(of("lists", foldl).iter().all(|it| it.itself && !it.receives));
        assert!(!of("lists", "map").iter().any(Loop::is_loop));
        assert!(!of("lists", "map_1").iter().any(Loop::is_loop));
        let server = of("gen_server", "loop");
        assert!(!server.is_empty() && server.iter().all(|it| it.is_loop() && it.receives));
        assert!(
            server.iter().all(|it| it.cycle.iter().any(|(name, _)| name == "handle_common_reply"))
        );
        assert!(of("gen_server", "enter_loop").iter().any(|it| it.enters.is_some()));
        assert!(of("Elixir.Enum", "reduce").iter().all(|it| !it.receives));
    });
}

#[test]
fn the_table_of_instructions_is_theirs() {
    for_each_otp("the_table_of_instructions_is_theirs", |otp| {
        let node = corpus::truthful(otp);
        let theirs = node.eval("truth:plain(truth:opcodes())");
        let theirs = corpus::unquoted(&theirs);
        assert!(theirs.lines().count() >= 170, "{theirs}");
        for line in theirs.lines() {
            let (number, name_and_arity) = line.split_once(' ').unwrap();
            let (name, arity) = opcode(number.parse().unwrap()).unwrap();
            assert_eq!(format!("{name} {arity}"), name_and_arity);
        }
    });
}
