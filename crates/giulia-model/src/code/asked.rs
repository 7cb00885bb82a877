//! What follows from a graph of code: reach, paths, cycles, what is missing, who supervises whom,
//! and who touches which table.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CodeCallback, CodeEdge, CodeFunction, CodeGraph, CodeNode};

/// What a change of something may reach, or what something rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CodeImpact {
    /// `giulia.code-impact/1`.
    pub schema: String,
    /// The graph.
    pub of: CodeGraph,
    /// What was asked about.
    pub about: Vec<CodeNode>,
    /// Along references, to what it rests on, and not against them, to what rests on it.
    pub is_out: bool,
    /// At most so many references away.
    pub depth: u32,
    /// How many things are reached.
    pub total: u64,
    /// Modules that they are part of.
    pub modules: u64,
    /// How many are reached with one reference, with two and so on.
    pub by_distance: Vec<u64>,
    /// This page of them, the nearest first.
    pub reached: Vec<CodeReached>,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// Something that is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CodeReached {
    /// What.
    pub node: CodeNode,
    /// With how many references.
    pub distance: u32,
    /// The last of them.
    pub by: CodeEdge,
}

/// How one thing leads to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CodePath {
    /// `giulia.code-path/1`.
    pub schema: String,
    /// The graph.
    pub of: CodeGraph,
    /// From where.
    pub from: Vec<CodeNode>,
    /// To where.
    pub to: Vec<CodeNode>,
    /// Whether there is a way.
    pub is_there: bool,
    /// The shortest one, reference by reference.
    pub steps: Vec<CodeEdge>,
    /// Things that were looked at.
    pub looked_at: u64,
}

/// What refers to itself by way of others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CodeCycles {
    /// `giulia.code-cycles/1`.
    pub schema: String,
    /// The graph.
    pub of: CodeGraph,
    /// Between functions, and not between modules.
    pub is_of_functions: bool,
    /// Which references count: `compile`, `run` or `any`.
    pub when: String,
    /// How many components have more than one member.
    pub total: u64,
    /// This page of them, the largest first.
    pub cycles: Vec<CodeCycle>,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// A strongly connected component: each member reaches each other one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CodeCycle {
    /// How many members it has.
    pub size: u64,
    /// Its members by name; of very many, the first.
    pub members: Vec<CodeNode>,
    /// Members left out.
    pub members_left_out: u64,
    /// One cycle in it, reference by reference.
    pub cycle: Vec<CodeEdge>,
    /// Whether no other is shorter; of a very large component not all are tried.
    pub is_shortest: bool,
}

/// The functions that are hardest to follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CodeHardest {
    /// `giulia.code-complexity/1`.
    pub schema: String,
    /// The graph.
    pub of: CodeGraph,
    /// How many functions have figures.
    pub total: u64,
    /// Functions without: nobody read their source.
    pub without: u64,
    /// This page of them, the hardest first.
    pub functions: Vec<CodeFunction>,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// Behaviours and protocols, with who has them and what they lack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CodeBehaviours {
    /// `giulia.code-behaviours/1`.
    pub schema: String,
    /// The graph.
    pub of: CodeGraph,
    /// How many there are.
    pub total: u64,
    /// Modules that lack something, over all of them.
    pub incomplete: u64,
    /// This page of them, by name.
    pub behaviours: Vec<CodeBehaviour>,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// A behaviour or protocol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CodeBehaviour {
    /// Its module.
    pub module: String,
    /// Whether it is a protocol.
    pub is_protocol: bool,
    /// Where its callbacks are known from: `indexed`, `otp` (giulia knows those of OTP and Elixir),
    /// or `nowhere`, so that nothing can be said to be missing.
    pub known_from: String,
    /// What it asks for.
    pub callbacks: Vec<CodeCallback>,
    /// Who has it, by name.
    pub implementers: Vec<CodeImplementer>,
}

/// A module with a behaviour, or for a protocol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CodeImplementer {
    /// The module.
    pub module: String,
    /// The file that it is written in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// What must be there and is not.
    pub missing: Vec<CodeCallback>,
    /// What may be left out and is.
    pub optional_left_out: Vec<CodeCallback>,
}

/// The supervision tree as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CodeSupervision {
    /// `giulia.code-supervision/1`.
    pub schema: String,
    /// The graph.
    pub of: CodeGraph,
    /// Supervisors that start something by name.
    pub supervisors: u64,
    /// The trees from their roots down, each thing where it is started first.
    pub tree: Vec<CodeSupervised>,
}

/// A line of a supervision tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CodeSupervised {
    /// How deep it stands; 0 is a root.
    pub depth: u32,
    /// What is started.
    pub node: CodeNode,
    /// Whether it supervises something itself.
    pub is_supervisor: bool,
    /// Where it is started; absent for a root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<CodeEdge>,
    /// It stands above or elsewhere already, so that what is below is not repeated.
    pub is_repeated: bool,
}

/// Who touches which table and which process, as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CodeTables {
    /// `giulia.code-tables/1`.
    pub schema: String,
    /// The graph.
    pub of: CodeGraph,
    /// How many tables and processes there are.
    pub total: u64,
    /// This page of them, tables first, by name.
    pub things: Vec<CodeShared>,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
    /// Reads that may miss what was just written; all of them.
    pub races: Vec<CodeRace>,
}

/// A table or a process that functions share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CodeShared {
    /// What; without a name, whatever tables its module makes.
    pub node: CodeNode,
    /// Who creates or registers it.
    pub made_by: Vec<CodeNode>,
    /// Who reads it, or waits for an answer of it.
    pub read_by: Vec<CodeNode>,
    /// Who writes it, or sends it something.
    pub written_by: Vec<CodeNode>,
    /// Who deletes it or gives it away.
    pub deleted_by: Vec<CodeNode>,
}

/// A request that nobody waits for, and a read of what it writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CodeRace {
    /// The module whose process writes.
    pub module: String,
    /// The table.
    pub table: CodeNode,
    /// Where the request is sent that nobody waits for.
    pub cast: Vec<CodeEdge>,
    /// Where the process writes because of it.
    pub written: Vec<CodeEdge>,
    /// Where callers read the table themselves.
    pub read: Vec<CodeEdge>,
    /// Functions that do the one and then the other: there it shows.
    pub shows_in: Vec<CodeNode>,
}
