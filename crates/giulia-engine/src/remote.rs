//! The one place that calls the crates below: settings in, their types out.

use std::{io, net::IpAddr, time::Duration};

use giulia_model::{Dump, EtsRates, Mailbox, NotSeen, ProcessDetail, Processes, Snapshot};
use giulia_probe::{
    AttachOptions, Budget, DumpOptions, EtsRatesOptions, MailboxOptions, ProcessOptions,
    SnapshotOptions, StackOptions,
    dist::{
        self, Config, Connection, LocalName, NodeName, Target, epmd, handshake::Knock,
        tls::TlsOptions,
    },
};
pub(crate) use giulia_probe::{Link, Stacks};

use tokio::time::{Instant, timeout_at};

use crate::{
    Access, Attempt, Cookie, DumpRequest, Error, ErrorKind, EtsRatesRequest, FlameRequest,
    MailboxRequest, ProcessRequest, SnapshotRequest, Stop,
};

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

/// At which port EPMD knows a node, if it does; nobody dials the node.
pub(crate) async fn registered(node: &str, access: &Access) -> Result<Option<u16>, Error> {
    let target = target(node, access)?;
    match epmd::port_please(&target.name, target.epmd_port, sooner(access.timeout)).await {
        Ok(port) => Ok(Some(port)),
        Err(error) if error.kind() == dist::ErrorKind::NodeUnknown => Ok(None),
        Err(error) => Err(error.into()),
    }
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
    options.accept_vm_bug = access.accept_vm_bug;
    options.ledger = access.armed.as_ref().map(|it| crate::armed::ledger(it));
    options.own = access.own.clone();
    options.call_timeout = options.call_timeout.min(sooner(allowed));
    let link = Link::attach(&target(node, access)?, &options).await;
    link.map_err(|it| Error::asking(node, &it))
}

/// Attaches for one question: warns of what is risky, reads the cookie, dials within the timeout.
pub(crate) async fn enter(node: &str, attempt: Attempt<'_>) -> Result<Link, Error> {
    let Attempt { access, bounds, progress, .. } = attempt;
    access.warn(progress);
    let cookie = access.cookie.read(progress)?;
    let to_attach = bounds.at_most(access.timeout);
    let attaching = attach(node, access, cookie, to_attach.left());
    to_attach.run("attaching", attaching).await
}

/// One tick; when the time is over, as much of it as was answered.
pub(crate) async fn snapshot(
    link: &Link,
    request: &SnapshotRequest,
    allowed: Duration,
) -> Snapshot {
    let options = SnapshotOptions { window: request.window, top: request.top };
    let until = Instant::now() + sooner(allowed);
    let mut seen = Box::pin(giulia_probe::snapshot_within(link, &options, sooner(allowed))).await;
    // Boxed: these futures hold many answers, and would all lie on one stack.
    let asking = Box::pin(giulia_probe::slow_parts(link, &mut seen));
    if timeout_at(until, asking).await.is_err() {
        seen.not_seen.push(NotSeen {
            what: "allocators, log handlers, connections, ports, supervision, binaries".to_owned(),
            why: "the time was over; give more with --timeout".to_owned(),
        });
    }
    seen
}

/// All processes by their stacks.
pub(crate) async fn dump(link: &Link, request: &DumpRequest) -> Dump {
    giulia_probe::dump(link, &DumpOptions { top: request.top }).await
}

/// Begins to sample stacks.
pub(crate) async fn stacks(
    node: &str,
    link: &Link,
    request: &FlameRequest,
) -> Result<Stacks, Error> {
    let (of, hz_max) = (request.of, request.hz_max);
    let options = StackOptions { of, hz_max, budget: Budget::ONE_PERCENT };
    let started = Stacks::start(link, options).await;
    started.map_err(|it| {
        Error::new(ErrorKind::Nothing, format!("{node}: stacks are not sampled: {it}"))
    })
}

/// One process in depth.
pub(crate) async fn process(
    node: &str,
    link: &Link,
    request: &ProcessRequest,
) -> Result<ProcessDetail, Error> {
    let options = ProcessOptions { state: request.state };
    let seen = giulia_probe::process(link, &request.subject, &options).await;
    seen.map_err(|it| Error::new(ErrorKind::NoProcess, format!("{node}: {it}")))
}

/// What all processes are.
pub(crate) async fn all_processes(
    node: &str,
    link: &Link,
    top: usize,
) -> Result<(Processes, Vec<NotSeen>), Error> {
    giulia_probe::all_processes(link, top).await.map_err(|it| Error::asking(node, &it))
}

/// What a process receives.
pub(crate) async fn mailbox(
    node: &str,
    link: &Link,
    request: &MailboxRequest,
    stop: &Stop,
) -> Result<Mailbox, Error> {
    let options = MailboxOptions { window: request.window };
    let seen = giulia_probe::mailbox(link, &request.subject, &options, &|| stop.is_asked()).await;
    seen.map_err(|it| Error::new(ErrorKind::NoProcess, format!("{node}: {it}")))
}

/// How often tables are read and written.
pub(crate) async fn ets_rates(
    node: &str,
    link: &Link,
    request: &EtsRatesRequest,
) -> Result<EtsRates, Error> {
    let options = EtsRatesOptions { window: request.window, table: request.table.clone() };
    let seen = giulia_probe::ets_rates(link, &options).await;
    seen.map_err(|it| Error::asking(node, &it))
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
