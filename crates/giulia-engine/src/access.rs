//! How to reach a node and as whom: what flags, environment and files came down to.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use giulia_probe::dist::tls::TlsOptions;

use crate::CookieSource;

/// How to reach one node.
#[derive(Debug, Clone)]
pub struct Access {
    /// Where the cookie is; read when it is needed, not before.
    pub cookie: CookieSource,
    /// `HOST:PORT` to dial in place of asking EPMD.
    pub at: Option<String>,
    /// Where EPMD listens.
    pub epmd_port: u16,
    /// A name of our own; the node gives us one without it.
    pub name: Option<String>,
    /// TLS distribution; plain TCP without it.
    pub tls: Option<TlsOptions>,
    /// Erlang's own options file, read for what `tls` leaves open.
    pub ssl_dist_optfile: Option<PathBuf>,
    /// For everything that is not a measured window.
    pub timeout: Duration,
    /// Ask only by calls of existing functions.
    pub no_eval: bool,
}

/// How to reach any node: the common way, and the ways of those that have their own.
#[derive(Debug, Clone)]
pub struct AccessBook {
    /// For nodes that are not named below.
    pub common: Access,
    /// By node name.
    pub nodes: BTreeMap<String, Access>,
}

impl AccessBook {
    /// The way to this node.
    pub fn for_node(&self, node: &str) -> &Access {
        self.nodes.get(node).unwrap_or(&self.common)
    }
}
