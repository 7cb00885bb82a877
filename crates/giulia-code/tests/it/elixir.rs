//! Facts from Elixir's source against what its own compiler says while it compiles.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use giulia_code::{
    graph::{Graph, Page, Stamp},
    source::{self, Interfaces, Linkage, RefKind, RefOrigin, SourceFacts},
};

/// A caller, whom it calls.
type Edge = (String, String);

/// What the compiler says of a corpus.
#[derive(Default)]
struct Truth {
    /// With the column where it is written: not from a macro. By the kind of event.
    visible: BTreeMap<Edge, String>,
    all: BTreeSet<Edge>,
}

/// The definitions of a module are facts, no calls: so are attributes.
fn is_definition(target: &str) -> bool {
    let Some(name) = target.strip_prefix("Elixir.Kernel.") else { return false };
    name.starts_with("def") || name == "@/1"
}

fn mfa(module: &str, function: &str, arity: &str) -> String {
    format!("{module}.{function}/{arity}")
}

impl Truth {
    fn read(rows: &str) -> BTreeMap<String, Self> {
        let mut files = BTreeMap::<String, Self>::new();
        for row in rows.lines() {
            let fields: Vec<&str> = row.split('\t').collect();
            let [kind, file, _, column, module, function, arity, to, name, to_arity] =
                <[&str; 10]>::try_from(fields).unwrap();
            let target = mfa(to, name, to_arity);
            // `elixir_quote` is the compiler's own: it makes code of what is quoted.
            let is_left_out = matches!(kind, "struct" | "module") || to == "elixir_quote";
            if is_left_out || function.is_empty() || is_definition(&target) {
                continue;
            }
            let truth = files.entry(file.to_owned()).or_default();
            let edge = (mfa(module, function, arity), target);
            if column != "0" {
                truth.visible.insert(edge.clone(), kind.to_owned());
            }
            truth.all.insert(edge);
        }
        files
    }
}

impl Truth {
    /// Without the callers that nothing in the file names, which are counted: some macro makes
    /// them, and it is in the macro that their calls are written.
    fn of_named(&self, names: &BTreeSet<String>, n_nameless: &mut usize) -> Self {
        let is_named = |edge: &Edge| {
            // `Elixir.A.b/1`; the name may hold dots, the module's parts begin with capitals.
            names
                .iter()
                .any(|it| edge.0.strip_suffix(it.as_str()).is_some_and(|it| it.ends_with('.')))
        };
        let visible: BTreeMap<Edge, String> = self
            .visible
            .iter()
            .filter(|it| is_named(it.0))
            .map(|(edge, kind)| (edge.clone(), kind.clone()))
            .collect();
        *n_nameless += self.visible.len() - visible.len();
        Self { visible, all: self.all.clone() }
    }
}

/// The calls that are written, and those that macros add.
fn edges(facts: &SourceFacts) -> (BTreeMap<Edge, u32>, BTreeMap<Edge, u32>) {
    let (mut written, mut expanded) = (BTreeMap::new(), BTreeMap::new());
    for it in &facts.references {
        let is_call = matches!(
            it.kind,
            RefKind::Call
                | RefKind::Macro
                | RefKind::Capture
                | RefKind::Component
                | RefKind::Delegate
        );
        let (Some(module), Some(function)) = (facts.module_of(it), facts.function_of(it)) else {
            continue;
        };
        let (Some(from), Some(to), true) = (module.name, it.to_function, is_call) else { continue };
        let text = |name| facts.names.get(name);
        let caller = mfa(text(from), text(function.name), &function.arity.to_string());
        let target = it.to_module.map_or("?", text);
        let target = mfa(target, text(to), &it.arity.to_string());
        if is_definition(&target) {
            continue;
        }
        // The call of a delegate is one that a macro makes, where it is told to.
        let is_written = it.origin == RefOrigin::Written && it.kind != RefKind::Delegate;
        let to = if is_written { &mut written } else { &mut expanded };
        to.insert((caller, target), it.line);
    }
    (written, expanded)
}

/// FNV-1a: the same on each machine and with each compiler.
fn hash(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |sum, it| (sum ^ u64::from(it)).wrapping_mul(0x0100_0000_01b3))
}

/// In hundredths, as text.
fn percent(part: usize, whole: usize) -> String {
    let share = part * 10_000 / whole.max(1);
    format!("{}.{:02}", share / 100, share % 100)
}

#[derive(Default)]
struct Score {
    n_files: usize,
    n_true: BTreeMap<String, usize>,
    missing: BTreeMap<String, Vec<String>>,
    n_ours: usize,
    /// Edges of callers that no `def` names.
    n_nameless: usize,
    extra: Vec<String>,
    /// Also of what macros add.
    n_all: usize,
    n_all_found: usize,
    all_missing: Vec<String>,
}

impl Score {
    fn add(&mut self, file: &str, truth: &Truth, facts: &SourceFacts) {
        self.n_files += 1;
        let (written, expanded) = edges(facts);
        for (edge, kind) in &truth.visible {
            *self.n_true.entry(kind.clone()).or_default() += 1;
            if !written.contains_key(edge) {
                let text = format!("{file} {} -> {}", edge.0, edge.1);
                self.missing.entry(kind.clone()).or_default().push(text);
            }
        }
        self.n_ours += written.len();
        for (edge, line) in &written {
            if !truth.visible.contains_key(edge) {
                let also = if truth.all.contains(edge) { "(by a macro) " } else { "" };
                self.extra.push(format!("{file}:{line} {also}{} -> {}", edge.0, edge.1));
            }
        }
        self.n_all += truth.all.len();
        for edge in &truth.all {
            if written.contains_key(edge) || expanded.contains_key(edge) {
                self.n_all_found += 1;
            } else {
                self.all_missing.push(format!("{file} {} -> {}", edge.0, edge.1));
            }
        }
    }

    fn show(&self, name: &str, is_open: bool) {
        let n_true: usize = self.n_true.values().sum();
        let n_missing: usize = self.missing.values().map(Vec::len).sum();
        println!(
            "{name}: files={} edges={n_true} nameless={} recall={} precision={} all={} all_recall={}",
            self.n_files,
            self.n_nameless,
            percent(n_true - n_missing, n_true),
            percent(self.n_ours - self.extra.len(), self.n_ours),
            self.n_all,
            percent(self.n_all_found, self.n_all),
        );
        for (kind, n) in &self.n_true {
            let missing = self.missing.get(kind).map_or(0, Vec::len);
            println!("  {kind}: {n}, recall {}", percent(n - missing, *n));
        }
        if is_open {
            let limit = std::env::var("GIULIA_SHOW").map_or(10, |it| it.parse().unwrap());
            for (kind, list) in &self.missing {
                list.iter().take(limit).for_each(|it| println!("    missing {kind}: {it}"));
            }
            self.extra.iter().take(limit).for_each(|it| println!("    extra: {it}"));
            self.all_missing.iter().take(limit).for_each(|it| println!("    all missing: {it}"));
        }
    }
}

/// The sources of all applications, without their tests.
fn libraries(corpus: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for app in ["eex", "elixir", "ex_unit", "iex", "logger", "mix"] {
        sources(&corpus.join("source/lib").join(app).join("lib"), &mut found);
    }
    found
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|it| it == "ex") {
            found.push(path);
        }
    }
}

/// What the plain syntax tree says of a function: clauses, cyclomatic, cognitive, nesting.
type Figures = [u32; 4];

/// By file, line of the module, name and arity.
fn oracle(rows: &str) -> BTreeMap<(String, u32, String, u8), Figures> {
    let row = |row: &str| {
        let fields: Vec<&str> = row.split('\t').collect();
        let [file, line, name, arity, figures @ ..] = <[&str; 8]>::try_from(fields).unwrap();
        let key = (file.to_owned(), line.parse().unwrap(), name.to_owned(), arity.parse().unwrap());
        (key, figures.map(|it| it.parse().unwrap()))
    };
    rows.lines().map(row).collect()
}

/// Definitions and figures that differ, of how many.
fn differences(facts: &[(String, SourceFacts)], oracle: &str) -> (usize, Vec<String>) {
    let oracle = self::oracle(oracle);
    let mut ours = BTreeMap::new();
    for (file, facts) in facts {
        for module in &facts.modules {
            for it in module.functions.iter().filter(|it| it.defined_by.is_none()) {
                let name = facts.names.get(it.name).to_owned();
                let sum = it.complexity;
                let figures = [it.n_clauses, sum.cyclomatic, sum.cognitive, sum.nesting_max];
                let key = (file.clone(), module.lines.first, name, it.arity);
                ours.insert(key, figures);
            }
        }
    }
    let mut found = Vec::new();
    for (key, theirs) in &oracle {
        match ours.get(key) {
            None => found.push(format!("not found: {key:?}")),
            Some(it) if it != theirs => found.push(format!("{key:?} {it:?} is {theirs:?}")),
            Some(_) => {}
        }
    }
    found.extend(
        ours.keys().filter(|it| !oracle.contains_key(it)).map(|it| format!("not there: {it:?}")),
    );
    (oracle.len(), found)
}

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/elixir").join(name);
    fs::read_to_string(path).unwrap()
}

#[test]
fn shapes_are_what_the_compiler_says() {
    let text = fixture("shapes.ex");
    let facts =
        vec![("shapes.ex".to_owned(), source::facts("shapes.ex", text.as_bytes()).unwrap())];
    let (n_functions, differ) = differences(&facts, &fixture("shapes.oracle"));
    assert!(n_functions > 30 && differ.is_empty(), "{differ:#?}");
    let truth = Truth::read(&fixture("shapes.tsv"));
    let interfaces = Interfaces::of(facts.iter().map(|it| &it.1));
    let mut score = Score::default();
    score.add("shapes.ex", &truth["shapes.ex"], &source::link(&facts[0].1, &interfaces));
    score.show("shapes", true);
    assert_eq!(
        (score.missing.len(), score.extra.len()),
        (0, 0),
        "{:?} {:?}",
        score.missing,
        score.extra
    );
}

/// The functions that no `def` names in files that know each other.
fn made(files: &[&str]) -> Vec<String> {
    let facts: Vec<SourceFacts> =
        files.iter().map(|it| source::facts("a.ex", it.as_bytes()).unwrap()).collect();
    let interfaces = Interfaces::of(&facts);
    let mut made = Vec::new();
    for facts in facts.iter().map(|it| source::link(it, &interfaces)) {
        for module in &facts.modules {
            let of_macros = module.functions.iter().filter(|it| it.defined_by.is_some());
            made.extend(of_macros.map(|it| {
                let module = module.name.map_or("", |it| facts.names.get(it));
                let module = module.strip_prefix("Elixir.").unwrap_or(module);
                format!("{module}.{}/{}", facts.names.get(it.name), it.arity)
            }));
        }
    }
    made.sort();
    made
}

#[test]
fn names_that_are_written_out_are_found_where_a_loop_uses_them() {
    let of = |body: &str| made(&[&format!("defmodule A do\n{body}\nend")]).join(" ");
    let cases = [
        ("for n <- [:a, :b], do: def unquote(n)(x), do: x", "A.a/1 A.b/1"),
        ("for n <- ~w(a b)a do\n def unquote(:\"#{n}!\")(), do: n\nend", "A.a!/0 A.b!/0"),
        ("@all [:a] ++ [:b]\nfor n <- @all, do: defp unquote(n)(), do: 1", "A.a/0 A.b/0"),
        ("all = [a: f(), b: 2]\nfor {n, _} <- all, do: def unquote(n)(), do: 1", "A.a/0 A.b/0"),
        (
            "for n <- [:a, :b], m <- 1..2 do\n k = :\"#{n}#{m}\"\n def unquote(k)(), do: 1\nend",
            "A.a1/0 A.a2/0 A.b1/0 A.b2/0",
        ),
        (
            "Enum.each([:a, :b], fn n -> def unquote(n)(x \\\\ 1), do: x end)",
            "A.a/0 A.a/1 A.b/0 A.b/1",
        ),
        ("for {n, at} <- Enum.with_index([:a]), do: def unquote(n)(), do: unquote(at)", "A.a/0"),
        ("def unquote(:\"~~~\")(x), do: x", "A.~~~/1"),
        // What is not written out, is filtered or has another meaning is not guessed.
        ("for n <- f(), do: def unquote(n)(), do: 1", ""),
        ("for n <- [:a, :b], n != :a, do: def unquote(n)(), do: 1", ""),
        ("n = :a\nfor n <- f(), do: def unquote(n)(), do: 1", ""),
        ("n = :a\nEnum.each(f(), fn n -> def unquote(n)(), do: 1 end)", ""),
        ("n = :a\nn = f(n)\ndef unquote(n)(), do: 1", ""),
        ("n = :a\nif f() do\n n = :b\nend\ndef unquote(n)(), do: 1", "A.a/0"),
        ("def f(), do: for n <- [:a], do: def unquote(n)(), do: 1", ""),
    ];
    for (body, expected) in cases {
        assert_eq!(of(body), expected, "{body}");
    }
}

#[test]
fn a_round_of_a_loop_adds_what_is_new_in_it() {
    let text = "defmodule A do
      for n <- [:a, :b] do
        log(n)
        def unquote(n)(x), do: unquote(n)(g(x))
        def g(unquote(n)), do: h()
      end
    end";
    let facts = source::facts("a.ex", text.as_bytes()).unwrap();
    let module = &facts.modules[0];
    let named = |it: &str| module.functions.iter().find(|f| facts.names.get(f.name) == it).unwrap();
    assert_eq!((named("g").n_clauses, named("a").n_clauses, named("b").n_clauses), (1, 1, 1));
    let mut calls: Vec<String> = facts
        .references
        .iter()
        .map(|it| {
            let from = facts.function_of(it).map_or("", |it| facts.names.get(it.name));
            format!("{from} {}", it.to_function.map_or("", |it| facts.names.get(it)))
        })
        .filter(|it| {
            ["a", "b", "g", "h", "log"].iter().any(|name| it.ends_with(&format!(" {name}")))
        })
        .collect();
    calls.sort();
    assert_eq!(calls, [" log", "a a", "a g", "b b", "b g", "g h"]);
}

#[test]
fn a_macro_defines_what_its_argument_names() {
    let makers = "defmodule M do
      defmacro one(name, code \\\\ 1) do
        quote bind_quoted: [name: name, code: code] do
          def unquote(name)(x), do: {x, unquote(code)}
        end
      end
      defmacro two(name), do: (quote do: def unquote(:\"get_#{name}\")(), do: 1)
      defmacro other(name) do
        name = change(name)
        quote do: def unquote(name)(), do: 1
      end
    end";
    let user = "defmodule A do
      import M
      one :a
      one :b, 2
      M.two :c
      other :d
      for n <- [:e, :f], do: one(n)
    end";
    assert_eq!(made(&[makers, user]), ["A.a/1", "A.b/1", "A.e/1", "A.f/1", "A.get_c/0"]);
}

#[test]
fn what_is_derived_and_what_a_protocol_has_of_its_own() {
    let text = "defmodule A do
      @derive {Inspect, only: [:a]}
      @derive [Jason.Encoder, P]
      defstruct [:a]
    end
    defprotocol P do
      def f(x)
      Kernel.def own(x), do: f(x)
    end
    Protocol.derive(Inspect, B.C, only: [:a])";
    let derived: Vec<String> =
        made(&[text]).into_iter().filter(|it| !it.starts_with("A.")).collect();
    assert_eq!(
        derived,
        [
            "Inspect.A.__impl__/1",
            "Inspect.A.inspect/2",
            "Inspect.B.C.__impl__/1",
            "Inspect.B.C.inspect/2",
            "Jason.Encoder.A.__impl__/1",
            "Jason.Encoder.A.encode/2",
            "P.A.__impl__/1",
            "P.__protocol__/1",
            "P.impl_for!/1",
            "P.impl_for/1",
            "P.struct_impl_for/1",
        ]
    );
    let facts = source::facts("a.ex", text.as_bytes()).unwrap();
    let protocol = facts.modules.iter().find(|it| it.kind == source::ModuleKind::Protocol).unwrap();
    assert_eq!((protocol.callbacks.len(), protocol.functions.len()), (1, 6));
}

/// The corpus that `scripts/evidence/05-elixir-source` makes, when it is asked for.
fn corpus() -> Option<(PathBuf, Vec<(String, SourceFacts)>)> {
    let Ok(corpus) = std::env::var("GIULIA_ELIXIR_CORPUS") else {
        println!("skipped: scripts/evidence/05-elixir-source makes a corpus");
        return None;
    };
    let corpus = PathBuf::from(corpus);
    let files = libraries(&corpus);
    let read = |path: &PathBuf| {
        let name = path.strip_prefix(corpus.join("source")).unwrap().to_string_lossy().into_owned();
        let facts = source::facts(&name, &fs::read(path).unwrap()).unwrap();
        (name, facts)
    };
    let facts = files.iter().map(read).collect();
    Some((corpus, facts))
}

fn is_looked_at(file: &str) -> bool {
    hash(file.strip_prefix("lib/").unwrap()).is_multiple_of(2)
}

#[test]
fn edges_equal_the_compilers() {
    let Some((corpus, facts)) = corpus() else { return };
    let truth = Truth::read(&fs::read_to_string(corpus.join("truth.tsv")).unwrap());
    let literal = oracle(&fs::read_to_string(corpus.join("oracle.tsv")).unwrap());
    // Names that a module makes while it is compiled are its own: `def unquote(name)(…)`.
    let made = fs::read_to_string(corpus.join("made.tsv")).unwrap();
    let mut own: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for row in made.lines() {
        if let [module, name, arity, ""] = *row.split('\t').collect::<Vec<_>>() {
            // The tracer has macros as they are written.
            let (name, less) = name.strip_prefix("MACRO-").map_or((name, 0), |it| (it, 1));
            let arity = arity.parse::<u8>().unwrap() - less;
            own.entry(module).or_default().insert(format!("{name}/{arity}"));
        }
    }
    let interfaces = Interfaces::of(facts.iter().map(|it| &it.1));
    let mut scores: [Score; 2] = Default::default();
    let empty = Truth::default();
    for (name, facts) in &facts {
        for it in &facts.problems {
            println!("problem {name}:{} {}", it.line, it.text);
        }
        let names = literal.keys().filter(|it| it.0 == *name);
        let mut names: BTreeSet<String> = names.map(|it| format!("{}/{}", it.2, it.3)).collect();
        for module in facts.modules.iter().filter_map(|it| it.name) {
            names.extend(own.get(facts.names.get(module)).into_iter().flatten().cloned());
        }
        let score = &mut scores[usize::from(!is_looked_at(name))];
        let truth = truth.get(name).unwrap_or(&empty).of_named(&names, &mut score.n_nameless);
        score.add(name, &truth, &source::link(facts, &interfaces));
    }
    scores[0].show("looked at", true);
    scores[1].show("scored", false);
}

#[test]
fn definitions_and_complexity_equal_the_syntax_tree() {
    let Some((corpus, facts)) = corpus() else { return };
    let oracle = fs::read_to_string(corpus.join("oracle.tsv")).unwrap();
    let (n_functions, differ) = differences(&facts, &oracle);
    println!("definitions: {n_functions}, differ {}", differ.len());
    let limit = std::env::var("GIULIA_SHOW").map_or(10, |it| it.parse().unwrap());
    differ.iter().take(limit).for_each(|it| println!("    {it}"));
}

/// What a module is compiled to: who made each function that no `def` names.
struct Made {
    /// By the macros that each user of Elixir has: `defstruct`, `use GenServer`.
    by_known: BTreeSet<String>,
    /// By macros that a corpus defines for itself.
    by_own: BTreeSet<String>,
    /// Written in the module under a name that is made: `def unquote(name)(…)`.
    named: BTreeSet<String>,
}

/// Modules whose macros their documentation offers to everybody; the others are the corpus's own.
const KNOWN: &[&str] = &[
    "Agent",
    "Application",
    "EEx",
    "GenServer",
    "Inspect",
    "Kernel",
    "Protocol",
    "Record",
    "Supervisor",
    "Dict",
];

impl Made {
    fn read(rows: &str, literal: &BTreeSet<String>) -> Self {
        let (by_known, by_own, named) = Default::default();
        let mut made = Self { by_known, by_own, named };
        for row in rows.lines() {
            let fields: Vec<&str> = row.split('\t').collect();
            let [module, name, arity, by] = <[&str; 4]>::try_from(fields).unwrap();
            let by = by.strip_prefix("Elixir.").unwrap_or(by);
            let function = mfa(module, name, arity);
            if literal.contains(&function) {
                continue;
            }
            let all = match by {
                "" => &mut made.named,
                _ if KNOWN.contains(&by) => &mut made.by_known,
                _ => &mut made.by_own,
            };
            all.insert(function);
        }
        made
    }
}

/// What is written with `def` and its like under a name that stands there.
fn literal_names(rows: &str, facts: &[(String, SourceFacts)]) -> BTreeSet<String> {
    let oracle = oracle(rows);
    let mut literal = BTreeSet::new();
    for (file, facts) in facts {
        for module in &facts.modules {
            let Some(name) = module.name else { continue };
            let first = (file.clone(), module.lines.first, String::new(), 0);
            let of_module = oracle.range(first..).map(|it| it.0);
            for it in of_module.take_while(|it| (&it.0, it.1) == (file, module.lines.first)) {
                let module = facts.names.get(name);
                literal.insert(mfa(module, &it.2, &it.3.to_string()));
                literal.insert(mfa(module, &format!("MACRO-{}", it.2), &(it.3 + 1).to_string()));
            }
        }
    }
    literal
}

/// Functions that no `def` names, as bytecode has them, by who makes them.
#[test]
fn bytecode_has_what_macros_make() {
    let Some((corpus, facts)) = corpus() else { return };
    let text = |name: &str| fs::read_to_string(corpus.join(name)).unwrap();
    let made = Made::read(&text("made.tsv"), &literal_names(&text("oracle.tsv"), &facts));
    let interfaces = Interfaces::of(facts.iter().map(|it| &it.1));
    let mut ours = BTreeSet::new();
    for (_, facts) in &facts {
        let facts = source::link(facts, &interfaces);
        for module in &facts.modules {
            let Some(name) = module.name else { continue };
            for it in &module.functions {
                let (function, arity) = it.vm(&facts.names);
                ours.insert(mfa(facts.names.get(name), &function, &arity.to_string()));
            }
        }
    }
    let limit = std::env::var("GIULIA_SHOW").map_or(10, |it| it.parse().unwrap());
    for (what, truth) in [
        ("made by well-known macros", &made.by_known),
        ("made by the corpus's own macros", &made.by_own),
        ("made under a computed name", &made.named),
    ] {
        let n_found = truth.intersection(&ours).count();
        println!("{what}: {}, found {}", truth.len(), percent(n_found, truth.len()));
        truth.difference(&ours).take(limit).for_each(|it| println!("    not made: {it}"));
    }
    let all: BTreeSet<String> = text("made.tsv")
        .lines()
        .filter_map(|it| {
            let mut fields = it.split('\t');
            Some(mfa(fields.next()?, fields.next()?, fields.next()?))
        })
        .collect();
    let is_compiled = |it: &&String| !it.contains(".-");
    let extra: Vec<&String> = ours.difference(&all).filter(is_compiled).collect();
    println!("functions that bytecode lacks: {} of {}", extra.len(), ours.len());
    extra.iter().take(limit).for_each(|it| println!("    not there: {it}"));
}

/// Calls between modules as bytecode has them.
#[test]
fn bytecode_has_calls_between_modules() {
    let Some((corpus, facts)) = corpus() else { return };
    let interfaces = Interfaces::of(facts.iter().map(|it| &it.1));
    let mut calls = BTreeSet::new();
    for (_, facts) in &facts {
        let facts = source::link(facts, &interfaces);
        for it in &facts.references {
            let (Some(from), Some(to), Some(name)) =
                (facts.module_of(it), it.to_module, it.to_function)
            else {
                continue;
            };
            let Some((function, module)) = facts.function_of(it).zip(from.name) else { continue };
            let (function, arity) = function.vm(&facts.names);
            let caller = mfa(facts.names.get(module), &function, &arity.to_string());
            calls.insert((
                caller,
                mfa(facts.names.get(to), facts.names.get(name), &it.arity.to_string()),
            ));
        }
    }
    let mut beams = Vec::new();
    for app in fs::read_dir(corpus.join("ebin")).unwrap() {
        let files = fs::read_dir(app.unwrap().path()).unwrap().map(|it| it.unwrap().path());
        beams.extend(files.map(|it| giulia_code::facts(&fs::read(it).unwrap()).unwrap()));
    }
    let modules: BTreeSet<&str> = beams.iter().map(|it| it.module.as_str()).collect();
    let (mut n_calls, mut missing) = (0, Vec::new());
    for beam in &beams {
        for function in &beam.functions {
            let is_compilers =
                matches!(function.name.as_str(), "module_info" | "__info__" | "behaviour_info");
            // Copies that Erlang's compiler makes of functions that it puts into others.
            if function.name.starts_with('-') || is_compilers {
                continue;
            }
            let caller = mfa(&beam.module, &function.name, &function.arity.to_string());
            let targets: BTreeSet<u32> = function.calls.iter().map(|it| it.to).collect();
            for to in targets {
                let to = &beam.targets[to as usize];
                if to.module == beam.module || !modules.contains(to.module.as_str()) {
                    continue;
                }
                n_calls += 1;
                let edge = (caller.clone(), mfa(&to.module, &to.function, &to.arity.to_string()));
                if !calls.contains(&edge) {
                    missing.push(format!("{} -> {}", edge.0, edge.1));
                }
            }
        }
    }
    let n_found = n_calls - missing.len();
    println!("calls between modules: {n_calls}, found {}", percent(n_found, n_calls));
    let limit = std::env::var("GIULIA_SHOW").map_or(10, |it| it.parse().unwrap());
    missing.iter().take(limit).for_each(|it| println!("    not called: {it}"));
}

#[test]
fn speed_of_source() {
    let Ok(theirs) = std::env::var("GIULIA_ELIXIR_PARSE_US") else {
        println!("skipped: scripts/evidence/05-elixir-source measures it");
        return;
    };
    let corpus = PathBuf::from(std::env::var("GIULIA_ELIXIR_CORPUS").unwrap());
    let files = libraries(&corpus);
    let files: Vec<Vec<u8>> = files.iter().map(|it| fs::read(it).unwrap()).collect();
    let mut times = Vec::new();
    let mut n_references = 0;
    for _ in 0..5 {
        let start = Instant::now();
        let facts = in_parallel(&files, |it| source::facts("a.ex", it).unwrap());
        let interfaces = Interfaces::of(&facts);
        let linked = in_parallel(&facts, |it| source::link(it, &interfaces));
        let mut graph = Graph::new();
        let mut change = graph.change();
        for (number, it) in linked.iter().enumerate() {
            change.source(&format!("{number}.ex"), Stamp::default(), None, it);
        }
        change.finish();
        times.push(start.elapsed().as_micros());
        assert!(graph.size().edges > 10_000);
        n_references = linked.iter().map(|it| it.references.len()).sum();
    }
    times.sort_unstable();
    let theirs: u128 = theirs.trim().parse().unwrap();
    println!(
        "speed files={} references={n_references} ours_us={} parse_us={theirs} hundredths={}",
        files.len(),
        times[2],
        times[2] * 100 / theirs.max(1)
    );
}

/// Each file of the corpus changed in turn, read, linked with all that hear of it, and put into the
/// graph; then as it was again. Of the two changes, one is heard by nobody else, the other is a
/// function more in the first module.
#[test]
fn one_changed_source() {
    if std::env::var("GIULIA_ELIXIR_PARSE_US").is_err() {
        println!("skipped: scripts/evidence/05-elixir-source measures it");
        return;
    }
    let Some((corpus, facts)) = corpus() else { return };
    let texts: BTreeMap<String, String> = facts
        .iter()
        .map(|(name, _)| {
            (name.clone(), fs::read_to_string(corpus.join("source").join(name)).unwrap())
        })
        .collect();
    let (mut linkage, mut graph) = (Linkage::new(), Graph::new());
    put(&mut linkage, &mut graph, facts.into_iter().map(|(name, facts)| (name, Some(facts))));
    let n_edges = graph.size().edges;
    let (mut own, mut seen, mut listings): (Vec<_>, Vec<_>, Vec<_>) = Default::default();
    let mut n_heard = 0;
    for (name, text) in &texts {
        let added =
            format!("{text}\ndefmodule GiuliaProbe do\n  def f(x), do: Enum.map(x, & &1)\nend\n");
        let function = "\n  def giulia_probe(x), do: x\n\n  def ";
        let more = text.replacen("\n  def ", function, 1);
        let mut change = |text: &str, times: &mut Vec<Duration>| {
            let start = Instant::now();
            let facts = source::facts(name, text.as_bytes());
            let n = put(&mut linkage, &mut graph, [(name.clone(), facts)]);
            times.push(start.elapsed());
            n_heard = n.max(n_heard);
        };
        change(&added, &mut own);
        change(text, &mut own);
        change(&more, &mut seen);
        change(text, &mut seen);
        let start = Instant::now();
        graph.modules(None, Page { from: 0, limit: 50 });
        listings.push(start.elapsed());
    }
    assert_eq!(graph.size().edges, n_edges);
    let figures = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        let at = |part: usize| times[times.len() * part / 1_000].as_micros();
        format!("n={} p50_us={} p99_us={} p999_us={}", times.len(), at(500), at(990), at(999))
    };
    println!("change of a source that nobody sees: {}", figures(&mut own));
    println!("change of what others may see: most_linked={n_heard} {}", figures(&mut seen));
    println!("first listing after a change: {}", figures(&mut listings));
    own.append(&mut seen);
    println!("one changed source: {}", figures(&mut own));
}

/// Puts files in and links what hears of it: how many that were.
fn put(
    linkage: &mut Linkage,
    graph: &mut Graph,
    files: impl IntoIterator<Item = (String, Option<SourceFacts>)>,
) -> usize {
    let again = linkage.update(files);
    let mut change = graph.change();
    for it in &again {
        change.source(it, Stamp::default(), None, &linkage.linked(it).unwrap());
    }
    change.finish();
    again.len()
}

/// On as many threads as there are cores.
fn in_parallel<A: Sync, B: Send>(items: &[A], each: impl Fn(&A) -> B + Sync) -> Vec<B> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some(it) = items.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
            done.push(each(it));
        }
        done
    };
    let n_threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..n_threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|it| it.join().unwrap()).collect()
    })
}
