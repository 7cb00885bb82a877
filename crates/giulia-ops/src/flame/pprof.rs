//! A profile for `pprof`, Pyroscope, Parca and the like: a protocol buffer, compressed.
//!
//! Fields and numbers as in <https://github.com/google/pprof/blob/main/proto/profile.proto>;
//! the encoding as in <https://protobuf.dev/programming-guides/encoding/>, of which a profile needs
//! two kinds: whole numbers and what has a length.

use std::{collections::HashMap, io::Write as _};

use flate2::{Compression, write::GzEncoder};
use giulia_model::{Flame, FlameOf, FlameStack};

use super::{name, notes, subtitle, title, tree};
use crate::Writer;

pub(super) const WRITER: Writer<Flame> =
    Writer { name: "pprof", endings: &[".pb.gz", ".pprof", ".pb"], write };

/// Fields of `Profile`.
mod profile {
    pub(super) const SAMPLE_TYPE: u64 = 1;
    pub(super) const SAMPLE: u64 = 2;
    pub(super) const LOCATION: u64 = 4;
    pub(super) const FUNCTION: u64 = 5;
    pub(super) const STRING_TABLE: u64 = 6;
    pub(super) const DURATION_NANOS: u64 = 10;
    pub(super) const PERIOD_TYPE: u64 = 11;
    pub(super) const PERIOD: u64 = 12;
    pub(super) const COMMENT: u64 = 13;
}

fn write(it: &Flame) -> Vec<u8> {
    let bytes = encoded(it);
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    // Writing into memory does not fail; plain is a profile too.
    match packed.write_all(&bytes).and_then(|()| packed.finish()) {
        Ok(packed) => packed,
        Err(_) => bytes,
    }
}

fn encoded(it: &Flame) -> Vec<u8> {
    let mut names = Names::default();
    // The first string is empty.
    names.of("");
    let mut whole = Message::default();
    let period_ns = if it.rate_hz > 0.0 { nanoseconds(1.0 / it.rate_hz) } else { 0 };
    let kind = match it.of {
        FlameOf::Running => "cpu",
        FlameOf::Waiting => "waiting",
    };
    whole.message(profile::SAMPLE_TYPE, &names.value_type("samples", "count"));
    whole.message(profile::SAMPLE_TYPE, &names.value_type(kind, "nanoseconds"));
    let mut places = Places::default();
    for stack in &it.stacks {
        let sample = places.sample(stack, period_ns, &mut names);
        whole.message(profile::SAMPLE, &sample);
    }
    for message in &places.locations {
        whole.message(profile::LOCATION, message);
    }
    for message in &places.functions {
        whole.message(profile::FUNCTION, message);
    }
    whole.uint(profile::DURATION_NANOS, nanoseconds(it.window_ms / 1000.0));
    whole.message(profile::PERIOD_TYPE, &names.value_type(kind, "nanoseconds"));
    whole.uint(profile::PERIOD, period_ns);
    for text in [title(it), subtitle(it)].into_iter().chain(notes(it)) {
        whole.uint(profile::COMMENT, names.of(&text));
    }
    // Last, because everything above adds to it; the order of fields is free.
    for name in &names.all {
        whole.bytes(profile::STRING_TABLE, name.as_bytes());
    }
    whole.0
}

/// Locations and functions, each once.
#[derive(Default)]
struct Places {
    ids: HashMap<(u64, u64, u64), u64>,
    locations: Vec<Message>,
    function_ids: HashMap<(u64, u64), u64>,
    functions: Vec<Message>,
}

impl Places {
    /// A `Sample`: innermost location first, the count and the time, its group as a label.
    fn sample(&mut self, stack: &FlameStack, period_ns: u64, names: &mut Names) -> Message {
        let mut ids: Vec<u64> = Vec::new();
        for frame in &stack.stack {
            let file = names.of(frame.file.as_deref().unwrap_or_default());
            let function = names.of(&name(&frame.function));
            ids.push(self.location(function, file, frame.line.unwrap_or_default().into()));
        }
        let said = tree::path(stack);
        let extra = said.len().saturating_sub(stack.stack.len());
        for (word, _) in said.iter().take(extra).rev() {
            let word = names.of(word);
            ids.push(self.location(word, 0, 0));
        }
        let mut sample = Message::default();
        sample.packed(1, &ids);
        sample.packed(2, &[stack.samples, stack.samples.saturating_mul(period_ns)]);
        let mut label = Message::default();
        label.uint(1, names.of("group"));
        label.uint(2, names.of(&stack.group));
        sample.message(3, &label);
        sample
    }

    /// The id of a `Location`: a function and a line of it.
    fn location(&mut self, name: u64, file: u64, line: u64) -> u64 {
        let function = self.function(name, file);
        let next = id(self.ids.len());
        let known = *self.ids.entry((name, file, line)).or_insert(next);
        if known == next {
            let mut at = Message::default();
            at.uint(1, function);
            at.uint(2, line);
            let mut location = Message::default();
            location.uint(1, next);
            location.message(4, &at);
            self.locations.push(location);
        }
        known
    }

    fn function(&mut self, name: u64, file: u64) -> u64 {
        let next = id(self.function_ids.len());
        let known = *self.function_ids.entry((name, file)).or_insert(next);
        if known == next {
            let mut function = Message::default();
            function.uint(1, next);
            function.uint(2, name);
            function.uint(3, name);
            function.uint(4, file);
            self.functions.push(function);
        }
        known
    }
}

/// Ids begin with 1.
fn id(known: usize) -> u64 {
    u64::try_from(known).unwrap_or(u64::MAX).saturating_add(1)
}

/// The string table.
#[derive(Default)]
struct Names {
    all: Vec<String>,
    places: HashMap<String, u64>,
}

impl Names {
    fn of(&mut self, name: &str) -> u64 {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        let place = u64::try_from(self.all.len()).unwrap_or(u64::MAX);
        self.all.push(name.to_owned());
        self.places.insert(name.to_owned(), place);
        place
    }

    fn value_type(&mut self, kind: &str, unit: &str) -> Message {
        let mut message = Message::default();
        message.uint(1, self.of(kind));
        message.uint(2, self.of(unit));
        message
    }
}

/// A protocol buffer under construction.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    /// A whole number; none where it is 0, which is what is read without one.
    fn uint(&mut self, field: u64, value: u64) {
        if value != 0 || field == profile::COMMENT {
            self.varint(field << 3);
            self.varint(value);
        }
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.0.extend_from_slice(bytes);
    }

    fn message(&mut self, field: u64, message: &Self) {
        self.bytes(field, &message.0);
    }

    fn packed(&mut self, field: u64, values: &[u64]) {
        let mut all = Self::default();
        for value in values {
            all.varint(*value);
        }
        self.message(field, &all);
    }

    /// Seven bits a byte, the lowest first; the eighth says that more follow.
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.0.push(value.to_le_bytes()[0]);
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float to an integer saturates, and times are positive"
)]
fn nanoseconds(seconds: f64) -> u64 {
    (seconds * 1e9).round() as u64
}
