//! `~H`, `HEEx` and `EEx`: markup with Elixir in it.
//!
//! All that is no Elixir becomes spaces, so that what remains is a program whose places are those
//! of the template: `<% if a do %>` … `<% end %>` is an `if` again. It is walked after the file.

use super::{
    super::{FunctionKind, LineRange, ModuleKind, RefKind, SourceProblem},
    functions::New,
    tree::{At, Kind, Tree},
    walk::{Ctx, To, Walk, Work},
};

/// A template that is still to be walked.
#[derive(Debug)]
pub(super) struct Pending {
    code: String,
    ctx: Ctx,
    /// Lines of the file before the template's first.
    lines_before: u32,
}

/// Templates within templates are followed so deep.
const DEPTH_MAX: usize = 8;

/// A component that a tag names, and the line in the template, counted from 0.
struct Component {
    name: String,
    line: u32,
}

impl<'t> Walk<'t> {
    /// What is in a `~H`, or the text of an `EEx` function.
    pub(super) fn template(&mut self, at: At<'t>, ctx: Ctx) {
        let is_heex = at.child_of(Kind::SigilName).is_some_and(|it| it.text() == "H");
        let text = at.text().strip_prefix("~H").unwrap_or(at.text());
        // The quotes are no markup, whichever they are.
        let before = at.line().saturating_sub(1).saturating_add(self.lines_before);
        self.markup(text, is_heex, before, ctx);
    }

    /// The module of a template's file.
    pub(super) fn template_module(&mut self, name: &str, source: &str, nowhere: At<'t>) {
        let module = self.begin(None, ModuleKind::Template, nowhere);
        let new = New { kind: FunctionKind::Public, arity: 1, defined_by: None, at: nowhere };
        let ctx = Ctx { module, ..Ctx::TOP };
        self.function(name, new, ctx);
        let last = source.bytes().filter(|it| *it == b'\n').count();
        let last = u32::try_from(last).unwrap_or(u32::MAX).saturating_add(1);
        let lines = LineRange { first: 1, last };
        if let Some(it) = self.building(ctx) {
            it.module.lines = lines;
            for function in &mut it.module.functions {
                function.lines = lines;
                function.n_clauses = 1;
            }
        }
    }

    /// Takes the components, and the Elixir for later.
    pub(super) fn markup(&mut self, text: &str, is_heex: bool, lines_before: u32, ctx: Ctx) {
        let (code, components) = Scanner::new(text, is_heex).scan();
        let ctx = self.inner(ctx);
        for it in components {
            self.component(&it, lines_before, ctx);
        }
        self.pending.push(Pending { code, ctx, lines_before });
    }

    /// `<.it>` is a function of this module or an import, `<M.it>` one of `M`.
    fn component(&mut self, component: &Component, lines_before: u32, ctx: Ctx) {
        let (module, function) = match component.name.rsplit_once('.') {
            Some(("", function)) => (None, function),
            Some((module, function)) => {
                let scope = self.scope(ctx);
                (Some(self.scopes.expand(scope, module, &mut self.names)), function)
            }
            None => return,
        };
        let function = Some(self.names.add(function));
        let line = component.line.saturating_add(lines_before).saturating_add(1);
        self.refer_at(ctx, (line, 1), RefKind::Component, To { module, function, arity: 1 });
    }
}

/// Walks the templates that a walk has found.
pub(super) fn walk_pending(mut walk: Walk<'_>) -> Walk<'_> {
    for _ in 0..DEPTH_MAX {
        let pending = std::mem::take(&mut walk.pending);
        if pending.is_empty() {
            break;
        }
        for it in pending {
            // What does not parse in a template is said by no compiler's words; it is left out.
            let mut problems: Vec<SourceProblem> = Vec::new();
            let tree = Tree::parse(&it.code, &mut problems);
            let mut inner = walk.move_to();
            inner.lines_before = it.lines_before;
            inner.todo.extend(tree.root(&it.code).map(|at| Work::Visit(at, it.ctx)));
            inner.run();
            walk = inner.move_to();
        }
    }
    walk
}

/// Makes spaces of what is no Elixir.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
    is_heex: bool,
    code: Vec<u8>,
    components: Vec<Component>,
    line: u32,
    /// Whether Elixir stands before on this line.
    is_after_code: bool,
    /// Where braces are text: in `script` and `style`.
    is_raw: bool,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str, is_heex: bool) -> Self {
        Self {
            text,
            at: 0,
            is_heex,
            code: Vec::with_capacity(text.len()),
            components: Vec::new(),
            line: 0,
            is_after_code: false,
            is_raw: false,
        }
    }

    fn scan(mut self) -> (String, Vec<Component>) {
        while let Some(rest) = self.text.get(self.at..).filter(|it| !it.is_empty()) {
            if rest.starts_with("<%!--") {
                self.skip_past(rest, "--%>");
            } else if rest.starts_with("<!--") {
                self.skip_past(rest, "-->");
            } else if rest.starts_with("<%%") || rest.starts_with("<%#") {
                self.skip_past(rest, "%>");
            } else if let Some(inside) = rest.strip_prefix("<%") {
                let marks = inside.len() - inside.trim_start_matches(['=', '|', '/']).len();
                let end = inside.find("%>").unwrap_or(inside.len());
                self.skip(1);
                self.separate();
                self.skip(marks);
                self.copy(end.saturating_sub(marks));
                self.skip(2);
            } else if self.is_heex && !self.is_raw && rest.starts_with('{') {
                let end = closing(rest);
                self.separate();
                self.copy(end.saturating_sub(1));
                self.skip(1);
            } else if self.is_heex && rest.starts_with('<') {
                self.tag(rest);
            } else {
                self.skip(rest.chars().next().map_or(1, char::len_utf8));
            }
        }
        (String::from_utf8(self.code).unwrap_or_default(), self.components)
    }

    /// The name of a tag.
    fn tag(&mut self, rest: &str) {
        let name = rest.get(1..).unwrap_or_default();
        let is_name =
            |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '.' | '?' | '!' | '/');
        let end = name.find(|it| !is_name(it)).unwrap_or(name.len());
        let name = name.get(..end).unwrap_or_default().trim_end_matches('/');
        match name {
            "script" | "style" => self.is_raw = true,
            "/script" | "/style" => self.is_raw = false,
            _ if name.starts_with(|it: char| it == '.' || it.is_ascii_uppercase()) => {
                self.components.push(Component { name: name.to_owned(), line: self.line });
            }
            _ => {}
        }
        // The attributes of these tags are Elixir still, but hardly ever more than text.
        self.skip(1 + end);
    }

    /// One place, that ends what stands before on the same line.
    fn separate(&mut self) {
        let byte = if self.is_after_code { b';' } else { b' ' };
        self.code.push(byte);
        self.at += 1;
        self.is_after_code = true;
    }

    fn skip_past(&mut self, rest: &str, end: &str) {
        self.skip(rest.find(end).map_or(rest.len(), |it| it + end.len()));
    }

    fn skip(&mut self, count: usize) {
        let end = self.at.saturating_add(count).min(self.text.len());
        for byte in self.text.as_bytes().get(self.at..end).unwrap_or_default() {
            if *byte == b'\n' {
                self.line = self.line.saturating_add(1);
                self.is_after_code = false;
            }
            self.code.push(if *byte == b'\n' { b'\n' } else { b' ' });
        }
        self.at = end;
    }

    fn copy(&mut self, count: usize) {
        let end = self.at.saturating_add(count).min(self.text.len());
        let bytes = self.text.as_bytes().get(self.at..end).unwrap_or_default();
        self.code.extend_from_slice(bytes);
        let lines = bytes.split(|it| *it == b'\n').count().saturating_sub(1);
        self.line = self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        self.at = end;
    }
}

/// Where the brace at the beginning is closed; braces in texts do not count.
fn closing(text: &str) -> usize {
    let (mut depth, mut is_text, mut is_escaped) = (0_u32, false, false);
    for (place, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b'{' if !is_text => depth = depth.saturating_add(1),
            b'}' if !is_text => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return place;
                }
            }
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::Scanner;

    #[test]
    fn what_is_no_elixir_becomes_spaces() {
        let text = "<.a b={c} :for={d <- e}>{f}</.a>\n<%= if g do %>é<M.h />\n<% end %>{\"}\"}";
        let (code, components) = Scanner::new(text, true).scan();
        let expected = concat!(
            "       c       ;d <- e  ;f      \n",
            "    if g do            \n   end   ;\"}\" "
        );
        assert_eq!(code, expected);
        let names: Vec<_> = components.iter().map(|it| (it.name.as_str(), it.line)).collect();
        assert_eq!(names, [(".a", 0), ("M.h", 1)]);
    }
}
