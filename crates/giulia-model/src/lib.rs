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

mod counter;
mod doctor;
mod ets;
mod host;
mod impact;
mod mfa;
mod node;
mod nodes;
mod process;
mod snapshot;
mod vm;

pub use counter::{Counter, Window};
pub use doctor::{Check, CheckStatus, Doctor};
pub use ets::{EtsTable, EtsTables};
pub use host::{Cgroup, HostFacts};
pub use impact::{Impact, Question};
pub use mfa::Mfa;
pub use node::{Application, Gate, GateState, NodeFacts};
pub use nodes::{NodeEntry, Nodes};
pub use process::{Coverage, NameSource, Pid, ProcessGroup, ProcessRow, Processes};
pub use snapshot::{NotSeen, Snapshot};
pub use vm::{Activity, CountAgainstLimit, Counts, Memory, Schedulers};
