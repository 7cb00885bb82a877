//! The documentation chunk: <https://www.erlang.org/eeps/eep-0048>.

use std::collections::HashMap;

use giulia_term::Reader;

use super::{
    LIMITS, each,
    flat::{At, Flat, problem},
};
use crate::{beam::Beam, problem::Problem};

/// What a module's authors say about it.
#[derive(Debug, Default)]
pub(super) struct Docs {
    pub(super) language: Option<String>,
    pub(super) module: Option<String>,
    /// By atom and arity as the VM has them.
    pub(super) functions: HashMap<(String, u32), String>,
}

impl Docs {
    pub(super) fn read(beam: &Beam<'_>, unpacked: &mut Vec<u8>) -> Result<Self, Problem> {
        let Some(chunk) = beam.chunk(*b"Docs") else { return Ok(Self::default()) };
        let mut reader = Reader::versioned(chunk, &LIMITS, unpacked).map_err(problem)?;
        if reader.tuple().map_err(problem)? != 7 || !reader.atom_is("docs_v1") {
            return Ok(Self::default());
        }
        reader.skip().map_err(problem)?;
        let language = Flat::read(&mut reader)?.root().atom().map(str::to_owned);
        reader.skip().map_err(problem)?;
        let module = text(Flat::read(&mut reader)?.root());
        reader.skip().map_err(problem)?;
        let mut functions = HashMap::new();
        // One by one, so that only one is held at a time.
        each(&mut reader, |it| functions.extend(function(it.root())))?;
        Ok(Self { language, module, functions })
    }
}

/// `{{Kind, Name, Arity}, Anno, Signature, Doc, Meta}`, of a function or a macro with a text.
fn function(entry: At<'_, '_>) -> Option<((String, u32), String)> {
    let [head, _, _, doc, _] = entry.tuple::<5>()?;
    let [kind, name, arity] = head.tuple::<3>()?;
    let (name, arity, doc) = (name.atom()?, arity.u32()?, text(doc)?);
    match kind.atom()? {
        "function" => Some(((name.to_owned(), arity), doc)),
        "macro" => Some(((format!("MACRO-{name}"), arity.saturating_add(1)), doc)),
        _ => None,
    }
}

/// The text in any language, English first; none when it is hidden.
fn text(doc: At<'_, '_>) -> Option<String> {
    doc.map_value(b"en").and_then(At::text)
}
