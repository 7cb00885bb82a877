//! Words to guards: what must hold for the arguments.
//!
//! Precedence and associativity are those of the two languages:
//! <https://www.erlang.org/doc/system/expressions.html#operator-precedence>,
//! <https://hexdocs.pm/elixir/operators.html>.

#![expect(clippy::wildcard_enum_match_arm, reason = "all words that do not fit are alike")]

use super::{
    Guard, Literal,
    lex::{Kind, Problem},
    parse::Parser,
};

/// How strongly an operator binds, and its name in a match specification.
type Operator = (u8, &'static str);

/// Strength of `in`, which has no name there.
const IN: u8 = 5;
const COMPARISON: u8 = 3;
const TIMES: u8 = 7;

/// Functions that both languages have under one name, with the same arguments.
const FUNCTIONS: &[(&str, usize)] = &[
    ("is_atom", 1),
    ("is_binary", 1),
    ("is_bitstring", 1),
    ("is_boolean", 1),
    ("is_float", 1),
    ("is_function", 1),
    ("is_function", 2),
    ("is_integer", 1),
    ("is_list", 1),
    ("is_map", 1),
    ("is_number", 1),
    ("is_pid", 1),
    ("is_port", 1),
    ("is_reference", 1),
    ("is_tuple", 1),
    ("abs", 1),
    ("binary_part", 3),
    ("bit_size", 1),
    ("byte_size", 1),
    ("ceil", 1),
    ("floor", 1),
    ("hd", 1),
    ("length", 1),
    ("map_size", 1),
    ("node", 0),
    ("node", 1),
    ("round", 1),
    ("self", 0),
    ("tl", 1),
    ("trunc", 1),
    ("tuple_size", 1),
];

const ERLANG_FUNCTIONS: &[(&str, usize)] = &[
    ("element", 2),
    ("float", 1),
    ("is_map_key", 2),
    ("is_record", 3),
    ("map_get", 2),
    ("max", 2),
    ("min", 2),
    ("size", 1),
];

/// Operators that Elixir writes as functions.
const ELIXIR_FUNCTIONS: &[(&str, usize)] = &[
    ("band", 2),
    ("bnot", 1),
    ("bor", 2),
    ("bsl", 2),
    ("bsr", 2),
    ("bxor", 2),
    ("div", 2),
    ("rem", 2),
];

/// Everything after `when`: alternatives, one of which must hold.
pub(super) fn guards(parser: &mut Parser) -> Result<Vec<Guard>, Problem> {
    let mut alternatives = Vec::new();
    loop {
        let mut whole = expression(parser, 0)?;
        while !parser.is_elixir() && parser.take(",") {
            whole = Guard::Call("andalso", vec![whole, expression(parser, 0)?]);
        }
        alternatives.push(whole);
        let more = if parser.is_elixir() { parser.word_is("when") } else { parser.take(";") };
        if !more {
            break;
        }
    }
    match parser.peek() {
        Kind::End => Ok(alternatives),
        Kind::Mark("&&" | "||" | "!") => {
            parser.problem("a guard takes `and`, `or` and `not` in place of `&&`, `||` and `!`")
        }
        Kind::Mark("<=") => parser.problem("Erlang writes this `=<`"),
        Kind::Mark("=") => parser.problem("a comparison is written `==`"),
        _ => parser.problem("an operator is missing here, or the guard should have ended"),
    }
}

/// An expression whose operators bind at least so strongly.
fn expression(parser: &mut Parser, least: u8) -> Result<Guard, Problem> {
    parser.deeper(|parser| {
        let mut left = unary(parser)?;
        // Erlang's comparisons do not chain.
        let mut is_compared = false;
        loop {
            if parser.is_elixir() && least <= IN {
                if parser.word_is("in") {
                    left = membership(parser, left)?;
                    continue;
                }
                if matches!(parser.peek(), Kind::Word(it) if it == "not") {
                    let is_in = matches!(parser.peek_second(), Kind::Word(it) if it == "in");
                    if is_in && parser.word_is("not") && parser.word_is("in") {
                        left = Guard::Call("not", vec![membership(parser, left)?]);
                        continue;
                    }
                }
            }
            let Some((strength, name)) = operator(parser).filter(|it| it.0 >= least) else {
                return Ok(left);
            };
            if !parser.is_elixir() && strength == COMPARISON {
                if is_compared {
                    return parser.problem("comparisons do not chain; use parentheses");
                }
                is_compared = true;
            }
            drop(parser.next());
            let right = expression(parser, strength + 1)?;
            left = Guard::Call(name, vec![left, right]);
        }
    })
}

/// The operator that comes next.
fn operator(parser: &Parser) -> Option<Operator> {
    let word = match parser.peek() {
        Kind::Mark(it) => *it,
        Kind::Word(it) => it.as_str(),
        _ => return None,
    };
    let both = match word {
        "+" => Some((6, "+")),
        "-" => Some((6, "-")),
        "*" => Some((TIMES, "*")),
        "/" => Some((TIMES, "/")),
        _ => None,
    };
    both.or(if parser.is_elixir() { elixir(word) } else { erlang(word) })
}

fn elixir(word: &str) -> Option<Operator> {
    Some(match word {
        "or" => (1, "orelse"),
        "and" => (2, "andalso"),
        "==" => (COMPARISON, "=="),
        "!=" => (COMPARISON, "/="),
        "===" => (COMPARISON, "=:="),
        "!==" => (COMPARISON, "=/="),
        "<" => (4, "<"),
        ">" => (4, ">"),
        "<=" => (4, "=<"),
        ">=" => (4, ">="),
        _ => return None,
    })
}

fn erlang(word: &str) -> Option<Operator> {
    Some(match word {
        "orelse" => (1, "orelse"),
        "andalso" => (2, "andalso"),
        "==" => (COMPARISON, "=="),
        "/=" => (COMPARISON, "/="),
        "=:=" => (COMPARISON, "=:="),
        "=/=" => (COMPARISON, "=/="),
        "<" => (COMPARISON, "<"),
        ">" => (COMPARISON, ">"),
        "=<" => (COMPARISON, "=<"),
        ">=" => (COMPARISON, ">="),
        "bor" => (6, "bor"),
        "bxor" => (6, "bxor"),
        "bsl" => (6, "bsl"),
        "bsr" => (6, "bsr"),
        "or" => (6, "or"),
        "xor" => (6, "xor"),
        "div" => (TIMES, "div"),
        "rem" => (TIMES, "rem"),
        "band" => (TIMES, "band"),
        "and" => (TIMES, "and"),
        _ => return None,
    })
}

fn unary(parser: &mut Parser) -> Result<Guard, Problem> {
    let name = match parser.peek() {
        Kind::Mark("-") => "-",
        Kind::Mark("+") => "+",
        Kind::Mark("!") => {
            return parser.problem("a guard takes `not` in place of `!`");
        }
        Kind::Word(it) if it == "not" => "not",
        Kind::Word(it) if it == "bnot" && !parser.is_elixir() => "bnot",
        _ => return field(parser),
    };
    drop(parser.next());
    let of = parser.deeper(unary)?;
    Ok(match of {
        Guard::Literal(Literal::Integer(it)) if name == "-" => {
            Guard::Literal(Literal::Integer(-it))
        }
        Guard::Literal(Literal::Float(it)) if name == "-" => Guard::Literal(Literal::Float(-it)),
        of => Guard::Call(name, vec![of]),
    })
}

/// A value, and `.key` of Elixir's maps after it.
fn field(parser: &mut Parser) -> Result<Guard, Problem> {
    let mut of = primary(parser)?;
    while parser.is_elixir() && parser.take(".") {
        let Kind::Word(key) = parser.next() else {
            return parser.problem_before("a key is missing after the dot");
        };
        of = Guard::Call("map_get", vec![atom(&key), of]);
    }
    Ok(of)
}

fn primary(parser: &mut Parser) -> Result<Guard, Problem> {
    let is_elixir = parser.is_elixir();
    match parser.next() {
        Kind::Variable(name) => variable(parser, &name),
        Kind::Word(name) if parser.is("(") => function(parser, &name),
        Kind::Word(name) if is_elixir => variable(parser, &name),
        Kind::Atom(name) if name.starts_with("Elixir.") && parser.is(".") => {
            parser.problem("only functions that the VM allows in guards, without a module")
        }
        Kind::Mark("(") => {
            let inside = expression(parser, 0)?;
            parser.expect(")")?;
            Ok(inside)
        }
        Kind::Mark("{") => Ok(Guard::Tuple(expressions(parser, "}")?)),
        Kind::Mark("[") => list(parser),
        Kind::Mark("%{" | "#{" | "%" | "#") => parser.problem_before(
            "no maps are built in a guard; ask for a key in the pattern, or with map_get",
        ),
        kind => Ok(Guard::Literal(parser.simple(kind, "a value")?)),
    }
}

fn variable(parser: &mut Parser, name: &str) -> Result<Guard, Problem> {
    match parser.bound(name) {
        Some(number) => Ok(Guard::Variable(number)),
        None if name == "_" => parser.problem_before("`_` has no value; name the argument"),
        None => parser.problem_before(format!("no argument is called `{name}`")),
    }
}

/// Expressions up to a mark, which is taken.
fn expressions(parser: &mut Parser, end: &str) -> Result<Vec<Guard>, Problem> {
    let mut found = Vec::new();
    if parser.take(end) {
        return Ok(found);
    }
    loop {
        found.push(expression(parser, 0)?);
        if parser.take(end) {
            return Ok(found);
        }
        if !parser.take(",") {
            return parser.problem(format!("`,` or `{end}` is missing here"));
        }
    }
}

fn list(parser: &mut Parser) -> Result<Guard, Problem> {
    let mut parts = Vec::new();
    if parser.take("]") {
        return Ok(Guard::List(parts, None));
    }
    loop {
        parts.push(expression(parser, 0)?);
        if parser.take("]") {
            return Ok(Guard::List(parts, None));
        }
        if parser.take("|") {
            let tail = expression(parser, 0)?;
            parser.expect("]")?;
            return Ok(Guard::List(parts, Some(Box::new(tail))));
        }
        if !parser.take(",") {
            return parser.problem("`,`, `|` or `]` is missing here");
        }
    }
}

/// A guard function; its name was taken.
fn function(parser: &mut Parser, name: &str) -> Result<Guard, Problem> {
    let column_of_name = parser.problem_before::<()>("").err();
    drop(parser.next());
    parser.expect("(")?;
    let mut args = expressions(parser, ")")?;
    let arity = args.len();
    let of_both = FUNCTIONS.iter();
    let own = if parser.is_elixir() { ELIXIR_FUNCTIONS } else { ERLANG_FUNCTIONS };
    if let Some((found, _)) = of_both.chain(own).find(|it| **it == (name, arity)) {
        return Ok(Guard::Call(found, args));
    }
    let first = args.first().cloned();
    match (parser.is_elixir(), name, arity, first) {
        (true, "is_map_key", 2, _) => {
            args.reverse();
            return Ok(Guard::Call("is_map_key", args));
        }
        (true, "elem", 2, _) => return Ok(elem(args)),
        (true, "is_nil", 1, Some(of)) => return Ok(Guard::Call("=:=", vec![of, atom("nil")])),
        (true, "is_struct", 1 | 2, Some(of)) => return Ok(is_struct(of, args.pop(), arity)),
        _ => {}
    }
    let why = if name == "is_record" {
        "records are not known here; write is_record(X, name, size)".to_owned()
    } else {
        format!("{name}/{arity} is not allowed in a guard before a call")
    };
    Err(Problem { column: column_of_name.map_or(1, |it| it.column), why })
}

/// Elixir counts elements from 0.
fn elem(mut args: Vec<Guard>) -> Guard {
    let index = match args.pop() {
        Some(Guard::Literal(Literal::Integer(it))) => {
            Guard::Literal(Literal::Integer(it.saturating_add(1)))
        }
        Some(it) => Guard::Call("+", vec![it, Guard::Literal(Literal::Integer(1))]),
        None => Guard::Literal(Literal::Integer(1)),
    };
    args.insert(0, index);
    Guard::Call("element", args)
}

fn is_struct(of: Guard, name: Option<Guard>, arity: usize) -> Guard {
    let key = || atom("__struct__");
    let value = Guard::Call("map_get", vec![key(), of.clone()]);
    let is_map = Guard::Call("is_map", vec![of.clone()]);
    let has_key = Guard::Call("is_map_key", vec![key(), of]);
    let test = match name.filter(|_| arity == 2) {
        Some(name) => Guard::Call("=:=", vec![value, name]),
        None => Guard::Call("is_atom", vec![value]),
    };
    Guard::Call("andalso", vec![is_map, Guard::Call("andalso", vec![has_key, test])])
}

/// What follows `in`: a list or a range, written out.
fn membership(parser: &mut Parser, of: Guard) -> Result<Guard, Problem> {
    let first = parser.peek().clone();
    if first == Kind::Mark("[") {
        drop(parser.next());
        let parts = expressions(parser, "]")?;
        let equal = |it: Guard| Guard::Call("=:=", vec![of.clone(), it]);
        let tests = parts.into_iter().map(equal);
        let any = tests.reduce(|left, right| Guard::Call("orelse", vec![left, right]));
        return Ok(any.unwrap_or(atom("false")));
    }
    let bound = |parser: &mut Parser| match expression(parser, IN + 1)? {
        it @ (Guard::Literal(Literal::Integer(_)) | Guard::Variable(_)) => Ok(it),
        _ => parser.problem_before("a range of integers is meant, e.g. 1..10"),
    };
    let from = bound(parser)?;
    if !parser.take("..") {
        return parser.problem("a list or a range follows `in`: [1, 2] or 1..10");
    }
    let to = bound(parser)?;
    let is_integer = Guard::Call("is_integer", vec![of.clone()]);
    let above = Guard::Call(">=", vec![of.clone(), from]);
    let below = Guard::Call("=<", vec![of, to]);
    Ok(Guard::Call("andalso", vec![is_integer, Guard::Call("andalso", vec![above, below])]))
}

fn atom(name: &str) -> Guard {
    Guard::Literal(Literal::Atom(name.to_owned()))
}
