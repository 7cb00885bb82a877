//! What the things of a sample are called, as far as the node says while they are still there.

use std::{collections::HashMap, time::Duration};

use giulia_dist::term::{Pid, Port, Term};
use giulia_model::RestsOnKind;

use super::thing::{Handle, Thing, Who};
use crate::{
    Link,
    answer::{self, Bif},
    link::HEAP_WORDS,
    naming, paged,
};

/// A kind and a name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Named {
    /// What kind of thing.
    pub kind: RestsOnKind,
    /// Which one.
    pub name: String,
}

/// Handles looked up at a node; the rest keep their kind.
const LOOKED_UP_MAX: usize = 200;

/// Names of all these things; what nobody can tell is absent.
pub async fn name_things(link: &Link, things: &[Thing]) -> HashMap<Thing, Named> {
    let ours = link.connection().peer().name.as_str().to_owned();
    let pids = things.iter().filter_map(|it| match it.process() {
        Some(Who::Pid(pid)) if pid.node.as_str() == ours => Some(pid.clone()),
        Some(Who::Pid(_) | Who::Name(_) | Who::Remote(..)) | None => None,
    });
    let processes: HashMap<Pid, String> = paged::names(link, pids.collect())
        .await
        .into_iter()
        .map(|(pid, (name, _))| (pid, name))
        .collect();
    let mut named = HashMap::new();
    for (asked, thing) in things.iter().enumerate() {
        if *thing == Thing::Unknown {
            continue;
        }
        let name = if let Some(who) = thing.process() {
            process(who, &ours, &processes)
        } else if asked < LOOKED_UP_MAX {
            looked_up(link, thing).await
        } else {
            plain(thing)
        };
        named.insert(thing.clone(), name);
    }
    named
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the others have no handle to look up")]
async fn looked_up(link: &Link, thing: &Thing) -> Named {
    match thing {
        Thing::Table(Handle::Reference(_)) => table(link, thing).await,
        Thing::Socket(handle) | Thing::Tls(handle) | Thing::Port(handle) => {
            socket(link, thing, handle).await
        }
        _ => plain(thing),
    }
}

fn process(who: &Who, ours: &str, names: &HashMap<Pid, String>) -> Named {
    let of = |kind, name| Named { kind, name };
    match who {
        Who::Name(name) => of(RestsOnKind::Process, naming::atom(name).to_owned()),
        Who::Remote(name, node) if node == ours => of(RestsOnKind::Process, name.clone()),
        Who::Remote(name, node) => of(RestsOnKind::RemoteNode, format!("{name} on {node}")),
        Who::Pid(pid) if pid.node.as_str() != ours => {
            of(RestsOnKind::RemoteNode, format!("a process on {}", pid.node.as_str()))
        }
        Who::Pid(pid) => {
            let name = names.get(pid).cloned();
            of(RestsOnKind::Process, name.unwrap_or_else(|| "(unnamed)".to_owned()))
        }
    }
}

/// Without asking.
fn plain(thing: &Thing) -> Named {
    let (kind, name) = match thing {
        Thing::Own | Thing::Unknown => (RestsOnKind::OwnCode, String::new()),
        Thing::Table(handle) => (RestsOnKind::EtsTable, handle.text("a table")),
        Thing::PersistentTerm(key) => (RestsOnKind::PersistentTerm, naming::atom(key).to_owned()),
        Thing::Process(_) => (RestsOnKind::Process, String::new()),
        Thing::Child => (RestsOnKind::ChildProcess, "spawned for it".to_owned()),
        Thing::Node(node) => (RestsOnKind::RemoteNode, node.clone()),
        Thing::Socket(handle) => (RestsOnKind::Socket, handle.text("a closed socket")),
        Thing::Tls(handle) => (RestsOnKind::TlsSocket, handle.text("a closed socket")),
        Thing::Port(handle) => (RestsOnKind::Port, handle.text("a closed port")),
        Thing::File(handle) => (RestsOnKind::File, handle.text("a file opened before")),
        Thing::DiskTable(name) => (RestsOnKind::DiskTable, name.clone()),
        Thing::Timer => (RestsOnKind::Timer, String::new()),
    };
    Named { kind, name }
}

impl Handle {
    fn text(&self, unnamed: &str) -> String {
        match self {
            Self::Name(name) => naming::atom(name).to_owned(),
            Self::Port(_) | Self::Reference(_) | Self::Pid(_) | Self::Unnamed => unnamed.to_owned(),
        }
    }
}

async fn table(link: &Link, thing: &Thing) -> Named {
    let Thing::Table(Handle::Reference(id)) = thing else { return plain(thing) };
    let id = Term::Reference(Box::new(id.clone()));
    let asked = Bif::new("ets", "info", [id, Term::atom("name")]);
    let name = match ask(link, &asked).await {
        Some(Term::Atom(name)) if name != "undefined" => naming::atom(&name).to_owned(),
        _ => "a table that is gone".to_owned(),
    };
    Named { kind: RestsOnKind::EtsTable, name }
}

/// The peer of a socket; what else a port is.
async fn socket(link: &Link, thing: &Thing, handle: &Handle) -> Named {
    let asked = match handle {
        Handle::Port(port) => Bif::new("inet", "peername", [Term::Port(port.clone())]),
        Handle::Reference(id) => {
            let id = Term::Reference(Box::new(id.clone()));
            Bif::new("socket", "peername", [Term::tuple([Term::atom("$socket"), id])])
        }
        Handle::Name(_) | Handle::Pid(_) | Handle::Unnamed => return plain(thing),
    };
    let Some(peer) = ask(link, &asked).await.as_ref().and_then(peer) else {
        if let (Handle::Port(port), Thing::Port(_)) = (handle, thing) {
            return driver(link, port).await;
        }
        return plain(thing);
    };
    let is_tls = matches!(thing, Thing::Tls(_));
    let kind = if is_tls { RestsOnKind::TlsSocket } else { RestsOnKind::Socket };
    Named { kind, name: peer }
}

async fn driver(link: &Link, port: &Port) -> Named {
    let asked = Bif::new("erlang", "port_info", [Term::Port(port.clone()), Term::atom("name")]);
    let told = ask(link, &asked).await;
    let name = told.as_ref().and_then(Term::as_tuple).and_then(|it| answer::text(it.get(1)?));
    Named { kind: RestsOnKind::Port, name: name.unwrap_or_else(|| "a closed port".to_owned()) }
}

async fn ask(link: &Link, asked: &Bif) -> Option<Term<'static>> {
    let reply = link.ask("spans", asked, HEAP_WORDS, Duration::ZERO).await.ok()?;
    Term::decode(&reply).ok().map(Term::into_owned)
}

/// `{ok, {Address, Port}}`, `{ok, {local, Path}}`, `{ok, #{addr, port}}`.
fn peer(told: &Term<'_>) -> Option<String> {
    let [ok, peer] = told.as_tuple()? else { return None };
    if !ok.is_atom("ok") {
        return None;
    }
    let (address, port) = match peer.as_tuple() {
        Some([address, port]) => (address, port),
        Some(_) => return None,
        None => (peer.get("addr").or_else(|| peer.get("path"))?, peer.get("port")?),
    };
    if address.is_atom("local") {
        return answer::text(port);
    }
    let parts: Option<Vec<i64>> = address.as_tuple()?.iter().map(Term::as_int).collect();
    let port = port.as_int()?;
    let parts = parts?;
    if parts.len() == 4 {
        let parts: Vec<String> = parts.iter().map(i64::to_string).collect();
        return Some(format!("{}:{port}", parts.join(".")));
    }
    let words: Option<Vec<u16>> = parts.iter().map(|it| u16::try_from(*it).ok()).collect();
    let words: [u16; 8] = words?.try_into().ok()?;
    Some(format!("[{}]:{port}", std::net::Ipv6Addr::from(words)))
}
