//! `n_plus_one`: a function asks another machine once for each of many things.

use giulia_model::{
    Caller, Culprit, Effort, Evidence, Explain, ExplainVerdict, Finding, Mfa, Severity, Source,
};

use crate::{
    Missing, Picture, Rule, Threshold,
    figures::{far, of_each},
    judge::plain,
    predict::as_f64,
};

/// The rule.
pub(super) static RULE: Rule = Rule {
    id: "n_plus_one",
    title: "One call asks another machine many times",
    page: include_str!("../../../../docs/rules/n_plus_one.md"),
    thresholds: &[&SHARE_MIN, &CALLER_MIN, &TIMES_MIN],
    judge,
};

static SHARE_MIN: Threshold = Threshold {
    name: "of the explained time of the inner call at the other machine",
    value: 0.5,
    unit: "share",
    source: "below it something else is the larger part, and asking less often gains little",
};
static CALLER_MIN: Threshold = Threshold {
    name: "of the inner calls, those by one caller",
    value: 0.8,
    unit: "share",
    source: "with more callers the calls of none of them are told by the counters of all",
};
static TIMES_MIN: Threshold = Threshold {
    name: "inner calls for each outer call",
    value: 5.0,
    unit: "times",
    source: "our choice: a request that asks for three or four different things asks as often; and below \
             five one query in place of them saves less than four round trips",
};

fn judge(picture: &Picture) -> Result<Vec<Finding>, Missing> {
    let explains = picture.explains.as_ref().map_err(Clone::clone)?;
    picture.traces.as_ref().map_err(Clone::clone)?;
    of_each(explains, |it| match one(picture, it) {
        // Whose time has no explanation may have spent it at another machine.
        None if it.verdict == ExplainVerdict::NotEnoughSeen => Err(unexplained(picture, it)),
        said => Ok(said),
    })
}

fn unexplained(picture: &Picture, inner: &Explain) -> Missing {
    let why = inner.why.clone();
    Missing::new(
        format!("what {} rests on", inner.function),
        why.unwrap_or_else(|| "too little of its time is explained".to_owned()),
        format!("giulia explain {} '{}'", picture.node, inner.function),
    )
}

fn one(picture: &Picture, inner: &Explain) -> Option<Finding> {
    let (peer, share) = far(inner)?;
    // Of what is explained: the rest could run and waited for a scheduler, wherever it asks.
    if share < SHARE_MIN.value * inner.explained {
        return None;
    }
    let (outer, by_it) = only_caller(inner)?;
    let (inner_rate, window_ms) = picture.calls_per_s(&inner.function)?;
    let (outer_rate, _) = picture.calls_per_s(&outer)?;
    let times = inner_rate / outer_rate.max(1e-9);
    if outer_rate <= 0.0 || times < TIMES_MIN.value {
        return None;
    }
    let latency_us = inner.latency.as_ref().map_or(0.0, |it| it.mean_us);
    Some(Finding {
        culprits: vec![Culprit::function(&outer), Culprit::function(&inner.function)],
        evidence: vec![
            Evidence::new(
                format!("calls of {} for each of {outer}", inner.function),
                times,
                "times",
                Source::Trace,
            )
            .over(window_ms)
            .from(TIMES_MIN.value),
            Evidence::new(format!("calls of {outer}"), outer_rate, "per_second", Source::Trace)
                .over(window_ms),
            Evidence::new(
                format!("of the calls of {} by {outer}", inner.function),
                by_it,
                "share",
                Source::Explain,
            )
            .from(CALLER_MIN.value),
            Evidence::new(
                format!("waiting in {outer} for all of them"),
                times * latency_us / 1000.0,
                "ms",
                Source::Explain,
            ),
        ],
        recommendation: Some(format!(
            "let {outer} ask {peer} for all of them at once (a join, `preload`, `where … in`, a batch)"
        )),
        effort: Some(Effort::Medium),
        risks: vec![
            "one large answer takes memory and time at once; page it where there may be thousands"
                .to_owned(),
        ],
        verify: Some(format!(
            "giulia trace {} '{outer}' '{}' --for 10s",
            picture.node, inner.function
        )),
        ..Finding::found(
            Severity::Warning,
            format!("{outer} asks {peer} {} times for each call", plain(times)),
            format!(
                "{} rests on {peer} and is called {} times for each call of {outer}: {} ms of \
                 waiting where one question would do",
                inner.function,
                plain(times),
                plain(times * latency_us / 1000.0)
            ),
        )
    })
}

/// The function that makes most of the calls, and its part of them.
fn only_caller(inner: &Explain) -> Option<(Mfa, f64)> {
    let all: u64 = inner.callers.iter().map(|it| it.calls).sum();
    let outer = written_in(inner.callers.first()?.function.as_ref()?);
    let is_it = |it: &&Caller| it.function.as_ref().is_some_and(|it| written_in(it) == outer);
    let by_it: u64 = inner.callers.iter().filter(is_it).map(|it| it.calls).sum();
    let share = as_f64(by_it) / as_f64(all.max(1));
    (share >= CALLER_MIN.value && outer != inner.function).then_some((outer, share))
}

/// The function in whose text a fun or a comprehension stands: `-order/1-lc$^0/1-0-` is of
/// `order/1`, as compilers name them (`v3_core`, erts 15.2).
fn written_in(mfa: &Mfa) -> Mfa {
    let inside = mfa.function.strip_prefix('-').and_then(|rest| {
        let (name, rest) = rest.split_once('/')?;
        let (arity, _) = rest.split_once('-')?;
        Some(Mfa::new(mfa.module.as_str(), name, arity.parse().ok()?))
    });
    inside.unwrap_or_else(|| mfa.clone())
}

#[cfg(test)]
mod tests {
    use giulia_model::{FindingOutcome, RestsOnKind};

    use super::*;
    use crate::example::{check, explained, healthy, says, traced};

    fn order() -> Mfa {
        Mfa::new("shop", "order", 1)
    }

    fn with(times: f64, callers: &[(&str, u64)]) -> Picture {
        let line = Mfa::new("shop", "line", 2);
        let mut picture = healthy();
        let mut inner = explained(&line, RestsOnKind::Socket, "tcp 127.0.0.1:5432", 400.0);
        inner.callers = callers
            .iter()
            .map(|(name, calls)| Caller {
                function: Some(Mfa::new("shop", *name, 1)),
                calls: *calls,
            })
            .collect();
        picture.explains = Ok(vec![inner]);
        picture.traces.as_mut().unwrap()[0].functions =
            vec![traced(&order(), 20.0), traced(&line, 20.0 * times)];
        picture
    }

    #[test]
    fn fires_on_a_query_for_each_line_of_an_order() {
        let said =
            check(&RULE, &with(20.0, &[("-order/1-lc$^0/1-0-", 200)]), FindingOutcome::Found);
        assert_eq!(said.culprits[0].name, "shop:order/1");
        assert!(said.why.contains("8 ms"), "{}", said.why);
    }

    #[test]
    fn silent_on_one_query_and_on_many_callers() {
        check(&RULE, &with(1.0, &[("order", 200)]), FindingOutcome::Clear);
        check(&RULE, &with(20.0, &[("order", 100), ("cart", 100)]), FindingOutcome::Clear);
    }

    #[test]
    fn edge_at_five_times_and_four_of_five_calls() {
        check(&RULE, &with(5.0, &[("order", 160), ("cart", 40)]), FindingOutcome::Found);
        check(&RULE, &with(4.9, &[("order", 160), ("cart", 40)]), FindingOutcome::Clear);
        check(&RULE, &with(5.0, &[("order", 159), ("cart", 41)]), FindingOutcome::Clear);
        let mut starved = with(5.0, &[("order", 200)]);
        let inner = &mut starved.explains.as_mut().unwrap()[0];
        (inner.explained, inner.rests_on[0].share_of_time) = (0.6, 0.4);
        check(&RULE, &starved, FindingOutcome::Found);
        let inner = &mut starved.explains.as_mut().unwrap()[0];
        inner.rests_on[0].share_of_time = 0.2;
        check(&RULE, &starved, FindingOutcome::Clear);
        starved.explains.as_mut().unwrap()[0].verdict = ExplainVerdict::NotEnoughSeen;
        assert_eq!(says(&RULE, &starved).outcome, FindingOutcome::NotEnoughSeen);
        let mut unseen = with(5.0, &[("order", 200)]);
        unseen.explains = Err(Missing::new("explain", "not asked", "giulia check"));
        assert_eq!(says(&RULE, &unseen).outcome, FindingOutcome::NotEnoughSeen);
    }
}
