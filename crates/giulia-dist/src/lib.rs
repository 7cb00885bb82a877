//! The Erlang distribution protocol, as a client of somebody else's node.
//!
//! Knows Erlang and nothing of giulia. Everything that reads bytes is a state machine without
//! IO ([`term`], [`epmd`], [`handshake`], [`frame`], [`control`]) and can be fuzzed without a
//! runtime; one tokio driver behind [`Connection`] moves the bytes.
//!
//! What it refuses to do: allocate before a length met its limit, follow a peer into deep
//! nesting, send a request above 64 KiB, send a fragment, send to an alias, send a term that
//! its own decoder would not read back, retry a wrong cookie, or show a cookie to anyone.
//!
//! ```no_run
//! use giulia_dist::{Call, Config, Connection, Cookie, Target};
//! # async fn example() -> Result<(), giulia_dist::Error> {
//! let target = Target::new("shop@127.0.0.1".parse()?);
//! let config = Config::new(Cookie::new("secret"));
//! let connection = Connection::connect(&target, &config).await?;
//! let reply = connection.call(&Call::new("erlang", "processes", vec![])).await?;
//! println!("{} bytes", reply.wire_bytes());
//! # Ok(())
//! # }
//! ```

pub mod control;
pub mod epmd;
pub mod flags;
pub mod frame;
pub mod handshake;
pub mod tls;

mod backoff;
mod config;
mod connection;
mod error;
mod name;
mod net;

pub use backoff::Backoff;
pub use config::{Config, Cookie, Limits, LocalName, Target};
pub use connection::{
    Call, Connection, Mailbox, Message, Payload, Peer, Reply, SpawnOptions, Spawned, Stats,
};
pub use error::{Error, ErrorKind};
#[doc(inline)]
pub use giulia_term as term;
pub use name::{NameMode, NodeName};
