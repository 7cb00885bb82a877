//! Arbitrary answers of EPMD.
//!
//! What must hold: nothing panics; an answer that was understood stays so when more comes.
#![no_main]

use giulia_dist::epmd;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    drop(epmd::parse_names(bytes));
    let whole = epmd::parse_port(bytes);
    for cut in 0..bytes.len().min(32) {
        match epmd::parse_port(&bytes[..cut]) {
            Ok(None) => {}
            early => assert_eq!(early, whole),
        }
    }
});
