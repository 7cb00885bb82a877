//! Graphs that are kept: found by folder or node, read once, and then answered from memory.

use std::{
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use giulia_code::graph::Graph;
use giulia_model::{CodeGraph, CodeKept, CodeProblem, CodeSize, CodeStatus, nearest};
use giulia_store::StoredGraph;
use serde::{Deserialize, Serialize};

use super::GraphOf;
use crate::{Archive, Error, ErrorKind};

/// What stands beside a graph in the store, to be listed without reading it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Head {
    generation: u64,
    indexed_at: String,
    size: CodeSize,
}

/// A graph that is being brought up.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) name: String,
    pub(super) indexed_at: String,
    pub(super) graph: Graph,
    /// Why what was kept could not be used.
    pub(super) note: Option<CodeProblem>,
}

impl Kept {
    pub(super) fn new(name: &str) -> Self {
        let (graph, indexed_at) = (Graph::new(), String::new());
        Self { name: name.to_owned(), indexed_at, graph, note: None }
    }
}

/// A graph, ready to be asked.
#[derive(Debug, Clone)]
pub struct CodeBase {
    pub(super) of: CodeGraph,
    pub(super) graph: Arc<Graph>,
}

/// Graphs that were read, so that a server reads each generation once.
#[derive(Default)]
pub struct GraphCache(Mutex<HashMap<String, CodeBase>>);

impl fmt::Debug for GraphCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GraphCache")
    }
}

/// The graphs that are kept.
///
/// # Errors
/// When the store cannot be read.
pub fn code_status(archive: &Archive) -> Result<CodeStatus, Error> {
    let kept = archive.read()?.graphs()?.into_iter().map(|it| {
        let head = head(&it);
        CodeKept { of: of(&it.name, &head), size: head.size, bytes: it.bytes }
    });
    Ok(CodeStatus {
        schema: "giulia.code-status/1".to_owned(),
        store: archive.path().display().to_string(),
        graphs: kept.collect(),
    })
}

/// The graph that is meant.
///
/// # Errors
/// When there is none; the text says how to make it and which there are.
pub fn open_code(archive: &Archive, which: &GraphOf) -> Result<CodeBase, Error> {
    let store = archive.read()?;
    let all = store.graphs()?;
    let stored = match which {
        GraphOf::Node(node) => all.iter().find(|it| it.name == *node),
        GraphOf::Project(folder) => around(&all, folder),
        GraphOf::Here => {
            let here = std::env::current_dir().ok().and_then(|it| around(&all, &it));
            here.or(all.first().filter(|_| all.len() == 1))
        }
    };
    let stored = stored.ok_or_else(|| not_indexed(which, &all))?;
    let head = head(stored);
    let of = of(&stored.name, &head);
    if let Some(known) = archive.graphs().get(&of) {
        return Ok(known);
    }
    let unusable = |why: &str| {
        let text =
            format!("reading the graph of {}: {why}; {}", stored.name, to_index(&stored.name));
        Error::new(ErrorKind::NotIndexed, text)
    };
    let (_, body) = store.graph(&stored.name)?.ok_or_else(|| unusable("it is gone"))?;
    let graph = Graph::decode(&body).map_err(|it| unusable(&it.to_string()))?;
    let base = CodeBase { of, graph: Arc::new(graph) };
    archive.graphs().put(base.clone());
    Ok(base)
}

/// The graph of a folder to be brought up; a new one where there is none that can be used.
pub(super) fn read_or_new(archive: &Archive, name: &str) -> Kept {
    let mut kept = Kept::new(name);
    let body = archive.read().and_then(|it| Ok(it.graph(name)?));
    let decoded = match body {
        Ok(None) => return kept,
        Ok(Some((_, body))) => Graph::decode(&body).map_err(|it| it.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match decoded {
        Ok(graph) => kept.graph = graph,
        Err(why) => {
            let text = format!("what was kept is not used: {why}");
            kept.note = Some(CodeProblem { file: name.to_owned(), line: None, text });
        }
    }
    kept
}

pub(super) fn save(archive: &Archive, kept: &Kept) -> Result<(), Error> {
    let head = Head {
        generation: kept.graph.generation(),
        indexed_at: kept.indexed_at.clone(),
        size: size(&kept.graph),
    };
    let head = serde_json::to_string(&head).map_err(|it| {
        Error::new(ErrorKind::NotIndexed, format!("keeping the graph of {}: {it}", kept.name))
    })?;
    Ok(archive.write()?.save_graph(&kept.name, &head, &kept.graph.encode())?)
}

pub(super) fn size(graph: &Graph) -> CodeSize {
    let size = graph.size();
    CodeSize {
        files: size.units as u64,
        modules: size.modules as u64,
        functions: size.functions as u64,
        external: size.external as u64,
        edges: size.edges as u64,
    }
}

/// How a graph of this name is made.
fn to_index(name: &str) -> String {
    if Path::new(name).is_absolute() {
        format!("giulia code index {name}")
    } else {
        format!("giulia code index --node {name}")
    }
}

fn head(stored: &StoredGraph) -> Head {
    serde_json::from_str(&stored.head).unwrap_or_else(|_| Head {
        generation: 0,
        indexed_at: "?".to_owned(),
        size: CodeSize::default(),
    })
}

fn of(name: &str, head: &Head) -> CodeGraph {
    CodeGraph {
        graph: name.to_owned(),
        generation: head.generation,
        indexed_at: head.indexed_at.clone(),
    }
}

/// The graph of a folder, or of the closest one above it.
fn around<'s>(all: &'s [StoredGraph], folder: &Path) -> Option<&'s StoredGraph> {
    let folder: PathBuf = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let mut above = folder.ancestors();
    above.find_map(|it| all.iter().find(|graph| Path::new(&graph.name) == it))
}

fn not_indexed(which: &GraphOf, all: &[StoredGraph]) -> Error {
    let names = || all.iter().map(|it| it.name.as_str());
    let (what, how) = match which {
        GraphOf::Node(node) => (node.clone(), format!("giulia code index --node {node}")),
        GraphOf::Project(folder) => {
            let folder = folder.display().to_string();
            (folder.clone(), format!("giulia code index {folder}"))
        }
        GraphOf::Here => ("the working folder".to_owned(), "giulia code index [FOLDER]".to_owned()),
    };
    let near = nearest(&what, names(), 3);
    let listed: Vec<&str> = if near.is_empty() { names().take(3).collect() } else { near };
    let known = if listed.is_empty() {
        String::new()
    } else {
        format!("; or ask one of those that are: {}", listed.join(", "))
    };
    let text = format!("the code of {what} is not indexed; index it: {how}{known}");
    Error::new(ErrorKind::NotIndexed, text)
}

impl GraphCache {
    fn get(&self, of: &CodeGraph) -> Option<CodeBase> {
        let graphs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        graphs.get(&of.graph).filter(|it| it.of == *of).cloned()
    }

    fn put(&self, base: CodeBase) {
        let mut graphs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        graphs.insert(base.of.graph.clone(), base);
    }
}
