//! Exact counts of the built-in functions of `ets`: priced first, then counted.

use std::{sync::Arc, time::Duration};

use giulia_dist::{Error, term::Term};
use giulia_model::{EtsAccess, Mfa, NotSeen};

use super::{ByFunction, NAME, access, refused};
use crate::{
    Armable, Counted as Told, Counter, Keeper, NotArmed, Tracing, TracingOptions, WhyNot,
    answer::{self, Bif},
    link::Link,
};

/// How long the first counting lasts: at 10 M calls a second, half a million of them.
const PROBE: Duration = Duration::from_millis(50);

/// One call under a counter that two schedulers share, in seconds: 28 ns (the dearest of OTP 23 to
/// 29; 5 to 8 ns where one process calls).
const PRICE_S: f64 = 28e-9;

/// Of all schedulers.
const BUDGET: f64 = 0.01;

/// What was counted.
#[derive(Debug)]
pub(super) struct Counts {
    pub(super) functions: Vec<Counted>,
    pub(super) elapsed_ms: f64,
    /// Of one core, at most.
    pub(super) share: f64,
}

/// One function.
#[derive(Debug, Clone)]
pub(super) struct Counted {
    pub(super) function: Mfa,
    pub(super) access: EtsAccess,
    pub(super) calls: u64,
    pub(super) elapsed_ms: f64,
    pub(super) left_out: Option<String>,
}

impl Counted {
    pub(super) fn per_second(&self) -> f64 {
        if self.elapsed_ms > 0.0 { float(self.calls) / self.elapsed_ms * 1000.0 } else { 0.0 }
    }

    fn share(&self) -> f64 {
        self.per_second() * PRICE_S
    }
}

/// Counts for 50 ms to learn prices, then what the budget allows for the window.
pub(super) async fn count(
    link: &Link,
    keeper: &Arc<Keeper>,
    window: Duration,
    not_seen: &mut Vec<NotSeen>,
) -> Result<Counts, Error> {
    let (functions, schedulers) = built_in(link).await?;
    let tracing = start(link, keeper).await?;
    let counts = priced(link, &tracing, (&functions, schedulers), (window, not_seen)).await;
    tracing.stop().await;
    let (mut counts, dear) = counts?;
    if !dear.is_empty() {
        // The counters of the dear ones are gone with the first tracing.
        let kept: Vec<Mfa> = counts.functions.into_iter().map(|it| it.function).collect();
        let tracing = start(link, keeper).await?;
        let again = again(link, &tracing, &kept, window).await;
        tracing.stop().await;
        counts = again?;
    }
    let share = counts.functions.iter().map(Counted::share).sum();
    counts.functions.extend(dear);
    Ok(Counts { functions: counts.functions, elapsed_ms: counts.elapsed_ms, share })
}

/// The first 50 ms of all; and the window, unless that is too dear.
async fn priced(
    link: &Link,
    tracing: &Tracing,
    (functions, schedulers): (&[Mfa], f64),
    (window, not_seen): (Duration, &mut Vec<NotSeen>),
) -> Result<(Round, Vec<Counted>), Error> {
    let armed = arm(tracing, functions).await?;
    others(&armed, not_seen)?;
    let mut first = round(link, tracing, &armed.carrying, PROBE).await?;
    let (kept, dear) = within_budget(first.functions, BUDGET * schedulers);
    first.functions = kept;
    if dear.is_empty() {
        first = round(link, tracing, &armed.carrying, window.saturating_sub(PROBE)).await?;
    }
    Ok((first, dear))
}

async fn again(
    link: &Link,
    tracing: &Tracing,
    functions: &[Mfa],
    window: Duration,
) -> Result<Round, Error> {
    let armed = arm(tracing, functions).await?;
    round(link, tracing, &armed.carrying, window.saturating_sub(PROBE)).await
}

async fn start(link: &Link, keeper: &Arc<Keeper>) -> Result<Tracing, Error> {
    let options = TracingOptions { name: NAME.to_owned(), sink: None };
    Tracing::start(link, keeper, options).await
}

/// What carries a counter, and what does not.
struct Arms {
    carrying: Vec<Armable>,
    not_armed: Vec<NotArmed>,
}

async fn arm(tracing: &Tracing, functions: &[Mfa]) -> Result<Arms, Error> {
    let what: Vec<Armable> = functions.iter().cloned().map(Armable::Function).collect();
    let armed = tracing.count(&what, &[Counter::Calls]).await?;
    let carrying = armed.armed.into_iter().map(|(what, _)| what).collect();
    Ok(Arms { carrying, not_armed: armed.not_armed })
}

/// One round of counting.
struct Round {
    functions: Vec<Counted>,
    elapsed_ms: f64,
}

async fn round(
    link: &Link,
    tracing: &Tracing,
    carrying: &[Armable],
    window: Duration,
) -> Result<Round, Error> {
    // Between two readings, not from arming: what was armed first has counted longer.
    let (from_us, before) = (clock(link).await?, tracing.read(carrying, Counter::Calls).await?);
    tokio::time::sleep(window).await;
    let (until_us, after) = (clock(link).await?, tracing.read(carrying, Counter::Calls).await?);
    let elapsed_ms = float(until_us.saturating_sub(from_us)) / 1000.0;
    let calls = |told: &Told| match told {
        Told::Calls(calls) => Some(*calls),
        Told::Lost | Told::PerProcess { .. } => None,
    };
    let before: ByFunction<u64> =
        before.iter().filter_map(|it| Some((it.function.clone(), calls(&it.counted)?))).collect();
    let functions = after
        .into_iter()
        .map(|it| {
            let now = calls(&it.counted).zip(before.get(&it.function));
            // One that fell was begun anew by somebody else.
            let calls = now.and_then(|(now, before)| now.checked_sub(*before));
            let lost = "its counter was lost to another tool in the window";
            Counted {
                access: access::access(&it.function.function, it.function.arity),
                function: it.function,
                calls: calls.unwrap_or_default(),
                elapsed_ms: if calls.is_some() { elapsed_ms } else { 0.0 },
                left_out: calls.is_none().then(|| lost.to_owned()),
            }
        })
        .collect();
    Ok(Round { functions, elapsed_ms })
}

/// What others count or trace is left to them, and said.
fn others(first: &Arms, not_seen: &mut Vec<NotSeen>) -> Result<(), Error> {
    let traced = first.not_armed.iter().filter(|it| it.why != WhyNot::NotThere);
    let all: Vec<String> = traced.map(|it| format!("{} ({})", it.what, it.why)).collect();
    if all.is_empty() {
        return Ok(());
    }
    if first.carrying.is_empty() {
        return Err(refused(format!(
            "nothing of ets could be counted: {}; another tool is at work there, wait for its end",
            all.first().map_or("", String::as_str)
        )));
    }
    not_seen.push(NotSeen { what: "calls of some functions".to_owned(), why: all.join("; ") });
    Ok(())
}

/// Those that can be counted for the whole window, and those that are too dear, by name.
fn within_budget(mut functions: Vec<Counted>, budget: f64) -> (Vec<Counted>, Vec<Counted>) {
    functions.sort_by(|one, other| one.share().total_cmp(&other.share()));
    let (mut kept, mut dear, mut sum) = (Vec::new(), Vec::new(), 0.0);
    for mut it in functions {
        sum += it.share();
        if sum <= budget {
            kept.push(it);
            continue;
        }
        let percent = it.share() * 100.0;
        it.left_out = Some(format!(
            "counted for {:.0} ms only: at this rate counting could cost {percent:.1} % of a core, \
             more than the budget leaves",
            it.elapsed_ms
        ));
        dear.push(it);
    }
    (kept, dear)
}

/// Functions of `ets` that are built in, and how many schedulers are online.
async fn built_in(link: &Link) -> Result<(Vec<Mfa>, f64), Error> {
    let questions = [
        Bif::new("ets", "module_info", [Term::atom("exports")]),
        Bif::new("erlang", "system_info", [Term::atom("schedulers_online")]),
    ];
    let answers = link.ask_all(NAME, &questions).await;
    let exports = answer::list(answer::term(&answers, 0)?)?;
    let schedulers = answer::uint(&answer::term(&answers, 1)?)?;
    let all: Vec<(String, u32)> = exports
        .iter()
        .filter_map(|it| match it.as_tuple()? {
            [name, arity] => {
                Some((name.as_atom()?.to_owned(), u32::try_from(arity.as_int()?).ok()?))
            }
            _ => None,
        })
        .collect();
    let modules = Term::list(all.iter().map(|_| Term::atom("ets")));
    let names = Term::list(all.iter().map(|(name, _)| Term::atom(name.clone())));
    let arities = Term::list(all.iter().map(|(_, arity)| Term::int(*arity)));
    let is_built_in = Term::export("erlang", "is_builtin", 3);
    let question = Bif::new("lists", "zipwith3", [is_built_in, modules, names, arities]);
    let answers = link.ask_each(NAME, &[question]).await;
    let told = answer::list(answer::term(&answers, 0)?)?;
    let built_in = all.into_iter().zip(told).filter(|(_, it)| it.is_atom("true"));
    let functions = built_in.map(|((name, arity), _)| Mfa::new("ets", name, arity)).collect();
    Ok((functions, float(schedulers)))
}

/// The node's monotonic clock, in microseconds above some moment.
async fn clock(link: &Link) -> Result<u64, Error> {
    let question = Bif::new("erlang", "monotonic_time", [Term::atom("microsecond")]);
    let answers = link.ask_each(NAME, &[question]).await;
    let told = answer::term(&answers, 0)?;
    // It is negative; only differences count.
    let us = told.as_int().ok_or_else(|| answer::unexpected(&told))?;
    Ok(us.wrapping_sub(i64::MIN).cast_unsigned())
}

#[expect(clippy::cast_precision_loss, reason = "a window has far below 2^53 calls")]
pub(super) fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(name: &str, per_second: u64) -> Counted {
        Counted {
            function: Mfa::new("ets", name, 2),
            access: EtsAccess::Read,
            calls: per_second / 20,
            elapsed_ms: 50.0,
            left_out: None,
        }
    }

    #[test]
    fn what_breaks_the_budget_is_left_out_by_name_and_the_rest_is_counted() {
        // 28 % of a core, 2.8 permille, nothing.
        let all = ["lookup", "insert", "new"].into_iter().zip([10_000_000, 100_000, 0]);
        let all = all.map(|(name, rate)| counted(name, rate)).collect();
        let (kept, dear) = within_budget(all, 0.02);
        let names = |them: &[Counted]| {
            them.iter().map(|it| it.function.function.clone()).collect::<Vec<_>>()
        };
        assert_eq!(
            (names(&kept), names(&dear)),
            (vec!["new".into(), "insert".into()], vec!["lookup".to_owned()])
        );
        let why = dear[0].left_out.as_ref().unwrap();
        assert!(why.contains("28.0 %") && why.contains("50 ms"), "{why}");
    }

    #[test]
    fn the_clock_counts_on_below_zero() {
        let moment = |us: i64| us.wrapping_sub(i64::MIN).cast_unsigned();
        assert_eq!(moment(5) - moment(-5), 10);
        assert_eq!(moment(-576_460_751_000_000) - moment(-576_460_752_000_000), 1_000_000);
    }
}
