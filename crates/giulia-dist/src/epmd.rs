//! EPMD, the port mapper beside every node: which names it knows, and at which ports.
//!
//! <https://www.erlang.org/doc/apps/erts/erl_dist_protocol.html#epmd-protocol>
//!
//! Requests and answers are plain functions over bytes; [`names`] and [`port_please`] move
//! them over a socket under one deadline.

use std::{fmt::Write as _, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, timeout_at},
};

use crate::{
    Error, ErrorKind, NodeName,
    net::{self, DialError},
};

/// Where EPMD listens when nobody says otherwise.
const PORT: u16 = 4369;
/// The longest answer that we read: 65,535 ports with names of 255 characters are less.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// `PORT2_RESP` is 12 bytes and two strings of at most 64 KiB.
const PORT_ANSWER_BYTES_MAX: usize = 14 + 2 * 65_536;
const NAMES_REQ: u8 = 110;
const PORT_PLEASE2_REQ: u8 = 122;
const PORT2_RESP: u8 = 119;
/// The only handshake that we speak; nodes since OTP 23 have it.
const VERSION: u16 = 6;

/// What EPMD says about one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Where the node accepts connections.
    pub port: u16,
    /// The highest handshake version that it speaks.
    pub version_max: u16,
}

/// A request for all names.
pub fn names_request() -> Vec<u8> {
    vec![0, 1, NAMES_REQ]
}

/// A request for one name's port; `alive` is the part before the `@`.
pub fn port_request(alive: &str) -> Vec<u8> {
    let length = u16::try_from(alive.len() + 1).unwrap_or(u16::MAX);
    let mut request = length.to_be_bytes().to_vec();
    request.push(PORT_PLEASE2_REQ);
    request.extend_from_slice(alive.as_bytes());
    request
}

/// Reads the whole answer to [`names_request`]: EPMD's own port, then a line a name.
///
/// # Errors
///
/// A text of what is wrong with it.
pub fn parse_names(answer: &[u8]) -> Result<Vec<(String, u16)>, String> {
    let Some((_port, lines)) = answer.split_at_checked(4) else {
        return Err("the answer ends within its first four bytes".to_owned());
    };
    let Ok(lines) = std::str::from_utf8(lines) else {
        return Err("the list of names is not text".to_owned());
    };
    lines.lines().filter(|it| !it.is_empty()).map(parse_name_line).collect()
}

/// Reads as much of the answer to [`port_request`] as has come; `None`: more is needed.
///
/// The inner `None` is EPMD's way of saying that it does not know the name.
///
/// # Errors
///
/// A text of what is wrong with it.
pub fn parse_port(answer: &[u8]) -> Result<Option<Option<Registration>>, String> {
    match answer {
        [] | [PORT2_RESP] => Ok(None),
        [PORT2_RESP, 0, rest @ ..] => match rest {
            [p1, p0, _kind, _protocol, h1, h0, ..] => Ok(Some(Some(Registration {
                port: u16::from_be_bytes([*p1, *p0]),
                version_max: u16::from_be_bytes([*h1, *h0]),
            }))),
            _ => Ok(None),
        },
        [PORT2_RESP, _unknown, ..] => Ok(Some(None)),
        [other, ..] => Err(format!("the answer starts with {other} in place of {PORT2_RESP}")),
    }
}

/// The names that EPMD on `host` knows, with their ports.
///
/// # Errors
///
/// [`ErrorKind::HostUnknown`], [`ErrorKind::EpmdUnreachable`] (also when something other than
/// EPMD answers).
pub async fn names(host: &str, port: u16, timeout: Duration) -> Result<Vec<(String, u16)>, Error> {
    names_until(host, port, Instant::now() + timeout).await
}

/// The port of the node of this name, asked of EPMD on the node's host.
///
/// # Errors
///
/// [`ErrorKind::HostUnknown`], [`ErrorKind::EpmdUnreachable`], [`ErrorKind::NodeUnknown`]
/// with the names that EPMD does know, [`ErrorKind::VersionUnsupported`] for nodes before
/// OTP 23.
pub async fn port_please(name: &NodeName, port: u16, timeout: Duration) -> Result<u16, Error> {
    port_please_until(name, port, Instant::now() + timeout).await
}

/// `ERL_EPMD_PORT` as Erlang itself reads it, else 4369.
pub fn default_port() -> u16 {
    std::env::var("ERL_EPMD_PORT").ok().and_then(|it| it.trim().parse().ok()).unwrap_or(PORT)
}

pub(crate) async fn port_please_until(
    name: &NodeName,
    port: u16,
    deadline: Instant,
) -> Result<u16, Error> {
    let bad = |what: String| not_epmd(name.host(), port, &what);
    let request = port_request(name.alive());
    let answer = exchange(name.host(), port, &request, deadline, |it| {
        it.len() >= PORT_ANSWER_BYTES_MAX || !matches!(parse_port(it), Ok(None))
    })
    .await?;
    match parse_port(&answer).map_err(bad)? {
        Some(Some(it)) if it.version_max < VERSION => Err(Error::new(
            ErrorKind::VersionUnsupported,
            format!(
                "{name} speaks handshake version {} and giulia needs {VERSION}: it runs OTP 22 or older; attach to a node of OTP 23 or newer",
                it.version_max
            ),
        )),
        Some(Some(it)) if it.port == 0 => Err(bad("it names port 0".to_owned())),
        Some(Some(it)) => Ok(it.port),
        Some(None) => {
            let known = names_until(name.host(), port, deadline).await.unwrap_or_default();
            Err(unknown(name, port, &known))
        }
        None => Err(bad("it closed the connection before its answer was whole".to_owned())),
    }
}

async fn names_until(
    host: &str,
    port: u16,
    deadline: Instant,
) -> Result<Vec<(String, u16)>, Error> {
    let answer = exchange(host, port, &names_request(), deadline, |_| false).await?;
    parse_names(&answer).map_err(|it| not_epmd(host, port, &it))
}

/// Sends the request and reads until `enough`, the end, or the limit.
async fn exchange(
    host: &str,
    port: u16,
    request: &[u8],
    deadline: Instant,
    enough: impl Fn(&[u8]) -> bool,
) -> Result<Vec<u8>, Error> {
    let (mut stream, _) =
        net::dial(host, port, deadline).await.map_err(|it| unreachable(host, port, it))?;
    let io = |it| unreachable(host, port, DialError::Io(it));
    let late = |_| unreachable(host, port, DialError::Timeout);
    timeout_at(deadline, stream.write_all(request)).await.map_err(late)?.map_err(io)?;
    let mut answer = Vec::new();
    let mut chunk = [0u8; 4096];
    loop {
        let n_read =
            timeout_at(deadline, stream.read(&mut chunk)).await.map_err(late)?.map_err(io)?;
        answer.extend_from_slice(chunk.get(..n_read).unwrap_or_default());
        if n_read == 0 || enough(&answer) {
            return Ok(answer);
        }
        if answer.len() > ANSWER_BYTES_MAX {
            return Err(not_epmd(host, port, "its answer does not end"));
        }
    }
}

/// `name shop at port 40123`.
fn parse_name_line(line: &str) -> Result<(String, u16), String> {
    let strange = || format!("a line of the answer reads `{}`", net::excerpt(line.as_bytes()));
    let rest = line.strip_prefix("name ").ok_or_else(strange)?;
    let (name, port) = rest.rsplit_once(" at port ").ok_or_else(strange)?;
    Ok((name.to_owned(), port.trim().parse().map_err(|_| strange())?))
}

fn unreachable(host: &str, port: u16, error: DialError) -> Error {
    let why = match &error {
        DialError::Unknown(_) => return net::host_unknown(host, error),
        DialError::Timeout => "no answer before the deadline".to_owned(),
        DialError::Io(it) => it.to_string(),
    };
    Error::new(
        ErrorKind::EpmdUnreachable,
        format!(
            "nothing that speaks EPMD answers at {host}:{port} ({why}); see what runs there with `epmd -names` on {host}, set ERL_EPMD_PORT when EPMD listens elsewhere, or give the node's own port with `--at HOST:PORT`"
        ),
    )
    .with_source(error)
}

fn not_epmd(host: &str, port: u16, what: &str) -> Error {
    Error::new(
        ErrorKind::EpmdUnreachable,
        format!(
            "what answers at {host}:{port} is not EPMD: {what}; set ERL_EPMD_PORT to EPMD's port, or give the node's own port with `--at HOST:PORT`"
        ),
    )
}

/// How many names an error lists.
const LISTED: usize = 10;

fn unknown(name: &NodeName, port: u16, known: &[(String, u16)]) -> Error {
    let host = name.host();
    let mut text = format!("EPMD at {host}:{port} does not know `{}`", name.alive());
    if known.is_empty() {
        text.push_str(
            "; it knows no node at all: is the node up, and was it started with -name or -sname?",
        );
    } else {
        let listed: Vec<&str> = known.iter().take(LISTED).map(|(it, _)| it.as_str()).collect();
        let _ = write!(text, "; it knows {}", listed.join(", "));
        if known.len() > LISTED {
            let _ = write!(text, " and {} more", known.len() - LISTED);
        }
        let alike =
            known.iter().find(|(it, _)| it.eq_ignore_ascii_case(name.alive()) || near(it, name));
        match alike {
            Some((it, _)) => {
                let _ = write!(text, "; did you mean `{it}@{host}`?");
            }
            None => text.push_str("; `giulia nodes` shows which of them answer"),
        }
    }
    Error::new(ErrorKind::NodeUnknown, text)
}

/// One name holds the other: `shop` and `shop-1`.
fn near(known: &str, name: &NodeName) -> bool {
    known.contains(name.alive()) || name.alive().contains(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_lines() {
        let answer = b"\0\0\x11\x11name shop at port 40123\nname rel_1 at port 9\n";
        let expect = vec![("shop".to_owned(), 40123), ("rel_1".to_owned(), 9)];
        assert_eq!(parse_names(answer).unwrap(), expect);
        assert_eq!(parse_names(b"\0\0\x11\x11").unwrap(), vec![]);
    }

    #[test]
    fn what_is_not_a_list_of_names_is_refused() {
        for answer in [
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            b"",
            b"\0\0",
            b"\0\0\x11\x11name x at port 70000\n",
            b"\0\0\x11\x11\xff\xfe",
        ] {
            parse_names(answer).unwrap_err();
        }
    }

    #[test]
    fn a_port_answer_is_read_as_it_comes() {
        let mut answer = vec![PORT2_RESP, 0, 0x9c, 0xbb, 77, 0, 0, 6, 0, 5, 0, 4];
        answer.extend_from_slice(b"shop\0\0");
        for cut in 0..8 {
            assert_eq!(parse_port(&answer[..cut]), Ok(None), "{cut}");
        }
        let expect = Registration { port: 40123, version_max: 6 };
        assert_eq!(parse_port(&answer), Ok(Some(Some(expect))));
        assert_eq!(parse_port(&[PORT2_RESP, 1]), Ok(Some(None)));
        parse_port(b"SSH-2.0").unwrap_err();
    }

    #[test]
    fn requests_are_as_specified() {
        assert_eq!(names_request(), [0, 1, 110]);
        assert_eq!(port_request("shop"), [0, 5, 122, b's', b'h', b'o', b'p']);
    }

    #[test]
    fn an_unknown_name_comes_with_the_known_ones() {
        let name: NodeName = "shop@db1".parse().unwrap();
        let known = vec![("Shop".to_owned(), 1), ("other".to_owned(), 2)];
        let text = unknown(&name, 4369, &known).to_string();
        assert!(text.contains("Shop, other"), "{text}");
        assert!(text.contains("did you mean `Shop@db1`"), "{text}");
        assert!(unknown(&name, 4369, &[]).to_string().contains("no node at all"));
    }
}
