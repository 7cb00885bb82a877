//! `ets_written_by_cast`: a table is read at once and written when its owner comes to it.

use giulia_model::{
    Culprit, CulpritKind, Effort, EtsTable, EtsTableRate, Evidence, Finding, Mailbox, MessageKind,
    Severity, Source,
};

use crate::{
    Missing, Picture, Rule, Threshold,
    figures::{ets_rates, of_each, sampled},
    judge::plain,
};

/// The rule.
pub(super) static RULE: Rule = Rule {
    id: "ets_written_by_cast",
    title: "A table is read at once and written by casts",
    page: include_str!("../../../../docs/rules/ets_written_by_cast.md"),
    thresholds: &[&READS_MIN, &CASTS_MIN, &SHARE_MIN],
    judge,
};

static READS_MIN: Threshold = Threshold {
    name: "reads of the table",
    value: 10.0,
    unit: "per_second",
    source: "our choice: who reads ten times a second meets a gap of a millisecond once in a hundred \
             seconds",
};
static CASTS_MIN: Threshold = Threshold {
    name: "casts to its owner",
    value: 1.0,
    unit: "per_second",
    source: "our choice: below it the gap is too rare for anybody to meet it",
};
static SHARE_MIN: Threshold = Threshold {
    name: "casts to the owner for each write of the table",
    value: 0.3,
    unit: "times",
    source: "our choice: a cast that creates and a `'DOWN'` that deletes are one in two; with far fewer \
             it is something else that writes",
};

fn judge(picture: &Picture) -> Result<Vec<Finding>, Missing> {
    let rates = ets_rates(picture)?;
    picture.mailboxes.as_ref().map_err(Clone::clone)?;
    of_each(&rates.tables, |it| one(picture, it))
}

/// Whether it is written by casts or by calls stands in its owner's messages alone.
fn owner_unseen(picture: &Picture, table: &EtsTable) -> Missing {
    let (pid, name) = (&table.owner.0, table.owner_name.as_deref());
    Missing::new(
        format!("messages of {}, which owns {}", name.unwrap_or(pid), table.name),
        "nobody looked at them",
        format!(
            "giulia mailbox {} {}",
            picture.node,
            crate::rule::argument(name.unwrap_or_default(), pid)
        ),
    )
}

fn rate(mailbox: &Mailbox, fits: impl Fn(&MessageKind) -> bool) -> f64 {
    mailbox.kinds.iter().filter(|it| fits(it)).filter_map(|it| it.per_second).sum()
}

/// What happens to a table and its owner in a second.
struct Rates {
    reads: f64,
    writes: f64,
    casts: f64,
    /// Ends of processes that the owner hears of.
    downs: f64,
}

fn evidence(table: &str, owner: &Mailbox, rates: &Rates) -> Vec<Evidence> {
    let waits_ms = owner.waiting.map_or(0.0, |it| it.mean_ms);
    let of_table = |what: &str, value| {
        Evidence::new(format!("{what} of {table}"), value, "per_second", Source::Ets)
    };
    let mut evidence = vec![
        Evidence::new(
            format!("casts to {}", owner.name),
            rates.casts,
            "per_second",
            Source::Mailbox,
        )
        .over(owner.seen_ms)
        .from(CASTS_MIN.value),
        of_table("reads", rates.reads).from(READS_MIN.value),
        of_table("writes", rates.writes),
        Evidence::new("what a message waits for its owner", waits_ms, "ms", Source::Mailbox),
    ];
    if rates.downs > 0.0 {
        let what = format!("ends of processes that {} hears of", owner.name);
        evidence.push(Evidence::new(what, rates.downs, "per_second", Source::Mailbox));
    }
    evidence
}

fn one(picture: &Picture, rate_of: &EtsTableRate) -> Result<Option<Finding>, Missing> {
    // Of a public one anybody is the writer, and a private one nobody else reads.
    let table = rate_of.table.as_ref().filter(|it| it.protection == "protected");
    let Some(table) = table else { return Ok(None) };
    let reads = sampled(picture, rate_of, rate_of.reads)?;
    let writes = sampled(picture, rate_of, rate_of.writes)?;
    if reads.low < READS_MIN.value || writes.low <= 0.0 {
        return Ok(None);
    }
    let owner = picture.mailbox_of(&table.owner.0);
    let owner = owner.ok_or_else(|| owner_unseen(picture, table))?;
    let casts = rate(owner, |it| it.via == "cast");
    let downs = rate(owner, |it| it.via == "info" && it.shape.contains("DOWN"));
    if casts < CASTS_MIN.value || casts < SHARE_MIN.value * writes.value {
        return Ok(None);
    }
    let lag = if downs > 0.0 {
        ". Entries of processes that ended stay until their `'DOWN'` is handled: whoever reads has \
         to expect a dead one. Elixir's `Registry` does all of this"
    } else {
        ""
    };
    Ok(Some(Finding {
        culprits: vec![
            Culprit::named(CulpritKind::Table, &table.name),
            Culprit::process(&owner.name, &owner.pid),
        ],
        evidence: evidence(
            &table.name,
            owner,
            &Rates { reads: reads.value, writes: writes.value, casts, downs },
        ),
        recommendation: Some(format!(
            "let {} answer after the insert (`call` in place of `cast`): then whoever made an entry \
             finds it, and writers that are too fast wait{lag}",
            owner.name
        )),
        effort: Some(Effort::Low),
        risks: vec![
            "a call waits for the owner: not from within a callback of it, and with a timeout"
                .to_owned(),
        ],
        verify: Some(format!(
            "giulia mailbox {} {}",
            picture.node,
            crate::rule::argument(&owner.name, &owner.pid.0)
        )),
        ..Finding::found(
            Severity::Note,
            format!("{} is read at once and written by casts", table.name),
            format!(
                "its owner {} gets {} casts a second for {} writes, and readers do not wait for \
                 it: between a cast and its insert an entry is not there",
                owner.name,
                plain(casts),
                plain(writes.value)
            ),
        )
    }))
}

#[cfg(test)]
mod tests {
    use giulia_model::{Estimate, EtsRates, FindingOutcome, Pid};

    use super::*;
    use crate::example::{check, healthy, mailbox, says, table};

    fn kind(via: &str, shape: &str, per_second: f64) -> MessageKind {
        MessageKind {
            via: via.to_owned(),
            shape: shape.to_owned(),
            per_second: Some(per_second),
            ..MessageKind::default()
        }
    }

    fn with(reads: f64, writes: f64, kinds: Vec<MessageKind>) -> Picture {
        let about = |value: f64| Some(Estimate { value, low: value, high: value });
        let mut picture = healthy();
        let it = table("shop_names");
        let mut owner = mailbox("shop_registry", 0.1, 0.1);
        (owner.pid, owner.kinds) = (Pid("<0.100.0>".to_owned()), kinds);
        let rate = EtsTableRate {
            name: it.name.clone(),
            table: Some(it),
            reads: about(reads),
            writes: about(writes),
            ..EtsTableRate::default()
        };
        picture.mailboxes = Ok(vec![owner]);
        picture.ets_rates = Ok(vec![EtsRates { tables: vec![rate], ..EtsRates::default() }]);
        picture
    }

    #[test]
    fn fires_on_the_registry_of_the_guide_before_its_last_change() {
        let kinds =
            vec![kind("cast", "{create, _}", 90.0), kind("info", "{'DOWN', _, _, _, _}", 90.0)];
        let said = check(&RULE, &with(900.0, 180.0, kinds), FindingOutcome::Found);
        assert_eq!(said.culprits[0].name, "shop_names");
        assert!(said.recommendation.unwrap().contains("`Registry`"));
    }

    #[test]
    fn silent_on_calls() {
        let kinds = vec![kind("call", "{create, _}", 90.0), kind("cast", "tick", 1.0)];
        check(&RULE, &with(900.0, 180.0, kinds), FindingOutcome::Clear);
    }

    #[test]
    fn edge_at_a_cast_a_second() {
        let casts = |per_second: f64| vec![kind("cast", "{create, _}", per_second)];
        check(&RULE, &with(10.0, 1.0, casts(1.0)), FindingOutcome::Found);
        check(&RULE, &with(10.0, 1.0, casts(0.9)), FindingOutcome::Clear);
        check(&RULE, &with(9.0, 1.0, casts(1.0)), FindingOutcome::Clear);
        let mut unseen = with(10.0, 1.0, casts(1.0));
        unseen.mailboxes = Err(Missing::new("messages", "not asked", "giulia check"));
        assert_eq!(says(&RULE, &unseen).outcome, FindingOutcome::NotEnoughSeen);
    }

    #[test]
    fn a_table_whose_owner_was_not_looked_at_is_not_clear() {
        let mut unseen = with(10.0, 1.0, vec![kind("cast", "{create, _}", 1.0)]);
        unseen.mailboxes = Ok(vec![mailbox("another", 0.1, 0.1)]);
        let said = says(&RULE, &unseen);
        assert_eq!(said.outcome, FindingOutcome::NotEnoughSeen);
        assert!(said.why.contains("which owns shop_names"), "{}", said.why);
        let mut unseen = with(10.0, 1.0, vec![kind("cast", "{create, _}", 1.0)]);
        unseen.ets_rates.as_mut().unwrap()[0].tables[0].writes = None;
        assert_eq!(says(&RULE, &unseen).outcome, FindingOutcome::NotEnoughSeen);
    }
}
