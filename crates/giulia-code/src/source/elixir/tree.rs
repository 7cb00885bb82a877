//! A parsed file as a row of nodes in the order of the text: nothing here or after it recurses.

use std::{ops::ControlFlow, sync::OnceLock};

use tree_sitter::{Language, ParseOptions, Parser, TreeCursor};

use super::super::SourceProblem;

/// The largest file that is read: the largest written by hand that we know has 1.6 MB (one of `RabbitMQ`,
/// its tests), generated tables reach 10.
pub(super) const SOURCE_BYTES_MAX: usize = 16 << 20;

/// Problems told of one file; a file of another language has one in every line.
const PROBLEMS_MAX: usize = 50;

/// How often the parser may report progress a byte before it is stopped: it reports each hundred
/// operations, and files of Elixir's repository take less than a tenth of it.
const REPORTS_PER_KIB_MAX: usize = 200;

/// What a node is; names are the grammar's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A token that carries no meaning of its own.
    Token,
    AccessCall,
    Alias,
    AnonymousFunction,
    Arguments,
    Atom,
    BinaryOperator,
    Bitstring,
    Block,
    Body,
    /// `true`, `false`, `nil`: atoms.
    Word,
    Call,
    Charlist,
    DoBlock,
    AfterBlock,
    CatchBlock,
    ElseBlock,
    RescueBlock,
    Dot,
    Error,
    Identifier,
    Integer,
    Interpolation,
    Keyword,
    Keywords,
    List,
    Literal,
    Map,
    MapContent,
    OperatorIdentifier,
    Pair,
    QuotedAtom,
    QuotedKeyword,
    Sigil,
    SigilName,
    Source,
    StabClause,
    String,
    Struct,
    Tuple,
    UnaryOperator,
}

const KINDS: &[(&str, Kind)] = &[
    ("access_call", Kind::AccessCall),
    ("after_block", Kind::AfterBlock),
    ("alias", Kind::Alias),
    ("anonymous_function", Kind::AnonymousFunction),
    ("arguments", Kind::Arguments),
    ("atom", Kind::Atom),
    ("binary_operator", Kind::BinaryOperator),
    ("bitstring", Kind::Bitstring),
    ("block", Kind::Block),
    ("body", Kind::Body),
    ("boolean", Kind::Word),
    ("call", Kind::Call),
    ("catch_block", Kind::CatchBlock),
    ("char", Kind::Literal),
    ("charlist", Kind::Charlist),
    ("do_block", Kind::DoBlock),
    ("dot", Kind::Dot),
    ("else_block", Kind::ElseBlock),
    ("float", Kind::Literal),
    ("identifier", Kind::Identifier),
    ("integer", Kind::Integer),
    ("interpolation", Kind::Interpolation),
    ("keyword", Kind::Keyword),
    ("keywords", Kind::Keywords),
    ("list", Kind::List),
    ("map", Kind::Map),
    ("map_content", Kind::MapContent),
    ("nil", Kind::Word),
    ("operator_identifier", Kind::OperatorIdentifier),
    ("pair", Kind::Pair),
    ("quoted_atom", Kind::QuotedAtom),
    ("quoted_keyword", Kind::QuotedKeyword),
    ("rescue_block", Kind::RescueBlock),
    ("sigil", Kind::Sigil),
    ("sigil_name", Kind::SigilName),
    ("source", Kind::Source),
    ("stab_clause", Kind::StabClause),
    ("string", Kind::String),
    ("struct", Kind::Struct),
    ("tuple", Kind::Tuple),
    ("unary_operator", Kind::UnaryOperator),
];

/// Operators, as they are written.
const OPERATORS: &[&str] = &[
    "", "->", "when", "::", "|", "=>", "&", "=", "^^^", "//", "..", "**", ".", "@", "<-", "\\\\",
    "||", "|||", "or", "&&", "&&&", "and", "==", "!=", "=~", "===", "!==", "<", ">", "<=", ">=",
    "|>", "<<<", ">>>", "<<~", "~>>", "<~", "~>", "<~>", "<|>", "in", "not in", "++", "--", "+++",
    "---", "<>", "+", "-", "*", "/", "!", "^", "~~~", "not",
];

/// What the grammar's numbers mean.
struct Grammar {
    language: Language,
    kinds: Vec<Kind>,
    /// Places in [`OPERATORS`].
    operators: Vec<u8>,
    operator_field: u16,
}

fn grammar() -> &'static Grammar {
    static GRAMMAR: OnceLock<Grammar> = OnceLock::new();
    GRAMMAR.get_or_init(|| {
        let language = Language::from(tree_sitter_elixir::LANGUAGE);
        let (mut kinds, mut operators) = (Vec::new(), Vec::new());
        for id in 0..u16::try_from(language.node_kind_count()).unwrap_or(u16::MAX) {
            let name = language.node_kind_for_id(id).unwrap_or_default();
            let kind = KINDS.iter().find(|it| it.0 == name).map_or(Kind::Token, |it| it.1);
            kinds.push(if language.node_kind_is_named(id) { kind } else { Kind::Token });
            let operator = OPERATORS.iter().position(|it| *it == name).unwrap_or(0);
            operators.push(u8::try_from(operator).unwrap_or(0));
        }
        let operator_field = language.field_id_for_name("operator").map_or(0, u16::from);
        Grammar { language, kinds, operators, operator_field }
    })
}

/// A file's nodes; the first is the file.
#[derive(Debug, Default)]
pub(super) struct Tree {
    nodes: Vec<Slot>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    kind: Kind,
    operator: u8,
    column: u16,
    line: u32,
    last_line: u32,
    start: u32,
    stop: u32,
    /// Where the nodes inside of it end.
    end: u32,
}

/// A place in a tree.
#[derive(Clone, Copy)]
pub(super) struct At<'t> {
    tree: &'t Tree,
    source: &'t str,
    index: u32,
}

impl Tree {
    /// Parses a file that is not larger than [`SOURCE_BYTES_MAX`].
    pub(super) fn parse(source: &str, problems: &mut Vec<SourceProblem>) -> Self {
        let grammar = grammar();
        let mut parser = Parser::new();
        if parser.set_language(&grammar.language).is_err() {
            return Self::default();
        }
        let mut left = (source.len() / 1024 + 64) * REPORTS_PER_KIB_MAX;
        let mut progress = |_: &_| {
            left = left.saturating_sub(1);
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let options = ParseOptions::new().progress_callback(&mut progress);
        let bytes = source.as_bytes();
        let mut read = |at: usize, _| bytes.get(at..).unwrap_or_default();
        let Some(parsed) = parser.parse_with_options(&mut read, None, Some(options)) else {
            let text = "too many readings of it are possible: it is no Elixir".to_owned();
            problems.push(SourceProblem { line: 0, text });
            return Self::default();
        };
        let mut tree = Self { nodes: Vec::with_capacity(source.len() / 6) };
        tree.flatten(&mut parsed.walk(), grammar, problems);
        tree
    }

    fn flatten(
        &mut self,
        cursor: &mut TreeCursor<'_>,
        grammar: &Grammar,
        problems: &mut Vec<SourceProblem>,
    ) {
        let mut open: Vec<u32> = Vec::new();
        loop {
            let is_open = self.push(cursor, grammar, open.last().copied(), problems);
            if let Some(index) = is_open {
                if cursor.goto_first_child() {
                    open.push(index);
                    continue;
                }
                self.close(index);
            }
            while !cursor.goto_next_sibling() {
                let Some(index) = open.pop() else { return };
                self.close(index);
                cursor.goto_parent();
            }
            if open.is_empty() {
                return;
            }
        }
    }

    /// Adds a node that means something: its place.
    fn push(
        &mut self,
        cursor: &TreeCursor<'_>,
        grammar: &Grammar,
        parent: Option<u32>,
        problems: &mut Vec<SourceProblem>,
    ) -> Option<u32> {
        let node = cursor.node();
        let id = usize::from(node.kind_id());
        let mut kind = grammar.kinds.get(id).copied().unwrap_or(Kind::Token);
        let is_error = node.is_error();
        if (is_error || node.is_missing()) && problems.len() < PROBLEMS_MAX {
            let line = u32::try_from(node.start_position().row).unwrap_or(u32::MAX);
            let text = if is_error {
                "this does not parse".to_owned()
            } else {
                format!("`{}` is missing", node.kind())
            };
            problems.push(SourceProblem { line: line.saturating_add(1), text });
        }
        if is_error {
            kind = Kind::Error;
        }
        if kind == Kind::Token {
            let is_operator =
                cursor.field_id().is_some_and(|it| it.get() == grammar.operator_field);
            let slot = parent.and_then(|it| self.nodes.get_mut(it as usize));
            if let (true, Some(slot)) = (is_operator, slot) {
                slot.operator = grammar.operators.get(id).copied().unwrap_or(0);
            }
            return None;
        }
        let index = u32::try_from(self.nodes.len()).ok()?;
        let (from, to) = (node.start_position(), node.end_position());
        let small = |it: usize| u32::try_from(it).unwrap_or(u32::MAX);
        self.nodes.push(Slot {
            kind,
            operator: 0,
            column: u16::try_from(from.column.saturating_add(1)).unwrap_or(u16::MAX),
            line: small(from.row).saturating_add(1),
            last_line: small(to.row).saturating_add(1),
            start: small(node.start_byte()),
            stop: small(node.end_byte()),
            end: index + 1,
        });
        Some(index)
    }

    fn close(&mut self, index: u32) {
        let end = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        if let Some(slot) = self.nodes.get_mut(index as usize) {
            slot.end = end;
        }
    }

    /// A place for what stands in no tree.
    pub(super) fn nothing(&self) -> At<'_> {
        At { tree: self, source: "", index: 0 }
    }

    /// The whole file.
    pub(super) fn root<'t>(&'t self, source: &'t str) -> Option<At<'t>> {
        self.at(source, 0)
    }

    /// The node of a place.
    pub(super) fn at<'t>(&'t self, source: &'t str, index: u32) -> Option<At<'t>> {
        let is_there = (index as usize) < self.nodes.len();
        is_there.then_some(At { tree: self, source, index })
    }
}

/// What stands in for a node that is not there.
const NOTHING: Slot = Slot {
    kind: Kind::Token,
    operator: 0,
    column: 0,
    line: 0,
    last_line: 0,
    start: 0,
    stop: 0,
    end: 0,
};

impl<'t> At<'t> {
    fn slot(self) -> &'t Slot {
        self.tree.nodes.get(self.index as usize).unwrap_or(&NOTHING)
    }

    pub(super) fn index(self) -> u32 {
        self.index
    }

    pub(super) fn kind(self) -> Kind {
        self.slot().kind
    }

    pub(super) fn is(self, kind: Kind) -> bool {
        self.slot().kind == kind
    }

    /// Where it begins, counted from 1.
    pub(super) fn line(self) -> u32 {
        self.slot().line
    }

    pub(super) fn last_line(self) -> u32 {
        self.slot().last_line
    }

    /// In bytes, counted from 1.
    pub(super) fn column(self) -> u16 {
        self.slot().column
    }

    /// The operator of a unary or binary one.
    pub(super) fn operator(self) -> &'static str {
        OPERATORS.get(usize::from(self.slot().operator)).copied().unwrap_or_default()
    }

    pub(super) fn text(self) -> &'t str {
        let slot = self.slot();
        self.source.get(slot.start as usize..slot.stop as usize).unwrap_or_default()
    }

    pub(super) fn children(self) -> Children<'t> {
        Children { parent: self, next: self.index + 1, end: self.slot().end }
    }

    pub(super) fn child(self, place: usize) -> Option<Self> {
        self.children().nth(place)
    }

    pub(super) fn child_of(self, kind: Kind) -> Option<Self> {
        self.children().find(|it| it.is(kind))
    }

    pub(super) fn len(self) -> usize {
        self.children().count()
    }

    /// How many nodes it is, with those inside of it.
    pub(super) fn size(self) -> usize {
        self.slot().end.saturating_sub(self.index) as usize
    }

    /// It and all nodes inside of it, in the order of the text.
    pub(super) fn all(self) -> impl Iterator<Item = Self> {
        (self.index..self.slot().end).map(move |index| Self { index, ..self })
    }

    /// A text as it stands between its quotes, and what is interpolated in it; none with escapes,
    /// nor for what spans lines.
    pub(super) fn pieces(self) -> Option<Vec<Result<&'t str, Self>>> {
        let text = self.text();
        let text = text.strip_prefix(':').unwrap_or(text);
        let text = text.trim_end().strip_suffix(':').unwrap_or(text);
        if text.contains(['\\', '\n']) || !text.starts_with('"') || text.len() < 2 {
            return None;
        }
        let quote = self.slot().start as usize + self.text().find('"')?;
        let (mut from, end) = (quote + 1, quote + text.len() - 1);
        let mut pieces = Vec::new();
        for it in self.children().filter(|it| it.is(Kind::Interpolation)) {
            pieces.push(Ok(self.source.get(from..it.slot().start as usize)?));
            pieces.push(Err(it));
            from = it.slot().stop as usize;
        }
        pieces.push(Ok(self.source.get(from..end)?));
        Some(pieces)
    }

    /// What stands between the quotes of a text without interpolation; none with it.
    pub(super) fn quoted(self) -> Option<&'t str> {
        if self.children().any(|it| it.is(Kind::Interpolation)) {
            return None;
        }
        let text = self.text();
        let text = text.strip_prefix(':').unwrap_or(text);
        let quotes = ["\"\"\"", "'''", "\"", "'"];
        let quote = quotes.iter().find(|it| text.starts_with(**it))?;
        text.get(quote.len()..)?.strip_suffix(quote)
    }

    /// An atom, written as `:it`, `:"it"`, `it:`, `true`, `nil`.
    pub(super) fn atom(self) -> Option<&'t str> {
        match self.kind() {
            Kind::Atom => self.text().get(1..),
            Kind::QuotedAtom => self.quoted(),
            Kind::Word => Some(self.text()),
            Kind::Keyword => self.text().trim_end().strip_suffix(':'),
            Kind::QuotedKeyword => {
                let text = self.text().trim_end().strip_suffix(':')?;
                text.get(1..text.len().checked_sub(1)?)
            }
            _ => None,
        }
    }
}

/// The nodes directly inside of one.
pub(super) struct Children<'t> {
    parent: At<'t>,
    next: u32,
    end: u32,
}

impl<'t> Iterator for Children<'t> {
    type Item = At<'t>;

    fn next(&mut self) -> Option<At<'t>> {
        if self.next >= self.end {
            return None;
        }
        let at = At { index: self.next, ..self.parent };
        self.next = at.slot().end;
        Some(at)
    }
}
