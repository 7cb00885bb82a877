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
mod armed;
mod attempt;
mod bounds;
mod clock;
mod code;
mod cookie;
mod doctor;
mod dump;
mod error;
mod ets_rates;
mod examine;
mod explain;
mod fixes;
mod flame;
mod mailbox;
mod nodes;
mod observe;
mod places;
mod process;
mod project;
mod prune;
mod remote;
mod replay;
mod report;
mod sessions;
mod snapshot;
mod trace;

pub use access::{Access, AccessBook, TlsAccess};
pub use attempt::Attempt;
pub use bounds::{Bounds, Cancel, Progress, Silent, Stop};
pub use clock::Clock;
pub use code::{
    CodeBase, CodePage, EdgeDirection, EdgeFilter, EdgeReach, EdgeWhen, GraphCache, GraphOf,
    IndexRequest, NodeCodeRequest, code_status, index_code, index_node, open_code,
};
pub use cookie::CookieSource;
pub use doctor::{CHECKS, Clean, doctor};
pub use dump::{DumpRequest, dump};
pub use error::{Error, ErrorKind};
pub use ets_rates::{EtsRatesRequest, ets_rates};
pub use examine::{ExamineRequest, examine, picture, recorded_findings};
pub use explain::{ExplainRequest, explain};
pub use flame::{FlameRequest, NotAPattern, Pattern, flame};
pub use giulia_postgres::DatabaseUrl;
pub use giulia_probe::{
    ListedBif, NotASubject, OwnNodes, SampleOptions, Subject, Who, bif_list,
    dist::{Cookie, NodeName, tls::Verify},
};
pub use mailbox::{MailboxRequest, mailbox};
pub use nodes::nodes;
pub use observe::{ObserveRequest, Redial, Watcher, observe};
pub use process::{ProcessRequest, process};
pub use project::{
    Application, FileKind, FileRole, Included, Includes, Layout, PROJECT_FILE_BYTES_MAX,
    PROJECT_FILES_MAX, Project, ProjectFile, ProjectProblem, ProjectRequest, project,
    project_libraries,
};
pub use prune::{Keep, prune};
pub use replay::replay;
pub use report::{ProfileRequest, profile, report, report_and_picture, session_trace};
pub use sessions::{Archive, delete, export, import, sessions};
pub use snapshot::{SnapshotRequest, snapshot};
pub use trace::{CountRequest, SampleRequest, TraceRequest, TraceSort, sample_calls, trace};
