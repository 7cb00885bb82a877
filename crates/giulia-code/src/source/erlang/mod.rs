//! Erlang as it is written: forms, with headers and macros done, to facts.
//!
//! An own tokenizer, preprocessor and reader of forms instead of tree-sitter's grammar, because
//! that one reads what stands in the file and not what the compiler sees: `?LOG_INFO(..)` is no
//! call to it, `-ifdef` has both branches, a record's default is elsewhere. (Figures in
//! `docs/evidence/05-code.md`.) Nothing is compiled or run; parse transforms are therefore a
//! problem that is said, but for those whose effect is known.
//!
//! The way of a file: [`lex`] makes tokens of one form, [`preprocess`] expands it, [`body`] reads
//! functions and [`attributes`] the rest, [`module`] knows whose function a name is.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a token of any other kind means nothing in most places, and new ones are no exception"
)]

mod attributes;
mod bifs;
mod body;
mod builtin;
mod calls;
mod condition;
mod found;
mod lex;
mod macros;
mod module;
mod preprocess;

use std::{borrow::Cow, sync::Arc};

use super::{Language, SourceFacts, SourceProblem};

/// Bytes of one file: one with a line of 100 MB is read, and more than this nobody writes.
const FILE_BYTES_MAX: usize = 256 << 20;

/// A header that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// By which it is told from others; includes within it are looked up beside it.
    pub path: String,
    /// What is in it.
    pub bytes: Arc<[u8]>,
}

/// Where headers come from: whoever owns the disk says so.
pub trait Headers {
    /// What `-include(name)` in the file of this path means.
    fn include(&self, from: &str, name: &str) -> Option<Header>;
    /// What `-include_lib(name)` in the file of this path means.
    fn include_lib(&self, from: &str, name: &str) -> Option<Header>;
}

/// No header is there.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHeaders;

impl Headers for NoHeaders {
    fn include(&self, _: &str, _: &str) -> Option<Header> {
        None
    }

    fn include_lib(&self, _: &str, _: &str) -> Option<Header> {
        None
    }
}

/// What the compiler would be told beside the file.
#[derive(Debug, Clone, Copy)]
pub struct Options<'o> {
    /// What `?OTP_RELEASE` is.
    pub otp_release: u32,
    /// Macros by name, each with its tokens: those of `-D`.
    pub defines: &'o [(&'o str, &'o str)],
}

impl Options<'_> {
    /// The release that is assumed where nobody says another; the newest that is known.
    pub const OTP_RELEASE: u32 = 29;

    /// Nothing is told.
    pub const NONE: Self = Self { otp_release: Self::OTP_RELEASE, defines: &[] };
}

/// Reads a file of Erlang; its path is used for its name and to look up headers.
pub fn facts(
    path: &str,
    bytes: &[u8],
    headers: &dyn Headers,
    options: &Options<'_>,
) -> SourceFacts {
    if bytes.len() > FILE_BYTES_MAX {
        let text = format!("{} bytes, and at most {FILE_BYTES_MAX} are read", bytes.len());
        let problems = vec![SourceProblem { line: 0, text }];
        return SourceFacts { language: Language::Erlang, problems, ..SourceFacts::default() };
    }
    let (text, problem) = text(bytes);
    let mut facts = module::facts(path, text, headers, options);
    facts.problems.extend(problem);
    facts
}

/// Bytes as text: UTF-8 unless the first two lines say Latin-1, as `epp` has it.
fn text(bytes: &[u8]) -> (Cow<'_, str>, Option<SourceProblem>) {
    let latin1 = || Cow::Owned(bytes.iter().map(|it| char::from(*it)).collect());
    if says_latin1(bytes) {
        return (latin1(), None);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return (Cow::Borrowed(text), None);
    }
    let text = "not UTF-8, and no `coding` in its first two lines; it is read as Latin-1";
    (latin1(), Some(SourceProblem { line: 0, text: text.to_owned() }))
}

fn says_latin1(bytes: &[u8]) -> bool {
    // A line may be as long as the file.
    let start = bytes.get(..1_000).unwrap_or(bytes);
    start.split(|it| *it == b'\n').take(2).any(|line| {
        let line = String::from_utf8_lossy(line);
        let Some((_, rest)) = line.split_once("coding") else { return false };
        let rest = rest.strip_prefix([':', '=']).unwrap_or_default().trim_start();
        line.trim_start().starts_with('%') && rest.to_ascii_lowercase().starts_with("latin-1")
    })
}

#[cfg(test)]
mod tests;
