//! Behaviours with what is missing, supervision as it is written, the hardest functions.

use std::collections::{BTreeMap, HashSet};

use giulia_model::{
    CodeBehaviour, CodeBehaviours, CodeCallback, CodeGraph, CodeHardest, CodeImplementer,
    CodeSupervised, CodeSupervision, EdgeKind, NodeKind,
};

use super::super::{Edge, Graph, NodeId, Sym, part::kind_code};
use super::{Page, count};

/// Callbacks of behaviours that projects have and do not contain:
/// behaviour, name, arity, whether it may be left out.
/// <https://www.erlang.org/doc/apps/stdlib/gen_server.html> and its like.
const KNOWN: &[(&str, &str, u32, bool)] = &[
    ("gen_server", "init", 1, false),
    ("gen_server", "handle_call", 3, false),
    ("gen_server", "handle_cast", 2, false),
    ("gen_server", "handle_info", 2, true),
    ("gen_server", "handle_continue", 2, true),
    ("gen_server", "terminate", 2, true),
    ("gen_server", "code_change", 3, true),
    ("gen_statem", "init", 1, false),
    ("gen_statem", "callback_mode", 0, false),
    ("gen_event", "init", 1, false),
    ("gen_event", "handle_event", 2, false),
    ("gen_event", "handle_call", 2, false),
    ("supervisor", "init", 1, false),
    ("application", "start", 2, false),
    ("application", "stop", 1, false),
    ("Elixir.GenServer", "init", 1, false),
    ("Elixir.GenServer", "handle_call", 3, true),
    ("Elixir.GenServer", "handle_cast", 2, true),
    ("Elixir.GenServer", "handle_info", 2, true),
    ("Elixir.Supervisor", "init", 1, false),
    ("Elixir.DynamicSupervisor", "init", 1, false),
    ("Elixir.Application", "start", 2, false),
    ("Elixir.Application", "stop", 1, true),
];

/// Levels of a supervision tree; deeper ones are written by nobody.
const DEPTH_MAX: u32 = 64;

impl Graph {
    /// Behaviours and protocols of which some module says that it has them; or these.
    pub fn behaviours(&self, only: Option<&[NodeId]>, page: Page) -> CodeBehaviours {
        let wanted = [kind_code(EdgeKind::Behaviour), kind_code(EdgeKind::Implements)];
        let mut having: BTreeMap<&str, (NodeId, Vec<NodeId>)> = BTreeMap::new();
        for module in self.defined_modules() {
            if self.home(module).is_some_and(|(it, _)| !it.module.callbacks.is_empty()) {
                having.entry(self.module_text(module)).or_insert((module, Vec::new()));
            }
            for edge in self.edges(module).filter(|it| wanted.contains(&it.kind)) {
                let name = self.module_text(edge.to);
                let module = having.entry(name).or_insert((edge.to, Vec::new()));
                module.1.push(edge.from);
            }
        }
        let is_asked = |it: &NodeId| only.is_none_or(|only| only.contains(it));
        let all: Vec<CodeBehaviour> = having
            .into_values()
            .filter(|(node, _)| is_asked(node))
            .map(|(node, who)| self.behaviour(node, &who))
            .collect();
        let lacks = |it: &&CodeImplementer| !it.missing.is_empty();
        let incomplete = all.iter().flat_map(|it| &it.implementers).filter(lacks).count();
        CodeBehaviours {
            schema: "giulia.code-behaviours/1".to_owned(),
            of: CodeGraph::default(),
            total: count(all.len()),
            incomplete: count(incomplete),
            next: page.next(all.len()),
            behaviours: all.into_iter().skip(page.from).take(page.limit).collect(),
        }
    }

    fn behaviour(&self, node: NodeId, who: &[NodeId]) -> CodeBehaviour {
        let module = self.module_text(node).to_owned();
        let home = self.home(node);
        let own = home.map(|(it, _)| it.module.callbacks.as_slice()).unwrap_or_default();
        let mut callbacks: Vec<CodeCallback> = own
            .iter()
            .map(|it| CodeCallback {
                name: self.text(it.name).to_owned(),
                arity: it.arity,
                is_optional: it.is_optional,
            })
            .collect();
        let mut known_from = "indexed";
        if callbacks.is_empty() {
            let known = KNOWN.iter().filter(|(behaviour, ..)| *behaviour == module);
            callbacks = known
                .map(|(_, name, arity, is_optional)| CodeCallback {
                    name: (*name).to_owned(),
                    arity: *arity,
                    is_optional: *is_optional,
                })
                .collect();
            known_from = if callbacks.is_empty() { "nowhere" } else { "otp" };
        }
        callbacks.sort();
        let mut implementers: Vec<CodeImplementer> =
            who.iter().map(|it| self.implementer(*it, &callbacks)).collect();
        implementers.sort_by(|left, right| left.module.cmp(&right.module));
        implementers.dedup();
        CodeBehaviour {
            module,
            is_protocol: home.is_some_and(|(it, _)| it.module.is_protocol),
            known_from: known_from.to_owned(),
            callbacks,
            implementers,
        }
    }

    fn implementer(&self, module: NodeId, callbacks: &[CodeCallback]) -> CodeImplementer {
        let home = self.home(module);
        let name = self.module_text(module).to_owned();
        let lacks = |it: &&CodeCallback| {
            let mfa = giulia_model::Mfa::new(&*name, &*it.name, it.arity);
            let node = self.function(&mfa).and_then(|it| self.home(it));
            !node.is_some_and(|(segment, row)| {
                // Source alone cannot tell whether a macro exports it; what is written counts.
                segment.function(row).is_some_and(|it| it.is_exported || !segment.has_bytecode)
            })
        };
        let (optional, missing) =
            callbacks.iter().filter(lacks).cloned().partition(|it| it.is_optional);
        CodeImplementer {
            file: home.and_then(|(it, _)| self.some(it.module.file)),
            missing,
            optional_left_out: optional,
            module: name,
        }
    }

    /// Functions with figures of complexity, the hardest first; of these modules or of all.
    pub fn hardest(&self, only: Option<&[NodeId]>, page: Page) -> CodeHardest {
        let mut figures: Vec<((u16, u16), NodeId)> = Vec::new();
        let mut without = 0;
        let all: Vec<NodeId> =
            only.map_or_else(|| self.defined_modules().collect(), <[NodeId]>::to_vec);
        for (segment, _) in all.iter().filter_map(|it| self.home(*it)) {
            for (row, node) in segment.rows().skip(1) {
                match segment.function(row) {
                    Some(it) if it.has_complexity => {
                        figures.push(((it.cognitive, it.cyclomatic), node));
                    }
                    _ => without += 1,
                }
            }
        }
        figures.sort_by_key(|(figure, node)| (std::cmp::Reverse(*figure), *node));
        let listed = figures.iter().skip(page.from).take(page.limit);
        CodeHardest {
            schema: "giulia.code-complexity/1".to_owned(),
            of: CodeGraph::default(),
            total: count(figures.len()),
            without,
            functions: listed.map(|(_, it)| self.listed_function(*it)).collect(),
            next: page.next(figures.len()),
        }
    }

    /// Who starts whom, from those that nobody starts down.
    pub fn supervision(&self) -> CodeSupervision {
        let wanted = kind_code(EdgeKind::Supervises);
        let mut children: BTreeMap<&str, Vec<Edge>> = BTreeMap::new();
        let mut started: HashSet<&str> = HashSet::new();
        for module in self.defined_modules() {
            let Some((segment, _)) = self.home(module) else { continue };
            let edges = segment.rows().flat_map(|(row, _)| segment.edges(row));
            let mut edges: Vec<Edge> = edges.filter(|it| it.kind == wanted).collect();
            if edges.is_empty() {
                continue;
            }
            edges.sort_unstable_by_key(|it| (it.line, it.to));
            let name = self.module_text(module);
            started.extend(edges.iter().map(|it| self.module_text(it.to)).filter(|it| *it != name));
            children.insert(name, edges);
        }
        let mut tree = Vec::new();
        let mut shown: HashSet<&str> = HashSet::new();
        let roots: Vec<&str> =
            children.keys().copied().filter(|it| !started.contains(it)).collect();
        // What only a cycle of supervisors starts has no root; then all are.
        let roots = if roots.is_empty() { children.keys().copied().collect() } else { roots };
        let mut waiting: Vec<(u32, &str, Option<Edge>)> =
            roots.into_iter().rev().map(|it| (0, it, None)).collect();
        while let Some((depth, name, by)) = waiting.pop() {
            let below = children.get(name);
            let is_repeated = below.is_some() && !shown.insert(name);
            tree.push(CodeSupervised {
                depth,
                node: self.supervised(name, by),
                is_supervisor: below.is_some(),
                started: by.map(|it| self.edge(&it)),
                is_repeated,
            });
            if is_repeated || depth >= DEPTH_MAX {
                continue;
            }
            let below = below.into_iter().flatten().rev();
            waiting.extend(below.map(|it| (depth + 1, self.module_text(it.to), Some(*it))));
        }
        let supervisors = count(children.len());
        let schema = "giulia.code-supervision/1".to_owned();
        CodeSupervision { schema, of: CodeGraph::default(), supervisors, tree }
    }

    fn supervised(&self, name: &str, by: Option<Edge>) -> giulia_model::CodeNode {
        match by {
            Some(edge) => self.node(self.module_of(edge.to).unwrap_or(edge.to)),
            None => giulia_model::CodeNode {
                kind: NodeKind::Module,
                module: name.to_owned(),
                name: String::new(),
                arity: None,
            },
        }
    }

    /// The functions of a module that its function of this name and arity reaches within it.
    pub(super) fn reachable_within(&self, module: NodeId, name: &str, arity: u32) -> Vec<NodeId> {
        let module = self.nodes.key(module).map_or(Sym::NONE, |it| it.module);
        let first = giulia_model::Mfa::new(self.text(module), name, arity);
        let Some(first) = self.function(&first).filter(|it| self.is_defined(*it)) else {
            return Vec::new();
        };
        let mut seen = HashSet::from([first]);
        let mut found = vec![first];
        let mut next = 0;
        while let Some(node) = found.get(next).copied() {
            next += 1;
            for edge in self.edges(node) {
                let is_here = self
                    .nodes
                    .key(edge.to)
                    .is_some_and(|it| it.module == module && it.kind == NodeKind::Function);
                if is_here && seen.insert(edge.to) {
                    found.push(edge.to);
                }
            }
        }
        found
    }
}
