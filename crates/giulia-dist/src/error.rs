//! One error for the crate: what we were doing, to which node, why it failed, what to try.

/// Why a connection or a call failed.
///
/// [`Error::kind`] is for programs; the text is for people and ends with the next step.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Error {
    kind: ErrorKind,
    text: String,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The ways in which attaching and asking can fail, by phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A node name, address or option that cannot be right, before any byte was sent.
    InvalidName,
    /// An option (a file, a certificate, a limit) that cannot be used.
    InvalidConfig,
    /// The host part of the name does not resolve.
    HostUnknown,
    /// Nothing answers on the EPMD port.
    EpmdUnreachable,
    /// EPMD answers and does not know the name; the text lists the names it knows.
    NodeUnknown,
    /// The node's port refuses or cannot be reached.
    NodeUnreachable,
    /// Whoever listens there does not speak Erlang distribution.
    NotErlang,
    /// The peer stopped answering in the middle of the handshake.
    HandshakeTimeout,
    /// The peer closed the connection in the middle of the handshake.
    HandshakeClosed,
    /// The peer calls itself something else (long against short names, or another node).
    NameMismatch,
    /// The peer says that this name may not connect.
    NotAllowed,
    /// The peer has a connection under our name already.
    AlreadyConnected,
    /// The cookies differ. Never retried.
    CookieMismatch,
    /// The peer lacks something that we need (too old).
    VersionUnsupported,
    /// TLS failed before the handshake: wrong protocol, no common cipher, plain TCP.
    Tls,
    /// The peer's certificate is not trusted, or names another host.
    TlsUntrusted,
    /// The peer wants a client certificate, or refused ours.
    TlsClientCertificate,
    /// The connection ended: the node went down or closed it.
    Closed,
    /// The node stopped sending ticks: frozen, or the network is gone.
    Silent,
    /// The deadline passed before an answer came.
    Deadline,
    /// The peer announced or sent more than a limit allows.
    Limit,
    /// The peer broke the protocol.
    Protocol,
    /// What we were asked to send is above 64 KiB or not a term.
    Request,
    /// The called function raised; the text has its reason.
    Raised,
    /// The process that ran the call was killed, e.g. by its heap limit.
    Killed,
    /// Anything else from the operating system.
    Io,
}

impl Error {
    /// An error with its text; the text says what to try.
    pub fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), source: None }
    }

    /// The same with the error underneath.
    #[must_use]
    pub fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// What happened, for programs.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}
