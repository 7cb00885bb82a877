//! Facts against `xref` and `beam_lib` of the same OTP.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fmt::Write,
    path::{Path, PathBuf},
};

use giulia_code::{Facts, How, Origin, facts};
use giulia_testkit::{Node, Otp, for_each_otp, for_each_otp_from};

use crate::{corpus, disassembled};

/// Calls with their lines, by caller and target.
type Edges = BTreeMap<(String, String), BTreeSet<u32>>;

/// Written calls that Elixir 1.20 evaluates while it compiles.
const EVALUATED: &[&str] = &["Elixir.MapSet:new/0", "Elixir.MapSet:new/1"];

/// What Elixir's compiler calls in branches that Erlang's compiler may prove dead.
const HELPERS: &[&str] =
    &["elixir_erl_pass:no_parens_remote/2", "elixir_erl_pass:parens_map_field/2"];

/// How much was compared, and what differed.
#[derive(Default)]
struct Score {
    n_files: usize,
    n_edges: usize,
    missing: Vec<String>,
    /// Said by debug information alone or by both.
    extra: Vec<String>,
    n_only_bytecode: usize,
    /// Of the edges, those that bytecode alone has too.
    n_in_bytecode: usize,
    other_lines: Vec<String>,
    other: Vec<String>,
}

fn text(name: &str, arity: u32) -> String {
    format!("{name}/{arity}")
}

/// The edges of those origins, without BIFs.
fn edges(facts: &Facts, builtins: &HashSet<&str>, origins: &[Origin]) -> Edges {
    let mut found = Edges::new();
    for function in &facts.functions {
        for call in function.calls.iter().filter(|it| origins.contains(&it.origin)) {
            let to = facts.targets.get(call.to as usize).unwrap();
            let to = format!("{}:{}/{}", to.module, to.function, to.arity);
            let is_apply = to.starts_with("erlang:apply/");
            if call.how != How::Bif && !is_apply && !builtins.contains(to.as_str()) {
                let from = text(&function.name, function.arity);
                found.entry((from, to)).or_default().extend(call.line);
            }
        }
    }
    found
}

/// What a module says about itself, in the text of `truth:xref/1`.
fn head(facts: &Facts) -> String {
    let mut head = format!("module {}\nmd5 ", facts.module);
    for it in facts.md5 {
        write!(head, "{it:02x}").unwrap();
    }
    let mut lists: [Vec<String>; 4] = Default::default();
    let [exports, behaviours, fields, docs] = &mut lists;
    let exported = facts.functions.iter().filter(|it| it.is_exported);
    let mut exported: Vec<(&str, u32)> = exported.map(|it| (&*it.name, it.arity)).collect();
    exported.sort_unstable();
    exports.extend(exported.iter().map(|(name, arity)| format!("export {name}/{arity}")));
    behaviours.extend(facts.behaviours.iter().map(|it| format!("behaviour {it}")));
    behaviours.sort();
    fields.extend(facts.structure.iter().flatten().map(|it| format!("struct {it}")));
    fields.sort();
    for function in &facts.functions {
        let Some(doc) = &function.doc else { continue };
        let text = match function.name.strip_prefix("MACRO-") {
            Some(name) => format!("macro {name}/{}", function.arity - 1),
            None => format!("function {}/{}", function.name, function.arity),
        };
        docs.push(format!("doc {text} {}", doc.len()));
    }
    docs.sort();
    if let Some(doc) = &facts.doc {
        docs.insert(0, format!("doc module {}", doc.len()));
    }
    for line in lists.iter().flatten() {
        write!(head, "\n{line}").unwrap();
    }
    head
}

/// The same module as if it had been stripped of its debug information.
fn without_debug_info(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = giulia_code::unpack(bytes).unwrap().into_owned();
    let name = bytes.windows(4).position(|it| it == b"Dbgi").unwrap();
    bytes.get_mut(name..name + 4).unwrap().copy_from_slice(b"Dbgx");
    bytes
}

fn compare(bytes: &[u8], answer: &str, builtins: &HashSet<&str>, score: &mut Score, file: &Path) {
    let facts = facts(bytes).unwrap();
    let head = head(&facts);
    let head: Vec<&str> = head.lines().collect();
    let (their_edges, their_head): (Vec<&str>, Vec<&str>) =
        answer.lines().partition(|it| it.starts_with("edge\t"));
    if head != their_head || !facts.problems.is_empty() {
        let first = head.iter().zip(&their_head).find(|(ours, theirs)| ours != theirs);
        score.other.push(format!("{}: {first:?} {:?}", file.display(), facts.problems));
    }
    let mut theirs = Edges::new();
    for edge in their_edges {
        let mut words = edge.rsplitn(3, '\t');
        let lines = words.next().unwrap().split(',').map(|it| it.parse().unwrap());
        // What a compiler made has no line.
        let lines = lines.filter(|it| *it > 0).collect();
        let to = words.next().unwrap().to_owned();
        if HELPERS.contains(&to.as_str()) {
            continue;
        }
        let from = words.next().unwrap().strip_prefix("edge\t").unwrap().to_owned();
        theirs.insert((from, to), lines);
    }
    let all = edges(&facts, builtins, &[Origin::Both, Origin::DebugInfo, Origin::Bytecode]);
    let written = edges(&facts, builtins, &[Origin::Both, Origin::DebugInfo]);
    let stripped = giulia_code::facts(&without_debug_info(bytes)).unwrap();
    assert!(!stripped.has_debug_info && stripped.md5 == facts.md5);
    let compiled = edges(&stripped, builtins, &[Origin::Bytecode]);
    score.n_in_bytecode += theirs.keys().filter(|it| compiled.contains_key(it)).count();
    let is_folded = |(_, to): &&(String, String)| EVALUATED.contains(&to.as_str());
    let named = |(from, to): &(String, String)| format!("{} {from} -> {to}", facts.module);
    score.n_files += 1;
    score.n_edges += theirs.len();
    score.missing.extend(theirs.keys().filter(|it| !all.contains_key(it)).map(named));
    score
        .extra
        .extend(written.keys().filter(|it| !theirs.contains_key(it) && !is_folded(it)).map(named));
    score.n_only_bytecode += all.keys().filter(|it| !theirs.contains_key(it)).count();
    // In a file of its own, as of a generated parser, a line is one of that file; xref counts on.
    let elsewhere = facts.functions.iter().filter(|it| it.file.is_some());
    let elsewhere: HashSet<String> = elsewhere.map(|it| text(&it.name, it.arity)).collect();
    // What Elixir's compiler adds, as for a comprehension, has its lines in the bytecode at most.
    let is_elixir = facts.language.as_deref() == Some("elixir");
    let differ = |(edge, lines): (&(String, String), &BTreeSet<u32>)| {
        let ours = written.get(edge).filter(|_| !elsewhere.contains(&edge.0))?;
        let is_same = if is_elixir { ours.is_subset(lines) } else { ours == lines };
        (!is_same).then(|| format!("{} {ours:?} {lines:?}", named(edge)))
    };
    score.other_lines.extend(theirs.iter().filter_map(differ));
}

fn show(name: &str, score: &Score, is_open: bool) {
    println!(
        "  {name}: files={} edges={} missing={} extra={} in_bytecode={} only_bytecode={} other_lines={} other={}",
        score.n_files,
        score.n_edges,
        score.missing.len(),
        score.extra.len(),
        score.n_in_bytecode,
        score.n_only_bytecode,
        score.other_lines.len(),
        score.other.len(),
    );
    if is_open {
        let lists = [
            ("missing", &score.missing),
            ("extra", &score.extra),
            ("lines", &score.other_lines),
            ("other", &score.other),
        ];
        for (what, list) in lists {
            for it in list.iter().take(25) {
                println!("    {what}: {it}");
            }
        }
    }
}

fn builtins(node: &Node) -> String {
    corpus::unquoted(&node.eval("truth:plain(truth:builtins())"))
}

/// Compares files, in two halves of each language, and shows the figures.
fn scores(otp: &Otp, node: &Node, files: &[PathBuf]) -> [Score; 4] {
    let builtins = builtins(node);
    let builtins: HashSet<&str> = builtins.lines().collect();
    let mut scores: [Score; 4] = Default::default();
    for file in files {
        let is_elixir = file.to_string_lossy().contains("/Elixir.");
        let place = usize::from(is_elixir) * 2 + usize::from(!corpus::is_looked_at(file));
        let answer = corpus::ask(node, "xref", file);
        let bytes = corpus::bytes(otp, file);
        compare(&bytes, &answer, &builtins, &mut scores[place], file);
    }
    show("erlang, looked at", &scores[0], true);
    show("erlang, scored", &scores[1], false);
    show("elixir, looked at", &scores[2], true);
    show("elixir, scored", &scores[3], false);
    scores
}

/// Every file of RabbitMQ, with and without debug information, beside `xref` and `beam_disasm`.
#[test]
fn erlang_source_of_rabbitmq_is_not_needed() {
    for_each_otp_from(27, "erlang_source_of_rabbitmq_is_not_needed", |otp| {
        let folder = otp.root.join("opt/rabbitmq/bin");
        if !folder.exists() {
            println!("OTP {}: skipped, no RabbitMQ", otp.release);
            return;
        }
        let files = corpus::files_below(otp, &[folder]);
        let one_of: usize =
            std::env::var("GIULIA_CODE_ONE_OF").map_or(48, |it| it.parse().unwrap());
        for file in &files {
            giulia_code::facts(&corpus::bytes(otp, file)).unwrap();
        }
        let node = corpus::truthful(otp);
        // Structs are asked of the modules themselves.
        let path = "/opt/rabbitmq/bin/usr/lib/rabbitmq/lib/*/plugins/*/ebin";
        node.eval(&format!("code:add_pathsa(filelib:wildcard({path:?}))"));
        let files: Vec<PathBuf> = files.into_iter().step_by(one_of).collect();
        println!("RabbitMQ, bytecode");
        let scores = scores(otp, &node, &files);
        let differ = files.iter().map(|it| disassembled::differences(otp, &node, it));
        let n_other = differ.filter(|(_, it)| !it.is_empty()).count();
        println!("  read: files={} that_differ_from_beam_disasm={n_other}", files.len());
        let n_missing: usize = scores.iter().map(|it| it.missing.len() + it.other.len()).sum();
        assert_eq!((n_missing, n_other), (0, 0));
    });
}

#[test]
fn facts_equal_xref() {
    for_each_otp("facts_equal_xref", |otp| {
        let node = corpus::truthful(otp);
        println!("OTP {}", otp.release);
        let scores = scores(otp, &node, &corpus::some_files(otp));
        let (mut n_edges, mut n_differ) = (0, 0);
        for score in &scores {
            assert_eq!((score.missing.len(), score.other.len()), (0, 0));
            n_edges += score.n_edges;
            n_differ += score.extra.len() + score.other_lines.len();
        }
        // What was not looked at may differ in one of a thousand; and OTP 23 gives what the
        // default of a record's field calls the line of the record's definition.
        assert!(n_edges > 500 && n_differ <= 1 + n_edges / 1_000, "{n_differ} of {n_edges}");
    });
}
