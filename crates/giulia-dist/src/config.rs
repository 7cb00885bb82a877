//! What a caller chooses before connecting: where, as whom, with which cookie and limits.

use std::{fmt, time::Duration};

use crate::{NodeName, epmd, tls::TlsOptions};

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

/// A cookie shorter than this is not taken out of texts: it would be found inside of common words,
/// and is none that Erlang made (20 letters).
const HIDDEN_BYTES_MIN: usize = 6;

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
    /// A node that sends nothing for this long, not even a tick, is [`Silent`].
    ///
    /// [`Silent`]: crate::ErrorKind::Silent
    pub silence_max: Duration,
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
    /// Fragmented messages under way at once. 1,024: every call may have a large reply.
    pub fragmented_max: usize,
    /// Bytes of all fragmented messages under way together. 128 MiB.
    pub fragmented_bytes_max: usize,
    /// Nesting of a term. 256.
    pub depth_max: usize,
    /// Messages that wait in one mailbox. 10,000.
    pub mailbox_len_max: usize,
    /// Bytes that wait in one mailbox. 64 MiB.
    pub mailbox_bytes_max: usize,
    /// Calls under way at once. 1,024.
    pub calls_max: usize,
    /// Bytes that wait to be written. 4 MiB, which is 64 of the largest requests.
    pub write_queue_bytes_max: usize,
    /// How long one write may make no progress before the peer counts as gone. 30 s.
    pub write_stall_max: Duration,
}

impl Target {
    /// The node of this name, found through EPMD on its host.
    pub fn new(name: NodeName) -> Self {
        Self { name, at: None, epmd_port: epmd::default_port() }
    }

    /// The same, dialled at `HOST:PORT` without EPMD.
    #[must_use]
    pub fn at(mut self, address: impl Into<String>) -> Self {
        self.at = Some(address.into());
        self
    }
}

impl Config {
    /// Plain TCP, a name given by the target, 10 s to connect, silent after 75 s.
    ///
    /// A node with the default `net_ticktime` sends at least every 15 s and calls a peer dead
    /// after 45 to 75 s; we wait as long as it would.
    pub fn new(cookie: Cookie) -> Self {
        Self {
            cookie,
            local: LocalName::Dynamic,
            connect_timeout: Duration::from_secs(10),
            silence_max: Duration::from_secs(75),
            tls: None,
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes_max: 64 << 20,
            fragmented_max: 1_024,
            fragmented_bytes_max: 128 << 20,
            depth_max: 256,
            mailbox_len_max: 10_000,
            mailbox_bytes_max: 64 << 20,
            calls_max: 1_024,
            write_queue_bytes_max: 4 << 20,
            write_stall_max: Duration::from_secs(30),
        }
    }
}

impl Cookie {
    /// Wraps the secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// A text without the secret, to be kept or shown: the command line of somebody's program may
    /// hold it.
    #[must_use]
    pub fn hidden_in(&self, text: &str) -> String {
        if self.0.len() < HIDDEN_BYTES_MIN {
            return text.to_owned();
        }
        text.replace(&self.0, "(cookie)")
    }

    /// The secret itself, for the digest alone.
    pub(crate) fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cookie(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_not_shown() {
        let config = Config::new(Cookie::new("hunter2"));
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn a_cookie_is_taken_out_of_texts_and_a_word_is_not() {
        let hidden = |cookie: &str, text: &str| Cookie::new(cookie).hidden_in(text);
        assert_eq!(
            hidden("hunter2", "erl -setcookie hunter2 -noshell"),
            "erl -setcookie (cookie) -noshell"
        );
        assert_eq!(hidden("cat", "concatenate"), "concatenate");
        assert_eq!(hidden("", "erl"), "erl");
    }
}
