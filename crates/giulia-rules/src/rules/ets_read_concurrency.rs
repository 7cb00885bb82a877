//! `ets_read_concurrency`: a table that many read and hardly anybody writes lacks the option.

use giulia_model::{
    Culprit, CulpritKind, Effort, EtsTable, EtsTableRate, Evidence, Finding, Severity, Source,
};

use crate::{
    Missing, Picture, Rule, Threshold,
    figures::{ets_rates, of_each, percent, sampled},
    judge::plain,
};

/// The rule.
pub(super) static RULE: Rule = Rule {
    id: "ets_read_concurrency",
    title: "A table that is read all the time lacks read_concurrency",
    page: include_str!("../../../../docs/rules/ets_read_concurrency.md"),
    thresholds: &[&READS_MIN, &READ_SHARE_MIN],
    judge,
};

static READS_MIN: Threshold = Threshold {
    name: "reads of a table",
    value: 100_000.0,
    unit: "per_second",
    source: "our choice: a lookup takes 0.04 us alone (scripts/evidence/06-prices), so below that the lock is \
             held for less than four thousandths of the time, and there is no bottleneck to advise on",
};
static READ_SHARE_MIN: Threshold = Threshold {
    name: "reads of reads and writes",
    value: 0.9,
    unit: "share",
    source: "`read_concurrency` makes switching between reading and writing dearer and is for \
             tables whose reads much outnumber their writes (ets:new/2, stdlib 6.2)",
};

fn judge(picture: &Picture) -> Result<Vec<Finding>, Missing> {
    let rates = ets_rates(picture)?;
    of_each(&rates.tables, |it| one(picture, it, rates.counted_ms))
}

fn one(picture: &Picture, rate: &EtsTableRate, window_ms: f64) -> Result<Option<Finding>, Missing> {
    let Some(table) = &rate.table else { return Ok(None) };
    // Only its owner reads a private table, and one reader has nobody to wait for.
    if table.read_concurrency != Some(false) || table.protection == "private" {
        return Ok(None);
    }
    let reads = sampled(picture, rate, rate.reads)?;
    if reads.high < READS_MIN.value {
        return Ok(None);
    }
    let share = sampled(picture, rate, rate.read_share)?;
    if reads.low < READS_MIN.value || share.low < READ_SHARE_MIN.value {
        return Ok(None);
    }
    let of = |what: &str| format!("{what} {}", table.name);
    Ok(Some(Finding {
        culprits: vec![Culprit::named(CulpritKind::Table, &table.name)],
        evidence: vec![
            Evidence::new(of("reads of"), reads.value, "per_second", Source::Ets)
                .over(window_ms)
                .from(READS_MIN.value),
            Evidence::new(of("share of reads,"), share.value, "share", Source::Ets)
                .over(window_ms)
                .from(READ_SHARE_MIN.value),
        ],
        recommendation: Some(advice(table)),
        effort: Some(Effort::Low),
        risks: vec![
            "it takes some memory a table and makes a write after reads dearer: not for tables \
             that are written as often as they are read"
                .to_owned(),
        ],
        verify: Some(format!("giulia ets {} {}", picture.node, table.name)),
        ..Finding::found(
            Severity::Note,
            format!(
                "{} is read {} times a second without read_concurrency",
                table.name,
                plain(reads.value)
            ),
            format!(
                "{} of its calls read, and without the option readers on different schedulers \
                 take turns at the lock of the table",
                percent(share.value)
            ),
        )
    }))
}

fn advice(table: &EtsTable) -> String {
    let owner = table.owner_name.as_deref().unwrap_or(table.owner.0.as_str());
    format!(
        "let {owner} make {} with `read_concurrency: true`; where its contents hardly ever change, \
         `persistent_term` is read without any lock",
        table.name
    )
}

#[cfg(test)]
mod tests {
    use giulia_model::{Estimate, EtsRates, FindingOutcome};

    use super::*;
    use crate::example::{check, healthy, says, table};

    fn about(value: f64) -> Estimate {
        Estimate { value, low: value, high: value }
    }

    fn with(reads: f64, share: f64, option: bool) -> Picture {
        let mut picture = healthy();
        let mut it = table("shop_routes");
        it.read_concurrency = Some(option);
        let rate = EtsTableRate {
            name: it.name.clone(),
            table: Some(it),
            reads: Some(about(reads)),
            read_share: Some(about(share)),
            ..EtsTableRate::default()
        };
        picture.ets_rates = Ok(vec![EtsRates { tables: vec![rate], ..EtsRates::default() }]);
        picture
    }

    #[test]
    fn fires_on_a_hot_table_without_it() {
        let said = check(&RULE, &with(150_000.0, 0.999, false), FindingOutcome::Found);
        assert_eq!(said.culprits[0].name, "shop_routes");
        assert_eq!(said.severity, Some(Severity::Note));
    }

    #[test]
    fn silent_with_it_and_on_a_private_table() {
        check(&RULE, &with(150_000.0, 0.999, true), FindingOutcome::Clear);
        let mut private = with(150_000.0, 0.999, false);
        let rates = private.ets_rates.as_mut().unwrap();
        rates[0].tables[0].table.as_mut().unwrap().protection = "private".to_owned();
        check(&RULE, &private, FindingOutcome::Clear);
    }

    #[test]
    fn edge_at_a_hundred_thousand_and_at_nine_of_ten() {
        check(&RULE, &with(100_000.0, 0.9, false), FindingOutcome::Found);
        check(&RULE, &with(99_999.0, 0.9, false), FindingOutcome::Clear);
        check(&RULE, &with(100_000.0, 0.89, false), FindingOutcome::Clear);
        let mut unseen = healthy();
        unseen.ets_rates = Err(Missing::new("calls of ets", "not asked", "giulia check"));
        assert_eq!(says(&RULE, &unseen).outcome, FindingOutcome::NotEnoughSeen);
    }
}
