//! Reading what `erl/processes.erl` answers, straight from the bytes.

use std::collections::HashMap;

use giulia_dist::term::{DecodeError, Kind, Limits, Pid, Reader, Term};
use giulia_model::Mfa;

use crate::{
    answer::{self, Problem},
    naming::{Label, Traits},
    probes::{
        activity::{self, Totals},
        processes::CLOSELY_MAX,
    },
};

/// Everything that one look at the processes learnt.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Look {
    /// Whether every process was looked at closely.
    pub(crate) exact: bool,
    /// How many stand behind the ranking, where it is not everyone.
    pub(crate) ranked: Option<u64>,
    /// From the first look at everyone to the second, in microseconds.
    pub(crate) apart_us: i64,
    /// The VM's counters at the edges of the window.
    pub(crate) window: Option<((i64, Totals), (i64, Totals))>,
    /// Sums of everyone, by group leader.
    pub(crate) led: Vec<(Leader, Sums)>,
    /// The rows to list.
    pub(crate) rows: Vec<Row>,
    /// The busiest, for groups.
    pub(crate) busy: Vec<Brief>,
    /// The longest mailboxes that are not among the busiest, for groups.
    pub(crate) mailers: Vec<Brief>,
    /// Others at random, for groups.
    pub(crate) sampled: Vec<Brief>,
    /// Groups that are summed up already.
    pub(crate) grouped: Vec<(String, Sums)>,
    /// Applications by the pid of their master.
    pub(crate) applications: HashMap<Pid, String>,
}

/// Who leads a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Leader {
    Pid(Pid),
    /// More leaders than are told apart.
    Others,
}

/// Sums over processes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) processes: u64,
    /// In the window; since start without one.
    pub(crate) worked: u64,
    pub(crate) since_start: u64,
    pub(crate) mailbox_len: u64,
}

/// A process to list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) pid: Pid,
    pub(crate) worked: u64,
    pub(crate) since_start: u64,
    pub(crate) traits: Traits,
    pub(crate) current: Option<Mfa>,
    pub(crate) status: String,
    pub(crate) memory_bytes: Option<u64>,
    pub(crate) leader: Option<Pid>,
    pub(crate) mailbox_len: Option<u64>,
}

/// A process that only groups know.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Brief {
    pub(crate) traits: Traits,
    pub(crate) sums: Sums,
}

/// A compressed answer may inflate to this: 10,000 rows take 3 MB (measured).
const INFLATED_BYTES_MAX: usize = 32 << 20;

/// Group leaders told apart in a chunk: the first one's and 64 others.
const LEADERS_MAX: usize = 65;
/// Chunks of 8,000 processes: above 1.4 million nobody is asked.
const CHUNKS_MAX: usize = 256;
/// The sample is 1,000, and rounded up in each chunk.
const SAMPLED_MAX: usize = 1000 + CHUNKS_MAX;

/// Reads the list of one binary that the evaluated question returns.
///
/// An answer with more than was asked for is an error: a node cannot make us keep it.
pub(crate) fn read(reply: &[u8], top: usize) -> Result<Look, Problem> {
    let limits = Limits { inflated_bytes_max: INFLATED_BYTES_MAX, ..Limits::DEFAULT };
    let mut inflated = Vec::new();
    let mut reader = Reader::versioned(answer::packed(reply)?, &limits, &mut inflated)?;
    reader.tuple_of(8)?;
    reader.skip()?;
    let mut look = Look { exact: reader.boolean()?, apart_us: reader.int()?, ..Look::default() };
    look.window = window(&reader.term()?)?;
    let mut excess = None;
    let each = Capped { what: "chunks", max: CHUNKS_MAX };
    let mut more = None;
    each.read(&mut reader, &mut excess, |it| chunk(it, &mut look.led, &mut more))?;
    excess = excess.or(more);
    let each = Capped { what: "rows", max: top.saturating_mul(3) };
    each.read(&mut reader, &mut excess, |it| {
        // `false` where the process was in no list any more.
        if it.kind()? == Kind::Tuple {
            look.rows.push(row(it)?);
        } else {
            it.skip()?;
        }
        Ok(())
    })?;
    let busy_max = usize::try_from(CLOSELY_MAX).unwrap_or(usize::MAX);
    let mut lists =
        [(&mut look.busy, busy_max), (&mut look.sampled, SAMPLED_MAX), (&mut look.mailers, top)];
    let mut more = None;
    let each = Capped { what: "lists", max: lists.len() };
    let mut lists = lists.iter_mut();
    each.read(&mut reader, &mut excess, |it| {
        let Some((list, max)) = lists.next() else { return it.skip() };
        Capped { what: "processes", max: *max }.read(it, &mut more, |it| {
            list.push(brief(it)?);
            Ok(())
        })
    })?;
    if let Some(what) = excess.or(more) {
        return Err(Problem(format!("the node answered with more {what} than were asked for")));
    }
    look.applications = applications(&reader.term()?);
    Ok(look)
}

/// A list of which only so many elements are kept.
pub(crate) struct Capped {
    pub(crate) what: &'static str,
    pub(crate) max: usize,
}

impl Capped {
    /// What is above the limit is skipped, and its name noted.
    pub(crate) fn read(
        &self,
        reader: &mut Reader<'_>,
        excess: &mut Option<&'static str>,
        mut read: impl FnMut(&mut Reader<'_>) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let mut n_read = 0;
        reader.each(|it| {
            if n_read == self.max {
                *excess = Some(self.what);
                return it.skip();
            }
            n_read += 1;
            read(it)
        })
    }
}

/// Applications from `ets:match(ac_tab, {{application_master, '$1'}, '$2'})`.
pub(crate) fn applications(found: &Term<'_>) -> HashMap<Pid, String> {
    let pairs = found.as_list().unwrap_or_default().iter().filter_map(Term::as_list);
    let named = pairs.filter_map(|pair| match pair {
        [name, master] => Some((master.as_pid()?.clone(), name.as_atom()?.to_owned())),
        _ => None,
    });
    named.collect()
}

type Edge = (i64, Totals);

fn window(term: &Term<'_>) -> Result<Option<(Edge, Edge)>, Problem> {
    match term.as_tuple() {
        Some([opened, closed]) => Ok(Some((activity::edge(opened)?, activity::edge(closed)?))),
        _ if term.is_atom("none") => Ok(None),
        _ => Err(answer::unexpected(term)),
    }
}

/// A chunk: sums by group leader, and of all but the first leader where there were too many.
fn chunk(
    reader: &mut Reader<'_>,
    led: &mut Vec<(Leader, Sums)>,
    excess: &mut Option<&'static str>,
) -> Result<(), DecodeError> {
    reader.tuple_of(2)?;
    let mut first = true;
    let mut told_apart = Sums::default();
    let each = Capped { what: "group leaders", max: LEADERS_MAX };
    each.read(reader, excess, |it| {
        it.tuple_of(5)?;
        let leader = it.pid()?;
        let sums = sums(it)?;
        if !first {
            told_apart.add(sums);
        }
        first = false;
        led.push((Leader::Pid(leader), sums));
        Ok(())
    })?;
    Capped { what: "group leaders", max: 1 }.read(reader, excess, |it| {
        it.tuple_of(4)?;
        led.push((Leader::Others, sums(it)?.less(told_apart)));
        Ok(())
    })
}

fn sums(reader: &mut Reader<'_>) -> Result<Sums, DecodeError> {
    Ok(Sums {
        processes: reader.uint()?,
        worked: reader.uint()?,
        since_start: reader.uint()?,
        mailbox_len: reader.uint()?,
    })
}

fn row(reader: &mut Reader<'_>) -> Result<Row, DecodeError> {
    reader.tuple_of(13)?;
    let (worked, since_start, pid) = (reader.uint()?, reader.uint()?, reader.pid()?);
    let registered = name(reader)?;
    let initial = mfa(reader)?;
    let current = mfa(reader)?;
    let memory_bytes = number(reader)?;
    let status = name(reader)?.unwrap_or_default();
    let leader = leader(reader)?;
    let mailbox_len = number(reader)?;
    let (call, label) = (as_call(&reader.term()?), label(reader)?);
    let traits = Traits { registered, label, call, initial, outermost: mfa(reader)? };
    Ok(Row { pid, worked, since_start, traits, current, status, memory_bytes, leader, mailbox_len })
}

fn brief(reader: &mut Reader<'_>) -> Result<Brief, DecodeError> {
    reader.tuple_of(8)?;
    let initial = mfa(reader)?;
    let (call, label) = (as_call(&reader.term()?), label(reader)?);
    let outermost = mfa(reader)?;
    reader.skip()?;
    let mailbox_len = number(reader)?.unwrap_or_default();
    let (worked, since_start) = (reader.uint()?, reader.uint()?);
    let traits = Traits { registered: None, label, call, initial, outermost };
    Ok(Brief { traits, sums: Sums { processes: 1, worked, since_start, mailbox_len } })
}

impl Sums {
    pub(crate) fn add(&mut self, other: Self) {
        // The figures are the node's, which may be nobody's friend.
        self.processes = self.processes.saturating_add(other.processes);
        self.worked = self.worked.saturating_add(other.worked);
        self.since_start = self.since_start.saturating_add(other.since_start);
        self.mailbox_len = self.mailbox_len.saturating_add(other.mailbox_len);
    }

    /// An estimate from a part of the whole.
    pub(crate) fn times(self, factor: f64) -> Self {
        Self {
            processes: times(self.processes, factor),
            worked: times(self.worked, factor),
            since_start: times(self.since_start, factor),
            mailbox_len: times(self.mailbox_len, factor),
        }
    }

    pub(crate) fn less(self, other: Self) -> Self {
        Self {
            processes: self.processes.saturating_sub(other.processes),
            worked: self.worked.saturating_sub(other.worked),
            since_start: self.since_start.saturating_sub(other.since_start),
            mailbox_len: self.mailbox_len.saturating_sub(other.mailbox_len),
        }
    }
}

/// `{M, F, A}`, or `{M, F, A, Location}` of a stack; anything else stands for none.
fn mfa(reader: &mut Reader<'_>) -> Result<Option<Mfa>, DecodeError> {
    Ok(as_mfa(&reader.term()?))
}

/// A function from its term.
pub(crate) fn as_mfa(term: &Term<'_>) -> Option<Mfa> {
    let ([module, function, arity] | [module, function, arity, _]) = term.as_tuple()? else {
        return None;
    };
    // A frame may hold the arguments themselves.
    let arity = match arity.as_list() {
        Some(args) => u32::try_from(args.len()).ok()?,
        None => u32::try_from(arity.as_int()?).ok()?,
    };
    Some(Mfa::new(module.as_atom()?, function.as_atom()?, arity))
}

/// `$initial_call`: the function, or the dictionary's pair around it.
pub(crate) fn as_call(term: &Term<'_>) -> Option<Mfa> {
    match term.as_tuple() {
        Some([key, value]) if key.is_atom("$initial_call") => as_mfa(value),
        _ => as_mfa(term),
    }
}

/// A label, or the dictionary's pair around it.
fn label(reader: &mut Reader<'_>) -> Result<Option<Label>, DecodeError> {
    let term = reader.term()?;
    Ok(match term.as_tuple() {
        Some([key, value]) if key.is_atom("$process_label") => Label::new(value),
        _ => Label::new(&term),
    })
}

/// An atom; `[]` stands for none.
fn name(reader: &mut Reader<'_>) -> Result<Option<String>, DecodeError> {
    Ok(reader.term()?.as_atom().map(str::to_owned))
}

/// A number; a stand-in of another type for none.
pub(crate) fn number(reader: &mut Reader<'_>) -> Result<Option<u64>, DecodeError> {
    Ok(reader.term()?.as_int().and_then(|it| u64::try_from(it).ok()))
}

fn leader(reader: &mut Reader<'_>) -> Result<Option<Pid>, DecodeError> {
    Ok(reader.term()?.as_pid().cloned())
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate has three digits, and a product of sums is never negative"
)]
pub(crate) fn times(sum: u64, factor: f64) -> u64 {
    (sum as f64 * factor).round() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Replies of real nodes, recorded by `cargo xtask record`.
    const RECORDED: [(&str, &[u8]); 4] = [
        ("23", include_bytes!("../../../fixtures/otp-23/processes.etf")),
        ("25", include_bytes!("../../../fixtures/otp-25/processes.etf")),
        ("27", include_bytes!("../../../fixtures/otp-27/processes.etf")),
        ("29", include_bytes!("../../../fixtures/otp-29/processes.etf")),
    ];

    #[test]
    fn replies_of_every_otp_are_read() {
        for (otp, reply) in RECORDED {
            let look = read(reply, 20).unwrap();
            let processes = crate::ranking::processes(&look, 20, None);
            assert!(look.window.is_some(), "{otp}");
            let busiest = &processes.top_by_reductions[0];
            assert!(["busy_20", "busy_19"].contains(&busiest.name.as_str()), "{otp}: {busiest:?}");
            assert!((busiest.reductions_share - 0.095).abs() < 0.02, "{otp}: {busiest:?}");
            let rooms = processes.by_initial_call.iter().find(|it| it.name == "{room,_}").unwrap();
            assert_eq!(rooms.processes, 30, "{otp}");
            assert_eq!(processes.top_by_mailbox[0].mailbox_len, Some(1000), "{otp}");
            assert!(processes.by_application.iter().any(|it| it.name == "kernel"), "{otp}");
        }
    }

    #[test]
    fn an_answer_with_more_than_was_asked_for_is_refused() {
        for (otp, reply) in RECORDED {
            let problem = read(reply, 2).unwrap_err();
            assert!(problem.to_string().contains("more rows"), "{otp}: {problem}");
        }
        let five = Term::list(["a", "b", "c", "d", "e"].map(Term::atom));
        let mut bytes = Vec::new();
        five.encode(&mut bytes).unwrap();
        for (max, expected) in [(5, None), (4, Some("atoms"))] {
            let (mut excess, mut kept) = (None, 0);
            let each = Capped { what: "atoms", max };
            each.read(&mut Reader::new(&bytes), &mut excess, |it| {
                kept += 1;
                it.skip()
            })
            .unwrap();
            assert_eq!((kept, excess), (max, expected));
        }
    }

    proptest! {
        #[test]
        fn garbage_is_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = read(&bytes, 20).is_ok();
        }

        #[test]
        fn a_reply_with_a_wrong_byte_never_panics(at in 0_usize..4000, byte in any::<u8>()) {
            for (_, reply) in RECORDED {
                // Inflated, so that the wrong byte meets the reader and not the checksum.
                let mut packed = &reply[..0];
                Reader::new(reply).each(|it| { packed = it.binary()?; Ok(()) }).unwrap();
                let mut inflated = Vec::new();
                Reader::versioned(packed, &Limits::DEFAULT, &mut inflated).unwrap();
                let at = at * inflated.len() / 4000;
                inflated[at] = byte;
                let mut plain = vec![131];
                plain.extend_from_slice(&inflated);
                let mut whole = Vec::new();
                Term::list([Term::binary(plain)]).encode(&mut whole).unwrap();
                let _ = read(&whole, 20).is_ok();
            }
        }
    }
}
