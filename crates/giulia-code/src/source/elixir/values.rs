//! What is known of values while a module is compiled: names that are written out in lists.
//!
//! `for level <- [:info, :error], do: def unquote(level)(text), do: …` defines two functions, and
//! the file says so. What is not written out is unknown, and so is all that follows from it.

use std::rc::Rc;

use super::{
    super::Reference,
    call::{Call, Target},
    tree::{At, Kind},
    walk::{Ctx, Mode, Walk, Work},
};

/// The longest text of a value: an atom of the VM has as many characters.
const TEXT_BYTES_MAX: usize = 255;

/// Elements of a list that are looked at, and rounds of a loop; the longest loop over names that
/// is written out in Elixir's own sources has 22.
const ITEMS_MAX: usize = 1_000;

/// Values within values.
const DEPTH_MAX: u8 = 8;

/// The way back to the variable that is meant.
const BOUND_SEEN_MAX: usize = 256;

/// A value at compile time.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Atom(Rc<str>),
    Text(Rc<str>),
    Number(i64),
    List(Items),
    Tuple(Items),
    Unknown,
}

/// Values in a value.
#[derive(Debug, Clone)]
pub(super) struct Items {
    depth: u8,
    all: Rc<[Value]>,
}

/// A variable of a module's body.
#[derive(Debug)]
pub(super) struct Bound<'t> {
    /// The one before it, counted from 1.
    before: u32,
    name: &'t str,
    value: Value,
}

/// What becomes of a pattern.
enum Match {
    /// The number of the last variable.
    Bound(u32),
    No,
    /// Nobody knows.
    Unsure,
}

impl Value {
    fn depth(&self) -> u8 {
        match self {
            Self::List(items) | Self::Tuple(items) => items.depth,
            Self::Atom(_) | Self::Text(_) | Self::Number(_) | Self::Unknown => 0,
        }
    }

    fn text(text: &str) -> Self {
        if text.len() > TEXT_BYTES_MAX { Self::Unknown } else { Self::Text(text.into()) }
    }

    fn atom(text: &str) -> Self {
        if text.len() > TEXT_BYTES_MAX { Self::Unknown } else { Self::Atom(text.into()) }
    }

    fn list(all: Vec<Self>) -> Self {
        Items::of(all).map_or(Self::Unknown, Self::List)
    }

    fn tuple(all: Vec<Self>) -> Self {
        Items::of(all).map_or(Self::Unknown, Self::Tuple)
    }
}

impl Items {
    fn of(all: Vec<Value>) -> Option<Self> {
        let depth = all.iter().map(Value::depth).max().unwrap_or_default() + 1;
        let is_kept = all.len() <= ITEMS_MAX && depth <= DEPTH_MAX;
        is_kept.then(|| Self { depth, all: all.into() })
    }
}

/// Whether what stands here is run while its module is compiled.
pub(super) fn is_run(ctx: Ctx) -> bool {
    let is_body = ctx.function == Reference::BODY && ctx.module != Reference::BODY;
    is_body && ctx.quote == 0 && ctx.mode == Mode::Code
}

impl<'t> Walk<'t> {
    /// `left = right` in a module's body.
    pub(super) fn assign(&mut self, left: At<'t>, right: At<'t>, ctx: Ctx) {
        if !is_run(ctx) {
            return;
        }
        let from = self.bound_at(ctx);
        let value = self.value(right, from, DEPTH_MAX, ctx);
        let bound = match self.bind(left, &value, from) {
            Match::Bound(it) => it,
            Match::No | Match::Unsure => self.forget(left, from),
        };
        self.set_bound(ctx, bound);
    }

    /// What a clause or a generator binds is not known.
    pub(super) fn assign_unknown(&mut self, pattern: At<'t>, ctx: Ctx) {
        if is_run(ctx) && !self.bound.is_empty() {
            let bound = self.forget(pattern, self.bound_at(ctx));
            self.set_bound(ctx, bound);
        }
    }

    /// The atom of an expression in the argument of an `unquote`, when it is written out.
    pub(super) fn unquoted(&self, at: At<'t>, ctx: Ctx) -> Option<Rc<str>> {
        match self.value(at, self.bound_at(ctx), DEPTH_MAX, ctx) {
            Value::Atom(it) if ctx.quote == 0 => Some(it),
            _ => None,
        }
    }

    /// The value that an attribute is set to, when names may follow from it.
    pub(super) fn attribute_value(&self, at: At<'t>, ctx: Ctx) -> Option<Value> {
        let is_it = matches!(at.kind(), Kind::List | Kind::Sigil | Kind::BinaryOperator);
        if !is_it || !is_run(ctx) {
            return None;
        }
        let value = self.value(at, self.bound_at(ctx), DEPTH_MAX, ctx);
        matches!(value, Value::List(_)).then_some(value)
    }

    /// Visits the body of a loop for each of what it goes over; false when that is not known.
    pub(super) fn is_unrolled(
        &mut self,
        generators: &[(At<'t>, At<'t>)],
        body: At<'t>,
        ctx: Ctx,
    ) -> bool {
        if !is_run(ctx) || generators.is_empty() {
            return false;
        }
        let mut rounds = vec![self.bound_at(ctx)];
        for (pattern, list) in generators {
            let mut next = Vec::new();
            for from in rounds {
                if !self.is_paid(list.size()) {
                    return false;
                }
                let Value::List(items) = self.value(*list, from, DEPTH_MAX, ctx) else {
                    return false;
                };
                if !self.is_paid(pattern.size().saturating_mul(items.all.len())) {
                    return false;
                }
                for item in items.all.iter() {
                    match self.bind(*pattern, item, from) {
                        Match::Bound(it) => next.push(it),
                        Match::No => {}
                        Match::Unsure => return false,
                    }
                }
                if next.len() > ITEMS_MAX {
                    return false;
                }
            }
            rounds = next;
        }
        if rounds.is_empty() || !self.is_paid(body.size().saturating_mul(rounds.len())) {
            return false;
        }
        for (number, bound) in rounds.into_iter().enumerate().rev() {
            let inner = self.inner(ctx);
            self.set_bound(inner, bound);
            self.todo.push(if number == 0 {
                Work::Visit(body, inner)
            } else {
                Work::Again(body, Ctx { is_again: true, ..inner })
            });
        }
        true
    }

    /// `for … <- …, do: …`.
    pub(super) fn is_unrolled_for(&mut self, call: Call<'t>, ctx: Ctx) -> bool {
        let Some(body) = call.body() else { return false };
        let mut generators = Vec::new();
        for it in call.args() {
            match (it.operator(), it.child(0), it.child(1)) {
                ("<-", Some(pattern), Some(list)) => generators.push((pattern, list)),
                _ if it.is(Kind::Keywords) => {}
                // What a filter leaves is not known.
                _ => return false,
            }
        }
        self.is_unrolled(&generators, body, ctx)
    }

    /// `Enum.each(list, fn pattern -> … end)`.
    pub(super) fn is_unrolled_each(&mut self, list: At<'t>, fun: At<'t>, ctx: Ctx) -> bool {
        let mut clauses = fun.children();
        let (Some(clause), None) = (clauses.next(), clauses.next()) else { return false };
        let pattern = clause.child_of(Kind::Arguments).filter(|it| it.len() == 1);
        let body = clause.child_of(Kind::Body);
        let (Some(pattern), Some(body)) = (pattern.and_then(|it| it.child(0)), body) else {
            return false;
        };
        fun.is(Kind::AnonymousFunction) && self.is_unrolled(&[(pattern, list)], body, ctx)
    }

    fn is_paid(&mut self, n_nodes: usize) -> bool {
        let left = self.rounds_left.checked_sub(n_nodes);
        self.rounds_left = left.unwrap_or(self.rounds_left);
        left.is_some()
    }

    fn bind(&mut self, pattern: At<'t>, value: &Value, from: u32) -> Match {
        match (pattern.kind(), value) {
            (Kind::Identifier, _) => {
                let name = pattern.text();
                self.bound.push(Bound { before: from, name, value: value.clone() });
                Match::Bound(u32::try_from(self.bound.len()).unwrap_or(u32::MAX))
            }
            (Kind::Tuple, Value::Tuple(items)) if items.all.len() == pattern.len() => {
                let mut bound = from;
                for (it, value) in pattern.children().zip(items.all.iter()) {
                    match self.bind(it, value, bound) {
                        Match::Bound(it) => bound = it,
                        other => return other,
                    }
                }
                Match::Bound(bound)
            }
            (Kind::Tuple, Value::Tuple(_)) => Match::No,
            (Kind::Atom | Kind::Word, Value::Atom(it)) => {
                let is_it = pattern.atom() == Some(it);
                if is_it { Match::Bound(from) } else { Match::No }
            }
            (_, Value::Unknown) => Match::Bound(self.forget(pattern, from)),
            _ => Match::Unsure,
        }
    }

    /// All variables of a pattern have a value that nobody knows.
    fn forget(&mut self, pattern: At<'t>, from: u32) -> u32 {
        let mut bound = from;
        for it in pattern.all().filter(|it| it.is(Kind::Identifier)) {
            let before = std::mem::replace(&mut bound, 0);
            self.bound.push(Bound { before, name: it.text(), value: Value::Unknown });
            bound = u32::try_from(self.bound.len()).unwrap_or(u32::MAX);
        }
        bound
    }

    fn variable(&self, name: &str, from: u32) -> Value {
        let bound = |number: u32| self.bound.get(number.checked_sub(1)? as usize);
        let mut all = std::iter::successors(bound(from), |it| bound(it.before));
        let found = all.by_ref().take(BOUND_SEEN_MAX).find(|it| it.name == name);
        found.map_or(Value::Unknown, |it| it.value.clone())
    }

    fn value(&self, at: At<'t>, from: u32, depth: u8, ctx: Ctx) -> Value {
        let Some(deeper) = depth.checked_sub(1) else { return Value::Unknown };
        let value = |it: At<'t>| self.value(it, from, deeper, ctx);
        match at.kind() {
            Kind::Atom | Kind::Word | Kind::Keyword => {
                at.atom().map_or(Value::Unknown, Value::atom)
            }
            Kind::QuotedAtom | Kind::QuotedKeyword => {
                self.joined(at, from, deeper, ctx).map_or(Value::Unknown, |it| Value::atom(&it))
            }
            Kind::String => {
                self.joined(at, from, deeper, ctx).map_or(Value::Unknown, |it| Value::text(&it))
            }
            Kind::Integer => at.text().parse().map_or(Value::Unknown, Value::Number),
            Kind::Identifier => self.variable(at.text(), from),
            Kind::Tuple => Value::tuple(at.children().take(ITEMS_MAX + 1).map(value).collect()),
            Kind::List => self.list(at, from, deeper, ctx),
            Kind::Block if at.len() == 1 => at.child(0).map_or(Value::Unknown, value),
            Kind::Sigil => words(at),
            Kind::UnaryOperator if at.operator() == "@" => self.attribute_is(at, ctx),
            Kind::BinaryOperator => self.operation(at, from, deeper, ctx),
            Kind::Call => self.called(at, from, deeper, ctx),
            _ => Value::Unknown,
        }
    }

    /// The two functions that names go through most.
    fn called(&self, at: At<'t>, from: u32, depth: u8, ctx: Ctx) -> Value {
        let Some(call) = Call::of(at).filter(|it| it.arity() == 1) else { return Value::Unknown };
        let (Target::Remote(left, name), Some(argument)) = (call.target, call.arg(0)) else {
            return Value::Unknown;
        };
        match (left.text(), name.text(), self.value(argument, from, depth, ctx)) {
            ("String", "to_atom", Value::Text(it)) => Value::Atom(it),
            ("Enum", "with_index", Value::List(items)) => {
                let numbered = (0..).map(Value::Number).zip(items.all.iter());
                Value::list(
                    numbered.map(|(it, item)| Value::tuple(vec![item.clone(), it])).collect(),
                )
            }
            _ => Value::Unknown,
        }
    }

    fn attribute_is(&self, at: At<'t>, ctx: Ctx) -> Value {
        let name = at.child(0).and_then(|it| self.names.find(it.text()));
        let building = self.modules.get(ctx.module as usize);
        let value = name.zip(building).and_then(|(name, it)| it.lists.get(&name));
        value.cloned().unwrap_or(Value::Unknown)
    }

    fn list(&self, at: At<'t>, from: u32, depth: u8, ctx: Ctx) -> Value {
        let mut all = Vec::new();
        for it in at.children() {
            if all.len() > ITEMS_MAX {
                return Value::Unknown;
            }
            if it.operator() == "|" {
                return Value::Unknown;
            }
            if !it.is(Kind::Keywords) {
                all.push(self.value(it, from, depth, ctx));
                continue;
            }
            for pair in it.children().take(ITEMS_MAX) {
                let value = |it| pair.child(it).map(|it| self.value(it, from, depth, ctx));
                let pair = [value(0), value(1)].map(|it| it.unwrap_or(Value::Unknown));
                all.push(Value::tuple(pair.into()));
            }
        }
        Value::list(all)
    }

    fn operation(&self, at: At<'t>, from: u32, depth: u8, ctx: Ctx) -> Value {
        let (Some(left), Some(right)) = (at.child(0), at.child(1)) else { return Value::Unknown };
        if !matches!(at.operator(), "++" | "<>" | "..") {
            return Value::Unknown;
        }
        let value = |it: At<'t>| self.value(it, from, depth, ctx);
        match (at.operator(), value(left), value(right)) {
            ("++", Value::List(left), Value::List(right)) => {
                Value::list(left.all.iter().chain(right.all.iter()).cloned().collect())
            }
            ("<>", Value::Text(left), Value::Text(right)) => Value::text(&format!("{left}{right}")),
            ("..", Value::Number(first), Value::Number(last)) => {
                let numbers = (first..=last).take(ITEMS_MAX + 1).map(Value::Number);
                Value::list(numbers.collect())
            }
            _ => Value::Unknown,
        }
    }

    /// Text with what is interpolated in it.
    fn joined(&self, at: At<'t>, from: u32, depth: u8, ctx: Ctx) -> Option<String> {
        let mut joined = String::new();
        for piece in at.pieces()? {
            match piece {
                Ok(text) => joined.push_str(text),
                Err(inside) => match self.value(inside.child(0)?, from, depth, ctx) {
                    Value::Atom(it) | Value::Text(it) => joined.push_str(&it),
                    Value::Number(it) => joined.push_str(&it.to_string()),
                    Value::List(_) | Value::Tuple(_) | Value::Unknown => return None,
                },
            }
            if joined.len() > TEXT_BYTES_MAX {
                return None;
            }
        }
        Some(joined)
    }
}

/// `~w(a b)a` and `~w(a b)`.
fn words(at: At<'_>) -> Value {
    let (text, is_atoms) = match at.text().strip_suffix('a') {
        Some(it) => (it, true),
        None => (at.text(), false),
    };
    let inside = text.strip_prefix("~w").and_then(|it| it.get(1..it.len().checked_sub(1)?));
    let Some(inside) = inside.filter(|it| !it.contains("#{") && !it.contains('\\')) else {
        return Value::Unknown;
    };
    let word = |it: &str| if is_atoms { Value::atom(it) } else { Value::text(it) };
    Value::list(inside.split_whitespace().take(ITEMS_MAX + 1).map(word).collect())
}
