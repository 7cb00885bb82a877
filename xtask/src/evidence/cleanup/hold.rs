//! Who is killed: a process that traces in one mode until somebody ends it.

use std::{io::Write, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use giulia_model::Mfa;
use giulia_probe::{
    Armable, AttachOptions, Counter, Keeper, KeeperOptions, Link, Scope, SinkLimits, Tracing,
    TracingOptions, Whom,
    dist::{Call, Config, Cookie, Target, term::Pid, term::Term},
};

/// As many messages as come in half a second from a paced load, several times.
const LIMITS: SinkLimits =
    SinkLimits { messages_max: 50_000, bytes_max: 4 << 20, message_bytes_max: 10_000 };

/// `hold NODE EPMD_PORT COOKIE MODE LEASE_MS MODULES`: prints one line when all is armed (the
/// processes on the node, what was armed and how long it took there), and ends when its sink does.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let [node, epmd_port, cookie, mode, lease_ms, n_modules] = arguments else {
        bail!("hold takes NODE EPMD_PORT COOKIE MODE LEASE_MS MODULES");
    };
    let mut target = Target::new(node.parse()?);
    target.epmd_port = epmd_port.parse()?;
    let mut config = Config::new(Cookie::new(*cookie));
    // Some of these nodes are starved on purpose.
    config.connect_timeout = Duration::from_secs(30);
    let mut options = AttachOptions::new(config);
    options.call_timeout = Duration::from_secs(30);
    // Nodes of ours: OTP 25 of the matrix has the bug that forbids flags on processes.
    options.accept_vm_bug = true;
    let lease = Duration::from_millis(lease_ms.parse()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(hold(&target, &options, mode, (lease, n_modules.parse()?)))
}

async fn hold(
    target: &Target,
    options: &AttachOptions,
    mode: &str,
    (lease, n_modules): (Duration, u32),
) -> Result<()> {
    let link = Link::attach(target, options).await?;
    let keeper = Arc::new(Keeper::start(&link, &KeeperOptions { lease }).await?);
    let options = TracingOptions { name: mode.to_owned(), sink: Some(LIMITS) };
    let tracing = Tracing::start(&link, &keeper, options).await?;
    let modules: Vec<Armable> =
        (1..=n_modules).map(|it| Armable::Module(format!("planted_{it}"))).collect();
    let counter = if mode == "times" { Counter::Time } else { Counter::Calls };
    let mut told = String::new();
    if mode == "messages" {
        let work = Mfa::new("planted_1", "work", 1);
        tracing.pattern(&work, Term::Nil, Scope::Local).await?;
        tracing.pattern(&work, Term::Nil, Scope::Meta).await?;
        tracing.flags(Whom::New, &["call"]).await?;
    } else {
        let armed = tracing.count(&modules, &[counter]).await?;
        let spent_ms = armed.spent_us / 1000;
        told = format!("{} {} {spent_ms}", armed.armed.len(), armed.functions);
    }
    if mode != "counters" {
        let workers = workers(&link).await?;
        tracing.flags(Whom::Pids(&workers), &["call"]).await?;
    }
    let processes = [keeper.custodian(), keeper.sentinel(), tracing.sink()].map(Pid::local);
    let mut out = std::io::stdout();
    writeln!(out, "{} {told}", processes.join(" "))?;
    out.flush()?;
    // It fails when one of the processes on the node was killed.
    if until_ended(&tracing, mode, &modules).await.is_ok() {
        // What a face does when its sample is whole.
        tracing.stop().await;
    }
    Ok(())
}

/// Reads or takes all the time, so that whoever stops us does so in mid-reply.
async fn until_ended(tracing: &Tracing, mode: &str, modules: &[Armable]) -> Result<()> {
    loop {
        if mode == "counters" {
            tracing.read(modules, Counter::Calls).await?;
        } else {
            tracing.take().await?;
        }
        if tracing.ended(Duration::from_millis(1)).await.is_some() {
            return Ok(());
        }
    }
}

async fn workers(link: &Link) -> Result<Vec<Pid>> {
    let call = Call::new("persistent_term", "get", vec![Term::atom("workers")]);
    let reply = link.connection().call(&call).await?;
    let told = reply.term()?;
    let pids = told.as_list().context("the node has no workers")?.iter();
    Ok(pids.filter_map(Term::as_pid).cloned().collect())
}
