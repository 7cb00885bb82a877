//! Stacks as a tree: everyone, then groups of processes, then functions from the outermost inwards.

use std::collections::BTreeMap;

use giulia_model::{Flame, FlameStack, Mfa};

use super::name;

/// A box of the graph.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// What it says.
    pub(super) name: String,
    /// What decides its colour.
    pub(super) kind: Kind,
    /// Samples in it and in what stands on it.
    pub(super) total: u64,
    /// Samples in it alone.
    pub(super) own: u64,
    /// By name.
    pub(super) children: Vec<Node>,
}

/// What a box stands for.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kind {
    /// All samples.
    #[default]
    All,
    /// A group of processes.
    Group,
    /// A function that ships with Erlang or Elixir.
    Library,
    /// Another one in an Elixir module.
    Elixir,
    /// Another one.
    Erlang,
    /// Frames that the VM cut off, or does not tell.
    Missing,
}

/// What stands for outer frames that the VM cut off.
pub(super) const CUT: &str = "(cut: outer frames missing)";
/// What stands for a stack that the VM does not tell.
pub(super) const NO_STACK: &str = "(no stack)";

/// Modules of kernel and stdlib that are commonly on stacks, beside those with their prefixes.
const LIBRARY: &[&str] = &[
    "application_controller",
    "application_master",
    "array",
    "base64",
    "binary",
    "calendar",
    "code",
    "code_server",
    "crypto",
    "dict",
    "digraph",
    "erlang",
    "ets",
    "gb_sets",
    "gb_trees",
    "gen",
    "gen_event",
    "gen_server",
    "gen_statem",
    "gen_tcp",
    "gen_udp",
    "global",
    "group",
    "inet",
    "init",
    "io",
    "io_lib",
    "json",
    "lists",
    "logger",
    "maps",
    "math",
    "mnesia",
    "net_kernel",
    "orddict",
    "ordsets",
    "persistent_term",
    "proc_lib",
    "proplists",
    "queue",
    "rand",
    "re",
    "rpc",
    "sets",
    "socket",
    "ssl",
    "string",
    "supervisor",
    "sys",
    "timer",
    "tls_connection",
    "tls_sender",
    "unicode",
    "user_drv",
];
/// Beginnings of names of more of them.
const LIBRARY_PREFIXES: &[&str] =
    &["erl_", "erts_", "erpc", "file", "inet_", "io_lib_", "logger_", "prim_", "ssl_", "user_"];
/// The same of Elixir's own modules, the part before the first point.
const ELIXIR_LIBRARY: &[&str] = &[
    "Access",
    "Agent",
    "Base",
    "Code",
    "DateTime",
    "DynamicSupervisor",
    "Enum",
    "Enumerable",
    "File",
    "Float",
    "GenServer",
    "IO",
    "Inspect",
    "Integer",
    "Kernel",
    "Keyword",
    "List",
    "Logger",
    "Map",
    "MapSet",
    "Module",
    "NaiveDateTime",
    "Path",
    "Process",
    "Range",
    "Regex",
    "Registry",
    "Stream",
    "String",
    "Supervisor",
    "System",
    "Task",
    "Time",
    "Tuple",
    "URI",
];

/// The whole graph.
pub(super) fn tree(it: &Flame) -> Node {
    let mut all = Growing::default();
    for stack in &it.stacks {
        all.add(stack);
    }
    all.finished("all processes".to_owned(), Kind::All)
}

/// One stack from the outermost inwards, its group first.
pub(super) fn path(it: &FlameStack) -> Vec<(String, Kind)> {
    let mut path = vec![(it.group.clone(), Kind::Group)];
    if it.cut {
        path.push((CUT.to_owned(), Kind::Missing));
    }
    if it.stack.is_empty() {
        path.push((NO_STACK.to_owned(), Kind::Missing));
    }
    let frames = it.stack.iter().rev();
    path.extend(frames.map(|it| (name(&it.function), kind(&it.function))));
    path
}

/// How deep it is, itself included.
pub(super) fn depth(it: &Node) -> usize {
    1 + it.children.iter().map(depth).max().unwrap_or(0)
}

fn kind(it: &Mfa) -> Kind {
    if let Some(module) = it.module.strip_prefix("Elixir.") {
        let first = module.split('.').next().unwrap_or(module);
        return if ELIXIR_LIBRARY.contains(&first) { Kind::Library } else { Kind::Elixir };
    }
    let module = it.module.as_str();
    let is_library = LIBRARY.contains(&module)
        || module.starts_with("elixir")
        || LIBRARY_PREFIXES.iter().any(|it| module.starts_with(it));
    if is_library { Kind::Library } else { Kind::Erlang }
}

#[derive(Default)]
struct Growing {
    total: u64,
    own: u64,
    children: BTreeMap<(String, Kind), Growing>,
}

impl Growing {
    fn add(&mut self, stack: &FlameStack) {
        self.total = self.total.saturating_add(stack.samples);
        let mut at = self;
        for step in path(stack) {
            at = at.children.entry(step).or_default();
            at.total = at.total.saturating_add(stack.samples);
        }
        at.own = at.own.saturating_add(stack.samples);
    }

    fn finished(self, name: String, kind: Kind) -> Node {
        let children = self.children.into_iter();
        let children = children.map(|((name, kind), it)| it.finished(name, kind)).collect();
        Node { name, kind, total: self.total, own: self.own, children }
    }
}
