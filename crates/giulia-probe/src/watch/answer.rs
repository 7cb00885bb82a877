//! Reading what the watcher answers, straight from the bytes; every list has a limit.

use giulia_dist::term::{DecodeError, Kind, Limits, Pid, Reader, Term};

use super::BUSIEST;
use crate::{
    answer::{self, Answer, Problem},
    look::{Capped, Leader, Sums, number},
};

/// What one tick told.
#[derive(Debug)]
pub(crate) struct Told {
    /// The tick's number, as it was asked.
    pub(crate) number: u64,
    /// What the functions returned; all of them failed where one raised.
    pub(crate) answers: Result<Vec<Answer>, Problem>,
    /// When it began, by the target's monotonic clock, in microseconds.
    pub(crate) began_us: i64,
    /// When the functions had returned.
    pub(crate) called_us: i64,
    /// When it ended.
    pub(crate) ended_us: i64,
    /// The watcher's own reductions so far.
    pub(crate) reductions: u64,
    /// The look, where one was wanted.
    pub(crate) seen: Option<Seen>,
}

/// One look at everyone.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Sums of everyone, ours included.
    pub(crate) whole: Sums,
    /// Sums by group leader, where they were wanted.
    pub(crate) led: Vec<(Leader, Sums)>,
    /// How many worked or have mail.
    pub(crate) active: u64,
    /// The busiest of them, busiest first.
    pub(crate) busy: Vec<Active>,
    /// The others of them, where everyone is known.
    pub(crate) cut: Vec<Cut>,
    /// The longest mailboxes, longest first.
    pub(crate) fullest: Vec<Active>,
    /// Whose pids were wanted.
    pub(crate) listed: Vec<Listed>,
    /// Who of those known ended; their number alone where no list was wanted.
    pub(crate) gone: Vec<Pid>,
    pub(crate) n_gone: u64,
    /// The nine items of those to list; none for who ended meanwhile.
    pub(crate) closely: Vec<(Pid, Term<'static>)>,
}

/// A process that worked, or has mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Active {
    pub(crate) pid: Pid,
    /// Reductions since the last look; since its start where it was not known then.
    pub(crate) worked: u64,
    pub(crate) since_start: u64,
    /// Absent where a VM bug forbids asking.
    pub(crate) mailbox_len: Option<u64>,
    pub(crate) leader: Pid,
}

/// A process that worked, or has mail, and is not among the busiest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) pid: Pid,
    pub(crate) worked: u64,
    pub(crate) mailbox_len: Option<u64>,
}

/// A process that is told because it is new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) pid: Pid,
    pub(crate) since_start: u64,
    pub(crate) leader: Pid,
}

/// A compressed answer may inflate to this: 10,000 pids take 600 KB, 1,000 rows 100 KB.
const INFLATED_BYTES_MAX: usize = 16 << 20;
/// Chunks of 8,000 processes, old and new ones: above 1.4 million nobody is looked at.
const CHUNKS_MAX: usize = 512;
/// Group leaders told apart in a chunk, and all of them together.
const LEADERS_MAX: usize = 17;
/// Pids that are kept: a burst of births above it makes the census begin anew, so twice what it
/// holds is enough.
const PIDS_MAX: usize = 20_000;

/// Reads one answer.
pub(crate) fn read(payload: &[u8]) -> Result<Told, Problem> {
    let mut reader = Reader::new(payload);
    if reader.kind()? != Kind::Binary {
        return told(&mut reader);
    }
    let packed = reader.binary()?;
    let limits = Limits { inflated_bytes_max: INFLATED_BYTES_MAX, ..Limits::DEFAULT };
    let mut inflated = Vec::new();
    let mut reader = Reader::versioned(packed, &limits, &mut inflated)?;
    told(&mut reader)
}

fn told(reader: &mut Reader<'_>) -> Result<Told, Problem> {
    reader.tuple_of(5)?;
    let number = reader.uint()?;
    let answers = answers(reader.raw()?);
    reader.tuple_of(3)?;
    let (began_us, called_us, ended_us) = (reader.int()?, reader.int()?, reader.int()?);
    let reductions = reader.uint()?;
    let seen = if reader.kind()? == Kind::Tuple { Some(seen(reader)?) } else { None };
    Ok(Told { number, answers, began_us, called_us, ended_us, reductions, seen })
}

fn answers(bytes: &[u8]) -> Result<Vec<Answer>, Problem> {
    let mut reader = Reader::new(bytes);
    if reader.kind()? == Kind::Tuple {
        return Err(answer::unexpected(&reader.term()?));
    }
    Ok(answer::elements(bytes)?.into_iter().map(Ok).collect())
}

fn seen(reader: &mut Reader<'_>) -> Result<Seen, Problem> {
    let mut seen = Seen::default();
    let mut excess = None;
    reader.tuple_of(6)?;
    let mut more = None;
    let each = Capped { what: "chunks", max: CHUNKS_MAX };
    each.read(reader, &mut excess, |it| chunk(it, &mut seen, &mut more))?;
    seen.active = reader.uint()?;
    let each = Capped { what: "processes", max: BUSIEST };
    each.read(reader, &mut excess, |it| {
        it.tuple_of(5)?;
        let (worked, since_start, pid) = (it.uint()?, it.uint()?, it.pid()?);
        let (mailbox_len, leader) = (number(it)?, it.pid()?);
        seen.busy.push(Active { pid, worked, since_start, mailbox_len, leader });
        Ok(())
    })?;
    let many = Capped { what: "processes", max: PIDS_MAX };
    many.read(reader, &mut excess, |it| {
        it.tuple_of(3)?;
        let (pid, worked, mailbox_len) = (it.pid()?, it.uint()?, number(it)?);
        seen.cut.push(Cut { pid, worked, mailbox_len });
        Ok(())
    })?;
    each.read(reader, &mut excess, |it| {
        it.tuple_of(5)?;
        let (letters, since_start, pid) = (it.uint()?, it.uint()?, it.pid()?);
        let (worked, leader) = (it.uint()?, it.pid()?);
        let mailbox_len = Some(letters);
        seen.fullest.push(Active { pid, worked, since_start, mailbox_len, leader });
        Ok(())
    })?;
    each.read(reader, &mut excess, |it| {
        it.tuple_of(2)?;
        let pid = it.pid()?;
        seen.closely.push((pid, it.term()?.into_owned()));
        Ok(())
    })?;
    if let Some(what) = excess.or(more) {
        return Err(Problem(format!("the watcher answered with more {what} than were asked for")));
    }
    Ok(seen)
}

fn chunk(
    reader: &mut Reader<'_>,
    seen: &mut Seen,
    excess: &mut Option<&'static str>,
) -> Result<(), DecodeError> {
    // The chunks of the old ones, then those of the new ones.
    let each = Capped { what: "chunks", max: CHUNKS_MAX };
    let mut more = None;
    each.read(reader, excess, |it| {
        it.tuple_of(7)?;
        let whole = sums(it)?;
        seen.whole.add(whole);
        let each = Capped { what: "group leaders", max: 1 };
        let led = &mut seen.led;
        let mut many = None;
        each.read(it, &mut more, |it| leaders(it, whole, led, &mut many))?;
        more = more.or(many);
        let each = Capped { what: "new processes", max: PIDS_MAX };
        let listed = &mut seen.listed;
        each.read(it, &mut more, |it| {
            it.tuple_of(3)?;
            listed.push(Listed { pid: it.pid()?, since_start: it.uint()?, leader: it.pid()? });
            Ok(())
        })?;
        if it.kind()? == Kind::Integer {
            seen.n_gone = seen.n_gone.saturating_add(it.uint()?);
            return Ok(());
        }
        let gone = &mut seen.gone;
        let each = Capped { what: "ended processes", max: PIDS_MAX };
        each.read(it, &mut more, |it| {
            gone.push(it.pid()?);
            Ok(())
        })?;
        seen.n_gone = u64::try_from(seen.gone.len()).unwrap_or(u64::MAX);
        Ok(())
    })?;
    *excess = excess.or(more);
    Ok(())
}

/// The first leader of a chunk has what the others together have not.
fn leaders(
    reader: &mut Reader<'_>,
    whole: Sums,
    led: &mut Vec<(Leader, Sums)>,
    excess: &mut Option<&'static str>,
) -> Result<(), DecodeError> {
    reader.tuple_of(2)?;
    let first = reader.pid()?;
    let mut others = Sums::default();
    let mut told_apart = Sums::default();
    let each = Capped { what: "group leaders", max: LEADERS_MAX };
    each.read(reader, excess, |it| {
        it.tuple_of(5)?;
        if it.kind()? == Kind::Atom {
            it.skip()?;
            others = sums(it)?;
            return Ok(());
        }
        let leader = Leader::Pid(it.pid()?);
        let sums = sums(it)?;
        told_apart.add(sums);
        led.push((leader, sums));
        Ok(())
    })?;
    led.push((Leader::Pid(first), whole.less(others)));
    let beyond = others.less(told_apart);
    if beyond.processes > 0 {
        led.push((Leader::Others, beyond));
    }
    Ok(())
}

fn sums(reader: &mut Reader<'_>) -> Result<Sums, DecodeError> {
    Ok(Sums {
        processes: reader.uint()?,
        // A process that runs tells its reductions only roughly: a sum may fall by a few.
        worked: u64::try_from(reader.int()?).unwrap_or_default(),
        since_start: reader.uint()?,
        mailbox_len: reader.uint()?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pid(id: u32) -> Term<'static> {
        Term::from(Pid::new("shop@db1", id, 0, 7))
    }

    fn ints(values: impl IntoIterator<Item = i64>) -> Vec<Term<'static>> {
        values.into_iter().map(Term::int).collect()
    }

    /// An answer with one chunk of 10 processes under three leaders, and so many busy rows.
    fn answer(n_busy: u32) -> Vec<u8> {
        let led = |leader: Term<'static>, figures: [i64; 4]| {
            Term::tuple([leader].into_iter().chain(ints(figures)))
        };
        let others = [
            led(Term::atom("others"), [4, 40, 400, 1]),
            led(pid(2), [1, 10, 100, 0]),
            led(pid(3), [2, 20, 200, 1]),
        ];
        let grouped = Term::tuple([pid(1), Term::list(others)]);
        let listed = Term::tuple([pid(20), Term::int(5), pid(1)]);
        let chunk = ints([10, 100, 1000, 3]).into_iter().chain([
            Term::list([grouped]),
            Term::list([listed]),
            Term::list([pid(30), pid(31)]),
        ]);
        let busy = (0..n_busy).map(|it| {
            Term::tuple([Term::int(9), Term::int(90), pid(it), Term::atom("normal"), pid(1)])
        });
        let cut = Term::tuple([pid(40), Term::int(3), Term::int(0)]);
        let seen = Term::tuple([
            Term::list([Term::list([Term::tuple(chunk)])]),
            Term::int(12),
            Term::list(busy),
            Term::list([cut]),
            Term::Nil,
            Term::Nil,
        ]);
        let times = Term::tuple(ints([-5_000, -4_000, -1_000]));
        let told = Term::list([Term::int(1), Term::atom("x")]);
        let whole = Term::tuple([Term::int(7), told, times, Term::int(500), seen]);
        let mut bytes = Vec::new();
        whole.encode(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn the_first_leader_has_what_the_others_have_not() {
        let told = read(&answer(2)).unwrap();
        assert_eq!((told.number, told.began_us, told.reductions), (7, -5_000, 500));
        assert_eq!(told.answers.unwrap().len(), 2);
        let seen = told.seen.unwrap();
        let sums = |processes, worked, since_start, mailbox_len| Sums {
            processes,
            worked,
            since_start,
            mailbox_len,
        };
        assert_eq!(seen.whole, sums(10, 100, 1000, 3));
        let leader = |id| Leader::Pid(Pid::new("shop@db1", id, 0, 7));
        let expected = [
            (leader(2), sums(1, 10, 100, 0)),
            (leader(3), sums(2, 20, 200, 1)),
            (leader(1), sums(6, 60, 600, 2)),
            (Leader::Others, sums(1, 10, 100, 0)),
        ];
        assert_eq!(seen.led, expected);
        assert_eq!((seen.gone.len(), seen.n_gone, seen.listed.len(), seen.cut.len()), (2, 2, 1, 1));
        assert_eq!(seen.busy[1].mailbox_len, None);
    }

    #[test]
    fn more_than_was_asked_for_is_refused() {
        assert!(read(&answer(1000)).is_ok());
        let problem = read(&answer(1001)).unwrap_err();
        assert!(problem.to_string().contains("more processes"), "{problem}");
    }

    proptest! {
        #[test]
        fn garbage_is_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes).is_ok();
        }

        #[test]
        fn an_answer_with_a_wrong_byte_never_panics(at in 0_usize..4000, byte in any::<u8>()) {
            let mut bytes = answer(3);
            let at = at * bytes.len() / 4000;
            bytes[at] = byte;
            let _ = read(&bytes).is_ok();
        }
    }
}
