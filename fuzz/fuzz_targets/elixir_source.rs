//! Arbitrary bytes as a file of Elixir, a template, and one linked with itself.
//!
//! What must hold: nothing panics; memory follows the bytes (`-rss_limit_mb`); each reference
//! stands in a module and function that the file has, or in a body.
#![no_main]

use giulia_code::source::{Interfaces, Reference, SourceFacts, facts, link};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for path in ["a.ex", "a.html.heex", "a.eex"] {
        let facts = facts(path, bytes).unwrap();
        check(&facts);
        check(&link(&facts, &Interfaces::of([&facts])));
    }
});

fn check(facts: &SourceFacts) {
    for it in &facts.references {
        assert!(it.from_module == Reference::BODY || facts.module_of(it).is_some());
        assert!(it.from_function == Reference::BODY || facts.function_of(it).is_some());
    }
}
