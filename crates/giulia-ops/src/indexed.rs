//! Which code is asked about, as parameters that carry their limits.

use std::{borrow::Cow, fmt, str::FromStr};

use clap::Args;
use giulia_engine::{CodePage, EdgeFilter, GraphOf};
use giulia_model::{EdgeKind, FunctionPattern};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::{Count, FunctionArg, NodeArg};

/// Longest path of Linux, in bytes (`PATH_MAX`).
const FOLDER_BYTES_MAX: usize = 4096;

/// Longest list of kinds: all of them, with commas.
const KINDS_BYTES_MAX: usize = 512;

/// Rows of a page.
pub type Rows = Count<1, 1000>;

/// Rows before a page.
pub type Before = Count<0, { u32::MAX }>;

/// A page of what a graph has.
#[derive(Debug, Args, Serialize, Deserialize, JsonSchema)]
pub(crate) struct PageAsked {
    /// The project's folder, or one in it; else the working folder's project.
    #[arg(long, value_name = "FOLDER", conflicts_with = "node")]
    #[serde(default)]
    project: Option<FolderArg>,
    /// The node whose code was indexed, in place of a project.
    #[arg(long, value_name = "NODE")]
    #[serde(default)]
    node: Option<NodeArg>,
    /// At most so many rows, 1 to 1000.
    #[arg(long, value_name = "N", default_value_t = default_rows())]
    #[serde(default = "default_rows")]
    limit: Rows,
    /// After so many rows: where the last page said that the next begins.
    #[arg(long, value_name = "N", default_value_t = no_rows())]
    #[serde(default = "no_rows")]
    from: Before,
}

/// A page of references to or from functions of some code.
#[derive(Debug, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReferencesAsked {
    /// Of which: `Shop.Cart.get/1`, `lists:map`, `Shop.Cart`.
    #[arg(value_name = "FUNCTION")]
    function: FunctionArg,
    /// Only these kinds of references, with commas; `control` and `compile` stand for several.
    #[arg(long, value_name = "KINDS")]
    #[serde(default)]
    kinds: Option<KindsArg>,
    #[command(flatten)]
    #[serde(flatten)]
    page: PageAsked,
}

/// A page about all modules of some code, or some of them.
#[derive(Debug, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModulesAsked {
    /// Only these: `Shop.*`, `app:shop`, `lists`.
    #[arg(value_name = "MODULES")]
    #[serde(default)]
    modules: Option<FunctionArg>,
    #[command(flatten)]
    #[serde(flatten)]
    page: PageAsked,
}

impl PageAsked {
    /// The graph and the page.
    pub(crate) fn read(self) -> (GraphOf, CodePage) {
        let page = CodePage { from: self.from.get(), limit: self.limit.get() };
        (graph_of(self.project, self.node), page)
    }
}

impl ReferencesAsked {
    /// The graph, the functions, the kinds of references, and the page.
    pub(crate) fn read(self) -> (GraphOf, FunctionPattern, EdgeFilter, CodePage) {
        let (which, page) = self.page.read();
        (which, self.function.get(), filter(self.kinds, EdgeFilter::ALL), page)
    }
}

impl ModulesAsked {
    /// The graph, the modules unless all are meant, and the page.
    pub(crate) fn read(self) -> (GraphOf, Option<FunctionPattern>, CodePage) {
        let (which, page) = self.page.read();
        (which, self.modules.map(FunctionArg::get), page)
    }
}

/// A folder on the machine that giulia runs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FolderArg(String);

/// Kinds of edges with commas between them: `call,macro`; or a name for several: `control`,
/// `compile`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KindsArg {
    text: String,
    kinds: Vec<EdgeKind>,
}

/// As many as a screen shows.
fn default_rows() -> Rows {
    Rows::clamped(50)
}

/// The first page.
fn no_rows() -> Before {
    Before::clamped(0)
}

/// The graph that is asked about.
pub(crate) fn graph_of(project: Option<FolderArg>, node: Option<NodeArg>) -> GraphOf {
    match (project, node) {
        (_, Some(node)) => GraphOf::Node(node.as_str().to_owned()),
        (Some(folder), None) => GraphOf::Project(folder.0.into()),
        (None, None) => GraphOf::Here,
    }
}

/// The kinds that are asked for, or else these.
pub(crate) fn filter(kinds: Option<KindsArg>, otherwise: EdgeFilter) -> EdgeFilter {
    kinds.map_or(otherwise, |it| EdgeFilter::of(it.kinds))
}

impl FolderArg {
    /// The folder.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FolderArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.len() > FOLDER_BYTES_MAX || text.contains('\0') {
            return Err(format!(
                "a folder's path has 1 to {FOLDER_BYTES_MAX} bytes, none of them 0"
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for FolderArg {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<FolderArg> for String {
    fn from(it: FolderArg) -> Self {
        it.0
    }
}

impl fmt::Display for FolderArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl JsonSchema for FolderArg {
    fn schema_name() -> Cow<'static, str> {
        "FolderArg".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 1, "maxLength": FOLDER_BYTES_MAX})
    }
}

impl FromStr for KindsArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > KINDS_BYTES_MAX {
            return Err(format!("a list of kinds has at most {KINDS_BYTES_MAX} bytes"));
        }
        let mut kinds = Vec::new();
        for word in text.split(',').map(str::trim) {
            match word {
                "control" => kinds.extend(EdgeKind::ALL.iter().filter(|it| it.is_control())),
                "compile" => kinds.extend(EdgeKind::ALL.iter().filter(|it| it.is_compile_time())),
                name => kinds.push(EdgeKind::named(name).ok_or_else(|| {
                    let all: Vec<&str> = EdgeKind::ALL.iter().map(|it| it.name()).collect();
                    format!("`{name}` is no kind; kinds are control, compile, {}", all.join(", "))
                })?),
            }
        }
        Ok(Self { text: text.to_owned(), kinds })
    }
}

impl TryFrom<String> for KindsArg {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<KindsArg> for String {
    fn from(it: KindsArg) -> Self {
        it.text
    }
}

impl JsonSchema for KindsArg {
    fn schema_name() -> Cow<'static, str> {
        "KindsArg".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 1, "maxLength": KINDS_BYTES_MAX})
    }
}
