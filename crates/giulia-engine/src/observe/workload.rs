//! The command whose run is watched: started beside the session, asked to stop with it.

use std::{
    env,
    os::unix::{fs::PermissionsExt as _, process::ExitStatusExt as _},
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use giulia_model::Workload;
use rustix::process::{Pid, Signal};
use tokio::{
    process::{Child, Command},
    time::Instant,
};

use crate::{Error, ErrorKind};

/// How long a command may take to end after Ctrl-C reached it; what cleans up needs a moment.
const AFTER_INTERRUPT: Duration = Duration::from_secs(5);
/// How long after it was asked to terminate, before it is killed.
const AFTER_TERMINATE: Duration = Duration::from_secs(2);

/// A command under way.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    stopping: Option<(Instant, Signal)>,
}

/// Whether there is such a program, before anything is asked of the node.
///
/// # Errors
/// [`ErrorKind::Workload`] when there is none.
pub(crate) fn look_for(command: &[String]) -> Result<(), Error> {
    let program = command.first().map_or("", String::as_str);
    let is_program = |it: &Path| {
        it.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
    };
    let is_there = if program.contains('/') {
        is_program(Path::new(program))
    } else {
        let path = env::var_os("PATH").unwrap_or_default();
        !program.is_empty() && env::split_paths(&path).any(|it| is_program(&it.join(program)))
    };
    if is_there { Ok(()) } else { Err(not_started(program, "there is no such program")) }
}

fn not_started(program: &str, why: &str) -> Error {
    Error::new(
        ErrorKind::Workload,
        format!(
            "cannot run `{program}`: {why}; write the command behind `--` as a shell would find it"
        ),
    )
}

impl Running {
    /// Starts it with our own input and output.
    ///
    /// # Errors
    /// [`ErrorKind::Workload`] when the system does not start it.
    pub(crate) fn start(command: &[String]) -> Result<Self, Error> {
        let (program, args) =
            command.split_first().ok_or_else(|| not_started("", "no command was given"))?;
        let child = Command::new(program)
            .args(args)
            .stdin(Stdio::inherit())
            // Its own cookie is its own business; ours is none of its.
            .env_remove("GIULIA_COOKIE")
            .env_remove("GIULIA_POSTGRES_URL")
            // A session that breaks down leaves no command behind that nobody waits for.
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| not_started(program, &error.to_string()))?;
        Ok(Self { child, stopping: None })
    }

    /// Returns when it ended; meanwhile, once asked to stop, presses harder step by step.
    pub(crate) async fn ended(&mut self) -> (Option<i32>, Option<i32>) {
        loop {
            let deadline = self.stopping;
            let later = async {
                match deadline {
                    Some((at, _)) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                status = self.child.wait() => return status.map_or((None, None), told),
                () = later => self.press(),
            }
        }
    }

    /// Passes Ctrl-C on, where the terminal has not done so already.
    pub(crate) fn interrupt(&mut self) {
        if self.stopping.is_some() {
            return;
        }
        if !terminal_tells_it() {
            self.signal(Signal::INT);
        }
        self.stopping = Some((Instant::now() + AFTER_INTERRUPT, Signal::TERM));
    }

    fn press(&mut self) {
        let Some((_, signal)) = self.stopping else { return };
        self.signal(signal);
        self.stopping = Some((Instant::now() + AFTER_TERMINATE, Signal::KILL));
    }

    fn signal(&self, signal: Signal) {
        let pid = self.child.id().and_then(|it| i32::try_from(it).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // One that just ended needs no signal.
            rustix::process::kill_process(pid, signal).ok();
        }
    }
}

/// Whether Ctrl-C on our terminal reaches the command by itself: it shares our process group,
/// and that is the one in the foreground.
fn terminal_tells_it() -> bool {
    let foreground = rustix::termios::tcgetpgrp(rustix::stdio::stdin());
    foreground.is_ok_and(|it| it == rustix::process::getpgrp())
}

fn told(status: ExitStatus) -> (Option<i32>, Option<i32>) {
    (status.code(), status.signal())
}

/// What happened to it, in a sentence.
pub(crate) fn sentence(it: &Workload) -> String {
    let name = it.command.first().map_or("", String::as_str);
    match (it.exit_status, it.signal) {
        (Some(status), _) => format!("`{name}` ended with exit status {status}"),
        (None, Some(signal)) => format!("`{name}` was ended by signal {signal}"),
        (None, None) => format!("`{name}` ended, and the system did not say how"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn a_program_that_is_not_there_is_found_out_before_anything_else() {
        for wrong in ["no-such-program-here", "/no/such/file", "/etc/passwd", ""] {
            let error = look_for(&words(wrong)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Workload, "{wrong}");
        }
        look_for(&words("sh -c true")).unwrap();
        look_for(&words("/bin/sh")).unwrap();
    }

    #[tokio::test]
    async fn its_end_is_told_as_it_was() {
        let run = |text: &str| Running::start(&["sh".into(), "-c".into(), text.into()]).unwrap();
        assert_eq!(run("exit 7").ended().await, (Some(7), None));
        assert_eq!(run("kill -9 $$").ended().await, (None, Some(9)));
    }
}
