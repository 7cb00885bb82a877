//! What recording costs here: bytes a tick, appends a second, opening and reading of many.
//!
//! `cargo run --release -p giulia-store --example measure -- FOLDER TICK.json…` with the answers
//! of `giulia snapshot --json`, one a tick, best without blanks; the store is made in FOLDER.
#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use giulia_model::Session;
use giulia_store::{Kind, Mode, Store};

/// Ticks of the long session.
const N_TICKS: usize = 10_000;

const PATIENCE: Duration = Duration::from_mins(2);

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let folder = args.next().ok_or("which folder?")?;
    let ticks: Vec<_> = args.map(fs::read).collect::<Result<_, _>>()?;
    let path = folder.join("measured.db");
    let store = Store::open(&path, Mode::ReadWrite)?;

    record(&store, "real", &ticks, false)?;
    let n_raw: usize = ticks.iter().map(Vec::len).sum();
    let bytes = store.find("real")?.bytes;
    println!("{} bytes a tick, {} stored", n_raw / ticks.len(), bytes / ticks.len() as u64);

    let many: Vec<_> = (0..N_TICKS).map(|it| varied(&ticks, it)).collect();
    let flushed = record(&store, "flushed", many.get(..500).unwrap_or(&many), true)?;
    println!("{:?} an append that is waited for", flushed / 500);
    let appended = record(&store, "many", &many, false)?;
    println!("{:?} an append, {N_TICKS} at once", appended / u32::try_from(N_TICKS)?);
    drop(store);
    read(&path)
}

fn read(path: &Path) -> Result<(), Box<dyn Error>> {
    let began = Instant::now();
    let store = Store::open(path, Mode::ReadWrite)?;
    println!("{:?} to open, {} bytes", began.elapsed(), fs::metadata(path)?.len());
    let began = Instant::now();
    let n_sessions = store.sessions()?.len();
    println!("{:?} to list {n_sessions} sessions", began.elapsed());
    for limit in [10, 100, 1_000] {
        let began = Instant::now();
        let (mut after, mut n_read) = (None, 0);
        loop {
            let page = store.records("many", &[Kind::Tick], after, limit)?;
            let Some(last) = page.last() else { break };
            after = Some(last.seq);
            n_read += page.len();
        }
        println!("{:?} to read {n_read} ticks by {limit}", began.elapsed());
    }
    let began = Instant::now();
    let n_marks = store.records("many", &[Kind::Mark], None, 100)?.len();
    println!("{:?} to find {n_marks} marks among them", began.elapsed());
    let mut export = Vec::new();
    let began = Instant::now();
    store.export("many", &mut export)?;
    println!("{:?} to export to {} bytes", began.elapsed(), export.len());
    let began = Instant::now();
    store.import(export.as_slice(), Some("back"))?;
    println!("{:?} to import", began.elapsed());
    let began = Instant::now();
    store.delete("many")?;
    println!("{:?} to delete", began.elapsed());
    Ok(())
}

fn record(
    store: &Store,
    name: &str,
    ticks: &[Vec<u8>],
    flush: bool,
) -> Result<Duration, Box<dyn Error>> {
    let head: Session = serde_json::from_value(serde_json::json!({
        "name": name, "node": "n@h", "started_at": "2026-01-01T00:00:00Z", "every_ms": 1000,
        "ticks": 0, "ticks_missed": 0, "manifest": [], "giulia_version": "0",
    }))?;
    let recorder = store.begin(&head)?;
    let began = Instant::now();
    for (place, it) in ticks.iter().enumerate() {
        recorder.append(Kind::Tick, place as u64 * 1_000, it.clone())?;
        if flush {
            recorder.flush(PATIENCE)?;
        }
    }
    recorder.flush(PATIENCE)?;
    let took = began.elapsed();
    recorder.finish(&head)?;
    Ok(took)
}

/// One of the real ticks with one digit of sixteen changed, as there are not enough of them.
fn varied(ticks: &[Vec<u8>], place: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32.wrapping_mul(u32::try_from(place).unwrap_or(0) + 1) | 1;
    let mut tick = ticks.iter().cycle().nth(place % ticks.len()).cloned().unwrap_or_default();
    for it in tick.iter_mut().filter(|it| it.is_ascii_digit()) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        if state.is_multiple_of(16) {
            *it = b'0' + state.to_le_bytes()[3] % 10;
        }
    }
    tick
}
