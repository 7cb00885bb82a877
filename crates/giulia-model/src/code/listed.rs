//! What is indexed: graphs, modules, functions, and who calls whom.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{EdgeKind, EdgeOrigin, Impact, Mfa, NodeKind, NotSeen};

/// Which graph an answer is from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct CodeGraph {
    /// The folder of a project, or the name of a node.
    pub graph: String,
    /// How often it changed; the same number means the same answers.
    pub generation: u64,
    /// When it was read last (RFC 3339).
    pub indexed_at: String,
}

/// How large a graph is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct CodeSize {
    /// Files, or modules of a node, that were read.
    pub files: u64,
    /// Modules that are defined in it.
    pub modules: u64,
    /// Functions that are defined in it.
    pub functions: u64,
    /// Things that are referred to and not defined in it.
    pub external: u64,
    /// Edges; those of a kind, from one function to one target in one line, are one.
    pub edges: u64,
}

/// Something that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CodeProblem {
    /// The file, or the module of a node.
    pub file: String,
    /// The line, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// What, and why.
    pub text: String,
}

/// What reading code did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CodeIndex {
    /// `giulia.code-index/1`.
    pub schema: String,
    /// The graph.
    pub of: CodeGraph,
    /// How large it is now.
    pub size: CodeSize,
    /// Files that were read, because they are new or changed.
    pub read: u64,
    /// Files that are as they were.
    pub unchanged: u64,
    /// Files that are gone.
    pub gone: u64,
    /// Edges that were not there before.
    pub edges_added: u64,
    /// Edges that are not there any more.
    pub edges_removed: u64,
    /// How long it took, in milliseconds.
    pub elapsed_ms: f64,
    /// What could not be read; of very many, the first.
    pub problems: Vec<CodeProblem>,
    /// Problems left out.
    pub problems_left_out: u64,
    /// What was left out, with the reason.
    pub not_seen: Vec<NotSeen>,
    /// What reading a node cost it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impact: Option<Impact>,
}

/// The graphs that are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CodeStatus {
    /// `giulia.code-status/1`.
    pub schema: String,
    /// The file that they are kept in.
    pub store: String,
    /// By name.
    pub graphs: Vec<CodeKept>,
}

/// A graph that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CodeKept {
    /// Which, and how new.
    #[serde(flatten)]
    pub of: CodeGraph,
    /// How large it is.
    pub size: CodeSize,
    /// What it takes in the store, in bytes.
    pub bytes: u64,
}

/// A thing of a graph, as the VM names it.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct CodeNode {
    /// What it is.
    pub kind: NodeKind,
    /// The module that it is or belongs to; absent for named processes and tables.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub module: String,
    /// The name of a function, type, process or table.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The arity of a function or type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arity: Option<u32>,
}

/// A module in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CodeModule {
    /// Its atom.
    pub module: String,
    /// The application that it is part of, as far as its place tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
    /// The file that it is written in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line at which it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The language that it is written in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Who speaks for it: source, bytecode, debug information.
    pub seen_in: Vec<EdgeOrigin>,
    /// Functions in it.
    pub functions: u64,
    /// Those of them that others may call.
    pub exported: u64,
    /// Modules that refer to it.
    pub fan_in: u64,
    /// Modules that it refers to.
    pub fan_out: u64,
    /// Its share of the attention of a reader who follows references at random (`PageRank`).
    pub rank: f64,
}

/// Modules of a graph.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CodeModules {
    /// `giulia.code-modules/1`.
    pub schema: String,
    /// The graph.
    pub of: CodeGraph,
    /// How many there are.
    pub total: u64,
    /// This page.
    pub modules: Vec<CodeModule>,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// How hard a function is to follow, over all its clauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CodeComplexity {
    /// Ways through it: one, and one for each further clause or branch.
    pub cyclomatic: u32,
    /// Breaks in the reading, each the dearer the deeper it stands.
    pub cognitive: u32,
    /// Branches within branches.
    pub nesting: u32,
    /// Clauses.
    pub clauses: u32,
}

/// A function in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CodeFunction {
    /// Which, as the VM names it.
    pub function: Mfa,
    /// The file that it stands in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Where it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Where it ends; only source tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_line: Option<u32>,
    /// Whether other modules may call it.
    pub is_exported: bool,
    /// The macro that writes it, where it is not written out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defined_by: Option<String>,
    /// The first paragraph of its documentation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doc: Option<String>,
    /// Functions that refer to it.
    pub fan_in: u64,
    /// Functions that it refers to.
    pub fan_out: u64,
    /// Calls of funs and of functions whose name is a value: to whom, nobody knows.
    pub unresolved: u32,
    /// How hard it is to follow; only source tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complexity: Option<CodeComplexity>,
}

/// Functions of a graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CodeFunctions {
    /// `giulia.code-functions/1`.
    pub schema: String,
    /// The graph.
    pub of: CodeGraph,
    /// How many there are.
    pub total: u64,
    /// This page.
    pub functions: Vec<CodeFunction>,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// One reference from something to something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CodeEdge {
    /// Who refers.
    pub from: CodeNode,
    /// To whom.
    pub to: CodeNode,
    /// In which way.
    pub kind: EdgeKind,
    /// Who says so.
    pub origins: Vec<EdgeOrigin>,
    /// In which file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// In which line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// How often in that line.
    pub count: u32,
}

/// Places at which functions are called, or at which they call.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct CodeCalls {
    /// The graph.
    pub of: CodeGraph,
    /// The functions that were asked about.
    pub about: Vec<CodeNode>,
    /// How many places there are.
    pub total: u64,
    /// This page of them.
    pub calls: Vec<CodeEdge>,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// Who calls a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CodeCallers {
    /// `giulia.code-callers/1`.
    pub schema: String,
    /// Where it is called.
    #[serde(flatten)]
    pub calls: CodeCalls,
}

/// Whom a function calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CodeCallees {
    /// `giulia.code-callees/1`.
    pub schema: String,
    /// Where it calls.
    #[serde(flatten)]
    pub calls: CodeCalls,
}

/// Everything about one module, or about functions of one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CodeShow {
    /// `giulia.code-show/1`.
    pub schema: String,
    /// The graph.
    pub of: CodeGraph,
    /// The module.
    pub module: CodeModule,
    /// What it says about itself.
    pub details: CodeModuleDetails,
    /// The functions that were asked about; of a module, all of them, in the order of the source.
    pub functions: Vec<CodeFunction>,
    /// Of functions: where they are called. Of a module: where others refer to it.
    pub referred_to_by: Vec<CodeEdge>,
    /// Left out of them.
    pub referred_to_by_left_out: u64,
    /// Of functions: what they refer to. Of a module: to which modules and tables, each once.
    pub refers_to: Vec<CodeEdge>,
    /// Left out of them.
    pub refers_to_left_out: u64,
}

/// What a module says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct CodeModuleDetails {
    /// The first paragraph of its documentation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doc: Option<String>,
    /// What `module_info(md5)` says where this bytecode is loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub md5: Option<String>,
    /// The behaviours that it says it has.
    pub behaviours: Vec<String>,
    /// What it asks of those that have it as a behaviour; a protocol's functions.
    pub callbacks: Vec<CodeCallback>,
    /// Whether it is a protocol.
    pub is_protocol: bool,
    /// The protocol that it implements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub implements: Option<String>,
    /// For what it implements it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub implements_for: Option<String>,
    /// The fields of its struct.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub structure: Option<Vec<String>>,
}

/// A function that a behaviour or protocol asks for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct CodeCallback {
    /// Its name.
    pub name: String,
    /// Its arguments.
    pub arity: u32,
    /// Whether it may be left out.
    pub is_optional: bool,
}

/// A whole graph, with numbers in place of names: as small as a document can be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CodeExport {
    /// `giulia.code-export/1`.
    pub schema: String,
    /// The graph.
    pub of: CodeGraph,
    /// The files that edges stand in.
    pub files: Vec<String>,
    /// What they go between.
    pub nodes: Vec<CodeNode>,
    /// By what refers, then by what it refers to.
    pub edges: Vec<CodeExportEdge>,
}

/// An edge of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CodeExportEdge {
    /// Who refers: a place in the nodes, from 0 on.
    pub from: u32,
    /// To whom.
    pub to: u32,
    /// In which way.
    pub kind: EdgeKind,
    /// Who says so.
    pub origins: Vec<EdgeOrigin>,
    /// In which file: a place in the files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<u32>,
    /// In which line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// How often in that line.
    pub count: u32,
}

/// Elixir's writing for Elixir's modules, Erlang's for the others.
impl fmt::Display for CodeNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let module = self.module.strip_prefix("Elixir.").unwrap_or(&self.module);
        match self.kind {
            NodeKind::Function => {
                let mfa = Mfa::new(&*self.module, &*self.name, self.arity.unwrap_or_default());
                mfa.fmt(f)
            }
            NodeKind::Type => {
                let mfa = Mfa::new(&*self.module, &*self.name, self.arity.unwrap_or_default());
                write!(f, "type {mfa}")
            }
            NodeKind::Module | NodeKind::Application => f.write_str(module),
            NodeKind::Process if self.name.is_empty() => write!(f, "a process of {module}"),
            NodeKind::Process => write!(f, "process {}", self.name),
            NodeKind::Table if self.name.is_empty() => write!(f, "a table of {module}"),
            NodeKind::Table => write!(f, "table {}", self.name),
        }
    }
}
