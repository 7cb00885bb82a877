//! Elixir as it is written, compiled or not.
//!
//! The grammar's tree is made flat and walked once, in the order of the text. What the file alone
//! cannot tell stays open: a call of a name that is not defined here keeps the scope that it
//! stands in, and what is quoted becomes a template of the function that it is quoted in.

mod call;
mod calls;
mod complexity;
mod directives;
pub(super) mod env;
mod finish;
mod functions;
mod implementations;
mod known;
mod made;
mod modules;
mod named;
mod routes;
mod template;
mod tree;
mod values;
mod walk;

use std::borrow::Cow;

pub(super) use self::finish::{is_call, is_public};
use self::{
    tree::{SOURCE_BYTES_MAX, Tree},
    walk::{Ctx, Walk, Work},
};
use super::{Language, Names, SourceFacts, SourceProblem};

/// What a file of Elixir says.
pub(super) fn facts(bytes: &[u8]) -> SourceFacts {
    let mut problems = Vec::new();
    let Some(source) = text(bytes, &mut problems) else {
        return SourceFacts { language: Language::Elixir, problems, ..SourceFacts::default() };
    };
    let tree = Tree::parse(&source, &mut problems);
    let mut walk = new_walk(problems, source.len());
    walk.todo.extend(tree.root(&source).map(|it| Work::Visit(it, Ctx::TOP)));
    walk.run();
    finish::finish(template::walk_pending(walk.move_to()))
}

/// What a template says: a module without a name, with one function of the template's name.
pub(super) fn template_facts(path: &str, bytes: &[u8], is_heex: bool) -> SourceFacts {
    let language = if is_heex { Language::Heex } else { Language::Eex };
    let mut problems = Vec::new();
    let Some(source) = text(bytes, &mut problems) else {
        return SourceFacts { language, problems, ..SourceFacts::default() };
    };
    let tree = Tree::default();
    let mut walk = new_walk(problems, source.len());
    let file = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let name = file.split('.').next().unwrap_or_default();
    walk.template_module(name, &source, tree.nothing());
    let ctx = Ctx { module: 0, function: 0, ..Ctx::TOP };
    walk.markup(&source, is_heex, 0, ctx);
    SourceFacts { language, ..finish::finish(template::walk_pending(walk)) }
}

fn new_walk<'t>(problems: Vec<SourceProblem>, len: usize) -> Walk<'t> {
    Walk {
        names: Names::default(),
        scopes: env::Scopes::default(),
        frames: vec![walk::Frame::default()],
        bound: Vec::new(),
        given: Vec::new(),
        // Files of Elixir's own have a node for each 6 bytes; `Base`, which has nothing but such
        // loops, takes a fifth of this.
        rounds_left: len.saturating_add(10_000),
        modules: Vec::new(),
        // Elixir's own sources have a reference for each 30 bytes.
        references: Vec::with_capacity(len / 30),
        quotes: Vec::new(),
        todo: Vec::new(),
        pending: Vec::new(),
        problems,
        lines_before: 0,
    }
}

/// The file as text, and what is wrong with it; none when it is too large.
fn text<'a>(bytes: &'a [u8], problems: &mut Vec<SourceProblem>) -> Option<Cow<'a, str>> {
    if bytes.len() > SOURCE_BYTES_MAX {
        let text = format!("{} bytes; files of up to {SOURCE_BYTES_MAX} are read", bytes.len());
        problems.push(SourceProblem { line: 0, text });
        return None;
    }
    let text = String::from_utf8_lossy(bytes);
    if matches!(text, Cow::Owned(_)) {
        let valid = std::str::from_utf8(bytes).err().map_or(0, |it| it.valid_up_to());
        let before = bytes.get(..valid).unwrap_or_default();
        let line = before.split(|it| *it == b'\n').count();
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        let text = "these bytes are no UTF-8; they are read as unknown characters".to_owned();
        problems.push(SourceProblem { line, text });
    }
    Some(text)
}
