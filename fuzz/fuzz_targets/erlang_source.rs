//! Arbitrary bytes as a source of Erlang, as the header that it includes, and as a header alone.
//!
//! What must hold: nothing panics; it ends, whatever macros mean; memory follows the bytes
//! (`-rss_limit_mb`); every reference stands in a function that is there, on a line of the file.
#![no_main]

use std::sync::Arc;

use giulia_code::source::{
    Reference,
    erlang::{Header, Headers, NoHeaders, Options, facts},
};
use libfuzzer_sys::fuzz_target;

/// Every header has the bytes of the file.
struct Same(Arc<[u8]>);

impl Headers for Same {
    fn include(&self, _: &str, name: &str) -> Option<Header> {
        Some(Header { path: name.to_owned(), bytes: Arc::clone(&self.0) })
    }

    fn include_lib(&self, from: &str, name: &str) -> Option<Header> {
        self.include(from, name)
    }
}

fuzz_target!(|bytes: &[u8]| {
    let same = Same(bytes.into());
    let n_lines = u32::try_from(bytes.iter().filter(|it| **it == b'\n').count()).unwrap() + 1;
    drop(facts("m.hrl", bytes, &NoHeaders, &Options::NONE));
    for headers in [&NoHeaders as &dyn Headers, &same] {
        let facts = facts("m.erl", bytes, headers, &Options::NONE);
        for it in &facts.references {
            let module = &facts.modules[it.from_module as usize];
            assert!(it.from_function == Reference::BODY || module.functions.len() > it.from_function as usize);
            assert!(it.line <= n_lines);
        }
        for it in facts.modules.iter().flat_map(|it| &it.functions) {
            assert!(it.lines.first <= it.lines.last && it.lines.last <= n_lines);
            assert!(it.complexity.cyclomatic > 0);
        }
    }
});
