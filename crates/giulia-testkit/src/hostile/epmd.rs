//! An EPMD that lies, stalls, or is none.

use std::io;

use super::Client;

/// How a hostile EPMD behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EpmdPeer {
    /// Knows every name, under the port of the hostile node.
    Finds,
    /// Takes the question and never answers.
    Silent,
    /// Closes as soon as it is asked.
    ClosesAtOnce,
    /// Answers as a web server would.
    Http,
    /// Answers with the first three bytes and closes.
    HalfAnswer,
    /// Answers one byte a second.
    OneBytePerSecond,
    /// Announces an `Extra` field of 65,535 bytes and never ends the names it lists.
    Endless,
}

/// `NAMES_REQ`; anything else is taken for a question about one name.
const NAMES_REQ: u8 = 110;

/// `ALIVE2_REQ`: a real node that registers here, to be pointed at the hostile one.
const ALIVE2_REQ: u8 = 120;

pub(super) fn talk(peer: EpmdPeer, client: &mut Client, dist_port: u16) -> io::Result<()> {
    let request = read_request(client)?;
    if request.first() == Some(&ALIVE2_REQ) {
        // ALIVE2_X_RESP, accepted, creation 1.
        client.write(&[118, 0, 0, 0, 0, 1])?;
        return client.swallow();
    }
    let is_names = request.first() == Some(&NAMES_REQ);
    let answer = if is_names { names(dist_port) } else { port2(&request, dist_port) };
    match peer {
        EpmdPeer::Finds => client.write(&answer),
        EpmdPeer::Silent => client.swallow(),
        EpmdPeer::ClosesAtOnce => Ok(()),
        EpmdPeer::Http => client.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
        EpmdPeer::HalfAnswer => client.write(answer.get(..3).unwrap_or_default()),
        EpmdPeer::OneBytePerSecond => client.drip(&answer),
        EpmdPeer::Endless => endless(client, is_names, answer),
    }
}

fn read_request(client: &mut Client) -> io::Result<Vec<u8>> {
    let mut length = [0; 2];
    client.read_exact(&mut length)?;
    let mut request = vec![0; usize::from(u16::from_be_bytes(length))];
    client.read_exact(&mut request)?;
    Ok(request)
}

/// Four bytes of EPMD's own port, then text.
fn names(dist_port: u16) -> Vec<u8> {
    let mut answer = 4369_u32.to_be_bytes().to_vec();
    answer.extend_from_slice(format!("name hostile at port {dist_port}\n").as_bytes());
    answer
}

/// `PORT2_RESP`: result, port, node type, protocol, versions 6 to 5, name, no extra.
fn port2(request: &[u8], dist_port: u16) -> Vec<u8> {
    let name = request.get(1..).unwrap_or_default();
    let mut answer = vec![119, 0];
    answer.extend_from_slice(&dist_port.to_be_bytes());
    answer.extend_from_slice(&[77, 0, 0, 6, 0, 5]);
    answer.extend_from_slice(&u16::try_from(name.len()).unwrap_or(0).to_be_bytes());
    answer.extend_from_slice(name);
    answer.extend_from_slice(&[0, 0]);
    answer
}

fn endless(client: &mut Client, is_names: bool, mut answer: Vec<u8>) -> io::Result<()> {
    if !is_names {
        answer.truncate(answer.len() - 2);
        answer.extend_from_slice(&[0xff, 0xff]);
    }
    client.write(&answer)?;
    loop {
        client.write(b"name nobody at port 1\n")?;
    }
}
