//! Questions to a live BEAM node, one file each, and what they cost it.
//!
//! A [`Link`] is a connection through which every question passes a deadline, a heap limit and
//! the impact meter. [`snapshot()`] asks everything once, in three round trips. Questions over all
//! processes are evaluated on the target from committed abstract forms (`erl/`, `forms/`), whose
//! loops run inside its own standard library.
//!
//! What it refuses to do: load a module, register a name, create a table, send an
//! atom that is not in its fixed vocabulary, ask what a bug of the target's ERTS makes dangerous
//! ([`gates()`]), and, with `no_eval`, call anything that [`bif_list`] does not print.
//!
//! ```no_run
//! use giulia_probe::{AttachOptions, Link, SnapshotOptions, dist, snapshot};
//! # async fn example() -> Result<(), dist::Error> {
//! let target = dist::Target::new("shop@127.0.0.1".parse()?);
//! let options = AttachOptions::new(dist::Config::new(dist::Cookie::new("secret")));
//! let link = Link::attach(&target, &options).await?;
//! let seen = snapshot(&link, &SnapshotOptions { window: None, top: 20 }).await;
//! println!("{} ms", seen.impact.target_time_ms);
//! # Ok(()) }
//! ```

mod answer;
mod bifs;
mod cgroup;
mod erts;
mod ets_rates;
mod eval;
mod gates;
mod headroom;
mod keeper;
mod link;
mod look;
mod mailbox;
mod meter;
mod naming;
mod own_nodes;
mod pace;
mod paged;
mod probes;
mod ranking;
mod sample;
mod shape;
mod slow;
mod snapshot;
pub mod spans;
mod stack;
mod subject;
mod tick;
mod tracing;
mod watch;

pub use crate::tracing::{
    Armable, Armed, Batch, Counted, Counter, Flagged, Foreign, ForeignFunction, ForeignProcess,
    Ledger, LeftAlone, NotArmed, ProcessCount, Reading, Scope, SinkEnd, SinkLimits, Tracing,
    TracingOptions, Whom, WhyNot, all_armed, disarm_left, foreign, leaves_patterns, refused,
    still_armed,
};
pub use bifs::{ListedBif, bif_list};
pub use erts::{ErtsVersion, NotAVersion};
pub use ets_rates::{EtsRatesOptions, ets_rates};
pub use gates::gates;
/// The protocol underneath, for whoever attaches.
pub use giulia_dist as dist;
pub use keeper::{
    Keeper, KeeperEnd, KeeperOptions, KeptChange, Setting, Step, Steps, SystemEvent,
    SystemEventLimits, SystemEvents, Undo,
};
pub use link::{AttachOptions, Link};
pub use mailbox::{MailboxOptions, mailbox};
pub use meter::Budget;
pub use own_nodes::OwnNodes;
pub use pace::Pace;
#[doc(hidden)]
pub use probes::processes::recorded;
pub use probes::{
    PROBES, Probe,
    busy::{Busy, busy, kinds},
    bytecode::{NoBytecode, loaded_bytecode, loaded_file, loaded_md5, loaded_md5s},
    dump::{DumpOptions, dump},
    functions::{
        ChosenModule, FUNCTIONS_MAX, Missing, NotResolved, Resolved, loaded_modules, loaded_sum,
        resolve,
    },
    prices::{ReadPrice, read_price},
    process::{NoProcess, ProcessOptions, process},
    stacks::{CannotSample, StackOptions, Stacks},
    tracers::tracers,
    utilisation::{WallTimes, wall_times},
};
pub use sample::{
    CannotCompile, Heads, Loops, SampleOptions, SamplePlan, SampledFunction, Stopped, Who,
    plan_sample, sample,
};
pub use slow::slow_parts;
pub use snapshot::{SnapshotOptions, all_processes, snapshot, snapshot_within};
pub use subject::{NotASubject, Subject};
pub use tick::{TickOptions, TickParts, TickPrice, Ticker};
