//! `n_plus_one`: a function asks another machine once for each of many things.

use giulia_model::{
    Culprit, Effort, Evidence, Explain, ExplainVerdict, Finding, Mfa, Severity, Source,
};

use crate::{
    Missing, Picture, Rule, Threshold,
    figures::{of_each, of_samples},
    judge::plain,
    predict::as_f64,
};

/// The rule.
pub(super) static RULE: Rule = Rule {
    id: "n_plus_one",
    title: "One call asks another machine many times",
    page: include_str!("../../../../docs/rules/n_plus_one.md"),
    thresholds: &[&SHARE_MIN, &CALLER_MIN, &TIMES_MIN, &STACKS_MIN],
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

static STACKS_MIN: Threshold = Threshold {
    name: "stacks that show who stands behind a loop of a library",
    value: 5.0,
    unit: "stacks",
    source: "of five that agree, one who makes half of the calls is missing once in 32",
};

/// What calls a server for each message: a loop, and no function that asks many times.
const BEHAVIOURS: [&str; 4] = ["gen_server", "gen_statem", "gen_event", "proc_lib"];

/// The other machine at which most of the explained time of a function is spent, with its share of
/// all time.
pub fn asks_elsewhere(inner: &Explain) -> Option<(&str, f64)> {
    // Of what is explained: the rest could run and waited for a scheduler, wherever it asks.
    inner.other_machine().filter(|it| it.1 >= SHARE_MIN.value * inner.explained)
}

/// The function that makes nearly all calls of another, with its share of them.
pub fn calls_nearly_all(inner: &Explain) -> Option<(Mfa, f64)> {
    inner.only_caller(CALLER_MIN.value)
}

/// Whether a function calls a server for each message: it is nobody's loop over many things.
pub fn is_behaviour(caller: &Mfa) -> bool {
    BEHAVIOURS.contains(&caller.module.as_str())
}

/// Whether enough stacks show who stands behind the loop of a library that calls a function.
pub fn shows_behind(inner: &Explain) -> bool {
    inner.behind_caller().is_some_and(|it| as_f64(it.2) >= STACKS_MIN.value)
}

fn judge(picture: &Picture) -> Result<Vec<Finding>, Missing> {
    let explains = picture.explains.as_ref().map_err(Clone::clone)?;
    picture.traces.as_ref().map_err(Clone::clone)?;
    of_samples(picture, of_each(explains, |it| one(picture, it))?)
}

fn unexplained(picture: &Picture, mfa: &Mfa, why: Option<&str>) -> Missing {
    Missing::new(
        format!("what {mfa} rests on"),
        why.unwrap_or("too little of its time is explained"),
        format!("giulia explain {} '{mfa}'", picture.node),
    )
}

fn one(picture: &Picture, inner: &Explain) -> Result<Option<Finding>, Missing> {
    // Whose time has no explanation may have spent it at another machine.
    let unknown = || {
        if inner.verdict == ExplainVerdict::NotEnoughSeen {
            return Err(unexplained(picture, &inner.function, inner.why.as_deref()));
        }
        Ok(None)
    };
    let Some((peer, _)) = asks_elsewhere(inner) else { return unknown() };
    if let Some((_, _, n_stacks)) = inner.behind_caller()
        && (!shows_behind(inner) || calls_nearly_all(inner).is_none())
    {
        let what = format!("who has {} called", inner.function);
        let why =
            format!("the {n_stacks} stacks that show somebody do not tell whose most calls are");
        return Err(stacks(picture, what, &why));
    }
    let Some((outer, by_it)) = calls_nearly_all(inner) else { return unknown() };
    if is_behaviour(&outer) {
        return Ok(None);
    }
    let (inner_rate, window_ms) = counted(picture, &inner.function)?;
    let (outer_rate, _) = counted(picture, &outer)?;
    if outer_rate <= 0.0 {
        let what = format!("calls of {outer}");
        return Err(stacks(
            picture,
            what,
            "it began before the counting and did not end within it",
        ));
    }
    let times = inner_rate / outer_rate;
    if times < TIMES_MIN.value {
        // What only passes the question on: whoever calls that may ask many times.
        let is_known = picture.explains.iter().flatten().any(|it| it.function == outer);
        let why = "it passes the question on, and nobody looked who calls it";
        return if is_known { Ok(None) } else { Err(unexplained(picture, &outer, Some(why))) };
    }
    let calls = Calls { outer: &outer, outer_rate, by_it, times, window_ms };
    Ok(Some(found(picture, inner, peer, &calls)))
}

/// Calls a second, and over how many milliseconds.
fn counted(picture: &Picture, mfa: &Mfa) -> Result<(f64, f64), Missing> {
    let why = "how often it is called was not counted";
    picture.calls_per_s(mfa).ok_or_else(|| stacks(picture, format!("calls of {mfa}"), why))
}

/// Who is behind a loop of a library, or one that lives, stands on the stacks of those that wait.
fn stacks(picture: &Picture, what: String, why: &str) -> Missing {
    Missing::new(what, why, format!("giulia flame {} --off-cpu -o waiting.html", picture.node))
}

/// Who calls the inner function, and how often.
struct Calls<'a> {
    outer: &'a Mfa,
    outer_rate: f64,
    /// The part of the inner calls that it makes.
    by_it: f64,
    /// Inner calls for each of its own.
    times: f64,
    window_ms: f64,
}

fn found(picture: &Picture, inner: &Explain, peer: &str, calls: &Calls<'_>) -> Finding {
    let Calls { outer, outer_rate, by_it, times, window_ms } = *calls;
    let latency_us = inner.latency.as_ref().map_or(0.0, |it| it.mean_us);
    Finding {
        culprits: vec![Culprit::function(outer), Culprit::function(&inner.function)],
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
                format!("of the calls of {} by {outer}{}", inner.function, through(inner)),
                by_it,
                "share",
                // What a loop of a library hides, stacks tell.
                if library(inner).is_some() { Source::Stacks } else { Source::Explain },
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
    }
}

/// The loop of a library that it is called from, where stacks told who is behind it.
fn library(inner: &Explain) -> Option<Mfa> {
    inner.behind_caller().and_then(|_| inner.caller())
}

fn through(inner: &Explain) -> String {
    library(inner).map_or(String::new(), |it| format!(" through {it}"))
}

#[cfg(test)]
mod tests {
    use giulia_model::{Behind, Caller, FindingOutcome, RestsOnKind};

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
        let outer = explained(&order(), RestsOnKind::Socket, "tcp 127.0.0.1:5432", 8_000.0);
        picture.explains = Ok(vec![inner, outer]);
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
    fn fires_on_who_is_behind_a_loop_of_a_library() {
        let map = Mfa::new("lists", "map", 2);
        let mut picture = with(20.0, &[]);
        let inner = &mut picture.explains.as_mut().unwrap()[0];
        inner.callers = vec![Caller { function: Some(map.clone()), calls: 200 }];
        assert_eq!(says(&RULE, &picture).outcome, FindingOutcome::NotEnoughSeen);
        let inner = &mut picture.explains.as_mut().unwrap()[0];
        inner.behind = vec![Behind { through: map, function: order(), samples: 25 }];
        let said = check(&RULE, &picture, FindingOutcome::Found);
        assert_eq!(said.culprits[0].name, "shop:order/1");
        let by = said.evidence.iter().find(|it| it.source == Source::Stacks).unwrap();
        assert!(by.figure.ends_with("through lists:map/2"), "{}", by.figure);
    }

    /// The first of five elements is called from the front door.
    #[test]
    fn a_loop_and_its_front_door_are_one_caller() {
        let [front, inside] = ["map", "map_1"].map(|it| Mfa::new("lists", it, 2));
        let mut picture = with(5.0, &[]);
        let inner = &mut picture.explains.as_mut().unwrap()[0];
        let by = |it: &Mfa, calls| Caller { function: Some(it.clone()), calls };
        inner.callers = vec![by(&inside, 159), by(&front, 41)];
        inner.entered_by = vec![front.clone()];
        let behind =
            |it: &Mfa, function, samples| Behind { through: it.clone(), function, samples };
        inner.behind = vec![behind(&front, order(), 3), behind(&inside, order(), 2)];
        check(&RULE, &picture, FindingOutcome::Found);
        let told = |picture: &Picture| says(&RULE, picture).outcome;
        let mut few = picture.clone();
        few.explains.as_mut().unwrap()[0].behind[1].samples = 1;
        assert_eq!(told(&few), FindingOutcome::NotEnoughSeen);
        let mut mixed = picture.clone();
        let cart = Mfa::new("shop", "cart", 1);
        mixed.explains.as_mut().unwrap()[0].behind.push(behind(&inside, cart.clone(), 2));
        assert_eq!(told(&mixed), FindingOutcome::NotEnoughSeen);
        // Who stands behind another loop of that module makes none of these calls.
        let foreach = Mfa::new("lists", "foreach", 2);
        let inner = &mut picture.explains.as_mut().unwrap()[0];
        inner.behind.push(behind(&foreach, cart, 100));
        check(&RULE, &picture, FindingOutcome::Found);
    }

    #[test]
    fn silent_on_one_query_and_on_many_callers() {
        check(&RULE, &with(1.0, &[("order", 200)]), FindingOutcome::Clear);
        check(&RULE, &with(20.0, &[("order", 100), ("cart", 100)]), FindingOutcome::Clear);
    }

    /// What only passes a question on says nothing of who asks many times.
    #[test]
    fn silent_on_who_asks_once_only_where_its_callers_were_looked_at() {
        let mut passed_on = with(1.0, &[("order", 200)]);
        passed_on.explains.as_mut().unwrap().pop();
        assert_eq!(says(&RULE, &passed_on).outcome, FindingOutcome::NotEnoughSeen);
        let mut uncounted = with(20.0, &[("order", 200)]);
        uncounted.traces.as_mut().unwrap()[0].functions.remove(0);
        assert_eq!(says(&RULE, &uncounted).outcome, FindingOutcome::NotEnoughSeen);
        let mut living = with(20.0, &[("order", 200)]);
        living.traces.as_mut().unwrap()[0].functions[0].calls_per_s = Some(0.0);
        assert_eq!(says(&RULE, &living).outcome, FindingOutcome::NotEnoughSeen);
        let mut of_messages = with(1.0, &[]);
        let behaviour = Mfa::new("gen_server", "try_handle_call", 4);
        of_messages.explains.as_mut().unwrap()[0].callers =
            vec![Caller { function: Some(behaviour), calls: 200 }];
        check(&RULE, &of_messages, FindingOutcome::Clear);
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
