//! From a command line to an exit code: finds what was asked for, runs it, watches Ctrl-C.

use std::sync::Arc;

use anyhow::Context as _;
use clap::{ArgMatches, FromArgMatches};
use giulia_engine::Cancel;
use giulia_ops::{AnyOperation, Ctx, Outcome};

use crate::{
    FAILED,
    cli::{Global, Printing},
    config::{self, Origin},
    log,
    programs::PROGRAMS,
    progress::Talk,
    render,
};

/// A second Ctrl-C: the shell's number for a program that SIGINT ended (128 + 2).
const INTERRUPTED_TWICE: i32 = 130;

/// Does what the command line asks; the exit code.
pub(crate) fn run(matches: &ArgMatches) -> anyhow::Result<u8> {
    let global = Global::from_arg_matches(matches)?;
    log::start(global.verbose)?;
    let (name, matches) = matches.subcommand().context("nothing asked; see `giulia --help`")?;
    if let Some(program) = PROGRAMS.iter().find(|it| it.name == name) {
        render::data(&(program.run)(matches)?)?;
        return Ok(0);
    }
    let operation = giulia_ops::operation(name).context("no such operation")?;
    // One connection, one question at a time: a second thread would cost more than it brings.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let code = runtime.block_on(operate(operation, matches, &global));
    // A resolver that hangs in the system's library must not hold us past the deadline.
    runtime.shutdown_background();
    code
}

async fn operate(
    operation: &dyn AnyOperation,
    matches: &ArgMatches,
    global: &Global,
) -> anyhow::Result<u8> {
    let config = config::load(matches, global.config.as_deref())?;
    if matches!(config.cookie, Some((_, Origin::Flag))) && !global.quiet {
        render::talk(
            "--cookie shows the cookie to everybody who runs `ps` here; use --cookie-file",
        );
    }
    let cancel = Cancel::new();
    let mut ctx = Ctx::new(config::book(&config)?, cancel.stop());
    ctx.progress = Arc::new(Talk::new(global.quiet));
    let answer = tokio::select! {
        biased;
        never = watch_ctrl_c(&cancel) => match never {},
        answer = operation.run_matches(&ctx, matches) => answer?,
    };
    let Printing { json } = Printing::from_arg_matches(matches)?;
    render::answer(answer.as_ref(), json, global.color)?;
    Ok(match answer.outcome() {
        Outcome::Done => 0,
        Outcome::Failed => FAILED,
    })
}

/// The first asks the operation to stop with what it has; the second ends the program.
async fn watch_ctrl_c(cancel: &Cancel) -> std::convert::Infallible {
    if tokio::signal::ctrl_c().await.is_err() {
        // Without a handler the system's own ends the program, which leaves nothing behind.
        std::future::pending::<()>().await;
    }
    cancel.cancel();
    render::talk("stopping with what there is; Ctrl-C again ends at once");
    // The handler is in place now, so this waits for the second.
    tokio::signal::ctrl_c().await.ok();
    #[expect(clippy::exit, reason = "at once, whatever is under way; nothing is left on the node")]
    std::process::exit(INTERRUPTED_TWICE)
}
