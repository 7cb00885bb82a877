//! `observe start`: the same session in a process of its own, which outlives the terminal.
//!
//! We run ourselves again with the same arguments, without the cookie and the address of a database:
//! they go over a pipe, so that neither `ps` nor the environment of the process shows it. The process makes a session of
//! its own (`setsid`), records its first tick, and says so on its standard output, which is the
//! last thing that it says there.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, bail};
use clap::{ArgMatches, FromArgMatches};
use giulia_engine::{Cancel, DatabaseUrl, Progress};
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};

use super::{
    IN_BACKGROUND, Job, What, WhenFull, block_on,
    control::Server,
    here,
    show::{Face, Show},
};
use crate::{
    cli::Global,
    config::{self, Config, Origin, Secret},
    render,
    run::warn_of_secrets,
};

/// Longest that is read from the pipe: a cookie has 255 characters, the address of a database seldom
/// more.
const HANDED_BYTES_MAX: u64 = 16_384;

/// What goes over the pipe.
#[derive(Serialize, Deserialize)]
struct Handed {
    /// The cookie, where it was given as text.
    cookie: Option<String>,
    /// Whether it came from a flag, from `GIULIA_COOKIE` or from `RELEASE_COOKIE`.
    origin: String,
    /// The database behind the node, which may hold a password.
    database: Option<String>,
}

/// What comes back.
#[derive(Debug, Deserialize)]
struct Begun {
    session: Option<String>,
    error: Option<String>,
    #[serde(default)]
    warnings: Vec<String>,
}

/// Starts it and returns when its first tick is recorded.
pub(super) fn start(matches: &ArgMatches, global: &Global) -> anyhow::Result<u8> {
    let what = What::from_arg_matches(matches)?;
    let config = config::load(matches, global.config.as_deref())?;
    warn_of_secrets(&config, global);
    let mut command = Command::new(std::env::current_exe().context("where is this program?")?);
    command.args(["observe", IN_BACKGROUND]).args(arguments(&what, &config, matches, global)?);
    command.env_remove("GIULIA_COOKIE").env_remove("RELEASE_COOKIE");
    command.env_remove("GIULIA_POSTGRES_URL");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().context("cannot run giulia again")?;
    if let Some(mut pipe) = child.stdin.take() {
        let handed = serde_json::to_string(&handed(&config))?;
        writeln!(pipe, "{handed}").context("the new process ended before it began")?;
    }
    let mut lines = BufReader::new(child.stdout.take().context("no pipe to the new process")?);
    let mut line = String::new();
    lines.read_line(&mut line).context("reading from the new process")?;
    let Ok(begun) = serde_json::from_str::<Begun>(&line) else {
        let status = child.wait()?;
        bail!("the new process ended before its first tick ({status}); try without `start`");
    };
    for text in begun.warnings.iter().filter(|_| !global.quiet) {
        render::talk(text);
    }
    match (begun.session, begun.error) {
        (Some(session), _) => {
            let node = what.node.as_str();
            render::data(&format!(
                "Observing {node} as {session}; end it with: giulia observe stop {session}\n"
            ))?;
            Ok(0)
        }
        (None, error) => bail!(error.unwrap_or_else(|| "the session did not begin".to_owned())),
    }
}

/// The process that records.
pub(super) fn child(matches: &ArgMatches, global: &Global) -> anyhow::Result<u8> {
    // One that leads a session already (a supervisor's) has what this is for.
    rustix::process::setsid().ok();
    let mut config = config::load(matches, global.config.as_deref())?;
    let handed = taken()?;
    config.cookie = cookie(&handed);
    config.database =
        handed.database.map(|it| (DatabaseUrl::new(it), Origin::Variable("GIULIA_POSTGRES_URL")));
    let job = Job { what: What::from_arg_matches(matches)?, command: None };
    block_on(record(&job, &config))
}

async fn record(job: &Job, config: &Config) -> anyhow::Result<u8> {
    let cancel = Cancel::new();
    let show = Arc::new(Show::new(Face::Pipe));
    let heard = Heard::default();
    let server = match Server::start(Arc::clone(&show), cancel.clone()) {
        Ok(server) => server,
        Err(error) => return failed(&format!("{error:#}"), &heard),
    };
    let stopped = stop_on_terminate(cancel.clone(), Arc::clone(&show));
    let recorded = tokio::select! {
        biased;
        never = stopped => match never {},
        recorded = here::record(job, config, (&cancel, &heard), &show) => recorded,
    };
    let has_begun = show.live().is_some();
    server.finish(recorded.as_ref().map_err(|it| format!("{it:#}"))).await;
    match recorded {
        Ok(_) => Ok(0),
        // Whoever started us knows nothing yet.
        Err(error) if !has_begun => failed(&format!("{error:#}"), &heard),
        Err(error) => Err(error),
    }
}

fn failed(error: &str, heard: &Heard) -> anyhow::Result<u8> {
    let warnings = heard.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let line = serde_json::json!({"error": error, "warnings": warnings});
    writeln!(io::stdout().lock(), "{line}")?;
    Ok(crate::FAILED)
}

/// Also when whoever ran `observe start` did not wait for its answer: nobody knows of the session.
///
/// The first SIGTERM or SIGINT asks it to end well, the second ends the program at once.
async fn stop_on_terminate(cancel: Cancel, show: Arc<Show>) -> std::convert::Infallible {
    let mut terminate = signal(SignalKind::terminate()).ok();
    let mut interrupt = signal(SignalKind::interrupt()).ok();
    let mut asked = 0;
    loop {
        tokio::select! {
            () = here::next(&mut terminate) => asked += 1,
            () = here::next(&mut interrupt) => asked += 1,
            () = show.abandoned.notified() => {}
        }
        cancel.cancel();
        if asked > 1 {
            here::at_once();
        }
    }
}

/// The same arguments for the other process; none of them is a cookie.
fn arguments(
    what: &What,
    config: &Config,
    matches: &ArgMatches,
    global: &Global,
) -> anyhow::Result<Vec<String>> {
    let mut arguments = vec![what.node.as_str().to_owned(), format!("--every={}", what.every)];
    if let Some(lasts) = what.lasts {
        arguments.push(format!("--for={lasts}"));
    }
    if let Some(name) = &what.session_name {
        arguments.push(format!("--name={name}"));
    }
    arguments.extend(what.trace.iter().map(|it| format!("--trace={it}")));
    if !what.trace.is_empty() {
        arguments.push(format!("--budget={}", what.budget));
    }
    if what.redial == WhenFull::Always {
        arguments.push("--redial=always".to_owned());
    }
    for (key, value) in config.flags() {
        let flag = if key == "name" { "local-name".to_owned() } else { key.replace('_', "-") };
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        arguments.push(format!("--{flag}={value}"));
    }
    if matches.contains_id("store") {
        arguments.push(format!("--store={}", config.store()?.0.display()));
    }
    if let Some(file) = &global.config {
        arguments.push(format!("--config={}", file.display()));
    }
    Ok(arguments)
}

fn handed(config: &Config) -> Handed {
    let database = config.database.as_ref().map(|it| it.0.secret().to_owned());
    let (cookie, origin) = match &config.cookie {
        Some((cookie, origin)) => {
            let origin = match origin {
                Origin::Variable(name) => (*name).to_owned(),
                Origin::Flag
                | Origin::NodeSection(..)
                | Origin::CommonSection(_)
                | Origin::File(_)
                | Origin::Default => "flag".to_owned(),
            };
            (Some(cookie.0.clone()), origin)
        }
        None => (None, String::new()),
    };
    Handed { cookie, origin, database }
}

fn taken() -> anyhow::Result<Handed> {
    let mut text = String::new();
    io::stdin().lock().take(HANDED_BYTES_MAX).read_line(&mut text)?;
    let Ok(handed) = serde_json::from_str::<Handed>(&text) else {
        bail!("this is a part of `giulia observe start`, and not for use by itself");
    };
    Ok(handed)
}

fn cookie(handed: &Handed) -> Option<(Secret, Origin)> {
    let origin = match handed.origin.as_str() {
        "GIULIA_COOKIE" => Origin::Variable("GIULIA_COOKIE"),
        "RELEASE_COOKIE" => Origin::Variable("RELEASE_COOKIE"),
        _ => Origin::Flag,
    };
    handed.cookie.clone().map(|it| (Secret(it), origin))
}

/// Keeps what was warned about, for whoever started us.
#[derive(Debug, Default)]
struct Heard(Mutex<Vec<String>>);

impl Progress for Heard {
    fn begin(&self, _what: &str, _lasts: Duration) {}
    fn end(&self) {}
    fn warn(&self, text: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(text.to_owned());
    }
}
