//! 18,500 `process_info` lists in one term: our readers against `eetf`, in one run.
//!
//! The lists are those of a real node (`fixtures/terms/process_info.etf`), repeated. The arms
//! take turns, so that a slow moment of the machine hits all of them; the best round counts.
//!
//! `cargo bench -p giulia-term --bench term [-- ROUNDS]`
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a measurement that is read by people"
)]

use std::{borrow::Cow, env, fs, hint::black_box, time::Instant};

use giulia_term::{DecodeError, Limits, Pid, Reader, Term, validate};

/// As many processes as the comparison of decoders had that chose our own.
const LISTS: u32 = 18_500;

/// A tree of them all has more nodes than anything that giulia reads as a tree.
const LIMITS: Limits = Limits { tree_nodes_max: 10_000_000, ..Limits::DEFAULT };

type Arm = (&'static str, fn(&[u8]) -> usize);

const ARMS: [Arm; 4] = [("eetf", eetf), ("tree", tree), ("pull", pull), ("validate", check)];

fn main() {
    let rounds = env::args().skip(1).find_map(|it| it.parse().ok()).unwrap_or(9);
    let bytes = process_infos();
    let mut best = [f64::INFINITY; ARMS.len()];
    let mut counts = [0; ARMS.len()];
    for round in 0..=rounds {
        for (index, (_, arm)) in ARMS.iter().enumerate() {
            let start = Instant::now();
            let count = black_box(arm(black_box(&bytes)));
            let seconds = start.elapsed().as_secs_f64();
            // The first round warms the caches and the allocator.
            if round > 0 {
                best[index] = best[index].min(seconds);
            }
            counts[index] = count;
        }
    }
    let megabytes = bytes.len() as f64 / 1e6;
    println!("{LISTS} process_info lists, {megabytes:.1} MB, best of {rounds} interleaved rounds");
    for (index, (name, _)) in ARMS.iter().enumerate() {
        let (seconds, speed) = (best[index], megabytes / best[index]);
        let ratio = best[0] / best[index];
        println!(
            "{name:>8}: {:7.1} ms  {speed:6.0} MB/s  {ratio:5.1} x eetf  ({})",
            seconds * 1e3,
            counts[index]
        );
    }
}

fn process_infos() -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/terms/process_info.etf");
    let recorded = fs::read(path).unwrap();
    let mut inflated = Vec::new();
    let mut reader = Reader::versioned(&recorded, &LIMITS, &mut inflated).unwrap();
    let mut lists = Vec::new();
    reader.each(|it| it.raw().map(|it| lists.push(it))).unwrap();
    let mut bytes = vec![131, 108];
    bytes.extend(LISTS.to_be_bytes());
    lists.iter().cycle().take(LISTS as usize).for_each(|it| bytes.extend_from_slice(it));
    bytes.push(106);
    bytes
}

fn eetf(bytes: &[u8]) -> usize {
    let eetf::Term::List(it) = eetf::Term::decode(bytes).unwrap() else { return 0 };
    it.elements.len()
}

fn tree(bytes: &[u8]) -> usize {
    Term::decode_with(&bytes[1..], &LIMITS).unwrap().as_list().unwrap().len()
}

fn check(bytes: &[u8]) -> usize {
    validate(&bytes[1..], &LIMITS).map(|()| LISTS as usize).unwrap()
}

/// What a process table wants of each process.
#[derive(Default)]
struct Process<'a> {
    name: Option<Cow<'a, str>>,
    current: Option<(Cow<'a, str>, Cow<'a, str>, u64)>,
    initial: Option<(Cow<'a, str>, Cow<'a, str>, u64)>,
    status: Option<Cow<'a, str>>,
    mailbox_len: u64,
    links: Vec<Pid>,
    leader: Option<Pid>,
    total_heap_words: u64,
    heap_words: u64,
    stack_words: u64,
    reductions: u64,
    trap_exit: bool,
    minor_gcs: u64,
}

fn pull(bytes: &[u8]) -> usize {
    let mut processes = Vec::new();
    let mut reader = Reader::new(&bytes[1..]);
    reader.each(|it| process(it).map(|it| processes.push(it))).unwrap();
    reader.finish().unwrap();
    assert!(processes.iter().all(|it| it.reductions > 0 && it.leader.is_some()));
    processes.len()
}

fn process<'a>(reader: &mut Reader<'a>) -> Result<Process<'a>, DecodeError> {
    let mut process = Process::default();
    reader.each(|it| {
        it.tuple_of(2)?;
        match &*it.atom()? {
            "registered_name" => process.name = Some(it.atom()?),
            "current_function" => process.current = Some(mfa(it)?),
            "initial_call" => process.initial = Some(mfa(it)?),
            "status" => process.status = Some(it.atom()?),
            "message_queue_len" => process.mailbox_len = it.uint()?,
            "links" => it.each(|it| pid_or_port(it, &mut process.links))?,
            "group_leader" => process.leader = Some(it.pid()?),
            "total_heap_size" => process.total_heap_words = it.uint()?,
            "heap_size" => process.heap_words = it.uint()?,
            "stack_size" => process.stack_words = it.uint()?,
            "reductions" => process.reductions = it.uint()?,
            "trap_exit" => process.trap_exit = it.boolean()?,
            "garbage_collection" => it.each(|it| {
                it.tuple_of(2)?;
                if it.atom_is("minor_gcs") {
                    process.minor_gcs = it.uint()?;
                    return Ok(());
                }
                it.skip()?;
                it.skip()
            })?,
            _ => it.skip()?,
        }
        Ok(())
    })?;
    black_box((&process.current, &process.initial, &process.status, &process.name));
    Ok(process)
}

fn mfa<'a>(reader: &mut Reader<'a>) -> Result<(Cow<'a, str>, Cow<'a, str>, u64), DecodeError> {
    reader.tuple_of(3)?;
    Ok((reader.atom()?, reader.atom()?, reader.uint()?))
}

fn pid_or_port(reader: &mut Reader<'_>, links: &mut Vec<Pid>) -> Result<(), DecodeError> {
    match reader.pid() {
        Ok(it) => links.push(it),
        Err(_) => reader.skip()?,
    }
    Ok(())
}
