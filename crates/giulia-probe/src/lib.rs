//! Questions to a live BEAM node, one file each, and what they cost it.
//!
//! A [`Link`] is a connection through which every question passes a deadline, a heap limit and
//! the impact meter. [`snapshot()`] asks everything once, in two round trips. Questions over all
//! processes are evaluated on the target from committed abstract forms (`erl/`, `forms/`), whose
//! loops run inside its own standard library.
//!
//! What it refuses to do: load a module, register a name, create a table, set a flag, send an
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
mod erts;
mod eval;
mod gates;
mod link;
mod look;
mod meter;
mod naming;
mod paged;
mod probes;
mod ranking;
mod snapshot;

pub use bifs::{ListedBif, bif_list};
pub use erts::{ErtsVersion, NotAVersion};
pub use gates::gates;
/// The protocol underneath, for whoever attaches.
pub use giulia_dist as dist;
pub use link::{AttachOptions, Link};
pub use meter::Budget;
#[doc(hidden)]
pub use probes::processes::recorded;
pub use probes::{PROBES, Probe, tracers::tracers};
pub use snapshot::{SnapshotOptions, snapshot};
