//! The one place that calls the crates below: settings in, their types out.

use std::{io, net::IpAddr, time::Duration};

use giulia_model::Snapshot;
pub(crate) use giulia_probe::Link;
use giulia_probe::{
    AttachOptions, SnapshotOptions,
    dist::{
        self, Config, Connection, LocalName, NodeName, Target, epmd, handshake::Knock,
        tls::TlsOptions,
    },
};

use crate::{Access, Cookie, Error, SnapshotRequest};

/// The least time that is left for an answer to arrive after the connection's own deadline, so
/// that its text, which knows the phase, comes before ours, which does not.
const HEAD_START: Duration = Duration::from_millis(50);

/// What the operating system's resolver says of a host.
pub(crate) async fn resolve(host: &str) -> io::Result<Vec<IpAddr>> {
    let mut found: Vec<IpAddr> =
        tokio::net::lookup_host((host, 0)).await?.map(|it| it.ip()).collect();
    found.dedup();
    Ok(found)
}

/// Names and ports that an EPMD knows.
pub(crate) async fn epmd_names(
    host: &str,
    port: u16,
    allowed: Duration,
) -> Result<Vec<(String, u16)>, Error> {
    Ok(epmd::names(host, port, sooner(allowed)).await?)
}

/// Dials and stops at the challenge.
pub(crate) async fn knock(node: &str, access: &Access, allowed: Duration) -> Result<Knock, Error> {
    let (target, tls, local) = (target(node, access)?, tls(access)?, local(access)?);
    let knock = Connection::knock(&target, &local, sooner(allowed), tls.as_ref()).await;
    knock.map_err(|it| Error::asking(node, &it))
}

/// Dials and authenticates.
pub(crate) async fn attach(
    node: &str,
    access: &Access,
    cookie: Cookie,
    allowed: Duration,
) -> Result<Link, Error> {
    let mut config = Config::new(cookie);
    config.connect_timeout = sooner(allowed);
    config.tls = tls(access)?;
    config.local = local(access)?;
    let mut options = AttachOptions::new(config);
    options.no_eval = access.no_eval;
    options.call_timeout = options.call_timeout.min(sooner(allowed));
    let link = Link::attach(&target(node, access)?, &options).await;
    link.map_err(|it| Error::asking(node, &it))
}

/// One tick.
pub(crate) async fn snapshot(link: &Link, request: &SnapshotRequest) -> Snapshot {
    let options = SnapshotOptions { window: request.window, top: request.top };
    giulia_probe::snapshot(link, &options).await
}

/// Other tools' tracers.
pub(crate) async fn tracers(node: &str, link: &Link) -> Result<Vec<String>, Error> {
    giulia_probe::tracers(link).await.map_err(|it| Error::asking(node, &it))
}

fn target(node: &str, access: &Access) -> Result<Target, dist::Error> {
    Ok(Target { name: node.parse()?, at: access.at.clone(), epmd_port: access.epmd_port })
}

fn local(access: &Access) -> Result<LocalName, dist::Error> {
    Ok(match &access.name {
        Some(name) => LocalName::Chosen(name.parse::<NodeName>()?),
        None => LocalName::Dynamic,
    })
}

fn tls(access: &Access) -> Result<Option<TlsOptions>, Error> {
    access.tls.as_ref().map(crate::TlsAccess::options).transpose()
}

fn sooner(allowed: Duration) -> Duration {
    allowed.saturating_sub(HEAD_START.min(allowed / 10))
}
