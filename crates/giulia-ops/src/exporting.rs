//! Graphs of code as files of other tools, one function each.

use std::{collections::BTreeMap, fmt::Write as _};

use giulia_model::{CodeExport, CodeExportEdge, CodeNode, NodeKind};

use crate::Writer;

/// Edges that a drawing shows one by one; of more, it shows modules.
const DRAWN_MAX: usize = 200;

/// The formats.
pub(crate) const WRITERS: &[Writer<CodeExport>] = &[
    Writer { name: "tsv", endings: &[".tsv"], write: |it| tsv(it).into_bytes() },
    Writer { name: "dot", endings: &[".dot", ".gv"], write: |it| dot(it).into_bytes() },
    Writer { name: "graphml", endings: &[".graphml"], write: |it| graphml(it).into_bytes() },
    Writer {
        name: "mermaid",
        endings: &[".mmd", ".mermaid"],
        write: |it| mermaid(it).into_bytes(),
    },
    Writer { name: "json", endings: &[".json"], write: json },
];

fn ends<'e>(export: &'e CodeExport, edge: &CodeExportEdge) -> Option<(&'e CodeNode, &'e CodeNode)> {
    let node = |it: u32| export.nodes.get(usize::try_from(it).ok()?);
    Some((node(edge.from)?, node(edge.to)?))
}

/// One line an edge: caller's module, name, arity; callee's; kind, origins, file, line.
fn tsv(export: &CodeExport) -> String {
    let mut out = String::with_capacity(export.edges.len() * 100);
    let end = |out: &mut String, it: &CodeNode| {
        let arity = it.arity.map(|it| it.to_string()).unwrap_or_default();
        for field in [it.module.as_str(), &it.name, &arity] {
            out.extend(field.chars().map(cell));
            out.push('\t');
        }
    };
    for edge in &export.edges {
        let Some((from, to)) = ends(export, edge) else { continue };
        end(&mut out, from);
        end(&mut out, to);
        let origins: Vec<&str> = edge.origins.iter().map(|it| it.name()).collect();
        let file = edge.file.and_then(|it| export.files.get(usize::try_from(it).ok()?));
        out.push_str(edge.kind.name());
        out.push('\t');
        out.push_str(&origins.join(","));
        out.push('\t');
        out.extend(file.map(String::as_str).unwrap_or_default().chars().map(cell));
        out.push('\t');
        out.push_str(&edge.line.map(|it| it.to_string()).unwrap_or_default());
        out.push('\n');
    }
    out
}

/// A name may not end its cell or its line.
fn cell(it: char) -> char {
    if matches!(it, '\t' | '\n' | '\r') { ' ' } else { it }
}

/// What a drawing shows: the names of both ends, each pair once, with how many edges it stands for.
fn drawn(export: &CodeExport) -> BTreeMap<(String, String), usize> {
    let of_modules = export.edges.len() > DRAWN_MAX;
    let name = |it: &CodeNode| {
        if of_modules && !it.module.is_empty() {
            let node = CodeNode {
                kind: NodeKind::Module,
                module: it.module.clone(),
                name: String::new(),
                arity: None,
            };
            return node.to_string();
        }
        it.to_string()
    };
    let mut pairs = BTreeMap::new();
    for edge in &export.edges {
        let Some((from, to)) = ends(export, edge) else { continue };
        let (from, to) = (name(from), name(to));
        if from != to {
            *pairs.entry((from, to)).or_insert(0) += 1;
        }
    }
    pairs
}

fn dot(export: &CodeExport) -> String {
    let quoted = |it: &str| it.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', " ");
    let mut out = "digraph code {\n  rankdir=LR;\n  node [shape=box];\n".to_owned();
    for ((from, to), count) in drawn(export) {
        let (from, to) = (quoted(&from), quoted(&to));
        writeln!(out, "  \"{from}\" -> \"{to}\" [weight={count}];").ok();
    }
    out.push_str("}\n");
    out
}

fn mermaid(export: &CodeExport) -> String {
    let quoted = |it: &str| it.replace('"', "#quot;").replace('\n', " ");
    let mut out = "flowchart LR\n".to_owned();
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    for ((from, to), _) in drawn(export) {
        let mut node = |name: String| {
            let next = numbers.len();
            if let Some(number) = numbers.get(&name) {
                return format!("n{number}");
            }
            let it = format!("n{next}[\"{}\"]", quoted(&name));
            numbers.insert(name, next);
            it
        };
        let from = node(from);
        let to = node(to);
        writeln!(out, "  {from} --> {to}").ok();
    }
    out
}

fn graphml(export: &CodeExport) -> String {
    let mut out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n"
        .to_owned();
    for (id, on, kind) in [
        ("name", "node", "string"),
        ("kind", "node", "string"),
        ("module", "node", "string"),
        ("how", "edge", "string"),
        ("file", "edge", "string"),
        ("line", "edge", "int"),
        ("count", "edge", "int"),
    ] {
        writeln!(out, "  <key id=\"{id}\" for=\"{on}\" attr.name=\"{id}\" attr.type=\"{kind}\"/>")
            .ok();
    }
    out.push_str("  <graph id=\"code\" edgedefault=\"directed\">\n");
    let data = |out: &mut String, key: &str, value: &str| {
        write!(out, "<data key=\"{key}\">{}</data>", escaped(value)).ok();
    };
    for (number, node) in export.nodes.iter().enumerate() {
        write!(out, "    <node id=\"n{number}\">").ok();
        data(&mut out, "name", &node.to_string());
        let kind = serde_json::to_value(node.kind).unwrap_or_default();
        data(&mut out, "kind", kind.as_str().unwrap_or_default());
        data(&mut out, "module", &node.module);
        out.push_str("</node>\n");
    }
    for edge in &export.edges {
        write!(out, "    <edge source=\"n{}\" target=\"n{}\">", edge.from, edge.to).ok();
        data(&mut out, "how", edge.kind.name());
        let file = edge.file.and_then(|it| export.files.get(usize::try_from(it).ok()?));
        if let Some(file) = file {
            data(&mut out, "file", file);
        }
        if let Some(line) = edge.line {
            data(&mut out, "line", &line.to_string());
        }
        data(&mut out, "count", &edge.count.to_string());
        out.push_str("</edge>\n");
    }
    out.push_str("  </graph>\n</graphml>\n");
    out
}

/// XML 1.0 takes no control character, escaped or not.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for it in text.chars() {
        match it {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            it if it.is_control() || matches!(it, '\u{fffe}' | '\u{ffff}') => out.push('?'),
            it => out.push(it),
        }
    }
    out
}

fn json(export: &CodeExport) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(export).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use giulia_model::{CodeGraph, EdgeKind, EdgeOrigin};

    use super::*;

    fn export() -> CodeExport {
        let function = |module: &str, name: &str, arity| CodeNode {
            kind: NodeKind::Function,
            module: module.to_owned(),
            name: name.to_owned(),
            arity: Some(arity),
        };
        let table = CodeNode {
            kind: NodeKind::Table,
            module: String::new(),
            name: "a\tb\"<".to_owned(),
            arity: None,
        };
        let edge = |from, to, kind| CodeExportEdge {
            from,
            to,
            kind,
            origins: vec![EdgeOrigin::DebugInfo, EdgeOrigin::Bytecode],
            file: Some(0),
            line: Some(7),
            count: 1,
        };
        CodeExport {
            schema: "giulia.code-export/1".to_owned(),
            of: CodeGraph::default(),
            files: vec!["lib/cart.ex".to_owned()],
            nodes: vec![
                function("Elixir.Shop.Cart", "get", 1),
                function("ets", "lookup", 2),
                table,
            ],
            edges: vec![edge(0, 1, EdgeKind::Call), edge(0, 2, EdgeKind::EtsRead)],
        }
    }

    #[test]
    fn a_line_has_atoms_as_the_vm_has_them() {
        assert_eq!(
            tsv(&export()),
            "Elixir.Shop.Cart\tget\t1\tets\tlookup\t2\tcall\tdebug_info,bytecode\tlib/cart.ex\t7\n\
             Elixir.Shop.Cart\tget\t1\t\ta b\"<\t\tets_read\tdebug_info,bytecode\tlib/cart.ex\t7\n"
        );
    }

    #[test]
    fn names_are_no_markup() {
        let (dot, xml, mermaid) = (dot(&export()), graphml(&export()), mermaid(&export()));
        assert!(dot.contains("\"Shop.Cart.get/1\" -> \"table a\tb\\\"<\""), "{dot}");
        assert!(xml.contains("table a?b&quot;&lt;"), "{xml}");
        assert!(mermaid.contains("n0[\"Shop.Cart.get/1\"] --> n1[\"ets:lookup/2\"]"), "{mermaid}");
        assert!(mermaid.contains("  n0 --> n2[\"table a\tb#quot;<\"]"), "{mermaid}");
    }
}
