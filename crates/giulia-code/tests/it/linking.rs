//! What is linked again after a change is what a new reading of everything would link, and no more
//! than depends on it.

use std::{collections::BTreeMap, fmt::Write as _};

use giulia_code::source::{self, Interfaces, Linkage, SourceFacts};
use proptest::{collection::vec, prelude::*};

/// Files, each in several states; the empty one is none.
const FILES: &[(&str, &[&str])] = &[
    ("kernel.ex", &["", "defmodule Kernel do\n def f(x), do: x\n defmacro g(x), do: x\nend"]),
    (
        "maker.ex",
        &[
            "defmodule Maker do
               defmacro __using__(_) do
                 quote do
                   import Tools
                   alias Deep.Er, as: Short
                   def made(), do: f(1)
                 end
               end
               defmacro name(n), do: (quote do: def unquote(n)(), do: Tools.h())
             end",
            // The same to everybody else.
            "defmodule Maker do
               defmacro __using__(_) do
                 other(1)
                 quote do
                   import Tools
                   alias Deep.Er, as: Short
                   def made(), do: f(1)
                 end
               end
               defmacro name(n), do: (quote do: def unquote(n)(), do: Tools.h())
             end",
            "defmodule Maker do
               defmacro __using__(_), do: (quote do: (use Second; def made(x), do: x))
               def name(n), do: n
             end",
            "",
        ],
    ),
    (
        "second.ex",
        &[
            "defmodule Second do
               import Tools
               defmacro __using__(_) do
                 quote do
                   import Tools, only: [f: 2]
                   def second(), do: f(1)
                   f(2)
                 end
               end
             end",
            "defmodule Second do
               defmacro __using__(_), do: (quote do: import Third)
             end",
            "",
        ],
    ),
    (
        "third.ex",
        &[
            "defmodule Third do\n def f(x), do: x\nend",
            "defmodule Third do\n use Maker\n made()\nend",
            "",
        ],
    ),
    (
        "tools.ex",
        &[
            "defmodule Tools do\n def f(x), do: x\n def h(), do: 1\nend",
            "defmodule Tools do\n defmacro f(x), do: (quote do: Third.f(unquote(x)))\nend",
            "defmodule Tools do\n def f(x), do: x\n def f(x, y), do: {x, y}\n def h(), do: 2\nend",
            "",
        ],
    ),
    // The same module again.
    ("tools_more.ex", &["", "defmodule Tools do\n defmacro g(x), do: x\nend"]),
    (
        "user.ex",
        &[
            "defmodule User do
               use Maker
               require Maker
               Maker.name(:a)
               def run(x) do
                 f(x)
                 g(x)
                 Short.go(Third.f(x))
                 made()
               end
             end",
            "defmodule User do
               import Tools
               def run(x), do: x |> f() |> g() |> Tools.f()
             end",
            "",
        ],
    ),
    (
        "apart.ex",
        &[
            "defmodule Apart do\n def run(x), do: f(x) + g(x)\nend",
            "defmodule Apart do\n use Second\nend",
        ],
    ),
];

fn read(text: &str) -> Option<SourceFacts> {
    (!text.is_empty()).then(|| source::facts("a.ex", text.as_bytes()).unwrap())
}

/// Everything that linking decides.
fn told(facts: &SourceFacts) -> String {
    let mut text = String::new();
    let name = |it: source::Name| facts.names.get(it);
    for module in &facts.modules {
        let behaviours: Vec<&str> = module.behaviours.iter().map(|it| name(*it)).collect();
        writeln!(text, "{:?} {behaviours:?}", module.name.map(name)).unwrap();
        for it in &module.functions {
            let by = it.defined_by.map(name);
            writeln!(text, " {}/{} {:?} {by:?} {:?}", name(it.name), it.arity, it.kind, it.lines)
                .unwrap();
        }
    }
    for it in &facts.references {
        let (to, function) = (it.to_module.map(name), it.to_function.map(name));
        let from = (it.from_module, it.from_function, it.line, it.column);
        let what = (it.arity, it.kind, it.origin, it.certainty);
        writeln!(text, "{from:?} -> {to:?} {function:?} {what:?}").unwrap();
    }
    text
}

fn anew(states: &[usize]) -> BTreeMap<String, String> {
    let files = FILES.iter().zip(states);
    let read: Vec<(&str, SourceFacts)> =
        files.filter_map(|((name, texts), state)| Some((*name, read(texts[*state])?))).collect();
    let interfaces = Interfaces::of(read.iter().map(|it| &it.1));
    let linked = read
        .iter()
        .map(|(name, facts)| ((*name).to_owned(), told(&source::link(facts, &interfaces))));
    linked.collect()
}

/// Puts files in these states, and links again what the linkage says.
fn change(
    linkage: &mut Linkage,
    held: &mut BTreeMap<String, String>,
    states: &[(usize, usize)],
) -> Vec<String> {
    let changed: Vec<(String, Option<SourceFacts>)> = states
        .iter()
        .map(|(file, state)| {
            let (name, texts) = FILES[*file];
            ((*name).to_owned(), read(texts[*state]))
        })
        .collect();
    for (name, _) in changed.iter().filter(|it| it.1.is_none()) {
        held.remove(name);
    }
    let again = linkage.update(changed);
    for it in &again {
        held.insert(it.clone(), told(&linkage.linked(it).unwrap()));
    }
    again
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_linked_again_is_what_a_new_reading_would_link(
        rounds in vec(vec((0..FILES.len(), 0..4_usize), 1..3), 1..12)
    ) {
        let mut states = vec![0; FILES.len()];
        let (mut linkage, mut held) = (Linkage::new(), BTreeMap::new());
        let all: Vec<(usize, usize)> = (0..FILES.len()).map(|it| (it, 0)).collect();
        change(&mut linkage, &mut held, &all);
        prop_assert_eq!(&held, &anew(&states));
        for round in rounds {
            let round: Vec<(usize, usize)> =
                round.into_iter().map(|(file, state)| (file, state % FILES[file].1.len())).collect();
            for (file, state) in &round {
                states[*file] = *state;
            }
            change(&mut linkage, &mut held, &round);
            prop_assert_eq!(&held, &anew(&states));
        }
    }
}

#[test]
fn a_change_is_heard_by_those_that_see_it() {
    let place = |name: &str| FILES.iter().position(|it| it.0 == name).unwrap();
    let (mut linkage, mut held) = (Linkage::new(), BTreeMap::new());
    let all: Vec<(usize, usize)> = (0..FILES.len()).map(|it| (it, 0)).collect();
    assert_eq!(change(&mut linkage, &mut held, &all).len(), 6);
    let mut to = |name: &str, state| change(&mut linkage, &mut held, &[(place(name), state)]);
    assert_eq!(to("maker.ex", 1), ["maker.ex"], "nothing that others see is another");
    assert_eq!(to("apart.ex", 1), ["apart.ex"], "nobody names it");
    assert_eq!(to("apart.ex", 0), ["apart.ex"]);
    // `user.ex` names `Tools` by way of `Maker` alone.
    assert_eq!(to("tools.ex", 2), ["maker.ex", "second.ex", "tools.ex", "user.ex"]);
    assert_eq!(to("kernel.ex", 1).len(), 7, "everybody imports it");
}
