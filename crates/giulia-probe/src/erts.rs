//! The version that VM bugs are told by: that of ERTS, not of the OTP release.

use std::{cmp::Ordering, fmt, str::FromStr};

/// An ERTS version: `13.2.2.4`. Missing parts count as 0.
#[derive(Debug, Clone)]
pub struct ErtsVersion {
    parts: Vec<u32>,
    text: String,
}

/// Text that is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an ERTS version")]
pub struct NotAVersion(String);

impl ErtsVersion {
    /// At or after a version that is written down here.
    pub fn at_least(&self, parts: &[u32]) -> bool {
        compare(&self.parts, parts) != Ordering::Less
    }

    /// From `from` on, and before `until`.
    pub fn within(&self, from: &[u32], until: &[u32]) -> bool {
        self.at_least(from) && !self.at_least(until)
    }
}

impl FromStr for ErtsVersion {
    type Err = NotAVersion;

    /// Reads `15.2.7`; what follows a dash (`17.0-rc1`) is left out of comparisons.
    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let numbers = text.split(['-', '+']).next().unwrap_or_default();
        let parts = numbers.split('.').map(str::parse).collect::<Result<Vec<u32>, _>>();
        match parts {
            Ok(parts) => Ok(Self { parts, text: text.to_owned() }),
            Err(_) => Err(NotAVersion(text.chars().take(80).collect())),
        }
    }
}

impl PartialEq for ErtsVersion {
    fn eq(&self, other: &Self) -> bool {
        compare(&self.parts, &other.parts) == Ordering::Equal
    }
}

impl Eq for ErtsVersion {}

impl fmt::Display for ErtsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn compare(left: &[u32], right: &[u32]) -> Ordering {
    let length = left.len().max(right.len());
    let part = |of: &[u32], idx: usize| of.get(idx).copied().unwrap_or_default();
    (0..length)
        .map(|idx| part(left, idx).cmp(&part(right, idx)))
        .find(|it| it.is_ne())
        .unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number_and_not_by_text() {
        let version: ErtsVersion = "13.2.2.10".parse().unwrap();
        assert!(version.at_least(&[13, 2, 2, 9]));
        assert!(version.at_least(&[13, 2, 2, 10]));
        assert!(!version.at_least(&[13, 2, 2, 11]));
        assert!(!version.at_least(&[13, 3]));
        assert!("14.2".parse::<ErtsVersion>().unwrap().at_least(&[14, 2, 0]));
        assert!("17.0-rc1".parse::<ErtsVersion>().unwrap().at_least(&[17]));
        assert!("".parse::<ErtsVersion>().is_err());
        assert!("15.x".parse::<ErtsVersion>().is_err());
    }
}
