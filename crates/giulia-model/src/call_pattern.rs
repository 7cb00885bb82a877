//! Which calls somebody means: `Mod.fun(_, :error)`, `mod:fun(X, Y) when X > 10, is_binary(Y)`.
//!
//! Text to a tree, in Elixir's or Erlang's writing, whichever the name in front of the parentheses
//! is in. Only what the VM can decide before a call is taken: patterns of arguments and guards, as
//! both languages have them, without binaries that are taken apart, records and macros. What the
//! tree becomes on a node is no matter of this file.

mod guard;
mod lex;
mod parse;

use std::{collections::BTreeSet, fmt};

/// Longest text, in characters: a dozen times what a command line reasonably holds.
const TEXT_CHARS_MAX: usize = 4096;

/// Calls that somebody means.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CallPattern {
    /// The function as it was written, in front of the parentheses: `Mod.fun`.
    pub function: String,
    /// In which language the rest was read.
    pub writing: Writing,
    /// One for each argument.
    pub arguments: Vec<Pattern>,
    /// One of them must hold; none means that nothing is asked.
    pub guards: Vec<Guard>,
    /// Names of the variables, by their number.
    pub variables: Vec<String>,
}

/// A language's way of writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "whoever writes must know all")]
pub enum Writing {
    /// `Mod.fun(:error, "text")`.
    Elixir,
    /// `mod:fun(error, <<"text">>)`.
    Erlang,
}

/// What an argument, or a part of one, must look like.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "whoever compiles it must know all")]
pub enum Pattern {
    /// Anything.
    Any,
    /// Anything, with a number; where it stands again, the same.
    Variable(usize),
    /// Exactly this.
    Literal(Literal),
    /// A tuple of these.
    Tuple(Vec<Pattern>),
    /// A list that begins with these, with its tail where it is not the end.
    List(Vec<Pattern>, Option<Box<Pattern>>),
    /// A map that has at least these keys.
    Map(Vec<(Literal, Pattern)>),
}

/// A value as written.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "whoever compiles it must know all")]
pub enum Literal {
    /// An atom.
    Atom(String),
    /// An integer.
    Integer(i128),
    /// A float.
    Float(f64),
    /// A binary.
    Binary(Vec<u8>),
    /// A tuple.
    Tuple(Vec<Literal>),
    /// A proper list.
    List(Vec<Literal>),
}

/// An expression in a guard.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "whoever compiles it must know all")]
pub enum Guard {
    /// The variable of this number.
    Variable(usize),
    /// A value.
    Literal(Literal),
    /// A tuple.
    Tuple(Vec<Guard>),
    /// A list with its tail where it is not the end.
    List(Vec<Guard>, Option<Box<Guard>>),
    /// An operator or guard function under Erlang's name, with its arguments in Erlang's order.
    Call(&'static str, Vec<Guard>),
}

/// Why a text means no calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotACall {
    text: String,
    column: usize,
    why: String,
}

impl CallPattern {
    /// Reads a text; nothing when it names functions without saying which calls of them.
    ///
    /// # Errors
    ///
    /// When it begins like a call and is none that can be asked for; the column is told.
    pub fn parse(text: &str) -> Result<Option<Self>, NotACall> {
        let failed =
            |it: lex::Problem| NotACall { text: text.to_owned(), column: it.column, why: it.why };
        let chars: Vec<char> = text.chars().take(TEXT_CHARS_MAX + 1).collect();
        let Some(open) = arguments_begin(&chars) else { return Ok(None) };
        if chars.len() > TEXT_CHARS_MAX {
            let why = format!("longer than {TEXT_CHARS_MAX} characters");
            return Err(failed(lex::Problem { column: 1, why }));
        }
        let function: String = chars.iter().take(open).collect();
        let writing = writing_of(&function);
        let tokens = lex::tokens(&chars, open, writing).map_err(failed)?;
        let read = parse::call(tokens, writing).map_err(failed)?;
        let (arguments, guards, variables) = read;
        let function = function.trim().to_owned();
        Ok(Some(Self { function, writing, arguments, guards, variables }))
    }

    /// How many arguments.
    pub fn arity(&self) -> usize {
        self.arguments.len()
    }

    /// Every atom that it names: those that a node does not have cannot be in a call there.
    pub fn atoms(&self) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        for it in &self.arguments {
            it.atoms(&mut found);
        }
        for it in &self.guards {
            it.atoms(&mut found);
        }
        found
    }
}

impl Pattern {
    fn atoms<'a>(&'a self, found: &mut BTreeSet<&'a str>) {
        match self {
            Self::Any | Self::Variable(_) => {}
            Self::Literal(it) => it.atoms(found),
            Self::Tuple(parts) => parts.iter().for_each(|it| it.atoms(found)),
            Self::List(parts, tail) => {
                parts.iter().chain(tail.as_deref()).for_each(|it| it.atoms(found));
            }
            Self::Map(pairs) => {
                for (key, value) in pairs {
                    key.atoms(found);
                    value.atoms(found);
                }
            }
        }
    }
}

impl Literal {
    fn atoms<'a>(&'a self, found: &mut BTreeSet<&'a str>) {
        match self {
            Self::Atom(name) => {
                found.insert(name);
            }
            Self::Integer(_) | Self::Float(_) | Self::Binary(_) => {}
            Self::Tuple(parts) | Self::List(parts) => {
                for it in parts {
                    it.atoms(found);
                }
            }
        }
    }
}

impl Guard {
    fn atoms<'a>(&'a self, found: &mut BTreeSet<&'a str>) {
        match self {
            Self::Variable(_) => {}
            Self::Literal(it) => it.atoms(found),
            Self::Tuple(parts) | Self::Call(_, parts) => {
                for it in parts {
                    it.atoms(found);
                }
            }
            Self::List(parts, tail) => {
                parts.iter().chain(tail.as_deref()).for_each(|it| it.atoms(found));
            }
        }
    }
}

impl NotACall {
    /// Where in the text, counted in characters from 1.
    pub fn column(&self) -> usize {
        self.column
    }
}

impl fmt::Display for NotACall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`, column {}: {}", self.text, self.column, self.why)
    }
}

impl std::error::Error for NotACall {}

/// Where the first parenthesis outside of quotes is.
fn arguments_begin(chars: &[char]) -> Option<usize> {
    let (mut quote, mut is_escaped) = (None, false);
    for (idx, it) in chars.iter().enumerate() {
        match quote {
            _ if is_escaped => is_escaped = false,
            Some(_) if *it == '\\' => is_escaped = true,
            Some(mark) if mark == *it => quote = None,
            None if matches!(it, '\'' | '"') => quote = Some(*it),
            None if *it == '(' => return Some(idx),
            Some(_) | None => {}
        }
    }
    None
}

/// `mod:fun` is Erlang's, everything else Elixir's, `:mod.fun` too.
fn writing_of(function: &str) -> Writing {
    let (mut is_quoted, mut has_colon) = (false, false);
    for it in function.trim().chars().skip(1) {
        match it {
            '\'' | '"' => is_quoted = !is_quoted,
            ':' if !is_quoted => has_colon = true,
            _ => {}
        }
    }
    let is_erlang = has_colon || function.trim().starts_with('\'') && function.contains("':");
    if is_erlang && !function.trim().starts_with(':') { Writing::Erlang } else { Writing::Elixir }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> CallPattern {
        CallPattern::parse(text).unwrap_or_else(|it| panic!("{it}")).unwrap()
    }

    fn refused(text: &str) -> (usize, String) {
        match CallPattern::parse(text) {
            Err(it) => (it.column, it.why),
            Ok(it) => panic!("{text} was taken as {it:?}"),
        }
    }

    fn integer(it: i128) -> Pattern {
        Pattern::Literal(Literal::Integer(it))
    }

    fn name(it: &str) -> Pattern {
        Pattern::Literal(Literal::Atom(it.to_owned()))
    }

    #[test]
    fn what_has_no_parentheses_is_no_call() {
        for text in ["Mod", "Mod.fun/2", "mod:fun", "app:shop", "'odd(module)':fun/1", ""] {
            assert_eq!(CallPattern::parse(text), Ok(None), "{text}");
        }
    }

    #[test]
    fn both_writings_say_the_same() {
        for (elixir, erlang) in [
            ("M.f(_, :error)", "m:f(_, error)"),
            ("M.f(x, x)", "m:f(X, X)"),
            ("M.f(1_000, -0x1F, 1.5e3, ?a)", "m:f(1_000, -16#1F, 1.5e3, $a)"),
            ("M.f(\"aä\", 'ab')", "m:f(<<\"aä\"/utf8>>, \"ab\")"),
            ("M.f({:ok, x}, [1, 2 | t])", "m:f({ok, X}, [1, 2 | T])"),
            ("M.f(%{a: 1, \"b\" => _})", "m:f(#{a => 1, <<\"b\">> := _})"),
            ("M.f(My.Mod, nil, :\"a b\")", "m:f('Elixir.My.Mod', nil, 'a b')"),
            ("M.f(_, timeout: 5)", "m:f(_, [{timeout, 5}])"),
            ("M.f(%User{id: 1})", "m:f(#{'__struct__' => 'Elixir.User', id => 1})"),
            (
                "M.f(x, y) when x > 10 and is_binary(y)",
                "m:f(X, Y) when X > 10 andalso is_binary(Y)",
            ),
            ("M.f(x) when x <= 1 when x != 3", "m:f(X) when X =< 1; X /= 3"),
            ("M.f(x) when not is_nil(x)", "m:f(X) when not (X =:= nil)"),
            ("M.f(x) when elem(x, 1) === 2", "m:f(X) when element(2, X) =:= 2"),
            ("M.f(x) when x in [1, :a]", "m:f(X) when X =:= 1 orelse X =:= a"),
            (
                "M.f(x) when rem(x, 2) == 0 or x * 2 + 1 > 3",
                "m:f(X) when X rem 2 == 0 orelse X * 2 + 1 > 3",
            ),
            ("M.f(x) when is_map_key(x, :a)", "m:f(X) when is_map_key(a, X)"),
            ("M.f(x) when x.age > 3", "m:f(X) when map_get(age, X) > 3"),
        ] {
            let (left, right) = (read(elixir), read(erlang));
            assert_eq!((left.writing, right.writing), (Writing::Elixir, Writing::Erlang));
            assert_eq!(left.arguments, right.arguments, "{elixir}");
            assert_eq!(left.guards, right.guards, "{elixir}");
        }
    }

    #[test]
    fn names_in_front_say_the_writing_and_stay_as_they_are() {
        for (text, function, writing) in [
            ("My.Mod.fun?(_)", "My.Mod.fun?", Writing::Elixir),
            (":gen_server.call(_, x)", ":gen_server.call", Writing::Elixir),
            ("gen_server:call(_, X)", "gen_server:call", Writing::Erlang),
            ("'Elixir.My.Mod':'fun?'(_)", "'Elixir.My.Mod':'fun?'", Writing::Erlang),
        ] {
            let it = read(text);
            assert_eq!((it.function.as_str(), it.writing), (function, writing), "{text}");
        }
    }

    #[test]
    fn patterns_are_what_they_look_like() {
        let it = read("M.f(x, {_, x}, [], %{})");
        assert_eq!(it.variables, ["x"]);
        let tuple = Pattern::Tuple(vec![Pattern::Any, Pattern::Variable(0)]);
        let none = Pattern::List(vec![], None);
        assert_eq!(it.arguments, [Pattern::Variable(0), tuple, none, Pattern::Map(vec![])]);
        assert_eq!(read("m:f(a, 'B', -1)").arguments, [name("a"), name("B"), integer(-1)]);
        assert_eq!(read("M.f()").arity(), 0);
        assert_eq!(
            read("M.f(:a, %{b: {:c}}) when :d == :a").atoms().into_iter().collect::<Vec<_>>(),
            ["a", "b", "c", "d"]
        );
    }

    #[test]
    fn what_cannot_be_asked_is_told_with_its_place() {
        for (text, column, why) in [
            ("M.f(x, )", 8, "a pattern is missing here"),
            ("M.f(x", 6, "`,` or `)` is missing"),
            ("M.f(\"abc)", 5, "never closed"),
            ("M.f(x) where x", 8, "only `when`"),
            ("M.f(x) when y > 1", 13, "no argument is called `y`"),
            ("M.f(x) when x > 1 && x < 3", 19, "in place of `&&`"),
            ("m:f(X) when X <= 1", 15, "`=<`"),
            ("M.f(x) when String.length(x) > 1", 19, "without a module"),
            ("M.f(x) when valid?(x)", 13, "valid?/1 is not allowed"),
            ("M.f(\"a\" <> rest)", 9, "prefix"),
            ("M.f(%{a: 1} = m)", 13, "named whole"),
            ("m:f(#user{})", 5, "records"),
            ("m:f(<<X, _/binary>>)", 7, "take a binary apart"),
            ("m:f(X) when X < 1 < 2", 19, "do not chain"),
            ("M.f(%{x => 1})", 7, "not a variable"),
            ("M.f(99999999999999999999999999999999999999999)", 5, "127 bits"),
            ("M.f(~r/x/)", 5, "no meaning"),
        ] {
            let (found, told) = refused(text);
            assert!(told.contains(why), "{text}: {told}");
            assert_eq!(found, column, "{text}: {told}");
        }
        let deep = format!("M.f({}1{})", "[".repeat(60), "]".repeat(60));
        assert!(refused(&deep).1.contains("nested deeper"));
        let long = format!("M.f({})", "1,".repeat(5000));
        assert!(refused(&long).1.contains("longer than"));
        let many: Vec<String> = (0..21).map(|it| format!("v{it}")).collect();
        assert!(refused(&format!("M.f({})", many.join(","))).1.contains("more than 20 variables"));
    }
}
