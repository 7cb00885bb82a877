//! Source that nobody would write: problems, never a panic, and no stack as deep as it nests.

use giulia_code::source::{Interfaces, SourceFacts, facts, link};

/// Facts, and those after the step over all files, in a thread whose stack is small.
fn read(path: &'static str, bytes: Vec<u8>) -> SourceFacts {
    let read = move || {
        let facts = facts(path, &bytes).unwrap();
        link(&facts, &Interfaces::of([&facts]))
    };
    let thread = std::thread::Builder::new().stack_size(512 << 10);
    thread.spawn(read).unwrap().join().unwrap()
}

#[test]
fn nesting_has_no_stack() {
    // Opened and closed, opened only, and what nests without brackets.
    let nested = [
        ("[", "]"),
        ("(", ")"),
        ("f(", ")"),
        ("%{a: ", "}"),
        ("fn -> ", " end"),
        ("if a do\n", "\nend"),
        ("a |> ", "b"),
        ("- ", "1"),
        ("a.b", ".c"),
        ("quote do\ndef a do\n", "\nend end"),
        ("defmodule A do\n", "\nend"),
        ("\"#{", "}\""),
    ];
    for (open, close) in nested {
        for (depth, close) in [(100_000, close), (2_000, "")] {
            let text = format!("{}{}", open.repeat(depth), close.repeat(depth));
            let read = read("deep.ex", text.into_bytes());
            assert!(read.problems.len() <= 51, "{open}");
        }
    }
}

#[test]
fn what_is_no_elixir_has_problems_and_facts_beside_them() {
    let good = b"defmodule A do\n  def b(c), do: D.e(c)\nend\n";
    let junk: Vec<u8> =
        (0..20_000_u32).flat_map(|it| it.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
    let latin1 = [&good[..], b"# gr\xfc\xdfe\n"].concat();
    let broken = [&good[..], b"defmodule B do\n  def f(, do: \nend\n"].concat();
    for (name, bytes) in [("latin1", latin1), ("broken", broken)] {
        let read = read("a.ex", bytes);
        assert!(!read.problems.is_empty(), "{name}");
        let functions = &read.modules[0].functions;
        assert_eq!(read.names.get(functions[0].name), "b", "{name}");
    }
    assert!(!read("a.ex", junk.clone()).problems.is_empty());
    read("a.heex", junk.clone());
    read("a.eex", junk);
}

#[test]
fn a_line_of_100_mb_is_a_problem() {
    let read = read("a.ex", vec![b'a'; 100 << 20]);
    assert_eq!((read.modules.len(), read.problems.len()), (0, 1));
    assert!(read.problems[0].text.contains("104857600 bytes"));
}
