//! From what somebody writes to nodes, and to near misses where there is none.

use giulia_model::{FunctionPattern, ModulePattern, NamePattern, NodeKind, nearest};

use super::super::{Graph, Key, NodeId, Sym};

/// Names offered for one that is not there.
const NEAR_MAX: usize = 3;

/// Arities that a function may have.
const ARITY_MAX: u32 = 255;

/// What somebody means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Whole modules, by name.
    Modules(Vec<NodeId>),
    /// Functions, in the order of their modules.
    Functions(Vec<NodeId>),
}

/// Nothing of the graph is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotFound {
    /// What is not there: `no module Shop.Crat`.
    pub text: String,
    /// What may have been meant, closest first.
    pub near: Vec<String>,
}

impl Graph {
    /// The modules or functions that a pattern means: defined ones, and by exact name also those
    /// that are only referred to.
    ///
    /// # Errors
    /// When it means nothing here.
    pub fn find(&self, pattern: &FunctionPattern) -> Result<Found, NotFound> {
        let modules = self.modules_of(pattern.modules())?;
        let Some(function) = pattern.function() else { return Ok(Found::Modules(modules)) };
        let mut found = Vec::new();
        for module in &modules {
            match function.exact() {
                Some(name) => self.functions_named(*module, name, pattern.arity(), &mut found),
                None => found.extend(self.functions_fitting(*module, pattern)),
            }
        }
        if found.is_empty() {
            Err(self.no_function(pattern, &modules))
        } else {
            Ok(Found::Functions(found))
        }
    }

    fn modules_of(&self, pattern: &ModulePattern) -> Result<Vec<NodeId>, NotFound> {
        let fits = |node: &NodeId| {
            let Some((segment, _)) = self.home(*node) else { return false };
            match pattern {
                ModulePattern::Application(name) => self.text(segment.module.application) == name,
                ModulePattern::Named(name) => name.fits(self.module_text(*node)),
                _ => false,
            }
        };
        if let ModulePattern::Named(NamePattern::Exact(name)) = pattern {
            return match self.module(name) {
                Some(module) => Ok(vec![module]),
                None => Err(self.no_module(name)),
            };
        }
        let mut found: Vec<NodeId> = self.defined_modules().filter(fits).collect();
        found.sort_by_key(|it| self.module_text(*it));
        if !found.is_empty() {
            return Ok(found);
        }
        let ModulePattern::Application(name) = pattern else {
            let text = "no module whose name fits is indexed".to_owned();
            return Err(NotFound { text, near: Vec::new() });
        };
        let applications = self.segments().map(|it| self.text(it.module.application));
        let near = nearest(name, applications, NEAR_MAX);
        let near = near.into_iter().map(|it| format!("app:{it}")).collect();
        Err(NotFound { text: format!("no module of an application {name} is indexed"), near })
    }

    pub(super) fn defined_modules(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.segments().filter_map(|it| it.nodes.first().copied())
    }

    pub(super) fn module_text(&self, node: NodeId) -> &str {
        self.nodes.key(node).map_or("", |it| self.text(it.module))
    }

    /// Functions of an exact name, with the macro of that name.
    fn functions_named(
        &self,
        module: NodeId,
        name: &str,
        arity: Option<u8>,
        into: &mut Vec<NodeId>,
    ) {
        let Some(module) = self.nodes.key(module).map(|it| it.module) else { return };
        let of = |name: Sym, arity: u32| {
            self.nodes.find(Key { kind: NodeKind::Function, module, name, arity })
        };
        let arities = arity.map_or(0..=ARITY_MAX, |it| u32::from(it)..=u32::from(it));
        let plain = self.names.find(name);
        let as_macro = self.names.find(&format!("MACRO-{name}"));
        for arity in arities {
            into.extend(plain.and_then(|it| of(it, arity)));
            into.extend(as_macro.and_then(|it| of(it, arity + 1)));
        }
    }

    fn functions_fitting<'g>(
        &'g self,
        module: NodeId,
        pattern: &'g FunctionPattern,
    ) -> impl Iterator<Item = NodeId> + 'g {
        let nodes = self.home(module).map(|(segment, _)| segment.nodes.as_slice());
        let functions = nodes.unwrap_or_default().iter().skip(1).copied();
        functions.filter(move |node| {
            let key = self.nodes.key(*node);
            key.is_some_and(|it| pattern.fits(self.text(it.name), it.arity))
        })
    }

    fn no_module(&self, name: &str) -> NotFound {
        let shown = |it: &str| it.strip_prefix("Elixir.").unwrap_or(it).to_owned();
        let known = self.defined_modules().map(|it| self.module_text(it));
        let near = nearest(name, known, NEAR_MAX).into_iter().map(shown).collect();
        NotFound { text: format!("no module {} is indexed", shown(name)), near }
    }

    fn no_function(&self, pattern: &FunctionPattern, modules: &[NodeId]) -> NotFound {
        let name = pattern.function().and_then(NamePattern::exact).unwrap_or_default();
        let all = modules.iter().filter_map(|it| self.home(*it));
        let nodes: Vec<NodeId> =
            all.flat_map(|(segment, _)| segment.nodes.iter().skip(1).copied()).collect();
        let named = |it: &NodeId| self.nodes.key(*it).map(|it| self.text(it.name));
        let close = nearest(name, nodes.iter().filter_map(named), NEAR_MAX);
        let near = nodes.iter().filter(|it| named(it).is_some_and(|it| close.contains(&it)));
        let near = near.take(NEAR_MAX).map(|it| self.written(*it)).collect();
        let is_defined = modules.iter().any(|it| self.is_defined(*it));
        let text = if is_defined {
            format!("no function {pattern} is indexed")
        } else {
            format!("no function {pattern} is indexed or referred to, nor is its module")
        };
        NotFound { text, near }
    }
}
