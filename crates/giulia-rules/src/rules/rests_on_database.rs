//! `rests_on_database`: a function asks another machine for what hardly changes.

use giulia_model::{
    Culprit, Effort, Evidence, Explain, ExplainVerdict, Finding, Gain, Metric, RestsOn,
    RestsOnKind, Severity, Source, Stability,
};

use crate::{
    Missing, Picture, Rule, Threshold,
    figures::{of_samples, percent},
    predict::{CacheGain, as_f64, cache},
    table,
    witness::database_functions,
};

/// The rule.
pub(super) static RULE: Rule = Rule {
    id: "rests_on_database",
    title: "A function asks another machine for what hardly changes",
    page: include_str!("../../../../docs/rules/rests_on_database.md"),
    thresholds: &[
        &SHARE_MIN,
        &BUSY_MAX,
        &CHANGED_MAX,
        &HITS_MIN,
        &WAITED_MIN,
        &WAITED_WARNING,
        &REPEATED_MIN,
    ],
    judge,
};

static SHARE_MIN: Threshold = Threshold {
    name: "share of its time that it waits for the other machine",
    value: 0.5,
    unit: "share",
    source: "below it something else is the larger part, and a cache would leave that",
};
static BUSY_MAX: Threshold = Threshold {
    name: "share of their time that schedulers work",
    value: 0.9,
    unit: "share",
    source: "our choice: from there on who is asked waits for a scheduler nine times of ten, and \
             so does whoever asks",
};
static CHANGED_MAX: Threshold = Threshold {
    name: "share of the repeated calls whose result had changed",
    value: 0.05,
    unit: "share",
    source: "one in twenty: with more, the work of invalidating is the size of what is saved",
};
static HITS_MIN: Threshold = Threshold {
    name: "share of the calls that a cache would answer",
    value: 0.5,
    unit: "share",
    source: "below it most calls go to the other machine as before",
};
static WAITED_MIN: Threshold = Threshold {
    name: "processes that wait there at any moment, on average",
    value: 0.05,
    unit: "processes",
    source: "Little's law, calls a second times their time: below it all callers together lose \
             less than a twentieth of one process's time, which nobody notices",
};
static WAITED_WARNING: Threshold = Threshold {
    name: "processes that wait there at any moment, on average, from which on it is a warning",
    value: 1.0,
    unit: "processes",
    source: "a connection of the pool (Ecto's default is 10) is taken by it all the time",
};
static REPEATED_MIN: Threshold = Threshold {
    name: "calls of the sample whose arguments were seen before",
    value: 30.0,
    unit: "calls",
    source: "with none changed among 30, fewer than one in ten changes, 95 times of 100 (rule of \
             three)",
};

/// Of a statement in a line of evidence: enough to know it by.
const QUERY_CHARS_MAX: usize = 60;

fn judge(picture: &Picture) -> Result<Vec<Finding>, Missing> {
    let explains = picture.explains.as_ref().map_err(Clone::clone)?;
    of_samples(picture, explains.iter().filter_map(|it| one(picture, it)).collect())
}

/// None for a function that does not go to another machine.
fn one(picture: &Picture, it: &Explain) -> Option<Finding> {
    let unseen = if it.verdict == ExplainVerdict::NotEnoughSeen {
        Some(it.why.clone().unwrap_or_else(|| "too few calls were seen".to_owned()))
    } else {
        hidden(picture, it)
    };
    if let Some(why) = unseen {
        let title = format!("What {} rests on", it.function);
        let ask = format!("giulia explain {} '{}' --for 30s", picture.node, it.function);
        return Some(Finding::not_enough(title, why, Some(ask)));
    }
    let (place, share) = elsewhere(it)?;
    if it.verdict != ExplainVerdict::Rests || share < SHARE_MIN.value {
        return None;
    }
    let (rate, sample) = match measured(picture, it) {
        Ok(measured) => measured,
        Err((why, ask)) => {
            let title = format!("{} rests on {}", it.function, place.name);
            let culprits = vec![Culprit::function(&it.function)];
            return Some(Finding { culprits, ..Finding::not_enough(title, why, Some(ask)) });
        }
    };
    Some(concluded(picture, it, &Case { place, share, rate, sample }))
}

/// Why what processes of this node do for a function may be another machine's work all the same.
fn hidden(picture: &Picture, it: &Explain) -> Option<String> {
    let far = elsewhere(it).map_or(0.0, |it| it.1);
    let serving = it.rests_on.iter().filter(|it| it.kind == RestsOnKind::Process);
    let served: f64 = serving.clone().map(|it| it.share_of_time).sum();
    if far >= SHARE_MIN.value || far + served < SHARE_MIN.value {
        return None;
    }
    let names: Vec<&str> = serving.take(2).map(|it| it.name.as_str()).collect();
    let utilisation = picture.report.schedulers.as_ref().and_then(|it| it.utilisation);
    let busy = utilisation.map_or(0.0, |it| it.median);
    let why = if far > 0.0 && busy >= BUSY_MAX.value {
        format!(
            "schedulers work for {} of theirs, so that is also waiting for them, and not told from \
             waiting for the other machine behind",
            percent(busy)
        )
    } else if it.sample.servers_unseen {
        "those do so much that what they rest on themselves was not seen".to_owned()
    } else {
        return None;
    };
    Some(format!("{} of its time waits for {}: {why}", percent(served), names.join(" and ")))
}

/// What is known of one function.
struct Case<'a> {
    place: &'a RestsOn,
    share: f64,
    /// Calls a second.
    rate: f64,
    sample: &'a Stability,
}

/// Where most of the time outside of this node goes, and how much of it in all such places.
fn elsewhere(it: &Explain) -> Option<(&RestsOn, f64)> {
    let is_far = |it: &&RestsOn| it.kind.is_far();
    let share = it.rests_on.iter().filter(is_far).map(|it| it.share_of_time).sum();
    Some((it.rests_on.iter().find(is_far)?, share))
}

/// Calls a second and a sample that is large enough, or what is missing and how to ask for it.
fn measured<'a>(
    picture: &Picture,
    it: &'a Explain,
) -> Result<(f64, &'a Stability), (String, String)> {
    let more = || format!("giulia explain {} '{}' --for 30s", picture.node, it.function);
    let Some(sample) = &it.stability else {
        return Err(("no call returned in the sample".to_owned(), more()));
    };
    if as_f64(sample.repeated) < REPEATED_MIN.value && sample.distinct_keys < 30 {
        let why = format!(
            "only {} calls repeated the arguments of another one: whether results change is not \
             known",
            sample.repeated
        );
        return Err((why, more()));
    }
    let Some((rate, _)) = picture.calls_per_s(&it.function) else {
        let why = "how often it is called was not counted".to_owned();
        let ask = format!("giulia check {} --trace '{}'", picture.node, it.function);
        return Err((why, ask));
    };
    Ok((rate, sample))
}

fn concluded(picture: &Picture, it: &Explain, case: &Case<'_>) -> Finding {
    let latency_us = it.latency.as_ref().map_or(0.0, |it| it.mean_us);
    let waited = case.rate * latency_us / 1e6;
    let changed = if case.sample.repeated == 0 {
        0.0
    } else {
        as_f64(case.sample.changed) / as_f64(case.sample.repeated)
    };
    let gain = cache(case.sample, case.rate);
    let hits = gain.map_or(0.0, |it| it.hits.0);
    let mut evidence = evidence(it, case, (waited, changed, hits));
    evidence.extend(account(picture, it));
    let culprits = vec![Culprit::function(&it.function)];
    let rests = format!("{} rests on {}", it.function, case.place.name);
    let refused = if changed > CHANGED_MAX.value {
        Some(format!("its results change: {:.0} % of the repeated calls", changed * 100.0))
    } else if hits < HITS_MIN.value {
        Some(format!("it is seldom asked for the same again: {:.0} % would hit", hits * 100.0))
    } else if waited < WAITED_MIN.value {
        Some(format!("no evidence of a bottleneck: {waited:.3} processes wait there at any moment"))
    } else {
        None
    };
    if let Some(why) = refused {
        let title = format!("{rests}, and a cache is not what it needs");
        return Finding { culprits, evidence, ..Finding::clear(title, why) };
    }
    let severity = if waited >= WAITED_WARNING.value { Severity::Warning } else { Severity::Note };
    let why = format!(
        "{:.0} % of its time goes to {}; of {} repeated calls {} found another result, and \
         {waited:.2} processes wait for it at any moment",
        case.share * 100.0,
        case.place.name,
        case.sample.repeated,
        case.sample.changed
    );
    Finding {
        culprits,
        evidence,
        recommendation: Some(advice(it)),
        gain: gain.map(|gain| gains(picture, it, case, &gain)).unwrap_or_default(),
        effort: Some(Effort::Low),
        risks: risks(case.sample),
        verify: Some(format!("giulia explain {} '{}'", picture.node, it.function)),
        ..Finding::found(severity, format!("{rests}, stable: cache it"), why)
    }
}

fn evidence(
    it: &Explain,
    case: &Case<'_>,
    (waited, changed, hits): (f64, f64, f64),
) -> Vec<Evidence> {
    let window_ms = as_f64(it.sample.window_ms);
    let of = |what: &str, value: f64, unit: &str| {
        let figure = format!("{what} of {}", it.function);
        Evidence::new(figure, value, unit, Source::Explain).over(window_ms)
    };
    vec![
        of(&format!("share of time at {}", case.place.name), case.share, "share")
            .from(SHARE_MIN.value),
        Evidence { source: Source::Trace, ..of("calls", case.rate, "per_second") },
        of("time of a call", it.latency.as_ref().map_or(0.0, |it| it.mean_us), "us"),
        of("processes waiting in calls", waited, "processes").from(WAITED_MIN.value),
        of("share of repeated calls with another result", changed, "share").from(CHANGED_MAX.value),
        of("share of calls that a cache would answer", hits, "share").from(HITS_MIN.value),
        of("different arguments", as_f64(case.sample.distinct_keys), "count"),
        of("size of a result", as_f64(case.sample.result_bytes_p50), "bytes"),
    ]
}

/// What the database itself says, where it was asked and one of its statements matches.
fn account(picture: &Picture, it: &Explain) -> Vec<Evidence> {
    let all = database_functions(picture);
    let Some(beside) = all.iter().find(|row| row.function == it.function) else {
        return Vec::new();
    };
    let [found] = beside.matches.as_slice() else { return Vec::new() };
    let counted_ms = picture.report.database.as_ref().map_or(0, |it| it.counted_ms);
    let query: String = found.query.chars().take(QUERY_CHARS_MAX).collect();
    let of = |what: &str, value: f64, unit: &str| {
        let figure = format!("{what} of the statement that matches in rate: {query}");
        Evidence::new(figure, value, unit, Source::Postgres).over(as_f64(counted_ms))
    };
    let mut said = vec![
        of("calls", found.calls_per_s, "per_second"),
        of("time at the server", found.mean_us, "us"),
    ];
    if let Some(rest) = found.remainder_us {
        let figure = format!("network, driver, pool and planning, of the wait of {}", it.function);
        said.push(Evidence::new(figure, rest, "us", Source::Postgres).over(as_f64(counted_ms)));
    }
    said
}

fn advice(it: &Explain) -> String {
    format!(
        "read {} from an ETS table (`set`, `protected`, `read_concurrency: true`, owned by one \
         process that loads it at start and is told of each change), and ask the other machine \
         only for what is not in it",
        it.function
    )
}

fn gains(picture: &Picture, it: &Explain, case: &Case<'_>, cache: &CacheGain) -> Vec<Gain> {
    let (likely, low, high) = cache.saved_per_s;
    let saved = Gain {
        metric: Metric::QueriesPerSecond,
        of: it.function.to_string(),
        before: case.rate,
        likely: (case.rate - likely).max(0.0),
        low: (case.rate - high).max(0.0),
        high: (case.rate - low).max(0.0),
        unit: "queries/s".to_owned(),
        assuming: "as many calls a second as now, and a cache that is told of each change"
            .to_owned(),
    };
    let (likely, low, high) = cache.bytes;
    let memory = Gain {
        metric: Metric::TableBytes,
        of: it.function.to_string(),
        before: 0.0,
        likely,
        low,
        high,
        unit: "bytes".to_owned(),
        assuming: "the keys that were asked for in the sample, results stored as they are"
            .to_owned(),
    };
    // What is loaded at start is there for the first who asks, too.
    let same = 1.0 - as_f64(case.sample.changed) / as_f64(case.sample.repeated.max(1));
    let change = table::Change { hits: same, server_us: 0.0 };
    let faster = table::gains(picture, it, change);
    [saved].into_iter().chain(faster).chain([memory]).collect()
}

fn risks(sample: &Stability) -> Vec<String> {
    let mut risks = vec![
        "stale until the owner hears of a change: writes by other programs need a notification \
         (`LISTEN` and `NOTIFY`) or a time to live"
            .to_owned(),
        "a cache that is filled on demand lets everybody ask at once when it is empty: load it at \
         start, or let one ask for all"
            .to_owned(),
    ];
    if sample.result_bytes_max > 64 * 1024 {
        risks.push(format!(
            "results of up to {} bytes are copied to the caller at each lookup; `persistent_term` \
             does not copy, and each change of it scans all processes",
            sample.result_bytes_max
        ));
    }
    risks
}

#[cfg(test)]
mod tests {
    use giulia_model::{FindingOutcome, SchedulersOver, Spread};

    use super::*;
    use crate::example::{check, explained, healthy, lookup, says, traced, witnessed};

    const PEER: &str = "tcp 127.0.0.1:5432";

    fn with(calls_per_s: f64, mean_us: f64) -> Picture {
        let mut picture = healthy();
        picture.explains = Ok(vec![explained(&lookup(), RestsOnKind::Socket, PEER, mean_us)]);
        if let Ok(traces) = &mut picture.traces {
            traces[0].functions = vec![traced(&lookup(), calls_per_s)];
        }
        picture
    }

    fn stability(picture: &mut Picture) -> &mut Stability {
        picture.explains.as_mut().unwrap()[0].stability.as_mut().unwrap()
    }

    #[test]
    fn fires_on_a_registry_that_is_a_database_table() {
        let said = check(&RULE, &with(126.0, 2_000.0), FindingOutcome::Found);
        assert_eq!(said.severity, Some(Severity::Note));
        assert!(said.title.contains(PEER) && said.title.contains("cache it"), "{}", said.title);
        let queries = &said.gain[0];
        assert!(
            queries.before > 125.0 && queries.likely < 2.0 && queries.low >= 0.0,
            "{queries:?}"
        );
        let busy = check(&RULE, &with(1_200.0, 2_000.0), FindingOutcome::Found);
        assert_eq!(busy.severity, Some(Severity::Warning));
    }

    #[test]
    fn silent_on_tables_and_on_what_changes() {
        let mut tables = healthy();
        tables.explains = Ok(vec![explained(&lookup(), RestsOnKind::PersistentTerm, "", 1.0)]);
        check(&RULE, &tables, FindingOutcome::Clear);
        let mut changes = with(126.0, 2_000.0);
        stability(&mut changes).changed = 60;
        let said = check(&RULE, &changes, FindingOutcome::Clear);
        assert!(said.why.contains("results change"), "{}", said.why);
    }

    /// What was not sampled may be what rests on the database.
    #[test]
    fn silent_only_where_each_function_was_sampled() {
        let mut some = healthy();
        some.explains = Ok(vec![explained(&lookup(), RestsOnKind::PersistentTerm, "", 1.0)]);
        check(&RULE, &some, FindingOutcome::Clear);
        some.unexplained = Some(Missing::new("what shop:order/1 rests on", "no time", "giulia"));
        assert_eq!(says(&RULE, &some).outcome, FindingOutcome::NotEnoughSeen);
        let mut found = with(126.0, 2_000.0);
        found.unexplained = some.unexplained;
        check(&RULE, &found, FindingOutcome::Found);
    }

    /// A pool that is waited for has its connections at the database.
    #[test]
    fn silent_about_what_saturated_processes_rest_on() {
        let mut picture = with(1_200.0, 20_000.0);
        let served = |share_of_time| RestsOn {
            kind: RestsOnKind::Process,
            name: "shop_pool".to_owned(),
            share_of_time,
            ..RestsOn::default()
        };
        let explain = &mut picture.explains.as_mut().unwrap()[0];
        explain.rests_on[0].share_of_time = 0.2;
        explain.rests_on.insert(0, served(0.75));
        check(&RULE, &picture, FindingOutcome::Clear);
        let mut unseen = picture.clone();
        unseen.explains.as_mut().unwrap()[0].sample.servers_unseen = true;
        assert!(says(&RULE, &unseen).why.contains("was not seen"));
        assert_eq!(says(&RULE, &unseen).outcome, FindingOutcome::NotEnoughSeen);
        let busy = Spread { min: 0.9, median: 0.9, max: 0.9 };
        picture.report.schedulers =
            Some(SchedulersOver { utilisation: Some(busy), ..SchedulersOver::default() });
        let said = says(&RULE, &picture);
        assert_eq!(said.outcome, FindingOutcome::NotEnoughSeen);
        assert!(said.why.starts_with("75 % of its time waits for shop_pool"), "{}", said.why);
        // Its own work is no queue, and half of the time at the database is enough.
        let explain = &mut picture.explains.as_mut().unwrap()[0];
        explain.rests_on[0] = RestsOn { kind: RestsOnKind::OwnCode, ..served(0.75) };
        check(&RULE, &picture, FindingOutcome::Clear);
        let explain = &mut picture.explains.as_mut().unwrap()[0];
        explain.rests_on[0] = served(0.45);
        explain.rests_on[1].share_of_time = 0.5;
        check(&RULE, &picture, FindingOutcome::Found);
    }

    #[test]
    fn fires_with_what_the_database_says_itself_and_the_same_without() {
        let mut picture = with(126.0, 2_000.0);
        let said = check(&RULE, &picture, FindingOutcome::Found);
        assert!(said.evidence.iter().all(|it| it.source != Source::Postgres));
        let statements = [("SELECT name FROM tables", 125.0), ("INSERT", 3.0)];
        picture.report.database = Some(witnessed("127.0.0.1:5432", &statements));
        picture.explains =
            Ok(vec![explained(&lookup(), RestsOnKind::Socket, "127.0.0.1:5432", 2_000.0)]);
        let with = check(&RULE, &picture, FindingOutcome::Found);
        let own: Vec<&Evidence> =
            with.evidence.iter().filter(|it| it.source == Source::Postgres).collect();
        assert_eq!(own.iter().map(|it| it.value).collect::<Vec<_>>(), [125.0, 500.0, 1420.0]);
        assert!(own[0].figure.contains("SELECT name FROM tables"), "{}", own[0].figure);
        assert_eq!((with.outcome, with.severity), (said.outcome, said.severity));
        // Where two match, nobody knows whose figures they are.
        let statements = [("SELECT a", 125.0), ("SELECT b", 126.0)];
        picture.report.database = Some(witnessed("127.0.0.1:5432", &statements));
        let said = check(&RULE, &picture, FindingOutcome::Found);
        assert!(said.evidence.iter().all(|it| it.source != Source::Postgres));
    }

    #[test]
    fn edge_without_a_bottleneck_there_is_no_cache() {
        let said = check(&RULE, &with(24.0, 2_000.0), FindingOutcome::Clear);
        assert!(said.why.contains("no evidence of a bottleneck"), "{}", said.why);
        check(&RULE, &with(25.0, 2_000.0), FindingOutcome::Found);
        let mut few = with(126.0, 2_000.0);
        stability(&mut few).repeated = 29;
        let said = check(&RULE, &few, FindingOutcome::NotEnoughSeen);
        assert!(said.verify.unwrap().starts_with("giulia explain"), "{}", said.why);
        let mut uncounted = with(126.0, 2_000.0);
        uncounted.traces = Err(Missing::new("call counters", "not asked", "giulia check"));
        check(&RULE, &uncounted, FindingOutcome::NotEnoughSeen);
    }
}
