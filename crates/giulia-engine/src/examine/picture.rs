//! From a stored session to the picture that rules look at: the same records give the same picture.

use giulia_model::{
    Answer, ExplainVerdict, NotSeen, Processes, Session, SessionTrace, Snapshot, Trace,
};
use giulia_rules::{Missing, Part, Picture};
use giulia_store::Kind;

use super::over::OverFold;
use crate::{
    Archive, Error,
    report::{self, Fold, Told},
};

/// Rows of each ranking of the report inside: more than anybody reads, so that no rule misses a
/// culprit because it was the twenty-first.
const TOP: usize = 200;
/// Answers of a kind that are kept; a session that asked more keeps the last.
const ANSWERS_MAX: usize = 200;

/// A session, by its name, the beginning of its name, or `last`, as rules see it.
///
/// # Errors
/// When there is no such session, or the store cannot be read.
pub fn picture(archive: &Archive, name: &str) -> Result<Picture, Error> {
    painted(archive, name, Kind::ALL, &[])
}

/// A session that is being recorded, with what was answered so far, which may not be stored yet.
pub(super) fn with_answers(
    archive: &Archive,
    name: &str,
    answers: &[(u64, Answer)],
) -> Result<Picture, Error> {
    painted(archive, name, &[Kind::Tick, Kind::Mark, Kind::Trace, Kind::Database], answers)
}

fn painted(
    archive: &Archive,
    name: &str,
    kinds: &[Kind],
    answers: &[(u64, Answer)],
) -> Result<Picture, Error> {
    let store = archive.read()?;
    let stored = store.find(name)?;
    let mut painter = Painter::new(&stored.session);
    report::each(&store, &stored.session.name, kinds, |at_ms, told| painter.told(at_ms, told))?;
    for (at_ms, it) in answers {
        painter.answered(*at_ms, it);
    }
    Ok(painter.finish(stored.session, stored.running))
}

/// The findings that a session recorded itself, the last ones; none where it was only watched.
///
/// # Errors
/// When there is no such session, or the store cannot be read.
pub fn recorded_findings(
    archive: &Archive,
    name: &str,
) -> Result<Option<giulia_model::Findings>, Error> {
    let store = archive.read()?;
    let name = store.find(name)?.session.name;
    let mut findings = None;
    report::each(&store, &name, &[Kind::Answer], |_, told| {
        if let Ok(Told::Answer(it)) = told
            && let Answer::Findings(it) = &**it
        {
            findings = Some((**it).clone());
        }
    })?;
    Ok(findings)
}

/// Folds records to a picture.
#[derive(Debug)]
pub(crate) struct Painter {
    report: Fold,
    parts: Folding,
}

impl Painter {
    pub(crate) fn new(session: &Session) -> Self {
        Self { report: Fold::new(session.every_ms, TOP), parts: Folding::default() }
    }

    /// The next record.
    pub(crate) fn told(&mut self, at_ms: u64, told: &Result<Told, NotSeen>) {
        match told {
            Ok(Told::Answer(answer)) => return self.answered(at_ms, answer),
            Ok(Told::Tick(seen)) => self.parts.tick(at_ms, (**seen).clone()),
            Ok(Told::Mark(_) | Told::Calls(_) | Told::Database(_)) | Err(_) => {}
        }
        self.report.told(at_ms, told);
    }

    /// An answer, recorded or not yet.
    fn answered(&mut self, at_ms: u64, answer: &Answer) {
        self.report.answer(at_ms, answer);
        self.parts.answer(answer.clone());
    }

    pub(crate) fn finish(self, session: Session, running: bool) -> Picture {
        let mut picture = Picture::of_report(self.report.finish(session, running));
        self.parts.fill(&mut picture);
        picture
    }
}

/// A picture under construction.
#[derive(Debug, Default)]
struct Folding {
    ticks: u64,
    first: Snapshot,
    last: Snapshot,
    over: OverFold,
    traces: Vec<Trace>,
    explains: Vec<giulia_model::Explain>,
    mailboxes: Vec<giulia_model::Mailbox>,
    ets_rates: Vec<giulia_model::EtsRates>,
    processes: Vec<giulia_model::ProcessDetail>,
    /// What all of them are, by the last sample.
    sampled: Option<Processes>,
    failed: Vec<NotSeen>,
}

impl Folding {
    fn tick(&mut self, at_ms: u64, mut seen: Snapshot) {
        self.ticks += 1;
        self.over.tick(at_ms, &seen);
        keep_first(&mut self.first, &seen);
        // The first looks ask a thousand processes each what they are.
        if let (Some(first), Some(now)) = (&mut self.first.processes, &seen.processes)
            && !knows_all(first)
            && knows_all(now)
        {
            first.clone_from(now);
        }
        // The other way round: what this tick lacks stays as it was.
        keep_first(&mut seen, &self.last);
        self.last = seen;
    }

    fn answer(&mut self, answer: Answer) {
        match answer {
            Answer::Trace(it) => push(&mut self.traces, *it),
            Answer::Explain(it) => push(&mut self.explains, *it),
            Answer::Mailbox(it) => push(&mut self.mailboxes, *it),
            Answer::Ets(it) => push(&mut self.ets_rates, *it),
            Answer::Process(it) => push(&mut self.processes, *it),
            Answer::Processes(it) => self.sampled = Some(*it),
            // Stacks name suspects, and what was concluded then is concluded again.
            Answer::Flame(_) | Answer::Findings(_) => {}
            Answer::NotSeen(it) => push(&mut self.failed, it),
        }
    }

    fn fill(mut self, picture: &mut Picture) {
        if self.ticks > 0 {
            let not_seen: Vec<NotSeen> =
                picture.report.not_seen.iter().map(|it| it.it.clone()).collect();
            self.first.not_seen.clone_from(&not_seen);
            self.last.not_seen = not_seen;
            // The facts of the node are in the head of the session and in no tick.
            let facts = &picture.report.session.facts;
            self.first.node.clone_from(facts);
            self.last.node.clone_from(facts);
            if let Some((last, sampled)) = self.last.processes.as_mut().zip(self.sampled) {
                last.by_initial_call = sampled.by_initial_call;
                last.by_initial_call_left_out = sampled.by_initial_call_left_out;
                last.group_coverage = sampled.group_coverage;
            }
            picture.first = Ok(self.first);
            picture.last = Ok(self.last);
            picture.over = Ok(self.over.finish());
        }
        if let Some(counted) = &picture.report.trace {
            // What the whole session counted, before what was counted closely.
            self.traces.insert(0, counted_over(counted));
        }
        let failed = &self.failed;
        answered(&mut picture.traces, self.traces, failed, &["calls"]);
        // What is not counted names nothing to look at.
        let is_refused = |it: &giulia_model::Explain| it.verdict == ExplainVerdict::Refused;
        let (refused, sampled): (Vec<_>, Vec<_>) = self.explains.into_iter().partition(is_refused);
        picture.unexplained = failed.iter().find(|it| it.what.ends_with(" rests on")).map(|it| {
            let ask = format!("giulia check {} --trace 'MODULE.*'", picture.node);
            Missing::new(it.what.as_str(), it.why.as_str(), ask)
        });
        let has_sampled = !sampled.is_empty();
        answered(&mut picture.explains, sampled, failed, &["what", "calls"]);
        // A loop that was refused says nothing of what others wait for.
        if let (false, Err(missing), Some(it)) =
            (has_sampled || picture.unexplained.is_some(), &mut picture.explains, refused.first())
        {
            missing.why = it.why.clone().unwrap_or_default();
        }
        answered(&mut picture.mailboxes, self.mailboxes, failed, &["messages"]);
        answered(&mut picture.ets_rates, self.ets_rates, failed, &["tables"]);
        answered(&mut picture.processes, self.processes, failed, &["the process"]);
    }
}

/// The calls of a session as those of one trace.
fn counted_over(it: &SessionTrace) -> Trace {
    Trace {
        patterns: it.patterns.clone(),
        functions: it.functions.clone(),
        modules: it.modules.clone(),
        groups: it.groups.clone(),
        left_out: it.left_out.clone(),
        not_seen: it.not_seen.clone(),
        ..Trace::default()
    }
}

fn push<T>(all: &mut Vec<T>, it: T) {
    if all.len() >= ANSWERS_MAX {
        all.remove(0);
    }
    all.push(it);
}

/// What was answered; where nothing was, why, if somebody tried.
fn answered<T>(part: &mut Part<Vec<T>>, all: Vec<T>, failed: &[NotSeen], begins: &[&str]) {
    if !all.is_empty() {
        *part = Ok(all);
        return;
    }
    let tried =
        begins.iter().find_map(|begins| failed.iter().rev().find(|it| it.what.starts_with(begins)));
    if let (Err(missing), Some(tried)) = (part, tried) {
        *missing = Missing { why: tried.why.clone(), ..missing.clone() };
    }
}

/// Whether each process was asked what it is.
fn knows_all(it: &Processes) -> bool {
    it.group_coverage.asked >= it.group_coverage.total
}

/// Fills what is missing in one from the other.
fn keep_first(into: &mut Snapshot, from: &Snapshot) {
    fn fill<T: Clone>(into: &mut Option<T>, from: Option<&T>) {
        if into.is_none() {
            *into = from.cloned();
        }
    }
    if into.taken_at.is_empty() {
        into.taken_at.clone_from(&from.taken_at);
        into.schema.clone_from(&from.schema);
    }
    fill(&mut into.window, from.window.as_ref());
    fill(&mut into.node, from.node.as_ref());
    fill(&mut into.counts, from.counts.as_ref());
    fill(&mut into.limits, from.limits.as_ref());
    fill(&mut into.memory, from.memory.as_ref());
    fill(&mut into.schedulers, from.schedulers.as_ref());
    fill(&mut into.utilisation, from.utilisation.as_ref());
    fill(&mut into.activity, from.activity.as_ref());
    fill(&mut into.processes, from.processes.as_ref());
    fill(&mut into.ets, from.ets.as_ref());
    fill(&mut into.allocators, from.allocators.as_ref());
    fill(&mut into.binaries, from.binaries.as_ref());
    fill(&mut into.ports, from.ports.as_ref());
    fill(&mut into.links, from.links.as_ref());
    fill(&mut into.logger, from.logger.as_ref());
    fill(&mut into.supervision, from.supervision.as_ref());
    fill(&mut into.host, from.host.as_ref());
    fill(&mut into.system_events, from.system_events.as_ref());
}

#[cfg(test)]
mod tests {
    use giulia_model::Coverage;

    use super::*;

    #[test]
    fn the_first_look_at_processes_is_the_first_that_knows_all_of_them() {
        let look = |total, asked| Snapshot {
            processes: Some(Processes {
                group_coverage: Coverage { total, asked, sampled: false },
                ..Processes::default()
            }),
            ..Snapshot::default()
        };
        let mut it = Folding::default();
        for (at_ms, seen) in [
            (0, look(1500, 1000)),
            (1000, look(1600, 1500)),
            (2000, look(1700, 1700)),
            (3000, look(1800, 1800)),
        ] {
            it.tick(at_ms, seen);
        }
        assert_eq!(it.first.processes.unwrap().group_coverage.total, 1700);
        assert_eq!(it.last.processes.unwrap().group_coverage.total, 1800);
    }
}
