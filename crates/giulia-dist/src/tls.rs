//! TLS distribution: certificates, how far to verify, an existing `ssl_dist_optfile`.

use std::path::PathBuf;

/// How far the peer's certificate is checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Verify {
    /// Chain and host name.
    #[default]
    Full,
    /// Chain only: home-made certificates often name no host.
    Ca,
    /// Nothing: whoever is in the middle reads everything.
    None,
}

/// What TLS distribution needs.
#[derive(Debug, Clone, Default)]
pub struct TlsOptions {
    /// How far to verify.
    pub verify: Verify,
    /// PEM file with the authorities to trust.
    pub ca_file: Option<PathBuf>,
    /// PEM file with our certificate, for nodes that ask for one.
    pub cert_file: Option<PathBuf>,
    /// PEM file with its key.
    pub key_file: Option<PathBuf>,
    /// The host name expected in the certificate; the target's host by default.
    pub server_name: Option<String>,
}
