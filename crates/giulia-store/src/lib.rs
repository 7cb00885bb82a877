//! Sessions on disk: what was recorded survives a kill, from the first record on.
//!
//! One SQLite file holds many sessions; several giulias may record into it at once. A record is
//! bytes with a kind and a time: whoever records knows what they say, the store keeps them,
//! compressed and in order. An older store is converted when it is opened; a newer one, a damaged
//! one, a full disk and a folder that may not be written to are each an error of their own.
//!
//! What it refuses to do: hand out its rows, know what a record says, lose what was appended.
//!
//! ```no_run
//! # fn example(session: &giulia_model::Session) -> Result<(), giulia_store::Error> {
//! use giulia_store::{Kind, Mode, Store};
//! let store = Store::open("sessions.db".as_ref(), Mode::ReadWrite)?;
//! let recorder = store.begin(session)?;
//! recorder.append(Kind::Tick, 1_000, b"{}".to_vec())?;
//! recorder.finish(session)?;
//! let first = store.records(&session.name, &[Kind::Tick], None, 100)?;
//! # Ok(()) }
//! ```

mod armed;
mod error;
mod export;
mod graphs;
mod live;
mod record;
mod recorder;
mod rows;
mod schema;
mod store;
mod writer;

pub use armed::{ArmedFile, LeftFile, forget_armed, left_armed};
pub use error::{Error, ErrorKind};
pub use export::inspect;
pub use graphs::StoredGraph;
pub use record::{BODY_BYTES_MAX, Kind, Record};
pub use recorder::{HELD_BYTES_MAX, Health, Recorder};
pub use store::{Mode, Page, Problem, Store, Stored};
