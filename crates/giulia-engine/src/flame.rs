//! Stacks of a node over a window: attach, sample in batches, sum up, detach.

mod bias;
mod pattern;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use giulia_model::{Flame, FlameFunction, FlameGroup, FlameOf, Mfa, NotSeen};

pub use pattern::{NotAPattern, Pattern};

use crate::{
    Attempt, Bounds, Error, ErrorKind,
    remote::{self, Stacks},
};

/// The document's name and version.
const SCHEMA: &str = "giulia.flame/1";

/// What a batch may take after somebody asked to stop: several times its second, because on a node
/// without a free scheduler it takes that; whoever does not wait presses Ctrl-C again.
const AFTER_STOP: Duration = Duration::from_secs(5);

/// What to sample, and what of it to tell.
#[derive(Debug, Clone)]
pub struct FlameRequest {
    /// Whose stacks.
    pub of: FlameOf,
    /// For how long.
    pub window: Duration,
    /// Rounds a second at most.
    pub hz_max: u32,
    /// Only stacks with one of these functions; all without any.
    pub patterns: Vec<Pattern>,
    /// Only processes of these groups; all without any.
    pub groups: Vec<String>,
}

/// Samples stacks for a window; asked to stop, it answers with what it has.
///
/// # Errors
/// When the node could not be attached to, may not be sampled, or answered no batch.
pub async fn flame(
    node: &str,
    request: &FlameRequest,
    attempt: Attempt<'_>,
) -> Result<Flame, Error> {
    let Attempt { bounds, progress, clock, .. } = attempt;
    let link = remote::enter(node, attempt).await?;
    let starting = remote::stacks(node, &link, request);
    let mut stacks = bounds.run("asking the node", starting).await?;
    progress.begin("sampling stacks", request.window);
    let ended = sample(&mut stacks, request.window, attempt).await;
    progress.end();
    let mut seen = stacks.so_far();
    if let Some(why) = ended {
        if seen.rounds == 0 {
            return Err(Error::new(why.kind(), format!("{node}: no stack was sampled: {why}")));
        }
        let what = "the rest of the window".to_owned();
        seen.not_seen.insert(0, NotSeen { what, why: why.to_string() });
    }
    SCHEMA.clone_into(&mut seen.schema);
    seen.taken_at = clock.now_rfc3339();
    choose(&mut seen, request);
    sum_up(&mut seen);
    seen.bias = bias::notes(&seen);
    Ok(seen)
}

/// Batch after batch; why it ended before its time, if it did.
async fn sample(stacks: &mut Stacks, window: Duration, attempt: Attempt<'_>) -> Option<Error> {
    let began = Instant::now();
    loop {
        let left = window.saturating_sub(began.elapsed());
        if left.is_zero() {
            return None;
        }
        let Attempt { bounds, .. } = attempt;
        // Whoever asked to stop wants what there is: the batch under way is over soon.
        let until = async {
            bounds.stop.asked().await;
            tokio::time::sleep(AFTER_STOP).await;
        };
        let batch = async {
            tokio::select! {
                biased;
                sampled = stacks.batch(left) => {
                    sampled.map_err(|it| Error::new(ErrorKind::Nothing, it.to_string()))
                }
                () = until => Err(interrupted()),
            }
        };
        let in_time = Bounds::lasting(bounds.left());
        if let Err(why) = in_time.run("sampling stacks", batch).await {
            return Some(why);
        }
        if bounds.stop.is_asked() {
            return Some(interrupted());
        }
    }
}

fn interrupted() -> Error {
    Error::new(
        ErrorKind::Interrupted,
        "interrupted; nothing was left on the node, and a shorter --for ends sooner",
    )
}

/// Leaves what was asked for.
fn choose(it: &mut Flame, request: &FlameRequest) {
    let FlameRequest { patterns, groups, .. } = request;
    it.stacks.retain(|stack| {
        let of_group = groups.is_empty() || groups.contains(&stack.group);
        let mut functions = stack.stack.iter().map(|it| &it.function);
        of_group
            && (patterns.is_empty() || functions.any(|it| patterns.iter().any(|p| p.matches(it))))
    });
    it.samples = it.stacks.iter().map(|it| it.samples).sum();
}

/// Groups and functions of what is left.
fn sum_up(it: &mut Flame) {
    let mut groups: BTreeMap<&str, u64> = BTreeMap::new();
    let mut functions: BTreeMap<&Mfa, (u64, u64)> = BTreeMap::new();
    for stack in &it.stacks {
        *groups.entry(&stack.group).or_default() += stack.samples;
        if let Some(innermost) = stack.stack.first() {
            functions.entry(&innermost.function).or_default().0 += stack.samples;
        }
        // A function that calls itself is on a stack once.
        let there: BTreeSet<&Mfa> = stack.stack.iter().map(|it| &it.function).collect();
        for function in there {
            functions.entry(function).or_default().1 += stack.samples;
        }
    }
    let share = |samples: u64| ratio(samples, it.samples);
    let mut groups: Vec<FlameGroup> = groups
        .into_iter()
        .map(|(name, samples)| FlameGroup { name: name.to_owned(), samples, share: share(samples) })
        .collect();
    let mut functions: Vec<FlameFunction> = functions
        .into_iter()
        .map(|(function, (own, total))| FlameFunction {
            function: function.clone(),
            self_samples: own,
            total_samples: total,
            self_share: share(own),
            total_share: share(total),
        })
        .collect();
    // Stable: names decide among equals.
    groups.sort_by_key(|it| std::cmp::Reverse(it.samples));
    functions.sort_by_key(|it| std::cmp::Reverse((it.self_samples, it.total_samples)));
    it.groups = groups;
    it.functions = functions;
    it.margin_points = margin_points(it.samples);
}

/// Half the width of the 95 % interval of a share of one half, in points; 100 without samples.
#[expect(clippy::cast_precision_loss, reason = "counts of samples")]
fn margin_points(samples: u64) -> f64 {
    if samples == 0 { 100.0 } else { 98.0 / (samples as f64).sqrt() }
}

#[expect(clippy::cast_precision_loss, reason = "counts of samples")]
fn ratio(part: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { part as f64 / of as f64 }
}

#[cfg(test)]
mod tests {
    use giulia_model::{FlameStack, Frame};

    use super::*;

    fn stack(samples: u64, group: &str, functions: &[&str]) -> FlameStack {
        let frame =
            |it: &&str| Frame { function: Mfa::new("shop", *it, 1), file: None, line: None };
        let stack = functions.iter().map(frame).collect();
        FlameStack { samples, group: group.to_owned(), stack, cut: false }
    }

    fn summed(patterns: &[&str], groups: &[&str]) -> Flame {
        let mut it = Flame {
            stacks: vec![
                stack(60, "shop", &["burn", "hot", "loop"]),
                stack(30, "shop", &["cold", "cold", "loop"]),
                stack(10, "cart", &["cold"]),
            ],
            ..Flame::default()
        };
        let request = FlameRequest {
            of: FlameOf::Running,
            window: Duration::ZERO,
            hz_max: 1,
            patterns: patterns.iter().map(|it| it.parse().unwrap()).collect(),
            groups: groups.iter().map(|it| (*it).to_owned()).collect(),
        };
        choose(&mut it, &request);
        sum_up(&mut it);
        it
    }

    #[test]
    fn own_samples_and_those_of_the_whole_stack_are_told_apart() {
        let it = summed(&[], &[]);
        let of = |name: &str| {
            let found = it.functions.iter().find(|it| it.function.function == name).unwrap();
            (found.self_samples, found.total_samples)
        };
        assert_eq!(it.samples, 100);
        assert_eq!((of("burn"), of("hot"), of("loop")), ((60, 60), (0, 60), (0, 90)));
        // Twice on a stack, counted once.
        assert_eq!(of("cold"), (40, 40));
        assert_eq!(it.groups[0].name, "shop");
        assert!((it.groups[0].share - 0.9).abs() < 1e-9);
        assert!((it.margin_points - 9.8).abs() < 1e-9);
    }

    #[test]
    fn patterns_and_groups_leave_what_they_name() {
        assert_eq!(summed(&["shop:cold"], &[]).samples, 40);
        assert_eq!(summed(&["shop.hot/1", "shop:burn/2"], &[]).samples, 60);
        assert_eq!(summed(&["shop"], &["cart"]).samples, 10);
        assert_eq!(summed(&["other"], &[]).samples, 0);
    }
}
