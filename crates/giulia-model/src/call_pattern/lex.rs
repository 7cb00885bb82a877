//! The words of a call pattern, each with its column.

use super::Writing;

/// What is wrong, and where, counted in characters from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) column: usize,
    pub(super) why: String,
}

/// A word with its column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) column: usize,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Integer(i128),
    Float(f64),
    Atom(String),
    /// `Name` of Erlang's.
    Variable(String),
    /// A lower-case word: a variable, a function or an operator of Elixir's; an atom, a function
    /// or an operator of Erlang's.
    Word(String),
    /// `key:` of Elixir's.
    Key(String),
    /// Text between double quotes, and Elixir's between single ones.
    Text(String),
    Characters(String),
    Mark(&'static str),
    End,
}

/// Longest first, so that the first that fits is it.
const ELIXIR_MARKS: &[&str] = &[
    "===", "!==", "...", "==", "!=", "<=", ">=", "<<", ">>", "<>", "=>", "&&", "||", "%{", "..",
    "->", "++", "<", ">", "=", "+", "-", "*", "/", "(", ")", "[", "]", "{", "}", ",", "|", "%",
    ".", "!", "^", "&", "@",
];
const ERLANG_MARKS: &[&str] = &[
    "=:=", "=/=", "==", "/=", "=<", "<=", ">=", "<<", ">>", "=>", ":=", "#{", "++", "->", "<", ">",
    "=", "+", "-", "*", "/", "(", ")", "[", "]", "{", "}", ",", ";", "|", "#", ":", ".", "?",
];

/// The words from a place on.
pub(super) fn tokens(chars: &[char], from: usize, writing: Writing) -> Result<Vec<Token>, Problem> {
    let mut lexer = Lexer { chars, at: from, writing };
    let mut tokens = Vec::new();
    loop {
        while lexer.peek().is_some_and(char::is_whitespace) {
            lexer.at += 1;
        }
        let column = lexer.at + 1;
        let Some(first) = lexer.peek() else {
            tokens.push(Token { column, kind: Kind::End });
            return Ok(tokens);
        };
        let kind = lexer.word(first)?;
        tokens.push(Token { column, kind });
    }
}

struct Lexer<'a> {
    chars: &'a [char],
    at: usize,
    writing: Writing,
}

impl Lexer<'_> {
    fn peek(&self) -> Option<char> {
        self.ahead(0)
    }

    fn ahead(&self, by: usize) -> Option<char> {
        self.chars.get(self.at + by).copied()
    }

    fn problem<T>(&self, why: impl Into<String>) -> Result<T, Problem> {
        Err(Problem { column: self.at + 1, why: why.into() })
    }

    fn word(&mut self, first: char) -> Result<Kind, Problem> {
        let is_elixir = self.writing == Writing::Elixir;
        match first {
            '0'..='9' => self.number(),
            '?' if is_elixir => self.character(),
            '$' if !is_elixir => self.character(),
            '"' => {
                let text = self.quoted('"')?;
                Ok(self.as_key(text).map_or_else(Kind::Text, Kind::Key))
            }
            '\'' if is_elixir => self.quoted('\'').map(Kind::Characters),
            '\'' => self.quoted('\'').map(Kind::Atom),
            '~' if is_elixir && self.ahead(1) == Some('c') && self.ahead(2) == Some('"') => {
                self.at += 2;
                self.quoted('"').map(Kind::Characters)
            }
            ':' if is_elixir => self.elixir_atom(),
            '_' if is_elixir => Ok(Kind::Word(self.name())),
            '_' => Ok(Kind::Variable(self.name())),
            it if it.is_uppercase() && is_elixir => Ok(self.alias()),
            it if it.is_uppercase() => Ok(Kind::Variable(self.name())),
            it if it.is_alphabetic() => {
                let name = self.name();
                if is_elixir && matches!(name.as_str(), "true" | "false" | "nil") {
                    return Ok(self.as_key(name).map_or_else(Kind::Atom, Kind::Key));
                }
                Ok(self.as_key(name).map_or_else(Kind::Word, Kind::Key))
            }
            _ => self.mark(),
        }
    }

    /// Letters, digits, `_` and `@`, and in Elixir a `?` or `!` at the end.
    fn name(&mut self) -> String {
        let from = self.at;
        while self.peek().is_some_and(|it| it.is_alphanumeric() || matches!(it, '_' | '@')) {
            self.at += 1;
        }
        let is_ended = matches!(self.peek(), Some('?' | '!')) && self.ahead(1) != Some('=');
        if self.writing == Writing::Elixir && is_ended {
            self.at += 1;
        }
        self.chars.get(from..self.at).unwrap_or_default().iter().collect()
    }

    /// Whether Elixir's colon of a key follows; otherwise the name again.
    fn as_key(&mut self, name: String) -> Result<String, String> {
        let is_key = self.writing == Writing::Elixir
            && self.peek() == Some(':')
            && self.ahead(1).is_none_or(char::is_whitespace);
        if !is_key {
            return Err(name);
        }
        self.at += 1;
        Ok(name)
    }

    /// `My.Module`, an atom with `Elixir.` in front.
    fn alias(&mut self) -> Kind {
        let mut name = self.name();
        if let Ok(key) = self.as_key(name.clone()) {
            return Kind::Key(key);
        }
        while self.peek() == Some('.') && self.ahead(1).is_some_and(char::is_uppercase) {
            self.at += 1;
            name = format!("{name}.{}", self.name());
        }
        if name != "Elixir" && !name.starts_with("Elixir.") {
            name = format!("Elixir.{name}");
        }
        Kind::Atom(name)
    }

    fn elixir_atom(&mut self) -> Result<Kind, Problem> {
        self.at += 1;
        match self.peek() {
            Some(mark @ ('"' | '\'')) => self.quoted(mark).map(Kind::Atom),
            Some(it) if it.is_alphabetic() || it == '_' => Ok(Kind::Atom(self.name())),
            _ => self.problem("an atom's name follows a colon; write others as :\"a name\""),
        }
    }

    fn character(&mut self) -> Result<Kind, Problem> {
        self.at += 1;
        match self.peek() {
            Some('\\') => {
                self.at += 1;
                self.escape().map(|it| Kind::Integer(i128::from(u32::from(it))))
            }
            Some(it) => {
                self.at += 1;
                Ok(Kind::Integer(i128::from(u32::from(it))))
            }
            None => self.problem("a character is missing"),
        }
    }

    fn quoted(&mut self, mark: char) -> Result<String, Problem> {
        let begun = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            match self.peek() {
                None => {
                    let why = format!("this {mark} is never closed");
                    return Err(Problem { column: begun + 1, why });
                }
                Some(it) if it == mark => {
                    self.at += 1;
                    return Ok(text);
                }
                Some('\\') => {
                    self.at += 1;
                    text.push(self.escape()?);
                }
                Some('#') if self.writing == Writing::Elixir && self.ahead(1) == Some('{') => {
                    return self.problem("nothing is interpolated here; write \\#{ for the signs");
                }
                Some(it) => {
                    self.at += 1;
                    text.push(it);
                }
            }
        }
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Result<char, Problem> {
        let Some(it) = self.peek() else { return self.problem("a character is missing") };
        self.at += 1;
        Ok(match it {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            's' => ' ',
            'e' => '\u{1b}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'v' => '\u{b}',
            '0' => '\0',
            'x' | 'u' => return self.code_point(),
            other => other,
        })
    }

    /// `41` or `{1F600}`, hexadecimal.
    fn code_point(&mut self) -> Result<char, Problem> {
        let is_braced = self.peek() == Some('{');
        self.at += usize::from(is_braced);
        let from = self.at;
        let most = if is_braced { 6 } else { 4 };
        // `\x` takes two digits, `\u` four.
        let is_short = !is_braced && self.at > 0 && self.chars.get(self.at - 1) == Some(&'x');
        let most = if is_short { 2 } else { most };
        while self.at - from < most && self.peek().is_some_and(|it| it.is_ascii_hexdigit()) {
            self.at += 1;
        }
        let digits: String = self.chars.get(from..self.at).unwrap_or_default().iter().collect();
        if is_braced {
            if self.peek() != Some('}') {
                return self.problem("a `}` is missing");
            }
            self.at += 1;
        }
        match u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32) {
            Some(it) => Ok(it),
            None => self.problem("this is no character"),
        }
    }

    fn number(&mut self) -> Result<Kind, Problem> {
        let begun = self.at;
        let whole = self.digits(10);
        let base = match (self.writing, self.peek()) {
            (Writing::Erlang, Some('#')) => whole.parse().ok().filter(|it| (2..=36).contains(it)),
            (Writing::Elixir, Some('x')) if whole == "0" => Some(16),
            (Writing::Elixir, Some('o')) if whole == "0" => Some(8),
            (Writing::Elixir, Some('b')) if whole == "0" => Some(2),
            _ => None,
        };
        let too_large = |lexer: &Self| {
            let why = "an integer of more than 127 bits; nothing so large is taken".to_owned();
            Err(Problem { column: lexer.at.min(begun) + 1, why })
        };
        if let Some(base) = base {
            self.at += 1;
            let digits = self.digits(base);
            if digits.is_empty() {
                return self.problem("digits are missing");
            }
            return i128::from_str_radix(&digits, base)
                .map_or_else(|_| too_large(self), |it| Ok(Kind::Integer(it)));
        }
        let has_fraction =
            self.peek() == Some('.') && self.ahead(1).is_some_and(|it| it.is_ascii_digit());
        if !has_fraction {
            return whole.parse().map_or_else(|_| too_large(self), |it| Ok(Kind::Integer(it)));
        }
        self.at += 1;
        let mut text = format!("{whole}.{}", self.digits(10));
        if matches!(self.peek(), Some('e' | 'E')) {
            let sign = usize::from(matches!(self.ahead(1), Some('+' | '-')));
            if self.ahead(1 + sign).is_some_and(|it| it.is_ascii_digit()) {
                text.push('e');
                text.extend(self.ahead(1).filter(|_| sign == 1));
                self.at += 1 + sign;
                text.push_str(&self.digits(10));
            }
        }
        match text.parse::<f64>() {
            Ok(it) if it.is_finite() => Ok(Kind::Float(it)),
            _ => self.problem("this is no float that a node could hold"),
        }
    }

    /// Digits of a base, without the `_` between them.
    fn digits(&mut self, base: u32) -> String {
        let mut digits = String::new();
        while let Some(it) = self.peek() {
            let is_between = it == '_'
                && !digits.is_empty()
                && self.ahead(1).is_some_and(|it| it.is_digit(base));
            if it.is_digit(base) {
                digits.push(it);
            } else if !is_between {
                break;
            }
            self.at += 1;
        }
        digits
    }

    fn mark(&mut self) -> Result<Kind, Problem> {
        let marks = match self.writing {
            Writing::Elixir => ELIXIR_MARKS,
            Writing::Erlang => ERLANG_MARKS,
        };
        let rest = self.chars.get(self.at..).unwrap_or_default();
        for mark in marks {
            let len = mark.len();
            if rest.get(..len).is_some_and(|it| it.iter().copied().eq(mark.chars())) {
                self.at += len;
                return Ok(Kind::Mark(mark));
            }
        }
        let it = rest.first().copied().unwrap_or_default();
        self.problem(format!("`{it}` has no meaning here"))
    }
}
