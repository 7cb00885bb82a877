//! `ets_write_concurrency`: a public table that is written all the time lacks the option.

use giulia_model::{
    Culprit, CulpritKind, Effort, EtsTable, EtsTableRate, Evidence, Finding, Severity, Source,
};

use crate::{
    Missing, Picture, Rule, Threshold,
    figures::{ets_rates, of_each, sampled},
    judge::plain,
};

/// The rule.
pub(super) static RULE: Rule = Rule {
    id: "ets_write_concurrency",
    title: "A public table that is written all the time lacks write_concurrency",
    page: include_str!("../../../../docs/rules/ets_write_concurrency.md"),
    thresholds: &[&WRITES_MIN],
    judge,
};

static WRITES_MIN: Threshold = Threshold {
    name: "writes of a table",
    value: 100_000.0,
    unit: "per_second",
    source: "our choice: a write takes 0.05 to 0.09 us alone (scripts/evidence/06-prices), so below that the \
             table is locked for less than a hundredth of the time, and there is no bottleneck to \
             advise on",
};

fn judge(picture: &Picture) -> Result<Vec<Finding>, Missing> {
    let rates = ets_rates(picture)?;
    of_each(&rates.tables, |it| one(picture, it, rates.counted_ms))
}

fn one(picture: &Picture, rate: &EtsTableRate, window_ms: f64) -> Result<Option<Finding>, Missing> {
    let Some(table) = &rate.table else { return Ok(None) };
    // Of any other table the owner is the only writer, and it waits for nobody.
    let lacks = table.write_concurrency.as_deref() == Some("false") && table.protection == "public";
    if !lacks {
        return Ok(None);
    }
    let writes = sampled(picture, rate, rate.writes)?;
    if writes.low < WRITES_MIN.value {
        return Ok(None);
    }
    Ok(Some(Finding {
        culprits: vec![Culprit::named(CulpritKind::Table, &table.name)],
        evidence: vec![
            Evidence::new(
                format!("writes of {}", table.name),
                writes.value,
                "per_second",
                Source::Ets,
            )
            .over(window_ms)
            .from(WRITES_MIN.value),
        ],
        recommendation: Some(advice(table)),
        effort: Some(Effort::Low),
        risks: vec![
            "it takes memory for the locks of each table: not for thousands of small ones"
                .to_owned(),
            "where all write one and the same key it helps nothing: `counters` or a key for each \
             scheduler do"
                .to_owned(),
        ],
        verify: Some(format!("giulia ets {} {}", picture.node, table.name)),
        ..Finding::found(
            Severity::Note,
            format!(
                "{} is written {} times a second without write_concurrency",
                table.name,
                plain(writes.value)
            ),
            "everybody may write it, and without the option whoever writes locks all of it"
                .to_owned(),
        )
    }))
}

fn advice(table: &EtsTable) -> String {
    let owner = table.owner_name.as_deref().unwrap_or(table.owner.0.as_str());
    format!(
        "let {owner} make {} with `write_concurrency: true` (`auto` from OTP 25), and with \
         `decentralized_counters: true` where its size is seldom asked",
        table.name
    )
}

#[cfg(test)]
mod tests {
    use giulia_model::{Estimate, EtsRates, FindingOutcome};

    use super::*;
    use crate::example::{check, healthy, says, table};

    fn with(writes: f64, option: &str, protection: &str) -> Picture {
        let mut picture = healthy();
        let mut it = table("shop_hits");
        it.write_concurrency = Some(option.to_owned());
        protection.clone_into(&mut it.protection);
        let rate = EtsTableRate {
            name: it.name.clone(),
            table: Some(it),
            writes: Some(Estimate { value: writes, low: writes, high: writes }),
            ..EtsTableRate::default()
        };
        picture.ets_rates = Ok(vec![EtsRates { tables: vec![rate], ..EtsRates::default() }]);
        picture
    }

    #[test]
    fn fires_on_counters_that_all_write() {
        let said = check(&RULE, &with(200_000.0, "false", "public"), FindingOutcome::Found);
        assert_eq!(said.culprits[0].name, "shop_hits");
    }

    #[test]
    fn silent_with_it_and_where_the_owner_alone_writes() {
        check(&RULE, &with(200_000.0, "true", "public"), FindingOutcome::Clear);
        check(&RULE, &with(200_000.0, "auto", "public"), FindingOutcome::Clear);
        check(&RULE, &with(200_000.0, "false", "protected"), FindingOutcome::Clear);
    }

    #[test]
    fn edge_at_a_hundred_thousand() {
        check(&RULE, &with(100_000.0, "false", "public"), FindingOutcome::Found);
        check(&RULE, &with(99_999.0, "false", "public"), FindingOutcome::Clear);
        let mut unseen = healthy();
        unseen.ets_rates = Err(Missing::new("calls of ets", "not asked", "giulia check"));
        assert_eq!(says(&RULE, &unseen).outcome, FindingOutcome::NotEnoughSeen);
    }
}
