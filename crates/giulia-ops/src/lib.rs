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
//! assert_eq!(names, ["nodes", "doctor", "snapshot"]);
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
mod limits;
mod operation;
mod ops;
mod out;
mod text;
mod units;

pub use any::{AnyAnswer, AnyOperation, Running};
pub use ctx::Ctx;
pub use limits::{Count, HostArg, NodeArg, Span, Top, Window};
pub use operation::{Face, Kind, Operation, Outcome};
pub use ops::{OPS, operation};
pub use out::{Out, Style};
