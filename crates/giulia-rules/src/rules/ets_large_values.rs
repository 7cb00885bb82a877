//! `ets_large_values`: each lookup copies a large object to its caller.

use giulia_model::{
    Culprit, CulpritKind, Effort, EtsRates, EtsTableRate, Evidence, Finding, Severity, Source,
};

use crate::{
    Missing, Picture, Rule, Threshold,
    figures::{bytes, ets_rates, of_each, sampled},
    judge::plain,
    predict::as_f64,
};

/// The rule.
pub(super) static RULE: Rule = Rule {
    id: "ets_large_values",
    title: "Lookups copy large objects",
    page: include_str!("../../../../docs/rules/ets_large_values.md"),
    thresholds: &[&OBJECT_MIN, &COPIED_MIN, &COPIED_WARNING],
    judge,
};

static OBJECT_MIN: Threshold = Threshold {
    name: "an object of the table, on average",
    value: 4_096.0,
    unit: "bytes",
    source: "copying that much takes 0.7 to 2 us, and all else of a lookup 0.04 (scripts/evidence/06-prices, \
             OTP 23 to 29)",
};
static COPIED_MIN: Threshold = Threshold {
    name: "copied out of the table",
    value: 20_000_000.0,
    unit: "bytes_per_second",
    source: "a hundredth of a core at the 2.1 GB/s of OTP 23 (6 GB/s on 27; scripts/evidence/06-prices), and \
             as much garbage for the callers to collect",
};
static COPIED_WARNING: Threshold = Threshold {
    name: "copied out of the table, when callers notice",
    value: 200_000_000.0,
    unit: "bytes_per_second",
    source: "a tenth of a core, by the same measurement",
};

/// Functions of `ets` that copy whole objects out of a table.
const COPY: [&str; 3] = ["lookup/2", "tab2list/1", "take/2"];

fn judge(picture: &Picture) -> Result<Vec<Finding>, Missing> {
    let rates = ets_rates(picture)?;
    of_each(&rates.tables, |it| one(picture, rates, it))
}

/// Of all reads, those by functions that copy objects.
fn copying_share(rates: &EtsRates) -> f64 {
    let copies = rates.functions.iter().filter(|it| COPY.contains(&it.function.as_str()));
    let copies: f64 = copies.map(|it| it.per_second).sum();
    (copies / rates.reads_per_second.max(1e-9)).min(1.0)
}

fn one(
    picture: &Picture,
    rates: &EtsRates,
    rate: &EtsTableRate,
) -> Result<Option<Finding>, Missing> {
    let Some(table) = rate.table.as_ref().filter(|it| it.size > 0) else { return Ok(None) };
    let object = as_f64(table.memory_bytes) / as_f64(table.size);
    if object < OBJECT_MIN.value {
        return Ok(None);
    }
    let reads = sampled(picture, rate, rate.reads)?.low;
    let copied = reads * copying_share(rates) * object;
    if copied < COPIED_MIN.value {
        return Ok(None);
    }
    let severity = if copied >= COPIED_WARNING.value { Severity::Warning } else { Severity::Note };
    let callers = rate.callers.iter().filter_map(|it| it.function.as_ref()).take(3);
    let of = |what: &str| format!("{what} {}", table.name);
    Ok(Some(Finding {
        culprits: [Culprit::named(CulpritKind::Table, &table.name)]
            .into_iter()
            .chain(callers.map(Culprit::function))
            .collect(),
        evidence: vec![
            Evidence::new(of("an object of"), object, "bytes", Source::Ets).from(OBJECT_MIN.value),
            Evidence::new(of("lookups of"), reads, "per_second", Source::Ets)
                .over(rates.counted_ms),
            Evidence::new(of("copied out of"), copied, "bytes_per_second", Source::Ets)
                .over(rates.counted_ms)
                .from(COPIED_MIN.value),
        ],
        recommendation: Some(format!(
            "take out what is needed: `ets:lookup_element/3` for one element, a row for each part \
             instead of one large object, binaries above 64 bytes (which are not copied), or \
             `persistent_term` where {} hardly ever changes",
            table.name
        )),
        effort: Some(Effort::Medium),
        risks: vec![
            "parts that are read one after the other may be of different versions".to_owned(),
            "each change of a `persistent_term` makes all processes look for the old value"
                .to_owned(),
        ],
        verify: Some(format!("giulia ets {} {}", picture.node, table.name)),
        ..Finding::found(
            severity,
            format!("Lookups of {} copy {} a second", table.name, bytes(copied)),
            format!(
                "an object of it has {} on average, each of {} lookups a second copies one onto \
                 the heap of its caller, which collects it afterwards",
                bytes(object),
                plain(reads)
            ),
        )
    }))
}

#[cfg(test)]
mod tests {
    use giulia_model::{Estimate, EtsFunction, FindingOutcome};

    use super::*;
    use crate::example::{check, healthy, says, table};

    fn with(reads: f64, object: u64, by: &str) -> Picture {
        let mut picture = healthy();
        let mut it = table("shop_prices");
        (it.size, it.memory_bytes) = (20, 20 * object);
        let rate = EtsTableRate {
            name: it.name.clone(),
            table: Some(it),
            reads: Some(Estimate { value: reads, low: reads, high: reads }),
            ..EtsTableRate::default()
        };
        let function =
            EtsFunction { function: by.to_owned(), per_second: reads, ..EtsFunction::default() };
        picture.ets_rates = Ok(vec![EtsRates {
            reads_per_second: reads,
            functions: vec![function],
            tables: vec![rate],
            ..EtsRates::default()
        }]);
        picture
    }

    #[test]
    fn fires_on_a_list_that_is_copied_for_one_of_its_elements() {
        let said = check(&RULE, &with(600.0, 80_000, "lookup/2"), FindingOutcome::Found);
        assert_eq!(said.severity, Some(Severity::Note));
        assert!(said.title.contains("45.8 MiB"), "{}", said.title);
        let said = check(&RULE, &with(6_000.0, 80_000, "lookup/2"), FindingOutcome::Found);
        assert_eq!(said.severity, Some(Severity::Warning));
    }

    #[test]
    fn silent_on_small_objects_and_where_nothing_is_copied() {
        check(&RULE, &with(100_000.0, 200, "lookup/2"), FindingOutcome::Clear);
        check(&RULE, &with(6_000.0, 80_000, "member/2"), FindingOutcome::Clear);
    }

    #[test]
    fn edge_at_a_hundredth_of_a_core() {
        check(&RULE, &with(250.0, 80_000, "lookup/2"), FindingOutcome::Found);
        check(&RULE, &with(249.0, 80_000, "lookup/2"), FindingOutcome::Clear);
        check(&RULE, &with(100_000.0, 4_095, "lookup/2"), FindingOutcome::Clear);
        let mut unseen = healthy();
        unseen.ets_rates = Err(Missing::new("calls of ets", "not asked", "giulia check"));
        assert_eq!(says(&RULE, &unseen).outcome, FindingOutcome::NotEnoughSeen);
    }
}
