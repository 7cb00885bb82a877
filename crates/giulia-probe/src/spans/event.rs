//! A trace message as what it says: who did what when.
//!
//! Values that pass through (arguments, results, contents of messages) are looked at for handles
//! and hashed, and not kept.

use std::hash::{DefaultHasher, Hash, Hasher};

use giulia_dist::term::{DecodeError, Pid, Term};
use giulia_model::Mfa;

use super::thing::{Handles, Thing, Who};

/// One event of one process.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    pub(crate) pid: Pid,
    /// By the node's clock, in microseconds; strictly rising, as `erlang:now/0`. 0 where it was not
    /// told, until `World` puts that of the next event there.
    pub(crate) at_us: u64,
    pub(crate) what: What,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum What {
    /// The function in question was called.
    Entry { caller: Option<Mfa>, key: Digest },
    /// It returned or raised.
    Left { raised: bool, result: Digest },
    /// A boundary was called.
    Call { mfa: Mfa, thing: Thing },
    /// A boundary returned or raised.
    Return { mfa: Mfa },
    /// Something returned or raised a value that was too large to be taken.
    ReturnLarge { result: Digest },
    /// A message was sent; `node` where its receiver lives on another.
    Send { to: To, tags: Handles },
    /// A message was taken from the outside into the mailbox.
    Received { about: Incoming },
    /// It was scheduled in.
    In,
    /// It was scheduled out.
    Out,
    /// It spawned another.
    Spawn(Pid),
    /// It was spawned by another.
    Spawned(Pid),
    /// It ended.
    Exit,
    /// Anything else.
    Other,
}

/// Where a message went.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum To {
    Process(Who),
    Port(giulia_dist::term::Port),
}

/// What a received message is about.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Incoming {
    /// None: the time of a `receive` was up.
    Timeout,
    /// Data or news of a socket or port.
    Of(Thing),
    /// A message with these handles in it.
    Message(Handles),
}

/// A value that was seen and not kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Digest {
    /// Of its external form; 0 of what was too large to be taken.
    pub hash: u64,
    /// Of its external form.
    pub bytes: u64,
}

/// Messages that say what a socket or port does, by their first element.
const SOCKET_TAGS: &[&str] = &[
    "tcp",
    "tcp_closed",
    "tcp_error",
    "tcp_passive",
    "udp",
    "udp_error",
    "udp_passive",
    "sctp",
    "inet_reply",
    "inet_async",
    "$socket",
    "http",
];
const TLS_TAGS: &[&str] = &["ssl", "ssl_closed", "ssl_error", "ssl_passive"];

impl Event {
    /// Reads one message of the VM; `None` where it is none that matters.
    pub(crate) fn read(bytes: &[u8], function: &Mfa) -> Result<Option<Self>, DecodeError> {
        let bytes = bytes.strip_prefix(&[131]).unwrap_or(bytes);
        let term = Term::decode(bytes)?;
        Ok(read(&term, function))
    }
}

fn read(term: &Term<'_>, function: &Mfa) -> Option<Event> {
    let parts = term.as_tuple()?;
    if let [tag, bytes, pid, kind] = parts
        && tag.is_atom("large")
    {
        let size = Digest { hash: 0, bytes: u64::try_from(bytes.as_int()?).ok()? };
        let what = large(kind.as_atom()?, size);
        return Some(Event { pid: pid.as_pid()?.clone(), at_us: 0, what });
    }
    let [tag, pid, kind, middle @ .., at] = parts else { return None };
    if !tag.is_atom("trace_ts") {
        return None;
    }
    let (pid, at_us) = (pid.as_pid()?.clone(), micros(at)?);
    let what = what(kind.as_atom()?, middle, function).unwrap_or(What::Other);
    Some(Event { pid, at_us, what })
}

/// What was too large to be taken. Arguments are sent of the function in question alone. It has
/// no time: that of the next event has to do.
fn large(kind: &str, size: Digest) -> What {
    match kind {
        "call" => What::Entry { caller: None, key: size },
        "return_from" | "exception_from" => What::ReturnLarge { result: size },
        "receive" => What::Received { about: Incoming::Message(Handles::default()) },
        _ => What::Other,
    }
}

fn what(kind: &str, middle: &[Term<'_>], function: &Mfa) -> Option<What> {
    match (kind, middle) {
        ("call", [called, note @ ..]) => call(called, note.first(), function),
        ("return_from" | "exception_from", [called, value]) => {
            let (mfa, _) = mfa(called)?;
            if mfa != *function {
                return Some(What::Return { mfa });
            }
            Some(What::Left { raised: kind == "exception_from", result: Digest::of(value) })
        }
        ("send" | "send_to_non_existing_process", [message, to]) => {
            let to = if let Term::Port(port) = to {
                To::Port(port.clone())
            } else {
                To::Process(Who::of(to)?)
            };
            Some(What::Send { to, tags: Handles::of(message) })
        }
        ("receive", [message, ..]) => Some(What::Received { about: incoming(message) }),
        ("in", _) => Some(What::In),
        ("out", _) => Some(What::Out),
        ("spawn", [child, ..]) => Some(What::Spawn(child.as_pid()?.clone())),
        ("spawned", [parent, ..]) => Some(What::Spawned(parent.as_pid()?.clone())),
        ("exit" | "out_exited" | "out_exiting", _) => Some(What::Exit),
        _ => None,
    }
}

/// The entry of the function comes from a meta trace, whose messages have the arguments; those of
/// boundaries have the arity.
fn call(called: &Term<'_>, note: Option<&Term<'_>>, function: &Mfa) -> Option<What> {
    let (mfa, args) = mfa(called)?;
    if let (Some(args), true) = (args, mfa == *function) {
        let from = note.and_then(|it| self::mfa(it)).map(|(it, _)| it);
        return Some(What::Entry { caller: from, key: Digest::of(args) });
    }
    let thing = Thing::of_call(&mfa, note.unwrap_or(&Term::Nil))?;
    Some(What::Call { mfa, thing })
}

/// `{M, F, Arity}` or `{M, F, Args}`.
fn mfa<'t, 'b>(term: &'t Term<'b>) -> Option<(Mfa, Option<&'t Term<'b>>)> {
    let [module, function, last] = term.as_tuple()? else { return None };
    let (arity, args) = match last.as_int() {
        Some(arity) => (u32::try_from(arity).ok()?, None),
        None => (u32::try_from(last.as_list()?.len()).ok()?, Some(last)),
    };
    Some((Mfa::new(module.as_atom()?, function.as_atom()?, arity), args))
}

fn incoming(message: &Term<'_>) -> Incoming {
    if message.is_atom("timeout") {
        return Incoming::Timeout;
    }
    if let Some([tag, rest @ ..]) = message.as_tuple() {
        let found = Handles::of(&Term::Tuple(rest.to_vec()));
        let handle = || {
            let port = found.ports.first().cloned().map(super::thing::Handle::Port);
            let reference = found.references.first().cloned();
            port.or(reference.map(super::thing::Handle::Reference))
        };
        match tag.as_atom() {
            Some(tag) if SOCKET_TAGS.contains(&tag) => {
                if let Some(handle) = handle() {
                    return Incoming::Of(Thing::Socket(handle));
                }
            }
            Some(tag) if TLS_TAGS.contains(&tag) => {
                if let Some(handle) = handle() {
                    return Incoming::Of(Thing::Tls(handle));
                }
            }
            _ => {}
        }
        if let Term::Port(port) = tag {
            return Incoming::Of(Thing::Port(super::thing::Handle::Port(port.clone())));
        }
    }
    Incoming::Message(Handles::of(message))
}

/// `{MegaSeconds, Seconds, Microseconds}`.
fn micros(at: &Term<'_>) -> Option<u64> {
    let [mega, seconds, micros] = at.as_tuple()? else { return None };
    let part = |it: &Term<'_>| it.as_int().and_then(|it| u64::try_from(it).ok());
    let seconds = part(mega)?.checked_mul(1_000_000)?.checked_add(part(seconds)?)?;
    seconds.checked_mul(1_000_000)?.checked_add(part(micros)?)
}

impl Digest {
    fn of(term: &Term<'_>) -> Self {
        let mut bytes = Vec::new();
        if term.encode(&mut bytes).is_err() {
            return Self::default();
        }
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        Self { hash: hasher.finish(), bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX) }
    }
}
