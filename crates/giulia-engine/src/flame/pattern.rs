//! Which functions a stack must have, in Elixir's or Erlang's writing.

use std::{fmt, str::FromStr};

use giulia_model::Mfa;

/// A module, a function or a family of them: `Shop.Cart`, `Shop.*`, `Shop.Cart.add/2`, `lists:map`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    written: String,
    /// With a point before the function and without quotes.
    plain: String,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotAPattern(String);

/// Longest pattern, in bytes: a module and a function of 255 characters each.
const BYTES_MAX: usize = 1024;

impl Pattern {
    /// Whether a function is meant.
    pub fn matches(&self, it: &Mfa) -> bool {
        let module = it.module.strip_prefix("Elixir.").unwrap_or(&it.module);
        let function = format!("{module}.{}", it.function);
        let with_arity = format!("{function}/{}", it.arity);
        [module, &function, &with_arity].iter().any(|it| is_like(&self.plain, it))
    }
}

impl FromStr for Pattern {
    type Err = NotAPattern;

    fn from_str(text: &str) -> Result<Self, NotAPattern> {
        if text.is_empty() || text.len() > BYTES_MAX || text.chars().any(char::is_control) {
            return Err(NotAPattern(format!(
                "a pattern has 1 to {BYTES_MAX} bytes, all printable"
            )));
        }
        if text.starts_with("app:") {
            return Err(NotAPattern(
                "stacks know no applications; name their modules, e.g. `Shop.*`".to_owned(),
            ));
        }
        let plain: String = text.chars().filter(|it| *it != '\'').collect();
        let plain = plain.replacen(':', ".", 1);
        let plain = plain.strip_prefix("Elixir.").unwrap_or(&plain).to_owned();
        Ok(Self { written: text.to_owned(), plain })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// Whether a text is like a pattern in which `*` stands for anything.
fn is_like(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|it| text.strip_prefix(it)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_and_families_are_understood() {
        let add = Mfa::new("Elixir.Shop.Cart", "add", 2);
        let map = Mfa::new("lists", "map", 2);
        for (pattern, of_add, of_map) in [
            ("Shop.Cart", true, false),
            ("Shop.Cart.add", true, false),
            ("Shop.Cart.add/2", true, false),
            ("Shop.Cart.add/3", false, false),
            ("'Elixir.Shop.Cart':add/2", true, false),
            ("Shop.*", true, false),
            ("Shop*", true, false),
            ("*.add", true, false),
            ("Shop", false, false),
            ("lists:map", false, true),
            ("lists:map/2", false, true),
            ("lists", false, true),
            ("l*s.m*/2", false, true),
            ("*", true, true),
            ("map", false, false),
        ] {
            let it: Pattern = pattern.parse().unwrap();
            assert_eq!((it.matches(&add), it.matches(&map)), (of_add, of_map), "{pattern}");
        }
        assert!("app:shop".parse::<Pattern>().is_err());
        assert!("".parse::<Pattern>().is_err());
    }
}
