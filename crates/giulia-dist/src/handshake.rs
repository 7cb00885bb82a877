//! The handshake, version 6, from the side that connects: names, flags, challenge, digest.
//!
//! <https://www.erlang.org/doc/apps/erts/erl_dist_protocol.html#distribution-handshake>
//!
//! A state machine: [`Handshake::start`] gives the first bytes to send, and
//! [`Handshake::advance`] takes bytes as they come and says what to send next. Both sides
//! prove that they know the cookie; we check the peer's proof. Without a cookie the machine
//! stops at the peer's challenge and answers nothing, because a wrong answer is written into
//! the target's log as an error.

use bytes::{Buf as _, Bytes, BytesMut};
use md5::{Digest as _, Md5};

use crate::{Cookie, Error, ErrorKind, NodeName, flags, net};

/// Every message of a handshake is smaller: names are at most 255 characters.
const MESSAGE_BYTES_MAX: usize = 4_096;
/// A TLS alert: what a TLS node answers when it is spoken to without TLS.
const TLS_ALERT: [u8; 2] = [0x15, 0x03];
const SEND_NAME: u8 = b'N';
const SEND_NAME_OLD: u8 = b'n';
const STATUS: u8 = b's';
const CHALLENGE_REPLY: u8 = b'r';
const CHALLENGE_ACK: u8 = b'a';

/// How many bytes announce a message's length: 2 over TCP, 4 over TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix {
    /// Plain TCP.
    Two,
    /// TLS distribution.
    Four,
}

/// Who we say we are.
#[derive(Debug, Clone)]
pub enum Identity {
    /// Asks for a name; the peer appends `@` and this host.
    Dynamic {
        /// Long with a dot, short without: it must be of the target's kind.
        host: String,
    },
    /// Brings a name of its own.
    Chosen {
        /// The name.
        name: NodeName,
        /// Which incarnation of it.
        creation: u32,
    },
}

/// What a handshake needs from outside.
#[derive(Debug)]
pub struct Setup<'a> {
    /// The node that should be there.
    pub target: &'a NodeName,
    /// Whether it must call itself so; a knock takes whoever answers.
    pub is_name_checked: bool,
    /// Who we are.
    pub identity: Identity,
    /// `None` stops at the challenge.
    pub cookie: Option<&'a Cookie>,
    /// Random, so that nobody can replay an answer to it.
    pub challenge: u32,
    /// Of the stream underneath.
    pub prefix: Prefix,
}

/// A handshake under way.
#[derive(Debug)]
pub struct Handshake<'a> {
    setup: Setup<'a>,
    state: State,
    local: (String, u32),
    has_answered: bool,
}

/// What to do next.
#[derive(Debug)]
pub enum Progress {
    /// Read more.
    Read,
    /// One message was taken; look at the next.
    Again,
    /// Write these bytes, then go on.
    Write(Vec<u8>),
    /// The challenge came, and there is no cookie to answer it with.
    Challenged(Knock),
    /// Both sides have proved that they know the cookie.
    Done(Established),
}

/// What a node says of itself before anyone authenticates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Knock {
    /// Its name.
    pub name: NodeName,
    /// Its capability flags.
    pub flags: u64,
    /// Which incarnation of it.
    pub creation: u32,
}

/// An established connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Established {
    /// The peer.
    pub peer: Knock,
    /// What both sides have.
    pub flags: u64,
    /// Our name.
    pub local_name: String,
    /// Our incarnation.
    pub local_creation: u32,
}

#[derive(Debug)]
enum State {
    Status,
    Refused,
    Challenge,
    Ack(Knock),
}

impl<'a> Handshake<'a> {
    /// Starts one; the bytes are to be sent first.
    pub fn start(setup: Setup<'a>) -> (Self, Vec<u8>) {
        let (name, creation, extra) = match &setup.identity {
            Identity::Dynamic { host } => (host.as_str(), 0, flags::NAME_ME),
            Identity::Chosen { name, creation } => (name.as_str(), *creation, 0),
        };
        let mut body = vec![SEND_NAME];
        body.extend_from_slice(&(flags::OFFERED | extra).to_be_bytes());
        body.extend_from_slice(&creation.to_be_bytes());
        body.extend_from_slice(&u16::try_from(name.len()).unwrap_or(u16::MAX).to_be_bytes());
        body.extend_from_slice(name.as_bytes());
        let first = framed(setup.prefix, &body);
        let local = (name.to_owned(), creation);
        (Self { setup, state: State::Status, local, has_answered: false }, first)
    }

    /// Takes what has arrived; bytes after the handshake stay in `buffer`.
    ///
    /// # Errors
    ///
    /// One kind for each way in which a peer can refuse or be something else; see
    /// [`ErrorKind`].
    pub fn advance(&mut self, buffer: &mut BytesMut) -> Result<Progress, Error> {
        let Some(mut message) = self.message(buffer)? else { return Ok(Progress::Read) };
        let tag = message.try_get_u8().map_err(|_| self.not_erlang(&[]))?;
        match std::mem::replace(&mut self.state, State::Refused) {
            State::Status if tag == STATUS => self.status(&message),
            State::Challenge if tag == SEND_NAME => self.challenge(message),
            State::Status | State::Challenge if tag == SEND_NAME_OLD => {
                Err(self.too_old("it answers in the handshake of OTP 22"))
            }
            State::Ack(peer) if tag == CHALLENGE_ACK => self.ack(peer, &message),
            State::Status | State::Challenge | State::Ack(_) => {
                Err(self.not_erlang(&[&[tag], &message[..]].concat()))
            }
            State::Refused => Ok(Progress::Read),
        }
    }

    /// The error for a peer that closed the connection now.
    pub fn closed(&self) -> Error {
        let who = self.who();
        match &self.state {
            State::Ack(peer) => cookie_mismatch(&peer.name),
            State::Status if matches!(self.setup.prefix, Prefix::Two) => Error::new(
                ErrorKind::HandshakeClosed,
                format!(
                    "{who} closed the connection when we said our name; does it use TLS distribution (then give --tls and its certificates), or long names against our short ones, or has it no process to spare? Its log says why"
                ),
            ),
            State::Status | State::Challenge | State::Refused => Error::new(
                ErrorKind::HandshakeClosed,
                format!(
                    "{who} closed the connection in the middle of the handshake; its log says why"
                ),
            ),
        }
    }

    /// The error for a peer that has not answered before the deadline.
    pub fn timed_out(&self) -> Error {
        let waiting = match &self.state {
            State::Status => "our name",
            State::Challenge => "our name, though it accepted it",
            State::Ack(_) | State::Refused => "our proof of the cookie",
        };
        Error::new(
            ErrorKind::HandshakeTimeout,
            format!(
                "{} accepts connections and did not answer {waiting} before the deadline; is it frozen, overloaded, something other than an Erlang node, or a node with TLS distribution (then give --tls)?",
                self.who()
            ),
        )
    }

    /// Whether we have proved that we know the cookie, so that an end now is about that.
    pub fn has_answered(&self) -> bool {
        self.has_answered
    }

    /// Cuts off one message once it is complete.
    fn message(&self, buffer: &mut BytesMut) -> Result<Option<Bytes>, Error> {
        if matches!(self.state, State::Status) && looks_like_tls(buffer) {
            return Err(Error::new(
                ErrorKind::Tls,
                format!(
                    "{} answered with a TLS alert: it uses TLS distribution; give --tls with --tls-cacert, and --tls-cert and --tls-key when it asks for a certificate",
                    self.who()
                ),
            ));
        }
        let (width, length) = match self.setup.prefix {
            Prefix::Two => match buffer.first_chunk::<2>() {
                Some(it) => (2, usize::from(u16::from_be_bytes(*it))),
                None => return Ok(None),
            },
            Prefix::Four => match buffer.first_chunk::<4>() {
                Some(it) => (4, usize::try_from(u32::from_be_bytes(*it)).unwrap_or(usize::MAX)),
                None => return Ok(None),
            },
        };
        if length == 0 || length > MESSAGE_BYTES_MAX {
            return Err(self.not_erlang(buffer));
        }
        if buffer.len() - width < length {
            return Ok(None);
        }
        buffer.advance(width);
        Ok(Some(buffer.split_to(length).freeze()))
    }

    fn status(&mut self, status: &[u8]) -> Result<Progress, Error> {
        let who = self.who();
        let ours = &self.local.0;
        match status {
            b"ok" | b"ok_simultaneous" => {
                if matches!(self.setup.identity, Identity::Dynamic { .. }) {
                    return Err(self.too_old("it gives no names; choose one with --name"));
                }
                self.state = State::Challenge;
                Ok(Progress::Again)
            }
            b"alive" => {
                // `false`: the connection that it has is a good one, keep it.
                let no = framed(self.setup.prefix, b"sfalse");
                Ok(Progress::Write(no))
            }
            b"nok" => Err(Error::new(
                ErrorKind::AlreadyConnected,
                format!(
                    "{who} is just now connecting to `{ours}` itself; try again, or choose another name"
                ),
            )),
            b"not_allowed" => Err(Error::new(
                ErrorKind::NotAllowed,
                format!(
                    "{who} does not allow `{ours}` to connect; see net_kernel:allow/1 there, or choose an allowed name with --name"
                ),
            )),
            _ => match status.strip_prefix(b"named:") {
                Some(rest) => self.named(rest),
                None => Err(Error::new(
                    ErrorKind::Protocol,
                    format!("{who} answered our name with the status `{}`", net::excerpt(status)),
                )),
            },
        }
    }

    fn named(&mut self, mut rest: &[u8]) -> Result<Progress, Error> {
        let bad = |what: &str| {
            Error::new(
                ErrorKind::Protocol,
                format!("{} gave us a name that we cannot use: {what}", self.who()),
            )
        };
        if !matches!(self.setup.identity, Identity::Dynamic { .. }) {
            return Err(bad("we had not asked for one"));
        }
        let name = counted_name(&mut rest).ok_or_else(|| bad("it is cut off"))?;
        let creation = rest.try_get_u32().map_err(|_| bad("it has no creation"))?;
        let name: NodeName = name.parse().map_err(|it: Error| bad(&it.to_string()))?;
        self.local = (name.to_string(), creation);
        self.state = State::Challenge;
        Ok(Progress::Again)
    }

    fn challenge(&mut self, mut message: Bytes) -> Result<Progress, Error> {
        let cut_off =
            |_| Error::new(ErrorKind::Protocol, format!("{}'s challenge is cut off", self.who()));
        let peer_flags = flags::expand(message.try_get_u64().map_err(cut_off)?);
        let challenge = message.try_get_u32().map_err(cut_off)?;
        let creation = message.try_get_u32().map_err(cut_off)?;
        let mut rest = &message[..];
        let name = counted_name(&mut rest)
            .and_then(|it| it.parse::<NodeName>().ok())
            .ok_or_else(|| self.not_erlang(&message))?;
        let peer = Knock { name, flags: peer_flags, creation };
        if self.setup.is_name_checked && *self.setup.target != peer.name {
            return Err(name_mismatch(self.setup.target, &peer.name));
        }
        let Some(cookie) = self.setup.cookie else { return Ok(Progress::Challenged(peer)) };
        if peer.flags & flags::NEEDED != flags::NEEDED {
            return Err(self.too_old("it lacks capabilities of OTP 23"));
        }
        let mut body = vec![CHALLENGE_REPLY];
        body.extend_from_slice(&self.setup.challenge.to_be_bytes());
        body.extend_from_slice(&digest(cookie, challenge));
        self.state = State::Ack(peer);
        self.has_answered = true;
        Ok(Progress::Write(framed(self.setup.prefix, &body)))
    }

    fn ack(&mut self, peer: Knock, message: &[u8]) -> Result<Progress, Error> {
        let Some(cookie) = self.setup.cookie else { return Err(cookie_mismatch(&peer.name)) };
        if message != digest(cookie, self.setup.challenge) {
            return Err(Error::new(
                ErrorKind::CookieMismatch,
                format!(
                    "{} accepted our cookie but could not prove that it knows it; is it set differently for each node there (erlang:set_cookie/2), or is somebody in between?",
                    peer.name
                ),
            ));
        }
        let (local_name, local_creation) = self.local.clone();
        let flags = peer.flags & flags::OFFERED;
        Ok(Progress::Done(Established { peer, flags, local_name, local_creation }))
    }

    fn who(&self) -> &'a NodeName {
        self.setup.target
    }

    fn too_old(&self, why: &str) -> Error {
        Error::new(
            ErrorKind::VersionUnsupported,
            format!("{} is too old: {why}; giulia needs OTP 23 or newer", self.who()),
        )
    }

    fn not_erlang(&self, seen: &[u8]) -> Error {
        Error::new(
            ErrorKind::NotErlang,
            format!(
                "what listens where {} should be does not speak Erlang distribution; it sent `{}`; check the address and port",
                self.who(),
                net::excerpt(seen)
            ),
        )
    }
}

/// The error when we refused to replace a connection under our name, after having said so.
pub(crate) fn already_connected(target: &NodeName, ours: &str) -> Error {
    Error::new(
        ErrorKind::AlreadyConnected,
        format!(
            "{target} has a connection to a node called `{ours}` already; choose another name, or none to be given one"
        ),
    )
}

impl Handshake<'_> {
    /// After a [`Progress::Write`]: the error that ends the handshake here, if it does.
    pub fn refused(&self) -> Option<Error> {
        matches!(self.state, State::Refused).then(|| already_connected(self.who(), &self.local.0))
    }
}

/// The digest that proves knowledge of the cookie: MD5 over it and the challenge in decimal.
pub fn digest(cookie: &Cookie, challenge: u32) -> [u8; 16] {
    let mut md5 = Md5::new();
    let secret = cookie.secret();
    // A cookie is an atom; the node digests its characters as Latin-1 bytes.
    match secret.chars().map(|it| u8::try_from(u32::from(it))).collect::<Result<Vec<u8>, _>>() {
        Ok(latin1) => md5.update(&latin1),
        Err(_) => md5.update(secret),
    }
    md5.update(challenge.to_string());
    md5.finalize().into()
}

fn framed(prefix: Prefix, body: &[u8]) -> Vec<u8> {
    let mut message = match prefix {
        Prefix::Two => u16::try_from(body.len()).unwrap_or(u16::MAX).to_be_bytes().to_vec(),
        Prefix::Four => u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes().to_vec(),
    };
    message.extend_from_slice(body);
    message
}

/// A name after its length in two bytes; the rest stays.
fn counted_name(rest: &mut &[u8]) -> Option<String> {
    let length = usize::from(rest.try_get_u16().ok()?);
    let (name, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(std::str::from_utf8(name).ok()?.to_owned())
}

fn looks_like_tls(buffer: &[u8]) -> bool {
    buffer.starts_with(&TLS_ALERT)
        && buffer.get(2).is_none_or(|minor| *minor <= 4)
        && buffer.len() >= 3
}

fn name_mismatch(expected: &NodeName, actual: &NodeName) -> Error {
    let hint = if expected.alive() == actual.alive() && expected.mode() != actual.mode() {
        " (long against short names)"
    } else {
        ""
    };
    Error::new(
        ErrorKind::NameMismatch,
        format!("the node there calls itself {actual}, not {expected}{hint}; use `{actual}`"),
    )
}

fn cookie_mismatch(name: &NodeName) -> Error {
    Error::new(
        ErrorKind::CookieMismatch,
        format!(
            "{name} refused our cookie; give the one that `erlang:get_cookie()` shows there, with --cookie-file, GIULIA_COOKIE or ~/.erlang.cookie"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_md5_of_cookie_and_challenge_in_decimal() {
        // `erlang:md5("secret4294967295")`
        let expect = [
            0x5d, 0xfd, 0x18, 0x1e, 0x69, 0xaa, 0x58, 0x7c, 0xc8, 0x12, 0xeb, 0x33, 0x3e, 0x65,
            0x36, 0xb6,
        ];
        assert_eq!(digest(&Cookie::new("secret"), u32::MAX), expect);
        // Above ASCII the node digests Latin-1: `erlang:md5([228|"1"])`.
        let expect = [
            0xd2, 0x5a, 0xd0, 0xa1, 0xab, 0x65, 0xdd, 0xde, 0xfb, 0x48, 0x7e, 0x1e, 0x9e, 0xd1,
            0x47, 0x80,
        ];
        assert_eq!(digest(&Cookie::new("ä"), 1), expect);
    }

    #[test]
    fn a_name_is_sent_as_specified() {
        let target: NodeName = "shop@db1".parse().unwrap();
        let setup = |identity| Setup {
            target: &target,
            is_name_checked: true,
            identity,
            cookie: None,
            challenge: 0,
            prefix: Prefix::Two,
        };
        let (_, dynamic) = Handshake::start(setup(Identity::Dynamic { host: "h".to_owned() }));
        assert_eq!(dynamic[..3], [0, 16, b'N']);
        let sent = u64::from_be_bytes(dynamic[3..11].try_into().unwrap());
        assert_eq!(sent, flags::OFFERED | flags::NAME_ME);
        assert_eq!(dynamic[11..], [0, 0, 0, 0, 0, 1, b'h']);
        let name = "us@h".parse().unwrap();
        let (_, chosen) = Handshake::start(setup(Identity::Chosen { name, creation: 5 }));
        assert_eq!(chosen[11..], [0, 0, 0, 5, 0, 4, b'u', b's', b'@', b'h']);
    }

    #[test]
    fn we_are_hidden_and_offer_no_cache() {
        assert_eq!(flags::OFFERED & 1, 0, "PUBLISHED");
        assert_eq!(flags::OFFERED & flags::DIST_HDR_ATOM_CACHE, 0);
    }
}
