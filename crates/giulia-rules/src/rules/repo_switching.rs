//! `repo_switching`: how often the database behind a repository is changed.

use giulia_model::{Culprit, CulpritKind, Effort, Finding, Severity};

use crate::{
    Missing, Picture, Rule, Threshold,
    judge::plain,
    repo::{Repo, repos},
};

/// The rule.
pub(super) static RULE: Rule = Rule {
    id: "repo_switching",
    title: "The database behind a repository is changed for nearly each operation",
    page: include_str!("../../../../docs/rules/repo_switching.md"),
    thresholds: &[&OPERATIONS_MIN, &SWITCHES_MIN],
    judge,
};

static OPERATIONS_MIN: Threshold = Threshold {
    name: "operations of the repository",
    value: 10.0,
    unit: "per_second",
    source: "our choice: a ratio of fewer is chance",
};
static SWITCHES_MIN: Threshold = Threshold {
    name: "changes for each operation",
    value: 0.5,
    unit: "times",
    source: "our choice: a request changes it once and then works there; the article that giulia follows \
             found one change in 211 operations, and called it fine",
};

fn judge(picture: &Picture) -> Result<Vec<Finding>, Missing> {
    let repos = repos(picture)?;
    Ok(repos.iter().filter(|it| it.switches > 0.0).map(|it| one(picture, it)).collect())
}

fn one(picture: &Picture, it: &Repo) -> Finding {
    let each = it.switches / it.operations();
    let culprits = vec![Culprit::named(CulpritKind::Module, &it.module)];
    let evidence = vec![
        it.figure("changes for each operation", each, "times").from(SWITCHES_MIN.value),
        it.figure("operations", it.operations(), "per_second"),
    ];
    if each < SWITCHES_MIN.value || it.operations() < OPERATIONS_MIN.value {
        let why = format!("one change in {} operations", plain((1.0 / each).round()));
        let title = format!("{} changes its database seldom", it.module);
        return Finding { culprits, evidence, ..Finding::clear(title, why) };
    }
    Finding {
        culprits,
        evidence,
        recommendation: Some(format!(
            "set the database of {} once for each request (a plug, the start of a job), and not \
             around each operation",
            it.module
        )),
        effort: Some(Effort::Low),
        risks: vec![
            "it is kept in the process: a task of its own begins with the default one".to_owned(),
        ],
        verify: Some(format!("giulia trace {} '{}' --for 10s", picture.node, it.module)),
        ..Finding::found(
            Severity::Note,
            format!("{} changes its database {} times for each operation", it.module, plain(each)),
            "a change is cheap by itself; around each operation it is a sign that nobody knows \
             which database is set"
                .to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use giulia_model::{FindingOutcome, Mfa};

    use super::*;
    use crate::example::{check, healthy, says, traced};

    fn with(operations: f64, switches: f64) -> Picture {
        let repo = |name: &str, rate| traced(&Mfa::new("Elixir.Shop.Repo", name, 1), rate);
        let mut picture = healthy();
        picture.traces.as_mut().unwrap()[0].functions = vec![
            repo("all", operations),
            repo("default_options", operations),
            repo("put_dynamic_repo", switches),
        ];
        picture
    }

    #[test]
    fn fires_on_a_change_around_each_operation() {
        check(&RULE, &with(100.0, 200.0), FindingOutcome::Found);
    }

    #[test]
    fn silent_on_the_ratio_of_the_article() {
        let said = check(&RULE, &with(2_530.0, 12.0), FindingOutcome::Clear);
        assert!(said.why.contains("211"), "{}", said.why);
    }

    #[test]
    fn edge_at_every_second_operation() {
        check(&RULE, &with(10.0, 5.0), FindingOutcome::Found);
        check(&RULE, &with(10.0, 4.9), FindingOutcome::Clear);
        check(&RULE, &with(9.0, 9.0), FindingOutcome::Clear);
        let mut unseen = with(10.0, 5.0);
        unseen.traces = Err(Missing::new("call counters", "not asked", "giulia check"));
        assert_eq!(says(&RULE, &unseen).outcome, FindingOutcome::NotEnoughSeen);
    }
}
