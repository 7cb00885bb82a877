//! `code export`: a graph for other tools.

use clap::Args;
use giulia_model::CodeExport;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use giulia_engine::EdgeFilter;

use crate::{
    Ctx, FolderArg, FunctionArg, Kind, KindsArg, NodeArg, Out, Writer, exporting,
    indexed::{filter, graph_of},
    text,
};

/// The operation.
pub(crate) struct Operation;

/// Which part of which code.
#[derive(Debug, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Only what these modules refer to: `Shop.*`, `app:shop`.
    #[arg(value_name = "MODULES")]
    #[serde(default)]
    modules: Option<FunctionArg>,
    /// Only these kinds of references, with commas; `control` and `compile` stand for several.
    #[arg(long, value_name = "KINDS")]
    #[serde(default)]
    kinds: Option<KindsArg>,
    /// The project's folder, or one in it; else the working folder's project.
    #[arg(long, value_name = "FOLDER", conflicts_with = "node")]
    #[serde(default)]
    project: Option<FolderArg>,
    /// The node whose code was indexed, in place of a project.
    #[arg(long, value_name = "NODE")]
    #[serde(default)]
    node: Option<NodeArg>,
}

impl crate::Operation for Operation {
    const NAME: &'static str = "code-export";
    const GROUP: Option<&'static str> = Some("code");
    const ABOUT: &'static str = "Write a graph of code for other tools";
    const DETAILS: &'static str = "\
Everything that refers to something, or all that some modules refer to. tsv has a line for each \
edge: caller's module, name, arity, callee's module, name, arity, kind, origins, file, line; atoms as \
the VM has them. dot is for Graphviz, graphml for Gephi and yEd, mermaid for Markdown: of modules \
when there are more than 200 edges. json has numbers in place of names.

Examples:
  giulia code export --format tsv > calls.tsv
  giulia code export 'Shop.*' --format dot | dot -Tsvg > shop.svg
  giulia code export -o shop.graphml
  giulia code export app:shop --kinds call --format mermaid";
    const KIND: Kind = Kind::Query;
    const WRITERS: &'static [Writer<CodeExport>] = exporting::WRITERS;

    type Params = Params;
    type Answer = CodeExport;

    async fn run(ctx: &Ctx, params: Params) -> anyhow::Result<CodeExport> {
        let which = graph_of(params.project, params.node);
        let base = giulia_engine::open_code(&ctx.archive, &which)?;
        let only = params.modules.map(FunctionArg::get);
        Ok(base.export(only.as_ref(), filter(params.kinds, EdgeFilter::ALL))?)
    }

    fn text(answer: &CodeExport, out: &mut Out) {
        text::code_export(answer, out);
    }
}
