//! Erlang's tokens, form by form: a form is what ends with a full stop.
//!
//! <https://www.erlang.org/doc/system/reference_manual.html>, and `erl_scan` of OTP 29 for what
//! it leaves open. Nothing here fails: what is no token becomes [`Kind::Junk`], a text that does
//! not end is one of the line that it begins in.

use std::{borrow::Cow, iter::Peekable, str::Chars};

use crate::source::names::{Name, Names};

/// One token.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// [`EXPANDED`], [`HEADER`], [`COMPREHENSION`].
    pub(super) flags: u8,
    /// Counted from 1, in bytes.
    pub(super) column: u16,
    pub(super) line: u32,
    /// The text of an atom, of a variable, of what stands between quotes.
    pub(super) name: Option<Name>,
    /// The value of an integer, as far as it fits; how a text is quoted ([`Quote`]).
    pub(super) int: u32,
}

/// It came out of a macro.
pub(super) const EXPANDED: u8 = 1;
/// It stands in a header; its line is the one of the `-include`.
pub(super) const HEADER: u8 = 2;
/// A bracket that a comprehension stands in.
pub(super) const COMPREHENSION: u8 = 4;

/// How a text is quoted, in [`Token::int`].
pub(super) struct Quote;

impl Quote {
    pub(super) const PLAIN: u32 = 0;
    pub(super) const TRIPLE: u32 = 1;
    pub(super) const VERBATIM: u32 = 2;
    pub(super) const VERBATIM_TRIPLE: u32 = 3;
}

/// Tokens in one form at most, 64 MB of them: a table of more is data that somebody called a
/// source.
const FORM_TOKENS_MAX: usize = 4_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Atom,
    Var,
    Int,
    Float,
    Char,
    Str,
    /// A macro that nobody defines.
    Hole,
    ParenOpen,
    ParenClose,
    ListOpen,
    ListClose,
    BraceOpen,
    BraceClose,
    BinOpen,
    BinClose,
    Comma,
    Semicolon,
    Colon,
    ColonColon,
    Arrow,
    /// `<-`, `<=`, and the strict ones of OTP 28.
    Generate,
    Pipe,
    PipePipe,
    /// `&&` of OTP 28.
    Zip,
    Hash,
    /// A full stop that ends nothing.
    Point,
    Question,
    Match,
    MaybeMatch,
    FatArrow,
    ColonEqual,
    Bang,
    Slash,
    Minus,
    Plus,
    /// Any other operator with two operands.
    Operator,
    AndAlso,
    OrElse,
    /// `not`, `bnot`.
    Prefix,
    Dots,
    After,
    Begin,
    Case,
    Catch,
    End,
    Fun,
    If,
    Of,
    Receive,
    Try,
    When,
    /// The full stop that ends the form.
    Dot,
    /// No token of Erlang.
    Junk,
}

/// The text of a file or header, read up to some place.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    text: Cow<'a, str>,
    place: usize,
    line: u32,
    line_start: usize,
    // Quotes that end nowhere after this place, so that looking for them once is enough.
    no_more: [bool; 3],
    // What the tokens of a header are placed at.
    include: Option<(u32, u16)>,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: Cow<'a, str>, include: Option<(u32, u16)>) -> Self {
        let mut lexer =
            Self { text, place: 0, line: 1, line_start: 0, no_more: [false; 3], include };
        if lexer.text.starts_with('\u{feff}') {
            lexer.place = '\u{feff}'.len_utf8();
        }
        if lexer.rest().starts_with("#!") {
            lexer.skip_line();
        }
        lexer
    }

    /// The tokens of the next form, its full stop included when it has one; false at the end of
    /// the text. The second says whether some were left out, because there are too many.
    pub(super) fn form(&mut self, names: &mut Names, into: &mut Vec<Token>) -> (bool, bool) {
        into.clear();
        let mut is_cut = false;
        while let Some(token) = self.token(names) {
            if into.len() < FORM_TOKENS_MAX {
                into.push(token);
            } else {
                is_cut = true;
            }
            if token.kind == Kind::Dot {
                break;
            }
        }
        (!into.is_empty(), is_cut)
    }

    fn rest(&self) -> &str {
        self.text.get(self.place..).unwrap_or_default()
    }

    fn byte(&self, ahead: usize) -> u8 {
        self.text.as_bytes().get(self.place + ahead).copied().unwrap_or_default()
    }

    fn skip_line(&mut self) {
        let rest = self.rest().as_bytes();
        let len = rest.iter().position(|it| *it == b'\n').unwrap_or(rest.len());
        self.place += len;
    }

    /// Goes over white space and comments.
    fn skip_space(&mut self) {
        loop {
            match self.byte(0) {
                b'\n' => {
                    self.place += 1;
                    self.line = self.line.saturating_add(1);
                    self.line_start = self.place;
                }
                b' ' | b'\t' | b'\r' | 0x0b | 0x0c | 0x08 => self.place += 1,
                b'%' => self.skip_line(),
                0xc2 if self.byte(1) == 0xa0 => self.place += 2,
                0 if self.place < self.text.len() => self.place += 1,
                _ => return,
            }
        }
    }

    fn token(&mut self, names: &mut Names) -> Option<Token> {
        self.skip_space();
        if self.place >= self.text.len() {
            return None;
        }
        let (start, line) = (self.place, self.line);
        let column = u16::try_from(start - self.line_start + 1).unwrap_or(u16::MAX);
        let (line, column) = self.include.unwrap_or((line, column));
        let flags = if self.include.is_some() { HEADER } else { 0 };
        let mut token = Token { kind: Kind::Junk, flags, column, line, name: None, int: 0 };
        match self.byte(0) {
            b'a'..=b'z' => self.word(names, &mut token),
            b'A'..=b'Z' | b'_' => {
                token.kind = Kind::Var;
                token.name = Some(names.add(self.identifier()));
            }
            b'0'..=b'9' => self.number(&mut token),
            b'$' => self.character(&mut token),
            b'"' => self.string(names, &mut token),
            b'\'' => {
                token.kind = Kind::Atom;
                let inside = self.quoted(1, b'\'', false);
                token.name = Some(names.add(&unescaped(self.slice(inside))));
            }
            b'~' => self.sigil(names, &mut token),
            0x80.. => self.foreign(names, &mut token),
            _ => self.punctuation(&mut token),
        }
        if token.kind == Kind::Operator {
            token.name = Some(names.add(self.slice((start, self.place))));
        }
        Some(token)
    }

    fn slice(&self, (start, end): (usize, usize)) -> &str {
        self.text.get(start..end).unwrap_or_default()
    }

    /// Letters, digits, `_` and `@` from here on.
    fn identifier(&mut self) -> &str {
        let start = self.place;
        let bytes = self.text.as_bytes();
        let mut end = start;
        while let Some(byte) = bytes.get(end) {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'@' => end += 1,
                0x80.. => match self.text.get(end..).and_then(|it| it.chars().next()) {
                    Some(it) if it.is_alphanumeric() => end += it.len_utf8(),
                    _ => break,
                },
                _ => break,
            }
        }
        self.place = end.max(start + 1);
        self.text.get(start..end).unwrap_or_default()
    }

    fn word(&mut self, names: &mut Names, token: &mut Token) {
        let word = self.identifier();
        token.kind = keyword(word);
        if token.kind == Kind::Atom {
            token.name = Some(names.add(word));
        }
    }

    /// A letter that ASCII does not have, or another character.
    fn foreign(&mut self, names: &mut Names, token: &mut Token) {
        let Some(first) = self.rest().chars().next() else {
            self.place += 1;
            return;
        };
        if first.is_uppercase() {
            token.kind = Kind::Var;
        } else if first.is_alphabetic() {
            token.kind = Kind::Atom;
        } else {
            self.place += first.len_utf8();
            return;
        }
        token.name = Some(names.add(self.identifier()));
    }

    fn digits(&mut self, base: u32) -> u32 {
        let mut value: u32 = 0;
        loop {
            let byte = self.byte(0);
            let digit = char::from(byte).to_digit(base);
            match digit {
                Some(it) => value = value.saturating_mul(base).saturating_add(it),
                None if byte == b'_' && char::from(self.byte(1)).is_digit(base) => {}
                None => return value,
            }
            self.place += 1;
        }
    }

    fn number(&mut self, token: &mut Token) {
        let mut base = 10;
        token.kind = Kind::Int;
        token.int = self.digits(10);
        let ahead = char::from(self.byte(1));
        if self.byte(0) == b'#' && (2..=36).contains(&token.int) && ahead.is_digit(token.int) {
            base = token.int;
            self.place += 1;
            token.int = self.digits(base);
        }
        if self.byte(0) == b'.' && char::from(self.byte(1)).is_digit(base) {
            token.kind = Kind::Float;
            self.place += 1;
            self.digits(base);
            let exponent = if base == 10 { 0 } else { usize::from(self.byte(0) == b'#') };
            let sign = usize::from(matches!(self.byte(exponent + 1), b'-' | b'+'));
            let is_exponent = matches!(self.byte(exponent), b'e' | b'E');
            if is_exponent && self.byte(exponent + 1 + sign).is_ascii_digit() {
                self.place += exponent + 1 + sign;
                self.digits(10);
            }
        }
    }

    fn character(&mut self, token: &mut Token) {
        token.kind = Kind::Char;
        self.place += 1;
        if self.byte(0) != b'\\' {
            self.skip_character();
            return;
        }
        self.place += 1;
        match self.byte(0) {
            b'^' => {
                self.place += 1;
                self.skip_character();
            }
            b'x' if self.byte(1) == b'{' => {
                self.place += 2;
                while self.byte(0).is_ascii_hexdigit() {
                    self.place += 1;
                }
                self.place += usize::from(self.byte(0) == b'}');
            }
            b'x' => {
                self.place += 1;
                let n_digits = (0..2).take_while(|it| self.byte(*it).is_ascii_hexdigit()).count();
                self.place += n_digits;
            }
            b'0'..=b'7' => {
                let is_octal = |it: &usize| matches!(self.byte(*it), b'0'..=b'7');
                self.place += (0..3).take_while(is_octal).count();
            }
            _ => self.skip_character(),
        }
    }

    fn skip_character(&mut self) {
        if let Some(it) = self.rest().chars().next() {
            self.place += it.len_utf8();
            if it == '\n' {
                self.line = self.line.saturating_add(1);
                self.line_start = self.place;
            }
        }
    }

    fn string(&mut self, names: &mut Names, token: &mut Token) {
        token.kind = Kind::Str;
        let inside = if let Some(inside) = self.triple() {
            token.int = Quote::TRIPLE;
            inside
        } else {
            self.quoted(1, b'"', false)
        };
        token.name = Some(names.add(self.slice(inside)));
    }

    /// `~s"..."`, `~B'...'`, `~"..."` and so on.
    fn sigil(&mut self, names: &mut Names, token: &mut Token) {
        self.place += 1;
        let kind = self.byte(0);
        let is_verbatim = matches!(kind, b'S' | b'B');
        if kind.is_ascii_alphabetic() {
            self.place += 1;
        }
        let close = match self.byte(0) {
            b'(' => b')',
            b'[' => b']',
            b'{' => b'}',
            b'<' => b'>',
            it @ (b'/' | b'|' | b'\'' | b'"' | b'`' | b'#') => it,
            _ => return,
        };
        token.kind = Kind::Str;
        let inside = if let Some(inside) = self.triple() {
            token.int = if kind == b'S' || kind == b'B' || !kind.is_ascii_alphabetic() {
                Quote::VERBATIM_TRIPLE
            } else {
                Quote::TRIPLE
            };
            inside
        } else {
            token.int = if is_verbatim { Quote::VERBATIM } else { Quote::PLAIN };
            self.quoted(1, close, is_verbatim)
        };
        token.name = Some(names.add(self.slice(inside)));
        while self.byte(0).is_ascii_alphanumeric() {
            self.place += 1;
        }
    }

    /// What stands between here and the quote that closes; none of the line when none does.
    fn quoted(&mut self, n_open: usize, close: u8, is_verbatim: bool) -> (usize, usize) {
        let start = self.place + n_open;
        let slot = match close {
            b'"' => 0,
            b'\'' => 1,
            _ => 2,
        };
        let bytes = self.text.as_bytes();
        let (mut at, mut n_lines, mut line_start) = (start, 0_u32, self.line_start);
        while !self.no_more.get(slot).copied().unwrap_or(true) {
            match bytes.get(at) {
                None => {
                    if let Some(it) = self.no_more.get_mut(slot) {
                        *it = true;
                    }
                }
                Some(b'\\') if !is_verbatim => {
                    at += 1;
                    if bytes.get(at) == Some(&b'\n') {
                        n_lines = n_lines.saturating_add(1);
                        line_start = at + 1;
                    }
                    at += 1;
                }
                Some(it) if *it == close => {
                    self.line = self.line.saturating_add(n_lines);
                    self.line_start = line_start;
                    self.place = at + 1;
                    return (start, at);
                }
                Some(b'\n') => {
                    n_lines = n_lines.saturating_add(1);
                    line_start = at + 1;
                    at += 1;
                }
                Some(_) => at += 1,
            }
        }
        self.place = start.min(self.text.len());
        self.skip_line();
        (start, self.place)
    }

    /// What stands between triple quotes that begin here, if some do.
    fn triple(&mut self) -> Option<(usize, usize)> {
        let rest = self.rest().as_bytes();
        let n_quotes = rest.iter().take_while(|it| **it == b'"').count();
        let (_, after) = rest.split_at_checked(n_quotes)?;
        let n_spaces = after.iter().take_while(|it| matches!(it, b' ' | b'\t' | b'\r')).count();
        if n_quotes < 3 || after.get(n_spaces) != Some(&b'\n') {
            return None;
        }
        let start = self.place + n_quotes + n_spaces + 1;
        self.place = start;
        self.line = self.line.saturating_add(1);
        self.line_start = start;
        loop {
            let line = self.rest().split('\n').next().unwrap_or_default();
            let trimmed = line.trim_start_matches([' ', '\t']);
            let quotes = trimmed.bytes().take_while(|it| *it == b'"').count();
            let (end, len) = (self.place + line.len() - trimmed.len(), line.len());
            if quotes >= n_quotes {
                self.place += line.len() - trimmed.len() + n_quotes;
                return Some((start, end));
            }
            self.place += len;
            if self.place >= self.text.len() {
                return Some((start, self.place));
            }
            self.place += 1;
            self.line = self.line.saturating_add(1);
            self.line_start = self.place;
        }
    }

    fn punctuation(&mut self, token: &mut Token) {
        let ahead = [self.byte(0), self.byte(1), self.byte(2)];
        let (kind, len) = match ahead {
            [b'.', b'.', b'.'] => (Kind::Dots, 3),
            [b'.', b'.', _] => (Kind::Dots, 2),
            [b'.', 0 | b' ' | b'\n' | b'\t' | b'\r' | b'%' | 0x0b | 0x0c, _]
            | [b'.', 0xc2, 0xa0] => (Kind::Dot, 1),
            [b'<', b':', b'-' | b'='] => (Kind::Generate, 3),
            [b'=', b':' | b'/', b'='] => (Kind::Operator, 3),
            _ => pair(ahead),
        };
        token.kind = kind;
        self.place += len;
    }
}

/// Punctuation of one or two characters.
fn pair([first, second, _]: [u8; 3]) -> (Kind, usize) {
    match (first, second) {
        (b'<', b'<') => (Kind::BinOpen, 2),
        (b'>', b'>') => (Kind::BinClose, 2),
        (b':', b':') => (Kind::ColonColon, 2),
        (b':', b'=') => (Kind::ColonEqual, 2),
        (b'-', b'>') => (Kind::Arrow, 2),
        (b'<', b'-' | b'=') => (Kind::Generate, 2),
        (b'=', b'>') => (Kind::FatArrow, 2),
        (b'|', b'|') => (Kind::PipePipe, 2),
        (b'&', b'&') => (Kind::Zip, 2),
        (b'?', b'=') => (Kind::MaybeMatch, 2),
        (b'=', b'=' | b'<') | (b'/' | b'>', b'=') | (b'+', b'+') | (b'-', b'-') => {
            (Kind::Operator, 2)
        }
        _ => (single(first), 1),
    }
}

fn single(byte: u8) -> Kind {
    match byte {
        b'(' => Kind::ParenOpen,
        b')' => Kind::ParenClose,
        b'[' => Kind::ListOpen,
        b']' => Kind::ListClose,
        b'{' => Kind::BraceOpen,
        b'}' => Kind::BraceClose,
        b',' => Kind::Comma,
        b';' => Kind::Semicolon,
        b':' => Kind::Colon,
        b'|' => Kind::Pipe,
        b'#' => Kind::Hash,
        b'.' => Kind::Point,
        b'?' => Kind::Question,
        b'=' => Kind::Match,
        b'!' => Kind::Bang,
        b'/' => Kind::Slash,
        b'-' => Kind::Minus,
        b'+' => Kind::Plus,
        b'*' | b'<' | b'>' => Kind::Operator,
        _ => Kind::Junk,
    }
}

fn keyword(word: &str) -> Kind {
    match word {
        "after" => Kind::After,
        "begin" => Kind::Begin,
        "case" => Kind::Case,
        "catch" => Kind::Catch,
        "end" => Kind::End,
        "fun" => Kind::Fun,
        "if" => Kind::If,
        "of" => Kind::Of,
        "receive" => Kind::Receive,
        "try" => Kind::Try,
        "when" => Kind::When,
        "andalso" => Kind::AndAlso,
        "orelse" => Kind::OrElse,
        "not" | "bnot" => Kind::Prefix,
        "and" | "or" | "xor" | "div" | "rem" | "band" | "bor" | "bxor" | "bsl" | "bsr" => {
            Kind::Operator
        }
        // `maybe` and `else` are atoms where the feature is off, so the parser decides.
        _ => Kind::Atom,
    }
}

/// The value of a text with its escapes.
pub(super) fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut found = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(it) = rest.next() {
        if it != '\\' {
            found.push(it);
            continue;
        }
        let Some(escape) = rest.next() else { break };
        let value = match escape {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            's' => ' ',
            'e' => '\u{1b}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'v' => '\u{b}',
            'd' => '\u{7f}',
            '0'..='7' => digits(&mut rest, 8, escape.to_digit(8).unwrap_or_default(), 2),
            'x' if rest.peek() == Some(&'{') => {
                rest.next();
                let digits: String = rest.by_ref().take_while(|it| *it != '}').collect();
                let value = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                value.unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            'x' => digits(&mut rest, 16, 0, 2),
            '^' => rest.next().and_then(|it| char::from_u32(u32::from(it) & 31)).unwrap_or('^'),
            it => it,
        };
        found.push(value);
    }
    Cow::Owned(found)
}

/// The character whose number stands in the next digits.
fn digits(rest: &mut Peekable<Chars<'_>>, base: u32, first: u32, max: usize) -> char {
    let mut value = first;
    for _ in 0..max {
        let Some(digit) = rest.peek().and_then(|it| it.to_digit(base)) else { break };
        value = value.saturating_mul(base).saturating_add(digit);
        rest.next();
    }
    char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER)
}
