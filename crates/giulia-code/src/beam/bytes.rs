//! Bytes with a position: every read is checked against what is left.

use crate::problem::{Problem, ProblemKind};

/// What is left of a chunk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bytes<'a> {
    rest: &'a [u8],
    // For the text of a problem.
    chunk: &'static str,
    total: usize,
}

impl<'a> Bytes<'a> {
    pub(super) fn new(chunk: &'static str, bytes: &'a [u8]) -> Self {
        Self { rest: bytes, chunk, total: bytes.len() }
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    #[inline]
    pub(super) fn u8(&mut self) -> Result<u8, Problem> {
        self.array::<1>().map(|[it]| it)
    }

    #[inline]
    pub(super) fn u16(&mut self) -> Result<u16, Problem> {
        self.array().map(u16::from_be_bytes)
    }

    #[inline]
    pub(super) fn u32(&mut self) -> Result<u32, Problem> {
        self.array().map(u32::from_be_bytes)
    }

    #[inline]
    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], Problem> {
        let Some((head, rest)) = self.rest.split_at_checked(len) else {
            return Err(self.truncated());
        };
        self.rest = rest;
        Ok(head)
    }

    /// A count of things of at least so many bytes, refused when they cannot all be there.
    pub(super) fn count(&mut self, bytes_each: usize) -> Result<usize, Problem> {
        let count = usize::try_from(self.u32()?).unwrap_or(usize::MAX);
        self.covered(count, bytes_each)
    }

    /// The same for a count that was read already.
    pub(super) fn covered(&self, count: usize, bytes_each: usize) -> Result<usize, Problem> {
        if count.saturating_mul(bytes_each) > self.rest.len() {
            return Err(self.truncated());
        }
        Ok(count)
    }

    #[cold]
    pub(super) fn truncated(&self) -> Problem {
        self.problem(ProblemKind::Truncated, "ends before what it announces does")
    }

    #[cold]
    pub(super) fn problem(&self, kind: ProblemKind, text: &str) -> Problem {
        let at = self.total - self.rest.len();
        Problem::new(kind, format!("chunk {}, byte {at}: {text}", self.chunk))
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Problem> {
        let Some((head, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.truncated());
        };
        self.rest = rest;
        Ok(*head)
    }
}
