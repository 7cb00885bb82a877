//! What a function rests on: attach, find it, sample its calls, conclude, detach.

mod conclude;
mod entries;
mod written;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use giulia_model::{
    Change, Explain, ExplainSample, ExplainVerdict, FunctionPattern, Mfa, NotSeen, ReadPrice,
    RestsOn, RestsOnKind,
};
use giulia_probe::{
    Keeper, KeeperOptions, KeptChange, Link, NotResolved, foreign, loaded_bytecode, loaded_md5,
    read_price, resolve,
    spans::{SpanOptions, SpanSample, Thing, Who, name_things, sample_spans},
};

use crate::{Archive, Attempt, Bounds, Error, ErrorKind, places::Graphs, remote};
use conclude::{Conclusion, conclude, cycles};
pub(crate) use entries::entries;

/// The document's name and version.
const SCHEMA: &str = "giulia.explain/1";

/// Which function, and how much of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainRequest {
    /// The function.
    pub function: FunctionPattern,
    /// For at most so long.
    pub lasting: Duration,
    /// So many whole calls are enough.
    pub calls: usize,
}

/// What a function of a node rests on.
///
/// # Errors
/// When the node could not be attached to, the function is not there or not one, another tool
/// traces it, or everything took too long.
pub async fn explain(
    node: &str,
    request: &ExplainRequest,
    attempt: Attempt<'_>,
    archive: Option<&Archive>,
) -> Result<Explain, Error> {
    let graphs = archive.map(|it| Graphs::of(it, node)).unwrap_or_default();
    let link = remote::enter(node, attempt).await?;
    // Asked to stop, it ends early and says what it saw.
    let mut seen = Bounds::lasting(attempt.bounds.left())
        .run("asking the node", look((node, &graphs), &link, request, attempt))
        .await?;
    seen.taken_at = attempt.clock.now_rfc3339();
    seen.impact = link.impact();
    Ok(seen)
}

async fn look(
    (node, graphs): (&str, &Graphs),
    link: &Link,
    request: &ExplainRequest,
    attempt: Attempt<'_>,
) -> Result<Explain, Error> {
    let function = one(node, link, &request.function).await?;
    let mut seen = Explain {
        schema: SCHEMA.to_owned(),
        taken_at: String::new(),
        node: node.to_owned(),
        verdict: ExplainVerdict::Refused,
        why: None,
        written: None,
        rests_on: Vec::new(),
        explained: 0.0,
        calls: giulia_model::CallsSeen::default(),
        latency: None,
        entered_by: Vec::new(),
        behind: Vec::new(),
        callers: Vec::new(),
        stability: None,
        cycles: None,
        read_price: None,
        sample: ExplainSample::default(),
        manifest: Vec::new(),
        gates: link.gates().into_iter().filter(|it| matters(&it.feature)).collect(),
        not_seen: Vec::new(),
        impact: giulia_model::Impact::default(),
        function,
    };
    if let Some(why) = refusal(link, &mut seen, graphs).await {
        seen.why = Some(why);
        return Ok(seen);
    }
    let asking = |it| Error::asking(node, &it);
    let others = foreign(link, std::slice::from_ref(&seen.function), &[]).await.map_err(asking)?;
    seen.sample.other_tracers = others.node;
    let keeper = Keeper::start(link, &KeeperOptions::default()).await.map_err(asking)?;
    let keeper = Arc::new(keeper);
    let options = SpanOptions {
        function: seen.function.clone(),
        calls: request.calls,
        lasting: request.lasting,
    };
    attempt.progress.begin("sampling calls", request.lasting);
    let began = Instant::now();
    let sampled = sample_spans(link, &keeper, &options, attempt.bounds.stop.asked()).await;
    attempt.progress.end();
    let kept = match Arc::into_inner(keeper) {
        Some(keeper) => keeper.stop().await,
        None => Vec::new(),
    };
    seen.manifest = kept.into_iter().map(|it| change(it, began)).collect();
    let sample = sampled.map_err(asking)?;
    fill(&mut seen, link, &sample, u64::try_from(request.calls).unwrap_or(u64::MAX)).await;
    Ok(seen)
}

/// Whether a gate is about spans.
fn matters(feature: &str) -> bool {
    feature.contains("spans") || feature.contains("trace sessions")
}

/// The one function that is meant.
async fn one(node: &str, link: &Link, pattern: &FunctionPattern) -> Result<Mfa, Error> {
    let wrong = |text: String| Error::new(ErrorKind::NoFunction, text);
    let found = match resolve(link, std::slice::from_ref(pattern)).await {
        Ok(found) => found,
        Err(NotResolved::Node(error)) => return Err(Error::asking(node, &error)),
        Err(other) => return Err(wrong(other.to_string())),
    };
    if let Some(missing) = found.missing.first() {
        let near = match missing.near.as_slice() {
            [] => "; giulia trace NODE MODULE lists what there is".to_owned(),
            near => format!("; did you mean {}?", near.join(", ")),
        };
        return Err(wrong(format!("{} on {node}{near}", missing.why)));
    }
    let mut functions = found.functions();
    match (functions.next(), functions.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(wrong(format!("no function of {node} is meant; write Module.function/N"))),
        (Some(one), Some(other)) => Err(wrong(format!(
            "{} functions are meant, among them {one} and {other}; write one with its arity",
            found.len()
        ))),
    }
}

/// Why its returns are not traced, where they are not.
async fn refusal(link: &Link, seen: &mut Explain, graphs: &Graphs) -> Option<String> {
    let Explain { function, not_seen, written, .. } = seen;
    if let Some(why) = giulia_probe::refused(function) {
        return Some(why.to_owned());
    }
    let loops = match loaded_bytecode(link, &function.module).await {
        Ok(bytes) => {
            let loaded = loaded_md5(link, &function.module).await.ok().flatten();
            *written = written::written(&bytes, function, loaded);
            if let (Some(it), Some(place)) = (written.as_mut(), graphs.place(function, loaded)) {
                (it.file, it.line) = (Some(place.file), place.line);
                (it.is_what_runs, it.graph) = (place.is_what_runs, place.graph);
            }
            giulia_code::loops(&bytes).map_err(|it| it.to_string())
        }
        Err(why) => Err(why.to_string()),
    };
    let loops = match loops {
        Ok(loops) => loops,
        Err(why) => {
            let what = "whether it is a loop".to_owned();
            not_seen.push(NotSeen { what, why: format!("no bytecode: {why}") });
            return None;
        }
    };
    let (_, _, found) = loops
        .iter()
        .find(|(name, arity, _)| *name == function.function && *arity == function.arity)?;
    if !found.is_loop() {
        return None;
    }
    let how = if found.itself {
        "it calls itself as the last thing that it does".to_owned()
    } else {
        let others: Vec<String> =
            found.cycle.iter().map(|(name, arity)| format!("{name}/{arity}")).collect();
        format!("{} call each other as the last thing that they do", others.join(", "))
    };
    Some(format!(
        "it is a loop ({how}): each round would keep a frame on the stack of its process until it \
         returns, if it ever does; explain a function that it calls"
    ))
}

async fn fill(seen: &mut Explain, link: &Link, sample: &SpanSample, wanted: u64) {
    let followed = sample.followed.iter().cloned().map(Who::Pid).map(Thing::Process);
    let followed: Vec<Thing> = followed.collect();
    let things: Vec<Thing> = sample.things().into_iter().chain(followed.clone()).collect();
    let names = name_things(link, &things).await;
    let concluded = conclude(&sample.spans, &names, wanted);
    let Conclusion { verdict, why, rests_on, explained, calls, latency, callers, stability } =
        concluded;
    seen.verdict = verdict;
    seen.why = why;
    if verdict == ExplainVerdict::NotCalled && sample.messages > 0 {
        // Messages of calls came, and none of them from its beginning on.
        seen.verdict = ExplainVerdict::NotEnoughSeen;
        let why = "it was called, and no call was seen from its beginning: the node is too busy for \
                   the sample; look longer with --for, or at a quieter moment";
        seen.why = Some(why.to_owned());
    }
    seen.rests_on = rests_on;
    seen.explained = explained;
    seen.calls = calls;
    seen.latency = latency;
    seen.callers = callers;
    seen.stability = stability;
    seen.cycles = cycles(&sample.cycles);
    seen.read_price = price(seen, link).await;
    let mut followed: Vec<String> =
        followed.iter().filter_map(|it| names.get(it).map(|it| it.name.clone())).collect();
    followed.sort();
    followed.dedup();
    seen.sample = ExplainSample {
        window_ms: u64::try_from(sample.window.as_millis()).unwrap_or(u64::MAX),
        rounds: sample.rounds,
        messages: sample.messages,
        bytes: sample.bytes,
        cost_share: sample.cost_share(),
        rested_ms: u64::try_from(sample.rested.as_millis()).unwrap_or(u64::MAX),
        too_large: sample.dropped,
        boundaries: sample.boundaries,
        followed,
        servers_unseen: sample.servers_unseen,
        other_tracers: std::mem::take(&mut seen.sample.other_tracers),
    };
    let notes = sample.notes.iter().cloned();
    seen.not_seen.extend(notes.map(|why| NotSeen { what: "a part of the sample".to_owned(), why }));
}

/// What a read of a table would cost in place of calls that wait for others.
async fn price(seen: &mut Explain, link: &Link) -> Option<ReadPrice> {
    let of_the_node = [RestsOnKind::EtsTable, RestsOnKind::PersistentTerm, RestsOnKind::OwnCode];
    let rests_elsewhere = |it: &RestsOn| !of_the_node.contains(&it.kind);
    seen.rests_on.first().filter(|it| rests_elsewhere(it))?;
    let sample = seen.stability.as_ref()?;
    match read_price(link, sample.key_bytes_p50, sample.result_bytes_p50).await {
        Ok(it) => Some(ReadPrice { often_us: it.often_us, seldom_us: it.seldom_us }),
        Err(error) => {
            let what = "what a read of a table costs here".to_owned();
            seen.not_seen.push(NotSeen { what, why: error.to_string() });
            None
        }
    }
}

fn change(it: KeptChange, began: Instant) -> Change {
    let ms = |at: Instant| {
        u64::try_from(at.saturating_duration_since(began).as_millis()).unwrap_or(u64::MAX)
    };
    Change {
        what: it.name,
        made_at_ms: ms(it.made),
        restored: it.restored,
        restored_at_ms: it.restored_at.map(ms),
    }
}
