//! From a command line to an exit code: finds what was asked for, runs it, watches Ctrl-C.

use std::sync::Arc;

use anyhow::Context as _;
use clap::{ArgMatches, FromArgMatches};
use giulia_engine::{Archive, Cancel};
use giulia_ops::{AnyOperation, Ctx, GROUPS, Outcome};

use crate::{
    FAILED,
    cli::{Global, MARKDOWN, Printing, Writing},
    config::{self, Origin},
    file, log,
    programs::{PROGRAMS, Run},
    progress::Talk,
    render::{self, Form},
};

/// A second Ctrl-C: the shell's number for a program that SIGINT ended (128 + 2).
pub(crate) const INTERRUPTED_TWICE: i32 = 130;

/// What `check` looked for is there.
const FOUND: u8 = 1;

/// Does what the command line asks; the exit code.
pub(crate) fn run(matches: &ArgMatches) -> anyhow::Result<u8> {
    let global = Global::from_arg_matches(matches)?;
    log::start(global.verbose)?;
    let (name, matches) = matches.subcommand().context("nothing asked; see `giulia --help`")?;
    if let Some(program) = PROGRAMS.iter().find(|it| it.name == name) {
        return match program.run {
            Run::Prints(text) => render::data(&text(matches)?).map(|()| 0),
            Run::Does(run) => run(matches, &global),
        };
    }
    // Of a group, the operation is named by both words.
    let (name, matches) = match matches.subcommand() {
        Some((word, matches)) if GROUPS.iter().any(|it| it.name == name) => {
            (format!("{name}-{word}"), matches)
        }
        _ => (name.to_owned(), matches),
    };
    let operation = giulia_ops::operation(&name).context("no such operation")?;
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
    let formats = operation.formats();
    let written = if formats.is_empty() { None } else { Some(Writing::from_arg_matches(matches)?) };
    let place = written.map(|it| file::place(&formats, it)).transpose()?.flatten();
    warn_of_secrets(&config, global);
    let cancel = Cancel::new();
    let archive = Archive::new(config.store()?.0);
    let mut ctx = Ctx::new(config::book(&config)?, archive, cancel.stop());
    ctx.progress = Arc::new(Talk::new(global.quiet));
    ctx.database = config.database.as_ref().map(|it| it.0.clone());
    let answer = tokio::select! {
        biased;
        never = watch_ctrl_c(&cancel) => match never {},
        answer = operation.run_matches(&ctx, matches) => answer?,
    };
    if let Some(place) = place {
        file::write(answer.as_ref(), &place, global)?;
        return Ok(exit_code(answer.outcome()));
    }
    let Printing { json } = Printing::from_arg_matches(matches)?;
    let form = match (json, operation.has_markdown() && matches.get_flag(MARKDOWN)) {
        (true, _) => Form::Json,
        (false, true) => Form::Markdown,
        (false, false) => Form::Text,
    };
    render::answer(answer.as_ref(), form, global.color)?;
    Ok(exit_code(answer.outcome()))
}

fn exit_code(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Done => 0,
        Outcome::Failed => FAILED,
        Outcome::Found => FOUND,
    }
}

/// An argument is not the place for a cookie, nor for a password.
pub(crate) fn warn_of_secrets(config: &config::Config, global: &Global) {
    if matches!(config.cookie, Some((_, Origin::Flag))) && !global.quiet {
        render::talk(
            "--cookie shows the cookie to everybody who runs `ps` here; use --cookie-file",
        );
    }
    if matches!(&config.database, Some((url, Origin::Flag)) if url.has_password()) && !global.quiet
    {
        render::talk(
            "--postgres shows its password to everybody who runs `ps` here; use GIULIA_POSTGRES_URL, \
             PGPASSWORD or ~/.pgpass",
        );
    }
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
