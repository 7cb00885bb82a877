//! Sessions under way, found and stopped through a socket of each: one JSON line each way.
//!
//! The sockets lie in a folder that only this user may enter, named by process id, so several
//! sessions are several sockets and one that was left by a killed giulia is told by nobody
//! listening.

use std::{
    env, fs,
    io::ErrorKind,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail};
use giulia_engine::Cancel;
use giulia_model::{Live, Session, Status};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
    sync::watch,
    task::JoinSet,
    time::timeout,
};

use super::{
    here,
    show::{Show, clock},
};
use crate::{cli::Global, render};

/// What a session that runs needs to say how it is; one that was stopped by a debugger does not.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// Longest line that is read; what a session tells of itself has one kilobyte.
const LINE_BYTES_MAX: u64 = 64 * 1024;
/// Longest path of a socket: `sun_path` has 108 bytes on Linux and 104 on macOS, with the 0.
const PATH_BYTES_MAX: usize = 103;
/// What group and others may do in the folder of the sockets: nothing.
const OTHERS: u32 = 0o077;
/// What helps when a socket cannot be made.
const ELSEWHERE: &str = "XDG_RUNTIME_DIR chooses another folder";
/// Requests that are answered at once; more wait.
const CLIENTS_MAX: usize = 16;
/// After a client that could not be let in: short for whoever asks, and no loop.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// What is asked of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ask {
    Status,
    Stop,
}

/// What it answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reply {
    /// How it is; nothing before its first tick.
    Live(Option<Live>),
    /// It ended and is stored.
    Ended { session: String },
    /// It ended, and this went wrong.
    Failed(String),
}

/// How a session ended: its name, or what went wrong.
type End = Option<Result<String, String>>;

/// A session's own socket.
#[derive(Debug)]
pub(super) struct Server {
    path: PathBuf,
    end: watch::Sender<End>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Listens.
    ///
    /// # Errors
    /// When the folder cannot be made, or its path is too long for a socket.
    pub(super) fn start(show: Arc<Show>, cancel: Cancel) -> anyhow::Result<Self> {
        let folder = folder()?;
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder
            .create(&folder)
            .with_context(|| format!("cannot make {} ({ELSEWHERE})", folder.display()))?;
        must_be_ours(&folder)?;
        let path = folder.join(format!("{}.sock", std::process::id()));
        if path.as_os_str().len() > PATH_BYTES_MAX {
            bail!("{} is too long for a socket; {ELSEWHERE}", path.display());
        }
        // Of a giulia that had our process id and was killed.
        fs::remove_file(&path).ok();
        let listener = UnixListener::bind(&path)
            .with_context(|| format!("cannot listen at {} ({ELSEWHERE})", path.display()))?;
        let (end, ended) = watch::channel(None);
        let task = tokio::spawn(serve(listener, show, cancel, ended));
        Ok(Self { path, end, task })
    }

    /// Tells whoever waits for the end, and goes away.
    pub(super) async fn finish(mut self, ended: Result<&Session, String>) {
        fs::remove_file(&self.path).ok();
        self.end.send_replace(Some(ended.map(|it| it.name.clone())));
        timeout(ANSWER_MAX, &mut self.task).await.ok();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
        fs::remove_file(&self.path).ok();
    }
}

async fn serve(
    listener: UnixListener,
    show: Arc<Show>,
    cancel: Cancel,
    mut ended: watch::Receiver<End>,
) {
    let mut clients = JoinSet::new();
    let told = ended.clone();
    loop {
        tokio::select! {
            stream = accept(&listener), if clients.len() < CLIENTS_MAX => {
                let show = Arc::clone(&show);
                clients.spawn(client(stream, show, cancel.clone(), told.clone()));
            }
            _ = clients.join_next(), if !clients.is_empty() => {}
            changed = ended.wait_for(Option::is_some) => {
                // Nobody is left to tell when even the sender is gone.
                if changed.is_err() { return }
                break;
            }
        }
    }
    while clients.join_next().await.is_some() {}
}

/// The next one who asks.
async fn accept(listener: &UnixListener) -> UnixStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                // Without descriptors it fails again at once, for as long as that lasts.
                tracing::debug!(%error, "nobody can ask for this session now");
                tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
            }
        }
    }
}

async fn client(
    stream: UnixStream,
    show: Arc<Show>,
    cancel: Cancel,
    mut ended: watch::Receiver<End>,
) {
    let (reading, mut writing) = stream.into_split();
    let mut line = String::new();
    let mut reading = BufReader::new(reading.take(LINE_BYTES_MAX));
    let read = timeout(ANSWER_MAX, reading.read_line(&mut line)).await;
    if !matches!(read, Ok(Ok(1..))) {
        return;
    }
    let reply = match serde_json::from_str(&line) {
        Ok(Ask::Status) => Reply::Live(show.live()),
        Ok(Ask::Stop) => {
            cancel.cancel();
            let end = ended.wait_for(Option::is_some).await.ok().and_then(|it| it.clone());
            match end {
                Some(Ok(session)) => Reply::Ended { session },
                Some(Err(why)) => Reply::Failed(why),
                None => Reply::Failed("it went away".to_owned()),
            }
        }
        Err(error) => Reply::Failed(format!("not a request: {error}")),
    };
    if let Ok(text) = serde_json::to_string(&reply) {
        writing.write_all(format!("{text}\n").as_bytes()).await.ok();
    }
}

/// `giulia observe status`.
pub(super) async fn status(json: bool, global: &Global) -> anyhow::Result<u8> {
    let running = running().await?;
    let status = Status {
        schema: "giulia.status/1".to_owned(),
        running: running.into_iter().map(|(live, _)| live).collect(),
    };
    if json {
        render::data(&(serde_json::to_string_pretty(&status)? + "\n"))?;
        return Ok(0);
    }
    if status.running.is_empty() {
        render::data("No session is being recorded; `giulia sessions` lists those that were.\n")?;
        return Ok(0);
    }
    let mut out = render::out(global.color);
    giulia_ops::status(&status, clock, &mut out);
    render::data(out.text())?;
    Ok(0)
}

/// `giulia observe stop`.
pub(super) async fn stop(which: Option<&str>, json: bool, global: &Global) -> anyhow::Result<u8> {
    let (live, path) = chosen(running().await?, which)?;
    let reply = timeout(here::END_MAX, ask(&path, Ask::Stop)).await;
    let reply = reply.with_context(|| {
        let pid = live.os_pid;
        format!(
            "{} does not end; `kill {pid}` ends its giulia, what it recorded stays",
            live.session
        )
    })?;
    match reply.with_context(|| format!("stopping {}", live.session))? {
        Reply::Ended { session } => {
            if !global.quiet {
                render::talk(&format!("{session} ended; see `giulia report {session}`"));
            }
            here::report(Path::new(&live.store), &session, json, global).await?;
            Ok(0)
        }
        Reply::Failed(why) => bail!("{} ended, but: {why}", live.session),
        Reply::Live(_) => bail!("{} answered something else; is it another giulia?", live.session),
    }
}

/// The one that is meant: by its name, else by the beginning of its name or its node.
fn chosen(
    mut running: Vec<(Live, PathBuf)>,
    which: Option<&str>,
) -> anyhow::Result<(Live, PathBuf)> {
    if let Some(which) = which {
        if running.iter().any(|it| it.0.session == which) {
            running.retain(|it| it.0.session == which);
        } else {
            running.retain(|it| it.0.node == which || it.0.session.starts_with(which));
        }
    }
    let names: Vec<&str> = running.iter().map(|it| it.0.session.as_str()).collect();
    let names = names.join(", ");
    match (running.pop(), running.is_empty(), which) {
        (Some(it), true, _) => Ok(it),
        (Some(_), false, _) => {
            bail!("several sessions are meant: {names}; end one with `giulia observe stop SESSION`")
        }
        (None, _, Some(which)) => {
            bail!("no session or node `{which}` is being recorded; see `giulia observe status`")
        }
        (None, _, None) => bail!("no session is being recorded; see `giulia sessions`"),
    }
}

/// All sessions under way, the longest running first; sockets that nobody listens at are removed.
async fn running() -> anyhow::Result<Vec<(Live, PathBuf)>> {
    let folder = folder()?;
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read {}", folder.display()));
        }
    };
    must_be_ours(&folder)?;
    let sockets = entries.filter_map(Result::ok).map(|it| it.path());
    let mut found = Vec::new();
    for path in sockets.filter(|it| it.extension().is_some_and(|it| it == "sock")) {
        match timeout(ANSWER_MAX, ask(&path, Ask::Status)).await {
            Ok(Ok(Reply::Live(Some(live)))) => found.push((live, path)),
            // It has not begun, or just ended.
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                let refused = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
                if refused == Some(ErrorKind::ConnectionRefused) {
                    fs::remove_file(&path).ok();
                }
            }
            Err(_) => {
                let pid = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                render::talk(&format!("the giulia with process id {pid} does not answer"));
            }
        }
    }
    found.sort_by_key(|it| std::cmp::Reverse(it.0.elapsed_ms));
    Ok(found)
}

async fn ask(path: &Path, ask: Ask) -> anyhow::Result<Reply> {
    let mut stream = UnixStream::connect(path).await?;
    stream.write_all(format!("{}\n", serde_json::to_string(&ask)?).as_bytes()).await?;
    let mut line = String::new();
    BufReader::new(stream.take(LINE_BYTES_MAX)).read_line(&mut line).await?;
    serde_json::from_str(&line).context("it closed without an answer")
}

/// In a folder of somebody else's, or one that others may write to, anybody could stop our sessions,
/// or answer for them.
fn must_be_ours(folder: &Path) -> anyhow::Result<()> {
    let found = fs::symlink_metadata(folder)
        .with_context(|| format!("cannot look at {}", folder.display()))?;
    let is_ours = found.is_dir()
        && found.uid() == rustix::process::geteuid().as_raw()
        && found.mode() & OTHERS == 0;
    if !is_ours {
        bail!(
            "{} is not a folder that only you may enter; remove it, or set XDG_RUNTIME_DIR",
            folder.display()
        );
    }
    Ok(())
}

/// Where the sockets of this user lie.
fn folder() -> anyhow::Result<PathBuf> {
    if let Some(runtime) = env::var_os("XDG_RUNTIME_DIR").filter(|it| !it.is_empty()) {
        return Ok(PathBuf::from(runtime).join("giulia"));
    }
    let dirs = directories::ProjectDirs::from("", "", "giulia");
    let dirs = dirs.context("there is no home directory; set XDG_RUNTIME_DIR")?;
    Ok(dirs.data_dir().join("run"))
}
