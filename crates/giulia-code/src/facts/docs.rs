//! The documentation chunk: <https://www.erlang.org/eeps/eep-0048>.

use std::collections::HashMap;

use giulia_term::Reader;

use super::{
    LIMITS,
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
    pub(super) fn read(beam: &Beam<'_>) -> Result<Self, Problem> {
        let Some(chunk) = beam.chunk(*b"Docs") else { return Ok(Self::default()) };
        let mut inflated = Vec::new();
        let mut reader = Reader::versioned(chunk, &LIMITS, &mut inflated).map_err(problem)?;
        let tree = Flat::read(&mut reader)?;
        let Some([_, _, language, _, module, _, docs]) = tree.root().tagged::<7>("docs_v1") else {
            return Ok(Self::default());
        };
        let mut found = Self {
            language: language.atom().map(str::to_owned),
            module: text(module),
            functions: HashMap::new(),
        };
        for [head, _, _, doc, _] in docs.list().filter_map(At::tuple::<5>) {
            let Some([kind, name, arity]) = head.tuple::<3>() else { continue };
            let (Some(name), Some(arity), Some(doc)) = (name.atom(), arity.u32(), text(doc)) else {
                continue;
            };
            match kind.atom() {
                Some("function") => found.functions.insert((name.to_owned(), arity), doc),
                Some("macro") => {
                    found.functions.insert((format!("MACRO-{name}"), arity.saturating_add(1)), doc)
                }
                _ => None,
            };
        }
        Ok(found)
    }
}

/// The text in any language, English first; none when it is hidden.
fn text(doc: At<'_, '_>) -> Option<String> {
    doc.map_value(b"en").and_then(At::text)
}
