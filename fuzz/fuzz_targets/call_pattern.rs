//! Arbitrary text as a pattern of calls.
//!
//! What must hold: nothing panics, a refusal names a column of the text, and what was taken names
//! no more variables than a node gets atoms for.
#![no_main]

use giulia_model::CallPattern;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match CallPattern::parse(text) {
        Ok(Some(it)) => {
            assert!(it.variables.len() <= 20);
            drop(it.atoms());
        }
        Ok(None) => {}
        Err(it) => assert!((1..=text.chars().count() + 1).contains(&it.column()), "{it}"),
    }
});
