//! Totals and windows: a cumulative figure knows when it began and what it did in the window.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The time that windowed figures cover.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Window {
    /// Measured on the target between its two samples, in milliseconds.
    pub elapsed_ms: f64,
}

/// A figure that only grows while the node runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Counter {
    /// Since the node started.
    pub since_start: u64,
    /// Added during the window; absent without a window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_window: Option<u64>,
}

impl Counter {
    /// What the window added, by the second; absent without a window.
    pub fn per_second(&self, window: Option<Window>) -> Option<f64> {
        let window = window.filter(|it| it.elapsed_ms > 0.0)?;
        #[expect(clippy::cast_precision_loss, reason = "a rate is shown to three digits")]
        self.in_window.map(|added| added as f64 * 1000.0 / window.elapsed_ms)
    }
}
