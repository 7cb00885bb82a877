//! The graph beside OTP's own tools: components as `digraph_utils` has them, speed beside xref.

use std::{
    collections::{BTreeSet, HashMap},
    fmt::Write as _,
    fs,
    hint::black_box,
    path::Path,
    time::{Duration, Instant},
};

use giulia_code::{
    Facts, FactsReader, facts,
    graph::{Direction, EdgeFilter, Graph, Page, Stamp, When},
};
use giulia_model::{CodeNode, FunctionPattern, Mfa};
use giulia_testkit::{Otp, for_each_otp};

use crate::corpus;

/// Functions of a component that are compared at all: those of one member are no cycle.
type Components = BTreeSet<BTreeSet<u32>>;

fn of_files(otp: &Otp, is_wanted: impl Fn(&Path) -> bool) -> Vec<(String, Vec<u8>)> {
    let files = corpus::all_files(otp).into_iter().filter(|it| is_wanted(it));
    files.map(|it| (it.display().to_string(), corpus::bytes(otp, &it))).collect()
}

fn graph_of(files: &[(String, Facts)]) -> Graph {
    let mut graph = Graph::new();
    let mut change = graph.change();
    for (name, facts) in files {
        change.beam(name, Stamp::default(), None, facts);
    }
    change.finish();
    graph
}

fn read(files: &[(String, Vec<u8>)]) -> Vec<(String, Facts)> {
    files.iter().map(|(name, bytes)| (name.clone(), facts(bytes).unwrap())).collect()
}

#[test]
fn components_equal_digraph_utils() {
    for_each_otp("components_equal_digraph_utils", |otp| {
        let is_wanted = |it: &Path| it.to_string_lossy().contains("/lib/stdlib-");
        let graph = graph_of(&read(&of_files(otp, is_wanted)));
        let export = graph.export(None, EdgeFilter::control());
        let numbers: HashMap<String, u32> =
            (0..).zip(&export.nodes).map(|(number, node)| (node.to_string(), number)).collect();
        let mut terms = String::from("[");
        for (place, it) in export.edges.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            write!(terms, "{comma}{{{},{}}}", it.from, it.to).unwrap();
        }
        terms.push_str("].\n");
        let name = format!("tmp/giulia-graph-{}.terms", std::process::id());
        fs::write(otp.root.join(&name), terms).unwrap();
        let node = corpus::truthful(otp);
        let theirs = node.eval(&format!(
            "{{ok, [Edges]}} = file:consult(\"/{name}\"),
             Digraph = digraph:new(),
             [digraph:add_vertex(Digraph, It) || Edge <- Edges, It <- tuple_to_list(Edge)],
             [digraph:add_edge(Digraph, From, To) || {{From, To}} <- Edges],
             Found = [It || [_, _ | _] = It <- digraph_utils:strong_components(Digraph)],
             lists:flatten(lists:join(\";\", [lists:join(\",\", [integer_to_list(N) || N <- It])
                 || It <- Found]))"
        ));
        fs::remove_file(otp.root.join(&name)).unwrap();
        let theirs = corpus::unquoted(&theirs);
        let theirs: Components = theirs
            .split(';')
            .map(|it| it.split(',').map(|it| it.parse().unwrap()).collect())
            .collect();
        let names = graph.component_names(EdgeFilter::control()).into_iter();
        let ours: Components = names
            .filter(|it| it.len() > 1)
            .map(|it| it.iter().map(|name| *numbers.get(name).unwrap()).collect())
            .collect();
        println!(
            "components otp={} edges={} of_two_or_more={} largest={}",
            otp.release,
            export.edges.len(),
            ours.len(),
            ours.iter().map(BTreeSet::len).max().unwrap_or_default()
        );
        assert!(ours.len() > 50, "only {} components", ours.len());
        assert_eq!(ours, theirs);
        cycles_are_cycles(&graph, &ours);
    });
}

/// Each shown cycle leads along its edges back to its beginning.
fn cycles_are_cycles(graph: &Graph, components: &Components) {
    let all = Page { from: 0, limit: usize::MAX };
    let answer = graph.cycles(Some(EdgeFilter::control()), When::Any, all);
    assert_eq!(answer.cycles.len(), components.len());
    for it in &answer.cycles {
        let ends: Vec<(&CodeNode, &CodeNode)> =
            it.cycle.iter().map(|it| (&it.from, &it.to)).collect();
        let next = ends.iter().skip(1).chain(ends.first());
        assert!(ends.iter().zip(next).all(|(left, right)| left.1 == right.0), "{ends:?}");
        assert!(it.is_shortest && ends.len() > 1 && ends.len() as u64 <= it.size);
    }
}

/// Rounds of each measurement, and millions of lines; asked for by `scripts/evidence/05-graph`.
#[test]
fn the_graph_in_figures() {
    let Ok(asked) = std::env::var("GIULIA_CODE_GRAPH") else {
        println!("skipped: GIULIA_CODE_GRAPH=5,10 measures five rounds and ten million lines");
        return;
    };
    let (rounds, millions) = asked.split_once(',').unwrap();
    let (rounds, millions): (usize, u64) = (rounds.parse().unwrap(), millions.parse().unwrap());
    for_each_otp("the_graph_in_figures", |otp| {
        if otp.release != 27 {
            return;
        }
        let files = of_files(otp, |it| it.starts_with("/usr/lib/erlang/lib"));
        let graph = by_two(&files);
        questions(&graph);
        saved(&graph, rounds);
        drop(graph);
        beside_xref(otp, &files, rounds);
        let read = self::read(&files);
        one_changed_file(&read, rounds);
        growth(&read, millions);
    });
}

/// What a process holds more after it made a graph, all that the allocator keeps from making it
/// included: so once a process, and `scripts/evidence/05-graph` takes the median of some.
#[test]
fn memory_of_the_graph() {
    if std::env::var("GIULIA_CODE_GRAPH").is_err() {
        println!("skipped: GIULIA_CODE_GRAPH=5,10 measures it");
        return;
    }
    for_each_otp("memory_of_the_graph", |otp| {
        if otp.release != 27 {
            return;
        }
        let files = of_files(otp, |it| it.starts_with("/usr/lib/erlang/lib"));
        let before = resident_bytes();
        let graph = by_two(&files);
        let after = resident_bytes();
        println!(
            "memory edges={} bytes_an_edge={}",
            graph.size().edges,
            after.saturating_sub(before) / graph.size().edges as u64
        );
    });
}

/// All files to a graph, by as many threads as the program takes, beside xref, in one run.
fn beside_xref(otp: &Otp, files: &[(String, Vec<u8>)], rounds: usize) {
    let node = corpus::truthful(otp);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut graph = Graph::new();
    for _ in 0..rounds {
        drop(std::mem::take(&mut graph));
        let start = Instant::now();
        graph = by_two(files);
        ours.push(start.elapsed());
        let micros = node.eval("truth:xref_time(\"/usr/lib/erlang/lib\")");
        theirs.push(Duration::from_micros(micros.parse().unwrap()));
    }
    let (ours, theirs) = (median(ours), median(theirs));
    let size = graph.size();
    println!(
        "speed files={} edges={} graph_ms={} xref_ms={} ratio={:.1}",
        files.len(),
        size.edges,
        ours.as_millis(),
        theirs.as_millis(),
        theirs.as_secs_f64() / ours.as_secs_f64()
    );
}

fn by_two(files: &[(String, Vec<u8>)]) -> Graph {
    let mut graph = Graph::new();
    let mut change = graph.change();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let (sender, receiver) = std::sync::mpsc::sync_channel(8);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                let mut reader = FactsReader::default();
                loop {
                    let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    let Some((name, bytes)) = files.get(number) else { return };
                    let stamp = Stamp::of(bytes, 0);
                    if sender.send((name, stamp, reader.read(bytes).unwrap())).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        for (name, stamp, facts) in receiver {
            change.beam(name, stamp, None, &facts);
        }
    });
    change.finish();
    graph
}

/// What somebody asks about each function and module, and the first pages of lists.
fn questions(graph: &Graph) {
    let page = Page { from: 0, limit: 50 };
    graph.modules(None, page);
    let all = Page { from: 0, limit: usize::MAX };
    let modules = graph.modules(None, all).modules;
    let mut times = Vec::new();
    let mut ask = |work: &dyn Fn()| {
        let start = Instant::now();
        work();
        times.push(start.elapsed());
    };
    for module in &modules {
        let node = graph.module(&module.module).unwrap();
        ask(&|| drop(black_box(graph.functions(&[node], page))));
        ask(&|| drop(black_box(graph.show_module(node, 20))));
        let pattern: FunctionPattern = FunctionPattern::of(&Mfa::new(&*module.module, "init", 1));
        ask(&|| drop(black_box(graph.find(&pattern))));
        for function in graph.functions(&[node], page).functions {
            let node = graph.function(&function.function).unwrap();
            for direction in [Direction::In, Direction::Out] {
                ask(&|| drop(black_box(graph.calls(&[node], direction, EdgeFilter::ALL, page))));
            }
            ask(&|| drop(black_box(graph.show_functions(&[node], 20))));
        }
    }
    ask(&|| drop(black_box(graph.modules(None, page))));
    times.sort_unstable();
    let at = |part: usize| times.get(times.len() * part / 1_000).unwrap().as_micros();
    println!(
        "questions n={} p50_us={} p99_us={} p999_us={}",
        times.len(),
        at(500),
        at(990),
        at(999)
    );
}

/// To bytes and back: the second start.
fn saved(graph: &Graph, rounds: usize) {
    let bytes = graph.encode();
    let times = (0..rounds).map(|_| {
        let start = Instant::now();
        black_box(Graph::decode(&bytes).unwrap());
        start.elapsed()
    });
    let time = median(times.collect());
    println!("warm bytes={} decode_ms={}", bytes.len(), time.as_millis());
}

/// One file read anew and put in the place of what it was, each of many in turn.
fn one_changed_file(files: &[(String, Facts)], rounds: usize) {
    let mut graph = graph_of(files);
    let mut times = Vec::new();
    for (name, facts) in files.iter().cycle().take(files.len().min(rounds * 100)) {
        let mut less = facts.clone();
        less.functions.truncate(less.functions.len() / 2);
        for facts in [&less, facts] {
            let start = Instant::now();
            let mut change = graph.change();
            change.beam(name, Stamp::default(), None, facts);
            change.finish();
            times.push(start.elapsed());
        }
    }
    times.sort_unstable();
    let at = |part: usize| times.get(times.len() * part / 1_000).unwrap().as_micros();
    println!("change n={} p50_us={} p99_us={} p999_us={}", times.len(), at(500), at(990), at(999));
}

/// Copies of all modules under other names, until they have so many million lines.
fn growth(files: &[(String, Facts)], millions: u64) {
    let lines = |facts: &Facts| {
        let functions = facts.functions.iter().filter_map(|it| it.line).map(u64::from);
        functions.max().unwrap_or_default()
    };
    let lines: u64 = files.iter().map(|(_, facts)| lines(facts)).sum();
    let copies = (millions * 1_000_000).div_ceil(lines).max(2);
    let before = resident_bytes();
    let mut graph = Graph::new();
    let mut halves = Vec::new();
    let start = Instant::now();
    let mut change = graph.change();
    for copy in 0..copies {
        for (name, facts) in files {
            change.beam(&format!("{copy}/{name}"), Stamp::default(), None, &renamed(facts, copy));
        }
        if copy + 1 == copies / 2 || copy + 1 == copies {
            halves.push((copy + 1, start.elapsed()));
        }
    }
    change.finish();
    let total = start.elapsed();
    let ((n_half, half), (n_all, all)) = (halves.first().unwrap(), halves.last().unwrap());
    let each = |time: &Duration, n: u64| time.as_secs_f64() / f64::from(u32::try_from(n).unwrap());
    println!(
        "growth lines={} edges={} total_ms={} bytes_an_edge={} second_half_to_first={:.2}",
        lines * copies,
        graph.size().edges,
        total.as_millis(),
        (resident_bytes() - before) / graph.size().edges as u64,
        each(&all.saturating_sub(*half), n_all - n_half) / each(half, *n_half),
    );
}

/// The same module under another name, calling those of its copy.
fn renamed(facts: &Facts, copy: u64) -> Facts {
    let mut facts = facts.clone();
    facts.module = format!("{}_{copy}", facts.module);
    for target in facts.targets.iter_mut().filter(|it| it.module != "erlang") {
        target.module = format!("{}_{copy}", target.module);
    }
    facts
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    *times.get(times.len() / 2).unwrap()
}

/// What the process has in memory now.
fn resident_bytes() -> u64 {
    let told = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = told.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

/// The key-value store of Elixir's guide, with the registry that casts and with the one that calls:
/// the second seed's race is in the first and not in the second.
#[test]
fn a_cast_before_a_read_is_a_race() {
    for_each_otp("a_cast_before_a_read_is_a_race", |otp| {
        let worker = include_str!("../../../../targets/kv/lib/kv/load/worker.ex");
        for (registry, is_racy) in [
            (include_str!("../../../../targets/kv/registries/ets_cast/registry.ex"), true),
            (include_str!("../../../../targets/kv/registries/ets_call/registry.ex"), false),
        ] {
            let files: Vec<(String, Facts)> = [registry, worker]
                .iter()
                .flat_map(|source| compiled(otp, source))
                .map(|bytes| facts(&bytes).unwrap())
                .map(|facts| (facts.module.clone(), facts))
                .collect();
            assert!(files.iter().all(|(_, facts)| facts.problems.is_empty()));
            let graph = graph_of(&files);
            let tables = graph.tables(None, Page { from: 0, limit: 100 });
            let table = tables.things.iter().find(|it| it.node.module == "Elixir.KV.Registry");
            let table = table.unwrap();
            let names =
                |list: &[CodeNode]| list.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
            assert_eq!(names(&table.made_by), ["init"]);
            assert!(names(&table.read_by).contains(&"lookup".to_owned()));
            if !is_racy {
                assert_eq!(tables.races, []);
                continue;
            }
            assert_eq!(tables.races.len(), 1, "{:?}", tables.races);
            let race = tables.races.first().unwrap();
            assert_eq!(race.cast.first().unwrap().from.name, "create");
            assert_eq!(race.written.first().unwrap().from.name, "handle_cast");
            assert_eq!(race.read.first().unwrap().from.name, "lookup");
            assert_eq!(names(&race.shows_in), ["write"]);
        }
    });
}

/// What Elixir makes of a source.
fn compiled(otp: &Otp, source: &str) -> Vec<Vec<u8>> {
    let node = corpus::truthful(otp);
    let hex = node.eval(&format!(
        "'Elixir.Code':compiler_options([{{debug_info, true}}]),
         lists:flatten(lists:join(\";\", [[io_lib:format(\"~2.16.0b\", [It]) || <<It>> <= Code]
             || {{_, Code}} <- 'Elixir.Code':compile_string(<<{source:?}>>)]))"
    ));
    let byte = |it: &[u8]| u8::from_str_radix(std::str::from_utf8(it).unwrap(), 16).unwrap();
    let hex = corpus::unquoted(&hex);
    hex.split(';').map(|it| it.as_bytes().chunks(2).map(byte).collect()).collect()
}
