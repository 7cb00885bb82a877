//! Patterns on functions that a VM does not remove by itself: what is written down before arming.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Mfa;

/// A counter or a match specification on a function, or on all functions of a module.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ArmedPattern {
    /// The module's atom.
    pub module: String,
    /// One function of it; all of them without it.
    pub function: Option<(String, u32)>,
    /// As the VM calls it: `call_count`, `call_time`, `call_memory`, `local`, `meta`.
    pub kind: String,
    /// Of `local` and `meta` the match specification, as an encoded term.
    pub match_spec: Option<Vec<u8>>,
}

impl fmt::Display for ArmedPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.function {
            Some((function, arity)) => {
                Mfa::new(self.module.clone(), function.clone(), *arity).fmt(f)?;
            }
            None => f.write_str(self.module.strip_prefix("Elixir.").unwrap_or(&self.module))?,
        }
        write!(f, " ({})", self.kind)
    }
}
