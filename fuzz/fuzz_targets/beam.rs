//! Arbitrary bytes as a `.beam` file, and as the code and the debug information of one.
//!
//! What must hold: nothing panics; memory follows the bytes at hand and not what they announce
//! (`-rss_limit_mb`); every call leads to a function or an import that the file has; a cycle is
//! the same from each of its functions.
#![no_main]

use giulia_code::{Beam, Callee, Code, facts, loops};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    drop(loops(bytes));
    if let Ok(facts) = facts(bytes) {
        let calls = facts.functions.iter().flat_map(|it| &it.calls);
        assert!(calls.into_iter().all(|it| (it.to as usize) < facts.targets.len()));
    }
    let mut file = b"FOR1\0\0\0\0BEAM".to_vec();
    // Three atoms; an import of `a:b/2` and one of `b:c/0`; two funs, at labels 1 and 2.
    chunk(&mut file, *b"AtU8", &[0, 0, 0, 3, 1, b'a', 1, b'b', 1, b'c']);
    let imports = [2_u32, 1, 2, 2, 2, 3, 0];
    chunk(&mut file, *b"ImpT", &imports.map(u32::to_be_bytes).concat());
    let funs = [2_u32, 1, 0, 1, 0, 0, 0, 2, 0, 2, 1, 1, 0];
    chunk(&mut file, *b"FunT", &funs.map(u32::to_be_bytes).concat());
    chunk(&mut file, *b"Code", &[&[0, 0, 0, 16][..], &[0; 16], bytes].concat());
    chunk(&mut file, *b"Dbgi", bytes);
    let size = u32::try_from(file.len() - 8).unwrap();
    file[4..8].copy_from_slice(&size.to_be_bytes());
    drop(facts(&file));
    let beam = Beam::read(&file).unwrap();
    let Ok(code) = Code::read(&beam) else { return };
    for call in code.functions.iter().flat_map(|it| &it.calls) {
        match call.to {
            Callee::Local(it) | Callee::MakesFun(it) | Callee::KnownFun(it) => {
                assert!(it < code.functions.len());
            }
            Callee::External(it) | Callee::Bif(it) => drop(beam.import(it).unwrap()),
            Callee::Fun | Callee::Apply | Callee::Send => {}
        }
    }
    let found = loops(&file).unwrap();
    for (name, arity, it) in &found {
        let is_member = it.cycle.iter().any(|member| *member == (name.clone(), *arity));
        assert!(it.cycle.is_empty() || (it.cycle.len() > 1 && is_member));
    }
});

fn chunk(file: &mut Vec<u8>, name: [u8; 4], bytes: &[u8]) {
    file.extend(name);
    file.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
    file.extend(bytes);
    file.resize(file.len().next_multiple_of(4), 0);
}
