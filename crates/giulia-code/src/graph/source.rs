//! From the facts of a source file to parts of the graph, one for each of its modules.

use std::collections::HashSet;

use giulia_model::{EdgeKind, EdgeOrigin, NodeKind};

use super::{
    Change, NodeId, Stamp,
    names::Sym,
    part::{self, Edge, FunctionInfo, ModuleInfo, Part, Side, kind_code, origin_bit},
};
use crate::ets_use;
use crate::source::{
    Certainty, Doc, FunctionKind, Language, ModuleKind, Name, RefKind, Reference, SourceFacts,
    SourceFunction, SourceModule,
};

impl Change<'_> {
    /// Puts the facts of a source file in, in place of what the unit was before.
    pub fn source(
        &mut self,
        unit: &str,
        stamp: Stamp,
        application: Option<&str>,
        facts: &SourceFacts,
    ) {
        let mut parts: Vec<Option<Part>> =
            facts.modules.iter().map(|it| self.module_part(unit, application, facts, it)).collect();
        let at = |it: &Reference| (it.from_module, it.from_function, it.line);
        let is_table = |it: &&Reference| {
            matches!(
                it.kind,
                RefKind::EtsNew | RefKind::EtsRead | RefKind::EtsWrite | RefKind::EtsDelete
            )
        };
        let told: HashSet<(u32, u32, u32)> =
            facts.references.iter().filter(is_table).map(at).collect();
        for reference in &facts.references {
            let place = usize::try_from(reference.from_module).ok();
            let Some(module) = place.and_then(|it| facts.modules.get(it)) else { continue };
            let Some(edge) = self.reference(facts, module, reference) else { continue };
            // Where the table's name is written, the reader has told it already.
            let is_told = told.contains(&at(reference));
            let table =
                if is_told { None } else { self.table_edge_of(facts, module, reference, edge) };
            if let Some(Some(part)) = place.and_then(|it| parts.get_mut(it)) {
                part.edges.push(edge);
                part.edges.extend(table);
            }
        }
        self.put(unit, stamp, parts.into_iter().flatten().collect());
    }

    fn module_part(
        &mut self,
        unit: &str,
        application: Option<&str>,
        facts: &SourceFacts,
        module: &SourceModule,
    ) -> Option<Part> {
        let text = |it: Name| facts.names.get(it);
        let node = self.node(NodeKind::Module, (text(module.name?), ""), 0)?;
        let language = match facts.language {
            Language::Elixir | Language::Heex | Language::Eex => "elixir",
            Language::Erlang => "erlang",
        };
        let implements = match module.kind {
            ModuleKind::Implementation { protocol, target } => {
                Some((self.sym(text(protocol)), self.sym(text(target))))
            }
            ModuleKind::Module | ModuleKind::Protocol | ModuleKind::Template => None,
        };
        let callbacks = module.callbacks.iter().map(|it| {
            let (name, arity) = vm_name(text(it.name), it.arity, it.is_macro);
            part::Callback { name: self.sym(&name), arity, is_optional: it.is_optional }
        });
        let callbacks = callbacks.collect();
        let info = ModuleInfo {
            application: self.sym(application.unwrap_or_default()),
            file: self.sym(unit),
            language: self.sym(language),
            line: module.lines.first,
            end_line: module.lines.last,
            doc: self.written_doc(&module.doc),
            is_protocol: module.kind == ModuleKind::Protocol,
            implements,
            behaviours: module.behaviours.iter().map(|it| self.sym(text(*it))).collect(),
            callbacks,
            structure: module
                .structure
                .as_ref()
                .map(|it| it.fields.iter().map(|it| self.sym(text(*it))).collect()),
            ..ModuleInfo::default()
        };
        let mut functions = Vec::with_capacity(module.functions.len());
        for function in &module.functions {
            let node = self.function_node(facts, module, function);
            let info = self.written_function(unit, facts, function);
            functions.extend(node.map(|it| (it, info)));
        }
        Some(Part { node, side: Side::Source, module: info, functions, edges: Vec::new() })
    }

    fn function_node(
        &mut self,
        facts: &SourceFacts,
        module: &SourceModule,
        function: &SourceFunction,
    ) -> Option<NodeId> {
        let (name, arity) = function.vm(&facts.names);
        let module = facts.names.get(module.name?);
        self.node(NodeKind::Function, (module, &name), u32::from(arity))
    }

    fn written_function(
        &mut self,
        unit: &str,
        facts: &SourceFacts,
        function: &SourceFunction,
    ) -> FunctionInfo {
        let is_private = matches!(
            function.kind,
            FunctionKind::Private | FunctionKind::PrivateMacro | FunctionKind::PrivateGuard
        );
        let complexity = function.complexity;
        FunctionInfo {
            line: function.lines.first,
            end_line: function.lines.last,
            file: self.sym(unit),
            doc: self.written_doc(&function.doc),
            defined_by: function.defined_by.map_or(Sym::NONE, |it| self.sym(facts.names.get(it))),
            is_exported: !is_private,
            // What a macro writes has no source of its own.
            has_complexity: (function.defined_by.is_none() || function.n_clauses > 0)
                && complexity.cyclomatic > 0,
            clauses: small(function.n_clauses),
            cyclomatic: small(complexity.cyclomatic),
            cognitive: small(complexity.cognitive),
            nesting: small(complexity.nesting_max),
            unresolved: 0,
        }
    }

    fn written_doc(&mut self, doc: &Doc) -> Sym {
        match doc {
            Doc::Text(text) => self.doc(Some(text)),
            Doc::None | Doc::Hidden => Sym::NONE,
        }
    }

    fn reference(
        &mut self,
        facts: &SourceFacts,
        module: &SourceModule,
        reference: &Reference,
    ) -> Option<Edge> {
        let own = facts.names.get(module.name?);
        let function = usize::try_from(reference.from_function).ok();
        let from = match function.and_then(|it| module.functions.get(it)) {
            Some(it) => self.function_node(facts, module, it)?,
            None => self.node(NodeKind::Module, (own, ""), 0)?,
        };
        let kind = edge_kind(facts, module, reference);
        let to = self.target(facts, own, kind, reference)?;
        let origin = match reference.certainty {
            Certainty::Certain => EdgeOrigin::Source,
            Certainty::Guess(_) => EdgeOrigin::Guess,
        };
        Some(Edge {
            from,
            to,
            line: reference.line,
            kind: kind_code(kind),
            origins: origin_bit(origin),
            count: 1,
            file: Sym::NONE,
        })
    }

    /// What a call of `ets` does to a table; which one, the call alone does not tell.
    fn table_edge_of(
        &mut self,
        facts: &SourceFacts,
        module: &SourceModule,
        reference: &Reference,
        edge: Edge,
    ) -> Option<Edge> {
        let text = |it: Name| facts.names.get(it);
        if reference.kind != RefKind::Call || reference.to_module.map(text) != Some("ets") {
            return None;
        }
        let kind = ets_use(text(reference.to_function?), u32::from(reference.arity))?;
        let to = self.node(NodeKind::Table, (text(module.name?), ""), 0)?;
        Some(Edge { to, kind: kind_code(kind), ..edge })
    }

    /// The node that a reference leads to; none while nobody knows the module.
    fn target(
        &mut self,
        facts: &SourceFacts,
        own: &str,
        kind: EdgeKind,
        reference: &Reference,
    ) -> Option<NodeId> {
        let text = |it: Name| facts.names.get(it);
        let module = reference.to_module.map(text);
        let name = reference.to_function.map(text);
        if matches!(
            kind,
            EdgeKind::EtsNew | EdgeKind::EtsRead | EdgeKind::EtsWrite | EdgeKind::EtsDelete
        ) {
            let names = name.or(module).map_or((own, ""), |it| ("", it));
            return self.node(NodeKind::Table, names, 0);
        }
        if matches!(
            kind,
            EdgeKind::ServerCall | EdgeKind::ServerCast | EdgeKind::Sends | EdgeKind::Registers
        ) {
            return self.node(NodeKind::Process, ("", name.or(module)?), 0);
        }
        let module = module?;
        let arity = u32::from(reference.arity);
        match name {
            Some(name) if kind == EdgeKind::Type => {
                self.node(NodeKind::Type, (module, name), arity)
            }
            Some(name) if kind == EdgeKind::Macro => {
                let is_elixir = facts.language != Language::Erlang;
                let (name, arity) = vm_name(name, reference.arity, is_elixir);
                self.node(NodeKind::Function, (module, &name), arity)
            }
            Some(name) if kind.is_control() => self.node(NodeKind::Function, (module, name), arity),
            Some(_) | None => self.node(NodeKind::Module, (module, ""), 0),
        }
    }
}

fn edge_kind(facts: &SourceFacts, module: &SourceModule, reference: &Reference) -> EdgeKind {
    match reference.kind {
        RefKind::Call => EdgeKind::Call,
        RefKind::Macro => EdgeKind::Macro,
        RefKind::Capture | RefKind::Mfa => EdgeKind::Reference,
        RefKind::Apply => EdgeKind::Apply,
        RefKind::Spawn => EdgeKind::Spawn,
        RefKind::Delegate => EdgeKind::Delegate,
        RefKind::Route => EdgeKind::Route,
        RefKind::Component => EdgeKind::Component,
        RefKind::Type => EdgeKind::Type,
        RefKind::Structure => EdgeKind::Struct,
        RefKind::Import => EdgeKind::Import,
        RefKind::Alias => EdgeKind::Alias,
        RefKind::Require => EdgeKind::Require,
        RefKind::Use => EdgeKind::Use,
        RefKind::Behaviour => EdgeKind::Behaviour,
        // What a protocol is implemented for is named beside it.
        RefKind::Implementation => implementation(facts, module, reference),
        RefKind::Child => EdgeKind::Supervises,
        RefKind::MessageCall => EdgeKind::ServerCall,
        RefKind::MessageCast => EdgeKind::ServerCast,
        RefKind::MessageSend => EdgeKind::Sends,
        RefKind::Register => EdgeKind::Registers,
        RefKind::EtsNew => EdgeKind::EtsNew,
        RefKind::EtsRead => EdgeKind::EtsRead,
        RefKind::EtsWrite => EdgeKind::EtsWrite,
        RefKind::EtsDelete => EdgeKind::EtsDelete,
        RefKind::Module => EdgeKind::Mention,
    }
}

/// What a protocol is implemented for is named beside it.
fn implementation(facts: &SourceFacts, module: &SourceModule, reference: &Reference) -> EdgeKind {
    let text = |it: Name| facts.names.get(it);
    if let ModuleKind::Implementation { protocol, .. } = module.kind
        && reference.to_module.map(text) != Some(text(protocol))
    {
        return EdgeKind::Mention;
    }
    EdgeKind::Implements
}

/// A macro of Elixir as the VM has it.
fn vm_name(name: &str, arity: u8, is_macro: bool) -> (String, u32) {
    if is_macro {
        (format!("MACRO-{name}"), u32::from(arity) + 1)
    } else {
        (name.to_owned(), u32::from(arity))
    }
}

fn small(it: u32) -> u16 {
    u16::try_from(it).unwrap_or(u16::MAX)
}
