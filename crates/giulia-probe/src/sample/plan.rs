//! What a sample would call on the node, without calling any of it.

use giulia_dist::{
    Error,
    term::{Pid, Term},
};
use giulia_model::NotSeen;

use super::{FLAGS, Loops, SampleOptions, SampledFunction, Sampler, Target, chosen, has_structs};
use crate::{Link, gates, tracing::mfa_term};

/// The calls of a sample that change something, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SamplePlan {
    /// As Erlang would write them.
    pub calls: Vec<String>,
    /// Functions whose calls would not be looked at, and why.
    pub not_seen: Vec<NotSeen>,
}

/// Of one call; a match specification has at most 16 KB.
const CALL_BYTES_MAX: usize = 32 << 10;
/// Processes that are named.
const NAMED_MAX: usize = 10;

/// Plans a sample: asks what it would ask, and changes nothing.
///
/// # Errors
///
/// As [`super::sample`], but nothing of a keeper.
pub async fn plan_sample(
    link: &Link,
    functions: &[SampledFunction],
    options: &SampleOptions,
    loops: &Loops<'_>,
) -> Result<SamplePlan, Error> {
    let mut sampler = Sampler {
        link,
        keeper: None,
        options,
        stopped: &|| false,
        has_structs: has_structs(link).await?,
        others: Vec::new(),
        left_alone: Vec::new(),
        not_seen: Vec::new(),
    };
    sampler.look_for_others().await?;
    let targets = sampler.targets(functions, loops).await?;
    let mut whom = chosen(link, &options.whom).await?;
    whom.pids.retain(|it| !sampler.others.contains(it));
    let mut plan = SamplePlan { not_seen: sampler.not_seen.clone(), ..SamplePlan::default() };
    let is_isolated = gates::off(link.erts(), gates::SESSIONS).is_none();
    let calls = &mut plan.calls;
    let named: Vec<String> = whom.pids.iter().take(NAMED_MAX).map(Pid::local).collect();
    let more = match whom.pids.len().saturating_sub(named.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    if options.kind.has_ends() && whom.pids.len() > super::FOLLOWED_MAX {
        calls.push("%% first, for a quarter of the time, who of them calls:".to_owned());
        armed(calls, is_isolated, &targets, &sampler.specs_of_callers(&targets));
        calls.push(format!(
            "%% with {} for {}{more}, until {} have called; then:",
            flags(is_isolated, "Pid"),
            named.join(", "),
            super::FOLLOWED_MAX
        ));
    }
    let specs: Vec<Term<'static>> = targets.iter().map(|it| sampler.spec(&it.heads)).collect();
    armed(calls, is_isolated, &targets, &specs);
    calls.push(format!("%% for {}{more}:", named.join(", ")));
    calls.push(flags(is_isolated, "Pid"));
    if whom.new_too {
        calls.push(flags(is_isolated, if is_isolated { "new" } else { "new_processes" }));
    }
    calls.push("exit(Tracer, kill)".to_owned());
    if is_isolated {
        calls.push("trace:session_destroy(S)".to_owned());
    } else {
        calls.push("%% each while its match specification is still ours:".to_owned());
        let undone = targets.iter().rev().map(|it| {
            format!("erlang:trace_pattern({}, false, [local])", shown(&mfa_term(&it.function)))
        });
        calls.extend(undone);
    }
    Ok(plan)
}

fn armed(calls: &mut Vec<String>, is_isolated: bool, targets: &[Target], specs: &[Term<'static>]) {
    if is_isolated {
        calls.push("S = trace:session_create(giulia, Tracer, [])".to_owned());
    }
    calls.extend(targets.iter().zip(specs).map(|(target, spec)| {
        let (function, spec) = (shown(&mfa_term(&target.function)), shown(spec));
        if is_isolated {
            format!("trace:function(S, {function}, {spec}, [local])")
        } else {
            format!("erlang:trace_pattern({function}, {spec}, [local])")
        }
    }));
}

fn flags(is_isolated: bool, whom: &str) -> String {
    let flags = FLAGS.join(", ");
    if is_isolated {
        format!("trace:process(S, {whom}, true, [{flags}])")
    } else {
        format!("erlang:trace({whom}, true, [{flags}, {{tracer, Tracer}}])")
    }
}

fn shown(term: &Term<'_>) -> String {
    format!("{term:.CALL_BYTES_MAX$}")
}
