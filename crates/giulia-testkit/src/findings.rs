//! What an answer of `giulia check --json` says, by keys, as a stranger would read it.

use serde_json::Value;

/// A text of a finding; empty where it has none.
pub fn text<'a>(finding: &'a Value, key: &str) -> &'a str {
    finding.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Whether a part of a name is that of a culprit.
pub fn names(finding: &Value, part: &str) -> bool {
    let culprits = finding.get("culprits").and_then(Value::as_array);
    culprits.into_iter().flatten().any(|it| text(it, "name").contains(part))
}

/// Its outcome with what it says, for a line of output.
pub fn said(finding: &Value) -> String {
    let [outcome, title, why] = ["outcome", "title", "why"].map(|it| text(finding, it));
    format!("{outcome} `{title}` ({why})")
}
