//! How hard a function is to follow, from the tree alone.
//!
//! Cyclomatic: one way, one more for each further clause of the function, of `case`, `cond`,
//! `receive`, `fn`, `else`; for each clause of `rescue` and `catch`, `after` of `receive`, `if`,
//! `unless`, `<-` in `with`, `for`, and each `and`, `or`, `&&`, `||`.
//! Cognitive: `if`, `unless`, `case`, `cond`, `for`, `with`, `try`, `receive` cost one and one
//! more for each of them around; `cond` one for each further clause; each `and`, `or`, `&&`,
//! `||` and each `fn` one, and what is in a `fn` begins at no depth again. A `def` with
//! `rescue`, `catch`, `else` or `after` is a `try`. Heads, guards and what is quoted cost nothing.
//! Nesting: how many of these and of `fn` stand inside each other.

use super::{
    super::Complexity,
    call::{Call, Target},
    tree::{At, Kind},
};

/// What is still to be counted.
#[derive(Clone, Copy)]
struct Todo<'t> {
    at: At<'t>,
    depth: u32,
    nested: u32,
    /// Inside of a quote; only what is unquoted counts.
    is_quoted: bool,
}

/// The sum over the bodies of a function's clauses, without the clauses themselves.
pub(super) fn of_body(body: At<'_>, is_block: bool) -> Complexity {
    let mut sum = Complexity::default();
    let mut todo = Vec::new();
    let top = Todo { at: body, depth: 0, nested: 0, is_quoted: false };
    if is_block && is_try(body) {
        enter(&mut sum, top);
        block(body, Inside::of(top), &mut sum, &mut todo);
    } else if is_block {
        todo.extend(body.children().map(|at| Todo { at, ..top }));
    } else {
        todo.push(top);
    }
    while let Some(it) = todo.pop() {
        node(it, &mut sum, &mut todo);
    }
    sum
}

/// The depth within a construct.
#[derive(Clone, Copy)]
struct Inside {
    depth: u32,
    nested: u32,
}

impl Inside {
    fn of(around: Todo<'_>) -> Self {
        Self { depth: around.depth.saturating_add(1), nested: around.nested.saturating_add(1) }
    }

    fn todo(self, at: At<'_>) -> Todo<'_> {
        Todo { at, depth: self.depth, nested: self.nested, is_quoted: false }
    }
}

fn enter(sum: &mut Complexity, it: Todo<'_>) {
    sum.cognitive = sum.cognitive.saturating_add(1).saturating_add(it.depth);
    sum.nesting_max = sum.nesting_max.max(it.nested.saturating_add(1));
}

fn is_try(block: At<'_>) -> bool {
    block.children().any(|it| is_section(it.kind()))
}

fn is_section(kind: Kind) -> bool {
    matches!(kind, Kind::AfterBlock | Kind::CatchBlock | Kind::ElseBlock | Kind::RescueBlock)
}

fn node<'t>(it: Todo<'t>, sum: &mut Complexity, todo: &mut Vec<Todo<'t>>) {
    let at = it.at;
    if let Some(call) = Call::of(at) {
        return call_node(call, it, sum, todo);
    }
    match at.kind() {
        Kind::BinaryOperator if !it.is_quoted => {
            if matches!(at.operator(), "and" | "or" | "&&" | "||") {
                sum.cyclomatic = sum.cyclomatic.saturating_add(1);
                sum.cognitive = sum.cognitive.saturating_add(1);
            }
            todo.extend(at.children().map(|at| Todo { at, ..it }));
        }
        Kind::AnonymousFunction if !it.is_quoted => {
            let nested = it.nested.saturating_add(1);
            sum.cognitive = sum.cognitive.saturating_add(1);
            sum.nesting_max = sum.nesting_max.max(nested);
            let inside = Inside { depth: 0, nested };
            clauses(at, inside, Extra::Further, sum, todo);
        }
        Kind::StabClause if !it.is_quoted => {
            // Of a macro's block: its head counts as little as that of a `case`.
            todo.extend(at.child_of(Kind::Body).map(|at| Todo { at, ..it }));
        }
        _ => todo.extend(at.children().map(|at| Todo { at, ..it })),
    }
}

fn call_node<'t>(call: Call<'t>, it: Todo<'t>, sum: &mut Complexity, todo: &mut Vec<Todo<'t>>) {
    let name = if call.arguments.is_some() || call.block.is_some() { call.local() } else { "" };
    if it.is_quoted {
        let is_quoted = !matches!(name, "unquote" | "unquote_splicing");
        return todo.extend(it.at.children().map(|at| Todo { at, is_quoted, ..it }));
    }
    match name {
        "quote" => {
            todo.extend(call.args().map(|at| Todo { at, is_quoted: !is_options(call, at), ..it }));
            todo.extend(call.block.map(|at| Todo { at, is_quoted: true, ..it }));
        }
        "if" | "unless" | "for" => {
            sum.cyclomatic = sum.cyclomatic.saturating_add(1);
            construct(call, it, sum, todo);
        }
        "with" => {
            let ways = call.args().filter(|it| it.operator() == "<-").count();
            sum.cyclomatic = sum.cyclomatic.saturating_add(u32::try_from(ways).unwrap_or(0));
            construct(call, it, sum, todo);
        }
        "case" | "cond" | "try" | "receive" => construct(call, it, sum, todo),
        _ => {
            if let Target::Remote(left, _) | Target::Value(left) | Target::Call(left) = call.target
            {
                todo.push(Todo { at: left, ..it });
            }
            todo.extend(call.arguments.map(|at| Todo { at, ..it }));
            todo.extend(call.block.map(|at| Todo { at, ..it }));
        }
    }
}

/// Whether an argument of `quote` is evaluated: its options, beside a block or a body.
fn is_options(call: Call<'_>, argument: At<'_>) -> bool {
    let is_last = call.args().last().is_some_and(|it| it.index() == argument.index());
    call.block.is_some() || !is_last
}

fn construct<'t>(call: Call<'t>, it: Todo<'t>, sum: &mut Complexity, todo: &mut Vec<Todo<'t>>) {
    let name = call.local();
    enter(sum, it);
    let inside = Inside::of(it);
    for argument in call.args() {
        if argument.is(Kind::Keywords) && call.block.is_none() {
            for pair in argument.children() {
                let key = pair.child(0).and_then(At::atom).unwrap_or_default();
                let Some(value) = pair.child(1) else { continue };
                section(name, key, (value, inside), (sum, todo));
            }
        } else {
            todo.push(inside.todo(argument));
        }
    }
    if let Some(body) = call.block {
        if name == "cond" {
            clauses(body, inside, Extra::Cond, sum, todo);
        } else {
            block(body, inside, sum, todo);
        }
    }
}

/// A section that is written as `do: …`.
fn section<'t>(
    word: &str,
    key: &str,
    (value, inside): (At<'t>, Inside),
    (sum, todo): (&mut Complexity, &mut Vec<Todo<'t>>),
) {
    let extra = match key {
        "do" | "else" if word == "cond" => Extra::Cond,
        "do" | "else" => Extra::Further,
        "rescue" | "catch" | "after" => Extra::Each,
        _ => return todo.push(inside.todo(value)),
    };
    if value.is(Kind::Block) && value.child(0).is_some_and(|it| it.is(Kind::StabClause)) {
        clauses(value, inside, extra, sum, todo);
    } else {
        todo.push(inside.todo(value));
    }
}

/// What a clause beyond the first costs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extra {
    Further,
    Each,
    Cond,
}

/// A block with its sections.
fn block<'t>(body: At<'t>, inside: Inside, sum: &mut Complexity, todo: &mut Vec<Todo<'t>>) {
    clauses(body, inside, Extra::Further, sum, todo);
    for section in body.children().filter(|it| is_section(it.kind())) {
        let extra = match section.kind() {
            // `after` of `receive` has a clause: its one more way.
            Kind::RescueBlock | Kind::CatchBlock | Kind::AfterBlock => Extra::Each,
            _ => Extra::Further,
        };
        clauses(section, inside, extra, sum, todo);
    }
}

/// The clauses of a section, or its statements.
fn clauses<'t>(
    section: At<'t>,
    inside: Inside,
    extra: Extra,
    sum: &mut Complexity,
    todo: &mut Vec<Todo<'t>>,
) {
    let mut n_clauses = 0_u32;
    for it in section.children().filter(|it| !is_section(it.kind())) {
        if !it.is(Kind::StabClause) {
            todo.push(inside.todo(it));
            continue;
        }
        n_clauses = n_clauses.saturating_add(1);
        todo.extend(it.child_of(Kind::Body).map(|it| inside.todo(it)));
        // The condition of a `cond` is an expression; the head of any other clause is none.
        if extra == Extra::Cond {
            let head = it.child(0).filter(|it| !it.is(Kind::Body));
            todo.extend(head.map(|it| inside.todo(it)));
        }
    }
    let ways = if extra == Extra::Each { n_clauses } else { n_clauses.saturating_sub(1) };
    sum.cyclomatic = sum.cyclomatic.saturating_add(ways);
    if extra == Extra::Cond {
        sum.cognitive = sum.cognitive.saturating_add(n_clauses.saturating_sub(1));
    }
}
