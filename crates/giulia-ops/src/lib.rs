//! The operations: what giulia can be asked, one file each, one entry in [`OPS`].
//!
//! Every face (command line, REST, MCP) renders this slice: names, parameters, schemas, help
//! and answers come from here, so no face can be forgotten and none has its own copy.
//!
//! What it refuses to do: know which face asks, print, or read the caller's files, commands
//! and cookies; those reach it as settings in [`Ctx`].
//!
//! ```
//! let names: Vec<&str> = giulia_ops::OPS.iter().map(|it| it.name()).collect();
//! assert_eq!(
//!     names,
//!     [
//!         "nodes", "doctor", "snapshot", "dump", "flame", "process", "trace", "mailbox", "ets",
//!         "explain", "check", "code-index", "code-status", "code-modules", "code-functions",
//!         "code-show", "code-callers", "code-callees", "code-impact", "code-path", "code-cycles",
//!         "code-complexity", "code-behaviours", "code-supervision", "code-tables", "code-export",
//!         "sessions", "report", "profile", "replay", "compare", "delete", "prune"
//!     ]
//! );
//! let answer = serde_json::json!({
//!     "schema": "giulia.nodes/1", "host": "localhost", "epmd_port": 4369, "nodes": []
//! });
//! let mut out = giulia_ops::Out::plain(80);
//! giulia_ops::operation("nodes").unwrap().text_of_json(answer, &mut out).unwrap();
//! assert!(out.text().contains("no node"));
//! ```

mod any;
mod columns;
mod ctx;
mod exporting;
mod flame;
mod html;
mod indexed;
mod limits;
mod operation;
mod ops;
mod out;
mod target;
mod text;
mod traced;
mod units;
mod width;
mod writer;

pub use any::{AnyAnswer, AnyOperation, Running};
pub use ctx::Ctx;
pub use indexed::{Before, FolderArg, KindsArg, Rows};
pub use limits::{
    Count, GroupArg, HostArg, NodeArg, PatternArg, ProcessArg, Rate, SessionArg, Span, TableArg,
    Top, Window,
};
pub use operation::{Face, Kind, Operation, Outcome};
pub use ops::{GROUPS, Group, OPS, operation};
pub use out::{Out, Style};
pub use target::TargetArg;
pub use text::status;
pub use traced::{Budget, CallArg, FunctionArg, NodesArg, WhoArg};
pub use writer::{Format, Writer, format_of_name};
