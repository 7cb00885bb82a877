//! What is left switched on: the scheduler wall time flag of a session, or counters, times or
//! messages on all modules of the node's application, held and let go every 300 ms by one process
//! of the node while nothing else changes.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use giulia_dist::{Call, Config, Connection, Cookie, Target, term::Term};

use super::{
    bins::{BIN_MS, Estimate, Recording, mean},
    kv::Kv,
};

/// The flag is held so long, and then not held as long.
const HALF: Duration = Duration::from_millis(300);
/// One call holds the flag so often: 25 KB of a request.
const TIMES: usize = 100;
/// Counters on a dozen modules are 600 bytes a time.
const COUNTERS_TIMES: usize = 20;
/// Setting it wakes all schedulers: no bin so soon after is counted.
const AFTERMATH_MS: f64 = 60.0;
/// Neighbours share a span: the variance of the mean is 4/3 of what independent ones would have.
const SHARED: f64 = 4.0 / 3.0;

/// CPU with the flag against CPU without, as percent, and how often it was compared.
#[derive(Debug)]
pub(super) struct Flag {
    pub(super) percent: Estimate,
    pub(super) compared: usize,
}

/// What is switched on and off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// The flag of a session.
    WallTime,
    /// `call_count` on every function of every module of the application, by the interface that all
    /// OTPs have; a session's counters are the same breakpoints.
    Counters,
    /// `call_time` on the same functions, in all processes that are there.
    Times,
    /// A message for each call of them, to a process that throws it away.
    Messages,
}

/// Throws messages away: native code, so that what is measured is sending and receiving them.
const SINK: &str = r#"
Forms = [begin {ok, Tokens, _} = erl_scan:string(Text), {ok, Form} = erl_parse:parse_form(Tokens), Form end
         || Text <- ["-module(price_sink).", "-export([drain/0]).", "drain() -> receive _ -> drain() end."]],
{ok, price_sink, Code} = compile:forms(Forms),
{module, price_sink} = code:load_binary(price_sink, "planted", Code),
spawn(price_sink, drain, [])."#;

/// Compares for about so long.
pub(super) fn measure(kv: &Kv, node: u32, lasting: Duration, what: What) -> Result<Flag> {
    let (epmd_port, cookie) = (kv.epmd_port(), kv.cookie()?);
    let rounds = lasting.div_duration_f64(HALF * 2).ceil();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "hundreds")]
    let rounds = rounds as usize;
    let mut recording = Recording::start();
    let toggling = thread::spawn(move || toggle(epmd_port, cookie, rounds, what));
    while !toggling.is_finished() {
        recording.record(&[node], Duration::from_millis(200))?;
    }
    let toggled = toggling.join().map_err(|_| anyhow::anyhow!("toggling panicked"))??;
    let at: Vec<f64> = toggled.iter().map(|it| recording.ms(*it)).collect();
    let found = compare(&recording.bins(0), &at);
    let independent = Estimate::trimmed(&found);
    let percent = Estimate { half: independent.half * SHARED.sqrt(), ..independent };
    Ok(Flag { percent, compared: found.len() })
}

/// By how many percent each span with the flag is above the two without around it.
///
/// `at` are the moments of on, off, on, off and so on.
fn compare(bins: &[f64], at: &[f64]) -> Vec<f64> {
    let span = |it: &[f64]| {
        let [from, until] = it else { return f64::NAN };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "thousands of bins"
        )]
        let bin = |ms: f64| (ms / BIN_MS).floor() as usize;
        // Our next call comes in the last bin of some spans.
        mean(bins.get(bin(from + AFTERMATH_MS) + 1..bin(until - BIN_MS)).unwrap_or_default())
    };
    let spans: Vec<f64> = at.windows(2).map(span).collect();
    // The first has none before it.
    let each = spans.windows(3).skip(1).step_by(2).filter_map(|it| {
        let [off_before, on, off_after] = it else { return None };
        Some((on / f64::midpoint(*off_before, *off_after) - 1.0) * 100.0)
    });
    each.filter(|it| it.is_finite()).collect()
}

/// When it was switched on, off, on, off, by our clock.
fn toggle(epmd_port: u16, cookie: String, rounds: usize, what: What) -> Result<Vec<Instant>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut target = Target::new("kv@127.0.0.1".parse()?);
        target.epmd_port = epmd_port;
        let connection = Connection::connect(&target, &Config::new(Cookie::new(cookie))).await?;
        let switch = Switch::ready(&connection, what).await?;
        let most = if what == What::WallTime { TIMES } else { COUNTERS_TIMES };
        let mut at = Vec::new();
        let mut left = rounds;
        while left > 0 {
            let times = left.min(most);
            left -= times;
            let clock = clock(&connection).await?;
            let held = hold(&connection, times, |on| switch.steps(on)).await?;
            at.extend(held.into_iter().map(clock));
        }
        Ok(at)
    })
}

/// The node's monotonic time in microseconds as ours.
async fn clock(connection: &Connection) -> Result<impl Fn(i64) -> Instant> {
    let call = Call::new("erlang", "monotonic_time", vec![Term::atom("microsecond")]);
    // The first one may load code.
    connection.call(&call).await?;
    let asked = Instant::now();
    let reply = connection.call(&call).await?;
    let middle = asked + asked.elapsed() / 2;
    let then = reply.term()?.as_int().context("no time")?;
    Ok(move |at: i64| {
        let apart = Duration::from_micros(at.abs_diff(then));
        if at < then { middle.checked_sub(apart).unwrap_or(middle) } else { middle + apart }
    })
}

/// A call of the node: module, function, arguments.
type Step = (&'static str, &'static str, Vec<Term<'static>>);

/// What has to be known of the node to switch it on and off.
struct Switch {
    what: What,
    modules: Vec<Term<'static>>,
    sink: Option<Term<'static>>,
}

impl Switch {
    async fn ready(connection: &Connection, what: What) -> Result<Self> {
        let modules = if what == What::WallTime { Vec::new() } else { modules(connection).await? };
        let sink = if what == What::Messages { Some(value(connection, SINK).await?) } else { None };
        Ok(Self { what, modules, sink })
    }

    fn steps(&self, on: bool) -> Vec<Step> {
        match self.what {
            What::WallTime => {
                let flag = vec![Term::atom("scheduler_wall_time"), Term::boolean(on)];
                vec![("erlang", "system_flag", flag)]
            }
            What::Counters => vec![self.patterns("call_count", on)],
            What::Times => vec![self.patterns("call_time", on), self.processes(on)],
            What::Messages => vec![self.patterns("local", on), self.processes(on)],
        }
    }

    fn patterns(&self, flag: &'static str, on: bool) -> Step {
        let any = || Term::atom("_");
        let patterns = self.modules.iter().map(|it| Term::tuple([it.clone(), any(), any()]));
        let each = |it: Term<'static>| Term::list(self.modules.iter().map(|_| it.clone()));
        let arguments = vec![
            Term::export("erlang", "trace_pattern", 3),
            Term::list(patterns),
            each(Term::boolean(on)),
            each(Term::list([Term::atom(flag)])),
        ];
        ("lists", "zipwith3", arguments)
    }

    fn processes(&self, on: bool) -> Step {
        let mut flags = vec![Term::atom("call"), Term::atom("arity")];
        let sink = self.sink.iter().filter(|_| on);
        flags.extend(sink.map(|it| Term::tuple([Term::atom("tracer"), it.clone()])));
        ("erlang", "trace", vec![Term::atom("existing"), Term::boolean(on), Term::list(flags)])
    }
}

/// The value of Erlang expressions on the node, which is our own.
async fn value(connection: &Connection, text: &str) -> Result<Term<'static>> {
    let letters = Term::list(text.chars().map(|it| Term::int(i64::from(u32::from(it)))));
    let mut last = letters;
    // {ok, Tokens, _}, {ok, Expressions}, {value, Value, _}
    for (module, function) in [("erl_scan", "string"), ("erl_parse", "parse_exprs")] {
        let reply = connection.call(&Call::new(module, function, vec![last])).await?;
        last = second(&reply.term()?).with_context(|| format!("{module}:{function}"))?;
    }
    let arguments = vec![last, Term::list(Vec::<Term<'static>>::new())];
    let reply = connection.call(&Call::new("erl_eval", "exprs", arguments)).await?;
    second(&reply.term()?).context("erl_eval:exprs")
}

fn second(tuple: &Term<'_>) -> Result<Term<'static>> {
    let second = tuple.as_tuple().and_then(|it| it.get(1)).context("no tuple")?;
    Ok(second.clone().into_owned())
}

/// Of the application that the node is there for.
async fn modules(connection: &Connection) -> Result<Vec<Term<'static>>> {
    let args = vec![Term::atom("kv"), Term::atom("modules")];
    let reply = connection.call(&Call::new("application", "get_key", args)).await?;
    let told = reply.term()?;
    let told = told.as_tuple().and_then(|it| it.get(1)).and_then(Term::as_list);
    let modules: Vec<Term<'static>> =
        told.context("no modules of kv")?.iter().cloned().map(Term::into_owned).collect();
    anyhow::ensure!(!modules.is_empty(), "kv has no modules");
    Ok(modules)
}

/// Holds it so often, in one process; when each change was, in the node's microseconds.
async fn hold(
    connection: &Connection,
    times: usize,
    switch: impl Fn(bool) -> Vec<Step>,
) -> Result<Vec<i64>> {
    let half = i64::try_from(HALF.as_millis()).unwrap_or(i64::MAX);
    let mut steps: Vec<Step> = Vec::new();
    let each = switch(true).len();
    for idx in 0..times * 2 {
        steps.extend(switch(idx % 2 == 0));
        steps.push(("erlang", "monotonic_time", vec![Term::atom("microsecond")]));
        steps.push(("timer", "sleep", vec![Term::int(half)]));
    }
    let arguments = vec![
        Term::export("erlang", "apply", 3),
        Term::list(steps.iter().map(|it| Term::atom(it.0))),
        Term::list(steps.iter().map(|it| Term::atom(it.1))),
        Term::list(steps.iter().map(|it| Term::list(it.2.iter().cloned()))),
    ];
    let lasting = HALF * u32::try_from(times * 2).unwrap_or(u32::MAX);
    let call = Call::new("lists", "zipwith3", arguments).timeout(lasting + Duration::from_secs(30));
    let reply = connection.call(&call).await?;
    let told = reply.term()?;
    let told = told.as_list().context("no list")?;
    let times = told.iter().skip(each).step_by(each + 2).map(|it| it.as_int().context("no time"));
    times.collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_flag_of_two_percent_is_found_in_a_drift() {
        let at: Vec<f64> = (0..40).map(|it| 33.0 + f64::from(it) * 300.0).collect();
        let bins: Vec<f64> = (0..700)
            .map(|idx| {
                let middle = (f64::from(idx) + 0.5) * 20.0;
                let on = (middle - 33.0).rem_euclid(600.0) < 300.0;
                // Setting it is dear, and not what is asked here.
                let change = f64::from((middle - 33.0).rem_euclid(300.0) < 50.0) * 5.0;
                (10.0 + f64::from(idx) / 200.0) * if on { 1.02 } else { 1.0 } + change
            })
            .collect();
        let found = super::compare(&bins, &at);
        assert_eq!(found.len(), 18);
        for percent in found {
            assert!((percent - 2.0).abs() < 0.02, "{percent}");
        }
    }
}
