//! Erlang's abstract code: who calls whom, read off the forms that the compiler was given.
//!
//! <https://www.erlang.org/doc/apps/erts/absform.html>
//!
//! What compilers add to the forms (records, comprehensions) is calls of BIFs, so they are read
//! as they stand; only the defaults of a record's fields are evaluated where a record is made. Data cannot be taken for a call, because it is wrapped: `{atom, _, call}`.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use super::{
    CallbackFacts, How, Record,
    flat::At,
    found::{FoundCall, FoundFunction, tells_subject},
};

/// What the forms so far said.
#[derive(Debug, Default)]
pub(super) struct Forms {
    pub(super) functions: Vec<FoundFunction>,
    pub(super) records: Vec<Record>,
    pub(super) callbacks: Vec<CallbackFacts>,
    pub(super) source: Option<String>,
    // The module that a function without module is imported from.
    imports: HashMap<(String, u32), String>,
    defaults: HashMap<String, Vec<FieldDefault>>,
    n_default_calls: usize,
    /// Whether some of the calls that defaults make were left out.
    pub(super) is_cut: bool,
    file: Option<String>,
}

impl Forms {
    /// Takes one form in.
    pub(super) fn form(&mut self, form: At<'_, '_>) {
        if let Some([_, _, name, value]) = form.tagged::<4>("attribute") {
            self.attribute(name.atom().unwrap_or_default(), value);
        }
        let Some([_, anno, name, arity, clauses]) = form.tagged::<5>("function") else { return };
        let (Some(name), Some(arity)) = (name.atom(), arity.u32()) else { return };
        let mut function = FoundFunction::new(name, arity, line(anno));
        if self.file != self.source {
            function.file.clone_from(&self.file);
        }
        let mut bound = Bound::default();
        for it in clauses.all() {
            bound.take(it);
            expression(it, &bound, &mut function);
            if !bound.is_pattern(it) {
                self.made(it, &mut function);
            }
        }
        self.functions.push(function);
    }

    /// Gives the calls without module theirs.
    pub(super) fn resolve(&mut self, module: &str) {
        let mut defined: HashSet<(String, u32)> =
            self.functions.iter().map(|it| (it.name.clone(), it.arity)).collect();
        // Every module has these.
        defined.extend([0, 1].map(|arity| ("module_info".to_owned(), arity)));
        let resolve = |call: &mut FoundCall| {
            let key = (std::mem::take(&mut call.function), call.arity);
            let module = if defined.contains(&key) {
                module
            } else {
                // The compiler accepted it, so it is imported as BIFs are.
                self.imports.get(&key).map_or("erlang", String::as_str)
            };
            module.clone_into(&mut call.module);
            call.function = key.0;
        };
        for function in &mut self.functions {
            for call in function.calls.iter_mut().filter(|it| it.module.is_empty()) {
                resolve(call);
            }
            drop_false(&mut function.calls);
        }
    }

    fn attribute(&mut self, name: &str, value: At<'_, '_>) {
        match name {
            "file" => {
                let file = value.tuple::<2>().and_then(|[file, _]| file.text());
                if self.source.is_none() {
                    self.source.clone_from(&file);
                }
                self.file = file;
            }
            "import" => {
                let Some([module, functions]) = value.tuple::<2>() else { return };
                let Some(module) = module.atom() else { return };
                for [name, arity] in functions.list().filter_map(At::tuple::<2>) {
                    if let (Some(name), Some(arity)) = (name.atom(), arity.u32()) {
                        self.imports.insert((name.to_owned(), arity), module.to_owned());
                    }
                }
            }
            "callback" | "optional_callbacks" => callback(name, value, &mut self.callbacks),
            "record" => {
                let Some([name, fields]) = value.tuple::<2>() else { return };
                let defaults = fields.list().filter_map(FieldDefault::read).collect();
                let fields = fields.list().filter_map(field).collect();
                let name = name.atom().unwrap_or_default().to_owned();
                self.defaults.insert(name.clone(), defaults);
                self.records.push(Record { name, fields });
            }
            _ => {}
        }
    }

    /// What a record calls for the fields that it is made without.
    fn made(&mut self, it: At<'_, '_>, into: &mut FoundFunction) {
        let Some([_, anno, name, fields]) = it.tagged::<4>("record") else { return };
        let defaults = name.atom().and_then(|it| self.defaults.get(it));
        let Some(defaults) = defaults.filter(|it| !it.is_empty()) else { return };
        let given: Vec<String> = fields.list().filter_map(field).collect();
        // `#state{_ = 0}` gives all the others.
        if fields
            .list()
            .any(|it| it.inside().nth(2).is_some_and(|it| it.tagged::<3>("var").is_some()))
        {
            return;
        }
        for default in defaults.iter().filter(|it| !given.contains(&it.field)) {
            let added = default.value.calls.len();
            if self.n_default_calls.saturating_add(added) > DEFAULT_CALLS_MAX {
                self.is_cut = true;
                return;
            }
            self.n_default_calls += added;
            let line = line(anno);
            into.calls
                .extend(default.value.calls.iter().map(|it| FoundCall { line, ..it.clone() }));
            into.n_unresolved += default.value.n_unresolved;
        }
    }
}

/// What a field of a record is when it is not given.
#[derive(Debug)]
struct FieldDefault {
    field: String,
    value: FoundFunction,
}

impl FieldDefault {
    /// The default of a field that has one which calls something.
    fn read(it: At<'_, '_>) -> Option<Self> {
        let field = field(it)?;
        let untyped = it.tagged::<3>("typed_record_field").map_or(it, |[_, untyped, _]| untyped);
        let [_, _, _, expressions] = untyped.tagged::<4>("record_field")?;
        let mut value = FoundFunction::new("", 0, None);
        for it in expressions.all() {
            expression(it, &Bound::default(), &mut value);
        }
        (!value.calls.is_empty() || value.n_unresolved > 0).then_some(Self { field, value })
    }
}

/// `-callback` and `-optional_callbacks`, in whichever order they come.
pub(super) fn callback(attribute: &str, value: At<'_, '_>, into: &mut Vec<CallbackFacts>) {
    let is_optional = attribute == "optional_callbacks";
    let heads: Vec<At<'_, '_>> = if is_optional {
        value.list().collect()
    } else {
        value.tuple::<2>().map(|[head, _]| head).into_iter().collect()
    };
    for head in heads {
        // A callback of another module is written with it.
        let head = head.tuple::<3>().map(|[_, name, arity]| [name, arity]).or(head.tuple::<2>());
        let Some([name, arity]) = head else { continue };
        let (Some(name), Some(arity)) = (name.atom(), arity.u32()) else { continue };
        match into.iter_mut().find(|it| (it.name.as_str(), it.arity) == (name, arity)) {
            Some(known) => known.is_optional |= is_optional,
            None => into.push(CallbackFacts { name: name.to_owned(), arity, is_optional }),
        }
    }
}

/// What the place in a function means for what stands there: whether it is a pattern, and which
/// variables are bound to lists of a known length, as in `Args = [A, B], spawn(m, f, Args)`.
#[derive(Debug, Default)]
struct Bound {
    lists: Vec<BoundList>,
    // Where patterns and guards lie.
    patterns: Vec<Range<usize>>,
    // Where the clauses end that are being read.
    clauses: Vec<usize>,
}

/// Lists among which a variable's is looked for; a function of OTP has a dozen.
const BOUND_MAX: usize = 64;

/// Calls that the defaults of records add to one module; `kernel` and `stdlib` together have two
/// hundred. A forged file could make the product of two long lists of it.
const DEFAULT_CALLS_MAX: usize = 100_000;

/// Forms of which the first part is a pattern.
const BINDS: &[&str] = &[
    "match",
    "maybe_match",
    "generate",
    "b_generate",
    "m_generate",
    "generate_strict",
    "b_generate_strict",
    "m_generate_strict",
];

#[derive(Debug)]
struct BoundList {
    variable: String,
    len: usize,
    // Where the clause ends that binds it.
    end: usize,
}

impl Bound {
    /// Takes in what a tuple binds.
    fn take(&mut self, it: At<'_, '_>) {
        if !it.is_tuple() {
            return;
        }
        let range = it.range();
        // The innermost is always the last, so what is over is at the end.
        while self.clauses.pop_if(|end| *end <= range.start).is_some() {}
        while self.lists.pop_if(|list| list.end <= range.start).is_some() {}
        while self.patterns.pop_if(|pattern| pattern.end <= range.start).is_some() {}
        if let Some([_, _, head, guards, _]) = it.tagged::<5>("clause") {
            self.clauses.push(range.end);
            self.patterns.extend([guards.range(), head.range()]);
        }
        if let Some([kind, _, left, _]) = it.tuple::<4>()
            && kind.atom().is_some_and(|it| BINDS.contains(&it))
        {
            self.patterns.push(left.range());
        }
        if let Some([_, _, left, right]) = it.tagged::<4>("match")
            && let Some([_, _, variable]) = left.tagged::<3>("var")
            && let (Some(len), Some(end)) = (self.len(right), self.clauses.last())
        {
            let variable = variable.atom().unwrap_or_default().to_owned();
            self.lists.push(BoundList { variable, len, end: *end });
        }
    }

    /// Whether a tuple stands in a pattern or a guard.
    fn is_pattern(&self, it: At<'_, '_>) -> bool {
        let place = it.range().start;
        self.patterns.last().is_some_and(|it| it.contains(&place))
    }

    /// How many elements a list has that is written out.
    fn len(&self, mut it: At<'_, '_>) -> Option<usize> {
        let mut len: usize = 0;
        while let Some([_, _, _, tail]) = it.tagged::<4>("cons") {
            (len, it) = (len + 1, tail);
        }
        if let Some([_, _, variable]) = it.tagged::<3>("var") {
            let variable = variable.atom()?;
            let mut latest = self.lists.iter().rev().take(BOUND_MAX);
            let list = latest.find(|list| list.variable == variable)?;
            return list.len.checked_add(len);
        }
        it.tagged::<2>("nil").map(|_| len)
    }
}

/// The line of an annotation: a number, a line with a column, or a list that has it.
fn line(anno: At<'_, '_>) -> Option<u32> {
    let place = anno.get("location").unwrap_or(anno);
    place.u32().or_else(|| place.tuple::<2>().and_then(|[line, _]| line.u32()))
}

/// `{record_field, Anno, {atom, _, Name}}`, with a default, within a `typed_record_field`.
fn field(it: At<'_, '_>) -> Option<String> {
    let untyped = it.tagged::<3>("typed_record_field").map_or(it, |[_, untyped, _]| untyped);
    let name = untyped.inside().nth(2)?;
    let [_, _, name] = name.tagged::<3>("atom")?;
    name.atom().map(str::to_owned)
}

/// One tuple of a clause: what it calls, if it is a call.
fn expression(it: At<'_, '_>, bound: &Bound, function: &mut FoundFunction) {
    if let Some([_, anno, callee, arguments]) = it.tagged::<4>("call") {
        call(line(anno), [callee, arguments], bound, function);
    } else if let Some([_, anno, what]) = it.tagged::<3>("fun") {
        if let Some([_, name, arity]) = what.tagged::<3>("function") {
            if let (Some(name), Some(arity)) = (name.atom(), arity.u32()) {
                function.push_at(line(anno), How::Reference, ("", name), arity as usize);
            }
        } else if let Some([_, module, name, arity]) = what.tagged::<4>("function") {
            match (literal_atom(module), literal_atom(name), literal_int(arity)) {
                (Some(module), Some(name), Some(arity)) => {
                    function.push_at(line(anno), How::Reference, (module, name), arity);
                }
                _ => function.n_unresolved += 1,
            }
        }
    }
}

fn call(
    line: Option<u32>,
    [callee, arguments]: [At<'_, '_>; 2],
    bound: &Bound,
    into: &mut FoundFunction,
) {
    let arity = arguments.list_len().unwrap_or_default();
    let (module, name) = if let Some([_, _, module, name]) = callee.tagged::<4>("remote") {
        let (Some(module), Some(name)) = (literal_atom(module), literal_atom(name)) else {
            into.n_unresolved += 1;
            return;
        };
        (module, name)
    } else if let Some(name) = literal_atom(callee) {
        ("", name)
    } else {
        into.n_unresolved += 1;
        return;
    };
    // Its value is known when the module is compiled; no function of that name exists.
    if (module, name, arity) == ("", "record_info", 2) {
        return;
    }
    into.push_at(line, How::Call, (module, name), arity);
    if tells_subject(module)
        && let Some(call) = into.calls.last_mut()
    {
        call.subject = arguments.list().next().and_then(literal_atom).map(str::to_owned);
    }
    if matches!(module, "" | "erlang") {
        named(line, (name, arity), arguments, bound, into);
    }
}

/// The function that `apply`, `spawn` and their like are told by name.
fn named(
    line: Option<u32>,
    (name, arity): (&str, usize),
    arguments: At<'_, '_>,
    bound: &Bound,
    into: &mut FoundFunction,
) {
    let n_before = match (name, arity) {
        ("apply" | "spawn" | "spawn_link" | "spawn_monitor", 3) | ("spawn_opt", 4) => 0,
        ("spawn" | "spawn_link", 4) | ("spawn_opt", 5) => 1,
        ("apply" | "spawn_opt", 2) | ("spawn" | "spawn_link" | "spawn_monitor", 1) => {
            into.n_unresolved += 1;
            return;
        }
        _ => return,
    };
    let mut told = arguments.list().skip(n_before);
    let (Some(module), Some(function), Some(list)) = (told.next(), told.next(), told.next()) else {
        return;
    };
    match (literal_atom(module), literal_atom(function), bound.len(list)) {
        (Some(module), Some(function), Some(arity)) => {
            into.push_at(line, How::Call, (module, function), arity);
            if let Some(call) = into.calls.last_mut() {
                call.via = Some(1);
            }
        }
        _ => into.n_unresolved += 1,
    }
}

/// Removes what only looked as if a BIF was told a function's name.
fn drop_false(calls: &mut Vec<FoundCall>) {
    let is_false = |index: usize, back: usize| {
        let before = index.checked_sub(back).and_then(|it| calls.get(it));
        before.is_none_or(|it| it.module != "erlang")
    };
    let places = calls.iter().enumerate();
    let dropped: HashSet<usize> = places
        .filter(|(index, it)| it.via.is_some_and(|back| is_false(*index, back)))
        .map(|(index, _)| index)
        .collect();
    if !dropped.is_empty() {
        let mut index = 0;
        calls.retain(|_| {
            index += 1;
            !dropped.contains(&(index - 1))
        });
    }
}

/// `{atom, _, Value}`, or a bare atom as older compilers wrote it.
fn literal_atom<'t>(it: At<'t, '_>) -> Option<&'t str> {
    it.atom().or_else(|| it.tagged::<3>("atom").and_then(|[_, _, value]| value.atom()))
}

fn literal_int(it: At<'_, '_>) -> Option<usize> {
    let value = it.tagged::<3>("integer").map_or(it, |[_, _, value]| value);
    value.u32().and_then(|it| usize::try_from(it).ok())
}
