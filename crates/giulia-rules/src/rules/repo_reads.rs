//! `repo_reads`: what part of a repository's operations read.

use giulia_model::{Culprit, CulpritKind, Effort, Finding, Severity};

use crate::{
    Missing, Picture, Rule, Threshold,
    figures::percent,
    judge::plain,
    repo::{Repo, repos},
};

/// The rule.
pub(super) static RULE: Rule = Rule {
    id: "repo_reads",
    title: "Nearly all operations of a repository read",
    page: include_str!("../../../../docs/rules/repo_reads.md"),
    thresholds: &[&OPERATIONS_MIN, &READS_MIN],
    judge,
};

static OPERATIONS_MIN: Threshold = Threshold {
    name: "operations of the repository",
    value: 100.0,
    unit: "per_second",
    source: "our choice: below it a database of any size is not busy, and there is no evidence of a \
             bottleneck",
};
static READS_MIN: Threshold = Threshold {
    name: "of the operations, those that read",
    value: 0.8,
    unit: "share",
    source: "below four of five a cache is told of changes about as often as it answers (the article \
             that giulia follows found 87 %)",
};

fn judge(picture: &Picture) -> Result<Vec<Finding>, Missing> {
    Ok(repos(picture)?.iter().map(|it| one(picture, it)).collect())
}

fn one(picture: &Picture, it: &Repo) -> Finding {
    let share = it.reads / it.operations();
    let culprits = vec![Culprit::named(CulpritKind::Module, &it.module)];
    let evidence = vec![
        it.figure("share of reads", share, "share").from(READS_MIN.value),
        it.figure("reads", it.reads, "per_second"),
        it.figure("writes", it.writes, "per_second"),
        it.figure("operations", it.operations(), "per_second").from(OPERATIONS_MIN.value),
    ];
    let ratio = format!(
        "{} of {} operations a second read, {} write",
        percent(share),
        plain(it.operations()),
        percent(1.0 - share)
    );
    if share < READS_MIN.value || it.operations() < OPERATIONS_MIN.value {
        let title = format!("{} reads {} of the time", it.module, percent(share));
        return Finding { culprits, evidence, ..Finding::clear(title, ratio) };
    }
    Finding {
        culprits,
        evidence,
        recommendation: Some(
            "look at which of the reads ask for the same again (`rests_on_database` says which a \
             cache would answer, and how many); a cache for all of them is no advice"
                .to_owned(),
        ),
        effort: Some(Effort::Medium),
        risks: vec!["a cache is right only where each write is told to it".to_owned()],
        verify: Some(format!("giulia trace {} '{}' --for 10s", picture.node, it.module)),
        ..Finding::found(
            Severity::Note,
            format!("{} of the operations of {} read", percent(share), it.module),
            ratio,
        )
    }
}

#[cfg(test)]
mod tests {
    use giulia_model::{FindingOutcome, Mfa};

    use super::*;
    use crate::example::{check, healthy, says, traced};

    fn with(reads: f64, writes: f64) -> Picture {
        let repo = |name: &str, rate| traced(&Mfa::new("Elixir.Shop.Repo", name, 3), rate);
        let mut picture = healthy();
        picture.traces.as_mut().unwrap()[0].functions =
            vec![repo("get", reads), repo("insert", writes), repo("prepare_query", reads)];
        picture
    }

    #[test]
    fn fires_on_the_ratio_of_the_article() {
        let said = check(&RULE, &with(870.0, 130.0), FindingOutcome::Found);
        assert!(said.title.contains("87 %"), "{}", said.title);
        assert_eq!(said.severity, Some(Severity::Note));
    }

    #[test]
    fn silent_on_as_many_writes_and_without_a_repository() {
        check(&RULE, &with(500.0, 500.0), FindingOutcome::Clear);
        check(&RULE, &healthy(), FindingOutcome::Clear);
    }

    #[test]
    fn edge_at_four_of_five_and_a_hundred() {
        check(&RULE, &with(80.0, 20.0), FindingOutcome::Found);
        check(&RULE, &with(79.0, 21.0), FindingOutcome::Clear);
        check(&RULE, &with(79.0, 19.0), FindingOutcome::Clear);
        let mut unseen = with(80.0, 20.0);
        unseen.traces = Err(Missing::new("call counters", "not asked", "giulia check"));
        assert_eq!(says(&RULE, &unseen).outcome, FindingOutcome::NotEnoughSeen);
    }
}
