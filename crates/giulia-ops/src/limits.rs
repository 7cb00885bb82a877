//! Parameters that carry their limits, so that every face meets the same ones.
//!
//! The command line parses them with `FromStr`, JSON through `serde`, and both end in the same
//! check; the schema states it too.

use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

use giulia_engine::{NodeName, Pattern, Subject};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A time span between two limits, written `500ms`, `1.5s`, `2m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span<const MIN_MS: u64, const MAX_MS: u64>(Duration);

/// What a measured window may last. Below 100 ms the round trips weigh more than the window;
/// above ten minutes a session is the better question.
pub type Window = Span<100, 600_000>;

/// A number between two limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Count<const MIN: u32, const MAX: u32>(u32);

/// Rows of a ranking. A thousand rows of details are a reply of about 200 KB, which still
/// leaves the connection's ticks alone.
pub type Top = Count<1, 1000>;

/// Looks a second. The target's timers know whole milliseconds, and a wakeup takes a tenth of one.
pub type Rate = Count<1, 500>;

/// Functions: `Shop.Cart`, `Shop.*`, `Shop.Cart.add/2`, `lists:map`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PatternArg(Pattern);

/// A group of processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GroupArg(String);

/// Longest name of a group, in bytes: an initial call of two atoms of 255 characters of four bytes.
const GROUP_BYTES_MAX: usize = 2100;
/// Longest pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 1024;

/// A node's name: `shop@db1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeArg(String);

/// A host's name or address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostArg(String);

/// A process: a pid or a registered name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProcessArg(Subject);

/// Longest text that means a process: an atom of 255 characters of four bytes, quoted.
const PROCESS_BYTES_MAX: usize = 1022;
/// A session: its name, the beginning of its name, or `last`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionArg(String);

/// An ETS table: the name that it was made with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TableArg(String);

/// Longest name of an atom, in bytes: 255 characters of four.
const TABLE_BYTES_MAX: usize = 1020;

/// Longest name of a session, in bytes: it becomes part of file names, which end at 255.
const SESSION_BYTES_MAX: usize = 128;

/// Longest host name that DNS allows, in bytes (RFC 1035, 2.3.4).
const HOST_BYTES_MAX: usize = 253;

impl<const MIN_MS: u64, const MAX_MS: u64> Span<MIN_MS, MAX_MS> {
    /// As a plain duration.
    pub fn get(self) -> Duration {
        self.0
    }

    /// A span that a compiler could not check; out of range it takes the nearest limit.
    /// This, or the limit that it is beyond.
    pub fn clamped(span: Duration) -> Self {
        Self(span.clamp(Duration::from_millis(MIN_MS), Duration::from_millis(MAX_MS)))
    }

    fn limits() -> String {
        format!(
            "{} to {}",
            shown(Duration::from_millis(MIN_MS)),
            shown(Duration::from_millis(MAX_MS))
        )
    }
}

impl<const MIN_MS: u64, const MAX_MS: u64> FromStr for Span<MIN_MS, MAX_MS> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is not a time span of {}; write e.g. 500ms, 1.5s or 2m",
                Self::limits()
            )
        };
        let digits = text.trim_end_matches(|it: char| it.is_ascii_alphabetic());
        let unit_ms = match text.get(digits.len()..) {
            Some("ms") => 1.0,
            Some("s") => 1000.0,
            Some("m") => 60_000.0,
            Some("h") => 3_600_000.0,
            Some(_) | None => return Err(wrong()),
        };
        let plain = digits.chars().all(|it| it.is_ascii_digit() || it == '.');
        let amount: f64 = digits.parse().ok().filter(|_| plain).ok_or_else(wrong)?;
        let span = Duration::try_from_secs_f64(amount * unit_ms / 1000.0).map_err(|_| wrong())?;
        let limits = Duration::from_millis(MIN_MS)..=Duration::from_millis(MAX_MS);
        if limits.contains(&span) { Ok(Self(span)) } else { Err(wrong()) }
    }
}

impl<const MIN_MS: u64, const MAX_MS: u64> TryFrom<String> for Span<MIN_MS, MAX_MS> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl<const MIN_MS: u64, const MAX_MS: u64> From<Span<MIN_MS, MAX_MS>> for String {
    fn from(span: Span<MIN_MS, MAX_MS>) -> Self {
        shown(span.0)
    }
}

impl<const MIN_MS: u64, const MAX_MS: u64> fmt::Display for Span<MIN_MS, MAX_MS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(self.0))
    }
}

impl<const MIN_MS: u64, const MAX_MS: u64> JsonSchema for Span<MIN_MS, MAX_MS> {
    fn schema_name() -> Cow<'static, str> {
        format!("Span_{MIN_MS}_to_{MAX_MS}_ms").into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^[0-9]+(\.[0-9]+)?(ms|s|m|h)$",
            "description": format!("A time span of {}, e.g. `1.5s`.", Self::limits()),
        })
    }
}

impl<const MIN: u32, const MAX: u32> Count<MIN, MAX> {
    /// A number that a compiler could not check; out of range it takes the nearest limit.
    pub fn clamped(number: u32) -> Self {
        Self(number.clamp(MIN, MAX))
    }

    /// As an index type.
    pub fn get(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl<const MIN: u32, const MAX: u32> TryFrom<u32> for Count<MIN, MAX> {
    type Error = String;

    fn try_from(number: u32) -> Result<Self, String> {
        if (MIN..=MAX).contains(&number) {
            return Ok(Self(number));
        }
        Err(format!("{number} is not between {MIN} and {MAX}"))
    }
}

impl<const MIN: u32, const MAX: u32> From<Count<MIN, MAX>> for u32 {
    fn from(count: Count<MIN, MAX>) -> Self {
        count.0
    }
}

impl<const MIN: u32, const MAX: u32> FromStr for Count<MIN, MAX> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse::<u32>()
            .map_err(|_| format!("`{text}` is not a whole number between {MIN} and {MAX}"))?
            .try_into()
    }
}

impl<const MIN: u32, const MAX: u32> fmt::Display for Count<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<const MIN: u32, const MAX: u32> JsonSchema for Count<MIN, MAX> {
    fn schema_name() -> Cow<'static, str> {
        format!("Count_{MIN}_to_{MAX}").into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "minimum": MIN, "maximum": MAX})
    }
}

impl NodeArg {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NodeArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<NodeName>() {
            Ok(name) => Ok(Self(name.to_string())),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl TryFrom<String> for NodeArg {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<NodeArg> for String {
    fn from(node: NodeArg) -> Self {
        node.0
    }
}

impl JsonSchema for NodeArg {
    fn schema_name() -> Cow<'static, str> {
        "NodeArg".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": r"^[^@\s]+@[^@\s]+$", "maxLength": 255})
    }
}

impl ProcessArg {
    /// Which process.
    pub fn get(self) -> Subject {
        self.0
    }
}

impl FromStr for ProcessArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|error: giulia_engine::NotASubject| error.to_string())
    }
}

impl TryFrom<String> for ProcessArg {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<ProcessArg> for String {
    fn from(process: ProcessArg) -> Self {
        process.0.to_string()
    }
}

impl JsonSchema for ProcessArg {
    fn schema_name() -> Cow<'static, str> {
        "ProcessArg".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 1, "maxLength": PROCESS_BYTES_MAX})
    }
}

impl PatternArg {
    /// Which functions.
    pub fn get(self) -> Pattern {
        self.0
    }
}

impl FromStr for PatternArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|error: giulia_engine::NotAPattern| error.to_string())
    }
}

impl TryFrom<String> for PatternArg {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<PatternArg> for String {
    fn from(pattern: PatternArg) -> Self {
        pattern.0.to_string()
    }
}

impl JsonSchema for PatternArg {
    fn schema_name() -> Cow<'static, str> {
        "PatternArg".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 1, "maxLength": PATTERN_BYTES_MAX})
    }
}

impl FromStr for GroupArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.len() > GROUP_BYTES_MAX {
            return Err(format!("a group's name has 1 to {GROUP_BYTES_MAX} bytes"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for GroupArg {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<GroupArg> for String {
    fn from(group: GroupArg) -> Self {
        group.0
    }
}

impl JsonSchema for GroupArg {
    fn schema_name() -> Cow<'static, str> {
        "GroupArg".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 1, "maxLength": GROUP_BYTES_MAX})
    }
}

impl HostArg {
    /// The host.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for HostArg {
    fn default() -> Self {
        Self("localhost".to_owned())
    }
}

impl fmt::Display for HostArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for HostArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.len() > HOST_BYTES_MAX {
            return Err(format!("a host has 1 to {HOST_BYTES_MAX} bytes"));
        }
        if let Some((_, host)) = text.split_once('@') {
            return Err(format!("`{text}` is a node, not a host; try `giulia nodes {host}`"));
        }
        if text.chars().any(|it| it.is_whitespace() || it.is_control() || it == '/') {
            return Err(format!("`{text}` is not a host; write e.g. db1, 10.0.0.7 or ::1"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for HostArg {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<HostArg> for String {
    fn from(host: HostArg) -> Self {
        host.0
    }
}

impl JsonSchema for HostArg {
    fn schema_name() -> Cow<'static, str> {
        "HostArg".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^[^@\s/]+$",
            "minLength": 1,
            "maxLength": HOST_BYTES_MAX,
        })
    }
}

impl SessionArg {
    /// What was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for SessionArg {
    fn default() -> Self {
        Self("last".to_owned())
    }
}

impl fmt::Display for SessionArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SessionArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fits = (1..=SESSION_BYTES_MAX).contains(&text.len());
        if !fits || text.chars().any(char::is_control) {
            return Err(format!(
                "a session's name has 1 to {SESSION_BYTES_MAX} bytes, all printable"
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for SessionArg {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<SessionArg> for String {
    fn from(session: SessionArg) -> Self {
        session.0
    }
}

impl JsonSchema for SessionArg {
    fn schema_name() -> Cow<'static, str> {
        "SessionArg".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 1, "maxLength": SESSION_BYTES_MAX})
    }
}

impl TableArg {
    /// What was written, without a colon in front.
    pub fn get(self) -> String {
        self.0
    }
}

impl FromStr for TableArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.strip_prefix(':').unwrap_or(text);
        let fits = (1..=TABLE_BYTES_MAX).contains(&name.len());
        if !fits || name.chars().any(char::is_control) {
            return Err("a table's name has 1 to 255 characters, all printable".to_owned());
        }
        Ok(Self(name.to_owned()))
    }
}

impl TryFrom<String> for TableArg {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<TableArg> for String {
    fn from(table: TableArg) -> Self {
        table.0
    }
}

impl JsonSchema for TableArg {
    fn schema_name() -> Cow<'static, str> {
        "TableArg".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 1, "maxLength": TABLE_BYTES_MAX})
    }
}

/// In the largest unit that leaves a whole number.
fn shown(span: Duration) -> String {
    let ms = span.as_millis();
    if ms > 0 && ms.is_multiple_of(3_600_000) {
        format!("{}h", ms / 3_600_000)
    } else if ms > 0 && ms.is_multiple_of(60_000) {
        format!("{}m", ms / 60_000)
    } else if ms > 0 && ms.is_multiple_of(1000) {
        format!("{}s", ms / 1000)
    } else {
        format!("{ms}ms")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_in_three_units_and_never_without_one() {
        let ms = |text: &str| text.parse::<Window>().map(|it| it.get().as_millis());
        assert_eq!(ms("100ms"), Ok(100));
        assert_eq!(ms("1.5s"), Ok(1500));
        assert_eq!(ms("10m"), Ok(600_000));
        for wrong in ["", "1", "s", "1h", "-1s", "1e3s", "NaNs", "infs", "99ms", "601s", "1..5s"] {
            assert!(ms(wrong).is_err(), "{wrong} was taken");
        }
    }

    #[test]
    fn a_span_is_written_as_it_is_read() {
        for text in ["100ms", "1500ms", "2s", "10m"] {
            assert_eq!(text.parse::<Window>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_node_given_as_a_host_is_told_what_to_type() {
        let error = "shop@db1".parse::<HostArg>().unwrap_err();
        assert!(error.ends_with("try `giulia nodes db1`"), "{error}");
        assert!("http://db1/".parse::<HostArg>().is_err());
        assert!("::1".parse::<HostArg>().is_ok());
    }
}
