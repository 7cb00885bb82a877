//! Which code is asked about, as parameters that carry their limits.

use std::{borrow::Cow, fmt, str::FromStr};

use giulia_engine::{CodePage, EdgeFilter, GraphOf};
use giulia_model::EdgeKind;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::{Count, NodeArg};

/// Longest path of Linux, in bytes (`PATH_MAX`).
const FOLDER_BYTES_MAX: usize = 4096;

/// Longest list of kinds: all of them, with commas.
const KINDS_BYTES_MAX: usize = 512;

/// Rows of a page.
pub type Rows = Count<1, 1000>;

/// Rows before a page.
pub type Before = Count<0, { u32::MAX }>;

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
pub(crate) fn default_rows() -> Rows {
    Rows::clamped(50)
}

/// The first page.
pub(crate) fn no_rows() -> Before {
    Before::clamped(0)
}

/// The page that is asked for.
pub(crate) fn page(from: Before, limit: Rows) -> CodePage {
    CodePage { from: from.get(), limit: limit.get() }
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
