//! The whole graph, or all of some modules, with numbers in place of names.

use std::collections::HashMap;

use giulia_model::{CodeExport, CodeExportEdge, CodeGraph};

use super::super::{Edge, Graph, NodeId, Sym, kind_of, origins_of};
use super::EdgeFilter;

impl Graph {
    /// The edges out of these modules, or of all, in the order of names and lines.
    pub fn export(&self, only: Option<&[NodeId]>, filter: EdgeFilter) -> CodeExport {
        let modules = only.unwrap_or(&self.projection().modules);
        let mut export = CodeExport {
            schema: "giulia.code-export/1".to_owned(),
            of: CodeGraph::default(),
            files: Vec::new(),
            nodes: Vec::new(),
            edges: Vec::new(),
        };
        let mut nodes: HashMap<NodeId, u32> = HashMap::new();
        let mut files: HashMap<Sym, u32> = HashMap::new();
        for module in modules {
            let Some((segment, _)) = self.home(*module) else { continue };
            for (row, _) in segment.rows() {
                let mut edges: Vec<Edge> = segment.edges(row).filter(|it| filter.has(it)).collect();
                edges.sort_unstable_by_key(|it| (it.line, it.to, it.kind));
                for edge in edges {
                    let mut number = |node: NodeId| {
                        *nodes.entry(node).or_insert_with(|| {
                            export.nodes.push(self.node(node));
                            u32::try_from(export.nodes.len() - 1).unwrap_or(u32::MAX)
                        })
                    };
                    let (from, to) = (number(edge.from), number(edge.to));
                    let file = self.file_of(&edge);
                    let file = (file != Sym::NONE).then(|| {
                        *files.entry(file).or_insert_with(|| {
                            export.files.push(self.text(file).to_owned());
                            u32::try_from(export.files.len() - 1).unwrap_or(u32::MAX)
                        })
                    });
                    export.edges.push(CodeExportEdge {
                        from,
                        to,
                        kind: kind_of(edge.kind),
                        origins: origins_of(edge.origins),
                        file,
                        line: (edge.line > 0).then_some(edge.line),
                        count: u32::from(edge.count),
                    });
                }
            }
        }
        export
    }
}
