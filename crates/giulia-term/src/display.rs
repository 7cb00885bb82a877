//! Terms in Erlang's writing, on one line and of bounded length, for people.

use std::fmt::{self, Write};

use super::{
    ids::Reference,
    reader::{Reader, magnitude_u64, signed},
    tag,
    tree::{BigInt, BitString, Term},
};

/// Bytes of text after which a term is cut off, unless a precision says otherwise: about
/// ten lines of a terminal, enough for the reason of an exception with its stack.
const LEN_MAX: usize = 1000;

/// Bytes of a big integer up to which it is written in decimal; the work grows with their
/// square. Beyond, it is written as `16#…`.
const DECIMAL_MAX: usize = 400;

/// Passes text on until there was enough of it, then fails.
struct Bounded<'f, 'w> {
    inner: &'f mut fmt::Formatter<'w>,
    left: usize,
    cut: bool,
}

impl fmt::Display for Term<'_> {
    /// Writes up to 1,000 bytes, or `{:.N}` of them, and `...` when that was not all.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left = f.precision().unwrap_or(LEN_MAX);
        let mut out = Bounded { inner: f, left, cut: false };
        match term(self, &mut out) {
            Err(_) if out.cut => f.write_str("..."),
            result => result,
        }
    }
}

impl Write for Bounded<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if let Some(left) = self.left.checked_sub(text.len()) {
            self.left = left;
            return self.inner.write_str(text);
        }
        self.cut = true;
        let end = text.floor_char_boundary(self.left);
        self.left = 0;
        self.inner.write_str(text.get(..end).unwrap_or_default())?;
        Err(fmt::Error)
    }
}

impl BigInt<'_> {
    /// The magnitude without zeros at the top.
    pub(super) fn significant(&self) -> &[u8] {
        let len = self.magnitude.iter().rposition(|it| *it != 0).map_or(0, |it| it + 1);
        self.magnitude.get(..len).unwrap_or_default()
    }

    /// The number, when it fits after all.
    pub fn to_i64(&self) -> Option<i64> {
        signed(self.negative, magnitude_u64(self.significant())?)
    }

    /// The number, when it is positive and fits.
    pub fn to_u64(&self) -> Option<u64> {
        magnitude_u64(self.significant()).filter(|it| !self.negative || *it == 0)
    }
}

fn term(it: &Term<'_>, out: &mut Bounded<'_, '_>) -> fmt::Result {
    match it {
        Term::Int(it) => write!(out, "{it}"),
        Term::Big(it) => big(it, out),
        Term::Float(it) => float(*it, out),
        Term::Atom(it) => atom(it, out),
        Term::Nil => out.write_str("[]"),
        Term::List(it) => list(it, out),
        Term::Improper(it) => {
            out.write_str("[")?;
            commas(&it.elements, out)?;
            out.write_str("|")?;
            term(&it.tail, out)?;
            out.write_str("]")
        }
        Term::Tuple(it) => {
            out.write_str("{")?;
            commas(it, out)?;
            out.write_str("}")
        }
        Term::Map(it) => {
            out.write_str("#{")?;
            for (index, (key, value)) in it.iter().enumerate() {
                out.write_str(if index > 0 { "," } else { "" })?;
                term(key, out)?;
                out.write_str(" => ")?;
                term(value, out)?;
            }
            out.write_str("}")
        }
        Term::Binary(it) => binary(it, out),
        Term::Bits(it) => bits(it, out),
        Term::Pid(it) => write!(out, "{it}"),
        Term::Port(it) => write!(out, "{it}"),
        Term::Reference(it) => write!(out, "{}", AsRef::<Reference>::as_ref(it)),
        Term::Export(it) => {
            out.write_str("fun ")?;
            atom(&it.module, out)?;
            out.write_str(":")?;
            atom(&it.function, out)?;
            write!(out, "/{}", it.arity)
        }
        Term::Fun(it) => fun(it, out),
        Term::Record(it) => {
            out.write_str("#")?;
            atom(&it.module, out)?;
            out.write_str(":")?;
            atom(&it.name, out)?;
            out.write_str("{")?;
            for (index, (name, value)) in it.fields.iter().enumerate() {
                out.write_str(if index > 0 { "," } else { "" })?;
                atom(name, out)?;
                out.write_str(" = ")?;
                term(value, out)?;
            }
            out.write_str("}")
        }
        Term::Local(it) => write!(out, "#Local<{} bytes>", it.len()),
        Term::Encoded(it) => match Term::decode(it) {
            // What is encoded never decodes to `Encoded` again.
            Ok(decoded) => term(&decoded, out),
            Err(_) => write!(out, "#Encoded<{} bytes>", it.len()),
        },
    }
}

fn commas(elements: &[Term<'_>], out: &mut Bounded<'_, '_>) -> fmt::Result {
    for (index, it) in elements.iter().enumerate() {
        out.write_str(if index > 0 { "," } else { "" })?;
        term(it, out)?;
    }
    Ok(())
}

fn list(elements: &[Term<'_>], out: &mut Bounded<'_, '_>) -> fmt::Result {
    // No more than can be written is looked at.
    let seen = elements.get(..out.left).unwrap_or(elements);
    if !elements.is_empty() && seen.iter().all(|it| code_point(it).is_some_and(printable)) {
        return quoted(elements.iter().filter_map(code_point), '"', out);
    }
    out.write_str("[")?;
    commas(elements, out)?;
    out.write_str("]")
}

fn code_point(it: &Term<'_>) -> Option<char> {
    it.as_int().and_then(|it| u32::try_from(it).ok()).and_then(char::from_u32)
}

fn printable(it: char) -> bool {
    !it.is_control() || matches!(it, '\n' | '\t' | '\r')
}

fn quoted(text: impl Iterator<Item = char>, quote: char, out: &mut Bounded<'_, '_>) -> fmt::Result {
    out.write_char(quote)?;
    for it in text {
        match it {
            '\n' => out.write_str("\\n")?,
            '\t' => out.write_str("\\t")?,
            '\r' => out.write_str("\\r")?,
            '\\' => out.write_str("\\\\")?,
            it if it == quote => write!(out, "\\{it}")?,
            it if it.is_control() => write!(out, "\\x{{{:X}}}", u32::from(it))?,
            it => out.write_char(it)?,
        }
    }
    out.write_char(quote)
}

fn atom(name: &str, out: &mut Bounded<'_, '_>) -> fmt::Result {
    let mut chars = name.chars();
    let plain = chars.next().is_some_and(char::is_lowercase)
        && chars.all(|it| it.is_alphanumeric() || it == '_' || it == '@')
        && !RESERVED.contains(&name);
    if plain { out.write_str(name) } else { quoted(name.chars(), '\'', out) }
}

/// <https://www.erlang.org/doc/system/reference_manual.html#reserved-words>
const RESERVED: [&str; 29] = [
    "after", "and", "andalso", "band", "begin", "bnot", "bor", "bsl", "bsr", "bxor", "case",
    "catch", "cond", "div", "else", "end", "fun", "if", "let", "maybe", "not", "of", "or",
    "orelse", "receive", "rem", "try", "when", "xor",
];

fn float(value: f64, out: &mut Bounded<'_, '_>) -> fmt::Result {
    let text = format!("{value:?}");
    match text.split_once('e') {
        // Erlang wants digits after a point in front of the exponent.
        Some((digits, exponent)) if !digits.contains('.') => write!(out, "{digits}.0e{exponent}"),
        _ => out.write_str(&text),
    }
}

fn binary(bytes: &[u8], out: &mut Bounded<'_, '_>) -> fmt::Result {
    if bytes.is_empty() {
        return out.write_str("<<>>");
    }
    // No more than can be written is looked at, and a character cut by that still is one.
    let seen = bytes.get(..out.left).unwrap_or(bytes);
    let text = match std::str::from_utf8(seen) {
        Ok(text) => Some(text),
        Err(it) if it.error_len().is_none() && seen.len() < bytes.len() => {
            seen.get(..it.valid_up_to()).and_then(|it| std::str::from_utf8(it).ok())
        }
        Err(_) => None,
    };
    out.write_str("<<")?;
    match text.filter(|it| it.chars().all(printable)) {
        Some(text) => {
            quoted(text.chars(), '"', out)?;
            if seen.len() < bytes.len() {
                out.cut = true;
                return Err(fmt::Error);
            }
            out.write_str(if text.is_ascii() { "" } else { "/utf8" })?;
        }
        None => bytes_with_commas(bytes, out)?,
    }
    out.write_str(">>")
}

fn bits(it: &BitString<'_>, out: &mut Bounded<'_, '_>) -> fmt::Result {
    let Some((last, body)) = it.bytes.split_last() else { return out.write_str("<<>>") };
    out.write_str("<<")?;
    bytes_with_commas(body, out)?;
    out.write_str(if body.is_empty() { "" } else { "," })?;
    let value = u32::from(*last) >> 8_u32.saturating_sub(u32::from(it.last_bits));
    write!(out, "{value}:{}>>", it.last_bits)
}

fn bytes_with_commas(bytes: &[u8], out: &mut Bounded<'_, '_>) -> fmt::Result {
    for (index, it) in bytes.iter().enumerate() {
        out.write_str(if index > 0 { "," } else { "" })?;
        write!(out, "{it}")?;
    }
    Ok(())
}

fn big(it: &BigInt<'_>, out: &mut Bounded<'_, '_>) -> fmt::Result {
    let magnitude = it.significant();
    out.write_str(if it.negative { "-" } else { "" })?;
    if magnitude.len() <= DECIMAL_MAX {
        return out.write_str(&decimal(magnitude));
    }
    out.write_str("16#")?;
    magnitude.iter().rev().try_for_each(|it| write!(out, "{it:02X}"))
}

/// Divides by 10^9 until nothing is left.
fn decimal(magnitude: &[u8]) -> String {
    let mut number = magnitude.to_vec();
    let mut groups = Vec::new();
    while number.last().is_some() {
        let mut rest: u64 = 0;
        for byte in number.iter_mut().rev() {
            let value = (rest << 8) | u64::from(*byte);
            *byte = u8::try_from(value / 1_000_000_000).unwrap_or(u8::MAX);
            rest = value % 1_000_000_000;
        }
        groups.push(rest);
        while number.last() == Some(&0) {
            number.pop();
        }
    }
    let mut groups = groups.into_iter().rev();
    let first = groups.next().unwrap_or(0).to_string();
    groups.fold(first, |text, it| format!("{text}{it:09}"))
}

/// `#Fun<module.index.uniq>`, as a node writes it.
fn fun(bytes: &[u8], out: &mut Bounded<'_, '_>) -> fmt::Result {
    // Tag, size, arity, MD5, index, number of free variables.
    let mut reader = Reader::new(bytes.get(1 + 4 + 1 + 16 + 4 + 4..).unwrap_or_default());
    let named = (|| Some((reader.atom().ok()?, reader.int().ok()?, reader.int().ok()?)))();
    match named {
        Some((module, index, uniq)) if bytes.first() == Some(&tag::NEW_FUN) => {
            out.write_str("#Fun<")?;
            atom(&module, out)?;
            write!(out, ".{index}.{uniq}>")
        }
        _ => write!(out, "#Fun<{} bytes>", bytes.len()),
    }
}
