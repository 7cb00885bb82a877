//! What is examined: a node, or a session that was recorded.

use std::{borrow::Cow, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::{NodeArg, SessionArg};

/// A node (`shop@db1`: it has an `@`), or a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TargetArg {
    /// A node, which is asked.
    Node(NodeArg),
    /// A session, from which it is concluded again.
    Session(SessionArg),
}

impl FromStr for TargetArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains('@') {
            text.parse().map(Self::Node)
        } else {
            text.parse().map(Self::Session)
        }
    }
}

impl TryFrom<String> for TargetArg {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<TargetArg> for String {
    fn from(it: TargetArg) -> Self {
        match it {
            TargetArg::Node(node) => node.into(),
            TargetArg::Session(session) => session.into(),
        }
    }
}

impl JsonSchema for TargetArg {
    fn schema_name() -> Cow<'static, str> {
        "TargetArg".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 1, "maxLength": 255})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_has_an_at_and_a_session_has_none() {
        assert!(matches!("shop@db1".parse(), Ok(TargetArg::Node(_))));
        assert!(matches!("shop-20260301".parse(), Ok(TargetArg::Session(_))));
        assert!("@db1".parse::<TargetArg>().is_err() && "".parse::<TargetArg>().is_err());
    }
}
