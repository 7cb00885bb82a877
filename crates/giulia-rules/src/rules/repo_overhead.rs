//! `repo_overhead`: what a repository calls around its operations, and whether that is structural.

use giulia_model::{Culprit, CulpritKind, Effort, Finding, Severity};

use crate::{
    Missing, Picture, Rule, Threshold,
    judge::plain,
    repo::{Repo, repos},
};

/// The rule.
pub(super) static RULE: Rule = Rule {
    id: "repo_overhead",
    title: "A repository does more around its operations than Ecto itself",
    page: include_str!("../../../../docs/rules/repo_overhead.md"),
    thresholds: &[&OPERATIONS_MIN, &RATIO_MAX],
    judge,
};

static OPERATIONS_MIN: Threshold = Threshold {
    name: "operations of the repository",
    value: 10.0,
    unit: "per_second",
    source: "our choice: a ratio of fewer is chance",
};
static RATIO_MAX: Threshold = Threshold {
    name: "calls around for each operation",
    value: 4.0,
    unit: "times",
    source: "Ecto itself calls `default_options`, `prepare_opts` and `prepare_query` at most once each for \
             an operation (Ecto.Repo 3.12), so beyond three something is called again; one more is left \
             for what preloads ask",
};

fn judge(picture: &Picture) -> Result<Vec<Finding>, Missing> {
    Ok(repos(picture)?.iter().map(|it| one(picture, it)).collect())
}

fn one(picture: &Picture, it: &Repo) -> Finding {
    let ratio = it.pipeline / it.operations();
    let culprits = vec![Culprit::named(CulpritKind::Module, &it.module)];
    let evidence = vec![
        it.figure("calls around each operation", ratio, "times").from(RATIO_MAX.value),
        it.figure("operations", it.operations(), "per_second"),
        it.figure("calls around them", it.pipeline, "per_second"),
    ];
    if ratio < RATIO_MAX.value || it.operations() < OPERATIONS_MIN.value {
        let why = format!(
            "{} calls of `default_options`, `prepare_opts` and `prepare_query` for each operation: \
             that is Ecto doing its work; leave it",
            plain(ratio)
        );
        let title = format!("What {} does around its operations is structural", it.module);
        return Finding { culprits, evidence, ..Finding::clear(title, why) };
    }
    Finding {
        culprits,
        evidence,
        recommendation: Some(format!(
            "look whether `prepare_query` or `default_options` of {} asks the repository itself, or \
             whether single rows are preloaded one by one",
            it.module
        )),
        effort: Some(Effort::Low),
        risks: vec!["scopes of tenants and soft deletes live there: keep what they add".to_owned()],
        verify: Some(format!("giulia trace {} '{}' --for 10s", picture.node, it.module)),
        ..Finding::found(
            Severity::Note,
            format!("{} is prepared {} times for each operation", it.module, plain(ratio)),
            "more than Ecto itself does: an operation makes others behind it".to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use giulia_model::{FindingOutcome, Mfa};

    use super::*;
    use crate::example::{check, healthy, says, traced};

    fn with(operations: f64, around: f64) -> Picture {
        let repo = |name: &str, rate| traced(&Mfa::new("Elixir.Shop.Repo", name, 3), rate);
        let mut picture = healthy();
        picture.traces.as_mut().unwrap()[0].functions =
            vec![repo("all", operations), repo("prepare_query", around)];
        picture
    }

    #[test]
    fn fires_on_a_query_that_asks_before_it_asks() {
        let said = check(&RULE, &with(100.0, 600.0), FindingOutcome::Found);
        assert_eq!(said.culprits[0].name, "Shop.Repo");
    }

    #[test]
    fn silent_on_the_ratio_of_the_article() {
        let said = check(&RULE, &with(2_530.0, 3_485.0), FindingOutcome::Clear);
        assert!(said.why.contains("1.38") && said.why.contains("leave it"), "{}", said.why);
    }

    #[test]
    fn edge_at_four_and_with_few_operations() {
        check(&RULE, &with(10.0, 40.0), FindingOutcome::Found);
        check(&RULE, &with(10.0, 39.0), FindingOutcome::Clear);
        check(&RULE, &with(9.0, 90.0), FindingOutcome::Clear);
        let mut unseen = with(10.0, 40.0);
        unseen.traces = Err(Missing::new("call counters", "not asked", "giulia check"));
        assert_eq!(says(&RULE, &unseen).outcome, FindingOutcome::NotEnoughSeen);
    }
}
