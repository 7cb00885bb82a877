//! `observe`: watches a node and records a session, here or in the background.

mod background;
mod control;
mod here;
mod show;

use clap::{ArgMatches, Args, Command, FromArgMatches, ValueEnum};
use giulia_engine::{CountRequest, Redial};
use giulia_ops::{Budget, CallArg, NodeArg, SessionArg, Span};

use crate::{
    cli::{self, Global},
    config,
};

/// Between two ticks: below 100 ms asking weighs more than what is asked, above an hour a
/// snapshot now and then is the better tool.
type Every = Span<100, 3_600_000>;
/// How long a session may be told to last: a week; without an end it may last longer.
type Lasts = Span<100, 604_800_000>;

/// The hidden subcommand that `start` runs itself as.
const IN_BACKGROUND: &str = "in-background";

const ABOUT: &str = "Watch a node over time and record a session";
const DETAILS: &str = "\
Ticks are recorded from the first one on, so nothing is lost when giulia is killed. The session \
ends with its time, with Ctrl-C, or with COMMAND, whose exit status is passed on; then its report \
is printed. With --trace, every call of the functions that the patterns mean is counted from before \
COMMAND begins until after it ended, exactly, and the hottest are measured once. With --postgres the \
database behind the node tells of its statements meanwhile (`pg_stat_statements`, one connection \
that may only read), as a second witness beside what the node shows. A node that freezes, ends or restarts does not end it: each is a mark in the session, \
and giulia goes on when the node is back; one that was near its limit of processes is not dialled \
again before it was started anew.

Examples:
  giulia observe shop@db1 --for 30s
  giulia observe shop@db1 -- mix run load.exs    as long as the command runs
  giulia observe shop@db1 --trace 'Shop.*' -- mix run load.exs
  GIULIA_POSTGRES_URL=postgres://reader:…@db2/shop giulia observe shop@db1 --for 30s
  giulia observe start shop@db1 --every 5s       in the background
  giulia observe status
  giulia observe stop shop@db1                   prints the report
  giulia observe shop@db1 --for 30s --json | jq .work.by_module";

/// What to watch.
#[derive(Debug, Args)]
struct What {
    /// The node's name, as `node()` prints it there.
    node: NodeArg,
    /// Between two ticks (100ms to 1h).
    #[arg(long, value_name = "TIME", default_value = "1s")]
    every: Every,
    /// End after this time (100ms to 168h); without it, on Ctrl-C or `observe stop`.
    #[arg(long = "for", value_name = "TIME")]
    lasts: Option<Lasts>,
    /// The session's name, in place of the node's with the time.
    #[arg(long = "name", id = "session_name", value_name = "NAME")]
    session_name: Option<SessionArg>,
    /// Count calls of these functions all the while: `Shop.Cart`, `Shop.*`, `app:shop`, `lists:map/2`;
    /// see `giulia trace`.
    #[arg(long, value_name = "PATTERN", num_args = 1..)]
    trace: Vec<CallArg>,
    /// What counting may cost, of the time of all schedulers; what would break it is left out, by
    /// name.
    #[arg(long, value_name = "PERCENT", default_value_t = Budget::default(), requires = "trace")]
    budget: Budget,
    /// Whether a node that was near its limit of processes when it was lost is dialled again before
    /// EPMD says that it was started anew: one without a process to spare ends when anybody dials it.
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = WhenFull::Careful)]
    redial: WhenFull,
}

/// What a session does with a node that has hardly a process to spare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum WhenFull {
    /// Wait until it was started anew.
    Careful,
    /// Dial it.
    Always,
}

/// What only watching in the foreground has.
#[derive(Debug, Args)]
struct Foreground {
    /// Print the report as a JSON document.
    #[arg(long)]
    json: bool,
    /// Run this, watch as long as it runs, and pass its exit status on.
    #[arg(last = true, value_name = "COMMAND", conflicts_with = "lasts")]
    command: Vec<String>,
}

/// Print which sessions are being recorded now
#[derive(Debug, Args)]
struct StatusParams {
    /// Print them as a JSON document.
    #[arg(long)]
    json: bool,
}

/// End a session that is being recorded, and print its report
#[derive(Debug, Args)]
struct StopParams {
    /// The session (or the beginning of its name) or its node; the only one without it.
    which: Option<String>,
    /// Print the report as a JSON document.
    #[arg(long)]
    json: bool,
}

/// A session to record.
#[derive(Debug)]
struct Job {
    what: What,
    command: Option<Vec<String>>,
}

impl What {
    fn redial(&self) -> Redial {
        match self.redial {
            WhenFull::Careful => Redial::Careful,
            WhenFull::Always => Redial::Always,
        }
    }

    /// What is counted, if anything is.
    fn counted(&self) -> anyhow::Result<Option<CountRequest>> {
        if self.trace.is_empty() {
            return Ok(None);
        }
        let patterns = self.trace.iter().cloned().map(CallArg::functions);
        let patterns = patterns.collect::<Result<_, _>>().map_err(anyhow::Error::msg)?;
        Ok(Some(CountRequest { patterns, budget_share: self.budget.share() }))
    }
}

pub(super) fn command() -> Command {
    let here = watching(Command::new("observe"), Foreground::augment_args);
    let here = here.about(ABOUT).long_about(format!("{ABOUT}.\n\n{DETAILS}"));
    let none = |it| it;
    let start = watching(Command::new("start").about("Record in the background"), none);
    let hidden = watching(Command::new(IN_BACKGROUND).hide(true), none);
    let status = StatusParams::augment_args(Command::new("status"));
    let stop = StopParams::augment_args(Command::new("stop"));
    let nested = [start, hidden, status, stop].map(cli::with_help);
    here.subcommands(nested)
        .args_conflicts_with_subcommands(true)
        .subcommand_negates_reqs(true)
        .disable_help_subcommand(true)
}

/// The arguments of a session. `--name` is its name here, so our own gets another flag.
fn watching(command: Command, add: fn(Command) -> Command) -> Command {
    let (about, long_about) = (command.get_about().cloned(), command.get_long_about().cloned());
    let command = cli::witnessing(cli::keeping(cli::reaching(add(What::augment_args(command)))));
    let command = command.mut_arg("name", |arg| arg.long("local-name"));
    let about = about.unwrap_or_default();
    command.about(about.clone()).long_about(long_about.unwrap_or(about))
}

pub(super) fn run(matches: &ArgMatches, global: &Global) -> anyhow::Result<u8> {
    match matches.subcommand() {
        Some(("start", matches)) => background::start(matches, global),
        Some((IN_BACKGROUND, matches)) => background::child(matches, global),
        Some(("status", matches)) => {
            let StatusParams { json } = StatusParams::from_arg_matches(matches)?;
            block_on(control::status(json, global))
        }
        Some(("stop", matches)) => {
            let StopParams { which, json } = StopParams::from_arg_matches(matches)?;
            block_on(control::stop(which.as_deref(), json, global))
        }
        _ => {
            let Foreground { json, command } = Foreground::from_arg_matches(matches)?;
            let command = Some(command).filter(|it| !it.is_empty());
            let job = Job { what: What::from_arg_matches(matches)?, command };
            let config = config::load(matches, global.config.as_deref())?;
            block_on(here::run(&job, &config, json, global))
        }
    }
}

/// One connection and a few timers: a second thread would cost more than it brings.
fn block_on(work: impl Future<Output = anyhow::Result<u8>>) -> anyhow::Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let code = runtime.block_on(work);
    // A resolver that hangs in the system's library must not hold us.
    runtime.shutdown_background();
    code
}
