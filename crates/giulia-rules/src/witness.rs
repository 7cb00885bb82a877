//! What the database behind a node says beside what the node saw: which statement was called as
//! often as a function that waits for it, and what of the wait the server accounts for.
//!
//! Nobody follows one call from here to there. Two figures that agree are a correlation, and are told
//! as that; where several agree, which one it is is not known.

use std::collections::BTreeMap;

use giulia_model::{
    Database, DatabaseFunction, DatabaseLook, Explain, ExplainVerdict, Mfa, RestsOnKind,
    SessionDatabase, StatementMatch, StatementOver, TracedFunction,
};

use crate::{Picture, predict::as_f64};

/// How far calls of a function and of a statement may lie apart that were both counted all the while:
/// 2 % at most were measured where one is the other (docs/evidence/04-nexus.md), and the rest is room
/// for a load that begins or ends between the two first or last readings.
const DEVIATION_MAX: f64 = 0.05;
/// The same where a function was counted for a few seconds, and the database for those and the ones in
/// which counters were armed and removed: 600 calls at random are 4 % more or less (a Poisson count),
/// and a load is not the same all the while.
const DEVIATION_OF_LOOK_MAX: f64 = 0.15;
/// Calls below which a rate says nothing: 20 at random are 22 % more or less (a Poisson count).
const CALLS_MIN: u64 = 20;
/// Statements that are named.
const MATCHES_MAX: usize = 3;
/// What opens, closes and sets up a transaction or a connection is called as often as what it is for.
const CONTROL: &[&str] = &[
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "START",
    "SAVEPOINT",
    "RELEASE",
    "SET",
    "RESET",
    "DISCARD",
    "DEALLOCATE",
];

/// Functions that rest on another machine, beside what the database says; nothing where no database
/// was asked. The last sample of each function counts.
pub fn database_functions(picture: &Picture) -> Vec<DatabaseFunction> {
    let Some(over) = &picture.report.database else { return Vec::new() };
    let Some(database) = &over.database else { return Vec::new() };
    let explains = picture.explains.as_deref().unwrap_or_default();
    let mut once: BTreeMap<&Mfa, DatabaseFunction> = BTreeMap::new();
    for it in explains {
        if let Some(row) = function(picture, over, database, it) {
            once.insert(&it.function, row);
        }
    }
    once.into_values().collect()
}

fn function(
    picture: &Picture,
    over: &SessionDatabase,
    database: &Database,
    it: &Explain,
) -> Option<DatabaseFunction> {
    let is_socket = |it: RestsOnKind| matches!(it, RestsOnKind::Socket | RestsOnKind::TlsSocket);
    if it.verdict != ExplainVerdict::Rests || !it.rests_on.iter().any(|it| is_socket(it.kind)) {
        return None;
    }
    let (peer, share) = it.other_machine()?;
    let call_us = it.latency.as_ref().map(|it| it.mean_us);
    let mut row = DatabaseFunction {
        function: it.function.clone(),
        peer: peer.to_owned(),
        call_us,
        waited_us: call_us.map(|it| it * share),
        ..DatabaseFunction::default()
    };
    let counted = counted(picture, &it.function);
    row.calls_per_s = counted.and_then(|it| it.1.calls_per_s);
    if !database.is_peer(peer) {
        row.why =
            format!("it waits for {peer}, and the database that was asked is {}", database.place());
        return Some(row);
    }
    let Some((look, counted)) = counted else {
        "how often it is called was not counted".clone_into(&mut row.why);
        return Some(row);
    };
    if counted.calls.unwrap_or_default() < CALLS_MIN {
        row.why = format!("fewer than {CALLS_MIN} calls were counted, too few for a rate");
        return Some(row);
    }
    let candidates = match look {
        Some(at) => of_look(over, over.looks.get(at), counted),
        None => of_session(over, counted),
    };
    let n_candidates = candidates.len();
    row.matches =
        candidates.into_iter().take(MATCHES_MAX).map(|it| it.told(over, row.waited_us)).collect();
    row.why = why(n_candidates, peer, look.is_some());
    Some(row)
}

fn why(n_candidates: usize, peer: &str, is_look: bool) -> String {
    let within = if is_look { DEVIATION_OF_LOOK_MAX } else { DEVIATION_MAX } * 100.0;
    let address = peer.rsplit(' ').next().unwrap_or(peer);
    let is_local = address.starts_with("127.") || address.starts_with("[::1]");
    let beside = if is_local {
        "; the address is of this machine, so that is so where the node runs here too"
    } else {
        ""
    };
    match n_candidates {
        0 => format!(
            "no statement was called as often, within {within:.0} %: one call may be several \
             statements or none, or others call them too"
        ),
        1 => format!(
            "one statement matches in rate, within {within:.0} %, at the same address{beside}"
        ),
        n => format!(
            "{n} statements match in rate, within {within:.0} %, at the same address; which of them is \
             its own, rates do not tell{beside}"
        ),
    }
}

/// The last counters that saw a function to the end, and which closer look that was; none for those of
/// the whole session.
fn counted<'a>(picture: &'a Picture, mfa: &Mfa) -> Option<(Option<usize>, &'a TracedFunction)> {
    let traces = picture.traces.as_ref().ok()?;
    let of_session = usize::from(picture.report.trace.is_some());
    traces.iter().enumerate().rev().find_map(|(idx, trace)| {
        let is_it = |it: &&TracedFunction| {
            it.name == mfa.function && it.arity == mfa.arity && it.module == mfa.module
        };
        let it = trace.functions.iter().find(is_it).filter(|it| it.calls_per_s.is_some())?;
        Some((idx.checked_sub(of_session), it))
    })
}

/// A statement that was called as often.
#[derive(Debug)]
struct Candidate {
    id: String,
    calls_per_s: f64,
    mean_ms: f64,
    deviation: f64,
    is_control: bool,
}

impl Candidate {
    fn told(self, over: &SessionDatabase, waited_us: Option<f64>) -> StatementMatch {
        let mean_us = self.mean_ms * 1000.0;
        StatementMatch {
            query: query_of(over, &self.id).to_owned(),
            calls_per_s: self.calls_per_s,
            deviation: self.deviation,
            mean_us,
            remainder_us: waited_us.map(|it| it - mean_us).filter(|it| *it >= 0.0),
            id: self.id,
        }
    }
}

fn query_of<'a>(over: &'a SessionDatabase, id: &str) -> &'a str {
    over.statements.iter().find(|it| it.counted.id == id).map_or("", |it| it.counted.query.as_str())
}

fn apart(one: f64, other: f64) -> f64 {
    if one > 0.0 { (other / one - 1.0).abs() } else { f64::INFINITY }
}

/// Both were counted all the while: calls agree also where a load filled a part of the time.
fn of_session(over: &SessionDatabase, counted: &TracedFunction) -> Vec<Candidate> {
    let rate = counted.calls_per_s.unwrap_or_default();
    let calls = as_f64(counted.calls.unwrap_or_default());
    let whole = over.statements.iter().filter(|it| it.counted.lost.is_none());
    let all = whole.map(|it: &StatementOver| Candidate {
        id: it.counted.id.clone(),
        calls_per_s: it.calls_per_s,
        mean_ms: it.mean_ms.unwrap_or_default(),
        deviation: apart(rate, it.calls_per_s).min(apart(calls, as_f64(it.counted.calls))),
        is_control: is_control(&it.counted.query),
    });
    nearest(all, DEVIATION_MAX)
}

/// The database's span is longer; without one around the look, it is the session.
fn of_look(
    over: &SessionDatabase,
    look: Option<&DatabaseLook>,
    counted: &TracedFunction,
) -> Vec<Candidate> {
    let rate = counted.calls_per_s.unwrap_or_default();
    let candidate = |id: &str, calls_per_s: f64, mean_ms: f64| Candidate {
        id: id.to_owned(),
        calls_per_s,
        mean_ms,
        deviation: apart(rate, calls_per_s),
        is_control: is_control(query_of(over, id)),
    };
    if let Some(look) = look.filter(|it| !it.statements.is_empty()) {
        let all = look.statements.iter().map(|it| candidate(&it.id, it.calls_per_s, it.mean_ms));
        nearest(all, DEVIATION_OF_LOOK_MAX)
    } else {
        let whole = over.statements.iter().filter(|it| it.counted.lost.is_none());
        let all = whole
            .map(|it| candidate(&it.counted.id, it.calls_per_s, it.mean_ms.unwrap_or_default()));
        nearest(all, DEVIATION_OF_LOOK_MAX)
    }
}

fn is_control(query: &str) -> bool {
    let word: String = query.chars().take_while(char::is_ascii_alphabetic).collect();
    CONTROL.iter().any(|it| it.eq_ignore_ascii_case(&word))
}

fn nearest(all: impl Iterator<Item = Candidate>, within: f64) -> Vec<Candidate> {
    let mut near: Vec<Candidate> = all.filter(|it| it.deviation <= within).collect();
    near.sort_by(|one, other| {
        one.is_control
            .cmp(&other.is_control)
            .then(one.deviation.total_cmp(&other.deviation))
            .then_with(|| one.id.cmp(&other.id))
    });
    // A transaction around a statement is called as often, and is not what is looked for.
    if near.first().is_some_and(|it| !it.is_control) {
        near.retain(|it| !it.is_control);
    }
    near
}

#[cfg(test)]
mod tests {
    use giulia_model::{SessionTrace, StatementCounted, StatementRate};

    use super::*;
    use crate::example::{explained, healthy, lookup, traced, witnessed};

    const PEER: &str = "10.0.0.7:5432";

    /// 1,000 calls in 5 s, of 2 ms.
    fn with(statements: &[(&str, f64)]) -> Picture {
        let mut picture = healthy();
        picture.explains = Ok(vec![explained(&lookup(), RestsOnKind::Socket, PEER, 2_000.0)]);
        picture.traces.as_mut().unwrap()[0].functions = vec![traced(&lookup(), 200.0)];
        picture.report.database = Some(witnessed(PEER, statements));
        picture
    }

    fn only(picture: &Picture) -> DatabaseFunction {
        let mut all = database_functions(picture);
        assert_eq!(all.len(), 1, "{all:#?}");
        all.remove(0)
    }

    #[test]
    fn a_statement_that_is_called_as_often_matches_and_the_wait_is_taken_apart() {
        let it = only(&with(&[("SELECT a", 205.0), ("INSERT b", 90.0)]));
        assert_eq!(it.matches.len(), 1, "{it:#?}");
        let found = &it.matches[0];
        assert_eq!(found.query, "SELECT a");
        // 96 % of 2 ms are waited, half a millisecond is executed.
        assert!((it.waited_us.unwrap() - 1920.0).abs() < 1e-6);
        assert!((found.remainder_us.unwrap() - 1420.0).abs() < 1e-6, "{found:#?}");
        assert!(it.why.contains("one statement matches in rate"), "{}", it.why);
    }

    #[test]
    fn transactions_around_it_do_not_count_and_equals_are_not_told_apart() {
        let it = only(&with(&[("BEGIN", 200.0), ("SELECT a", 204.0), ("commit", 200.0)]));
        assert_eq!(it.matches.len(), 1);
        let it = only(&with(&[
            ("SELECT a", 200.0),
            ("SELECT b", 201.0),
            ("SELECT c", 202.0),
            ("SELECT d", 203.0),
        ]));
        assert_eq!(it.matches.len(), MATCHES_MAX);
        assert!(it.why.contains("4 statements") && it.why.contains("do not tell"), "{}", it.why);
    }

    #[test]
    fn where_nothing_matches_it_says_so() {
        let it = only(&with(&[("SELECT a", 400.0)]));
        assert!(it.matches.is_empty() && it.why.contains("no statement was called as often"));
        let mut elsewhere = with(&[("SELECT a", 200.0)]);
        elsewhere.report.database.as_mut().unwrap().database.as_mut().unwrap().addresses =
            vec!["10.0.0.8:5432".to_owned()];
        let it = only(&elsewhere);
        assert!(it.matches.is_empty() && it.why.contains(PEER), "{}", it.why);
        let mut uncounted = with(&[("SELECT a", 200.0)]);
        uncounted.traces = Ok(Vec::new());
        assert!(only(&uncounted).why.contains("not counted"));
        assert!(database_functions(&healthy()).is_empty());
    }

    #[test]
    fn calls_of_a_whole_session_agree_also_where_the_load_was_a_part_of_it() {
        let mut picture = with(&[("SELECT a", 150.0)]);
        picture.report.trace = Some(SessionTrace::default());
        let database = picture.report.database.as_mut().unwrap();
        database.statements[0].counted.calls = 1_010;
        assert_eq!(only(&picture).matches.len(), 1);
        database_lost(&mut picture);
        assert!(only(&picture).matches.is_empty());
    }

    fn database_lost(picture: &mut Picture) {
        let statements = &mut picture.report.database.as_mut().unwrap().statements;
        statements[0].counted = StatementCounted {
            lost: Some("thrown out".to_owned()),
            ..statements[0].counted.clone()
        };
    }

    #[test]
    fn a_closer_look_is_held_against_what_came_around_it() {
        let mut picture = with(&[("SELECT a", 20.0)]);
        let rate = StatementRate { id: "0".to_owned(), calls_per_s: 190.0, mean_ms: 0.5 };
        let look = DatabaseLook { from_ms: 0, to_ms: 10_000, statements: vec![rate] };
        picture.report.database.as_mut().unwrap().looks = vec![look];
        let it = only(&picture);
        assert!((it.matches[0].calls_per_s - 190.0).abs() < 1e-9, "{it:#?}");
    }
}
