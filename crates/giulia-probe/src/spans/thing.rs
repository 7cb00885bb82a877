//! What a function can rest on, and how it is told from the arguments of a boundary.

use giulia_dist::term::{Pid, Port, Reference, Term};
use giulia_model::Mfa;

/// What time is spent on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Thing {
    /// The function's own code, and what it calls that is no boundary.
    Own,
    /// An ETS table, by name or reference.
    Table(Handle),
    /// A key of `persistent_term`, shown.
    PersistentTerm(String),
    /// A process.
    Process(Who),
    /// A process that was spawned for it.
    Child,
    /// Another node.
    Node(String),
    /// A TCP, UDP or other socket.
    Socket(Handle),
    /// The socket under a TLS connection.
    Tls(Handle),
    /// A port that is no socket as far as the trace tells.
    Port(Handle),
    /// A file: its path where the call names it, or the process or descriptor that holds it.
    File(Handle),
    /// A disk table.
    DiskTable(String),
    /// A clock: it slept, or a `receive` waited until its timeout.
    Timer,
    /// It waited for a message, and nothing in the sample says whose.
    Unknown,
}

/// Which one of its kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Handle {
    /// As the call names it.
    Name(String),
    /// A port.
    Port(Port),
    /// A reference: of a table, of a socket.
    Reference(Reference),
    /// A process that holds it.
    Pid(Pid),
    /// The call does not tell.
    Unnamed,
}

/// A process, as it was addressed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Who {
    /// By its pid.
    Pid(Pid),
    /// By its registered name.
    Name(String),
    /// By its name on another node.
    Remote(String, String),
}

/// How deep into a message or an argument one looks for handles, and at how many terms of it.
const DEPTH_MAX: usize = 4;
const TERMS_MAX: usize = 64;

/// A shown key is cut here, in characters.
const SHOWN_CHARS_MAX: usize = 60;

/// References, pids and ports in a term, as far as one looks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Handles {
    pub(crate) references: Vec<Reference>,
    pub(crate) pids: Vec<Pid>,
    pub(crate) ports: Vec<Port>,
}

impl Thing {
    /// What a call of a boundary is about; `None` when the function is none.
    pub(crate) fn of_call(mfa: &Mfa, first: &Term<'_>) -> Option<Self> {
        Some(match (mfa.module.as_str(), mfa.function.as_str()) {
            ("ets", _) => Self::Table(Handle::of(first)),
            ("persistent_term", _) => Self::PersistentTerm(shown(first)),
            ("gen" | "gen_statem" | "gen_event", _) => Self::Process(Who::of(first)?),
            ("erpc" | "rpc", _) => Self::Node(first.as_atom().unwrap_or("?").to_owned()),
            ("gen_tcp" | "gen_udp" | "gen_sctp" | "prim_inet" | "inet" | "socket", _) => {
                Self::Socket(Handle::inside(first))
            }
            ("ssl", _) => Self::Tls(Handle::inside(first)),
            ("httpc", _) => Self::Socket(Handle::Name("httpc".to_owned())),
            ("file" | "prim_file", _) => Self::File(Handle::file(first)),
            ("dets", _) => Self::DiskTable(shown(first)),
            ("timer", _) => Self::Timer,
            ("erlang", "port_command" | "port_control" | "port_call") => {
                Self::Port(Handle::inside(first))
            }
            _ => return None,
        })
    }

    /// The process that it is.
    pub(crate) fn process(&self) -> Option<&Who> {
        if let Self::Process(who) = self { Some(who) } else { None }
    }

    /// Whether a call is followed no further: a table, a socket, a port, a file.
    pub(crate) fn is_ground(&self) -> bool {
        matches!(
            self,
            Self::Table(_)
                | Self::PersistentTerm(_)
                | Self::Socket(_)
                | Self::Tls(_)
                | Self::Port(_)
                | Self::File(_)
                | Self::DiskTable(_)
                | Self::Node(_)
        )
    }
}

impl Handle {
    fn of(term: &Term<'_>) -> Self {
        if let Some(name) = term.as_atom() {
            return Self::Name(name.to_owned());
        }
        Self::inside(term)
    }

    /// The first port in a term, or else the first reference, or the first pid.
    fn inside(term: &Term<'_>) -> Self {
        let found = Handles::of(term);
        if let Some(port) = found.ports.into_iter().next() {
            return Self::Port(port);
        }
        if let Some(reference) = found.references.into_iter().next() {
            return Self::Reference(reference);
        }
        found.pids.into_iter().next().map_or(Self::Unnamed, Self::Pid)
    }

    /// A path, the process of an open file, or the descriptor of a raw one.
    #[expect(clippy::wildcard_enum_match_arm, reason = "other terms name no file")]
    fn file(term: &Term<'_>) -> Self {
        match term {
            Term::Pid(pid) => Self::Pid(pid.clone()),
            Term::Binary(path) => Self::Name(cut(&String::from_utf8_lossy(path))),
            Term::List(points) => {
                let text: Option<String> = points
                    .iter()
                    .map(|it| it.as_int().and_then(|it| u32::try_from(it).ok()))
                    .map(|it| it.and_then(char::from_u32))
                    .collect();
                text.map_or(Self::Unnamed, |it| Self::Name(cut(&it)))
            }
            Term::Tuple(_) => Self::inside(term),
            _ => Self::Unnamed,
        }
    }
}

impl Who {
    /// A destination: a pid, a name, a name on a node, `{via, _, Name}`.
    #[expect(clippy::wildcard_enum_match_arm, reason = "nothing else can be addressed")]
    pub(crate) fn of(term: &Term<'_>) -> Option<Self> {
        match term {
            Term::Pid(pid) => Some(Self::Pid(pid.clone())),
            Term::Atom(name) => Some(Self::Name(name.clone().into_owned())),
            Term::Tuple(parts) => match parts.as_slice() {
                [Term::Atom(scope), name] if *scope == "global" => Some(Self::Name(shown(name))),
                [Term::Atom(name), Term::Atom(node)] => {
                    Some(Self::Remote(name.clone().into_owned(), node.clone().into_owned()))
                }
                [Term::Atom(scope), _, name] if *scope == "via" => Some(Self::Name(shown(name))),
                _ => None,
            },
            _ => None,
        }
    }
}

impl Handles {
    pub(crate) fn of(term: &Term<'_>) -> Self {
        let mut found = Self::default();
        let mut left = TERMS_MAX;
        found.look(term, DEPTH_MAX, &mut left);
        found
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "other terms hold no handles")]
    fn look(&mut self, term: &Term<'_>, depth: usize, left: &mut usize) {
        if *left == 0 {
            return;
        }
        *left -= 1;
        match term {
            Term::Reference(it) => self.references.push((**it).clone()),
            Term::Pid(it) => self.pids.push(it.clone()),
            Term::Port(it) => self.ports.push(it.clone()),
            Term::Tuple(parts) | Term::List(parts) if depth > 0 => {
                for it in parts {
                    self.look(it, depth - 1, left);
                }
            }
            Term::Improper(it) if depth > 0 => {
                for part in &it.elements {
                    self.look(part, depth - 1, left);
                }
                self.look(&it.tail, depth - 1, left);
            }
            Term::Map(pairs) if depth > 0 => {
                for (_, value) in pairs {
                    self.look(value, depth - 1, left);
                }
            }
            _ => {}
        }
    }
}

fn shown(term: &Term<'_>) -> String {
    match term.as_atom() {
        Some(name) => name.to_owned(),
        None => cut(&format!("{term:.200}")),
    }
}

fn cut(text: &str) -> String {
    text.chars().take(SHOWN_CHARS_MAX).collect()
}
