//! Where functions that ran are written: the one join of what was counted with code.
//!
//! A graph that is kept says so first: that of the node, that of the project around the working
//! folder, any other only where its bytecode is what runs. For what no graph has, the bytecode on
//! the node says so: some files of the hottest modules, one at a time with a rest after each, as
//! `giulia code index --node` reads all of them. Whether it is what runs is told by the module's
//! MD5, which the node says, or a session recorded.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    time::{Duration, Instant},
};

use giulia_model::{Mfa, ModuleCode, NotSeen, Place, PlacedFunction, SessionTrace};
use giulia_probe::{loaded_bytecode, loaded_md5s};

use crate::{Archive, CodeBase, GraphOf, Stop, open_code, remote::Link};

/// Files of bytecode that are read of a node for one answer, and
const FILES_MAX: usize = 8;
/// their bytes: a module has 10 to 500 KB.
const BYTES_MAX: usize = 4 << 20;
/// Modules whose MD5 is asked, with one question.
const MODULES_MAX: usize = 100;
/// A read is followed by so many times its own length of rest, as for a whole index, and
const REST: u32 = 9;
/// no longer.
const REST_MAX: Duration = Duration::from_millis(200);
/// All of it; a node that answers slower has other worries.
const WITHIN: Duration = Duration::from_secs(3);

/// Graphs that may know functions of a node.
#[derive(Debug, Default)]
pub(crate) struct Graphs(Vec<Known>);

#[derive(Debug)]
struct Known {
    base: CodeBase,
    /// Whether it is of this node or of where we are; another one is believed by its MD5 alone.
    is_near: bool,
}

/// What is known of functions of a node that runs.
#[derive(Debug, Default)]
pub(crate) struct Places {
    graphs: Graphs,
    running: HashMap<String, [u8; 16]>,
    read: HashMap<Mfa, Place>,
    /// Modules whose file could have been read.
    n_left_out: usize,
}

impl Graphs {
    /// Those of an archive that concern a node; none where nothing is indexed.
    pub(crate) fn of(archive: &Archive, node: &str) -> Self {
        let here = std::env::current_dir().ok();
        let is_around = |it: &CodeBase| {
            here.as_ref().is_some_and(|here| here.ancestors().any(|at| at == Path::new(it.name())))
        };
        let mut all: Vec<Known> = Vec::new();
        for (which, is_nodes) in [(GraphOf::Node(node.to_owned()), true), (GraphOf::Here, false)] {
            // What is not indexed, or cannot be read, is known to nobody.
            let Ok(base) = open_code(archive, &which) else { continue };
            if all.iter().all(|it| it.base.name() != base.name()) {
                let is_near = is_nodes || is_around(&base);
                all.push(Known { base, is_near });
            }
        }
        Self(all)
    }

    /// Where a function is written; what says so is what runs, if any of them is.
    pub(crate) fn place(&self, mfa: &Mfa, running: Option<[u8; 16]>) -> Option<Place> {
        let mut first = None;
        for it in &self.0 {
            let Some(found) = it.base.place_of(mfa) else { continue };
            let (Some(file), line) = (found.file, found.line) else { continue };
            let is_what_runs = running.zip(found.md5).map(|(running, md5)| running == md5);
            let graph = Some(it.base.name().to_owned());
            let place = Place { file, line, is_what_runs, graph };
            if is_what_runs == Some(true) {
                return Some(place);
            }
            if it.is_near {
                first.get_or_insert(place);
            }
        }
        first
    }
}

impl Places {
    /// Asks a node what it runs of these functions, the hottest first, and reads the files of what
    /// no graph knows. Asked to stop, it knows what it knows by then.
    pub(crate) async fn of_node(
        link: &Link,
        graphs: Graphs,
        functions: &[Mfa],
        stop: &Stop,
    ) -> Self {
        let mut it = Self { graphs, ..Self::default() };
        // What was learnt until then stays.
        drop(tokio::time::timeout(WITHIN, it.ask(link, functions, stop)).await);
        it
    }

    async fn ask(&mut self, link: &Link, functions: &[Mfa], stop: &Stop) {
        let mut modules: Vec<&str> = Vec::new();
        for it in functions {
            if !modules.contains(&it.module.as_str()) && modules.len() < MODULES_MAX {
                modules.push(&it.module);
            }
        }
        if modules.is_empty() || stop.is_asked() {
            return;
        }
        let told = loaded_md5s(link, &modules).await;
        let known = modules.iter().zip(told).filter_map(|(it, md5)| Some(((*it).to_owned(), md5?)));
        self.running.extend(known);
        let unknown: HashSet<&str> = functions
            .iter()
            .filter(|it| self.place(it).is_none())
            .map(|it| it.module.as_str())
            .collect();
        let (mut n_files, mut bytes) = (0, 0);
        for module in modules.into_iter().filter(|it| unknown.contains(it)) {
            if n_files >= FILES_MAX || bytes >= BYTES_MAX || stop.is_asked() {
                self.n_left_out += 1;
                continue;
            }
            n_files += 1;
            let began = Instant::now();
            let Ok(file) = loaded_bytecode(link, module).await else { continue };
            bytes += file.len();
            self.learn(module, &file, functions);
            tokio::time::sleep((began.elapsed() * REST).min(REST_MAX)).await;
        }
    }

    fn learn(&mut self, module: &str, file: &[u8], functions: &[Mfa]) {
        let Ok(facts) = giulia_code::facts(file) else { return };
        let is_what_runs = self.running.get(module).map(|it| *it == facts.md5);
        for mfa in functions.iter().filter(|it| it.module == module) {
            let is =
                |it: &&giulia_code::FunctionFacts| it.name == mfa.function && it.arity == mfa.arity;
            let Some(function) = facts.functions.iter().find(is) else { continue };
            let Some(file) = function.file.clone().or_else(|| facts.source.clone()) else {
                continue;
            };
            let place = Place { file, line: function.line, is_what_runs, graph: None };
            self.read.insert(mfa.clone(), place);
        }
    }

    /// Where a function is written, if anybody knows.
    pub(crate) fn place(&self, mfa: &Mfa) -> Option<Place> {
        let running = self.running.get(&mfa.module).copied();
        self.graphs.place(mfa, running).or_else(|| self.read.get(mfa).cloned())
    }

    /// What was not looked for.
    pub(crate) fn not_seen(&self, node: &str) -> Option<NotSeen> {
        (self.n_left_out > 0).then(|| NotSeen {
            what: format!("file and line in {} modules", self.n_left_out),
            why: format!(
                "no graph that is kept has them, and few files are read of a node for one answer; \
                 `giulia code index --node {node}` reads all of them"
            ),
        })
    }

    /// As a session records it: what ran, and what the node's own files said.
    pub(crate) fn recorded(&self) -> (Vec<ModuleCode>, Vec<PlacedFunction>) {
        let mut modules: Vec<ModuleCode> =
            self.running.iter().map(|(module, md5)| ModuleCode::new(module, *md5)).collect();
        modules.sort_by(|left, right| left.module.cmp(&right.module));
        let mut functions: Vec<PlacedFunction> = self
            .read
            .iter()
            .map(|(mfa, place)| PlacedFunction {
                module: mfa.module.clone(),
                name: mfa.function.clone(),
                arity: mfa.arity,
                place: place.clone(),
            })
            .collect();
        functions.sort_by_key(PlacedFunction::mfa);
        (modules, functions)
    }
}

/// Puts places of graphs into what a session counted, where it has none of what ran.
pub(crate) fn join(trace: &mut SessionTrace, graphs: &Graphs) {
    let running: HashMap<&str, [u8; 16]> =
        trace.code.iter().filter_map(|it| Some((it.module.as_str(), it.digest()?))).collect();
    for row in &mut trace.functions {
        let place = graphs.place(&row.mfa(), running.get(row.module.as_str()).copied());
        // The files of the node as it was are better than code that is another by now.
        let is_better = |it: &Place| {
            row.place
                .as_ref()
                .is_none_or(|old| it.is_what_runs == Some(true) || old.is_what_runs != Some(true))
        };
        if let Some(place) = place.filter(is_better) {
            row.place = Some(place);
        }
    }
}
