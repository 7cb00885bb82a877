//! Time: what a face may ask of a node, within a deadline, and stop at any moment.
//!
//! Turns settings ([`Access`]) into a connection, waits no longer than [`Bounds`] allow, and
//! answers with the nouns of `giulia-model`. A node that is gone, slow or refusing is an
//! [`Error`] whose text ends with the next step, or a failed check of [`doctor()`].
//!
//! What it refuses to do: print, serialise outward, read a cookie before it is needed, or retry
//! one that was refused.
//!
//! ```no_run
//! # async fn example(access: giulia_engine::Access) -> Result<(), giulia_engine::Error> {
//! use giulia_engine::{Attempt, Bounds, Clock, Silent, SnapshotRequest, snapshot};
//! let (bounds, clock) = (Bounds::lasting(access.timeout), Clock::system());
//! let attempt = Attempt { access: &access, bounds: &bounds, progress: &Silent, clock: &clock };
//! let request = SnapshotRequest { window: None, top: 10 };
//! let seen = snapshot("shop@127.0.0.1", &request, attempt).await?;
//! println!("{} parts not seen", seen.not_seen.len());
//! # Ok(()) }
//! ```

mod access;
mod attempt;
mod bounds;
mod clock;
mod cookie;
mod doctor;
mod error;
mod fixes;
mod nodes;
mod remote;
mod snapshot;

pub use access::{Access, AccessBook, TlsAccess};
pub use attempt::Attempt;
pub use bounds::{Bounds, Cancel, Progress, Silent, Stop};
pub use clock::Clock;
pub use cookie::CookieSource;
pub use doctor::{CHECKS, doctor};
pub use error::{Error, ErrorKind};
pub use giulia_probe::{
    ListedBif, bif_list,
    dist::{Cookie, NodeName, tls::Verify},
};
pub use nodes::nodes;
pub use snapshot::{SnapshotRequest, snapshot};
