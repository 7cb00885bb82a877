//! The program: reads the command line, asks an operation, prints its answer.
//!
//! Exit codes: 0 done; 1 only from `check`; 2 failure or usage; 130 after a second Ctrl-C.

mod cli;
mod config;
mod file;
mod log;
mod programs;
mod progress;
mod render;
mod run;

use std::process::ExitCode;

/// Failure or usage.
pub(crate) const FAILED: u8 = 2;

fn main() -> ExitCode {
    let matches = match cli::command().try_get_matches() {
        Ok(matches) => matches,
        // Help and version are data, usage errors are talk; clap knows which and how.
        Err(usage) => {
            let code = if usage.use_stderr() { FAILED } else { 0 };
            return render::usage(&usage, code);
        }
    };
    match run::run(&matches) {
        Ok(code) => ExitCode::from(code),
        Err(error) if render::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            render::error(&error);
            ExitCode::from(FAILED)
        }
    }
}
