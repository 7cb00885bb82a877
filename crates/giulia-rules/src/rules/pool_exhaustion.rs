//! `pool_exhaustion`: callers wait for something that is lent out, and its keeper has nothing to do.

use giulia_model::{
    Culprit, Effort, Evidence, Explain, Finding, Mailbox, RestsOn, RestsOnKind, Severity, Source,
};

use crate::{
    Missing, Picture, Rule, Threshold,
    figures::{of_samples, percent},
    judge::plain,
};

/// The rule.
pub(super) static RULE: Rule = Rule {
    id: "pool_exhaustion",
    title: "Callers wait for what is lent out",
    page: include_str!("../../../../docs/rules/pool_exhaustion.md"),
    thresholds: &[&SHARE_MIN, &BUSY_MAX, &WAIT_FACTOR, &WAIT_MIN],
    judge,
};

static SHARE_MIN: Threshold = Threshold {
    name: "of the time of a call, what it waits for the process",
    value: 0.8,
    unit: "share",
    source: "what `giulia explain` takes as explained (DESIGN, section 6)",
};
static BUSY_MAX: Threshold = Threshold {
    name: "share of its time that the process is busy",
    value: 0.3,
    unit: "share",
    source: "a server that is busy for less lets one that arrives at random wait for 0.43 service times \
             (M/M/1, Lazowska et al. 1984, chapter 6): it is not what they wait for",
};
static WAIT_FACTOR: Threshold = Threshold {
    name: "a call against the work of the process for it and the wait in its mailbox",
    value: 10.0,
    unit: "times",
    source: "our choice: an order of magnitude that neither its work nor its mailbox explains",
};
static WAIT_MIN: Threshold = Threshold {
    name: "a call, half of them at least",
    value: 50.0,
    unit: "ms",
    source: "what DBConnection itself takes as too long for a checkout (`queue_target`, db_connection 2.7)",
};

fn judge(picture: &Picture) -> Result<Vec<Finding>, Missing> {
    let explains = picture.explains.as_ref().map_err(Clone::clone)?;
    let mut said: Vec<Finding> = Vec::new();
    for explain in explains {
        let Some(on) = waits_for(explain) else { continue };
        let Some(mailbox) = picture.mailbox_of(&on.name) else { continue };
        let is_new = said.iter().all(|it| it.culprits.iter().all(|it| it.name != on.name));
        if is_new {
            said.extend(one(picture, explain, mailbox));
        }
    }
    of_samples(picture, said)
}

/// The process that a function waits for itself: nothing behind it took the time.
fn waits_for(explain: &Explain) -> Option<&RestsOn> {
    let on = explain.rests_on.first()?;
    let is_process = on.kind == RestsOnKind::Process && on.hops == 0;
    (is_process && on.share_of_time >= SHARE_MIN.value).then_some(on)
}

fn one(picture: &Picture, explain: &Explain, it: &Mailbox) -> Option<Finding> {
    // The middle: a busy machine makes a few calls long, an empty pool makes all of them.
    let call_ms = explain.latency.as_ref()?.p50_us / 1000.0;
    let busy = it.busy?.share;
    let work_ms = it.service.map_or(0.0, |it| it.mean_us / 1000.0);
    let queue_ms = it.waiting.map_or(0.0, |it| it.mean_ms);
    let known_ms = work_ms + queue_ms;
    if busy > BUSY_MAX.value || call_ms < WAIT_MIN.value || call_ms < WAIT_FACTOR.value * known_ms {
        return None;
    }
    let calls = picture.calls_per_s(&explain.function);
    let waiting = calls.map(|(per_second, _)| per_second * call_ms / 1000.0);
    let mut evidence = vec![
        Evidence::new(format!("a call of {}", explain.function), call_ms, "ms", Source::Explain)
            .from(WAIT_FACTOR.value * known_ms),
        Evidence::new(format!("work of {} for one", it.name), work_ms, "ms", Source::Mailbox),
        Evidence::new("wait in its mailbox", queue_ms, "ms", Source::Mailbox),
        Evidence::new(format!("{} is busy", it.name), busy, "share", Source::Mailbox)
            .over(it.seen_ms)
            .from(BUSY_MAX.value),
    ];
    evidence.extend(waiting.map(|waiting| {
        Evidence::new("callers that wait at a time", waiting, "processes", Source::Trace)
    }));
    let behind = waiting
        .map_or(String::new(), |it| format!(", {} callers at a time", plain(it.max(1.0).round())));
    Some(Finding {
        culprits: vec![Culprit::process(&it.name, &it.pid), Culprit::function(&explain.function)],
        evidence,
        recommendation: Some(format!(
            "let borrowers hold for less time what {} lends (no other work between checkout and \
             checkin), or let it lend more, if what stands behind it can serve more at once",
            it.name
        )),
        effort: Some(Effort::Low),
        risks: vec![
            "a larger pool moves the queue to what stands behind it: a database with more \
             connections than cores and disks serves each of them slower"
                .to_owned(),
        ],
        verify: Some(format!("giulia explain {} '{}'", picture.node, explain.function)),
        ..Finding::found(
            Severity::Warning,
            format!("Callers of {} wait for what {} lends", explain.function, it.name),
            format!(
                "a call waits {} ms for an answer of {} that takes {} ms of work{behind}, while it \
                 is busy for only {} of its time and its mailbox is worked off: it answers when \
                 somebody gives back",
                plain(call_ms),
                it.name,
                plain(work_ms),
                percent(busy)
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use giulia_model::FindingOutcome;

    use super::*;
    use crate::example::{check, explained, healthy, lookup, mailbox, says};

    /// Work for one is a ten-thousandth of what the process is busy, in seconds.
    fn with(call_ms: f64, busy: f64, queue_ms: f64) -> Picture {
        let mut picture = healthy();
        let calls = explained(&lookup(), RestsOnKind::Process, "shop_pool", call_ms * 1000.0);
        picture.explains = Ok(vec![calls]);
        picture.mailboxes = Ok(vec![mailbox("shop_pool", busy, queue_ms)]);
        picture
    }

    #[test]
    fn fires_on_a_pool_without_a_free_connection() {
        let said = check(&RULE, &with(240.0, 0.02, 0.01), FindingOutcome::Found);
        assert_eq!(said.culprits[0].name, "shop_pool");
        assert!(said.why.contains("gives back"), "{}", said.why);
    }

    #[test]
    fn silent_on_a_server_that_works_and_on_a_pool_with_room() {
        check(&RULE, &with(240.0, 0.99, 238.0), FindingOutcome::Clear);
        check(&RULE, &with(0.02, 0.02, 0.001), FindingOutcome::Clear);
    }

    #[test]
    fn edge_at_ten_times_and_where_nobody_measured() {
        check(&RULE, &with(50.0, 0.0, 5.0), FindingOutcome::Found);
        check(&RULE, &with(50.0, 0.0, 5.1), FindingOutcome::Clear);
        check(&RULE, &with(49.0, 0.0, 0.01), FindingOutcome::Clear);
        let mut unseen = healthy();
        unseen.explains = Err(Missing::new("explain", "not asked", "giulia check"));
        assert_eq!(says(&RULE, &unseen).outcome, FindingOutcome::NotEnoughSeen);
    }
}
