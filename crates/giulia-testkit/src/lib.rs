//! Real nodes of every OTP, planted loads and hostile peers, for tests.
//!
//! What giulia claims about other people's nodes is checked on nodes that it did not start:
//! [`Node`] runs one from the roots that `scripts/otp-matrix` makes, interactive or embedded,
//! with or without Elixir, plain or TLS, and looks inside it through a socket of its own, so
//! that measuring what giulia left behind ([`Residue`]) leaves nothing itself.
//! [`hostile`] holds the peers that no real node would be.
//!
//! What it refuses to do: be a dependency of a product crate, share a node or an EPMD between
//! tests, or leave a process behind, also after a panic. It fails a test by panicking.
//!
//! ```no_run
//! use giulia_testkit::{Node, for_each_otp};
//!
//! for_each_otp("says_who_it_is", |otp| {
//!     let node = Node::builder(otp).name("shop").elixir().start();
//!     assert_eq!(node.eval("erlang:is_alive()"), "true");
//! });
//! ```

mod certs;
mod channel;
mod epmd;
mod fail;
pub mod findings;
mod group;
pub mod hostile;
mod live;
mod nexus;
mod node;
mod otp;
mod prepare;
mod residue;
mod sample;
mod wire;
mod zoo;

pub use certs::{ServerCertificate, TlsFiles, TlsSetup};
pub use epmd::Epmd;
pub use group::{Group, Limits};
pub use live::{for_each_otp, for_each_otp_from, live_enabled, record_live};
pub use nexus::{Nexus, Said};
pub use node::{Builder, Names, Node};
pub use otp::{Otp, cache_dir, otp, otps};
pub use residue::{Difference, Residue};
pub use sample::{Sample, SampleTable};
pub use wire::Wire;
pub use zoo::{ZooProgram, misjudged, zoo, zoo_container, zoo_nodes};
