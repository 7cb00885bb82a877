//! How fast all facts of an installation are, beside xref; asked for by `scripts/evidence/05-code`.

use std::{hint::black_box, time::Instant};

use giulia_code::facts;
use giulia_testkit::for_each_otp;

use crate::corpus;

#[test]
fn facts_of_everything() {
    // The median of so many rounds counts.
    let Ok(rounds) = std::env::var("GIULIA_CODE_SPEED") else {
        println!("skipped: GIULIA_CODE_SPEED=5 measures five rounds");
        return;
    };
    let rounds: usize = rounds.parse().unwrap();
    for_each_otp("facts_of_everything", |otp| {
        let node = corpus::truthful(otp);
        let files = corpus::all_files(otp).into_iter();
        let files = files.filter(|it| it.starts_with("/usr/lib/erlang/lib"));
        let files: Vec<Vec<u8>> = files.map(|it| corpus::bytes(otp, &it)).collect();
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let mut n_calls = 0;
        for _ in 0..rounds {
            let start = Instant::now();
            let found = files.iter().map(|it| black_box(facts(it)).unwrap());
            let calls = |it: giulia_code::Facts| it.functions.iter().map(|it| it.calls.len()).sum();
            n_calls = found.map(calls).collect::<Vec<usize>>().iter().sum();
            ours.push(start.elapsed().as_micros());
            let micros = node.eval("truth:xref_time(\"/usr/lib/erlang/lib\")");
            theirs.push(micros.parse::<u128>().unwrap());
        }
        ours.sort_unstable();
        theirs.sort_unstable();
        let (ours, theirs) = (ours[rounds / 2], theirs[rounds / 2]);
        println!(
            "speed otp={} files={} calls={n_calls} facts_us={ours} xref_us={theirs} ratio={}",
            otp.release,
            files.len(),
            theirs / ours.max(1),
        );
    });
}
