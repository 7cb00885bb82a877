//! Watching in the foreground, and what it shares with the background: one session, recorded.

use std::{sync::Arc, time::Duration};

use giulia_engine::{Archive, Attempt, Bounds, Cancel, Clock, ErrorKind, ObserveRequest, Progress};
use giulia_model::Session;
use giulia_ops::Ctx;
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{
    Job,
    control::Server,
    show::{Face, Show},
};
use crate::{
    cli::Global,
    config::{self, Config},
    progress::Talk,
    render::{self, Form},
    run::{INTERRUPTED_TWICE, warn_of_secrets},
};

/// A command that is not there: the shell's number for it.
const NO_SUCH_COMMAND: u8 = 127;
/// The operation that a session ends with.
const REPORT: &str = "report";
/// What a session may take to end: its last tick, undoing, the store.
pub(super) const END_MAX: Duration = Duration::from_secs(30);

pub(super) async fn run(
    job: &Job,
    config: &Config,
    json: bool,
    global: &Global,
) -> anyhow::Result<u8> {
    warn_of_secrets(config, global);
    let cancel = Cancel::new();
    let face = if global.quiet { Face::Quiet } else { Face::here(job.command.as_ref()) };
    let show = Arc::new(Show::new(face));
    let talk: Arc<dyn Progress> = Arc::new(Talk::new(global.quiet));
    let server = Server::start(Arc::clone(&show), cancel.clone());
    if let Err(error) = &server {
        // Only `observe status` and `stop` from elsewhere will not find it.
        tracing::debug!(%error, "no socket for this session");
    }
    let drawing = tokio::spawn(Show::draw(Arc::clone(&show)));
    let recorded = tokio::select! {
        biased;
        never = watch_signals(&cancel, global.quiet) => match never {},
        recorded = record(job, config, (&cancel, talk.as_ref()), &show) => recorded,
    };
    drawing.abort();
    show.end();
    if let Ok(server) = server {
        server.finish(recorded.as_ref().map_err(ToString::to_string)).await;
    }
    let session = match recorded {
        Ok(session) => session,
        Err(error) => return no_command(error),
    };
    if !global.quiet {
        render::talk(&format!("recorded as {}; see `giulia report {0}`", session.name));
    }
    report(&config.store()?.0, &session.name, json, global).await?;
    Ok(exit_code(&session))
}

/// Records the session of a job.
///
/// # Errors
/// Those of [`giulia_engine::observe`], and of the configuration.
pub(super) async fn record(
    job: &Job,
    config: &Config,
    (cancel, progress): (&Cancel, &dyn Progress),
    show: &Show,
) -> anyhow::Result<Session> {
    let node = job.what.node.as_str();
    let book = config::book(config)?;
    let access = book.for_node(node);
    let archive = Archive::new(config.store()?.0);
    let store = archive.write()?;
    let request = ObserveRequest {
        every: job.what.every.get(),
        lasts: job.what.lasts.map(giulia_ops::Span::get),
        name: job.what.session_name.as_ref().map(|it| it.as_str().to_owned()),
        command: job.command.clone(),
        trace: job.what.counted()?,
        redial: job.what.redial(),
        database: config.database.as_ref().map(|it| it.0.clone()),
    };
    let clock = Clock::system();
    let bounds = Bounds::new(access.timeout, cancel.stop());
    let attempt = Attempt { access, bounds: &bounds, progress, clock: &clock };
    let path = archive.path().display().to_string();
    Ok(giulia_engine::observe(node, &request, (&store, &path), attempt, show).await?)
}

/// Prints the report of a session, as `giulia report` would.
pub(super) async fn report(
    store: &std::path::Path,
    session: &str,
    json: bool,
    global: &Global,
) -> anyhow::Result<()> {
    let Some(operation) = giulia_ops::operation(REPORT) else { return Ok(()) };
    let ctx = Ctx::of_archive(Archive::new(store));
    let answer = operation.run_json(&ctx, json!({"session": session})).await?;
    let form = if json { Form::Json } else { Form::Text };
    render::answer(answer.as_ref(), form, global.color)
}

/// The first asks the session to end well; a second Ctrl-C or SIGTERM ends the program at once. A
/// terminal that goes away asks once.
async fn watch_signals(cancel: &Cancel, quiet: bool) -> std::convert::Infallible {
    let mut terminate = signal(SignalKind::terminate()).ok();
    let mut hangup = signal(SignalKind::hangup()).ok();
    tokio::select! {
        () = interrupt() => {}
        () = next(&mut terminate) => {}
        () = next(&mut hangup) => {}
    }
    cancel.cancel();
    if !quiet {
        render::talk("ending the session; Ctrl-C again ends at once");
    }
    tokio::select! {
        () = interrupt() => {}
        () = next(&mut terminate) => {}
    }
    at_once()
}

async fn interrupt() {
    if tokio::signal::ctrl_c().await.is_err() {
        // Without a handler the system's own ends the program.
        std::future::pending::<()>().await;
    }
}

/// The next signal; never without a handler.
pub(super) async fn next(signals: &mut Option<Signal>) {
    match signals {
        Some(it) => drop(it.recv().await),
        None => std::future::pending().await,
    }
}

/// Ends the program without what a session does at its end.
pub(super) fn at_once() -> ! {
    #[expect(clippy::exit, reason = "at once; what was recorded is stored, the node cleans up")]
    std::process::exit(INTERRUPTED_TWICE)
}

/// The command's own status, or the shell's number for the signal that ended it.
fn exit_code(session: &Session) -> u8 {
    let Some(workload) = &session.workload else { return 0 };
    let code = match (workload.exit_status, workload.signal) {
        (Some(status), _) => status,
        (None, Some(signal)) => 128 + signal,
        (None, None) => 0,
    };
    u8::try_from(code & 0xff).unwrap_or(crate::FAILED)
}

fn no_command(error: anyhow::Error) -> anyhow::Result<u8> {
    let kind = error.downcast_ref::<giulia_engine::Error>().map(giulia_engine::Error::kind);
    if kind != Some(ErrorKind::Workload) {
        return Err(error);
    }
    render::error(&error);
    Ok(NO_SUCH_COMMAND)
}
