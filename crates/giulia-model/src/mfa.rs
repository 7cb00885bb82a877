//! Module, function, arity: the hinge between a running process and a line of source.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A function's identity.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct Mfa {
    /// The module's atom, `Elixir.` included.
    pub module: String,
    /// The function's atom.
    pub function: String,
    /// How many arguments it takes.
    pub arity: u32,
}

impl Mfa {
    /// A function's identity from its parts.
    pub fn new(module: impl Into<String>, function: impl Into<String>, arity: u32) -> Self {
        Self { module: module.into(), function: function.into(), arity }
    }

    /// The function in whose text a fun or a comprehension stands: `-order/1-lc$^0/1-0-` is of
    /// `order/1`, as compilers name them (`v3_core`, erts 15.2). Itself for any other.
    #[must_use]
    pub fn written_in(&self) -> Self {
        let inside = self.function.strip_prefix('-').and_then(|rest| {
            let (name, rest) = rest.split_once('/')?;
            let (arity, _) = rest.split_once('-')?;
            Some(Self::new(self.module.as_str(), name, arity.parse().ok()?))
        });
        inside.unwrap_or_else(|| self.clone())
    }
}

/// Elixir's writing for Elixir's modules, Erlang's for the others.
impl fmt::Display for Mfa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.module.strip_prefix("Elixir.") {
            Some(module) => write!(f, "{module}.{}/{}", self.function, self.arity),
            None => write!(f, "{}:{}/{}", self.module, self.function, self.arity),
        }
    }
}
