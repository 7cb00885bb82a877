//! What `-if` and `-elif` decide, as far as it can be known without a compiler.

use super::lex::{Kind, Token};
use crate::source::names::{Name, Names};

/// A value of such an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    Int(i64),
    Atom(Name),
    /// Something else, or something that only the compiler knows.
    Unknown,
}

/// An operator that waits for its right side.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    operator: Operator,
    precedence: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Open,
    Negate,
    Not,
    AndAlso,
    OrElse,
    Other(Name),
    Plus,
    Minus,
    Unknown,
}

/// Whether a condition holds; none when it cannot be told.
///
/// Two stacks instead of recursion, so that it may nest as deep as it likes.
pub(super) fn holds(
    tokens: &[Token],
    names: &mut Names,
    is_defined: &dyn Fn(Name) -> bool,
) -> Option<bool> {
    let words = Words { yes: names.add("true"), no: names.add("false") };
    let defined = names.add("defined");
    let mut run = Run { values: Vec::new(), waiting: Vec::new(), names: &*names, words };
    let mut rest = tokens.iter();
    let mut wants_operand = true;
    while let Some(token) = rest.next() {
        match (token.kind, wants_operand) {
            (Kind::Dot, _) => break,
            (Kind::ParenOpen, true) => run.wait(Operator::Open, 0),
            (Kind::ParenClose, false) => run.close()?,
            (Kind::Minus, true) => run.wait(Operator::Negate, 9),
            (Kind::Plus, true) => {}
            (Kind::Prefix, true) => run.wait(Operator::Not, 9),
            (Kind::Int, true) => run.values.push(Value::Int(i64::from(token.int))),
            (Kind::Atom, true) => {
                let value = match rest.as_slice() {
                    [open, name, close, ..]
                        if token.name == Some(defined) && open.kind == Kind::ParenOpen =>
                    {
                        let it = name.name.filter(|_| close.kind == Kind::ParenClose)?;
                        rest.nth(2);
                        Value::Atom(run.words.of(is_defined(it)))
                    }
                    [open, ..] if open.kind == Kind::ParenOpen => {
                        skip_call(&mut rest);
                        Value::Unknown
                    }
                    _ => token.name.map_or(Value::Unknown, Value::Atom),
                };
                run.values.push(value);
            }
            (_, true) => run.values.push(Value::Unknown),
            (_, false) => {
                let (operator, precedence) = run.operator(token);
                run.reduce(precedence)?;
                run.wait(operator, precedence);
            }
        }
        wants_operand = match token.kind {
            Kind::ParenClose => false,
            Kind::ParenOpen | Kind::Minus | Kind::Plus | Kind::Prefix => true,
            _ => !wants_operand,
        };
    }
    run.reduce(1)?;
    match run.values.as_slice() {
        [Value::Atom(it)] if *it == words.yes => Some(true),
        [Value::Atom(it)] if *it == words.no => Some(false),
        _ => None,
    }
}

/// Goes over the arguments of a call.
fn skip_call(rest: &mut std::slice::Iter<'_, Token>) {
    let mut depth = 0_usize;
    for token in rest.by_ref() {
        match token.kind {
            Kind::ParenOpen => depth += 1,
            Kind::ParenClose if depth <= 1 => return,
            Kind::ParenClose => depth -= 1,
            _ => {}
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Words {
    yes: Name,
    no: Name,
}

impl Words {
    fn of(self, it: bool) -> Name {
        if it { self.yes } else { self.no }
    }
}

struct Run<'n> {
    values: Vec<Value>,
    waiting: Vec<Waiting>,
    names: &'n Names,
    words: Words,
}

impl Run<'_> {
    fn wait(&mut self, operator: Operator, precedence: u8) {
        self.waiting.push(Waiting { operator, precedence });
    }

    fn operator(&self, token: &Token) -> (Operator, u8) {
        match token.kind {
            Kind::OrElse => (Operator::OrElse, 2),
            Kind::AndAlso => (Operator::AndAlso, 3),
            Kind::Plus => (Operator::Plus, 5),
            Kind::Minus => (Operator::Minus, 5),
            Kind::Operator => {
                let Some(name) = token.name else { return (Operator::Unknown, 1) };
                let precedence = match self.names.get(name) {
                    "*" | "div" | "rem" | "band" | "and" => 6,
                    "bor" | "bxor" | "bsl" | "bsr" | "or" | "xor" => 5,
                    _ => 4,
                };
                (Operator::Other(name), precedence)
            }
            _ => (Operator::Unknown, 1),
        }
    }

    /// Works out all that binds at least as tightly.
    fn reduce(&mut self, precedence: u8) -> Option<()> {
        while let Some(it) = self.waiting.pop_if(|it| it.precedence >= precedence) {
            let right = self.values.pop()?;
            let value = match it.operator {
                Operator::Negate => match right {
                    Value::Int(it) => Value::Int(it.checked_neg()?),
                    it @ (Value::Atom(_) | Value::Unknown) => it,
                },
                Operator::Not => self.bool(self.truth(right).map(|it| !it)),
                operator => {
                    let left = self.values.pop()?;
                    self.binary(operator, left, right)
                }
            };
            self.values.push(value);
        }
        Some(())
    }

    fn close(&mut self) -> Option<()> {
        self.reduce(1)?;
        let open = self.waiting.pop()?;
        (open.operator == Operator::Open).then_some(())
    }

    fn truth(&self, value: Value) -> Option<bool> {
        match value {
            Value::Atom(it) if it == self.words.yes => Some(true),
            Value::Atom(it) if it == self.words.no => Some(false),
            Value::Atom(_) | Value::Int(_) | Value::Unknown => None,
        }
    }

    fn bool(&self, it: Option<bool>) -> Value {
        it.map_or(Value::Unknown, |it| Value::Atom(self.words.of(it)))
    }

    fn binary(&self, operator: Operator, left: Value, right: Value) -> Value {
        let (one, other) = (self.truth(left), self.truth(right));
        match operator {
            Operator::AndAlso => self.bool(match (one, other) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), it) => it,
                (None, _) => None,
            }),
            Operator::OrElse => self.bool(match (one, other) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), it) => it,
                (None, _) => None,
            }),
            Operator::Plus | Operator::Minus => match (left, right) {
                (Value::Int(left), Value::Int(right)) => {
                    let sum = if operator == Operator::Plus {
                        left.checked_add(right)
                    } else {
                        left.checked_sub(right)
                    };
                    sum.map_or(Value::Unknown, Value::Int)
                }
                _ => Value::Unknown,
            },
            Operator::Other(name) => self.named(self.names.get(name), left, right),
            Operator::Open | Operator::Negate | Operator::Not | Operator::Unknown => Value::Unknown,
        }
    }

    fn named(&self, name: &str, left: Value, right: Value) -> Value {
        if let (Some(one), Some(other)) = (self.truth(left), self.truth(right)) {
            match name {
                "and" => return self.bool(Some(one && other)),
                "or" => return self.bool(Some(one || other)),
                "xor" => return self.bool(Some(one != other)),
                _ => {}
            }
        }
        let order = match (left, right) {
            (Value::Int(left), Value::Int(right)) => Some(left.cmp(&right)),
            // Numbers come before atoms.
            (Value::Int(_), Value::Atom(_)) => Some(std::cmp::Ordering::Less),
            (Value::Atom(_), Value::Int(_)) => Some(std::cmp::Ordering::Greater),
            (Value::Atom(left), Value::Atom(right)) => {
                Some(self.names.get(left).cmp(self.names.get(right)))
            }
            _ => None,
        };
        let Some(order) = order else { return Value::Unknown };
        self.bool(match name {
            "==" | "=:=" => Some(order.is_eq()),
            "/=" | "=/=" => Some(order.is_ne()),
            ">" => Some(order.is_gt()),
            ">=" => Some(order.is_ge()),
            "<" => Some(order.is_lt()),
            "=<" => Some(order.is_le()),
            _ => None,
        })
    }
}
