//! How a pattern is written, and how it is read.

use std::fmt;

use super::{FunctionPattern, ModulePattern, NAME_CHARS_MAX, NamePattern, NotAPattern};

/// What an application is asked by.
const APPLICATION: &str = "app:";
/// What the atoms of Elixir's modules begin with.
const ELIXIR: &str = "Elixir.";

/// What stands in quotes, and what follows.
type Quoted<'t> = (String, &'t str);

pub(super) fn pattern(text: &str) -> Result<(FunctionPattern, &str), NotAPattern> {
    let text = text.trim_start();
    if let Some(rest) = text.strip_prefix(APPLICATION) {
        return application(rest);
    }
    let (modules, rest) = match text.strip_prefix(':') {
        Some(atom) => elixir_atom(atom)?,
        None if text.starts_with(['\'', '"']) => {
            let (name, rest) = quoted(text)?;
            (NamePattern::Exact(sized(name)?), rest)
        }
        None => bare_module(text)?,
    };
    if rest.is_empty() || rest.starts_with(ends) {
        let modules = ModulePattern::Named(every(modules)?);
        return Ok((FunctionPattern { modules, function: None, arity: None }, rest));
    }
    let Some(behind) = rest.strip_prefix([':', '.']) else {
        return Err(match rest.strip_prefix('/') {
            Some(_) => NotAPattern(format!(
                "`{text}` has a number of arguments and no function; write e.g. lists:map/2"
            )),
            None => NotAPattern(format!(
                "`{text}` has `{rest}` after the module; a function follows `:` or `.`"
            )),
        });
    };
    let (function, arity, rest) = self::function(behind, text)?;
    let modules = ModulePattern::Named(every(modules)?);
    Ok((FunctionPattern { modules, function: Some(function), arity }, rest))
}

/// In Erlang's writing where Elixir's would be ambiguous.
pub(super) fn write(it: &FunctionPattern, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let module = match &it.modules {
        ModulePattern::Application(name) => return write!(f, "{APPLICATION}{}", erlang_atom(name)),
        ModulePattern::Named(NamePattern::Glob(pieces)) => {
            let glob = pieces.join("*");
            match glob.strip_prefix(ELIXIR) {
                Some(alias) => alias.to_owned(),
                // Without the colon it would be Elixir's.
                None if glob.starts_with(char::is_uppercase) => format!(":{glob}"),
                None => glob,
            }
        }
        ModulePattern::Named(NamePattern::Exact(name)) => match name.strip_prefix(ELIXIR) {
            Some(alias) if is_alias(alias) => alias.to_owned(),
            // `app:f` would be an application.
            _ if name == "app" => "'app'".to_owned(),
            _ => erlang_atom(name),
        },
    };
    f.write_str(&module)?;
    match &it.function {
        None => return Ok(()),
        Some(NamePattern::Glob(pieces)) => write!(f, ":{}", pieces.join("*"))?,
        Some(NamePattern::Exact(name)) => {
            let is_elixir = module.starts_with(|it: char| it.is_ascii_uppercase());
            let dot = if is_elixir && is_plain(name) { '.' } else { ':' };
            let called = name.strip_suffix(['?', '!']).unwrap_or(name);
            let shown = if is_plain(called) { name.clone() } else { in_quotes(name) };
            write!(f, "{dot}{shown}")?;
        }
    }
    it.arity.map_or(Ok(()), |arity| write!(f, "/{arity}"))
}

fn application(text: &str) -> Result<(FunctionPattern, &str), NotAPattern> {
    let (name, rest) = if text.starts_with(['\'', '"']) { quoted(text)? } else { until_end(text) };
    let is_one =
        !name.is_empty() && (!name.contains(['*', ':', '/']) || text.starts_with(['\'', '"']));
    if !is_one || !(rest.is_empty() || rest.starts_with(ends)) {
        return Err(NotAPattern(format!(
            "`{APPLICATION}{text}` names no application; write e.g. app:shop"
        )));
    }
    let modules = ModulePattern::Application(sized(name)?);
    Ok((FunctionPattern { modules, function: None, arity: None }, rest))
}

/// `lists` of `:lists.map`, or `"Elixir.Shop"` of `:"Elixir.Shop".add`.
fn elixir_atom(text: &str) -> Result<(NamePattern, &str), NotAPattern> {
    if text.starts_with(['\'', '"']) {
        let (name, rest) = quoted(text)?;
        return Ok((NamePattern::Exact(sized(name)?), rest));
    }
    let length = text.find(|it| !is_of_name(it)).unwrap_or(text.len());
    let (name, rest) = text.split_at(length);
    Ok((named(name)?, rest))
}

/// A module without quotes, up to the `:` or `.` before its function.
fn bare_module(text: &str) -> Result<(NamePattern, &str), NotAPattern> {
    let length = text.find(|it| !(is_of_name(it) || it == '.')).unwrap_or(text.len());
    let (name, rest) = text.split_at(length);
    let is_elixir = name.starts_with(|it: char| it.is_uppercase() || it == '*');
    if rest.starts_with(':') || !name.contains('.') {
        return Ok((named(&full(name))?, rest));
    }
    if !is_elixir {
        let (module, function) = text.split_once('.').unwrap_or((text, ""));
        return Err(NotAPattern(format!(
            "`{text}` is neither Elixir nor Erlang; write {module}:{function} or :{text}"
        )));
    }
    let at = function_at(text, name);
    let (module, rest) = text.split_at(at);
    Ok((named(&full(module))?, rest))
}

/// Where the function of `Shop.Cart.add/2` begins, at the dot before it; behind the name where
/// there is none.
fn function_at(text: &str, name: &str) -> usize {
    for (at, _) in name.match_indices('.') {
        let behind = text.get(at + 1..).unwrap_or_default();
        let of_module = |it: char| it.is_uppercase() || it.is_ascii_digit();
        let is_module = match behind.trim_start_matches('*').chars().next() {
            _ if behind.is_empty() => false,
            Some(it) if of_module(it) => true,
            // `Shop.*`, `Shop.*.Cart`, `Shop.*:get`; but `Shop.*/2` and `Shop.*_all` are functions.
            Some(it) => behind.starts_with('*') && (it == '.' || it == ':' || ends(it)),
            None => true,
        };
        if !is_module {
            return at;
        }
    }
    name.len()
}

/// A function with its arity where that is written, and what follows.
fn function<'t>(
    text: &'t str,
    whole: &str,
) -> Result<(NamePattern, Option<u8>, &'t str), NotAPattern> {
    if text.starts_with(['\'', '"']) {
        let (name, rest) = quoted(text)?;
        let (arity, rest) = match rest.strip_prefix('/') {
            Some(digits) => {
                let (digits, rest) = until_end(digits);
                (Some(arity(&digits)?), rest)
            }
            None => (None, rest),
        };
        if !(rest.is_empty() || rest.starts_with(ends)) {
            return Err(NotAPattern(format!("`{whole}` has `{rest}` after the function")));
        }
        return Ok((NamePattern::Exact(sized(name)?), arity, rest));
    }
    let (token, rest) = until_end(text);
    let (name, arity) = match token.rsplit_once('/') {
        // `Kernel.//2` is division, and `Kernel./` too.
        Some((name, digits)) if !name.is_empty() => {
            let is_inside = digits.ends_with('-') || (digits.is_empty() && name.ends_with('/'));
            if is_inside { (token.as_str(), None) } else { (name, Some(self::arity(digits)?)) }
        }
        _ => (token.as_str(), None),
    };
    if name.is_empty() {
        return Err(NotAPattern(format!(
            "`{whole}` has no function after the module; write {} for all of them",
            whole.trim_end_matches([':', '.'])
        )));
    }
    if name.contains([',', ';']) {
        return Err(NotAPattern(format!(
            "`{whole}` holds a comma or semicolon; several patterns are several arguments"
        )));
    }
    if let Some(wrong) = name.chars().find(|it| matches!(it, '\'' | '"' | '\\' | ')')) {
        return Err(NotAPattern(format!("`{whole}`: put names with `{wrong}` in quotes")));
    }
    Ok((named(name)?, arity, rest))
}

fn arity(digits: &str) -> Result<u8, NotAPattern> {
    let is_plain = !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit());
    digits
        .parse()
        .ok()
        .filter(|_| is_plain)
        .ok_or_else(|| NotAPattern(format!("`/{digits}` is no number of arguments from 0 to 255")))
}

/// Up to a parenthesis or a space.
fn until_end(text: &str) -> Quoted<'_> {
    let (name, rest) = text.split_at(text.find(ends).unwrap_or(text.len()));
    (name.to_owned(), rest)
}

fn ends(it: char) -> bool {
    it == '(' || it.is_whitespace()
}

/// A name in single or double quotes; a backslash takes the next character as it is.
fn quoted(text: &str) -> Result<Quoted<'_>, NotAPattern> {
    let mut characters = text.char_indices();
    let mark = characters.next().map(|(_, it)| it);
    let mut name = String::new();
    while let Some((at, it)) = characters.next() {
        if Some(it) == mark {
            let behind = text.get(at + it.len_utf8()..).unwrap_or_default();
            return Ok((name, behind));
        }
        let taken = if it == '\\' { characters.next().map(|(_, it)| it) } else { Some(it) };
        name.extend(taken);
    }
    Err(NotAPattern(format!("`{text}` lacks its closing quote")))
}

/// A name as it was written without quotes: `*` stands for anything.
fn named(name: &str) -> Result<NamePattern, NotAPattern> {
    let name = sized(name.to_owned())?;
    if !name.contains('*') {
        return Ok(NamePattern::Exact(name));
    }
    Ok(NamePattern::Glob(name.split('*').map(str::to_owned).collect()))
}

fn sized(name: String) -> Result<String, NotAPattern> {
    if name.is_empty() {
        return Err(NotAPattern(
            "the pattern is empty; write e.g. Shop.Cart, Shop.Cart.add/2, lists:map/2, Shop.* or \
             app:shop"
                .to_owned(),
        ));
    }
    if let Some(wrong) = name.chars().find(|it| it.is_control()) {
        return Err(NotAPattern(format!(
            "{wrong:?} is no character of a name; is that a slip of the keyboard?"
        )));
    }
    if name.chars().count() > NAME_CHARS_MAX {
        return Err(NotAPattern(format!("no name has more than {NAME_CHARS_MAX} characters")));
    }
    Ok(name)
}

/// Counting every module of a node is nobody's question, and mostly an unquoted `*`.
fn every(modules: NamePattern) -> Result<NamePattern, NotAPattern> {
    match &modules {
        NamePattern::Glob(pieces) if pieces.iter().all(|it| it.is_empty() || it == ELIXIR) => {
            Err(NotAPattern(
                "that means every module; name one, its beginning (`Shop.*`) or an application \
                 (`app:shop`)"
                    .to_owned(),
            ))
        }
        NamePattern::Exact(_) | NamePattern::Glob(_) => Ok(modules),
    }
}

/// The atom of a module that was written without quotes.
fn full(module: &str) -> String {
    let is_alias = module.starts_with(char::is_uppercase) && !module.starts_with(ELIXIR);
    if is_alias { format!("{ELIXIR}{module}") } else { module.to_owned() }
}

/// Of a name without quotes, in either language.
fn is_of_name(it: char) -> bool {
    it.is_alphanumeric() || matches!(it, '_' | '@' | '*')
}

/// Whether each part reads as a module of Elixir's.
fn is_alias(text: &str) -> bool {
    text.split('.').all(|part| {
        part.starts_with(|it: char| it.is_ascii_uppercase())
            && part.chars().all(|it| it.is_ascii_alphanumeric() || it == '_')
    })
}

/// Whether it is an atom without quotes.
fn is_plain(name: &str) -> bool {
    name.starts_with(|it: char| it.is_ascii_lowercase())
        && name.chars().all(|it| it.is_ascii_alphanumeric() || matches!(it, '_' | '@'))
}

fn erlang_atom(name: &str) -> String {
    if is_plain(name) { name.to_owned() } else { in_quotes(name) }
}

fn in_quotes(name: &str) -> String {
    let escaped = name.replace('\\', "\\\\").replace('\'', "\\'");
    format!("'{escaped}'")
}
