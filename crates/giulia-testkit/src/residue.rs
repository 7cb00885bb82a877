//! What a node looks like from inside, before and after giulia was there.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// What was in a node at one moment, by category.
///
/// Categories are those of `erl/kit_channel.erl`: `atoms`, `processes`, `ports`, `registered`,
/// `ets`, `modules`, `applications`, `nodes_visible`, `nodes_hidden`, `nodes_known`,
/// `persistent_terms`, `logger_handlers`, `logger_level`, `system_flags`, `trace_flags`,
/// `trace_patterns`, `trace_sessions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Residue {
    categories: BTreeMap<String, BTreeSet<String>>,
}

/// What two moments do not have in common, by category.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Difference {
    categories: BTreeMap<String, Change>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Change {
    gone: Vec<String>,
    new: Vec<String>,
}

impl Residue {
    pub(crate) fn parse(text: &str) -> Self {
        let mut categories: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for line in text.lines() {
            if let Some((category, value)) = line.split_once('\t') {
                categories.entry(category.to_owned()).or_default().insert(value.to_owned());
            }
        }
        Self { categories }
    }

    /// The values of one category.
    pub fn values(&self, category: &str) -> Vec<&str> {
        self.categories.get(category).into_iter().flatten().map(String::as_str).collect()
    }

    /// How many values a category has; for `atoms`, the number of atoms.
    pub fn count(&self, category: &str) -> usize {
        let values = self.values(category);
        match values.as_slice() {
            [only] => only.parse().unwrap_or(1),
            _ => values.len(),
        }
    }

    /// What changed from here to `after`.
    #[must_use]
    pub fn diff(&self, after: &Self) -> Difference {
        let empty = BTreeSet::new();
        let names: BTreeSet<&String> =
            self.categories.keys().chain(after.categories.keys()).collect();
        let mut categories = BTreeMap::new();
        for name in names {
            let old = self.categories.get(name).unwrap_or(&empty);
            let new = after.categories.get(name).unwrap_or(&empty);
            if old != new {
                let gone = old.difference(new).cloned().collect();
                let new = new.difference(old).cloned().collect();
                categories.insert(name.clone(), Change { gone, new });
            }
        }
        Difference { categories }
    }
}

impl Difference {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.categories.is_empty()
    }

    /// The same without some categories, which the test looks at by itself.
    #[must_use]
    pub fn without(mut self, categories: &[&str]) -> Self {
        self.categories.retain(|name, _| !categories.contains(&name.as_str()));
        self
    }

    /// What a category has now and had not before.
    pub fn new_in(&self, category: &str) -> &[String] {
        self.categories.get(category).map_or(&[], |it| &it.new)
    }

    /// What a category had before and has no more.
    pub fn gone_from(&self, category: &str) -> &[String] {
        self.categories.get(category).map_or(&[], |it| &it.gone)
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing changed");
        }
        for (name, change) in &self.categories {
            for value in &change.gone {
                writeln!(f, "{name}: - {value}")?;
            }
            for value in &change.new {
                writeln!(f, "{name}: + {value}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_what_came_and_went() {
        let before = Residue::parse("registered\tinit\nregistered\tlogger\natoms\t100\n");
        let after = Residue::parse("registered\tinit\nregistered\tspy\natoms\t102\nets\t{1,t}\n");
        let difference = before.diff(&after);
        assert_eq!(difference.new_in("registered"), ["spy"]);
        assert_eq!(difference.gone_from("registered"), ["logger"]);
        assert_eq!(difference.new_in("ets"), ["{1,t}"]);
        assert_eq!((before.count("atoms"), after.count("atoms")), (100, 102));
        let shown = difference.without(&["atoms", "ets"]).to_string();
        assert_eq!(shown, "registered: - logger\nregistered: + spy\n");
        assert!(before.diff(&before.clone()).is_empty());
    }
}
