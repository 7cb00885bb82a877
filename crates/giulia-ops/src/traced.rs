//! What is traced where, and what that may cost, as parameters that carry their limits.

use std::{borrow::Cow, fmt, str::FromStr};

use giulia_engine::{NotASubject, Who};
use giulia_model::{CallPattern, FunctionPattern, NotAPattern};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::NodeArg;

/// Nodes at once: each is a connection, and a row of each function.
const NODES_MAX: usize = 32;
/// Longest pattern: two names of 255 characters of four bytes, quoted.
const PATTERN_BYTES_MAX: usize = 4096;
/// Least and most of what counting may cost, in percent.
const BUDGET_PERCENT: std::ops::RangeInclusive<f64> = 0.1..=100.0;

/// Nodes with commas between them: `shop@db1,shop@db2`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodesArg(Vec<NodeArg>);

/// A pattern of functions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FunctionArg(FunctionPattern);

/// A pattern of functions, and what their calls must look like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CallArg {
    text: String,
    functions: FunctionPattern,
    calls: Option<CallPattern>,
}

/// Whose calls are looked at: a pid, a name, `group:NAME` or `new`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WhoArg {
    text: String,
    who: Who,
}

/// Longest text that means processes: `group:` and a label.
const WHO_BYTES_MAX: usize = 1100;

/// A share of the time of all schedulers, written `2%`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Budget(f64);

impl NodesArg {
    /// Their names.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(NodeArg::as_str)
    }
}

impl FromStr for NodesArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut nodes: Vec<NodeArg> = Vec::new();
        for node in text.split(',') {
            let node: NodeArg = node.trim().parse()?;
            if !nodes.contains(&node) {
                nodes.push(node);
            }
        }
        if nodes.len() > NODES_MAX {
            return Err(format!("at most {NODES_MAX} nodes at once"));
        }
        Ok(Self(nodes))
    }
}

impl TryFrom<String> for NodesArg {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<NodesArg> for String {
    fn from(nodes: NodesArg) -> Self {
        nodes.iter().collect::<Vec<_>>().join(",")
    }
}

impl JsonSchema for NodesArg {
    fn schema_name() -> Cow<'static, str> {
        "NodesArg".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": r"^[^@\s,]+@[^@\s,]+(,[^@\s,]+@[^@\s,]+)*$"})
    }
}

impl FunctionArg {
    /// What it means.
    pub fn get(self) -> FunctionPattern {
        self.0
    }
}

impl FromStr for FunctionArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > PATTERN_BYTES_MAX {
            return Err(format!("a pattern has at most {PATTERN_BYTES_MAX} bytes"));
        }
        text.parse().map(Self).map_err(|error: NotAPattern| error.to_string())
    }
}

impl TryFrom<String> for FunctionArg {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<FunctionArg> for String {
    fn from(pattern: FunctionArg) -> Self {
        pattern.0.to_string()
    }
}

impl JsonSchema for FunctionArg {
    fn schema_name() -> Cow<'static, str> {
        "FunctionArg".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 1, "maxLength": PATTERN_BYTES_MAX})
    }
}

impl CallArg {
    /// The functions, and what their calls must look like.
    pub fn get(self) -> (FunctionPattern, Option<CallPattern>) {
        (self.functions, self.calls)
    }

    /// The functions, for those who cannot see arguments.
    ///
    /// # Errors
    /// When it asks for arguments.
    pub fn functions(self) -> Result<FunctionPattern, String> {
        if self.calls.is_none() {
            return Ok(self.functions);
        }
        Err(format!(
            "`{}` asks for arguments, which counters do not see; add --args 20 (or --returns, \
             --callers, --slow) to look at a few calls closely, or name the function alone",
            self.text
        ))
    }
}

impl fmt::Display for CallArg {
    /// As it was written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for CallArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let calls = CallPattern::parse(text).map_err(|it| it.to_string())?;
        let name = calls.as_ref().map_or(text, |it| it.function.as_str());
        let functions = name.parse::<FunctionArg>()?.get();
        let arity = calls.as_ref().and_then(|it| u8::try_from(it.arity()).ok());
        if calls.is_some() && functions.is_of_modules() {
            return Err(format!("`{text}` names no function; write e.g. Mod.fun(_, :error)"));
        }
        let functions = match arity {
            Some(arity) => functions.with_arity(arity),
            None => functions,
        };
        Ok(Self { text: text.to_owned(), functions, calls })
    }
}

impl TryFrom<String> for CallArg {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<CallArg> for String {
    fn from(it: CallArg) -> Self {
        it.text
    }
}

impl JsonSchema for CallArg {
    fn schema_name() -> Cow<'static, str> {
        "CallArg".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        FunctionArg::json_schema(generator)
    }
}

impl WhoArg {
    /// Who.
    pub fn get(self) -> Who {
        self.who
    }
}

impl FromStr for WhoArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > WHO_BYTES_MAX {
            return Err(format!("processes are named in at most {WHO_BYTES_MAX} bytes"));
        }
        let who = text.parse().map_err(|it: NotASubject| it.to_string())?;
        Ok(Self { text: text.to_owned(), who })
    }
}

impl TryFrom<String> for WhoArg {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<WhoArg> for String {
    fn from(it: WhoArg) -> Self {
        it.text
    }
}

impl JsonSchema for WhoArg {
    fn schema_name() -> Cow<'static, str> {
        "WhoArg".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 1, "maxLength": WHO_BYTES_MAX})
    }
}

impl Budget {
    /// From 0 to 1.
    pub fn share(self) -> f64 {
        self.0 / 100.0
    }
}

impl Default for Budget {
    /// 2 %, which is what counting a busy application may cost before somebody asks why.
    fn default() -> Self {
        Self(2.0)
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl FromStr for Budget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_suffix('%').unwrap_or(text).trim();
        let is_plain = number.chars().all(|it| it.is_ascii_digit() || it == '.');
        let percent =
            number.parse::<f64>().ok().filter(|it| is_plain && BUDGET_PERCENT.contains(it));
        percent.map(Self).ok_or_else(|| {
            format!(
                "`{text}` is not a share between {}% and {}%; write e.g. 2%",
                BUDGET_PERCENT.start(),
                BUDGET_PERCENT.end()
            )
        })
    }
}

impl TryFrom<String> for Budget {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Budget> for String {
    fn from(budget: Budget) -> Self {
        budget.to_string()
    }
}

impl JsonSchema for Budget {
    fn schema_name() -> Cow<'static, str> {
        "Budget".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?%?$"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_are_percents_within_limits() {
        for (text, share) in [("2%", 0.02), ("0.5", 0.005), ("100%", 1.0)] {
            let it: Budget = text.parse().unwrap();
            assert!((it.share() - share).abs() < 1e-12, "{text}");
            assert_eq!(it.to_string().parse::<Budget>(), Ok(it));
        }
        for wrong in ["", "%", "0", "101%", "-1", "NaN", "1e1", "inf"] {
            assert!(wrong.parse::<Budget>().is_err(), "{wrong} was taken");
        }
    }

    #[test]
    fn nodes_are_a_list_without_twins() {
        let nodes = |text: &str| text.parse::<NodesArg>().map(String::from);
        assert_eq!(nodes("a@b,c@d"), Ok("a@b,c@d".to_owned()));
        assert_eq!(nodes("a@b, a@b"), Ok("a@b".to_owned()));
        assert!(nodes("a@b,c").is_err() && nodes("").is_err() && nodes("a@b,").is_err());
    }
}
