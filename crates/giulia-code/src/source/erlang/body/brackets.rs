//! What a bracket was, once it closes: a list of a length, a tuple that names a function, a call.

use super::{Body, Head, Kind, Mode, Open, Shape, Stage, Step};
use crate::source::{
    erlang::{
        calls::{self, Called},
        found::Made,
    },
    names::Name,
};

impl Body<'_> {
    /// A bracket closes.
    pub(super) fn close(&mut self, kind: Kind) -> Step {
        let top = self.top()?;
        let fits = match top.open {
            Open::Paren | Open::Call { .. } => kind == Kind::ParenClose,
            Open::List => kind == Kind::ListClose,
            Open::Tuple | Open::Map | Open::Record { .. } => kind == Kind::BraceClose,
            Open::Bin => kind == Kind::BinClose,
            _ => false,
        };
        if !fits {
            return Err("a bracket that nothing opened");
        }
        let shape = match top.open {
            Open::Paren if top.n == 1 => top.shapes.first().copied().unwrap_or_default(),
            Open::List => self.list(),
            Open::Tuple => self.tuple(),
            Open::Record { name, is_made } => {
                self.record(name, is_made);
                Shape::Other
            }
            Open::Call { callee, at } => {
                self.call(callee, at);
                Shape::Other
            }
            _ => Shape::Other,
        };
        self.pop_frame(shape)
    }

    pub(super) fn list(&self) -> Shape {
        let Some(top) = self.frames.last().filter(|it| !it.in_generators) else {
            return Shape::List(None);
        };
        if !top.has_tail {
            return Shape::List(Some(top.n));
        }
        let tail = top.shapes.get(top.n.saturating_sub(1) as usize);
        let len = tail.and_then(|it| self.len(*it)).and_then(|it| it.checked_add(top.n - 1));
        Shape::List(len)
    }

    /// A tuple may name a function, and a tuple of six may be a child of a supervisor.
    pub(super) fn tuple(&mut self) -> Shape {
        let Some(top) = self.frames.last().filter(|it| it.mode == Mode::Value) else {
            return Shape::Other;
        };
        let at = self.tokens.get(top.at).copied();
        match (top.n, top.shapes, at) {
            (2, [Shape::Atom(one), Shape::Atom(other), ..], _) => Shape::Pair(one, other),
            (3, [Shape::Atom(module), Shape::Atom(name), list, ..], Some(at)) => {
                let Some(arity) = self.len(list) else { return Shape::Other };
                calls::names_function(self.found, (module, name), arity, at);
                Shape::Mfa(self.found.refs.len().saturating_sub(1))
            }
            (6, [_, Shape::Mfa(place), ..], _) => {
                if let Some(it) = self.found.refs.get_mut(place) {
                    calls::is_child(it);
                }
                Shape::Other
            }
            _ => Shape::Other,
        }
    }

    pub(super) fn record(&mut self, record: Name, is_made: bool) {
        let Some(top) = self.frames.last_mut() else { return };
        let at = self.tokens.get(top.at).copied();
        let (Some(at), true, Mode::Value, false) = (at, is_made, top.mode, top.is_all_given) else {
            return;
        };
        let start = self.found.fields.len();
        self.found.fields.append(&mut top.fields);
        let given = start..self.found.fields.len();
        self.found.made.push(Made { record, given, at });
    }

    pub(super) fn call(&mut self, callee: Shape, at: usize) {
        let Some(top) = self.frames.last() else { return };
        let (n, mode, refs_start) = (top.n, top.mode, top.refs_start);
        let shapes = top.shapes.map(|it| self.len(it).map_or(it, |len| Shape::List(Some(len))));
        let around = self.frames.len().checked_sub(2).and_then(|it| self.frames.get(it));
        let is_head = around.is_some_and(|it| it.open == Open::Function && it.stage == Stage::Head);
        if let (true, Shape::Atom(name), None) = (is_head, callee, self.head) {
            self.head = Some(Head { name, arity: n });
        }
        let Some(token) = self.tokens.get(at).copied() else { return };
        if mode == Mode::Pattern {
            return;
        }
        let has_match_specs = self.context.has_match_specs;
        if has_match_specs && calls::is_match_spec(self.context.names, callee) {
            self.found.refs.truncate(refs_start);
            return;
        }
        let told = Called { callee, arity: n, arguments: &shapes, at: token };
        calls::call(self.context.names, &told, self.found);
    }
}
