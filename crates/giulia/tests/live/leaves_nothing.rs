//! What a target looks like after giulia, also after its `kill -9`, measured inside it.

use std::{
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use giulia_testkit::{Difference, Node, Residue, for_each_otp};

use crate::giulia;

/// A first visit makes a node load what OTP loads by itself and remember one name; the second
/// may add nothing at all.
const REMEMBERED: &[&str] = &["atoms", "modules", "nodes_known"];

/// Beside modules of kernel and stdlib: `net_kernel` takes random bytes from `crypto` when it
/// makes up a name, where there is a `crypto`.
const AUTOLOADED_ELSEWHERE: &[&str] = &["crypto"];

/// The node's side of an end takes a moment.
fn settled(before: &Residue, node: &Node) -> Difference {
    let started = Instant::now();
    loop {
        let difference = before.diff(&node.residue());
        let is_clean = difference.clone().without(REMEMBERED).is_empty();
        if is_clean || started.elapsed() > Duration::from_secs(3) {
            return difference;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn visit(node: &Node, args: &[&str]) {
    let output = giulia(node, args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Where a loaded module comes from: kernel and stdlib, or elsewhere.
fn is_of_kernel_or_stdlib(node: &Node, module: &str) -> bool {
    let path = node.eval(&format!("code:which({module})"));
    path.contains("/kernel-") || path.contains("/stdlib-") || path.contains("/erts-")
}

#[test]
fn a_visit_leaves_nothing_and_the_second_adds_no_atom() {
    for_each_otp("giulia::a_visit_leaves_nothing_and_the_second_adds_no_atom", |otp| {
        for (builder, is_embedded) in
            [(Node::builder(otp), false), (Node::builder(otp).embedded().elixir(), true)]
        {
            let node = builder.start();
            for args in [
                &["snapshot"][..],
                &["snapshot", "--window", "300ms"],
                &["snapshot", "--no-eval"],
                &["doctor"],
                &["dump"],
                &["dump", "--no-eval"],
                &["flame", "--for", "300ms", "--accept-vm-bug"],
            ] {
                let before = node.residue();
                visit(&node, args);
                let first = settled(&before, &node);
                assert!(first.clone().without(REMEMBERED).is_empty(), "{args:?}\n{first}");
                assert!(first.new_in("nodes_known").len() <= 1, "{args:?}\n{first}");
                let loaded = first.new_in("modules");
                assert!(!is_embedded || loaded.is_empty(), "{args:?} in embedded mode\n{first}");
                let between = node.residue();
                visit(&node, args);
                let second = settled(&between, &node);
                assert!(second.is_empty(), "the second {args:?}\n{second}");
                // Last, because asking makes atoms.
                for module in loaded {
                    let is_known = AUTOLOADED_ELSEWHERE.contains(&module.as_str());
                    assert!(is_known || is_of_kernel_or_stdlib(&node, module), "{module}");
                }
            }
            assert_eq!(node.log(), "");
        }
    });
}

#[test]
fn the_doctor_takes_one_name_however_often_it_comes() {
    for_each_otp("giulia::the_doctor_takes_one_name_however_often_it_comes", |otp| {
        for _ in 0..3 {
            let node = Node::builder(otp).start();
            let before = node.residue();
            visit(&node, &["doctor"]);
            let first = settled(&before, &node);
            assert_eq!(first.new_in("nodes_known").len(), 1, "{first}");
            for _ in 0..3 {
                let between = node.residue();
                visit(&node, &["doctor"]);
                let more = settled(&between, &node);
                assert!(more.is_empty(), "{more}");
            }
        }
    });
}

#[test]
fn a_giulia_that_is_killed_leaves_nothing() {
    for_each_otp("giulia::a_giulia_that_is_killed_leaves_nothing", |otp| {
        let node = Node::builder(otp).start();
        visit(&node, &["snapshot", "--window", "300ms"]);
        thread::sleep(Duration::from_millis(300));
        let before = node.residue();
        for patience_ms in [50, 200, 1500] {
            let mut giulia = giulia(&node, &["snapshot", "--window", "20s"]);
            let mut giulia = giulia.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            thread::sleep(Duration::from_millis(patience_ms));
            giulia.kill().unwrap();
            giulia.wait().unwrap();
            let difference = settled(&before, &node);
            assert!(difference.is_empty(), "killed after {patience_ms} ms\n{difference}");
        }
    });
}
