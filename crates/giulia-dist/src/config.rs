//! What a caller chooses before connecting: where, as whom, with which cookie and limits.

use std::{fmt, time::Duration};

use crate::{NodeName, tls::TlsOptions};

/// The node to attach to, and how to reach it.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its real name: what `node()` says there.
    pub name: NodeName,
    /// `HOST:PORT` to dial in place of asking EPMD (port-forwards, containers).
    pub at: Option<String>,
    /// The EPMD port to ask; 4369 unless `ERL_EPMD_PORT` says otherwise.
    pub epmd_port: u16,
}

/// A cookie. Its `Debug` shows nothing, and it has no `Display`.
#[derive(Clone)]
pub struct Cookie(String);

/// How we call ourselves.
#[derive(Debug, Clone, Default)]
pub enum LocalName {
    /// The target gives us a name (no EPMD registration, no new atom for each attach).
    #[default]
    Dynamic,
    /// A name of our own; not registered with EPMD.
    Chosen(NodeName),
}

/// How to connect.
#[derive(Debug, Clone)]
pub struct Config {
    /// The shared secret.
    pub cookie: Cookie,
    /// Who we are.
    pub local: LocalName,
    /// For name lookup, EPMD, TCP, TLS and handshake together.
    pub connect_timeout: Duration,
    /// TLS distribution; `None` is plain TCP.
    pub tls: Option<TlsOptions>,
    /// What a peer may make us hold.
    pub limits: Limits,
}

/// Limits that every announced length meets before an allocation.
#[derive(Debug, Clone)]
pub struct Limits {
    /// One message from the peer, in bytes, fragments put together. 64 MiB.
    pub message_bytes_max: usize,
    /// Fragmented messages under way at once. 16.
    pub fragmented_max: usize,
    /// Nesting of a term. 256.
    pub depth_max: usize,
    /// Messages that wait in one mailbox. 10,000.
    pub mailbox_len_max: usize,
    /// Calls under way at once. 1,024.
    pub calls_max: usize,
}

impl Cookie {
    /// Wraps the secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself, for the digest alone.
    #[expect(dead_code, reason = "the handshake will")]
    pub(crate) fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cookie(hidden)")
    }
}
