//! Control messages: what nodes tell each other about processes.
//!
//! <https://www.erlang.org/doc/apps/erts/erl_dist_protocol.html#control-message>
//!
//! All that a node of OTP 23 to 29 may send is read, whatever was negotiated; we send the few
//! at the end of this file. Variants with a trace token are read as those without.

use crate::{
    flags,
    term::{DecodeError, Kind, Pid, Reader, Reference, Term},
};

const LINK: u64 = 1;
const SEND: u64 = 2;
const EXIT: u64 = 3;
const UNLINK: u64 = 4;
const NODE_LINK: u64 = 5;
const REG_SEND: u64 = 6;
const GROUP_LEADER: u64 = 7;
const EXIT2: u64 = 8;
const SEND_TT: u64 = 12;
const EXIT_TT: u64 = 13;
const REG_SEND_TT: u64 = 16;
const EXIT2_TT: u64 = 18;
const MONITOR_P: u64 = 19;
const DEMONITOR_P: u64 = 20;
const MONITOR_P_EXIT: u64 = 21;
const SEND_SENDER: u64 = 22;
const SEND_SENDER_TT: u64 = 23;
const PAYLOAD_EXIT: u64 = 24;
const PAYLOAD_EXIT_TT: u64 = 25;
const PAYLOAD_EXIT2: u64 = 26;
const PAYLOAD_EXIT2_TT: u64 = 27;
const PAYLOAD_MONITOR_P_EXIT: u64 = 28;
const SPAWN_REQUEST: u64 = 29;
const SPAWN_REQUEST_TT: u64 = 30;
const SPAWN_REPLY: u64 = 31;
const SPAWN_REPLY_TT: u64 = 32;
const ALIAS_SEND: u64 = 33;
const ALIAS_SEND_TT: u64 = 34;
const UNLINK_ID: u64 = 35;
const UNLINK_ID_ACK: u64 = 36;

/// A process, by what the sender knows of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Process {
    /// By pid.
    Pid(Pid),
    /// By registered name.
    Name(String),
}

/// What a control message says. Message and exit reason are in the payload unless said.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Control {
    /// `from` links itself to `to`.
    Link {
        /** Who. */
        from: Pid,
        /** To whom. */
        to: Pid,
    },
    /// The unlink of OTP 23 and 24, without acknowledgement.
    Unlink {
        /** Who. */
        from: Pid,
        /** From whom. */
        to: Pid,
    },
    /// An unlink that must be acknowledged before anything else is sent to `from`.
    UnlinkId {
        /** Its number. */
        id: u64,
        /** Who. */
        from: Pid,
        /** From whom. */
        to: Pid,
    },
    /// The acknowledgement of ours.
    UnlinkIdAck {
        /** Its number. */
        id: u64,
        /** Who. */
        from: Pid,
        /** To whom. */
        to: Pid,
    },
    /// A message for a pid.
    Send {
        /** To whom. */
        to: Pid,
    },
    /// A message for a name.
    RegSend {
        /** Who. */
        from: Pid,
        /** The name. */
        name: String,
    },
    /// A message for an alias; we hand none out.
    AliasSend,
    /// A link has broken.
    Exit {
        /** Who ended. */
        from: Pid,
        /** The other end. */
        to: Pid,
        /** From peers without `EXIT_PAYLOAD`. */
        reason: Option<Vec<u8>>,
    },
    /// `exit(To, Reason)` was called.
    Exit2 {
        /** Who. */
        from: Pid,
        /** Whom. */
        to: Pid,
        /** As above. */
        reason: Option<Vec<u8>>,
    },
    /// Group leader of `to`; we have no processes.
    GroupLeader,
    /// `from` monitors `to`.
    Monitor {
        /** Who. */
        from: Pid,
        /** Whom. */
        to: Process,
        /** By which. */
        reference: Reference,
    },
    /// And no longer does.
    Demonitor {
        /** Who. */
        from: Pid,
        /** Whom. */
        to: Process,
        /** By which. */
        reference: Reference,
    },
    /// A monitored process ended.
    MonitorExit {
        /** Who ended. */
        from: Process,
        /** Who monitors. */
        to: Pid,
        /** By which. */
        reference: Reference,
        /** From peers without `EXIT_PAYLOAD`. */
        reason: Option<Vec<u8>>,
    },
    /// Somebody wants to start a process here.
    SpawnRequest {
        /** Which request. */
        reference: Reference,
        /** Whose. */
        from: Pid,
    },
    /// The answer to our request.
    SpawnReply {
        /** Which request. */
        reference: Reference,
        /** Whose. */
        to: Pid,
        /** Whether it is linked. */
        is_linked: bool,
        /** The process, or why there is none. */
        result: Result<Pid, String>,
    },
    /// From before anyone here was born.
    NodeLink,
    /// Nothing that we know; ignored, and counted by the caller.
    Unknown {
        /** The operation. */
        operation: u64,
    },
}

impl Control {
    /// Reads a control tuple, without a version byte.
    ///
    /// # Errors
    ///
    /// When it is not a tuple that starts with a number, or a known operation is followed by
    /// something else than its fields.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        reader.tuple()?;
        let operation = reader.uint()?;
        match operation {
            LINK | UNLINK | UNLINK_ID | UNLINK_ID_ACK => link(operation, &mut reader),
            SEND | SEND_TT | SEND_SENDER | SEND_SENDER_TT => {
                reader.skip()?;
                Ok(Self::Send { to: reader.pid()? })
            }
            REG_SEND | REG_SEND_TT => {
                let from = reader.pid()?;
                reader.skip()?;
                Ok(Self::RegSend { from, name: reader.atom()?.into_owned() })
            }
            EXIT | EXIT_TT | PAYLOAD_EXIT | PAYLOAD_EXIT_TT | EXIT2 | EXIT2_TT | PAYLOAD_EXIT2
            | PAYLOAD_EXIT2_TT => exit(operation, &mut reader),
            MONITOR_P | DEMONITOR_P | MONITOR_P_EXIT | PAYLOAD_MONITOR_P_EXIT => {
                monitor(operation, &mut reader)
            }
            SPAWN_REQUEST | SPAWN_REQUEST_TT => {
                Ok(Self::SpawnRequest { reference: reader.reference()?, from: reader.pid()? })
            }
            SPAWN_REPLY | SPAWN_REPLY_TT => spawn_reply(&mut reader),
            GROUP_LEADER => Ok(Self::GroupLeader),
            NODE_LINK => Ok(Self::NodeLink),
            ALIAS_SEND | ALIAS_SEND_TT => Ok(Self::AliasSend),
            operation => Ok(Self::Unknown { operation }),
        }
    }
}

fn link(operation: u64, reader: &mut Reader<'_>) -> Result<Control, DecodeError> {
    let id = if matches!(operation, UNLINK_ID | UNLINK_ID_ACK) { reader.uint()? } else { 0 };
    let (from, to) = (reader.pid()?, reader.pid()?);
    Ok(match operation {
        LINK => Control::Link { from, to },
        UNLINK => Control::Unlink { from, to },
        UNLINK_ID => Control::UnlinkId { id, from, to },
        _ => Control::UnlinkIdAck { id, from, to },
    })
}

fn exit(operation: u64, reader: &mut Reader<'_>) -> Result<Control, DecodeError> {
    let (from, to) = (reader.pid()?, reader.pid()?);
    if matches!(operation, EXIT_TT | EXIT2_TT) {
        reader.skip()?;
    }
    let reason = match operation {
        EXIT | EXIT_TT | EXIT2 | EXIT2_TT => Some(reader.raw()?.to_vec()),
        _ => None,
    };
    Ok(match operation {
        EXIT | EXIT_TT | PAYLOAD_EXIT | PAYLOAD_EXIT_TT => Control::Exit { from, to, reason },
        _ => Control::Exit2 { from, to, reason },
    })
}

fn monitor(operation: u64, reader: &mut Reader<'_>) -> Result<Control, DecodeError> {
    if matches!(operation, MONITOR_P | DEMONITOR_P) {
        let (from, to, reference) = (reader.pid()?, process(reader)?, reader.reference()?);
        return Ok(match operation {
            MONITOR_P => Control::Monitor { from, to, reference },
            _ => Control::Demonitor { from, to, reference },
        });
    }
    let (from, to, reference) = (process(reader)?, reader.pid()?, reader.reference()?);
    let reason = match operation {
        MONITOR_P_EXIT => Some(reader.raw()?.to_vec()),
        _ => None,
    };
    Ok(Control::MonitorExit { from, to, reference, reason })
}

fn spawn_reply(reader: &mut Reader<'_>) -> Result<Control, DecodeError> {
    /// A link between the new process and us was set up.
    const LINKED: u64 = 1;
    let (reference, to) = (reader.reference()?, reader.pid()?);
    let is_linked = reader.uint()? & LINKED != 0;
    let result = match process(reader)? {
        Process::Pid(pid) => Ok(pid),
        Process::Name(reason) => Err(reason),
    };
    Ok(Control::SpawnReply { reference, to, is_linked, result })
}

fn process(reader: &mut Reader<'_>) -> Result<Process, DecodeError> {
    if reader.kind()? == Kind::Atom {
        Ok(Process::Name(reader.atom()?.into_owned()))
    } else {
        Ok(Process::Pid(reader.pid()?))
    }
}

/// A message for a pid; the message is the payload.
pub fn send(negotiated: u64, from: &Pid, to: &Pid) -> Term<'static> {
    if negotiated & flags::SEND_SENDER == 0 {
        operation(SEND, [Term::atom(""), Term::Pid(to.clone())])
    } else {
        operation(SEND_SENDER, [Term::Pid(from.clone()), Term::Pid(to.clone())])
    }
}

/// A message for a registered name; the message is the payload.
pub fn reg_send(from: &Pid, name: &str) -> Term<'static> {
    let name = Term::atom(name.to_owned());
    operation(REG_SEND, [Term::Pid(from.clone()), Term::atom(""), name])
}

/// Links a process of ours to one of theirs.
pub fn link_to(from: &Pid, to: &Pid) -> Term<'static> {
    operation(LINK, [Term::Pid(from.clone()), Term::Pid(to.clone())])
}

/// Takes a link away; with a number when the peer acknowledges.
pub fn unlink(negotiated: u64, id: u64, from: &Pid, to: &Pid) -> Term<'static> {
    let (from, to) = (Term::Pid(from.clone()), Term::Pid(to.clone()));
    if negotiated & flags::UNLINK_ID == 0 {
        operation(UNLINK, [from, to])
    } else {
        operation(UNLINK_ID, [Term::uint(id), from, to])
    }
}

/// Acknowledges the peer's unlink.
pub fn unlink_ack(id: u64, from: &Pid, to: &Pid) -> Term<'static> {
    let (from, to) = (Term::Pid(from.clone()), Term::Pid(to.clone()));
    operation(UNLINK_ID_ACK, [Term::uint(id), from, to])
}

/// A signal with a reason: `(control, payload)` as the peer wants it.
pub type WithReason = (Term<'static>, Option<Term<'static>>);

/// Our end of a link is gone.
pub fn exit_link(negotiated: u64, from: &Pid, to: &Pid, reason: Term<'static>) -> WithReason {
    let parties = vec![Term::Pid(from.clone()), Term::Pid(to.clone())];
    with_reason(negotiated, [EXIT, PAYLOAD_EXIT], parties, reason)
}

/// `exit(To, Reason)`.
pub fn exit_process(negotiated: u64, from: &Pid, to: &Pid, reason: Term<'static>) -> WithReason {
    let parties = vec![Term::Pid(from.clone()), Term::Pid(to.clone())];
    with_reason(negotiated, [EXIT2, PAYLOAD_EXIT2], parties, reason)
}

/// A process that the peer monitors is gone, or never was.
pub fn monitor_exit(
    negotiated: u64,
    from: &Process,
    to: &Pid,
    reference: &Reference,
    reason: Term<'static>,
) -> WithReason {
    let parties = vec![process_term(from), Term::Pid(to.clone()), Term::from(reference.clone())];
    with_reason(negotiated, [MONITOR_P_EXIT, PAYLOAD_MONITOR_P_EXIT], parties, reason)
}

/// Monitors a process of theirs.
pub fn monitor_process(from: &Pid, to: &Process, reference: &Reference) -> Term<'static> {
    let reference = Term::from(reference.clone());
    operation(MONITOR_P, [Term::Pid(from.clone()), process_term(to), reference])
}

/// And no longer does.
pub fn demonitor(from: &Pid, to: &Process, reference: &Reference) -> Term<'static> {
    let reference = Term::from(reference.clone());
    operation(DEMONITOR_P, [Term::Pid(from.clone()), process_term(to), reference])
}

/// Starts a process; the argument list is the payload.
pub fn spawn_request(
    reference: &Reference,
    from: &Pid,
    group_leader: &Pid,
    entry: (&str, &str, u8),
    options: Vec<Term<'static>>,
) -> Term<'static> {
    let (module, function, arity) = entry;
    let entry = Term::tuple([
        Term::atom(module.to_owned()),
        Term::atom(function.to_owned()),
        Term::int(arity),
    ]);
    operation(
        SPAWN_REQUEST,
        [
            Term::from(reference.clone()),
            Term::Pid(from.clone()),
            Term::Pid(group_leader.clone()),
            entry,
            Term::list(options),
        ],
    )
}

/// Refuses to start a process.
pub fn spawn_refusal(reference: &Reference, to: &Pid) -> Term<'static> {
    operation(
        SPAWN_REPLY,
        [Term::from(reference.clone()), Term::Pid(to.clone()), Term::int(0), Term::atom("notsup")],
    )
}

fn with_reason(
    negotiated: u64,
    [plain, payload]: [u64; 2],
    mut parties: Vec<Term<'static>>,
    reason: Term<'static>,
) -> WithReason {
    if negotiated & flags::EXIT_PAYLOAD == 0 {
        parties.push(reason);
        (operation(plain, parties), None)
    } else {
        (operation(payload, parties), Some(reason))
    }
}

fn process_term(process: &Process) -> Term<'static> {
    match process {
        Process::Pid(pid) => Term::Pid(pid.clone()),
        Process::Name(name) => Term::atom(name.clone()),
    }
}

fn operation(code: u64, rest: impl IntoIterator<Item = Term<'static>>) -> Term<'static> {
    Term::tuple(std::iter::once(Term::uint(code)).chain(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us() -> Pid {
        Pid::new("us@h", 2, 0, 7)
    }

    fn them() -> Pid {
        Pid::new("they@h", 99, 1, 8)
    }

    fn reference() -> Reference {
        Reference::new("us@h", 7, &[1, 2, 3]).unwrap()
    }

    fn decoded(term: &Term<'_>) -> Control {
        let mut bytes = Vec::new();
        term.encode(&mut bytes).unwrap();
        Control::decode(&bytes).unwrap()
    }

    #[test]
    fn what_we_send_reads_as_what_it_is() {
        let (from, to) = (us(), them());
        assert_eq!(decoded(&link_to(&us(), &them())), Control::Link { from, to });
        for negotiated in [0, flags::OFFERED] {
            assert_eq!(decoded(&send(negotiated, &us(), &them())), Control::Send { to: them() });
            let (control, payload) = exit_link(negotiated, &us(), &them(), Term::int(5));
            let reason = (negotiated == 0).then(|| vec![97, 5]);
            assert_eq!(payload.is_some(), reason.is_none());
            assert_eq!(decoded(&control), Control::Exit { from: us(), to: them(), reason });
            let unlinked = decoded(&unlink(negotiated, 5, &us(), &them()));
            let expect = if negotiated == 0 {
                Control::Unlink { from: us(), to: them() }
            } else {
                Control::UnlinkId { id: 5, from: us(), to: them() }
            };
            assert_eq!(unlinked, expect);
        }
    }

    #[test]
    fn a_spawn_reply_is_a_pid_or_a_reason() {
        let reply = |flags: i64, result: Term<'static>| {
            decoded(&Term::tuple([
                Term::int(31),
                Term::from(reference()),
                Term::from(us()),
                Term::int(flags),
                result,
            ]))
        };
        let expect = |is_linked, result| Control::SpawnReply {
            reference: reference(),
            to: us(),
            is_linked,
            result,
        };
        assert_eq!(reply(1, Term::from(them())), expect(true, Ok(them())));
        assert_eq!(reply(2, Term::from(them())), expect(false, Ok(them())));
        let failed = Err("system_limit".to_owned());
        assert_eq!(reply(0, Term::atom("system_limit")), expect(false, failed));
    }

    #[test]
    fn trace_tokens_are_skipped() {
        let exit = |code: i64, rest: Vec<Term<'static>>| {
            let parties = [Term::int(code), Term::from(them()), Term::from(us())];
            decoded(&Term::tuple(parties.into_iter().chain(rest)))
        };
        let token = || Term::tuple([Term::int(1), Term::Nil]);
        let expect = |reason| Control::Exit { from: them(), to: us(), reason };
        assert_eq!(exit(3, vec![Term::int(5)]), expect(Some(vec![97, 5])));
        assert_eq!(exit(13, vec![token(), Term::int(5)]), expect(Some(vec![97, 5])));
        assert_eq!(exit(24, vec![]), expect(None));
        assert_eq!(exit(25, vec![token()]), expect(None));
    }

    #[test]
    fn an_operation_of_tomorrow_is_unknown_and_a_broken_one_an_error() {
        let tomorrow = Term::tuple([Term::int(250), Term::Nil]);
        assert_eq!(decoded(&tomorrow), Control::Unknown { operation: 250 });
        for broken in [&[104, 0][..], &[97, 1], &[104, 3, 97, 1, 97, 2, 97, 3], &[104, 1, 97]] {
            Control::decode(broken).unwrap_err();
        }
    }
}
