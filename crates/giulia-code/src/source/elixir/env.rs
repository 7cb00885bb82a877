//! What aliases, imports and uses are in force where: each entry knows the one before it.
//!
//! A reference keeps the number of the last entry before it. A block begins with the entries
//! around it and what it adds ends with it.

use super::super::names::{Name, Names};

/// The lexical scopes of a file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scopes {
    entries: Vec<Entry>,
    /// Names of `only:` and `except:`, with arities.
    listed: Vec<(Name, u8)>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    before: u32,
    what: Entered,
}

/// What comes into force.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Entered {
    /// The first part of an alias, as `KV`, and the atom it stands for.
    Alias(Name, Name),
    /// An import of a module.
    Import(Name, Selection),
    /// The module of a router's scope.
    Scope(Name),
    /// A `use` of a module; its option when that is an atom, as `:controller`.
    Use(Name, Option<Name>),
}

/// Which functions an import brings.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Selection {
    All,
    Functions,
    Macros,
    /// `only:` these places of [`Scopes::listed`].
    Only(u32, u32),
    Except(u32, u32),
}

/// The longest way back that is looked at: a file of Phoenix routes has some hundred.
const ENTRIES_SEEN_MAX: usize = 1_000;

/// The longest atom of a VM.
pub(super) const ATOM_CHARS_MAX: usize = 255;

impl Scopes {
    /// Adds an entry after another: its number, which begins with 1.
    pub(super) fn add(&mut self, before: u32, what: Entered) -> u32 {
        self.entries.push(Entry { before, what });
        u32::try_from(self.entries.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn list(&mut self, listed: impl Iterator<Item = (Name, u8)>) -> (u32, u32) {
        let from = u32::try_from(self.listed.len()).unwrap_or(u32::MAX);
        self.listed.extend(listed);
        (from, u32::try_from(self.listed.len()).unwrap_or(u32::MAX))
    }

    pub(crate) fn listed(&self, from: u32, to: u32) -> &[(Name, u8)] {
        self.listed.get(from as usize..to as usize).unwrap_or_default()
    }

    /// What is in force, the last first.
    pub(crate) fn in_force(&self, scope: u32) -> impl Iterator<Item = Entered> {
        let entry = |number: u32| self.entries.get(number.checked_sub(1)? as usize);
        std::iter::successors(entry(scope), move |it| entry(it.before))
            .map(|it| it.what)
            .take(ENTRIES_SEEN_MAX)
    }

    /// Every name that an import or `use` names.
    pub(crate) fn names(&self) -> impl Iterator<Item = Name> {
        let entered = self.entries.iter().flat_map(|it| match it.what {
            Entered::Alias(..) | Entered::Scope(_) => [None, None],
            Entered::Import(module, _) => [Some(module), None],
            Entered::Use(module, option) => [Some(module), option],
        });
        entered.flatten().chain(self.listed.iter().map(|it| it.0))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What comes into force directly after an entry.
    pub(crate) fn after(&self, scope: u32) -> impl Iterator<Item = Entered> {
        // A directive enters what it says right after it is noted.
        let entries = self.entries.iter().skip(scope as usize);
        entries.filter(move |it| it.before == scope).map(|it| it.what)
    }

    /// The atom of an alias as it is written.
    pub(super) fn expand(&self, scope: u32, written: &str, names: &mut Names) -> Name {
        let clean;
        let mut written = written;
        if written.contains(|it: char| it.is_whitespace()) {
            clean = written.split_whitespace().collect::<String>();
            written = &clean;
        }
        if written == "Elixir" || written.starts_with("Elixir.") {
            return names.add(written);
        }
        let (first, rest) = written.split_once('.').unwrap_or((written, ""));
        let first_name = names.find(first);
        let full = self.in_force(scope).find_map(|it| match it {
            Entered::Alias(from, to) if Some(from) == first_name => Some(to),
            _ => None,
        });
        let Some(full) = full else { return names.add(&format!("Elixir.{written}")) };
        if rest.is_empty() {
            return full;
        }
        let text = format!("{}.{rest}", names.get(full));
        // Such an atom is none; and names that grow with each alias would fill the memory.
        if text.len() > ATOM_CHARS_MAX * 4 {
            return names.add(first);
        }
        names.add(&text)
    }
}
