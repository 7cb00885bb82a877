//! Which process somebody means: a pid or a name, as they typed it.

use std::{fmt, str::FromStr};

/// Longest name of an atom, in characters.
const NAME_CHARS_MAX: usize = 255;

/// A process of the target, as somebody typed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The last two numbers of `<0.123.0>`.
    Pid(u32, u32),
    /// A registered name, in Erlang's or Elixir's writing without quotes.
    Name(String),
}

/// Why a text means no process.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotASubject(String);

impl Subject {
    /// The atoms that it may be registered with: a name that begins like a module of Elixir's may
    /// be one.
    pub(crate) fn names(&self) -> Vec<String> {
        match self {
            Self::Pid(..) => Vec::new(),
            Self::Name(name) if name.starts_with(char::is_uppercase) => {
                vec![format!("Elixir.{name}"), name.clone()]
            }
            Self::Name(name) => vec![name.clone()],
        }
    }
}

impl FromStr for Subject {
    type Err = NotASubject;

    /// Takes `<0.123.0>`, `0.123.0`, `#PID<0.123.0>`, `name`, `:name`, `'a name'`, `My.Module`.
    fn from_str(text: &str) -> Result<Self, NotASubject> {
        let bare = text.strip_prefix("#PID").unwrap_or(text);
        let bare = bare.strip_prefix('<').and_then(|it| it.strip_suffix('>')).unwrap_or(bare);
        let numbers: Vec<&str> = bare.split('.').collect();
        let is_pid =
            numbers.iter().all(|it| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit()));
        if is_pid || bare != text {
            return pid(text, &numbers);
        }
        let name = text.strip_prefix(':').unwrap_or(text);
        let quoted = |mark: char| name.strip_prefix(mark).and_then(|it| it.strip_suffix(mark));
        let name = quoted('\'').or_else(|| quoted('"')).unwrap_or(name);
        let length = name.chars().count();
        if length == 0 || length > NAME_CHARS_MAX || name.chars().any(char::is_control) {
            let why = format!("a registered name has 1 to {NAME_CHARS_MAX} characters");
            return Err(NotASubject(why));
        }
        Ok(Self::Name(name.to_owned()))
    }
}

fn pid(text: &str, numbers: &[&str]) -> Result<Subject, NotASubject> {
    match numbers {
        ["0", id, serial] => {
            let parsed = id.parse().ok().zip(serial.parse().ok());
            parsed.map(|(id, serial)| Subject::Pid(id, serial))
        }
        [_, _, _] => {
            let why = format!(
                "`{text}` does not begin with 0, so it is a process of another node than the one \
                 that printed it; ask that node, which writes it <0.…>"
            );
            return Err(NotASubject(why));
        }
        _ => None,
    }
    .ok_or_else(|| {
        NotASubject(format!("`{text}` is no pid; write e.g. 0.123.0, or a registered name"))
    })
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pid(id, serial) => write!(f, "<0.{id}.{serial}>"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pids_and_names_are_taken_as_people_write_them() {
        for text in ["0.123.4", "<0.123.4>", "#PID<0.123.4>"] {
            assert_eq!(text.parse(), Ok(Subject::Pid(123, 4)), "{text}");
        }
        let named = |text: &str| text.parse::<Subject>().unwrap().names();
        assert_eq!(named("MyApp.Repo"), ["Elixir.MyApp.Repo", "MyApp.Repo"]);
        assert_eq!(named(":code_server"), ["code_server"]);
        assert_eq!(named("'my server'"), ["my server"]);
        for wrong in ["", "1.2", "<0.1>", "<8123.1.2>", "0.1.99999999999", "<x>", "a\nb"] {
            assert!(wrong.parse::<Subject>().is_err(), "{wrong} was taken");
        }
        let remote = "<8123.1.2>".parse::<Subject>().unwrap_err().to_string();
        assert!(remote.contains("another node"), "{remote}");
    }
}
