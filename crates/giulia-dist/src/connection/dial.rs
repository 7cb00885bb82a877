//! From a node's name to an established connection, phase by phase, within one deadline.

use std::{io, sync::Arc, time::Duration};

use bytes::BytesMut;
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    time::{Instant, timeout_at},
};
use tokio_rustls::TlsConnector;

use super::{driver, shared::Shared};
use crate::{
    Config, Error, ErrorKind, LocalName, NameMode, NodeName, Target, epmd,
    handshake::{Established, Handshake, Identity, Knock, Prefix, Progress, Setup},
    net::{self, DialError},
    tls::{Prepared, TlsOptions},
};

/// How long a knock waits for the node's end of the connection: a node that is well closes it
/// within a round trip, and attaching under the same name before that would be refused.
const GOODBYE: Duration = Duration::from_millis(500);

pub(super) async fn connect(target: &Target, config: &Config) -> Result<Arc<Shared>, Error> {
    let deadline = Instant::now() + config.connect_timeout;
    let tls = config.tls.as_ref().map(|it| it.prepare(&target.name)).transpose()?;
    let setup = Setup {
        target: &target.name,
        is_name_checked: true,
        identity: identity(&config.local, &target.name)?,
        cookie: Some(&config.cookie),
        challenge: random()?,
        prefix: if tls.is_some() { Prefix::Four } else { Prefix::Two },
    };
    let tcp = dial(target, deadline).await?;
    let port = tcp.peer_addr().map_or(0, |it| it.port());
    match &tls {
        Some(prepared) => {
            let stream = encrypt(target, prepared, tcp, deadline).await?;
            let shaken = shake(setup, stream, deadline, Some(prepared)).await?;
            run((target, port), config, shaken)
        }
        None => run((target, port), config, shake(setup, tcp, deadline, None).await?),
    }
}

/// Puts the two tasks behind an established connection.
fn run<S: AsyncRead + AsyncWrite + Send + 'static>(
    (target, port): (&Target, u16),
    config: &Config,
    (stream, rest, finish): (S, BytesMut, Finish),
) -> Result<Arc<Shared>, Error> {
    let established = match finish {
        Finish::Established(it) => it,
        Finish::Challenged(_) => {
            return Err(Error::new(
                ErrorKind::Protocol,
                format!("{}: the handshake stopped at the challenge", target.name),
            ));
        }
    };
    let (sender, outgoing) = mpsc::unbounded_channel();
    let shared = Arc::new(Shared::new(established, port, config, sender));
    driver::start(&shared, stream, rest, outgoing, config.silence_max);
    Ok(shared)
}

pub(super) async fn knock(
    target: &Target,
    local: &LocalName,
    timeout: Duration,
    tls: Option<&TlsOptions>,
) -> Result<Knock, Error> {
    let deadline = Instant::now() + timeout;
    let (first, mode) = match local {
        LocalName::Dynamic => {
            let mode = target.name.mode();
            (Identity::Dynamic { host: own_host(mode) }, mode)
        }
        // The target's name is a guess here, so it cannot tell whether ours is of its kind.
        LocalName::Chosen(name) => (chosen(name)?, name.mode()),
    };
    match knock_as(target, first, deadline, tls).await {
        // What a node does with a name of the other kind, and logs nowhere. One that refuses
        // us as not allowed has written an error into its log: no second one for the same.
        Err(error) if error.kind() == ErrorKind::HandshakeClosed => {
            let other = match mode {
                NameMode::Long => NameMode::Short,
                NameMode::Short => NameMode::Long,
            };
            let second = Identity::Dynamic { host: own_host(other) };
            knock_as(target, second, deadline, tls).await.map_err(|_| error)
        }
        result => result,
    }
}

async fn knock_as(
    target: &Target,
    identity: Identity,
    deadline: Instant,
    tls: Option<&TlsOptions>,
) -> Result<Knock, Error> {
    let tls = tls.map(|it| it.prepare(&target.name)).transpose()?;
    let is_named = matches!(identity, Identity::Chosen { .. });
    let setup = Setup {
        target: &target.name,
        is_name_checked: false,
        identity,
        cookie: None,
        challenge: 0,
        prefix: if tls.is_some() { Prefix::Four } else { Prefix::Two },
    };
    let tcp = dial(target, deadline).await?;
    let finish = if let Some(prepared) = &tls {
        let stream = encrypt(target, prepared, tcp, deadline).await?;
        let (stream, _, finish) = shake(setup, stream, deadline, Some(prepared)).await?;
        leave(stream, is_named).await;
        finish
    } else {
        let (stream, _, finish) = shake(setup, tcp, deadline, None).await?;
        leave(stream, is_named).await;
        finish
    };
    match finish {
        Finish::Challenged(knock) => Ok(knock),
        Finish::Established(it) => Ok(it.peer),
    }
}

/// Ends a knock; under a name of our own it waits until the node has let go of that name.
async fn leave<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, is_named: bool) {
    if !is_named {
        return;
    }
    // Failing to say goodbye ends the connection as well.
    stream.shutdown().await.ok();
    let mut rest = [0; 64];
    let drained = async { while matches!(stream.read(&mut rest).await, Ok(1..)) {} };
    timeout_at(Instant::now() + GOODBYE, drained).await.ok();
}

/// A TCP connection to the node's port, wherever that is.
async fn dial(target: &Target, deadline: Instant) -> Result<TcpStream, Error> {
    let (host, port) = if let Some(at) = &target.at {
        net::split_address(at)?
    } else {
        let port = epmd::port_please_until(&target.name, target.epmd_port, deadline).await?;
        (target.name.host(), port)
    };
    match net::dial(host, port, deadline).await {
        Ok((stream, address)) => {
            tracing::debug!(%address, node = %target.name, "connected");
            Ok(stream)
        }
        Err(error @ DialError::Unknown(_)) => Err(net::host_unknown(host, error)),
        Err(error) => {
            let hint = if target.at.is_some() {
                "is the forwarded port open, and is the node up?"
            } else {
                "EPMD knows it there: is a firewall in between, or does the node listen on another interface (inet_dist_use_interface)? Another way in is `--at HOST:PORT`"
            };
            Err(Error::new(
                ErrorKind::NodeUnreachable,
                format!("{} cannot be reached at {host}:{port} ({error}); {hint}", target.name),
            )
            .with_source(error))
        }
    }
}

async fn encrypt(
    target: &Target,
    prepared: &Prepared,
    tcp: TcpStream,
    deadline: Instant,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, Error> {
    let name: ServerName<'static> = prepared.server_name.clone();
    let connector = TlsConnector::from(Arc::clone(&prepared.config));
    let plain = |what: &str| {
        Error::new(
            ErrorKind::Tls,
            format!(
                "{} {what} our TLS hello; does its distribution use plain TCP? Then leave --tls away",
                target.name
            ),
        )
    };
    match timeout_at(deadline, connector.connect(name, tcp)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => match prepared.explain(target.name.as_str(), &error) {
            Some(explained) => Err(explained),
            None if is_end(&error) => Err(plain("closed the connection after")),
            None => Err(broken(target.name.as_str(), error)),
        },
        Err(_) => Err(plain("did not answer")),
    }
}

enum Finish {
    Challenged(Knock),
    Established(Established),
}

/// Runs the handshake over a stream; bytes that came after it are handed on.
async fn shake<S: AsyncRead + AsyncWrite + Unpin>(
    setup: Setup<'_>,
    mut stream: S,
    deadline: Instant,
    tls: Option<&Prepared>,
) -> Result<(S, BytesMut, Finish), Error> {
    let who = setup.target.as_str();
    let (mut handshake, mut output) = Handshake::start(setup);
    let mut buffer = BytesMut::with_capacity(1_024);
    loop {
        if !output.is_empty() {
            let write = async {
                stream.write_all(&output).await?;
                stream.flush().await
            };
            match timeout_at(deadline, write).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(ended(&handshake, tls, who, error)),
                Err(_) => return Err(handshake.timed_out()),
            }
            output.clear();
        }
        if let Some(refused) = handshake.refused() {
            return Err(refused);
        }
        match handshake.advance(&mut buffer)? {
            Progress::Write(bytes) => output = bytes,
            Progress::Challenged(it) => return Ok((stream, buffer, Finish::Challenged(it))),
            Progress::Done(it) => return Ok((stream, buffer, Finish::Established(it))),
            Progress::Again => {}
            Progress::Read => match timeout_at(deadline, stream.read_buf(&mut buffer)).await {
                Ok(Ok(0)) => return Err(handshake.closed()),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(ended(&handshake, tls, who, error)),
                Err(_) => return Err(handshake.timed_out()),
            },
        }
    }
}

/// A stream that ended with an error in the middle of the handshake.
fn ended(handshake: &Handshake<'_>, tls: Option<&Prepared>, who: &str, error: io::Error) -> Error {
    // TLS 1.3 tells a client that its certificate was refused only here.
    if let Some(explained) = tls.and_then(|it| it.explain(who, &error)) {
        return explained;
    }
    if is_end(&error) { handshake.closed() } else { broken(who, error) }
}

fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
    )
}

fn broken(who: &str, error: io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("the connection to {who} broke: {error}; try again"))
        .with_source(error)
}

fn identity(local: &LocalName, target: &NodeName) -> Result<Identity, Error> {
    match local {
        LocalName::Dynamic => Ok(Identity::Dynamic { host: own_host(target.mode()) }),
        LocalName::Chosen(name) if name.mode() != target.mode() => {
            let (wants, example) = match target.mode() {
                NameMode::Long => ("long", "giulia@host.domain"),
                NameMode::Short => ("short", "giulia@host"),
            };
            Err(Error::new(
                ErrorKind::InvalidName,
                format!(
                    "{target} uses {wants} names and refuses `{name}`; choose a {wants} name such as {example}, or none to be given one"
                ),
            ))
        }
        LocalName::Chosen(name) => chosen(name),
    }
}

fn chosen(name: &NodeName) -> Result<Identity, Error> {
    // 0 to 3 are the creations of old; a node never has two of the same in a row.
    Ok(Identity::Chosen { name: name.clone(), creation: random()? | 4 })
}

/// The host part of a name that the target gives us: of its own kind, or it refuses.
fn own_host(mode: NameMode) -> String {
    let name = net::hostname();
    match (mode, name.split_once('.')) {
        (NameMode::Short, Some((first, _))) => first.to_owned(),
        (NameMode::Long, None) => format!("{name}.local"),
        (NameMode::Short, None) | (NameMode::Long, Some(_)) => name,
    }
}

fn random() -> Result<u32, Error> {
    getrandom::u32().map_err(|it| {
        Error::new(ErrorKind::Io, format!("the system gives no random numbers: {it}"))
    })
}
