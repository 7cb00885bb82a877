//! `check`: what is wrong with a node, with evidence, and what to do about it.

use std::time::Duration;

use clap::{Args, ValueEnum};
use giulia_engine::ExamineRequest;
use giulia_model::{Checked, Finding, Findings, Severity};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Ctx, FunctionArg, Kind, NodeArg, Out, Outcome, SessionArg, TargetArg, Window, text};

/// The operation.
pub(crate) struct Operation;

/// What to examine, how long, and when that fails.
#[derive(Debug, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// A node's name, or a session: its name, the beginning of its name, or `last`.
    #[arg(value_name = "NODE|SESSION")]
    target: TargetArg,
    /// Watch the node for this time before suspects are looked at (100ms to 10m).
    #[arg(long = "for", value_name = "TIME", default_value_t = default_window())]
    #[serde(rename = "for", default = "default_window")]
    window: Window,
    /// Functions to look at closely (`Shop.Cart`, `Shop.*`, `lists:map/2`), in place of those that
    /// waiting processes and busy servers name.
    #[arg(long, value_name = "PATTERN")]
    #[serde(default)]
    trace: Vec<FunctionArg>,
    /// Exit with 1 when something at least so grave is found.
    #[arg(long, value_enum, value_name = "SEVERITY")]
    #[serde(default)]
    fail_on: Option<Grave>,
    /// A session whose findings are known: they fail nothing, unless they are graver now.
    #[arg(long, value_name = "SESSION")]
    #[serde(default)]
    baseline: Option<SessionArg>,
}

/// How grave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Grave {
    /// Worth knowing.
    Note,
    /// Somebody waits for it, or will soon.
    Warning,
    /// The node, or a part of it, fails by it or is about to.
    Critical,
}

impl From<Grave> for Severity {
    fn from(it: Grave) -> Self {
        match it {
            Grave::Note => Self::Note,
            Grave::Warning => Self::Warning,
            Grave::Critical => Self::Critical,
        }
    }
}

/// Long enough for a growth to be told from its noise.
fn default_window() -> Window {
    Window::clamped(Duration::from_secs(30))
}

impl crate::Operation for Operation {
    const NAME: &'static str = "check";
    const ABOUT: &'static str = "Find what is wrong with a node, and what to do about it";
    const DETAILS: &'static str = "\
A node is watched for a window; then whatever the cheap figures name is looked at closely, for at \
most about a minute: messages of busy servers, calls of the functions that processes wait in and \
what those rest on, reads and writes of tables, a few processes in depth. All of it is recorded in \
a session, and every rule looks at that session: the same session gives the same findings again, \
on any machine.

With --postgres the database behind the node is read too, as a second witness: its statements \
by time are in `giulia report`, and what they say of a function is evidence of its finding.

A rule says `found` with culprits, evidence, advice, predicted gain, risks and a command that tells \
afterwards whether it helped; or `clear`; or that not enough was seen, and which command shows it. \
A page of each rule, with its thresholds and their source, is in docs/rules.

The exit code is 1 with --fail-on when something at least so grave is found, else 0.

Examples:
  giulia check shop@db1
  giulia check shop@db1 --for 2m --trace 'Shop.*'
  GIULIA_POSTGRES_URL=postgres://reader:…@db2/shop giulia check shop@db1
  giulia check last                                    the same findings, without the node
  giulia check shop@db1 --fail-on warning --baseline shop-20260301
  giulia check shop-20260301 --json | jq .findings.actions";
    const KIND: Kind = Kind::Recording;
    const MARKDOWN: Option<fn(&Checked) -> String> = Some(|it| text::checked(it).markdown());

    type Params = Params;
    type Answer = Checked;

    async fn run(ctx: &Ctx, params: Params) -> anyhow::Result<Checked> {
        // Before the node is asked: a baseline that is not there is told at once.
        let known = params.baseline.as_ref().map(|it| concluded(ctx, it.as_str())).transpose()?;
        let session = match &params.target {
            TargetArg::Node(node) => examined(ctx, node, &params).await?,
            TargetArg::Session(session) => session.as_str().to_owned(),
        };
        let findings = concluded(ctx, &session)?;
        let fail_on = params.fail_on.map(Severity::from);
        let failing = failing(&findings, fail_on, known.as_ref());
        Ok(Checked {
            schema: "giulia.check/1".to_owned(),
            fail_on,
            baseline: known.map(|it| it.session),
            failing,
            findings,
        })
    }

    fn text(answer: &Checked, out: &mut Out) {
        text::checked(answer).show(out);
    }

    fn outcome(answer: &Checked) -> Outcome {
        if answer.failing.is_empty() { Outcome::Done } else { Outcome::Found }
    }
}

/// The name of the session that an examination recorded.
async fn examined(ctx: &Ctx, node: &NodeArg, params: &Params) -> anyhow::Result<String> {
    let node = node.as_str();
    let access = ctx.book.for_node(node);
    let request = ExamineRequest {
        window: params.window.get(),
        name: None,
        patterns: params.trace.iter().map(|it| it.clone().get()).collect(),
        database: ctx.database.clone(),
    };
    let bounds = ctx.bounds(access, request.lasts());
    let attempt = ctx.attempt(access, &bounds);
    Ok(giulia_engine::examine(node, &request, &ctx.archive, attempt).await?.name)
}

/// What all rules say of a stored session.
fn concluded(ctx: &Ctx, session: &str) -> anyhow::Result<Findings> {
    Ok(giulia_rules::judge(&giulia_engine::picture(&ctx.archive, session)?))
}

/// Titles of those that are grave enough and not known.
fn failing(
    findings: &Findings,
    fail_on: Option<Severity>,
    known: Option<&Findings>,
) -> Vec<String> {
    let Some(fail_on) = fail_on else { return Vec::new() };
    let is_known = |it: &Finding| {
        known.is_some_and(|known| known.findings.iter().any(|known| it.is_known_by(known)))
    };
    let grave = findings.findings.iter().filter(|it| it.is_at_least(fail_on));
    grave.filter(|it| !is_known(it)).map(|it| it.title.clone()).collect()
}

#[cfg(test)]
mod tests {
    use giulia_model::{Culprit, CulpritKind};

    use super::*;

    fn found(severity: Severity, who: &str) -> Finding {
        Finding {
            rule: "mailbox_growth".to_owned(),
            culprits: vec![Culprit::named(CulpritKind::Process, who)],
            ..Finding::found(severity, who, "")
        }
    }

    #[test]
    fn what_is_known_fails_nothing_until_it_is_graver() {
        let of = |all: Vec<Finding>| Findings { findings: all, ..Findings::default() };
        let now = of(vec![
            found(Severity::Critical, "a"),
            found(Severity::Warning, "b"),
            found(Severity::Note, "c"),
            Finding::clear("d", ""),
        ]);
        assert_eq!(failing(&now, None, None), Vec::<String>::new());
        assert_eq!(failing(&now, Some(Severity::Warning), None), ["a", "b"]);
        assert_eq!(failing(&now, Some(Severity::Note), None), ["a", "b", "c"]);
        let before = of(vec![found(Severity::Warning, "a"), found(Severity::Warning, "b")]);
        assert_eq!(failing(&now, Some(Severity::Warning), Some(&before)), ["a"]);
    }
}
