//! A few calls closely, in place of all of them counted.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::future::join_all;
use giulia_model::{
    CallPattern, Change, FunctionPattern, Mfa, ModulePattern, NotSeen, Samples, Trace, TracedNode,
};
use giulia_probe::{
    Keeper, KeeperOptions, Link, Resolved, SampleOptions, SamplePlan, SampledFunction, foreign,
    plan_sample, resolve, sample,
};

use super::{AFTER, ARMING, SCHEMA, document, not_resolved, nothing_meant, stop};
use crate::{Attempt, Bounds, Error, ErrorKind, remote};

/// Which calls, and what of them.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleRequest {
    /// Functions, each with what its calls must look like.
    pub patterns: Vec<(FunctionPattern, Option<CallPattern>)>,
    /// What of each call, how many, whose, how long.
    pub options: SampleOptions,
    /// Only say what would be called.
    pub dry_run: bool,
}

/// What one node told.
struct Told {
    traced: TracedNode,
    samples: Option<Samples>,
    plan: SamplePlan,
}

/// Functions that are looked at closely at one time: what a person reads, and each is a pattern
/// that every scheduler waits for.
const FUNCTIONS_MAX: usize = 20;

impl SampleRequest {
    /// The longest that it takes beside attaching.
    pub fn lasts(&self) -> std::time::Duration {
        self.options.within * 2 + ARMING + AFTER
    }
}

/// Looks at a few calls on one node or several at once.
///
/// # Errors
/// When no node could be attached to, a pattern means nothing or too much, or a bug of the VM
/// forbids it.
pub async fn sample_calls(
    attempts: &[(&str, Attempt<'_>)],
    request: &SampleRequest,
) -> Result<Trace, Error> {
    let sampling = attempts.iter().map(|(node, attempt)| one(node, request, *attempt));
    let mut trace = Trace { schema: SCHEMA.to_owned(), ..Trace::default() };
    trace.patterns = request.patterns.iter().map(|(it, _)| it.to_string()).collect();
    trace.asked_ms = u64::try_from(request.options.within.as_millis()).unwrap_or(u64::MAX);
    "calls".clone_into(&mut trace.sort);
    let mut failed = None;
    for ((node, _), result) in attempts.iter().zip(join_all(sampling).await) {
        match result {
            Ok(Told { traced, samples, plan }) => {
                trace.nodes.push(traced);
                trace.samples.extend(samples);
                trace.planned_calls.extend(plan.calls);
                trace.not_seen.extend(plan.not_seen);
            }
            Err(error) => {
                let what = format!("node {node}");
                trace.not_seen.push(NotSeen { what, why: error.to_string() });
                failed = Some(error);
            }
        }
    }
    if let Some(error) = failed.filter(|_| trace.nodes.is_empty()) {
        return Err(error);
    }
    trace.taken_at = attempts.first().map(|(_, it)| it.clock.now_rfc3339()).unwrap_or_default();
    Ok(trace)
}

async fn one(node: &str, request: &SampleRequest, attempt: Attempt<'_>) -> Result<Told, Error> {
    let Attempt { access, bounds, progress, .. } = attempt;
    let link = remote::enter(node, attempt).await?;
    let patterns: Vec<FunctionPattern> = request.patterns.iter().map(|it| it.0.clone()).collect();
    let looking = async {
        let resolved = resolve(&link, &patterns).await.map_err(|it| not_resolved(node, it))?;
        let others = foreign(&link, &[], &[]).await.map_err(|it| Error::asking(node, &it))?;
        Ok((resolved, others))
    };
    let looking = bounds.at_most(access.timeout).run("finding the functions", looking).await?;
    let (resolved, others) = looking;
    if let Some(error) = nothing_meant(node, &resolved) {
        return Err(error);
    }
    let functions = functions(&resolved, &request.patterns);
    if functions.len() > FUNCTIONS_MAX {
        let text = format!(
            "{node}: the patterns mean {} functions, and at most {FUNCTIONS_MAX} are looked at \
             closely; name some of them, `giulia trace` without --args tells which are called",
            functions.len()
        );
        return Err(Error::new(ErrorKind::NoFunction, text));
    }
    if request.dry_run {
        let planning = plan_sample(&link, &functions, &request.options, &loops);
        let planning = async { planning.await.map_err(|it| Error::asking(node, &it)) };
        let plan = bounds.run("planning", planning).await?;
        let modules: BTreeSet<&str> =
            functions.iter().map(|it| it.function.module.as_str()).collect();
        let traced = TracedNode {
            node: node.to_owned(),
            functions_counted: document::number(functions.len()),
            modules_counted: document::number(modules.len()),
            other_tracers: others.node,
            impact: link.impact(),
            ..TracedNode::default()
        };
        return Ok(Told { traced, samples: None, plan });
    }
    progress.begin("sampling calls", request.options.within);
    let began = std::time::Instant::now();
    let told = held(node, &link, (&functions, request), attempt).await;
    progress.end();
    let (mut samples, manifest) = told?;
    node.clone_into(&mut samples.node);
    let since = |at: std::time::Instant| {
        u64::try_from(at.saturating_duration_since(began).as_millis()).unwrap_or(u64::MAX)
    };
    let change = |it: giulia_probe::KeptChange| Change {
        what: it.name,
        made_at_ms: since(it.made),
        restored: it.restored,
        restored_at_ms: it.restored_at.map(since),
    };
    let traced = TracedNode {
        node: node.to_owned(),
        window_ms: samples.window_ms,
        other_tracers: others.node,
        manifest: manifest.into_iter().map(change).collect(),
        impact: link.impact(),
        ..TracedNode::default()
    };
    Ok(Told { traced, samples: Some(samples), plan: SamplePlan::default() })
}

/// Samples under a keeper, and undoes all of it, whether that failed or not.
async fn held(
    node: &str,
    link: &Link,
    (functions, request): (&[SampledFunction], &SampleRequest),
    attempt: Attempt<'_>,
) -> Result<(Samples, Vec<giulia_probe::KeptChange>), Error> {
    let asking = |it: giulia_probe::dist::Error| Error::asking(node, &it);
    let keeper = Keeper::start(link, &KeeperOptions::default()).await.map_err(asking)?;
    let keeper = Arc::new(keeper);
    let sampling = async {
        let options = &request.options;
        let stopped = || attempt.bounds.stop.is_asked();
        sample(link, &keeper, functions, options, (&loops, &stopped)).await.map_err(asking)
    };
    // Asked to stop, it ends early and says what it saw.
    let samples = Bounds::lasting(attempt.bounds.left()).run("sampling calls", sampling).await;
    let manifest = stop(keeper).await;
    Ok((samples?, manifest))
}

/// Functions that come back to themselves, or end in one that does, by bytecode.
fn loops(beam: &[u8]) -> Result<Vec<(String, u32)>, String> {
    let found = giulia_code::loops(beam).map_err(|it| it.to_string())?;
    let found = found.into_iter().filter(|(_, _, it)| it.is_loop() || it.enters.is_some());
    Ok(found.map(|(name, arity, _)| (name, arity)).collect())
}

/// What was resolved, each with the first pattern of calls that means it.
fn functions(
    resolved: &Resolved,
    patterns: &[(FunctionPattern, Option<CallPattern>)],
) -> Vec<SampledFunction> {
    let mut functions = Vec::new();
    for chosen in &resolved.modules {
        for (name, arity) in &chosen.functions {
            let arity = u32::from(*arity);
            let means = |(it, _): &&(FunctionPattern, Option<CallPattern>)| {
                let is_elsewhere = matches!(
                    it.modules(), ModulePattern::Named(name) if !name.fits(&chosen.module)
                );
                !is_elsewhere && it.fits(name, arity)
            };
            let pattern = patterns.iter().find(means).and_then(|(_, calls)| calls.clone());
            let function = Mfa::new(chosen.module.clone(), name.clone(), arity);
            functions.push(SampledFunction { function, pattern });
        }
    }
    functions
}
