//! `memory_limit_near`: the container, or the machine, has hardly any memory left.

use giulia_model::{Culprit, CulpritKind, Effort, Evidence, Finding, HostFacts, Severity, Source};

use crate::{
    Missing, Picture, Rule, Threshold,
    figures::{bytes, percent},
    predict::as_f64,
};

/// The rule.
pub(super) static RULE: Rule = Rule {
    id: "memory_limit_near",
    title: "Hardly any memory is left around the node",
    page: include_str!("../../../../docs/rules/memory_limit_near.md"),
    thresholds: &[&LEFT_MAX, &LEFT_CRITICAL],
    judge,
};

static LEFT_MAX: Threshold = Threshold {
    name: "left of the memory that there is",
    value: 0.15,
    unit: "share",
    source: "our choice: a full collection needs room for a second copy of a heap, and a heap of a sixth \
             of the memory is no rarity",
};
static LEFT_CRITICAL: Threshold = Threshold {
    name: "left of the memory that there is, when the next step fails",
    value: 0.05,
    unit: "share",
    source: "our choice: carriers of the VM grow in steps of up to 8 MB (`lmbcs`, erts_alloc, erts \
             15.2) and heaps by a fifth; of a container of half a gigabyte that is three steps",
};

fn judge(picture: &Picture) -> Result<Vec<Finding>, Missing> {
    let host = picture.last_of("operating system", |it| it.host.as_ref())?;
    let Some((what, left, limit)) = room(host) else {
        let ask = format!("giulia snapshot {}", picture.node);
        return Err(Missing::new("memory around the node", "no limit could be read", ask));
    };
    let share = as_f64(left) / as_f64(limit.max(1));
    if share > LEFT_MAX.value {
        return Ok(Vec::new());
    }
    let severity =
        if share <= LEFT_CRITICAL.value { Severity::Critical } else { Severity::Warning };
    let own = host.rss_bytes.map_or(0.0, as_f64);
    Ok(vec![Finding {
        culprits: vec![Culprit::named(CulpritKind::Node, what)],
        evidence: vec![
            Evidence::new(format!("memory left of the {what}"), share, "share", Source::Snapshot)
                .from(LEFT_MAX.value),
            Evidence::new(
                format!("memory of the {what}"),
                as_f64(limit),
                "bytes",
                Source::Snapshot,
            ),
            Evidence::new("memory of the node's VM", own, "bytes", Source::Snapshot),
        ],
        recommendation: Some(
            "find out what holds it (`giulia snapshot`: memory by kind, allocators, tables, \
             binaries), or give it more"
                .to_owned(),
        ),
        effort: Some(Effort::Medium),
        risks: vec!["a larger limit hides growth: look whether it comes back".to_owned()],
        verify: Some(format!("giulia snapshot {}", picture.node)),
        ..Finding::found(
            severity,
            format!("{} of the memory of the {what} is left", percent(share)),
            format!(
                "{} of {} are left, the VM itself has {}; at the limit the operating system ends it \
                 without a word in its log",
                bytes(as_f64(left)),
                bytes(as_f64(limit)),
                bytes(own)
            ),
        )
    }])
}

/// What bounds the memory, what is left of it, and how much it is. The container's, where it has
/// one; the machine's alone says little while others may give back.
fn room(host: &HostFacts) -> Option<(&'static str, u64, u64)> {
    let container = host
        .cgroup
        .as_ref()
        .and_then(|it| Some(("container", it.memory_available_bytes?, it.memory_limit_bytes?)));
    container
        .or_else(|| Some(("machine", host.machine_available_bytes?, host.machine_memory_bytes?)))
}

#[cfg(test)]
mod tests {
    use giulia_model::{Cgroup, FindingOutcome};

    use super::*;
    use crate::example::{check, healthy, says};

    fn with(left: u64, limit: u64) -> Picture {
        let mut picture = healthy();
        let cgroup = Cgroup {
            memory_available_bytes: Some(left),
            memory_limit_bytes: Some(limit),
            ..Cgroup::default()
        };
        picture.last.as_mut().unwrap().host = Some(HostFacts {
            cgroup: Some(cgroup),
            rss_bytes: Some(400_000_000),
            machine_available_bytes: Some(8_000_000_000),
            machine_memory_bytes: Some(16_000_000_000),
            ..HostFacts::default()
        });
        picture
    }

    #[test]
    fn fires_on_a_container_that_is_nearly_full() {
        let said = check(&RULE, &with(50_000_000, 512_000_000), FindingOutcome::Found);
        assert_eq!(said.severity, Some(Severity::Warning));
        let said = check(&RULE, &with(5_000_000, 512_000_000), FindingOutcome::Found);
        assert_eq!(said.severity, Some(Severity::Critical));
    }

    #[test]
    fn silent_on_one_with_room_and_without_a_container() {
        check(&RULE, &with(300_000_000, 512_000_000), FindingOutcome::Clear);
        let mut machine = with(5_000_000, 512_000_000);
        machine.last.as_mut().unwrap().host.as_mut().unwrap().cgroup = None;
        check(&RULE, &machine, FindingOutcome::Clear);
    }

    #[test]
    fn edge_at_fifteen_of_a_hundred_and_unreadable() {
        check(&RULE, &with(15, 100), FindingOutcome::Found);
        check(&RULE, &with(16, 100), FindingOutcome::Clear);
        let mut unread = with(15, 100);
        unread.last.as_mut().unwrap().host = Some(HostFacts::default());
        assert_eq!(says(&RULE, &unread).outcome, FindingOutcome::NotEnoughSeen);
    }
}
