//! The graph: what is put in comes out, in each order and after each change; bytes are not believed.

use giulia_code::{
    facts,
    graph::{Direction, EdgeFilter, Found, Graph, Page, Stamp},
};
use giulia_model::{EdgeKind, EdgeOrigin, FunctionPattern, Mfa};
use proptest::{collection::vec, prelude::*};

const SPIN: &[u8] = include_bytes!("../../../../fixtures/beam/spin.beam");
const ALL: Page = Page { from: 0, limit: usize::MAX };

fn spin() -> Graph {
    let mut graph = Graph::new();
    let mut change = graph.change();
    change.beam("ebin/spin.beam", Stamp::of(SPIN, 7), Some("spin"), &facts(SPIN).unwrap());
    let delta = change.finish();
    assert_eq!((delta.units, delta.modules, delta.edges_removed), (1, 1, 0));
    assert_eq!(delta.edges_added, graph.size().edges);
    graph
}

fn pattern(text: &str) -> FunctionPattern {
    text.parse().unwrap()
}

/// Who refers to what, as text.
fn lines(graph: &Graph) -> Vec<String> {
    let export = graph.export(None, EdgeFilter::ALL);
    let node = |it: u32| export.nodes.get(it as usize).unwrap().to_string();
    let line = |it: &giulia_model::CodeExportEdge| {
        let (kind, line) = (it.kind.name(), it.line.unwrap_or_default());
        format!("{} -> {} {kind} {line} {:?}", node(it.from), node(it.to), it.origins)
    };
    let mut lines: Vec<String> = export.edges.iter().map(line).collect();
    lines.sort();
    lines
}

#[test]
fn callers_and_callees_are_two_views_of_the_same() {
    let graph = spin();
    let other = graph.function(&Mfa::new("spin", "other", 1)).unwrap();
    let out = graph.calls(&[other], Direction::Out, EdgeFilter::ALL, ALL);
    let reverse = graph.function(&Mfa::new("lists", "reverse", 1)).unwrap();
    let into = graph.calls(&[reverse], Direction::In, EdgeFilter::ALL, ALL);
    assert_eq!((out.total, out.calls[0].to.to_string().as_str()), (1, "lists:reverse/1"));
    assert!(into.calls.contains(&out.calls[0]));
    assert_eq!(out.calls[0].line, Some(22));
    assert_eq!(out.calls[0].origins, [EdgeOrigin::DebugInfo, EdgeOrigin::Bytecode]);
    let none = graph.calls(&[other], Direction::Out, EdgeFilter::of([EdgeKind::Bif]), ALL);
    assert_eq!((none.total, none.next), (0, None));
}

#[test]
fn what_is_written_finds_what_is_meant_or_says_what_is_near() {
    let graph = spin();
    let found = |text: &str| graph.find(&pattern(text));
    assert!(matches!(found("spin"), Ok(Found::Modules(it)) if it.len() == 1));
    assert!(matches!(found("app:spin"), Ok(Found::Modules(it)) if it.len() == 1));
    assert!(matches!(found("spin:down"), Ok(Found::Functions(it)) if it.len() == 1));
    // Referred to, and not defined here.
    assert!(matches!(found("lists:reverse/1"), Ok(Found::Functions(it)) if it.len() == 1));
    assert_eq!(found("spni").unwrap_err().near, ["spin"]);
    assert_eq!(found("spin:dwon/1").unwrap_err().near, ["spin:down/1"]);
    assert!(found("gone*").is_err());
    assert!(found("app:spni").is_err());
}

#[test]
fn pages_cover_everything_once() {
    let graph = spin();
    let module = graph.module("spin").unwrap();
    let all = graph.functions(&[module], ALL);
    let mut paged = Vec::new();
    let mut from = 0;
    loop {
        let page = graph.functions(&[module], Page { from, limit: 3 });
        paged.extend(page.functions);
        let Some(next) = page.next else { break };
        from = usize::try_from(next).unwrap();
    }
    assert_eq!((paged.len() as u64, &paged), (all.total, &all.functions));
}

#[test]
fn a_unit_that_goes_takes_along_what_it_brought() {
    let mut graph = spin();
    let before = graph.generation();
    let mut change = graph.change();
    change.remove("ebin/spin.beam");
    let delta = change.finish();
    assert_eq!((delta.edges_removed > 10, graph.size().edges, graph.size().modules), (true, 0, 0));
    assert_eq!(graph.generation(), before + 1);
    let reverse = graph.function(&Mfa::new("lists", "reverse", 1)).unwrap();
    assert_eq!(graph.calls(&[reverse], Direction::In, EdgeFilter::ALL, ALL).total, 0);
}

/// The same module in two files is there once, and one of the files may go.
#[test]
fn a_module_that_is_there_twice_counts_once() {
    let mut graph = spin();
    let once = lines(&graph);
    let mut change = graph.change();
    change.beam("old/spin.beam", Stamp::of(SPIN, 7), None, &facts(SPIN).unwrap());
    change.finish();
    assert_eq!(lines(&graph), once);
    let mut change = graph.change();
    change.remove("ebin/spin.beam");
    change.finish();
    assert_eq!(lines(&graph), once);
}

#[test]
fn a_changed_unit_gives_the_graph_that_a_new_one_would() {
    let whole = facts(SPIN).unwrap();
    let mut less = whole.clone();
    less.functions.retain(|it| it.name != "other");
    less.functions[0].calls.clear();
    let graph_of = |facts: &giulia_code::Facts| {
        let mut graph = Graph::new();
        let mut change = graph.change();
        change.beam("a", Stamp::default(), None, facts);
        change.finish();
        graph
    };
    let mut graph = graph_of(&whole);
    for (facts, is_less) in [(&less, true), (&whole, false), (&less, true)] {
        let mut change = graph.change();
        change.beam("a", Stamp::default(), None, facts);
        let delta = change.finish();
        assert_eq!(delta.edges_removed > delta.edges_added, is_less);
        assert_eq!(lines(&graph), lines(&graph_of(facts)));
        let reverse = graph.function(&Mfa::new("lists", "reverse", 1)).unwrap();
        let callers = graph.calls(&[reverse], Direction::In, EdgeFilter::ALL, ALL);
        let is_there = callers.calls.iter().any(|it| it.from.name == "other");
        assert_eq!(is_there, !is_less);
    }
}

/// Copies of a module that nothing tells apart count in the order of their files' names, whichever
/// came first: what is stored is read again as the same.
#[test]
fn copies_count_in_the_order_of_their_files() {
    let whole = facts(SPIN).unwrap();
    let mut less = whole.clone();
    less.functions.retain(|it| it.name != "other");
    let graph_of = |files: [(&str, &giulia_code::Facts); 2]| {
        let mut graph = Graph::new();
        for (name, facts) in files {
            let mut change = graph.change();
            change.beam(name, Stamp::default(), None, facts);
            change.finish();
        }
        graph
    };
    let (first, second) = (("a", &less), ("b", &whole));
    let (one, other) = (graph_of([first, second]), graph_of([second, first]));
    assert_eq!(lines(&one), lines(&other));
    assert_eq!(lines(&Graph::decode(&other.encode()).unwrap()), lines(&other));
    assert!(lines(&one).len() < lines(&graph_of([("a", &whole), ("b", &less)])).len());
}

#[test]
fn bytes_are_the_same_graph() {
    let graph = spin();
    let bytes = graph.encode();
    let again = Graph::decode(&bytes).unwrap();
    assert_eq!((lines(&again), again.size()), (lines(&graph), graph.size()));
    assert_eq!(again.generation(), graph.generation());
    assert_eq!(again.stamp("ebin/spin.beam"), Some(Stamp::of(SPIN, 7)));
    assert_eq!(again.encode(), bytes);
}

#[test]
fn what_is_no_graph_says_so() {
    let bytes = spin().encode();
    for cut in 0..bytes.len() {
        Graph::decode(&bytes[..cut]).unwrap_err();
    }
    let mut newer = bytes.clone();
    newer[11] = 99;
    assert!(Graph::decode(&newer).unwrap_err().to_string().contains("version 99"));
    Graph::decode(&[bytes.as_slice(), b"x"].concat()).unwrap_err();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_bytes_are_survived(changes in vec((12..2_000_usize, any::<u8>()), 1..6)) {
        let mut bytes = spin().encode();
        for (place, byte) in changes {
            let place = place % bytes.len();
            bytes[place] = byte;
        }
        if let Ok(graph) = Graph::decode(&bytes) {
            lines(&graph);
            graph.modules(None, ALL);
        }
    }
}
