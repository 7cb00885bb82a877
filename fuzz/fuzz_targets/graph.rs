//! Arbitrary bytes as a stored graph of code.
//!
//! What must hold: nothing panics; memory follows the bytes at hand and not what they announce
//! (`-rss_limit_mb`); what is read is written and read again as the same; every question has an
//! answer whose edges are in the graph from both sides.
#![no_main]

use giulia_code::graph::{Direction, EdgeFilter, Graph, Page};
use libfuzzer_sys::fuzz_target;

const ALL: Page = Page { from: 0, limit: 100 };

fuzz_target!(|bytes: &[u8]| {
    look(bytes);
    // Behind the head, so that the fuzzer does not have to find it.
    look(&[b"giulia-code\x01", bytes].concat());
});

fn look(bytes: &[u8]) {
    let Ok(graph) = Graph::decode(bytes) else { return };
    let again = Graph::decode(&graph.encode()).unwrap();
    assert_eq!(again.size(), graph.size());
    graph.modules(None, ALL);
    let export = graph.export(None, EdgeFilter::ALL);
    for edge in export.edges.iter().take(100) {
        let to = &export.nodes[edge.to as usize];
        let mfa = giulia_model::Mfa::new(&*to.module, &*to.name, to.arity.unwrap_or_default());
        if let Some(node) = graph.function(&mfa) {
            graph.calls(&[node], Direction::In, EdgeFilter::ALL, ALL);
        }
    }
}
