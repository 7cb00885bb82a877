//! The one place that names the crates below: settings in, their types out.

use std::time::Duration;

use giulia_model::{Gate, Snapshot};

use crate::{Access, Cookie, Error, ErrorKind, SnapshotRequest, Stop};

/// A live link to a node.
#[derive(Debug)]
pub(crate) struct Link;

/// What a node says before it asks for a cookie.
#[derive(Debug)]
pub(crate) struct Knock {
    /// Its full name.
    pub(crate) name: String,
    /// What it can do.
    pub(crate) flags: u64,
}

/// What the operating system's resolver says of a host.
pub(crate) async fn resolve(host: &str) -> std::io::Result<Vec<std::net::IpAddr>> {
    Ok(tokio::net::lookup_host((host, 0)).await?.map(|it| it.ip()).collect())
}

/// Names and ports that an EPMD knows.
pub(crate) async fn epmd_names(
    _host: &str,
    _port: u16,
    _allowed: Duration,
) -> Result<Vec<(String, u16)>, Error> {
    Err(not_wired())
}

/// Dials and stops at the challenge.
pub(crate) async fn knock(
    _node: &str,
    _access: &Access,
    _allowed: Duration,
) -> Result<Knock, Error> {
    Err(not_wired())
}

/// Dials and authenticates.
pub(crate) async fn attach(
    _node: &str,
    _access: &Access,
    _cookie: Cookie,
    _allowed: Duration,
) -> Result<Link, Error> {
    Err(not_wired())
}

/// One tick.
pub(crate) async fn snapshot(
    _link: &Link,
    _request: &SnapshotRequest,
    _stop: &Stop,
) -> Result<Snapshot, Error> {
    Err(not_wired())
}

/// Other tools' tracers.
pub(crate) async fn tracers(_link: &Link) -> Result<Vec<String>, Error> {
    Err(not_wired())
}

impl Link {
    /// What this ERTS switches off.
    pub(crate) fn gates(&self) -> Vec<Gate> {
        Vec::new()
    }

    /// `OTP 27, ERTS 15.2.7`.
    pub(crate) fn version(&self) -> String {
        String::new()
    }
}

fn not_wired() -> Error {
    Error::new(ErrorKind::Input, "not wired yet")
}
