//! Our own logs: to stderr, off unless asked for, never a cookie.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// Switches them on by `-v`, `-vv` or `GIULIA_LOG`.
pub(crate) fn start(verbose: u8) -> anyhow::Result<()> {
    let asked = std::env::var("GIULIA_LOG").ok().filter(|it| !it.is_empty());
    let filter = match (asked, verbose) {
        (Some(asked), _) => EnvFilter::try_new(&asked).map_err(|error| {
            anyhow::anyhow!("GIULIA_LOG={asked}: {error}; write e.g. GIULIA_LOG=giulia_dist=debug")
        })?,
        (None, 0) => return Ok(()),
        (None, 1) => EnvFilter::new("info,giulia=debug,giulia_dist=info"),
        (None, 2) => EnvFilter::new("debug"),
        (None, _) => EnvFilter::new("trace"),
    };
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .try_init();
    started.map_err(|error| anyhow::anyhow!("logs cannot be switched on: {error}"))
}
