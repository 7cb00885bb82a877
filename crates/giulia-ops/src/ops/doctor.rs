//! `doctor`: walks through everything that attaching to a node needs.

use clap::Args;
use giulia_engine::Clean;
use giulia_model::{CheckStatus, Doctor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Ctx, Kind, Out, Outcome, Style, text};

/// The operation.
pub(crate) struct Operation;

/// Which node.
#[derive(Debug, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// The node's name, as `node()` prints it there; also one that cannot be right.
    #[schemars(length(max = 1024))]
    node: String,
    /// Remove the patterns that a giulia of this machine left on a node before OTP 27, and list
    /// what else is armed.
    #[arg(long)]
    #[serde(default)]
    clean: bool,
    /// With --clean: remove what else is armed too, whoever armed it.
    #[arg(long, requires = "clean")]
    #[serde(default)]
    yes: bool,
}

impl crate::Operation for Operation {
    const NAME: &'static str = "doctor";
    const ABOUT: &'static str = "Find out why attaching to a node does or does not work";
    const DETAILS: &'static str = "\
Walks through name, host, EPMD, port, TLS, handshake, flags, cookie, version, other tracers and \
the bugs of the node's VM, in the order in which attaching needs them. It stops at the first \
that fails and says what fixes it; the exit code is then 2.

Before OTP 27 patterns on functions outlive who made them, and two things can leave some: that \
giulia's processes on the node were killed together, and a node that was frozen for long. \
--clean removes what this machine wrote down before it was armed and is still there. What else is \
armed it lists, and removes with --yes: it may be another tool's, or a giulia's on another machine.

Examples:
  giulia doctor shop@db1
  giulia doctor shop@db1 --cookie-file ~/shop.cookie
  giulia doctor shop@db1.example.com --at 127.0.0.1:9001     through a port-forward
  giulia doctor shop@db1.example.com --tls --tls-cacert ca.pem
  giulia doctor shop@db1 --clean";
    const KIND: Kind = Kind::Live;

    type Params = Params;
    type Answer = Doctor;

    async fn run(ctx: &Ctx, params: Params) -> anyhow::Result<Doctor> {
        let access = ctx.book.for_node(&params.node);
        let bounds = ctx.bounds(access, std::time::Duration::ZERO);
        let clean = match (params.clean, params.yes) {
            (false, _) => Clean::No,
            (true, false) => Clean::WrittenDown,
            (true, true) => Clean::Everything,
        };
        Ok(giulia_engine::doctor(&params.node, clean, ctx.attempt(access, &bounds)).await)
    }

    fn text(answer: &Doctor, out: &mut Out) {
        out.line(&[(Style::Title, &answer.node)]);
        for check in &answer.checks {
            let (word, style) = match check.status {
                CheckStatus::Pass => ("ok  ", Style::Good),
                CheckStatus::Warn => ("warn", Style::Warn),
                CheckStatus::Fail => ("FAIL", Style::Bad),
                CheckStatus::Skipped => ("-   ", Style::Dim),
            };
            let of_finding = if check.status == CheckStatus::Skipped { Style::Dim } else { style };
            let of_finding =
                if check.status == CheckStatus::Pass { Style::Plain } else { of_finding };
            out.hanging(&format!("  {word}  {:<9}  ", check.name), 19, of_finding, &check.finding);
            if let Some(fix) = &check.fix {
                out.hanging("                   fix: ", 24, Style::Plain, fix);
            }
        }
        text::gates(&answer.gates, out);
        out.blank();
        if answer.healthy {
            let next = format!("Healthy. Next: giulia snapshot {}", answer.node);
            out.line(&[(Style::Good, &next)]);
        } else {
            out.line(&[(Style::Bad, "Not healthy: the first FAIL above says what fixes it.")]);
        }
    }

    fn outcome(answer: &Doctor) -> Outcome {
        if answer.healthy { Outcome::Done } else { Outcome::Failed }
    }
}
