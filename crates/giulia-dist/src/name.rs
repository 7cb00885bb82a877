//! Node names: `name@host`, and what the host part says about long and short names.

use std::{fmt, str::FromStr};

use crate::{Error, ErrorKind};

/// A node's name: `shop@db1.example.com`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeName {
    full: String,
    at: usize,
}

/// Whether a node was started with `-name` or with `-sname`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameMode {
    /// `-name`: the host part has a dot.
    Long,
    /// `-sname`: the host part has none.
    Short,
}

impl NodeName {
    /// The part before the `@`, which EPMD knows.
    pub fn alive(&self) -> &str {
        self.full.get(..self.at).unwrap_or_default()
    }

    /// The part after the `@`.
    pub fn host(&self) -> &str {
        self.full.get(self.at + 1..).unwrap_or_default()
    }

    /// The whole name, which is also the node's atom.
    pub fn as_str(&self) -> &str {
        &self.full
    }

    /// Long with a dot (or a colon, for IPv6) in the host part; OTP's own rule.
    pub fn mode(&self) -> NameMode {
        if self.host().contains(['.', ':']) { NameMode::Long } else { NameMode::Short }
    }
}

impl FromStr for NodeName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let invalid = |why: &str| {
            Err(Error::new(
                ErrorKind::InvalidName,
                format!(
                    "`{text}` is not a node name: {why}; write NAME@HOST, as `node()` prints it on the target"
                ),
            ))
        };
        let Some(at) = text.find('@') else { return invalid("it has no `@`") };
        let (alive, host) =
            (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default());
        if alive.is_empty() || host.is_empty() {
            return invalid("a part around the `@` is empty");
        }
        if host.contains('@') {
            return invalid("it has two `@`");
        }
        if text.chars().count() > 255 {
            return invalid("an atom holds 255 characters");
        }
        if text.chars().any(|it| it.is_control() || it.is_whitespace()) {
            return invalid("it has a space or a control character");
        }
        Ok(Self { full: text.to_owned(), at })
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_in_the_host_means_long_names() {
        let mode = |text: &str| text.parse::<NodeName>().unwrap().mode();
        assert_eq!(mode("shop@db1"), NameMode::Short);
        assert_eq!(mode("shop@localhost"), NameMode::Short);
        assert_eq!(mode("shop@127.0.0.1"), NameMode::Long);
        assert_eq!(mode("shop@db1.example.com"), NameMode::Long);
        assert_eq!(mode("shop@::1"), NameMode::Long);
    }

    #[test]
    fn a_name_without_its_parts_says_which_is_missing() {
        for (text, why) in [
            ("shop", "no `@`"),
            ("@host", "empty"),
            ("shop@", "empty"),
            ("a@b@c", "two `@`"),
            ("sh op@host", "space"),
        ] {
            let error = text.parse::<NodeName>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidName);
            assert!(error.to_string().contains(why), "{text}: {error}");
        }
    }
}
