//! `code supervision`: the supervision tree.

use clap::Args;
use giulia_model::CodeSupervision;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Ctx, FolderArg, Kind, NodeArg, Out, indexed::graph_of, text};

/// The operation.
pub(crate) struct Operation;

/// In which code.
#[derive(Debug, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
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
    const NAME: &'static str = "code-supervision";
    const GROUP: Option<&'static str> = Some("code");
    const ABOUT: &'static str = "Show the supervision tree as it is written";
    const DETAILS: &'static str = "\
From what nobody supervises down to what is started: children that are named in lists of children \
and in child specifications. What is computed is not seen; `giulia snapshot NODE` shows what runs.

Examples:
  giulia code supervision
  giulia code supervision --project /srv/shop --json";
    const KIND: Kind = Kind::Query;

    type Params = Params;
    type Answer = CodeSupervision;

    async fn run(ctx: &Ctx, params: Params) -> anyhow::Result<CodeSupervision> {
        let which = graph_of(params.project, params.node);
        let base = giulia_engine::open_code(&ctx.archive, &which)?;
        Ok(base.supervision())
    }

    fn text(answer: &CodeSupervision, out: &mut Out) {
        text::code_supervision(answer, out);
    }
}
