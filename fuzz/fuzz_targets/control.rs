//! Arbitrary terms as control messages.
//!
//! What must hold: nothing panics, and what is read is the same with anything behind it.
#![no_main]

use giulia_dist::control::Control;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(control) = Control::decode(bytes) else { return };
    let longer = [bytes, &[0xff; 9]].concat();
    assert_eq!(Control::decode(&longer), Ok(control));
});
