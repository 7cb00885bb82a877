//! Sessions side by side, and the predictions of the first held against what the others measured.

use std::collections::BTreeMap;

use giulia_model::{
    Compare, ComparedFigure, ComparedFinding, ComparedOutcome, ComparedSession, Explain, Findings,
    Gain, Metric, Mfa, RestsOnKind, Score, Scored,
};

use crate::{Missing, Picture, judge, predict::as_f64, table};

/// Functions and servers of which figures are compared.
const ROWS_MAX: usize = 20;

/// One session to compare.
#[derive(Debug, Clone)]
pub struct Compared {
    /// What is known of it.
    pub picture: Picture,
    /// What it concluded itself when it was recorded, predictions included; absent where it was
    /// only watched.
    pub stated: Option<Findings>,
}

/// Calls that take less are measured by their own time, of which counting is a part.
const UNTOLD_US: f64 = 10.0;

/// Compares them; the first one's predictions are held against each of the others.
pub fn compare(sessions: &[Compared]) -> Compare {
    let judged: Vec<Findings> = sessions.iter().map(|it| judge(&it.picture)).collect();
    let mut predictions = Vec::new();
    if let Some((first, others)) = sessions.split_first() {
        let stated = first.stated.as_ref().or(judged.first());
        let gains = stated.into_iter().flat_map(|it| &it.findings);
        for finding in gains {
            for gain in &finding.gain {
                let hold = |other| scored(first, other, &finding.rule, gain);
                predictions.extend(others.iter().map(hold));
            }
        }
    }
    Compare {
        schema: "giulia.compare/1".to_owned(),
        sessions: sessions.iter().map(|it| session(&it.picture)).collect(),
        figures: figures(sessions),
        findings: findings(&judged),
        score: score(&predictions),
        predictions,
        cautions: cautions(sessions),
    }
}

fn session(it: &Picture) -> ComparedSession {
    let session = &it.report.session;
    ComparedSession {
        name: session.name.clone(),
        node: session.node.clone(),
        started_at: session.started_at.clone(),
        elapsed_ms: it.report.window.elapsed_ms,
        otp_release: session.facts.as_ref().map(|it| it.otp_release.clone()),
    }
}

fn cautions(sessions: &[Compared]) -> Vec<String> {
    let mut cautions = Vec::new();
    let of = |name: &str, values: Vec<Option<String>>| {
        let mut known: Vec<String> = values.into_iter().flatten().collect();
        known.dedup();
        (known.len() > 1).then(|| format!("{name} differ: {}", known.join(", ")))
    };
    let otp =
        |it: &Compared| it.picture.report.session.facts.as_ref().map(|it| it.otp_release.clone());
    cautions.extend(of("OTP releases", sessions.iter().map(otp).collect()));
    let online =
        |it: &Compared| it.picture.report.schedulers.as_ref().map(|it| it.online.to_string());
    cautions.extend(of("schedulers online", sessions.iter().map(online).collect()));
    cautions
}

/// Figures by name, in order.
fn figures(sessions: &[Compared]) -> Vec<ComparedFigure> {
    let mut names: Vec<(String, &'static str)> = Vec::new();
    let mut all: Vec<BTreeMap<String, f64>> = Vec::new();
    for it in sessions {
        let mut values = BTreeMap::new();
        for (name, unit, value) in figures_of(&it.picture) {
            if !names.iter().any(|known| known.0 == name) {
                names.push((name.clone(), unit));
            }
            values.insert(name, value);
        }
        all.push(values);
    }
    let figure = |(name, unit): (String, &'static str)| {
        let values: Vec<Option<f64>> = all.iter().map(|it| it.get(&name).copied()).collect();
        let ends = values.first().copied().flatten().zip(values.last().copied().flatten());
        let factor = ends.filter(|(first, _)| *first > 0.0).map(|(first, last)| last / first);
        ComparedFigure { figure: name, unit: unit.to_owned(), values, factor }
    };
    let figures = names.into_iter().map(figure);
    figures.filter(|it| it.values.iter().flatten().count() > 1 || sessions.len() < 2).collect()
}

fn figures_of(it: &Picture) -> Vec<(String, &'static str, f64)> {
    let mut rows: Vec<(String, &'static str, f64)> = Vec::new();
    let report = &it.report;
    if let Some(work) = &report.work {
        rows.push(("reductions".to_owned(), "per_second", work.reductions_per_second));
        rows.extend(work.cpu_cores.map(|it| ("CPU of the VM".to_owned(), "cores", it.median)));
        rows.push(("work of the logger".to_owned(), "share", work.logger.share));
    }
    if let Some(vm) = &report.schedulers {
        rows.extend(vm.utilisation.map(|it| ("schedulers busy".to_owned(), "share", it.median)));
        rows.push(("run queue".to_owned(), "waiting", vm.run_queue.median));
        rows.push(("run queue at most".to_owned(), "waiting", vm.run_queue.max));
    }
    for trend in &report.memory {
        rows.push((format!("memory of {}", trend.name), "bytes", as_f64(trend.last)));
    }
    for limit in &report.limits {
        rows.push((limit.name.clone(), "count", as_f64(limit.last)));
    }
    let longest = report.mailboxes.first().map_or(0, |it| it.max);
    rows.push(("longest mailbox".to_owned(), "messages", as_f64(longest)));
    for function in it.counted().into_iter().take(ROWS_MAX) {
        let rate = function.calls_per_s;
        rows.extend(rate.map(|it| (format!("calls of {}", function.mfa()), "per_second", it)));
    }
    for explain in it.explains.as_deref().unwrap_or_default().iter().take(ROWS_MAX) {
        let mean = explain.latency.as_ref().map(|it| it.mean_us);
        rows.extend(mean.map(|it| (format!("time of a call of {}", explain.function), "us", it)));
    }
    for mailbox in it.mailboxes.as_deref().unwrap_or_default().iter().take(ROWS_MAX) {
        let name = &mailbox.name;
        rows.extend(mailbox.busy.map(|it| (format!("utilisation of {name}"), "share", it.share)));
        rows.extend(mailbox.waiting.map(|it| (format!("waiting for {name}"), "ms", it.mean_ms)));
    }
    rows
}

fn findings(judged: &[Findings]) -> Vec<ComparedFinding> {
    let mut rows: Vec<ComparedFinding> = Vec::new();
    for (idx, all) in judged.iter().enumerate() {
        for it in &all.findings {
            let culprit = it.culprits.first().map(|it| it.name.clone()).unwrap_or_default();
            let known = rows.iter().position(|row| row.rule == it.rule && row.culprit == culprit);
            let place = known.unwrap_or_else(|| {
                let outcomes = vec![None; judged.len()];
                rows.push(ComparedFinding { rule: it.rule.clone(), culprit, outcomes });
                rows.len().saturating_sub(1)
            });
            let slot = rows.get_mut(place).and_then(|it| it.outcomes.get_mut(idx));
            if let Some(slot) = slot.filter(|it| it.is_none()) {
                *slot = Some(ComparedOutcome { outcome: it.outcome, severity: it.severity });
            }
        }
    }
    let is_found =
        |it: &ComparedFinding| it.outcomes.iter().flatten().any(|it| it.severity.is_some());
    rows.retain(is_found);
    rows
}

fn scored(first: &Compared, other: &Compared, rule: &str, gain: &Gain) -> Scored {
    let mut scored = Scored {
        from: first.picture.report.session.name.clone(),
        stated_before: first.stated.is_some(),
        against: other.picture.report.session.name.clone(),
        rule: rule.to_owned(),
        gain: gain.clone(),
        scaled_by: 1.0,
        ..Scored::default()
    };
    if gain.metric == Metric::QueriesPerSecond
        && let Some(mfa) = function(&other.picture, &gain.of)
        && let Some((calls, _)) = other.picture.calls_per_s(&mfa)
        && gain.before > 0.0
    {
        scored.scaled_by = calls / gain.before;
        let scaled = &mut scored.gain;
        for it in [&mut scaled.likely, &mut scaled.low, &mut scaled.high] {
            *it *= scored.scaled_by;
        }
    }
    if gain.metric == Metric::CallsPerSecond
        && let Some((before, after)) = processors(&first.picture).zip(processors(&other.picture))
        && before > 0.0
    {
        scored.scaled_by = after / before;
        let scaled = &mut scored.gain;
        for it in [&mut scaled.likely, &mut scaled.low, &mut scaled.high] {
            *it *= scored.scaled_by;
        }
    }
    match measured(&other.picture, gain) {
        Ok((value, floor)) => {
            let gain = &scored.gain;
            scored.measured = Some(value);
            if value <= floor && gain.low <= floor {
                scored.within = Some(true);
                let why = format!("both lie below what can be measured, {floor} {}", gain.unit);
                scored.why = Some(why);
                if gain.metric == Metric::QueriesPerSecond {
                    scored.error_share = error_share(gain, value, scored.scaled_by);
                }
            } else {
                // What it cannot tell is on either side of what it says.
                let is_untold = gain.metric == Metric::LatencyUs && value < UNTOLD_US;
                let untold = if is_untold { floor } else { 0.0 };
                let (low, high) = (value - untold, value + untold);
                scored.within = Some(low <= gain.high && high >= gain.low);
                scored.error_share = error_share(gain, value, scored.scaled_by);
            }
        }
        Err(missing) => scored.why = Some(format!("{}: {}", missing.what, missing.why)),
    }
    scored
}

/// CPU time that a node had which wanted all that there was, in cores: what other programs of its
/// machine left to it. A throughput that is predicted for as much as before follows it.
fn processors(it: &Picture) -> Option<f64> {
    /// A share of their time in which schedulers work that leaves nothing to wish for.
    const ALL: f64 = 0.9;
    let busy = it.report.schedulers.as_ref()?.utilisation?.median;
    let cores = it.report.work.as_ref()?.cpu_cores?.median;
    (busy >= ALL).then_some(cores)
}

/// How far the likeliest figure is off: of what was measured; where calls are to go away, of those
/// that there would be without the change, because what is predicted is how many go.
fn error_share(gain: &Gain, value: f64, scaled_by: f64) -> Option<f64> {
    let counts_what_goes = gain.metric == Metric::QueriesPerSecond;
    let whole = if counts_what_goes { gain.before * scaled_by } else { value };
    (whole > 0.0).then(|| (gain.likely - value).abs() / whole)
}

/// What a session measured of a prediction, and what it could not have measured below.
fn measured(it: &Picture, gain: &Gain) -> Result<(f64, f64), Missing> {
    let of = gain.of.as_str();
    let no = |what: &str| Missing {
        what: of.to_owned(),
        why: format!("the session holds no {what} of it"),
        ask: None,
    };
    match gain.metric {
        Metric::CallsPerSecond => {
            let mfa = function(it, of).ok_or_else(|| no("call counters"))?;
            it.calls_per_s(&mfa).map(|it| (it.0, 0.0)).ok_or_else(|| no("call counters"))
        }
        Metric::QueriesPerSecond => {
            let mfa = function(it, of).ok_or_else(|| no("call counters"))?;
            let (calls, _) = it.calls_per_s(&mfa).ok_or_else(|| no("call counters"))?;
            let explain = explain(it, of).ok_or_else(|| no("sample of calls"))?;
            // One call in so many of the sample is the least that it could have seen.
            let floor = calls / as_f64(explain.calls.whole.max(1));
            Ok((calls * far_share(explain), floor))
        }
        Metric::MessagesPerSecond => {
            let mailbox = it.mailbox_of(of).ok_or_else(|| no("sample of messages"))?;
            mailbox.per_second.map(|it| (it, 0.0)).ok_or_else(|| no("sample of messages"))
        }
        Metric::Utilisation => {
            let mailbox = it.mailbox_of(of).ok_or_else(|| no("sample of messages"))?;
            mailbox.busy.map(|it| (it.share, 0.01)).ok_or_else(|| no("sample of messages"))
        }
        Metric::WaitingMs => {
            let mailbox = it.mailbox_of(of).ok_or_else(|| no("sample of messages"))?;
            let waiting = mailbox.waiting.ok_or_else(|| no("sample of messages"))?;
            Ok((waiting.mean_ms, if waiting.is_bound { waiting.mean_ms } else { 0.0 }))
        }
        Metric::LatencyUs => {
            let explain = explain(it, of).ok_or_else(|| no("sample of calls"))?;
            let latency = explain.latency.as_ref().ok_or_else(|| no("whole call"))?;
            Ok(own_us(it, explain).unwrap_or((latency.mean_us, latency.resolution_us)))
        }
        Metric::TableBytes => {
            let explain = explain(it, of).ok_or_else(|| no("sample of calls"))?;
            let on = explain.rests_on.iter().find(|it| it.kind == RestsOnKind::EtsTable);
            let on = on.ok_or_else(|| no("table"))?;
            let tables = it.last_of("ETS tables", |it| it.ets.as_ref())?;
            let table = tables.top_by_memory.iter().find(|it| it.name == on.name);
            table.map(|it| (as_f64(it.memory_bytes), 0.0)).ok_or_else(|| no("table"))
        }
    }
}

/// How long a call takes that waits for nobody: its own time, by counters of the VM, which see what
/// is too short for a trace. What counting adds to it is taken out and is what remains unknown.
fn own_us(it: &Picture, explain: &Explain) -> Option<(f64, f64)> {
    /// What counting adds to a call, in microseconds, and how well that is known of a frequent one, by
    /// a load with a stopwatch on OTP 27; of seldom ones it is a quarter of the whole
    /// (`docs/evidence/06-findings.md`).
    const COUNTING_US: (f64, f64) = (0.15, 0.1);
    let waits_for_nobody =
        [RestsOnKind::EtsTable, RestsOnKind::PersistentTerm, RestsOnKind::OwnCode];
    explain.rests_on.first().filter(|it| waits_for_nobody.contains(&it.kind))?;
    let own = table::traced(it, explain)?.own.as_ref().filter(|it| it.own_time_calls > 0)?;
    let own_us = as_f64(own.own_time_us) / as_f64(own.own_time_calls);
    Some(((own_us - COUNTING_US.0).max(0.0), COUNTING_US.1))
}

fn far_share(it: &Explain) -> f64 {
    // The sum of nothing is -0 to floating point.
    it.rests_on.iter().filter(|it| it.kind.is_far()).fold(0.0, |sum, it| sum + it.share_of_calls)
}

/// The function that is called so, among those that a session knows.
fn function(it: &Picture, name: &str) -> Option<Mfa> {
    let counted = it.traces.as_deref().unwrap_or_default().iter().flat_map(|it| &it.functions);
    let mut all = counted
        .map(giulia_model::TracedFunction::mfa)
        .chain(it.explains.as_deref().unwrap_or_default().iter().map(|it| it.function.clone()));
    all.find(|it| it.to_string() == name)
}

fn explain<'a>(it: &'a Picture, name: &str) -> Option<&'a Explain> {
    let all = it.explains.as_deref().unwrap_or_default();
    all.iter().rev().find(|it| it.function.to_string() == name)
}

fn score(predictions: &[Scored]) -> Option<Score> {
    let count = |it: usize| u64::try_from(it).unwrap_or(u64::MAX);
    let measured = predictions.iter().filter(|it| it.measured.is_some()).count();
    if measured == 0 {
        return None;
    }
    let within = predictions.iter().filter(|it| it.within == Some(true)).count();
    let mut errors: Vec<f64> = predictions.iter().filter_map(|it| it.error_share).collect();
    errors.sort_by(f64::total_cmp);
    let median = errors.get(errors.len() / 2).copied();
    Some(Score { measured: count(measured), within: count(within), error_share_median: median })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{explained, healthy, lookup, traced};

    fn before() -> Picture {
        let mut it = healthy();
        it.explains =
            Ok(vec![explained(&lookup(), RestsOnKind::Socket, "tcp 127.0.0.1:5432", 2_000.0)]);
        it.traces.as_mut().unwrap()[0].functions = vec![traced(&lookup(), 500.0)];
        it
    }

    fn held(after: Picture) -> Compare {
        let of = |picture| Compared { picture, stated: None };
        compare(&[of(before()), of(after)])
    }

    #[test]
    fn a_prediction_that_came_true_is_within_its_range() {
        let mut after = healthy();
        after.explains = Ok(vec![explained(&lookup(), RestsOnKind::EtsTable, "names", 0.9)]);
        after.traces.as_mut().unwrap()[0].functions = vec![traced(&lookup(), 1_000.0)];
        let tables = after.last.as_mut().unwrap().ets.as_mut().unwrap();
        tables.top_by_memory[0].memory_bytes = 6_000;
        let said = held(after);
        let queries = &said.predictions[0];
        assert_eq!((queries.gain.metric, queries.within), (Metric::QueriesPerSecond, Some(true)));
        assert!((queries.scaled_by - 2.0).abs() < 1e-9 && queries.measured == Some(0.0));
        let gone = said.findings.iter().find(|it| it.rule == "rests_on_database").unwrap();
        assert!(gone.outcomes[0].is_some() && gone.outcomes[1].is_none());
        // Twice the calls came by themselves, which no change here was predicted to bring.
        let missed: Vec<Metric> = said
            .predictions
            .iter()
            .filter(|it| it.within != Some(true))
            .map(|it| it.gain.metric)
            .collect();
        assert_eq!(missed, [Metric::CallsPerSecond]);
        assert_eq!(said.score.unwrap().within, said.predictions.len() as u64 - 1);
    }

    #[test]
    fn one_that_did_not_is_told_as_such() {
        let said = held(before());
        let latency =
            said.predictions.iter().find(|it| it.gain.metric == Metric::LatencyUs).unwrap();
        assert_eq!((latency.within, latency.measured), (Some(false), Some(2_000.0)));
        assert!(latency.error_share.unwrap() > 0.9);
        let mut blind = healthy();
        blind.explains = Err(Missing::new("a", "b", "c"));
        let said = held(blind);
        assert!(said.predictions.iter().any(|it| it.measured.is_none() && it.why.is_some()));
    }
}
