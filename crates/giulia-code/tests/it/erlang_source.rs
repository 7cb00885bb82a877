//! Erlang's sources against the debug information of the same modules, and `xref`, and complexity
//! against a walk over the compiler's forms.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    hint::black_box,
    path::{Path, PathBuf},
    time::Instant,
};

use giulia_code::{
    CallFacts, How, Origin,
    source::{
        Certainty, RefKind, RefOrigin, SourceFacts,
        erlang::{self, Header, Headers, Options},
    },
};
use giulia_testkit::{Node, Otp, for_each_otp_from};

use crate::corpus;

/// The headers of a tree, as its makefiles find them: beside the file, in the application, in
/// another one by name, and last by its file name alone.
struct Tree {
    libraries: HashMap<String, PathBuf>,
    by_name: HashMap<String, Vec<PathBuf>>,
}

impl Tree {
    fn of(roots: &[PathBuf]) -> (Self, Vec<PathBuf>) {
        let (mut libraries, mut by_name) = (HashMap::new(), HashMap::<String, Vec<PathBuf>>::new());
        let mut sources = Vec::new();
        let mut folders: Vec<PathBuf> = Vec::new();
        for root in roots {
            for path in fs::read_dir(root).unwrap().map(|it| it.unwrap().path()) {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                let name = name.split('-').next().unwrap().to_owned();
                libraries.insert(name, path.clone());
                if path.is_dir() {
                    folders.push(path);
                }
            }
        }
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()) {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                match path.extension().and_then(|it| it.to_str()) {
                    _ if path.is_symlink() => {}
                    _ if path.is_dir() => folders.push(path),
                    Some("erl") => sources.push(path),
                    Some("hrl") => by_name.entry(name).or_default().push(path),
                    _ => {}
                }
            }
        }
        sources.sort();
        (Self { libraries, by_name }, sources)
    }
}

fn read(path: &Path) -> Option<Header> {
    let bytes = fs::read(path).ok()?.into();
    Some(Header { path: path.to_string_lossy().into_owned(), bytes })
}

impl Headers for Tree {
    fn include(&self, from: &str, name: &str) -> Option<Header> {
        let folder = Path::new(from).parent().unwrap();
        if let Some(it) = read(&folder.join(name)) {
            return Some(it);
        }
        let last = Path::new(name).file_name()?.to_string_lossy().into_owned();
        let places = self.by_name.get(&last)?;
        // The one that has most of its path in common with the file.
        let common = |it: &&PathBuf| {
            let same = it.components().zip(folder.components()).take_while(|(a, b)| a == b).count();
            (it.ends_with(name), same)
        };
        read(places.iter().max_by_key(common)?)
    }

    fn include_lib(&self, from: &str, name: &str) -> Option<Header> {
        let (application, rest) = name.split_once('/')?;
        let library = self.libraries.get(application);
        library.and_then(|it| read(&it.join(rest))).or_else(|| self.include(from, name))
    }
}

type Edges = BTreeMap<(String, String), &'static str>;

/// Edges of functions with their kind.
fn written(facts: &SourceFacts) -> Edges {
    let mut found = Edges::new();
    let module = facts.modules[0].name.map(|it| facts.names.get(it));
    for it in &facts.references {
        let name = |it| facts.names.get(it);
        let Some(from) = facts.function_of(it) else { continue };
        let is_edge =
            matches!(it.kind, RefKind::Call | RefKind::Capture | RefKind::Apply | RefKind::Spawn);
        let (Some(to), Some(function), true) =
            (it.to_module, it.to_function, is_edge && it.certainty == Certainty::Certain)
        else {
            continue;
        };
        let kind = match (it.kind, it.origin) {
            (_, RefOrigin::Expanded) => "macro",
            (RefKind::Capture, _) => "fun",
            (RefKind::Apply | RefKind::Spawn, _) => "apply",
            _ if Some(name(to)) == module => "local",
            _ if name(to) == "erlang" => "bif",
            _ => "remote",
        };
        let from = format!("{}/{}", name(from.name), from.arity);
        let to = format!("{}:{}/{}", name(to), name(function), it.arity);
        found.entry((from, to)).or_insert(kind);
    }
    found
}

/// What debug information says, or the bytecode alone too.
fn compiled(facts: &giulia_code::Facts, with_bytecode: bool) -> Edges {
    let mut found = Edges::new();
    for function in &facts.functions {
        let is_wanted = |it: &&CallFacts| with_bytecode || it.origin != Origin::Bytecode;
        for call in function.calls.iter().filter(is_wanted) {
            let to = &facts.targets[call.to as usize];
            let kind = match call.how {
                How::Bif => continue,
                How::Reference => "fun",
                How::Call if to.module == facts.module => "local",
                How::Call if to.module == "erlang" => "bif",
                How::Call => "remote",
            };
            let from = format!("{}/{}", function.name, function.arity);
            let to = format!("{}:{}/{}", to.module, to.function, to.arity);
            found.entry((from, to)).or_insert(kind);
        }
    }
    found
}

/// How much was compared, and what differed.
#[derive(Default)]
struct Score {
    n_files: usize,
    n_edges: usize,
    n_functions: usize,
    // Right, missing and extra, by kind.
    kinds: BTreeMap<&'static str, [usize; 3]>,
    missing: Vec<String>,
    extra: Vec<String>,
    definitions: Vec<String>,
    complexity: Vec<String>,
    problems: Vec<String>,
}

impl Score {
    fn compare(&mut self, source: &SourceFacts, beam: &giulia_code::Facts) {
        let (ours, theirs) = (written(source), compiled(beam, false));
        // What the compiler adds, as the defaults of records within defaults, is right too.
        let all = compiled(beam, true);
        self.n_files += 1;
        self.n_edges += theirs.len();
        for (edge, kind) in &theirs {
            let is_there = ours.contains_key(edge);
            // What is in both counts under our kind, which knows macros.
            let kind = ours.get(edge).unwrap_or(kind);
            self.kinds.entry(kind).or_default()[usize::from(!is_there)] += 1;
            if !is_there {
                self.missing.push(format!("{kind} {} {} -> {}", beam.module, edge.0, edge.1));
            }
        }
        for (edge, kind) in ours.iter().filter(|(edge, _)| !all.contains_key(edge)) {
            self.kinds.entry(kind).or_default()[2] += 1;
            self.extra.push(format!("{kind} {} {} -> {}", beam.module, edge.0, edge.1));
        }
        let names = |it| source.names.get(it);
        let defined: BTreeSet<String> = source.modules[0]
            .functions
            .iter()
            .map(|it| format!("{}/{}", names(it.name), it.arity))
            .collect();
        let compiled: BTreeSet<String> =
            beam.functions.iter().map(|it| format!("{}/{}", it.name, it.arity)).collect();
        let differ = defined.symmetric_difference(&compiled);
        // What compilers add: to each module, to behaviours, for inlining.
        let is_added = |it: &str| {
            it.starts_with("module_info/")
                || it.starts_with("-inlined-")
                || (it == "behaviour_info/1" && !source.modules[0].callbacks.is_empty())
        };
        let differ = differ.filter(|it| !is_added(it));
        self.n_functions += compiled.len();
        self.definitions.extend(differ.map(|it| format!("{} {it}", beam.module)));
        self.problems.extend(
            source.problems.iter().map(|it| format!("{}:{} {}", beam.module, it.line, it.text)),
        );
    }

    fn compare_complexity(
        &mut self,
        module: &str,
        (source, text): (&SourceFacts, &[u8]),
        answer: &str,
    ) {
        let text = String::from_utf8_lossy(text);
        let text: Vec<&str> = text.lines().collect();
        let functions = source.modules[0].functions.iter();
        let ours: HashMap<String, String> = functions
            .map(|it| {
                let sums = it.complexity;
                let name = format!("{}/{}", source.names.get(it.name), it.arity);
                (name, format!("{} {} {}", sums.cyclomatic, sums.cognitive, sums.nesting_max))
            })
            .collect();
        for line in answer.lines() {
            let mut words = line.rsplitn(4, ' ');
            let theirs: Vec<&str> = words.by_ref().take(3).collect();
            let theirs = format!("{} {} {}", theirs[2], theirs[1], theirs[0]);
            let name = words.next().unwrap();
            let it = source.modules[0]
                .functions
                .iter()
                .find(|it| format!("{}/{}", source.names.get(it.name), it.arity) == name);
            // The fun that becomes a value is written, and the compiler's forms lack it.
            let lines = it.map_or(0..0, |it| it.lines.first as usize - 1..it.lines.last as usize);
            if text.get(lines).is_some_and(|it| it.iter().any(|it| it.contains("fun2ms"))) {
                continue;
            }
            if ours.get(name) != Some(&theirs) {
                self.complexity.push(format!("{module} {name}: {:?} {theirs}", ours.get(name)));
            }
        }
    }

    fn recall(&self) -> f64 {
        100.0 * (1.0 - self.missing.len() as f64 / self.n_edges.max(1) as f64)
    }

    fn precision(&self) -> f64 {
        let n_right = self.n_edges - self.missing.len();
        100.0 * n_right as f64 / (n_right + self.extra.len()).max(1) as f64
    }

    fn show(&self, name: &str, is_open: bool) {
        println!(
            "  {name}: files={} functions={} edges={} recall={:.3} precision={:.3} missing={} extra={} definitions={} complexity={} problems={}",
            self.n_files,
            self.n_functions,
            self.n_edges,
            self.recall(),
            self.precision(),
            self.missing.len(),
            self.extra.len(),
            self.definitions.len(),
            self.complexity.len(),
            self.problems.len(),
        );
        for (kind, [right, missing, extra]) in &self.kinds {
            println!("    {kind}: right={right} missing={missing} extra={extra}");
        }
        if is_open {
            let lists = [
                ("missing", &self.missing),
                ("extra", &self.extra),
                ("definition", &self.definitions),
                ("complexity", &self.complexity),
                ("problem", &self.problems),
            ];
            let n_max = std::env::var("GIULIA_CODE_SHOW").map_or(15, |it| it.parse().unwrap());
            for (what, list) in lists {
                for it in list.iter().take(n_max) {
                    println!("    {what}: {it}");
                }
            }
        }
    }
}

/// Modules with source and bytecode: the path of the source, the path of the bytecode in the root.
fn pairs(beams: Vec<PathBuf>, sources: &[PathBuf]) -> Vec<(PathBuf, PathBuf)> {
    let key = |it: &Path| {
        let parts: Vec<String> =
            it.components().map(|it| it.as_os_str().to_string_lossy().into_owned()).collect();
        let folders = ["lib", "deps", "plugins"];
        let above = parts.iter().rposition(|it| folders.contains(&it.as_str())).unwrap();
        let application = parts[above + 1].split('-').next().unwrap().to_owned();
        (application, it.file_stem().unwrap().to_string_lossy().into_owned())
    };
    let is_source = |it: &&PathBuf| {
        let mut folders = it.components().map(|it| it.as_os_str().to_string_lossy().into_owned());
        folders.clone().any(|it| it == "src") && !folders.any(|it| it == "test")
    };
    let by_key: HashMap<(String, String), &PathBuf> =
        sources.iter().filter(is_source).map(|it| (key(it), it)).collect();
    let paired = |it: PathBuf| Some(((*by_key.get(&key(&it))?).clone(), it));
    beams.into_iter().filter_map(paired).collect()
}

/// Reads a part of the pairs and compares each; in two halves, and those apart whose headers are
/// made by a build and are in no package.
fn scores(otp: &Otp, node: &Node, tree: &Tree, pairs: &[(PathBuf, PathBuf)]) -> [Score; 3] {
    let one_of: usize = std::env::var("GIULIA_CODE_ONE_OF").map_or(12, |it| it.parse().unwrap());
    corpus::load(node, "complexity", include_str!("complexity.erl"));
    let mut scores: [Score; 3] = Default::default();
    for (source, beam) in pairs.iter().step_by(one_of) {
        let bytes = fs::read(source).unwrap();
        let path = source.to_string_lossy().into_owned();
        let options = Options { otp_release: otp.release, defines: &[] };
        let facts = erlang::facts(&path, &bytes, tree, &options);
        let compiled = giulia_code::facts(&corpus::bytes(otp, beam)).unwrap();
        if !compiled.has_debug_info {
            continue;
        }
        let lacks = facts.problems.iter().any(|it| it.text.contains("is not to be found"));
        let half = usize::from(!corpus::is_looked_at(beam));
        let score = &mut scores[if lacks { 2 } else { half }];
        score.compare(&facts, &compiled);
        let answer =
            node.eval(&format!("complexity:plain(complexity:of_file(\"{}\"))", beam.display()));
        if answer == "[]" {
            continue;
        }
        if !answer.starts_with('"') {
            score.complexity.push(format!("{}: {answer:.300}", beam.display()));
            continue;
        }
        score.compare_complexity(&compiled.module, (&facts, &bytes), &corpus::unquoted(&answer));
    }
    scores
}

fn show(name: &str, scores: &[Score; 3]) {
    println!("{name}");
    scores[0].show("erlang source, looked at", true);
    scores[1].show("erlang source, scored", std::env::var_os("GIULIA_CODE_PEEK").is_some());
    scores[2].show("erlang source, headers missing", false);
    for it in &scores[..2] {
        assert!(it.n_edges > 500 && it.recall() >= 99.0 && it.precision() >= 99.5);
        // What a build defines beside the source (`-D`) may bring or take a function.
        assert!(it.definitions.len() + it.complexity.len() <= it.n_functions / 1_000);
        // No limit is in the way of what people write.
        assert!(!it.problems.iter().any(|it| it.contains("more than")));
    }
}

/// The beams, the sources and the headers of OTP, when the root has sources.
fn of_otp(otp: &Otp) -> Option<(Tree, Vec<(PathBuf, PathBuf)>)> {
    let (tree, sources) = Tree::of(&[otp.root.join("usr/lib/erlang/lib")]);
    let beams = corpus::all_files(otp).into_iter();
    let pairs = pairs(beams.filter(|it| it.starts_with("/usr/lib/erlang/lib")).collect(), &sources);
    (pairs.len() > 100).then_some((tree, pairs))
}

#[test]
fn erlang_source_of_otp_equals_debug_information() {
    for_each_otp_from(27, "erlang_source_of_otp_equals_debug_information", |otp| {
        let Some((tree, pairs)) = of_otp(otp) else {
            println!("OTP {}: skipped, no sources (the package erlang-src)", otp.release);
            return;
        };
        let node = corpus::truthful(otp);
        show(&format!("OTP {}", otp.release), &scores(otp, &node, &tree, &pairs));
    });
}

#[test]
fn erlang_source_of_rabbitmq_equals_debug_information() {
    for_each_otp_from(27, "erlang_source_of_rabbitmq_equals_debug_information", |otp| {
        let deps = otp.root.join("opt/rabbitmq/src/deps");
        if !deps.exists() {
            println!(
                "OTP {}: skipped, no RabbitMQ (scripts/evidence/05-erlang-source)",
                otp.release
            );
            return;
        }
        let (tree, sources) = Tree::of(&[otp.root.join("usr/lib/erlang/lib"), deps]);
        let beams = corpus::files_below(otp, &[otp.root.join("opt/rabbitmq/bin")]);
        let node = corpus::truthful(otp);
        show("RabbitMQ", &scores(otp, &node, &tree, &pairs(beams, &sources)));
    });
}

/// Asked for by `scripts/evidence/05-erlang-source`: the median of so many rounds.
#[test]
fn erlang_source_beside_epp() {
    let Ok(rounds) = std::env::var("GIULIA_CODE_SPEED") else {
        println!("skipped: GIULIA_CODE_SPEED=5 measures five rounds");
        return;
    };
    let rounds: usize = rounds.parse().unwrap();
    for_each_otp_from(27, "erlang_source_beside_epp", |otp| {
        let Some((tree, pairs)) = of_otp(otp) else { return };
        let node = corpus::truthful(otp);
        let options = Options { otp_release: otp.release, defines: &[] };
        let files: Vec<(String, Vec<u8>)> = pairs
            .iter()
            .map(|(it, _)| (it.to_string_lossy().into_owned(), fs::read(it).unwrap()))
            .collect();
        let n_bytes: usize = files.iter().map(|(_, it)| it.len()).sum();
        let inside = pairs
            .iter()
            .map(|(it, _)| format!("\"/{}\"", it.strip_prefix(&otp.root).unwrap().display()));
        let inside = inside.collect::<Vec<_>>().join(",");
        let ask = format!(
            "Files = [{inside}],
             Path = [code:lib_dir(A) ++ D || A <- [kernel, stdlib, compiler, public_key, ssl],
                                             D <- [\"/include\", \"/src\"]],
             element(1, timer:tc(fun() -> [epp:parse_file(F, [{{includes, [filename:dirname(F) ++ \"/../include\" | Path]}}]) || F <- Files], ok end))"
        );
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let mut n_refs = 0;
        for _ in 0..rounds {
            let start = Instant::now();
            let found = files.iter().map(|(path, bytes)| {
                black_box(erlang::facts(path, bytes, &tree, &options)).references.len()
            });
            n_refs = found.sum();
            ours.push(start.elapsed().as_secs_f64());
            theirs.push(node.eval(&ask).parse::<f64>().unwrap() / 1e6);
        }
        let median = |times: &mut Vec<f64>| {
            times.sort_by(f64::total_cmp);
            times[times.len() / 2]
        };
        let (ours, theirs) = (median(&mut ours), median(&mut theirs));
        println!(
            "speed OTP {}: files={} MB={:.1} references={n_refs} seconds={ours:.3} MB/s={:.1} epp={theirs:.2} ratio={:.1}",
            otp.release,
            files.len(),
            n_bytes as f64 / 1e6,
            n_bytes as f64 / ours / 1e6,
            theirs / ours,
        );
    });
}
