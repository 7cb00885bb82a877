//! One call: a process on the target that runs one function and ends with its answer.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

use super::shared::{Outcome, Request, Shared};
use crate::{
    Error, ErrorKind, control,
    term::{DecodeError, Kind, Reader, Reference, Term},
};

/// How long a call may take when nobody says otherwise.
const TIMEOUT: Duration = Duration::from_secs(5);
/// An answer later than this is unusual, and a frozen node worth telling from a slow function.
const NUDGE_AFTER: Duration = Duration::from_millis(500);
/// An exit reason's text is cut off here: enough for a reason and the top of its stack.
const REASON_CHARS_MAX: usize = 400;
/// A reason above this is not made into text at all.
const REASON_BYTES_MAX: usize = 64 << 10;

/// A question: which function with which arguments, and what it may cost.
#[derive(Debug, Clone)]
pub struct Call {
    /// The module.
    pub module: String,
    /// The function.
    pub function: String,
    /// Its arguments.
    pub args: Vec<Term<'static>>,
    /// When to give up and kill the process on the target.
    pub timeout: Duration,
    /// Words of heap after which the VM kills the process; none by default.
    pub max_heap_words: Option<u64>,
    /// Scheduled after normal processes.
    pub low_priority: bool,
}

/// What a call returned.
#[derive(Debug)]
pub struct Reply {
    payload: Bytes,
    value_at: usize,
    request_bytes: usize,
    elapsed: Duration,
}

impl Call {
    /// A call with normal priority, no heap limit and 5 s of time.
    pub fn new(
        module: impl Into<String>,
        function: impl Into<String>,
        args: Vec<Term<'static>>,
    ) -> Self {
        Self {
            module: module.into(),
            function: function.into(),
            args,
            timeout: TIMEOUT,
            max_heap_words: None,
            low_priority: false,
        }
    }

    /// The same with another deadline.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The same, killed by the VM above so many words of heap.
    #[must_use]
    pub fn max_heap_words(mut self, words: u64) -> Self {
        self.max_heap_words = Some(words);
        self
    }

    /// The same, scheduled after normal processes.
    #[must_use]
    pub fn low_priority(mut self) -> Self {
        self.low_priority = true;
        self
    }

    /// `module:function/arity`.
    fn name(&self) -> String {
        format!("{}:{}/{}", self.module, self.function, self.args.len())
    }

    /// Spawn options that both calls and long-lived processes have.
    pub(super) fn options(&self) -> Vec<Term<'static>> {
        let mut options = Vec::new();
        if self.low_priority {
            options.push(Term::tuple([Term::atom("priority"), Term::atom("low")]));
        }
        if let Some(words) = self.max_heap_words {
            let limits = Term::map([
                (Term::atom("size"), Term::uint(words)),
                (Term::atom("kill"), Term::boolean(true)),
                // The kill is ours to report, not the target's log's.
                (Term::atom("error_logger"), Term::boolean(false)),
            ]);
            options.push(Term::tuple([Term::atom("max_heap_size"), limits]));
        }
        options
    }
}

impl Reply {
    /// At the value that the function returned.
    pub fn reader(&self) -> Reader<'_> {
        Reader::new(self.value())
    }

    /// The value as a tree; for small answers.
    ///
    /// # Errors
    ///
    /// When it is not a term, or too large for a tree.
    pub fn term(&self) -> Result<Term<'_>, DecodeError> {
        Term::decode(self.value())
    }

    /// The value's bytes, without a version byte.
    pub fn value(&self) -> &[u8] {
        self.payload.get(self.value_at..).unwrap_or_default()
    }

    /// Bytes of the answer on the wire, frame headers apart.
    pub fn wire_bytes(&self) -> usize {
        self.payload.len()
    }

    /// Bytes of the request on the wire.
    pub fn request_bytes(&self) -> usize {
        self.request_bytes
    }

    /// From the start of the call, the wait for room to write included.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }
}

pub(super) async fn run(shared: &Arc<Shared>, call: &Call) -> Result<Reply, Error> {
    let started = Instant::now();
    let deadline = started + call.timeout;
    let reference = shared.new_reference()?;
    let frame = request(shared, call, &reference)?;
    let request_bytes = frame.len();
    let (sender, receiver) = oneshot::channel();
    shared.register(&reference, Request::Call { answer: sender, pid: None })?;
    // From here on an early return or the drop of this future gives the call up.
    let mut guard = Guard { shared, reference: &reference, was_sent: false };
    shared.queue(frame, deadline).await?;
    guard.was_sent = true;
    shared.count_call();
    let outcome = match wait(shared, receiver, deadline).await {
        Some(Ok(outcome)) => outcome,
        Some(Err(_)) => return Err(shared.gone()),
        None => return Err(late(shared, call)),
    };
    let elapsed = started.elapsed();
    let peer = &shared.peer.name;
    match outcome {
        Outcome::Exit(payload) => {
            let value_at = returned(&payload, &reference).map_err(|it| it.error(call, shared))?;
            Ok(Reply { payload, value_at, request_bytes, elapsed })
        }
        Outcome::NotStarted(why) => Err(Error::new(
            ErrorKind::Raised,
            format!(
                "{peer} started no process for {}: {why}; is it at its limit of processes?",
                call.name()
            ),
        )),
        Outcome::Oversized(n_bytes) => Err(Error::new(
            ErrorKind::Limit,
            format!(
                "the answer of {peer} to {} has more than {n_bytes} bytes and was dropped; ask for less, or raise the limit of one message ({} bytes)",
                call.name(),
                shared.limits.message_bytes_max
            ),
        )),
    }
}

/// Waits for the answer, or for whatever else is waited for; `None` after the deadline.
///
/// A node that says nothing meanwhile is asked for a sign of life, ever more rarely.
pub(super) async fn wait<T>(
    shared: &Shared,
    mut receiver: oneshot::Receiver<T>,
    deadline: Instant,
) -> Option<Result<T, oneshot::error::RecvError>> {
    let mut step = NUDGE_AFTER.min(deadline.saturating_duration_since(Instant::now()) / 2);
    loop {
        let pause = deadline.min(Instant::now() + step);
        match timeout_at(pause, &mut receiver).await {
            Ok(result) => return Some(result),
            Err(_) if pause == deadline => return None,
            Err(_) => {}
        }
        if shared.silent_for() >= step {
            shared.nudge();
        }
        step *= 2;
    }
}

/// Whatever ends a call early ends its process too.
struct Guard<'a> {
    shared: &'a Shared,
    reference: &'a Reference,
    was_sent: bool,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        let Some(Request::Call { pid, .. }) = state.requests.remove(self.reference) else {
            return; // answered
        };
        match pid {
            Some(pid) => {
                state.callers.remove(&pid);
                drop(state);
                self.shared.kill(&pid);
            }
            // The process may be born: it is killed when the node tells its pid.
            None if self.was_sent => {
                let given_up = Request::GivenUp { at: Instant::now() };
                state.requests.insert(self.reference.clone(), given_up);
            }
            None => {}
        }
    }
}

fn request(shared: &Shared, call: &Call, reference: &Reference) -> Result<Vec<u8>, Error> {
    let mut options = call.options();
    // The exit reason of a link is the answer, and we need no monitor beside it: both would
    // carry the whole answer. And a call does not outlive us.
    options.insert(0, Term::atom("link"));
    let us = &shared.call_pid;
    let entry = ("erpc", "execute_call", 4);
    let control = control::spawn_request(reference, us, us, entry, options);
    let arguments = Term::list([
        Term::from(reference.clone()),
        Term::atom(call.module.as_str()),
        Term::atom(call.function.as_str()),
        Term::list(call.args.iter().cloned()),
    ]);
    shared.frame(&control, Some(&arguments))
}

fn late(shared: &Shared, call: &Call) -> Error {
    let (peer, name, timeout) = (&shared.peer.name, call.name(), call.timeout);
    let silent = shared.silent_for();
    // It was asked for a sign of life at half-time or later, and would have had a quarter of
    // the time to give it.
    let text = if silent >= timeout * 3 / 4 {
        format!(
            "{peer} did not answer {name} within {timeout:?} and has sent nothing at all for {silent:.1?}: is it frozen, or the network gone?"
        )
    } else {
        format!(
            "{peer} lives, but {name} did not return within {timeout:?}; its process was killed; ask for less, or give it more time"
        )
    };
    Error::new(ErrorKind::Deadline, text)
}

/// How an exit reason is not an answer.
enum NotReturned {
    Raised { class: String, reason: String },
    Killed,
    Gone,
    Strange,
}

impl NotReturned {
    fn error(self, call: &Call, shared: &Shared) -> Error {
        let (name, peer) = (call.name(), &shared.peer.name);
        let (kind, text) = match self {
            Self::Raised { class, reason } => {
                (ErrorKind::Raised, format!("{name} raised {class} on {peer}: {reason}"))
            }
            Self::Killed => (
                ErrorKind::Killed,
                match call.max_heap_words {
                    Some(words) => format!(
                        "{name} was killed on {peer}, most likely by its heap limit of {words} words; ask for less at once"
                    ),
                    None => format!("{name} was killed on {peer} by somebody there"),
                },
            ),
            Self::Gone => return shared.gone(),
            Self::Strange => (
                ErrorKind::Protocol,
                format!("{peer} answered {name} with something else than an answer"),
            ),
        };
        Error::new(kind, text)
    }
}

/// Where the value starts in `{Ref, return, Value}`.
fn returned(payload: &[u8], reference: &Reference) -> Result<usize, NotReturned> {
    let mut reader = Reader::new(payload);
    match reader.kind() {
        Ok(Kind::Atom) => return Err(by_name(&mut reader)),
        Ok(Kind::Tuple) => {}
        _ => return Err(NotReturned::Strange),
    }
    let strange = |_| NotReturned::Strange;
    let arity = reader.tuple().map_err(strange)?;
    // `{undef, Stack}` and its like: the process ended without running the function.
    if arity < 3 || reader.kind().map_err(strange)? != Kind::Reference {
        return Err(NotReturned::Raised { class: "exit".to_owned(), reason: shown(payload) });
    }
    if reader.reference().map_err(strange)? != *reference {
        return Err(NotReturned::Strange);
    }
    if reader.atom_is("return") {
        return Ok(reader.position());
    }
    let class = reader.atom().map_err(strange)?.into_owned();
    let mut reason = shown(reader.raw().map_err(strange)?);
    if arity > 3
        && let Ok(stack) = reader.raw()
    {
        let _ = write!(reason, " at {}", shown(stack));
    }
    Err(NotReturned::Raised { class, reason: cut(reason) })
}

fn by_name(reader: &mut Reader<'_>) -> NotReturned {
    match reader.atom().as_deref() {
        Ok("killed") => NotReturned::Killed,
        Ok("noconnection") => NotReturned::Gone,
        Ok(other) => {
            NotReturned::Raised { class: "exit".to_owned(), reason: cut(other.to_owned()) }
        }
        Err(_) => NotReturned::Strange,
    }
}

/// A term in Erlang's writing, bounded.
fn shown(bytes: &[u8]) -> String {
    if bytes.len() > REASON_BYTES_MAX {
        return format!("a term of {} bytes", bytes.len());
    }
    match Term::decode(bytes) {
        Ok(term) => cut(term.to_string()),
        Err(error) => format!("a term that cannot be shown ({error})"),
    }
}

fn cut(text: String) -> String {
    match text.char_indices().nth(REASON_CHARS_MAX) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference() -> Reference {
        Reference::new("us@host", 7, &[1, 2, 3]).unwrap()
    }

    fn check(reason: &Term<'_>) -> Result<Vec<u8>, NotReturned> {
        let mut bytes = Vec::new();
        reason.encode(&mut bytes).unwrap();
        returned(&bytes, &reference()).map(|at| bytes[at..].to_vec())
    }

    #[test]
    fn the_value_is_the_third_element() {
        let reason = Term::tuple([Term::from(reference()), Term::atom("return"), Term::int(5)]);
        assert_eq!(check(&reason).ok().unwrap(), [97, 5]);
    }

    #[test]
    fn exceptions_keep_class_and_reason() {
        for (class, arity) in [("throw", 3), ("exit", 3), ("error", 4)] {
            let mut elements =
                vec![Term::from(reference()), Term::atom(class), Term::atom("oops"), Term::Nil];
            elements.truncate(arity);
            match check(&Term::tuple(elements)) {
                Err(NotReturned::Raised { class: found, reason }) => {
                    assert_eq!(found, class);
                    assert!(reason.starts_with("oops"), "{reason}");
                }
                _ => panic!("{class}"),
            }
        }
        let undef = Term::tuple([Term::atom("undef"), Term::Nil]);
        assert!(matches!(check(&undef), Err(NotReturned::Raised { .. })));
        assert!(matches!(check(&Term::atom("killed")), Err(NotReturned::Killed)));
        assert!(matches!(check(&Term::int(1)), Err(NotReturned::Strange)));
    }

    #[test]
    fn the_answer_to_another_question_is_no_answer() {
        let other = Reference::new("us@host", 7, &[1, 2, 4]).unwrap();
        let reason = Term::tuple([Term::from(other), Term::atom("return"), Term::int(5)]);
        assert!(matches!(check(&reason), Err(NotReturned::Strange)));
    }

    #[test]
    fn long_reasons_are_cut() {
        assert!(cut("ä".repeat(5_000)).chars().count() <= REASON_CHARS_MAX + 1);
        assert!(shown(&vec![0; REASON_BYTES_MAX + 1]).contains("bytes"));
    }
}
