//! The nouns of giulia: what a node, a process, a window and a snapshot are.
//!
//! Plain data with public fields and derives; no IO, no clock, no knowledge of who asks or who
//! answers. A quantity carries its unit at the end of its name. Whatever is cumulative on the
//! node is a [`Counter`], so that nobody can show a total as a rate.
//!
//! ```
//! use giulia_model::Mfa;
//! let mfa: Mfa = Mfa::new("Elixir.KV.Registry", "lookup", 2);
//! assert_eq!(mfa.to_string(), "KV.Registry.lookup/2");
//! assert_eq!(Mfa::new("gen_server", "call", 3).to_string(), "gen_server:call/3");
//! ```

mod answer;
mod armed;
mod call_pattern;
mod code;
mod compare;
mod counter;
mod database;
mod doctor;
mod dump;
mod ets;
mod ets_rates;
mod explain;
mod finding;
mod flame;
mod host;
mod impact;
mod mailbox;
mod mfa;
mod node;
mod nodes;
mod pattern;
mod place;
mod process;
mod process_detail;
mod profile;
mod replay;
mod report;
mod samples;
mod session;
mod session_trace;
mod snapshot;
mod surroundings;
mod system_events;
mod trace;
mod utilisation;
mod vm;

pub use answer::Answer;
pub use armed::ArmedPattern;
pub use call_pattern::{CallPattern, Guard, Literal, NotACall, Pattern, Writing};
pub use code::*;
pub use compare::{
    Compare, ComparedFigure, ComparedFinding, ComparedOutcome, ComparedSession, Score, Scored,
};
pub use counter::{Counter, Window};
pub use database::{
    Database, DatabaseCounted, DatabaseEvent, DatabaseFunction, DatabaseLook, DatabaseLost,
    DatabaseRecord, SessionDatabase, StatementCounted, StatementMatch, StatementOver,
    StatementRate, StatementSums,
};
pub use doctor::{Check, CheckStatus, Doctor};
pub use dump::{Dump, Frame, NamedCount, StackGroup};
pub use ets::{EtsTable, EtsTables};
pub use ets_rates::{
    Estimate, EtsAccess, EtsCaller, EtsFunction, EtsRates, EtsSample, EtsTableRate,
};
pub use explain::{
    Behind, Caller, CallsSeen, Cycles, Explain, ExplainSample, ExplainVerdict, ExplainWritten,
    Latency, ReadPrice, RestsOn, RestsOnKind, Stability,
};
pub use finding::{
    Action, Checked, Culprit, CulpritKind, Effort, Evidence, Finding, FindingOutcome, Findings,
    Gain, Layer, Metric, Severity, Source,
};
pub use flame::{Flame, FlameFunction, FlameGroup, FlameOf, FlameStack};
pub use host::{Cgroup, HostFacts};
pub use impact::{Impact, Question};
pub use mailbox::{
    Busy, BusySource, Mailbox, MailboxLens, MeasuredSize, MessageKind, MessageSize, MessageSource,
    ServerKind, ServiceTime, Switched, Waiting,
};
pub use mfa::Mfa;
pub use node::{Application, Gate, GateState, NodeFacts};
pub use nodes::{NodeEntry, Nodes};
pub use pattern::{FunctionPattern, ModulePattern, NamePattern, NotAPattern, nearest};
pub use place::{ModuleCode, Place, PlacedFunction};
pub use process::{Coverage, NameSource, Pid, ProcessGroup, ProcessRow, Processes};
pub use process_detail::{
    BinariesHeld, Heap, Keys, Neighbour, Neighbours, ProcessDetail, Shape, ShapePart,
};
pub use profile::{
    Profile, ProfileBoundary, ProfileCalls, ProfileChange, ProfileLooks, ProfileWindow,
};
pub use replay::{Replay, ReplayRecord};
pub use report::{
    Cost, Covered, Deleted, Direction, Gap, LimitOver, Live, LoggerShare, MailboxOver, NotSeenOver,
    Pruned, Ranking, Report, SchedulersOver, SeriesOver, SeriesPoint, SessionEntry, Sessions,
    Share, Spread, Status, TableOver, Trend, Work,
};
pub use samples::{
    CallSample, CallerShare, Durations, LeftAlone, Outcome, SampleEnd, SampleKind,
    SampledProcesses, Samples, Seen,
};
pub use session::{Change, Ended, Mark, MarkKind, Restored, Session, Workload};
pub use session_trace::{
    FunctionCalls, FunctionLost, SessionTrace, TakenOver, TraceBegan, TraceDelta, TraceEnded,
    TraceEvent, TraceMeasured, TracePlaced, TraceRecord, TraceStretch, TraceTookOver,
};
pub use snapshot::{NotSeen, Snapshot};
pub use surroundings::{
    Allocator, ApplicationTree, BinaryHolder, BinaryHolders, LogHandler, LoggerFacts, NodeLink,
    NodeLinks, PortKind, PortRow, Ports, Supervised, Supervision, SystemLimits,
};
pub use system_events::{SystemEvent, SystemEvents};
pub use trace::{
    LeftOut, Measured, Own, Trace, TracedFunction, TracedGroup, TracedModule, TracedNode,
};
pub use utilisation::{ThreadsBusy, Utilisation};
pub use vm::{Activity, CountAgainstLimit, Counts, Memory, Schedulers};
