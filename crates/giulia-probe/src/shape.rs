//! The shape of a process's state: what it is made of, without its contents.

use std::{collections::HashMap, time::Duration};

use giulia_dist::term::{Pid, Term};
use giulia_model::{Shape, ShapePart};

use crate::{
    answer::{self, Problem},
    eval,
    link::{HEAP_WORDS, Link},
    look, naming,
    probes::process,
};

/// States are copied only of processes with less memory than this, in bytes: they copy it
/// themselves, which takes some ms.
const BYTES_MAX: i64 = 8 << 20;
/// How long an answer of an idle process may take, in milliseconds.
const WITHIN_MS: i64 = 1000;
/// Parts of a state, how deep, and the keys or elements of one part.
const PARTS_MAX: i64 = 200;
const DEPTH_MAX: i64 = 6;
const FEW: i64 = 32;
/// Where processes of OTP's behaviours wait for the next message, `sys`'s own among them: where
/// else a process waits, what we ask might stay in its mailbox (OTP 23-29).
const LOOPS: [(&str, &str); 3] =
    [("gen_server", "loop"), ("gen_statem", "loop_receive"), ("gen_event", "fetch_msg")];

/// The shape of its state, or why it was not asked.
pub(crate) async fn state(link: &Link, pid: &Pid) -> Result<Shape, Problem> {
    if link.no_eval() {
        return Err(Problem(
            "its shape is taken there, by an expression: not with --no-eval".into(),
        ));
    }
    let loops =
        LOOPS.map(|(module, function)| Term::tuple([Term::atom(module), Term::atom(function)]));
    let limits = [BYTES_MAX, PARTS_MAX, DEPTH_MAX, FEW].map(Term::int);
    let argument = [Term::from(pid.clone()), Term::int(WITHIN_MS), Term::list(loops)];
    let question = eval::STATE.with(Term::tuple(argument.into_iter().chain(limits)));
    let bytes = link.ask(process::PROBE.name, &question, HEAP_WORDS, Duration::ZERO).await?;
    let answers = [Ok(bytes)];
    let told = answer::term(&answers, 0)?;
    let inner = told.as_list().and_then(<[_]>::first).unwrap_or(&told);
    match inner.as_tuple() {
        Some([why, what]) if why.as_atom().is_some() => Err(refused(why, what)),
        Some([parts, left]) => shape(parts, answer::uint(left)? > 0),
        _ => Err(Problem("it ended meanwhile".to_owned())),
    }
}

/// Why the state of this one is better not asked.
fn refused(why: &Term<'_>, what: &Term<'_>) -> Problem {
    Problem(match why.as_atom() {
        Some("message_queue_len") => format!(
            "{what} messages wait in its mailbox, and the question would wait behind them; try \
             again when it is empty"
        ),
        Some("status") => format!("it is {what}, not waiting; try again"),
        Some("memory") => format!(
            "it holds {what} bytes, above the 8 MB that a process is made to copy for a look"
        ),
        _ => {
            let function = look::as_mfa(what).map_or_else(|| what.to_string(), |it| it.to_string());
            format!(
                "it waits in {function}, which is no loop of gen_server, gen_statem or gen_event: \
                 the question might stay in its mailbox for ever, or wake it from hibernation"
            )
        }
    })
}

/// Parts as they came, level by level, into an order in which each stands before its inside.
fn shape(parts: &Term<'_>, mut cut: bool) -> Result<Shape, Problem> {
    let mut inside: HashMap<u64, Vec<(u64, ShapePart)>> = HashMap::new();
    for it in parts.as_list().unwrap_or_default() {
        let Some([id, parent, depth, at, kind, size, whole]) = it.as_tuple() else {
            return Err(answer::unexpected(it));
        };
        cut |= whole.is_atom("false");
        let kind = kind.as_atom().unwrap_or_default().to_owned();
        let is_improper = size.is_atom("improper_list");
        let part = ShapePart {
            depth: u32::try_from(answer::uint(depth)?).unwrap_or(u32::MAX),
            at: place(at, *depth == Term::Int(0)),
            atom: size.as_atom().filter(|_| kind == "atom").map(str::to_owned),
            kind: if is_improper { "improper list".to_owned() } else { kind },
            size: answer::uint(size).ok(),
        };
        inside.entry(answer::uint(parent)?).or_default().push((answer::uint(id)?, part));
    }
    let mut ordered = Vec::new();
    // The whole is inside of nothing.
    let mut open: Vec<(u64, ShapePart)> = inside.remove(&0).unwrap_or_default();
    while let Some((id, part)) = open.pop() {
        ordered.push(part);
        open.extend(inside.remove(&id).unwrap_or_default().into_iter().rev());
    }
    Ok(Shape { parts: ordered, cut })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "terms of all other types are alike here")]
fn place(at: &Term<'_>, is_whole: bool) -> Option<String> {
    match at {
        Term::Int(place) => Some(place.to_string()),
        Term::Atom(key) => Some(naming::atom(key).to_owned()),
        _ if is_whole => None,
        _ => Some("each".to_owned()),
    }
}
