//! Arbitrary peers in the handshake, with and without a cookie, over TCP and TLS framing.
//!
//! What must hold: nothing panics; it ends; and nobody is believed who does not know the
//! cookie.
#![no_main]

use bytes::BytesMut;
use giulia_dist::{
    Cookie, NodeName,
    handshake::{Handshake, Identity, Prefix, Progress, Setup},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, stream)) = bytes.split_first() else { return };
    let cookie = Cookie::new("a cookie that no input contains the digest of");
    let expected: NodeName = "n@h".parse().unwrap();
    let identity = if choice & 1 == 0 {
        Identity::Dynamic { host: "host".to_owned() }
    } else {
        Identity::Chosen { name: "us@host".parse().unwrap(), creation: 7 }
    };
    let setup = Setup {
        target: &expected,
        is_name_checked: choice & 2 == 0,
        identity,
        cookie: (choice & 4 == 0).then_some(&cookie),
        challenge: 1_234,
        prefix: if choice & 8 == 0 { Prefix::Two } else { Prefix::Four },
    };
    let (mut handshake, first) = Handshake::start(setup);
    assert!(!first.is_empty());
    let mut buffer = BytesMut::new();
    for piece in stream.chunks(usize::from(choice >> 4) + 1) {
        buffer.extend_from_slice(piece);
        loop {
            match handshake.advance(&mut buffer) {
                Ok(Progress::Read) => break,
                Ok(Progress::Write(_) | Progress::Again) => {
                    if handshake.refused().is_some() {
                        return;
                    }
                }
                Ok(Progress::Challenged(_)) => return assert!(choice & 4 != 0),
                Ok(Progress::Done(_)) => panic!("somebody without the cookie was believed"),
                Err(_) => return,
            }
        }
    }
    drop((handshake.closed(), handshake.timed_out()));
});
