//! A module from its forms: functions, and whose function each name without a module is.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    path::Path,
};

use super::{
    Headers, Options, bifs,
    body::{self, Context, Words},
    found::{Found, FoundRef, Whose},
    lex::{EXPANDED, HEADER, Kind, Token},
    preprocess::Preprocessor,
};
use crate::source::{
    Doc, FunctionKind, Language, LineRange, SourceFacts, SourceFunction, SourceModule, SourceType,
    TypeKind,
    names::{Name, Names},
    reference::{Certainty, Guess, RefKind, RefOrigin, Reference},
};

/// Calls that the defaults of records add to one module; `kernel` and `stdlib` together have two
/// hundred. A hostile file could make the product of two long lists of it.
const DEFAULT_CALLS_MAX: usize = 100_000;

/// A module on its way.
pub(super) struct Module<'h> {
    pub(super) pre: Preprocessor<'h>,
    pub(super) words: Words,
    /// What is said about it so far.
    pub(super) own: SourceModule,
    pub(super) exports: HashSet<(Name, u32)>,
    pub(super) exports_all: bool,
    pub(super) exported_types: HashSet<(Name, u32)>,
    pub(super) declared_types: HashMap<(Name, u32), (TypeKind, u32)>,
    pub(super) type_order: Vec<(Name, u32)>,
    pub(super) imports: HashMap<(Name, u32), Name>,
    pub(super) callbacks: Vec<(Name, u32)>,
    pub(super) optional: HashSet<(Name, u32)>,
    pub(super) defaults: HashMap<Name, Vec<FieldDefault>>,
    pub(super) has_match_specs: bool,
    pub(super) has_tests: bool,
    /// Where that was said.
    pub(super) tests_at: Token,
    /// The documentation of what comes next.
    pub(super) doc: Doc,
    /// With the function that each stands in.
    pub(super) refs: Vec<(u32, FoundRef)>,
    functions: HashMap<(Name, u32), u32>,
    n_default_calls: usize,
    // The names of the facts, and which of them stands for which of the preprocessor's.
    names: Names,
    known: HashMap<Name, Name>,
    path: &'h str,
}

/// What a field of a record calls when it is not given.
pub(super) struct FieldDefault {
    pub(super) field: Name,
    pub(super) calls: Vec<FoundRef>,
}

pub(super) fn facts<'h>(
    path: &'h str,
    text: Cow<'h, str>,
    headers: &'h dyn Headers,
    options: &Options<'_>,
) -> SourceFacts {
    let has_maybe = options.otp_release >= 27;
    let n_lines = text.bytes().filter(|it| *it == b'\n').count();
    let mut pre = Preprocessor::new(path, text, headers, options);
    pre.has_maybe = has_maybe;
    let mut add = |it: &str| pre.names.add(it);
    let (maybe, otherwise) = (add("maybe"), add("else"));
    let (start, anything) = (add("start"), add("_"));
    let words = Words { maybe, otherwise, start, anything };
    let mut module = Module {
        pre,
        words,
        own: SourceModule::default(),
        exports: HashSet::new(),
        exports_all: false,
        exported_types: HashSet::new(),
        declared_types: HashMap::new(),
        type_order: Vec::new(),
        imports: HashMap::new(),
        callbacks: Vec::new(),
        optional: HashSet::new(),
        defaults: HashMap::new(),
        has_match_specs: false,
        has_tests: false,
        tests_at: Token { kind: Kind::Dot, flags: 0, column: 1, line: 0, name: None, int: 0 },
        doc: Doc::None,
        refs: Vec::new(),
        functions: HashMap::new(),
        n_default_calls: 0,
        names: Names::default(),
        known: HashMap::new(),
        path,
    };
    module.forms();
    let last = u32::try_from(n_lines.saturating_add(1)).unwrap_or(u32::MAX);
    module.own.lines = LineRange { first: 1, last };
    module.finish()
}

/// An arity as the facts have it; nobody calls a function of 300 arguments.
pub(super) fn small(arity: u32) -> u8 {
    u8::try_from(arity).unwrap_or(u8::MAX)
}

impl Module<'_> {
    /// The facts' name for one of the preprocessor's.
    pub(super) fn out(&mut self, name: Name) -> Name {
        *self.known.entry(name).or_insert_with(|| self.names.add(self.pre.names.get(name)))
    }

    pub(super) fn context(&self) -> Context<'_> {
        Context {
            names: &self.pre.names,
            words: &self.words,
            has_match_specs: self.has_match_specs,
            has_maybe: self.pre.has_maybe,
        }
    }

    fn forms(&mut self) {
        let mut tokens = Vec::new();
        let mut found = Found::default();
        while self.pre.form(&mut tokens) {
            body::mark_comprehensions(&mut tokens);
            let mut rest = tokens.as_slice();
            while !rest.is_empty() {
                rest = match rest {
                    [minus, word, after @ ..] if minus.kind == Kind::Minus => {
                        self.attribute(*word, after);
                        &[]
                    }
                    _ => self.function(rest, &mut found),
                };
            }
        }
    }

    /// Reads a function; what is left when it has an error is where another form may begin.
    fn function<'t>(&mut self, tokens: &'t [Token], found: &mut Found) -> &'t [Token] {
        found.clear();
        let (head, read) = body::function(self.context(), tokens, found);
        let stop = read.err();
        let end = stop.as_ref().map_or(tokens.len(), |it| it.at);
        // Where another form may begin: what follows a forgotten full stop is not lost.
        let edges = stop.iter().flat_map(|_| edges(tokens));
        let mut next = tokens.len();
        for edge in edges {
            if edge <= end || next == tokens.len() {
                next = edge;
            }
            if edge > end {
                break;
            }
        }
        if let Some(head) = head {
            if let Some(token) = tokens.get(next) {
                let place = (token.line, token.column);
                found.refs.retain(|it| (it.at.line, it.at.column) < place);
            }
            self.add_defaults(found);
            let place = self.place((head.name, head.arity), tokens, end.min(next), found);
            found.refs.sort_by_key(|it| (it.at.line, it.at.column));
            self.refs.extend(found.refs.drain(..).map(|it| (place, it)));
        }
        let Some(stop) = stop else { return &[] };
        let line = tokens.get(end).or(tokens.last()).map_or(0, |it| it.line);
        self.pre.problem(line, format!("no Erlang here: {}", stop.text));
        tokens.get(next..).unwrap_or_default()
    }

    /// The place of a function among the module's; what is defined twice is one.
    fn place(&mut self, key: (Name, u32), tokens: &[Token], end: usize, found: &Found) -> u32 {
        let first = tokens.first().map_or(0, |it| it.line);
        // A form that goes on in a header has the rest of itself where that is included.
        let last = tokens.get(end).or(tokens.last()).map_or(0, |it| it.line).max(first);
        let doc = std::mem::take(&mut self.doc);
        if let Some(place) = self.functions.get(&key) {
            if let Some(it) = self.own.functions.get_mut(*place as usize) {
                it.lines.last = last.max(it.lines.last);
                it.n_clauses = it.n_clauses.saturating_add(found.n_clauses);
                let (sum, more) = (&mut it.complexity, found.complexity);
                sum.cyclomatic = sum.cyclomatic.saturating_add(more.cyclomatic);
                sum.cognitive = sum.cognitive.saturating_add(more.cognitive);
                sum.nesting_max = sum.nesting_max.max(more.nesting_max);
            }
            return *place;
        }
        let place = u32::try_from(self.own.functions.len()).unwrap_or(Reference::BODY);
        self.functions.insert(key, place);
        let name = self.out(key.0);
        self.own.functions.push(SourceFunction {
            name,
            arity: small(key.1),
            kind: FunctionKind::Private,
            defaults_to: None,
            defined_by: None,
            lines: LineRange { first, last },
            n_clauses: found.n_clauses,
            doc,
            complexity: found.complexity,
        });
        place
    }

    /// What the records that are made call for the fields that they are not given.
    pub(super) fn add_defaults(&mut self, found: &mut Found) {
        for made in std::mem::take(&mut found.made) {
            let Some(defaults) = self.defaults.get(&made.record) else { continue };
            let given = found.fields.get(made.given.clone()).unwrap_or_default();
            for default in defaults.iter().filter(|it| !given.contains(&it.field)) {
                self.n_default_calls += default.calls.len();
                if self.n_default_calls > DEFAULT_CALLS_MAX {
                    let text = "records with more defaults than are followed";
                    self.pre.problem(made.at.line, text);
                    return;
                }
                let at = Token { flags: made.at.flags | EXPANDED, ..made.at };
                found.refs.extend(default.calls.iter().map(|it| FoundRef { at, ..*it }));
            }
        }
    }

    fn finish(mut self) -> SourceFacts {
        let is_header = Path::new(self.path).extension().is_some_and(|it| it == "hrl");
        let mut facts = SourceFacts { language: Language::Erlang, ..SourceFacts::default() };
        facts.headers = std::mem::take(&mut self.pre.included);
        facts.problems = std::mem::take(&mut self.pre.problems);
        if is_header {
            // What is in it belongs to whoever includes it, and so do the macros that it lacks.
            facts.problems.clear();
            return facts;
        }
        let module = self.pre.module;
        self.tests();
        self.kinds();
        let refs = std::mem::take(&mut self.refs);
        // Without a module there is nobody whose references they would be.
        let has_module = module.is_some() || !self.own.functions.is_empty();
        if has_module {
            facts.references = refs.iter().filter_map(|it| self.resolved(it, module)).collect();
            self.own.name = module.map(|it| self.out(it));
            facts.modules.push(self.own);
        }
        facts.names = self.names;
        facts
    }

    /// The function that `eunit` gives a module with tests.
    fn tests(&mut self) {
        let key = (self.pre.names.add("test"), 0);
        if !self.has_tests || self.functions.contains_key(&key) {
            return;
        }
        let eunit = self.pre.names.add("eunit");
        let line = self.tests_at.line;
        let end = Token { flags: EXPANDED, ..self.tests_at };
        let mut found = Found::default();
        found.complexity.cyclomatic = 1;
        found.n_clauses = 1;
        found.push(RefKind::Call, Whose::Module(eunit), (Some(key.0), 1), end);
        self.doc = Doc::None;
        let place = self.place(key, &[end], 0, &found);
        self.exports.insert(key);
        let eunit = self.out(eunit);
        if let Some(it) = self.own.functions.get_mut(place as usize) {
            (it.defined_by, it.lines) = (Some(eunit), LineRange { first: line, last: line });
        }
        self.refs.extend(found.refs.drain(..).map(|it| (place, it)));
    }

    /// Who may call what, and what may be left out.
    fn kinds(&mut self) {
        let by_place: HashMap<u32, (Name, u32)> =
            self.functions.iter().map(|(key, place)| (*place, *key)).collect();
        for (place, it) in (0..).zip(&mut self.own.functions) {
            let Some(key) = by_place.get(&place) else { continue };
            let name = self.pre.names.get(key.0);
            let is_test = self.has_tests
                && key.1 == 0
                && (name.ends_with("_test") || name.ends_with("_test_"));
            if self.exports_all || is_test || self.exports.contains(key) {
                it.kind = FunctionKind::Public;
            }
        }
        for (key, it) in self.callbacks.iter().zip(&mut self.own.callbacks) {
            it.is_optional = self.optional.contains(key);
        }
        for key in std::mem::take(&mut self.type_order) {
            let Some((kind, line)) = self.declared_types.get(&key).copied() else { continue };
            let is_exported = self.exported_types.contains(&key);
            let kind = match kind {
                TypeKind::Opaque => TypeKind::Opaque,
                TypeKind::Public | TypeKind::Private if is_exported => TypeKind::Public,
                TypeKind::Public | TypeKind::Private => TypeKind::Private,
            };
            let name = self.out(key.0);
            self.own.types.push(SourceType { name, arity: small(key.1), kind, line });
        }
    }

    /// A reference with the module of what it names; none when it is none after all.
    fn resolved(&mut self, (place, it): &(u32, FoundRef), own: Option<Name>) -> Option<Reference> {
        if let Some(key) = it.via
            && (self.functions.contains_key(&key) || self.imports.contains_key(&key))
        {
            return None;
        }
        let mut certainty = it.certainty;
        let to_module = match it.module {
            Whose::Module(module) => Some(self.out(module)),
            Whose::Nobody => None,
            Whose::Local => {
                let key = (it.function?, it.arity);
                let name = self.pre.names.get(key.0);
                let is_own = if it.kind == RefKind::Type {
                    // The others are the language's own.
                    if !self.declared_types.contains_key(&key) {
                        return None;
                    }
                    true
                } else {
                    self.functions.contains_key(&key) || (name == "module_info" && key.1 < 2)
                };
                if is_own {
                    own.map(|it| self.out(it))
                } else if let Some(module) = self.imports.get(&key).copied() {
                    Some(self.out(module))
                } else if bifs::is_auto_imported(name, key.1) {
                    Some(self.names.add("erlang"))
                } else {
                    certainty = Certainty::Guess(Guess::Unresolved);
                    None
                }
            }
        };
        let is_expanded = it.at.flags & EXPANDED != 0;
        Some(Reference {
            from_module: 0,
            from_function: *place,
            to_module,
            to_function: it.function.map(|it| self.out(it)),
            line: it.at.line,
            column: it.at.column,
            arity: small(it.arity),
            kind: it.kind,
            origin: if is_expanded { RefOrigin::Expanded } else { RefOrigin::Written },
            certainty,
            scope: 0,
        })
    }
}

/// Where forms seem to begin, but for the first: at the left edge, as nearly everybody writes.
fn edges(tokens: &[Token]) -> impl Iterator<Item = usize> {
    let pairs = (1..).zip(tokens.windows(2).skip(1));
    pairs.filter_map(|(at, pair)| match pair {
        [first, second] => {
            let is_form = (first.kind == Kind::Minus && second.kind == Kind::Atom)
                || (first.kind == Kind::Atom && second.kind == Kind::ParenOpen);
            let is_written = first.flags & (EXPANDED | HEADER) == 0;
            (first.column == 1 && is_written && is_form).then_some(at)
        }
        _ => None,
    })
}
