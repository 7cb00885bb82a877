//! Patterns of calls as match specifications, which the VM itself tests before a call.
//!
//! <https://www.erlang.org/doc/apps/erts/match_spec.html>
//!
//! A pattern's variable becomes `'$1'`, `'$2'` and so on, at most twenty: a fixed vocabulary of
//! atoms. Guard functions that old releases lack are written in terms of those that they have, so
//! that a guard means on each OTP what its own compiler says, failure included; `tests/it/sample.rs`
//! compares both on real nodes.

use std::borrow::Cow;

use giulia_dist::term::{BigInt, Improper, Pid, Term};
use giulia_model::{CallPattern, Guard, Literal, Pattern};

use crate::ErtsVersion;

/// A compiled pattern of calls, still without a body.
#[derive(Debug, Clone, PartialEq)]
pub struct Heads {
    arguments: Vec<Term<'static>>,
    /// Which variable is a whole argument.
    variables: Vec<Option<usize>>,
    guards: Vec<Vec<Term<'static>>>,
}

/// Why the VM cannot be asked for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CannotCompile(String);

/// The first ERTS whose match specifications know all functions that guards know (OTP 26).
const ALL_FUNCTIONS: &[u32] = &[14];
/// The first that knows `binary_part` (OTP 24).
const BINARY_PART: &[u32] = &[12];

impl Heads {
    /// Those of a function with so many arguments, whatever they are.
    pub fn any(arity: usize) -> Self {
        let arguments = (0..arity).map(variable).collect();
        Self { arguments, variables: (0..arity).map(Some).collect(), guards: vec![Vec::new()] }
    }

    /// Those of a pattern.
    ///
    /// # Errors
    ///
    /// When this ERTS cannot be asked for it.
    pub fn compile(pattern: &CallPattern, erts: &ErtsVersion) -> Result<Self, CannotCompile> {
        let mut compiler = Compiler { erts, next: pattern.variables.len(), guards: Vec::new() };
        let (mut arguments, mut variables) = (Vec::new(), Vec::new());
        for argument in &pattern.arguments {
            let (head, whole) = match argument {
                Pattern::Variable(number) => (variable(*number), Some(*number)),
                Pattern::Any => {
                    let number = compiler.fresh();
                    (variable(number), Some(number))
                }
                it @ (Pattern::Literal(_)
                | Pattern::Tuple(_)
                | Pattern::List(..)
                | Pattern::Map(_)) => (compiler.pattern(it)?, None),
            };
            arguments.push(head);
            variables.push(whole);
        }
        let mut guards = Vec::new();
        for guard in &pattern.guards {
            let mut all = compiler.guards.clone();
            all.push(compiler.guard(guard)?);
            guards.push(all);
        }
        if guards.is_empty() {
            guards.push(compiler.guards);
        }
        Ok(Self { arguments, variables, guards })
    }

    /// How many arguments.
    pub fn arity(&self) -> usize {
        self.arguments.len()
    }

    /// The expression for an argument, counted from 0.
    pub fn argument(&self, index: usize) -> Term<'static> {
        if let Some(Some(number)) = self.variables.get(index) {
            return variable(*number);
        }
        let rest = (0..index).fold(Term::atom("$_"), |it, _| call("tl", [it]));
        call("hd", [rest])
    }

    /// The whole match specification, for everyone but these processes.
    pub fn with(&self, body: &[Term<'static>], except: &[Pid]) -> Term<'static> {
        let other = |pid: &Pid| {
            let pid = constant(Term::Pid(pid.clone()));
            call("=/=", [Term::tuple([Term::atom("self")]), pid])
        };
        let clause = |guards: &Vec<Term<'static>>| {
            Term::tuple([
                Term::list(self.arguments.iter().cloned()),
                Term::list(except.iter().map(other).chain(guards.iter().cloned())),
                Term::list(body.iter().cloned()),
            ])
        };
        Term::list(self.guards.iter().map(clause))
    }
}

struct Compiler<'a> {
    erts: &'a ErtsVersion,
    /// The number of the next variable that nobody named.
    next: usize,
    /// What must hold beside the user's guards.
    guards: Vec<Term<'static>>,
}

impl Compiler<'_> {
    fn fresh(&mut self) -> usize {
        self.next += 1;
        self.next - 1
    }

    fn pattern(&mut self, it: &Pattern) -> Result<Term<'static>, CannotCompile> {
        Ok(match it {
            Pattern::Any => Term::atom("_"),
            Pattern::Variable(number) => variable(*number),
            Pattern::Literal(it) => self.literal(it),
            Pattern::Tuple(parts) => Term::Tuple(self.patterns(parts)?),
            Pattern::List(parts, None) => Term::list(self.patterns(parts)?),
            Pattern::List(parts, Some(tail)) => {
                improper(self.patterns(parts)?, self.pattern(tail)?)
            }
            Pattern::Map(pairs) => {
                let mut compiled = Vec::new();
                for (key, value) in pairs {
                    if has_variable_atom(key) {
                        let why = "a map's key cannot be an atom like '_' or '$1' before a call";
                        return Err(CannotCompile(why.to_owned()));
                    }
                    compiled.push((term(key), self.pattern(value)?));
                }
                Term::Map(compiled)
            }
        })
    }

    fn patterns(&mut self, parts: &[Pattern]) -> Result<Vec<Term<'static>>, CannotCompile> {
        parts.iter().map(|it| self.pattern(it)).collect()
    }

    /// A value in a head. Atoms that mean something there are compared in a guard.
    fn literal(&mut self, it: &Literal) -> Term<'static> {
        if !has_variable_atom(it) {
            return term(it);
        }
        let place = variable(self.fresh());
        self.guards.push(call("=:=", [place.clone(), constant(term(it))]));
        place
    }

    fn guard(&self, it: &Guard) -> Result<Term<'static>, CannotCompile> {
        Ok(match it {
            Guard::Variable(number) => variable(*number),
            Guard::Literal(it) => constant(term(it)),
            // A tuple in a tuple, so that it is none that calls.
            Guard::Tuple(parts) => Term::tuple([Term::Tuple(self.guards(parts)?)]),
            Guard::List(parts, None) => Term::list(self.guards(parts)?),
            Guard::List(parts, Some(tail)) => improper(self.guards(parts)?, self.guard(tail)?),
            Guard::Call(name, args) => self.function(name, self.guards(args)?)?,
        })
    }

    fn guards(&self, parts: &[Guard]) -> Result<Vec<Term<'static>>, CannotCompile> {
        parts.iter().map(|it| self.guard(it)).collect()
    }

    fn function(
        &self,
        name: &'static str,
        args: Vec<Term<'static>>,
    ) -> Result<Term<'static>, CannotCompile> {
        let wanted: Option<(&[u32], u32)> = match (name, args.len()) {
            ("floor" | "ceil" | "max" | "min", _) | ("is_function", 2) => Some((ALL_FUNCTIONS, 26)),
            ("binary_part", _) => Some((BINARY_PART, 24)),
            _ => None,
        };
        if let Some((_, otp)) = wanted.filter(|(first, _)| !self.erts.at_least(first)) {
            return Err(CannotCompile(format!(
                "{name}/{} is not allowed in a guard before a call on ERTS {}, only from OTP {otp} on",
                args.len(),
                self.erts
            )));
        }
        Ok(match (name, args.as_slice()) {
            ("is_boolean", [of]) => {
                let is = |value: &'static str| call("=:=", [of.clone(), Term::atom(value)]);
                call("orelse", [is("true"), is("false")])
            }
            // What is of no other type.
            ("is_bitstring", [of]) => {
                let others = [
                    "is_atom",
                    "is_number",
                    "is_list",
                    "is_tuple",
                    "is_map",
                    "is_pid",
                    "is_port",
                    "is_reference",
                    "is_function",
                ];
                let tests = others.map(|it| call(it, [of.clone()]));
                let any = [Term::atom("or")].into_iter().chain(tests);
                call("not", [Term::tuple(any)])
            }
            // Whole bytes, a last broken one included; fails for what has no bits.
            ("byte_size", [of]) => {
                let bits = call("+", [call("bit_size", [of.clone()]), Term::int(7)]);
                call("div", [bits, Term::int(8)])
            }
            // `false` has no size, so it fails for what is no tuple.
            ("tuple_size", [of]) => {
                let tuple = call("andalso", [call("is_tuple", [of.clone()]), of.clone()]);
                call("size", [tuple])
            }
            _ => Term::tuple([Term::atom(name)].into_iter().chain(args)),
        })
    }
}

/// `'$1'` for the first.
fn variable(number: usize) -> Term<'static> {
    Term::atom(format!("${}", number + 1))
}

/// A function of match specifications with its arguments.
pub(super) fn call<const N: usize>(name: &'static str, args: [Term<'static>; N]) -> Term<'static> {
    Term::tuple([Term::atom(name)].into_iter().chain(args))
}

/// A value that is not looked into.
pub(super) fn constant(it: Term<'static>) -> Term<'static> {
    if matches!(it, Term::Int(_) | Term::Big(_) | Term::Float(_) | Term::Binary(_)) {
        return it;
    }
    call("const", [it])
}

fn improper(elements: Vec<Term<'static>>, tail: Term<'static>) -> Term<'static> {
    if elements.is_empty() {
        return tail;
    }
    Term::Improper(Box::new(Improper { elements, tail }))
}

/// Whether an atom in it means a variable in a head: `'_'`, `'$0'`, and more to be safe.
fn has_variable_atom(it: &Literal) -> bool {
    match it {
        Literal::Atom(name) => name == "_" || name.starts_with('$'),
        Literal::Integer(_) | Literal::Float(_) | Literal::Binary(_) => false,
        Literal::Tuple(parts) | Literal::List(parts) => parts.iter().any(has_variable_atom),
    }
}

fn term(it: &Literal) -> Term<'static> {
    match it {
        Literal::Atom(name) => Term::atom(name.clone()),
        Literal::Integer(it) => integer(*it),
        Literal::Float(it) => Term::float(*it),
        Literal::Binary(bytes) => Term::binary(bytes.clone()),
        Literal::Tuple(parts) => Term::tuple(parts.iter().map(term)),
        Literal::List(parts) => Term::list(parts.iter().map(term)),
    }
}

fn integer(it: i128) -> Term<'static> {
    match i64::try_from(it) {
        Ok(it) => Term::Int(it),
        Err(_) => Term::Big(Box::new(BigInt {
            negative: it < 0,
            magnitude: Cow::Owned(it.unsigned_abs().to_le_bytes().to_vec()),
        })),
    }
}
