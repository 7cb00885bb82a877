//! `ets_public_writers`: several modules write one public table, so that nobody answers for it.

use std::collections::BTreeMap;

use giulia_model::{
    Culprit, CulpritKind, Effort, EtsTableRate, Evidence, Finding, Severity, Source,
};

use crate::{
    Missing, Picture, Rule, Threshold,
    figures::{ets_rates, of_each, sampled},
    judge::plain,
    predict::as_f64,
};

/// The rule.
pub(super) static RULE: Rule = Rule {
    id: "ets_public_writers",
    title: "Several modules write one public table",
    page: include_str!("../../../../docs/rules/ets_public_writers.md"),
    thresholds: &[&MODULES_MIN],
    judge,
};

static MODULES_MIN: Threshold = Threshold {
    name: "modules that write the table",
    value: 3.0,
    unit: "modules",
    source: "our choice: an owner and a module beside it are one design (a writer and a sweeper); from \
             three on the rule which write wins stands in no single place",
};

fn judge(picture: &Picture) -> Result<Vec<Finding>, Missing> {
    let rates = ets_rates(picture)?;
    let is_public =
        |it: &&EtsTableRate| it.table.as_ref().is_some_and(|table| table.protection == "public");
    of_each(&rates.tables.iter().filter(is_public).collect::<Vec<_>>(), |it| {
        let found = one(picture, it, rates.counted_ms);
        // Whose calls were not sampled may be written by anybody.
        if found.is_none() && it.callers.is_empty() {
            sampled(picture, it, it.writes)?;
        }
        Ok(found)
    })
}

/// Modules that surely write it, with their writes a second.
fn writers(rate: &EtsTableRate) -> BTreeMap<&str, f64> {
    let mut modules = BTreeMap::new();
    for caller in &rate.callers {
        let (Some(function), Some(writes)) = (&caller.function, caller.writes) else { continue };
        if writes.low > 0.0 {
            *modules.entry(function.module.as_str()).or_default() += writes.value;
        }
    }
    modules
}

fn one(picture: &Picture, rate: &EtsTableRate, window_ms: f64) -> Option<Finding> {
    let table = rate.table.as_ref().filter(|it| it.protection == "public")?;
    let writers = writers(rate);
    let count = as_f64(u64::try_from(writers.len()).unwrap_or(u64::MAX));
    if count < MODULES_MIN.value {
        return None;
    }
    let owner = table.owner_name.as_deref().unwrap_or(table.owner.0.as_str());
    let each = writers.iter().map(|(module, rate)| {
        Evidence::new(
            format!("writes of {} by {}", table.name, plain_module(module)),
            *rate,
            "per_second",
            Source::Ets,
        )
        .over(window_ms)
    });
    let of = format!("modules that write {}", table.name);
    let evidence = [Evidence::new(of, count, "modules", Source::Ets).from(MODULES_MIN.value)];
    let names: Vec<&str> = writers.keys().map(|it| plain_module(it)).collect();
    let modules = writers.keys().map(|it| Culprit::named(CulpritKind::Module, plain_module(it)));
    Some(Finding {
        culprits: [Culprit::named(CulpritKind::Table, &table.name)]
            .into_iter()
            .chain(modules)
            .collect(),
        evidence: evidence.into_iter().chain(each).collect(),
        recommendation: Some(format!(
            "make {} `protected`, and let {owner} write it for the others (`call`, so that a \
             writer reads its own write); where that would be a bottleneck, keep it public behind \
             the functions of one module",
            table.name
        )),
        effort: Some(Effort::Medium),
        risks: vec![format!(
            "{owner} becomes the one place that all writes wait for: look at how many they are"
        )],
        verify: Some(format!("giulia ets {} {}", picture.node, table.name)),
        ..Finding::found(
            Severity::Note,
            format!("{} modules write the public table {}", plain(count), table.name),
            format!(
                "{} write it past its owner {owner}: a read and the write that follows from it \
                 can be torn apart by any of them",
                names.join(", ")
            ),
        )
    })
}

/// A module as its language writes it.
fn plain_module(module: &str) -> &str {
    module.strip_prefix("Elixir.").unwrap_or(module)
}

#[cfg(test)]
mod tests {
    use giulia_model::{Estimate, EtsCaller, EtsRates, FindingOutcome, Mfa, NotSeen};

    use super::*;
    use crate::example::{check, healthy, says, table};

    fn caller(module: &str, writes: f64) -> EtsCaller {
        EtsCaller {
            function: Some(Mfa::new(module, "write", 2)),
            writes: Some(Estimate { value: writes, low: writes, high: writes }),
            ..EtsCaller::default()
        }
    }

    fn with(protection: &str, callers: Vec<EtsCaller>) -> Picture {
        let mut picture = healthy();
        let mut it = table("shop_stock");
        protection.clone_into(&mut it.protection);
        let rate = EtsTableRate {
            name: it.name.clone(),
            table: Some(it),
            callers,
            ..EtsTableRate::default()
        };
        picture.ets_rates = Ok(vec![EtsRates { tables: vec![rate], ..EtsRates::default() }]);
        picture
    }

    #[test]
    fn fires_on_three_modules_that_write_as_they_like() {
        let callers =
            ["shop_cart", "shop_payment", "Elixir.Shop.Import"].map(|it| caller(it, 90.0));
        let said = check(&RULE, &with("public", callers.to_vec()), FindingOutcome::Found);
        assert_eq!(said.culprits[0].name, "shop_stock");
        assert!(said.why.contains("Shop.Import") && !said.why.contains("Elixir."), "{}", said.why);
    }

    #[test]
    fn silent_on_readers_and_where_only_the_owner_may() {
        let callers = ["a", "b", "c"].map(|it| caller(it, 0.0));
        check(&RULE, &with("public", callers.to_vec()), FindingOutcome::Clear);
        let callers = ["a", "b", "c"].map(|it| caller(it, 90.0));
        check(&RULE, &with("protected", callers.to_vec()), FindingOutcome::Clear);
    }

    #[test]
    fn edge_at_two_modules_with_three_functions() {
        let mut callers = vec![caller("a", 1.0), caller("b", 1.0), caller("b", 1.0)];
        check(&RULE, &with("public", callers.clone()), FindingOutcome::Clear);
        callers.push(caller("c", 1.0));
        check(&RULE, &with("public", callers), FindingOutcome::Found);
        let mut unseen = healthy();
        unseen.ets_rates = Err(Missing::new("calls of ets", "not asked", "giulia check"));
        assert_eq!(says(&RULE, &unseen).outcome, FindingOutcome::NotEnoughSeen);
        // A bug of the VM forbids to sample them.
        let mut blind = with("public", Vec::new());
        let rates = &mut blind.ets_rates.as_mut().unwrap()[0];
        rates.tables.clear();
        check(&RULE, &blind, FindingOutcome::Clear);
        let rates = &mut blind.ets_rates.as_mut().unwrap()[0];
        rates.not_seen = vec![NotSeen { what: "tables".to_owned(), why: "a bug".to_owned() }];
        assert_eq!(says(&RULE, &blind).outcome, FindingOutcome::NotEnoughSeen);
        // Calls were counted and callers not sampled.
        assert_eq!(says(&RULE, &with("public", Vec::new())).outcome, FindingOutcome::NotEnoughSeen);
    }
}
