//! The names of a file, each once: four bytes stand for one wherever it occurs.

use std::{fmt, hash::BuildHasher, num::NonZeroU32};

use hashbrown::{DefaultHashBuilder, HashTable};

/// A name: a place in the [`Names`] that gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(NonZeroU32);

/// Names one after the other in one text.
#[derive(Clone, Default)]
pub struct Names {
    text: String,
    /// Where each ends; it begins where the one before it ends.
    ends: Vec<u32>,
    places: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Names {
    /// The name of this text: the same for the same text. Beyond 4 GB of text all are empty.
    pub fn add(&mut self, text: &str) -> Name {
        let hash = self.hasher.hash_one(text);
        let (all, ends) = (&self.text, &self.ends);
        if let Some(place) = self.places.find(hash, |it| at(all, ends, *it) == text) {
            return name(*place);
        }
        let place = u32::try_from(self.ends.len()).unwrap_or(u32::MAX - 1);
        let Ok(end) = u32::try_from(self.text.len().saturating_add(text.len())) else {
            return name(u32::MAX - 1);
        };
        self.text.push_str(text);
        self.ends.push(end);
        let (all, ends, hasher) = (&self.text, &self.ends, &self.hasher);
        self.places.insert_unique(hash, place, |it| hasher.hash_one(at(all, ends, *it)));
        name(place)
    }

    /// The name of this text, when there is one.
    pub fn find(&self, text: &str) -> Option<Name> {
        let hash = self.hasher.hash_one(text);
        self.places.find(hash, |it| at(&self.text, &self.ends, *it) == text).map(|it| name(*it))
    }

    /// The text of a name; that of another file's is any or none.
    pub fn get(&self, name: Name) -> &str {
        at(&self.text, &self.ends, name.0.get() - 1)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (Name, &str)> {
        (0..).zip(&self.ends).map(|(it, _)| (name(it), at(&self.text, &self.ends, it)))
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(_, text)| text)).finish()
    }
}

fn name(place: u32) -> Name {
    Name(NonZeroU32::MIN.saturating_add(place))
}

fn at<'a>(text: &'a str, ends: &[u32], place: u32) -> &'a str {
    let place = place as usize;
    let Some(end) = ends.get(place) else { return "" };
    let start = place.checked_sub(1).and_then(|it| ends.get(it)).copied().unwrap_or(0);
    text.get(start as usize..*end as usize).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Names;

    #[test]
    fn a_text_has_one_name() {
        let mut names = Names::default();
        let texts = ["Elixir.Enum", "", "map", "Elixir.Enum", "ma"];
        let given = texts.map(|it| names.add(it));
        assert_eq!((given[0], names.len()), (given[3], 4));
        assert_eq!(given.map(|it| names.get(it)), texts);
        assert_eq!((names.find("map"), names.find("p")), (Some(given[2]), None));
    }
}
