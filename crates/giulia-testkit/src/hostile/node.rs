//! A node that stalls, lies, or is none.

use std::{io, time::Duration};

use md5::{Digest, Md5};

use super::{COOKIE, Client};

/// How a hostile node behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// Takes the connection and never says a word.
    Silent,
    /// A web server.
    Http,
    /// An SSH server, which speaks first.
    SshBanner,
    /// Closes the connection before the first word.
    ClosesAtOnce,
    /// Announces the largest handshake message (65,535 bytes; 4 GiB with TLS) and sends nothing.
    HugeHandshake,
    /// Random bytes without end, from the first moment.
    Garbage,
    /// Begins the handshake as a node would.
    Shakes(Shake),
    /// Completes the handshake, knowing the [`COOKIE`].
    Connects(After),
}

/// Where a handshake goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shake {
    /// Says `ok` to the name and stops.
    Stops,
    /// Says `ok` to the name and closes.
    Closes,
    /// Is correct, one byte a second.
    OneBytePerSecond,
    /// Says `not_allowed` to every name.
    NotAllowed,
    /// Says `nok`: somebody of this name is connected already.
    Nok,
    /// Does not know the cookie that it claims to know: its last message proves nothing.
    ProvesNothing,
}

/// What comes after a handshake that went well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// Announces a message of 4 GiB and sends its first byte.
    AnnouncesFourGiB,
    /// Announces a message of 48 MiB and sends all of it.
    FortyEightMiB,
    /// A message of a million nested lists.
    DeepTerm,
    /// A tuple that claims 4,294,967,295 elements.
    WideTerm,
    /// A compressed term that claims 4 GiB.
    CompressedFourGiB,
    /// Bytes that are no message.
    GarbageFrames,
    /// Messages to a name that nobody has, without end.
    Floods,
    /// Ticks once a second, answers nothing.
    TicksOnly,
    /// Nothing, not even ticks.
    Silent,
}

/// Answers the dynamic name; the part before the `@` is what a real node makes up.
const GIVEN_NAME: &[u8] = b"given@127.0.0.1";

/// Everything that OTP 25 and later insist on, without atom cache and fragments.
/// <https://www.erlang.org/doc/apps/erts/erl_dist_protocol.html#distribution-flags>
const FLAGS: u64 = 0x1f_0000_0000 | 0x35f_5fbd;

/// The flag by which a client asks for a name.
const FLAG_NAME_ME: u64 = 1 << 33;

/// Chosen by us, so the tests repeat.
const CHALLENGE: u32 = 0x1234_5678;

/// A million nested lists are five megabytes on the wire.
const DEEP: usize = 1_000_000;

pub(super) fn talk(peer: Peer, client: &mut Client) -> io::Result<()> {
    match peer {
        Peer::Silent => client.swallow(),
        Peer::Http => {
            client.read_exact(&mut [0])?;
            client.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        }
        Peer::SshBanner => {
            client.write(b"SSH-2.0-OpenSSH_9.2\r\n")?;
            client.swallow()
        }
        Peer::ClosesAtOnce => Ok(()),
        Peer::HugeHandshake => {
            client.write(if client.is_tls() { &[0xff; 4] } else { &[0xff; 2] })?;
            client.swallow()
        }
        Peer::Garbage => garbage(client),
        Peer::Shakes(Shake::NotAllowed) => refuse(client, b"snot_allowed"),
        Peer::Shakes(Shake::Nok) => refuse(client, b"snok"),
        Peer::Shakes(Shake::Closes) => greet(client),
        Peer::Shakes(Shake::Stops) => {
            greet(client)?;
            client.swallow()
        }
        Peer::Shakes(Shake::ProvesNothing) => {
            shake(client, "another cookie", Client::write)?;
            client.swallow()
        }
        Peer::Shakes(Shake::OneBytePerSecond) => {
            shake(client, COOKIE, Client::drip)?;
            client.swallow()
        }
        Peer::Connects(after) => {
            shake(client, COOKIE, Client::write)?;
            connected(after, client)
        }
    }
}

/// Says no to whatever name comes.
fn refuse(client: &mut Client, status: &[u8]) -> io::Result<()> {
    receive(client)?;
    client.write(&message(client, status))
}

/// Says `ok` to the name.
fn greet(client: &mut Client) -> io::Result<()> {
    let name = receive(client)?;
    client.write(&message(client, &status(&name)))
}

/// The handshake of version 6 from the side that is called.
fn shake(
    client: &mut Client,
    cookie: &str,
    write: impl Fn(&mut Client, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let name = receive(client)?;
    let (status, challenge) = (message(client, &status(&name)), message(client, &challenge()));
    write(client, &status)?;
    write(client, &challenge)?;
    let reply = receive(client)?;
    let theirs = reply.get(1..5).and_then(|it| it.try_into().ok()).map_or(0, u32::from_be_bytes);
    let mut ack = b"a".to_vec();
    ack.extend_from_slice(&<[u8; 16]>::from(Md5::digest(format!("{cookie}{theirs}"))));
    let ack = message(client, &ack);
    write(client, &ack)
}

fn connected(after: After, client: &mut Client) -> io::Result<()> {
    match after {
        After::AnnouncesFourGiB => client.write(&[0xff, 0xff, 0xff, 0xff, 112])?,
        After::FortyEightMiB => {
            client.write(&[3, 0, 0, 0, 112, 131, 109, 2, 255, 255, 249])?;
            for _ in 0..48 {
                client.write(&vec![0; 1 << 20])?;
            }
        }
        After::DeepTerm => {
            let mut term = [108, 0, 0, 0, 1].repeat(DEEP);
            term.extend([106].repeat(DEEP + 1));
            client.write(&frame(&term))?;
        }
        After::WideTerm => client.write(&frame(&[105, 0xff, 0xff, 0xff, 0xff]))?,
        // An empty stream of zlib, which is as far as a limit may let anybody read.
        After::CompressedFourGiB => {
            let empty = [80, 0xff, 0xff, 0xff, 0xff, 0x78, 0x9c, 0x03, 0, 0, 0, 0, 1];
            client.write(&frame(&empty))?;
        }
        After::GarbageFrames => client.write(&[0, 0, 0, 5, 112, 131, 1, 2, 3])?,
        After::Floods => flood(client)?,
        After::TicksOnly => loop {
            client.write(&[0, 0, 0, 0])?;
            client.pause(Duration::from_secs(1))?;
        },
        After::Silent => {}
    }
    client.swallow()
}

/// `{6, FromPid, '', nobody}` with the atom `x` as its message.
fn flood(client: &mut Client) -> io::Result<()> {
    let mut control = vec![104, 4, 97, 6, 88, 119];
    control.push(u8::try_from(GIVEN_NAME.len()).unwrap_or(0));
    control.extend_from_slice(GIVEN_NAME);
    control.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
    control.extend_from_slice(&[119, 0, 119, 6]);
    control.extend_from_slice(b"nobody");
    control.extend_from_slice(&[131, 119, 1, b'x']);
    let message = frame(&control).repeat(1000);
    loop {
        client.write(&message)?;
    }
}

/// A frame without fragments or atom cache: length, 112, version, term.
fn frame(term: &[u8]) -> Vec<u8> {
    let length = u32::try_from(term.len() + 2).unwrap_or(u32::MAX);
    let mut frame = length.to_be_bytes().to_vec();
    frame.extend_from_slice(&[112, 131]);
    frame.extend_from_slice(term);
    frame
}

/// `ok`, or `named:` with a name for the client that asked for one.
fn status(name: &[u8]) -> Vec<u8> {
    let flags = name.get(1..9).and_then(|it| it.try_into().ok()).map_or(0, u64::from_be_bytes);
    if flags & FLAG_NAME_ME == 0 {
        return b"sok".to_vec();
    }
    let mut status = b"snamed:".to_vec();
    status.extend_from_slice(&u16::try_from(GIVEN_NAME.len()).unwrap_or(0).to_be_bytes());
    status.extend_from_slice(GIVEN_NAME);
    status.extend_from_slice(&1_u32.to_be_bytes());
    status
}

/// `N`, flags, challenge, creation, name; the name of a node that giulia looked for.
fn challenge() -> Vec<u8> {
    let name = b"hostile@127.0.0.1";
    let mut challenge = b"N".to_vec();
    challenge.extend_from_slice(&FLAGS.to_be_bytes());
    challenge.extend_from_slice(&CHALLENGE.to_be_bytes());
    challenge.extend_from_slice(&1_u32.to_be_bytes());
    challenge.extend_from_slice(&u16::try_from(name.len()).unwrap_or(0).to_be_bytes());
    challenge.extend_from_slice(name);
    challenge
}

fn receive(client: &mut Client) -> io::Result<Vec<u8>> {
    if client.is_tls() {
        client.read_exact(&mut [0; 2])?;
    }
    let mut length = [0; 2];
    client.read_exact(&mut length)?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    client.read_exact(&mut message)?;
    Ok(message)
}

/// A handshake message: two bytes of length, or four with TLS, then itself.
fn message(client: &Client, text: &[u8]) -> Vec<u8> {
    let mut bytes = if client.is_tls() { vec![0; 2] } else { Vec::new() };
    bytes.extend_from_slice(&u16::try_from(text.len()).unwrap_or(0).to_be_bytes());
    bytes.extend_from_slice(text);
    bytes
}

/// A linear congruence is random enough to be no Erlang.
fn garbage(client: &mut Client) -> io::Result<()> {
    let mut state: u32 = 1;
    let block: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(64 * 1024)
    .collect();
    loop {
        client.write(&block)?;
    }
}
