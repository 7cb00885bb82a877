//! The time of one process in segments: its own, inside a boundary, waiting for somebody.
//!
//! The outermost boundary holds until it returns: what runs inside is how it does its work, and a
//! file is no process although `file:pread` asks one. Waiting outside of boundaries is told by the
//! message that ended it: from a socket, with a reference that was sent out before, from a child,
//! or the timeout of a `receive`.

use std::collections::{BTreeMap, HashMap};

use giulia_dist::term::{Pid, Reference};
use giulia_model::Mfa;

use super::{
    event::{Event, Incoming, To, What},
    thing::{Handles, Thing, Who},
};

/// A stretch of one process's time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Segment {
    pub(crate) from_us: u64,
    pub(crate) to_us: u64,
    /// The event that begins it, whose making is part of the time.
    pub(crate) after: Kind,
    pub(crate) state: State,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum State {
    /// Running outside of boundaries.
    Own,
    /// Could run, and waited for a scheduler.
    Runnable,
    /// Inside a boundary, running or not.
    Boundary { thing: Thing, waits: bool },
    /// Waiting outside of boundaries.
    Waits(Cause),
}

/// What a process waited for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cause {
    Thing(Thing),
    Child(Pid),
    Unknown,
}

/// Whose time it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A process in a call of the function.
    Calls,
    /// A process that others wait for.
    Serves,
}

/// Events whose making takes about the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Entry,
    Call,
    Return,
    Send,
    Received,
    Scheduled,
    Other,
}

/// All events of a sample by process, and who sent what to whom.
#[derive(Debug, Default)]
pub(crate) struct World {
    events: Vec<Vec<Event>>,
    places: HashMap<Pid, usize>,
    /// By receiver: who sent it a message, and with which references.
    sent: HashMap<Pid, Vec<(Pid, Vec<Reference>)>>,
    /// Registered names, as far as somebody asked.
    names: BTreeMap<String, Pid>,
}

struct Frame {
    mfa: Mfa,
    thing: Thing,
}

/// What a process has told others since the beginning of the stretch in question.
#[derive(Default)]
struct Told {
    sends: Vec<(To, Vec<Reference>)>,
    sockets: Vec<Thing>,
    children: Vec<Pid>,
    /// Sockets that it wrote to since it last sent a process anything.
    wrote: Vec<Thing>,
}

/// A process that is woken for less than this and sleeps on was woken by a signal, in microseconds:
/// ten times what being scheduled in and out again takes under this trace.
const WOKEN_US: u64 = 20;

impl World {
    pub(crate) fn new(events: Vec<Event>, names: BTreeMap<String, Pid>) -> Self {
        let mut world = Self { names, ..Self::default() };
        for event in events {
            if let What::Send { to: To::Process(Who::Pid(to)), tags } = &event.what {
                let sent = (event.pid.clone(), tags.references.clone());
                world.sent.entry(to.clone()).or_default().push(sent);
            }
            let next = world.events.len();
            let place = *world.places.entry(event.pid.clone()).or_insert(next);
            match world.events.get_mut(place) {
                Some(its) => its.push(event),
                None => world.events.push(vec![event]),
            }
        }
        for events in &mut world.events {
            let mut next_us = events.iter().map(|it| it.at_us).max().unwrap_or(0);
            for event in events.iter_mut().rev() {
                if event.at_us == 0 {
                    event.at_us = next_us;
                }
                next_us = event.at_us;
            }
        }
        world
    }

    /// The events of each process.
    pub(crate) fn timelines(&self) -> impl Iterator<Item = &[Event]> {
        self.events.iter().map(Vec::as_slice)
    }

    /// The events of a process.
    pub(crate) fn events(&self, pid: &Pid) -> &[Event] {
        let its = self.places.get(pid).and_then(|it| self.events.get(*it));
        its.map(Vec::as_slice).unwrap_or_default()
    }

    pub(crate) fn knows(&self, pid: &Pid) -> bool {
        self.places.contains_key(pid)
    }

    pub(crate) fn pid(&self, who: &Who) -> Option<Pid> {
        match who {
            Who::Pid(pid) => Some(pid.clone()),
            Who::Name(name) => self.names.get(name).cloned(),
            Who::Remote(..) => None,
        }
    }

    /// Segments of events of one process, from the first of them to the last.
    ///
    /// A process that serves waits for its next request too: of it only what answers something that
    /// it asked, or follows what it wrote to a socket, counts as waiting for somebody.
    pub(crate) fn segments(&self, events: &[Event], role: Role) -> Vec<Segment> {
        let mut walk = Walk::new(self, role);
        for (idx, event) in events.iter().enumerate() {
            walk.step(event, events.get(idx + 1..).unwrap_or_default());
        }
        walk.segments
    }

    /// A traced process that sent the one in question a message with one of these references.
    fn sender(&self, to: &Pid, references: &[Reference]) -> Option<Pid> {
        let sent = self.sent.get(to)?;
        let found = sent.iter().find(|(_, its)| its.iter().any(|it| references.contains(it)));
        found.map(|(from, _)| from.clone())
    }
}

struct Walk<'w> {
    world: &'w World,
    role: Role,
    segments: Vec<Segment>,
    frames: Vec<Frame>,
    told: Told,
    last: Option<(u64, Kind)>,
    /// Scheduled out, and why as far as one has looked.
    out: Option<State>,
}

impl<'w> Walk<'w> {
    fn new(world: &'w World, role: Role) -> Self {
        Self {
            world,
            role,
            segments: Vec::new(),
            frames: Vec::new(),
            told: Told::default(),
            last: None,
            out: None,
        }
    }

    fn step(&mut self, event: &Event, rest: &[Event]) {
        self.close(event.at_us);
        let kind = match &event.what {
            What::Entry { .. } => Kind::Entry,
            What::Call { mfa, thing } => {
                self.enter(mfa, thing);
                Kind::Call
            }
            What::Return { mfa } => {
                if let Some(at) = self.frames.iter().rposition(|it| it.mfa == *mfa) {
                    self.frames.truncate(at);
                }
                Kind::Return
            }
            What::ReturnLarge { .. } => {
                self.frames.pop();
                Kind::Return
            }
            What::Left { .. } => Kind::Return,
            What::Send { to, tags } => {
                self.sent(to, tags);
                Kind::Send
            }
            What::Received { .. } => Kind::Received,
            What::Out => {
                self.out = Some(self.why(&event.pid, event.at_us, rest));
                Kind::Scheduled
            }
            What::In => {
                self.out = None;
                Kind::Scheduled
            }
            What::Spawn(child) => {
                self.told.children.push(child.clone());
                Kind::Other
            }
            What::Spawned(_) | What::Exit | What::Other => Kind::Other,
        };
        self.last = Some((event.at_us, kind));
    }

    fn close(&mut self, at_us: u64) {
        let Some((from_us, after)) = self.last else { return };
        let waits = self.out.is_some();
        let state = match (self.frames.first(), &self.out) {
            (Some(outer), _) => State::Boundary { thing: outer.thing.clone(), waits },
            (None, Some(why)) => why.clone(),
            (None, None) => State::Own,
        };
        self.segments.push(Segment { from_us, to_us: at_us.max(from_us), after, state });
    }

    fn enter(&mut self, mfa: &Mfa, thing: &Thing) {
        if self.frames.is_empty() && matches!(thing, Thing::Socket(_) | Thing::Tls(_)) {
            self.told.sockets.push(thing.clone());
            let writes = matches!(mfa.function.as_str(), "send" | "sendto");
            if writes && !self.told.wrote.contains(thing) {
                self.told.wrote.push(thing.clone());
            }
        }
        self.frames.push(Frame { mfa: mfa.clone(), thing: thing.clone() });
    }

    fn sent(&mut self, to: &To, tags: &Handles) {
        // A call by another name than its pid: now its pid is known.
        if let (Some(Frame { thing: Thing::Process(who), .. }), To::Process(now @ Who::Pid(_))) =
            (self.frames.first_mut(), to)
        {
            *who = now.clone();
        } else if self.frames.is_empty() {
            self.told.sends.push((to.clone(), tags.references.clone()));
            if matches!(to, To::Process(_)) {
                // An answer: what comes next is the next request.
                self.told.wrote.clear();
            }
        }
    }

    /// Why a process is scheduled out, by what came next.
    fn why(&self, pid: &Pid, at_us: u64, rest: &[Event]) -> State {
        let (mut rest, mut woken_us) = (rest.iter().peekable(), at_us);
        loop {
            match rest.next() {
                Some(Event { what: What::In, at_us, .. }) => woken_us = *at_us,
                Some(Event { what: What::Out, at_us, .. }) if at_us - woken_us < WOKEN_US => {}
                Some(Event { what: What::Received { about }, .. }) => {
                    let mut cause = self.cause(pid, about);
                    while cause == Cause::Unknown
                        && let Some(Event { what: What::Received { about }, .. }) = rest.peek()
                    {
                        cause = self.cause(pid, about);
                        rest.next();
                    }
                    return State::Waits(cause);
                }
                // The sample ends while it waits.
                None => return State::Waits(Cause::Unknown),
                Some(_) => return State::Runnable,
            }
        }
    }

    fn cause(&self, pid: &Pid, about: &Incoming) -> Cause {
        let handles = match about {
            Incoming::Timeout => return Cause::Thing(Thing::Timer),
            Incoming::Of(thing) => return Cause::Thing(thing.clone()),
            Incoming::Message(handles) => handles,
        };
        let answers = |(_, sent): &&(To, Vec<Reference>)| {
            sent.iter().any(|it| handles.references.contains(it))
        };
        if let Some((to, _)) = self.told.sends.iter().rev().find(answers) {
            return Cause::of(to);
        }
        let sender = self.world.sender(pid, &handles.references);
        if let Some(child) = sender.filter(|it| self.told.children.contains(it)) {
            return Cause::Child(child);
        }
        if self.role == Role::Serves {
            return self.written();
        }
        let known = |it: &&Pid| handles.pids.contains(it);
        if let Some(child) = self.told.children.iter().rev().find(known) {
            return Cause::Child(child.clone());
        }
        let named = |(to, _): &&(To, Vec<Reference>)| match to {
            To::Process(who) => self.world.pid(who).is_some_and(|it| handles.pids.contains(&it)),
            To::Port(_) => false,
        };
        if let Some((to, _)) = self.told.sends.iter().rev().find(named) {
            return Cause::of(to);
        }
        self.only()
    }

    /// Who serves and wrote to one socket, and since then said nothing to any process, waits for what
    /// comes back, also where another process reads it: the two halves of a driver.
    fn written(&self) -> Cause {
        match self.told.wrote.as_slice() {
            [only] => Cause::Thing(only.clone()),
            _ => Cause::Unknown,
        }
    }

    /// Where everything that was told went to one place, the answer is from there.
    fn only(&self) -> Cause {
        let mut places: Vec<Cause> = Vec::new();
        let sends = self.told.sends.iter().map(|(to, _)| Cause::of(to));
        let sockets = self.told.sockets.iter().cloned().map(Cause::Thing);
        let children = self.told.children.iter().cloned().map(Cause::Child);
        for place in sends.chain(sockets).chain(children) {
            if !places.contains(&place) {
                places.push(place);
            }
        }
        match places.as_slice() {
            [only] => only.clone(),
            _ => Cause::Unknown,
        }
    }
}

impl Cause {
    fn of(to: &To) -> Self {
        Self::Thing(match to {
            To::Process(who) => Thing::Process(who.clone()),
            To::Port(port) => Thing::Port(super::thing::Handle::Port(port.clone())),
        })
    }
}

#[cfg(test)]
mod tests {
    use giulia_dist::term::Node;

    use super::*;
    use crate::spans::thing::Handle;

    fn pid(id: u32) -> Pid {
        Pid { node: Node::new("shop@db1"), id, serial: 0, creation: 1 }
    }

    fn socket() -> Thing {
        Thing::Socket(Handle::Name("postgresql".to_owned()))
    }

    /// What one process does, a microsecond each, and the waits of it in the role of a server.
    fn waits(does: Vec<(u64, What)>) -> Vec<(u64, Cause)> {
        let event = |(at_us, what)| Event { pid: pid(1), at_us, what };
        let world = World::new(does.into_iter().map(event).collect(), BTreeMap::new());
        let segments = world.segments(world.events(&pid(1)), Role::Serves);
        let wait = |it: Segment| match it.state {
            State::Waits(cause) => Some((it.to_us - it.from_us, cause)),
            State::Own | State::Runnable | State::Boundary { .. } => None,
        };
        segments.into_iter().filter_map(wait).collect()
    }

    fn message() -> What {
        What::Received { about: Incoming::Message(Handles::default()) }
    }

    fn writes() -> [What; 2] {
        let mfa = Mfa::new("gen_tcp", "send", 2);
        [What::Call { mfa: mfa.clone(), thing: socket() }, What::Return { mfa }]
    }

    fn says_to(id: u32) -> What {
        What::Send { to: To::Process(Who::Pid(pid(id))), tags: Handles::default() }
    }

    #[test]
    fn who_wrote_to_a_socket_waits_for_it_until_it_answers_somebody() {
        let [call, back] = writes();
        let does = vec![
            (10, What::In),
            (11, message()),
            (12, call),
            (13, back),
            (20, What::Out),
            // From the process that reads the socket; nothing in it says so.
            (120, What::In),
            (121, message()),
            (130, says_to(2)),
            (140, What::Out),
            (640, What::In),
            (641, message()),
        ];
        let told = [(100, Cause::Thing(socket())), (500, Cause::Unknown)];
        assert_eq!(waits(does), told);
    }

    #[test]
    fn who_wrote_and_then_asked_a_process_may_wait_for_either() {
        let [call, back] = writes();
        let does = vec![
            (10, What::In),
            (12, call),
            (13, back),
            (14, says_to(3)),
            (20, What::Out),
            (120, What::In),
            (121, message()),
        ];
        assert_eq!(waits(does), [(100, Cause::Unknown)]);
    }
}
