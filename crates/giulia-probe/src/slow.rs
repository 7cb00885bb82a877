//! The parts of a snapshot that are worth asking now and then, not at every tick.

use giulia_model::{NotSeen, Snapshot};

use crate::{
    answer::{self, Answer, Problem},
    gates::Caution,
    link::Link,
    probes::{allocators, binaries, links, logger, ports, supervision},
};

/// They travel together, so their price has one name.
const TOGETHER: &str = "allocators, logger, links, ports, supervision, binaries";

/// Asks for allocators, log handlers, connections to other nodes, ports, supervision trees and
/// binaries held, in one round trip and up to three small ones for names.
///
/// What cannot be seen is in [`Snapshot::not_seen`] with its reason. The impact is brought up to
/// date. With `--no-eval` the allocators alone are asked.
pub async fn slow_parts(link: &Link, seen: &mut Snapshot) {
    let caution = link.caution();
    let us = link.connection().local_name().to_owned();
    let mut questions = allocators::questions();
    if !link.no_eval() {
        questions.push(logger::question(caution != Caution::None));
        questions.push(links::question(&us));
        questions.push(ports::question(&us));
        if caution == Caution::None {
            questions.push(supervision::question(link.erts()));
            questions.push(binaries::question(&us));
        }
    }
    let answers = link.ask_all(TOGETHER, &questions).await;
    let read = allocators::read(answers.get(..1).unwrap_or_default());
    seen.allocators = part(seen, allocators::PROBE.name, read);
    if link.no_eval() {
        seen.not_seen.push(NotSeen {
            what: "log handlers, connections to nodes, ports, supervision, binaries held".into(),
            why: "with --no-eval they would take a question each; not asked".to_owned(),
        });
    } else {
        evaluated(link, &answers, seen).await;
        if caution != Caution::None {
            seen.not_seen.push(NotSeen {
                what: "supervision and binaries held".to_owned(),
                why: "a bug of this ERTS makes asking many processes dangerous (`giulia doctor` \
                      prints it)"
                    .to_owned(),
            });
        }
    }
    seen.impact = link.impact();
}

/// The answers behind the first, as far as they were asked.
async fn evaluated(link: &Link, answers: &[Answer], seen: &mut Snapshot) {
    let read = logger::read(answers.get(1..2).unwrap_or_default());
    seen.logger = part(seen, logger::PROBE.name, read);
    let read = links::read(answers.get(2..3).unwrap_or_default());
    seen.links = part(seen, links::PROBE.name, read);
    let read = match bytes(answers, 3) {
        Ok(bytes) => ports::read(link, bytes).await,
        Err(why) => Err(why),
    };
    seen.ports = part(seen, ports::PROBE.name, read);
    if answers.len() < 6 {
        return;
    }
    let read = bytes(answers, 4).and_then(supervision::read);
    seen.supervision = part(seen, supervision::PROBE.name, read);
    let read = match bytes(answers, 5) {
        Ok(bytes) => binaries::read(link, bytes).await,
        Err(why) => Err(why),
    };
    seen.binaries = part(seen, binaries::PROBE.name, read);
}

fn bytes(answers: &[Answer], idx: usize) -> Result<&[u8], Problem> {
    match answers.get(idx) {
        Some(Ok(bytes)) => Ok(bytes),
        Some(Err(why)) => Err(why.clone()),
        None => answer::term(answers, idx).map(|_| [].as_slice()),
    }
}

fn part<T>(seen: &mut Snapshot, what: &str, read: Result<T, Problem>) -> Option<T> {
    let missing = |why: Problem| NotSeen { what: what.to_owned(), why: why.to_string() };
    read.map_err(|why| seen.not_seen.push(missing(why))).ok()
}
