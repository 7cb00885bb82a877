//! Arbitrary bytes as an export, and as what is inside of one.
//!
//! What must hold: nothing panics; memory follows the bytes at hand and not what they announce
//! (`-rss_limit_mb`); what is accepted has as many bytes as its records need.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    drop(giulia_store::inspect(bytes));
    let mut export = b"giulia.export/1 0.1.0\n".to_vec();
    export.extend(zstd::encode_all(bytes, 1).unwrap());
    if let Ok(session) = giulia_store::inspect(export.as_slice()) {
        // A length and a head, the end and its count.
        assert!(bytes.len() >= 4 + session.name.len() + 1 + 8);
        assert!(giulia_store::inspect(&export[..export.len() - 1]).is_err());
    }
});
