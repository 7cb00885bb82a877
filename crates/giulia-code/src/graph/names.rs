//! Names, each once and by a number: one text, where each ends, and a table to find it again.

use std::hash::BuildHasher;

use hashbrown::DefaultHashBuilder;

/// The number of a name; 0 is the empty one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(crate) struct Sym(pub(crate) u32);

impl Sym {
    /// No name.
    pub(crate) const NONE: Self = Self(0);

    pub(crate) fn index(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// Names by number and numbers by name.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    text: String,
    // Where the name of each number ends.
    ends: Vec<u32>,
    slots: Slots,
    hasher: DefaultHashBuilder,
}

impl Default for Names {
    fn default() -> Self {
        let mut names = Self {
            text: String::new(),
            ends: Vec::new(),
            slots: Slots::default(),
            hasher: DefaultHashBuilder::default(),
        };
        names.number("");
        names
    }
}

impl Names {
    /// The number of a name, a new one if it is new. Above 4 GB of names all are the empty one.
    pub(crate) fn number(&mut self, name: &str) -> Sym {
        let hash = self.hasher.hash_one(name);
        if let Some(found) = self.slots.find(hash, |it| self.text(Sym(it)) == name) {
            return Sym(found);
        }
        let end = self.text.len().checked_add(name.len()).and_then(|it| u32::try_from(it).ok());
        let (Some(end), Ok(number)) = (end, u32::try_from(self.ends.len())) else {
            return Sym::NONE;
        };
        self.text.push_str(name);
        self.ends.push(end);
        let (text, ends, hasher) = (&self.text, &self.ends, &self.hasher);
        self.slots.insert(hash, number, |it| hasher.hash_one(text_of(text, ends, Sym(it))));
        Sym(number)
    }

    /// The number of a name that is there.
    pub(crate) fn find(&self, name: &str) -> Option<Sym> {
        self.slots.find(self.hasher.hash_one(name), |it| self.text(Sym(it)) == name).map(Sym)
    }

    /// The name of a number.
    pub(crate) fn text(&self, number: Sym) -> &str {
        text_of(&self.text, &self.ends, number)
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Gives back what was taken ahead.
    pub(crate) fn shrink(&mut self) {
        self.text.shrink_to_fit();
        self.ends.shrink_to_fit();
    }
}

fn text_of<'t>(text: &'t str, ends: &[u32], number: Sym) -> &'t str {
    let place = |it: usize| ends.get(it).and_then(|it| usize::try_from(*it).ok());
    let start = number.index().checked_sub(1).map_or(Some(0), place);
    let range = start.zip(place(number.index()));
    range.and_then(|(start, end)| text.get(start..end)).unwrap_or_default()
}

/// Numbers by hash: open addressing, the number 0 of a slot means none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Slots {
    slots: Vec<u32>,
    len: usize,
}

impl Slots {
    pub(crate) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let mut place = self.place(hash)?;
        // There is always a free slot, so this ends.
        loop {
            let number = self.slots.get(place).copied()?.checked_sub(1)?;
            if is_it(number) {
                return Some(number);
            }
            place = (place + 1) & (self.slots.len() - 1);
        }
    }

    /// Adds a number that is not there yet; `hash_of` gives the hashes of the others.
    pub(crate) fn insert(&mut self, hash: u64, number: u32, hash_of: impl Fn(u32) -> u64) {
        if self.len * 4 >= self.slots.len() * 3 {
            let size = (self.slots.len() * 2).max(16);
            let old = std::mem::replace(&mut self.slots, vec![0; size]);
            for number in old.into_iter().filter_map(|it| it.checked_sub(1)) {
                self.put(hash_of(number), number);
            }
        }
        self.put(hash, number);
        self.len += 1;
    }

    fn put(&mut self, hash: u64, number: u32) {
        let Some(mut place) = self.place(hash) else { return };
        while self.slots.get(place).is_some_and(|it| *it != 0) {
            place = (place + 1) & (self.slots.len() - 1);
        }
        if let Some(slot) = self.slots.get_mut(place) {
            *slot = number.saturating_add(1);
        }
    }

    /// The first slot of a hash; the number of slots is a power of two.
    fn place(&self, hash: u64) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        Some(usize::try_from(hash & u64::try_from(mask).ok()?).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_number() {
        let mut names = Names::default();
        let numbers: Vec<Sym> = (0..1_000).map(|it| names.number(&format!("name {it}"))).collect();
        assert_eq!(names.number(""), Sym::NONE);
        for (idx, number) in numbers.iter().enumerate() {
            assert_eq!(names.text(*number), format!("name {idx}"));
            assert_eq!(names.find(&format!("name {idx}")), Some(*number));
        }
        assert_eq!((names.len(), names.find("name"), names.text(Sym(9_999))), (1_001, None, ""));
    }
}
