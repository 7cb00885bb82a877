//! Where in the source an instruction came from.

use std::borrow::Cow;

use super::{
    bytes::Bytes,
    operand::{LINE_FILE, LINE_NUMBER, operand_number},
};
use crate::problem::{Problem, ProblemKind};

/// The line table of a module.
#[derive(Debug, Clone, Default)]
pub struct Lines<'a> {
    // Location 1 is the first.
    entries: Vec<Entry>,
    // File 1 is the first; file 0 is the module's own source.
    files: Vec<Cow<'a, str>>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    file: u32,
    line: u32,
}

impl<'a> Lines<'a> {
    /// Reads the line chunk.
    pub(super) fn read(chunk: &'a [u8]) -> Result<Self, Problem> {
        let mut bytes = Bytes::new("Line", chunk);
        if bytes.u32()? != 0 {
            return Err(bytes.problem(ProblemKind::Value, "another version of the line table"));
        }
        // Flags, and how many line instructions the code has.
        bytes.take(8)?;
        let n_lines = bytes.count(1)?;
        let n_files = bytes.count(0)?;
        let mut entries = Vec::with_capacity(n_lines);
        let mut file = 0;
        while entries.len() < n_lines {
            let (tag, number) = operand_number(&mut bytes)?;
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            match tag {
                LINE_FILE => file = number,
                LINE_NUMBER => entries.push(Entry { file, line: number }),
                _ => return Err(bytes.problem(ProblemKind::Value, "neither a line nor a file")),
            }
        }
        let mut files = Vec::with_capacity(bytes.covered(n_files, 2)?);
        for _ in 0..n_files {
            let len = usize::from(bytes.u16()?);
            files.push(String::from_utf8_lossy(bytes.take(len)?));
        }
        Ok(Self { entries, files })
    }

    /// The file and the line of a call's location; without a file it is the module's own source.
    pub fn at(&self, location: u32) -> Option<(Option<&str>, u32)> {
        let nth = |number: u32| usize::try_from(number).ok().and_then(|it| it.checked_sub(1));
        let entry = self.entries.get(nth(location)?)?;
        let file = nth(entry.file).and_then(|it| self.files.get(it));
        Some((file.map(|it| &**it), entry.line))
    }
}
