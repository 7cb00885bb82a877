//! Question: which ports and sockets are open, and what goes through them?
//!
//! Call: evaluated (`erl/ports.erl`): `erlang:ports/0`, `erlang:port_info/2` of five items,
//! `inet:getstat/2` of those of `inet`;
//! `socket:which_sockets/0` and `socket:info/1` where that module is loaded; then of the first few
//! `inet:peername/1` and their owners' names.
//! First OTP: 23; sockets from OTP 24.
//! Cost: constant in processes; 3 µs a port, 10 µs a socket.
//! Limit: 2,000 ports, 2,000 sockets, the rest is counted; not asked with `--no-eval`.
//! Side effects: none. A port that is just being written to answers when it is done. The port of our
//! own connection is left out.

use std::collections::HashMap;

use giulia_dist::term::{Limits, Pid, Port, Reader, Term};
use giulia_model::{PortKind, PortRow, Ports};

use super::Probe;
use crate::{
    answer::{self, Bif, Problem},
    eval,
    link::Link,
    naming, paged,
};

pub(crate) const PROBE: Probe = Probe {
    name: "ports",
    question: "which ports and sockets are open, and what goes through them?",
};

/// Ports that are asked, and sockets.
const MOST: i64 = 2000;
/// Rows of each list, and kinds: a page of a report.
const TOP: usize = 20;
/// A program's name may be any text.
const KIND_CHARS_MAX: usize = 60;

/// One that was asked.
#[derive(Debug, Clone)]
struct Open {
    port: Option<Port>,
    row: PortRow,
    owner: Option<Pid>,
}

pub(crate) fn question(us: &str) -> Bif {
    eval::PORTS.with(Term::tuple([Term::atom(us.to_owned()), Term::int(MOST)]))
}

pub(crate) async fn read(link: &Link, bytes: &[u8]) -> Result<Ports, Problem> {
    let mut inflated = Vec::new();
    let whole =
        Reader::versioned(answer::packed(bytes)?, &Limits::DEFAULT, &mut inflated)?.term()?;
    let Some([total, ports, inet, n_sockets, sockets]) = whole.as_tuple() else {
        return Err(answer::unexpected(&whole));
    };
    let inet = inet.as_list().unwrap_or_default().iter();
    let counted: HashMap<Port, [u64; 2]> = inet.filter_map(counted).collect();
    let ports = ports.as_list().unwrap_or_default().iter().filter_map(port).map(|mut it| {
        if let Some([read, written]) = it.port.as_ref().and_then(|it| counted.get(it)) {
            (it.row.input_bytes, it.row.output_bytes) = (*read, *written);
        }
        it
    });
    let sockets = sockets.as_list().unwrap_or_default().iter().filter_map(socket);
    let open: Vec<Open> = ports.chain(sockets).collect();
    let mut by_bytes = open.clone();
    by_bytes.retain(|it| moved(&it.row) > 0);
    by_bytes.sort_by_key(|it| std::cmp::Reverse(moved(&it.row)));
    by_bytes.truncate(TOP);
    let mut by_queue = open.clone();
    by_queue.retain(|it| it.row.queue_bytes.is_some_and(|it| it > 0));
    by_queue.sort_by_key(|it| std::cmp::Reverse(it.row.queue_bytes));
    by_queue.truncate(TOP);
    known(link, [&mut by_bytes, &mut by_queue]).await;
    Ok(Ports {
        total: answer::uint(total)?,
        sockets: answer::uint(n_sockets)?,
        asked: u64::try_from(open.len()).unwrap_or(u64::MAX),
        by_kind: kinds(&open),
        top_by_bytes: by_bytes.into_iter().map(|it| it.row).collect(),
        top_by_queue: by_queue.into_iter().map(|it| it.row).collect(),
    })
}

/// `{{Port, Name, Connected}, {Input, Output}, Queue}`; nothing for one that was closed meanwhile.
fn port(term: &Term<'_>) -> Option<Open> {
    let [who, moved, queue] = term.as_tuple()? else { return None };
    let ([Term::Port(port), name, owner], [input, output]) = (who.as_tuple()?, moved.as_tuple()?)
    else {
        return None;
    };
    let value = |it: &Term<'_>| answer::uint(it.as_tuple()?.get(1)?).ok();
    let owner = owner.as_tuple().and_then(|it| it.get(1)).and_then(Term::as_pid).cloned();
    let name = answer::text(name.as_tuple()?.get(1)?)?;
    let kind = kind(&name);
    let row = PortRow {
        id: Some(port.to_string()),
        kind,
        owner: owner.as_ref().map(|it| giulia_model::Pid(it.local())),
        owner_name: None,
        peer: None,
        input_bytes: value(input)?,
        output_bytes: value(output)?,
        queue_bytes: Some(value(queue)?),
    };
    Some(Open { port: Some(port.clone()), row, owner })
}

/// A driver, descriptors (`0/1`), or a program without its folder and arguments, which are
/// nobody's business and would make every one a kind of its own.
fn kind(name: &str) -> String {
    let program = name.split(' ').next().unwrap_or_default();
    let short = if program.starts_with('/') { program.rsplit('/').next() } else { None };
    short.unwrap_or(program).chars().take(KIND_CHARS_MAX).collect()
}

/// `{Port, {ok, [{recv_oct, Read}, {send_oct, Written}]}}`.
fn counted(term: &Term<'_>) -> Option<(Port, [u64; 2])> {
    let [Term::Port(port), told] = term.as_tuple()? else { return None };
    let told = told.as_tuple()?.get(1)?.as_list()?;
    let bytes = |name: &str| answer::uint(answer::pair(told, name)?).ok();
    Some((port.clone(), [bytes("recv_oct")?, bytes("send_oct")?]))
}

/// `{Owner, Protocol, Type, Read, Written, Peer}`.
fn socket(term: &Term<'_>) -> Option<Open> {
    let [owner, protocol, kind, read, written, peer] = term.as_tuple()? else { return None };
    let protocol = protocol.as_atom().filter(|it| *it != "none").or_else(|| kind.as_atom());
    let owner = owner.as_pid().cloned();
    let row = PortRow {
        id: None,
        kind: format!("socket {}", protocol.unwrap_or_default()),
        owner: owner.as_ref().map(|it| giulia_model::Pid(it.local())),
        owner_name: None,
        peer: address(peer),
        input_bytes: answer::uint(read).ok()?,
        output_bytes: answer::uint(written).ok()?,
        queue_bytes: None,
    };
    Some(Open { port: None, row, owner })
}

/// `{ok, {Address, Port}}`, or `{ok, #{addr := .., port := ..}}`.
fn address(peer: &Term<'_>) -> Option<String> {
    let [ok, peer] = peer.as_tuple()? else { return None };
    let (address, port) = match peer.as_tuple() {
        Some([address, port]) => (address, port),
        _ => (peer.get("addr")?, peer.get("port")?),
    };
    let parts: Option<Vec<u16>> = address
        .as_tuple()?
        .iter()
        .map(|it| it.as_int().and_then(|it| u16::try_from(it).ok()))
        .collect();
    let port = u16::try_from(port.as_int()?).ok().filter(|_| ok.is_atom("ok"))?;
    match parts?.as_slice() {
        [a, b, c, d] => Some(format!("{a}.{b}.{c}.{d}:{port}")),
        parts => {
            let parts: [u16; 8] = parts.try_into().ok()?;
            Some(format!("[{}]:{port}", std::net::Ipv6Addr::from(parts)))
        }
    }
}

fn moved(it: &PortRow) -> u64 {
    it.input_bytes.saturating_add(it.output_bytes)
}

fn kinds(open: &[Open]) -> Vec<PortKind> {
    let mut kinds: HashMap<&str, PortKind> = HashMap::new();
    for it in open {
        let kind = kinds.entry(&it.row.kind).or_insert_with(|| PortKind {
            name: it.row.kind.clone(),
            count: 0,
            input_bytes: 0,
            output_bytes: 0,
            queue_bytes: 0,
        });
        kind.count += 1;
        kind.input_bytes = kind.input_bytes.saturating_add(it.row.input_bytes);
        kind.output_bytes = kind.output_bytes.saturating_add(it.row.output_bytes);
        kind.queue_bytes = kind.queue_bytes.saturating_add(it.row.queue_bytes.unwrap_or(0));
    }
    let mut kinds: Vec<PortKind> = kinds.into_values().collect();
    kinds.sort_by(|left, right| {
        right.count.cmp(&left.count).then_with(|| left.name.cmp(&right.name))
    });
    kinds.truncate(TOP);
    kinds
}

/// Peers and owners of those in the lists; what cannot be told stays absent.
async fn known(link: &Link, mut lists: [&mut Vec<Open>; 2]) {
    let all: Vec<Open> = lists.iter().flat_map(|it| it.iter().cloned()).collect();
    let tcp = all.iter().filter(|it| it.row.kind == "tcp_inet").filter_map(|it| it.port.clone());
    let tcp: Vec<Port> = tcp.collect();
    let owners: Vec<Pid> = all.iter().filter_map(|it| it.owner.clone()).collect();
    let question = Bif::map("inet", "peername", tcp.iter().cloned().map(Term::Port));
    let answers = link.ask_each(PROBE.name, &[question]).await;
    let peers = answer::term(&answers, 0).ok();
    let peers = peers.as_ref().and_then(Term::as_list).unwrap_or_default();
    let peers: HashMap<String, String> = tcp
        .iter()
        .zip(peers)
        .filter_map(|(port, peer)| Some((port.to_string(), address(peer)?)))
        .collect();
    let names = paged::names(link, owners).await;
    for it in lists.iter_mut().flat_map(|it| it.iter_mut()) {
        let id = it.row.id.clone().unwrap_or_default();
        it.row.peer = it.row.peer.take().or_else(|| peers.get(&id).cloned());
        let owner = it.owner.as_ref().and_then(|it| names.get(it));
        it.row.owner_name = owner.map(|it| naming::atom(&it.0).to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_called_by_its_name_alone() {
        assert_eq!(kind("/opt/x/bin/worker --password=1"), "worker");
        assert_eq!((kind("2/2"), kind("tcp_inet")), ("2/2".to_owned(), "tcp_inet".to_owned()));
        assert_eq!(kind(&"x".repeat(100)).len(), 60);
    }

    #[test]
    fn peers_are_read_from_both_kinds_of_address() {
        let ok = |it: Term<'static>| Term::tuple([Term::atom("ok"), it]);
        let four = Term::tuple([10, 0, 0, 7].map(Term::int));
        let peer = ok(Term::tuple([four, Term::int(5432)]));
        assert_eq!(address(&peer).as_deref(), Some("10.0.0.7:5432"));
        let six = Term::tuple([0, 0, 0, 0, 0, 0, 0, 1].map(Term::int));
        let pairs = [(Term::atom("addr"), six), (Term::atom("port"), Term::int(80))];
        assert_eq!(address(&ok(Term::map(pairs))).as_deref(), Some("[::1]:80"));
        let closed = Term::tuple([Term::atom("error"), Term::atom("enotconn")]);
        assert_eq!(address(&closed), None);
    }
}
