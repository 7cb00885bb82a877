//! Modules and functions in pages.

use giulia_model::{
    CodeComplexity, CodeFunction, CodeFunctions, CodeGraph, CodeModule, CodeModules, EdgeOrigin,
};

use super::super::{Graph, NodeId, Sym};
use super::{Page, count};

impl Graph {
    /// Modules by name: all, or these.
    pub fn modules(&self, only: Option<&[NodeId]>, page: Page) -> CodeModules {
        let all = only.unwrap_or(&self.projection().modules);
        let listed = all.iter().skip(page.from).take(page.limit);
        CodeModules {
            schema: "giulia.code-modules/1".to_owned(),
            of: CodeGraph::default(),
            total: count(all.len()),
            modules: listed.map(|it| self.listed_module(*it)).collect(),
            next: page.next(all.len()),
        }
    }

    /// Functions: those of these modules in the order of the source, or these.
    pub fn functions(&self, of: &[NodeId], page: Page) -> CodeFunctions {
        let mut all: Vec<NodeId> = Vec::new();
        for node in of {
            match self.home(*node) {
                Some((segment, 0)) => {
                    let mut rows: Vec<(u32, NodeId)> = segment.rows().skip(1).collect();
                    rows.sort_by_key(|(row, _)| segment.function(*row).map(|it| it.line));
                    all.extend(rows.into_iter().map(|(_, node)| node));
                }
                _ => all.push(*node),
            }
        }
        let listed = all.iter().skip(page.from).take(page.limit);
        CodeFunctions {
            schema: "giulia.code-functions/1".to_owned(),
            of: CodeGraph::default(),
            total: count(all.len()),
            functions: listed.map(|it| self.listed_function(*it)).collect(),
            next: page.next(all.len()),
        }
    }

    pub(super) fn listed_module(&self, node: NodeId) -> CodeModule {
        let projection = self.projection();
        let number = projection.number(node);
        let at = |list: &[usize]| number.and_then(|it| list.get(it)).copied().unwrap_or_default();
        let mut listed = CodeModule {
            module: self.module_text(node).to_owned(),
            application: None,
            file: None,
            line: None,
            language: None,
            seen_in: Vec::new(),
            functions: 0,
            exported: 0,
            fan_in: count(at(&projection.fan_in)),
            fan_out: number.and_then(|it| projection.out.get(it)).map_or(0, |it| count(it.len())),
            rank: number.and_then(|it| projection.rank.get(it)).copied().unwrap_or_default(),
        };
        let Some((segment, _)) = self.home(node) else { return listed };
        let module = &segment.module;
        listed.application = self.some(module.application);
        listed.file = self.some(module.file);
        listed.line = (module.line > 0).then_some(module.line);
        listed.language = self.some(module.language);
        let seen = [
            (module.has_debug_info, EdgeOrigin::DebugInfo),
            (segment.has_bytecode, EdgeOrigin::Bytecode),
            (segment.has_source, EdgeOrigin::Source),
        ];
        listed.seen_in = seen.into_iter().filter(|(is, _)| *is).map(|(_, it)| it).collect();
        listed.functions = count(segment.functions.len());
        listed.exported = count(segment.functions.iter().filter(|it| it.is_exported).count());
        listed
    }

    pub(super) fn listed_function(&self, node: NodeId) -> CodeFunction {
        let mut listed = CodeFunction {
            function: self.mfa(node),
            file: None,
            line: None,
            end_line: None,
            is_exported: false,
            defined_by: None,
            doc: None,
            fan_in: count(self.fan_in(node)),
            fan_out: count(self.fan_out(node)),
            unresolved: 0,
            complexity: None,
        };
        let Some((segment, row)) = self.home(node) else { return listed };
        let Some(it) = segment.function(row) else { return listed };
        let file = if it.file == Sym::NONE { segment.module.file } else { it.file };
        listed.file = self.some(file);
        listed.line = (it.line > 0).then_some(it.line);
        listed.end_line = (it.end_line > 0).then_some(it.end_line);
        listed.is_exported = it.is_exported;
        listed.defined_by = self.some(it.defined_by);
        listed.doc = self.some(it.doc);
        listed.unresolved = it.unresolved;
        listed.complexity = it.has_complexity.then(|| CodeComplexity {
            cyclomatic: u32::from(it.cyclomatic),
            cognitive: u32::from(it.cognitive),
            nesting: u32::from(it.nesting),
            clauses: u32::from(it.clauses),
        });
        listed
    }
}
