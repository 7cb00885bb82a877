//! An existing `ssl_dist_optfile`: Erlang terms with the options of TLS distribution.
//!
//! <https://www.erlang.org/doc/apps/ssl/ssl_distribution.html#specifying-tls-options>
//!
//! The file is written for the node; its `client` section says how that node dials others,
//! which is what we are about to do. Only literals are read; nothing is evaluated.

use std::{
    iter::Peekable,
    path::{Path, PathBuf},
    str::Chars,
};

use super::{TlsOptions, Verify};

/// Real files have a few hundred bytes.
const FILE_BYTES_MAX: u64 = 256 << 10;
/// `[{client, [{certs_keys, [#{...}]}]}]` nests six deep.
const DEPTH_MAX: usize = 32;

/// A literal.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Atom(String),
    Text(String),
    Number,
    List(Vec<Value>),
    /// Maps are read as lists of pairs.
    Tuple(Vec<Value>),
}

/// Reads the options of the `client` section.
///
/// A relative path is looked for beside the file first, then from the current folder, where
/// Erlang would look.
pub(super) fn read(path: &Path) -> Result<TlsOptions, String> {
    let length = std::fs::metadata(path).map_err(|it| it.to_string())?.len();
    if length > FILE_BYTES_MAX {
        return Err(format!("it has {length} bytes, which no such file needs"));
    }
    let text = std::fs::read_to_string(path).map_err(|it| it.to_string())?;
    let folder = path.parent().unwrap_or(Path::new(""));
    options(&text, |file| {
        let beside = folder.join(file);
        if beside.exists() { beside } else { PathBuf::from(file) }
    })
}

fn options(text: &str, resolve: impl Fn(&str) -> PathBuf) -> Result<TlsOptions, String> {
    let mut parser = Parser { rest: text.chars().peekable(), line: 1 };
    let whole = parser.value(0)?;
    parser.expect('.')?;
    let Value::List(sections) = whole else {
        return Err("it is not a list of sections".to_owned());
    };
    let Some(Value::List(client)) = lookup(&sections, "client") else {
        return Err("it has no `client` section".to_owned());
    };
    if lookup(client, "password").is_some() {
        return Err("its key has a password; give an unencrypted copy with --tls-key".to_owned());
    }
    // OTP 25 and newer may have the certificate and its key in here.
    let bundled = match lookup(client, "certs_keys") {
        Some(Value::List(bundles)) => match bundles.first() {
            Some(Value::List(pairs)) => pairs.as_slice(),
            _ => &[],
        },
        _ => &[],
    };
    let file = |key: &str| {
        let found = lookup(client, key).or_else(|| lookup(bundled, key))?;
        text_of(found).map(|it| resolve(&it))
    };
    let (mut verify, mut server_name) = (Verify::Full, None);
    match lookup(client, "server_name_indication") {
        // Erlang then checks no host name either.
        Some(Value::Atom(it)) if it == "disable" => verify = Verify::Ca,
        Some(it) => server_name = text_of(it),
        None => {}
    }
    if lookup(client, "verify") == Some(&Value::Atom("verify_none".to_owned())) {
        verify = Verify::None;
    }
    let cert_file = file("certfile");
    Ok(TlsOptions {
        verify,
        ca_file: file("cacertfile"),
        // Erlang looks for the key in the certificate's file when it has no other.
        key_file: file("keyfile").or_else(|| cert_file.clone()),
        cert_file,
        server_name,
    })
}

/// The last of several values counts least, as in `proplists`.
fn lookup<'a>(options: &'a [Value], key: &str) -> Option<&'a Value> {
    options.iter().find_map(|it| match it {
        Value::Tuple(pair) => match pair.as_slice() {
            [Value::Atom(name), value] if name == key => Some(value),
            _ => None,
        },
        Value::Atom(_) | Value::Text(_) | Value::Number | Value::List(_) => None,
    })
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Text(it) | Value::Atom(it) => Some(it.clone()),
        Value::Number | Value::List(_) | Value::Tuple(_) => None,
    }
}

struct Parser<'a> {
    rest: Peekable<Chars<'a>>,
    line: u32,
}

impl Parser<'_> {
    fn value(&mut self, depth: usize) -> Result<Value, String> {
        if depth > DEPTH_MAX {
            return Err(self.error("it nests too deep"));
        }
        match self.peek() {
            Some('[') => Ok(Value::List(self.sequence('[', ']', depth)?)),
            Some('{') => Ok(Value::Tuple(self.sequence('{', '}', depth)?)),
            Some('#') => self.map(depth),
            Some('"') => self.text(),
            Some('<') => self.binary(),
            Some('\'') => Ok(Value::Atom(self.quoted('\'')?)),
            Some(it) if it.is_ascii_digit() || it == '-' => {
                self.word();
                Ok(Value::Number)
            }
            Some(it) if it.is_alphabetic() => Ok(Value::Atom(self.word())),
            Some(it) => Err(self.error(&format!("`{it}` starts no literal"))),
            None => Err(self.error("it ends too early")),
        }
    }

    fn sequence(&mut self, open: char, close: char, depth: usize) -> Result<Vec<Value>, String> {
        self.expect(open)?;
        let mut values = Vec::new();
        if self.eat(close) {
            return Ok(values);
        }
        loop {
            values.push(self.value(depth + 1)?);
            if !self.eat(',') {
                self.expect(close)?;
                return Ok(values);
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, String> {
        self.expect('#')?;
        self.expect('{')?;
        let mut pairs = Vec::new();
        if self.eat('}') {
            return Ok(Value::List(pairs));
        }
        loop {
            let key = self.value(depth + 1)?;
            self.expect('=')?;
            self.expect('>')?;
            pairs.push(Value::Tuple(vec![key, self.value(depth + 1)?]));
            if !self.eat(',') {
                self.expect('}')?;
                return Ok(Value::List(pairs));
            }
        }
    }

    /// `"..."`, and `"..." "..."`, which is one text.
    fn text(&mut self) -> Result<Value, String> {
        let mut text = String::new();
        while self.peek() == Some('"') {
            text.push_str(&self.quoted('"')?);
        }
        Ok(Value::Text(text))
    }

    /// `<<"...">>`, also with `/utf8`.
    fn binary(&mut self) -> Result<Value, String> {
        self.expect('<')?;
        self.expect('<')?;
        let text = if self.peek() == Some('"') { self.quoted('"')? } else { String::new() };
        if self.eat('/') {
            self.word();
        }
        self.expect('>')?;
        self.expect('>')?;
        Ok(Value::Text(text))
    }

    fn quoted(&mut self, quote: char) -> Result<String, String> {
        self.expect(quote)?;
        let mut text = String::new();
        loop {
            match self.rest.next() {
                Some(it) if it == quote => return Ok(text),
                Some('\\') => match self.rest.next() {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some('s') => text.push(' '),
                    Some(it) if matches!(it, '\\' | '"' | '\'') => text.push(it),
                    _ => return Err(self.error("an escape in a text that we do not read")),
                },
                Some(it) => text.push(it),
                None => return Err(self.error("a text does not end")),
            }
        }
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(it) = self.rest.peek().copied()
            && (it.is_alphanumeric() || matches!(it, '_' | '@' | '-'))
        {
            word.push(it);
            self.rest.next();
        }
        word
    }

    fn expect(&mut self, wanted: char) -> Result<(), String> {
        if self.eat(wanted) { Ok(()) } else { Err(self.error(&format!("`{wanted}` is missing"))) }
    }

    fn eat(&mut self, wanted: char) -> bool {
        let is_there = self.peek() == Some(wanted);
        if is_there {
            self.rest.next();
        }
        is_there
    }

    /// The next character that is neither space nor comment.
    fn peek(&mut self) -> Option<char> {
        loop {
            match self.rest.peek().copied() {
                Some('%') => while self.rest.next_if(|it| *it != '\n').is_some() {},
                Some(it) if it.is_whitespace() => {
                    self.line += u32::from(it == '\n');
                    self.rest.next();
                }
                other => return other,
            }
        }
    }

    fn error(&self, what: &str) -> String {
        format!("line {}: {what}", self.line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<TlsOptions, String> {
        options(text, |it| PathBuf::from(it))
    }

    #[test]
    fn the_client_section_of_a_usual_file() {
        let text = r#"
            %% TLS distribution
            [{server, [{certfile, "/etc/s.pem"}, {secure_renegotiate, true}]},
             {client, [{cacertfile, "/etc/ca.pem"},
                       {certfile, <<"/etc/c.pem">>}, {keyfile, "/etc/" "c.key"},
                       {depth, 2}, {verify_fun, {mod, 'fun name', []}},
                       {server_name_indication, "db1"}, {verify, verify_peer}]}].
        "#;
        let options = check(text).unwrap();
        assert_eq!(options.verify, Verify::Full);
        assert_eq!(options.ca_file, Some("/etc/ca.pem".into()));
        assert_eq!(options.cert_file, Some("/etc/c.pem".into()));
        assert_eq!(options.key_file, Some("/etc/c.key".into()));
        assert_eq!(options.server_name.as_deref(), Some("db1"));
    }

    #[test]
    fn verification_follows_the_file() {
        let verify = |text: &str| check(text).unwrap().verify;
        assert_eq!(verify("[{client, [{verify, verify_none}]}]."), Verify::None);
        assert_eq!(verify("[{client, [{server_name_indication, disable}]}]."), Verify::Ca);
        assert_eq!(verify("[{client, []}]."), Verify::Full);
    }

    #[test]
    fn a_key_may_be_in_the_certificate_s_file_or_in_a_bundle() {
        let options = check(r#"[{client, [{certfile, "a.pem"}]}]."#).unwrap();
        assert_eq!(options.key_file, Some("a.pem".into()));
        let text = r#"[{client, [{certs_keys, [#{certfile => "b.pem", keyfile => "b.key"}]}]}]."#;
        let options = check(text).unwrap();
        assert_eq!(options.cert_file, Some("b.pem".into()));
        assert_eq!(options.key_file, Some("b.key".into()));
    }

    #[test]
    fn what_is_not_read_says_where() {
        for (text, why) in [
            ("", "ends too early"),
            ("[{client, [}].", "line 1: `}`"),
            ("[\n{client, \"x].", "does not end"),
            ("[{server, []}].", "no `client`"),
            ("{client, []}.", "not a list"),
            ("[{client, [{password, \"x\"}]}].", "password"),
            ("[{client, []}]", "`.` is missing"),
        ] {
            let error = check(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
        let deep = "[".repeat(10_000);
        assert!(check(&deep).unwrap_err().contains("too deep"));
    }
}
