//! Where a function is written, and whether that is what runs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Mfa;

/// Where a function begins.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// The file, as its project or its compiler names it.
    pub file: String,
    /// The line, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Whether the code that says so is what runs (MD5 of the module); absent where nobody can tell:
    /// source alone has none, and a node that is gone does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_what_runs: Option<bool>,
    /// The graph that says so, by its name; absent where the bytecode on the node does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graph: Option<String>,
}

/// What a module was while it ran.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModuleCode {
    /// Its atom.
    pub module: String,
    /// What `module_info(md5)` says there, in hexadecimal.
    pub md5: String,
}

/// A function with its place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlacedFunction {
    /// The module's atom.
    pub module: String,
    /// The function's atom.
    pub name: String,
    /// How many arguments it takes.
    pub arity: u32,
    /// Where it is written.
    pub place: Place,
}

impl ModuleCode {
    /// Of a module of which this runs.
    pub fn new(module: &str, md5: [u8; 16]) -> Self {
        Self { module: module.to_owned(), md5: format!("{:032x}", u128::from_be_bytes(md5)) }
    }

    /// The digest itself; none of what is no digest.
    pub fn digest(&self) -> Option<[u8; 16]> {
        let is_whole = self.md5.len() == 32;
        u128::from_str_radix(&self.md5, 16).ok().filter(|_| is_whole).map(u128::to_be_bytes)
    }
}

impl PlacedFunction {
    /// Its identity.
    pub fn mfa(&self) -> Mfa {
        Mfa::new(&self.module, &self.name, self.arity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_survives_its_writing() {
        let md5 = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255];
        assert_eq!(ModuleCode::new("m", md5).digest(), Some(md5));
        let other = |md5: &str| ModuleCode { md5: md5.to_owned(), ..ModuleCode::default() };
        assert_eq!((other("00").digest(), other(&"g".repeat(32)).digest()), (None, None));
    }
}
