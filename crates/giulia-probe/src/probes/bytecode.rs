//! Question: what is the bytecode of a loaded module?
//!
//! Call: `code:which/1`, then `prim_file:read_file/1` of that path, in the process that asks: the
//! code server itself is asked for no file. What lies in an archive is read by
//! `erl_prim_loader:get_file/1`, whose process no code waits for that is loaded already. Whether it
//! is what was read before: `erlang:get_module_info/2`.
//! First OTP: 23.
//! Cost: constant in processes; a file read of some 10 to 500 KB.
//! Limit: files up to what a reply may have; not those preloaded or made in memory.
//! What was loaded may be older than its file; nobody can tell that from here without the code.
//! Side effects: none.

use std::time::Duration;

use giulia_dist::term::Term;

use super::Probe;
use crate::{
    answer::{self, Bif, Problem, unexpected},
    link::{HEAP_WORDS, Link},
};

pub(crate) const PROBE: Probe =
    Probe { name: "bytecode", question: "what is the bytecode of a loaded module?" };

/// Why there is no bytecode of a module.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoBytecode(String);

/// The bytes of the file that a module was loaded from, as it is now. The name is one that the
/// node told.
///
/// # Errors
///
/// When there is no such file or the node does not answer.
pub async fn loaded_bytecode(link: &Link, module: &str) -> Result<Vec<u8>, NoBytecode> {
    read(link, module).await.map_err(|it| NoBytecode(it.to_string()))
}

/// The same, with the path of the file.
///
/// # Errors
///
/// When there is no such file or the node does not answer.
pub async fn loaded_file(link: &Link, module: &str) -> Result<(String, Vec<u8>), NoBytecode> {
    file(link, module).await.map_err(|it| NoBytecode(it.to_string()))
}

/// What `module_info(md5)` says of a loaded module; none when it says nothing.
///
/// # Errors
///
/// When the module is not loaded any more or the node does not answer.
pub async fn loaded_md5(link: &Link, module: &str) -> Result<Option<[u8; 16]>, NoBytecode> {
    let arguments = [Term::atom(module.to_owned()), Term::atom("md5")];
    let asked = Bif::new("erlang", "get_module_info", arguments);
    let failed = |it: Problem| NoBytecode(it.to_string());
    let reply = link.ask(PROBE.name, &asked, HEAP_WORDS, Duration::ZERO).await;
    let reply = reply.map_err(failed)?;
    let told = Term::decode(&reply).map_err(|it| failed(it.into()))?;
    Ok(told.as_binary().and_then(|it| it.try_into().ok()))
}

/// The same of many, with one question; nothing of those that do not say.
pub async fn loaded_md5s(link: &Link, modules: &[&str]) -> Vec<Option<[u8; 16]>> {
    let asked: Vec<Bif> = modules
        .iter()
        .map(|it| {
            let arguments = [Term::atom((*it).to_owned()), Term::atom("md5")];
            Bif::new("erlang", "get_module_info", arguments)
        })
        .collect();
    let answers = link.ask_all(PROBE.name, &asked).await;
    (0..asked.len())
        .map(|idx| answer::term(&answers, idx).ok()?.as_binary()?.try_into().ok())
        .collect()
}

async fn read(link: &Link, module: &str) -> Result<Vec<u8>, Problem> {
    Ok(file(link, module).await?.1)
}

async fn file(link: &Link, module: &str) -> Result<(String, Vec<u8>), Problem> {
    let asked = Bif::new("code", "which", [Term::atom(module.to_owned())]);
    let reply = link.ask(PROBE.name, &asked, HEAP_WORDS, Duration::ZERO).await?;
    let path = Term::decode(&reply)?.into_owned();
    if let Some(why) = path.as_atom() {
        return Err(Problem(format!("{module} has no file on the node ({why})")));
    }
    let shown = text(&path);
    let asked = Bif::new("prim_file", "read_file", [path.clone()]);
    let reply = link.ask(PROBE.name, &asked, HEAP_WORDS, Duration::ZERO).await?;
    let told = Term::decode(&reply)?;
    if let Some([ok, bytes]) = told.as_tuple()
        && ok.is_atom("ok")
    {
        let bytes = bytes.as_binary().map(<[u8]>::to_vec);
        return Ok((shown, bytes.ok_or_else(|| unexpected(&told))?));
    }
    // A path into an archive is none to the file system.
    let asked = Bif::new("erl_prim_loader", "get_file", [path]);
    let reply = link.ask(PROBE.name, &asked, HEAP_WORDS, Duration::ZERO).await?;
    let archived = Term::decode(&reply)?;
    match archived.as_tuple() {
        Some([ok, bytes, _]) if ok.is_atom("ok") => {
            let bytes = bytes.as_binary().map(<[u8]>::to_vec);
            Ok((shown, bytes.ok_or_else(|| unexpected(&archived))?))
        }
        _ => Err(Problem(format!("its file cannot be read there: {told:.100}"))),
    }
}

/// A list of characters as text.
fn text(path: &Term<'_>) -> String {
    if let Some(bytes) = path.as_binary() {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let characters = path.as_list().unwrap_or_default().iter();
    let character = |it: &Term<'_>| char::from_u32(u32::try_from(it.as_int()?).ok()?);
    characters.map(|it| character(it).unwrap_or('?')).collect()
}
