//! TLS distribution: certificates, how far to verify, an existing `ssl_dist_optfile`.
//!
//! <https://www.erlang.org/doc/apps/ssl/ssl_distribution.html>

mod optfile;
mod verify;
mod x509;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use tokio_rustls::rustls::{
    self, AlertDescription, ClientConfig, SignatureScheme,
    client::ResolvesClientCert,
    crypto::{CryptoProvider, ring},
    sign::CertifiedKey,
};

use crate::{Error, ErrorKind, NodeName};

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

/// Options made ready: files read, checked and parsed.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) server_name: ServerName<'static>,
    asked: Arc<AtomicBool>,
    has_certificate: bool,
}

impl TlsOptions {
    /// The `client` section of an existing `ssl_dist_optfile`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidConfig`] when the file cannot be read or understood.
    pub fn from_optfile(path: &Path) -> Result<Self, Error> {
        optfile::read(path).map_err(|why| {
            Error::new(
                ErrorKind::InvalidConfig,
                format!(
                    "the ssl_dist_optfile {} cannot be used: {why}; give --tls-cacert, --tls-cert and --tls-key in its place",
                    path.display()
                ),
            )
        })
    }

    /// Reads the files; blocking, but small and local.
    pub(crate) fn prepare(&self, target: &NodeName) -> Result<Prepared, Error> {
        let provider = Arc::new(ring::default_provider());
        let authorities = self.authorities()?;
        let verifier = verify::verifier(self.verify, &authorities, &provider)
            .map_err(|it| invalid(format!("{it}; check --tls-cacert")))?;
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|it| invalid(it.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let asked = Arc::new(AtomicBool::new(false));
        let certified = self.certified(&provider)?;
        let has_certificate = certified.is_some();
        let resolver = Resolver { certified, asked: Arc::clone(&asked) };
        let mut config = builder.with_client_cert_resolver(Arc::new(resolver));
        // One connection a session: tickets would only be kept for nothing.
        config.resumption = rustls::client::Resumption::disabled();
        let name = self.server_name.as_deref().unwrap_or(target.host());
        let server_name = match (ServerName::try_from(name.to_owned()), self.verify) {
            (Ok(it), _) => it,
            // An Erlang host part may be no DNS name (`db_1`); without the check of the
            // name any will do.
            (Err(_), Verify::Ca | Verify::None) => {
                ServerName::IpAddress(std::net::IpAddr::from(std::net::Ipv4Addr::LOCALHOST).into())
            }
            (Err(_), Verify::Full) => {
                return Err(invalid(format!(
                    "`{name}` cannot stand in a certificate; give --tls-server-name, or --tls-verify ca to check the chain only"
                )));
            }
        };
        Ok(Prepared { config: Arc::new(config), server_name, asked, has_certificate })
    }

    fn authorities(&self) -> Result<Vec<CertificateDer<'static>>, Error> {
        let Some(path) = &self.ca_file else {
            if self.verify == Verify::None {
                return Ok(Vec::new());
            }
            return Err(invalid(
                "TLS needs the authorities to trust: give --tls-cacert, or --tls-verify none to trust anyone".to_owned(),
            ));
        };
        certificates(path, "--tls-cacert")
    }

    fn certified(&self, provider: &CryptoProvider) -> Result<Option<Arc<CertifiedKey>>, Error> {
        let (chain, key) = match (&self.cert_file, &self.key_file) {
            (None, None) => return Ok(None),
            (Some(cert), key) => (certificates(cert, "--tls-cert")?, key.as_ref().unwrap_or(cert)),
            (None, Some(_)) => {
                return Err(invalid("--tls-key comes with --tls-cert".to_owned()));
            }
        };
        let unusable = |why: String| {
            invalid(format!(
                "the key {} cannot be used: {why}; check --tls-key (an encrypted key must be decrypted first)",
                key.display()
            ))
        };
        let der = PrivateKeyDer::from_pem_file(key).map_err(|it| unusable(it.to_string()))?;
        let certified =
            CertifiedKey::from_der(chain, der, provider).map_err(|it| unusable(it.to_string()))?;
        Ok(Some(Arc::new(certified)))
    }
}

impl Prepared {
    /// What a failure of the stream means, when TLS is the reason; `None` when it is not.
    pub(crate) fn explain(&self, target: &str, error: &io::Error) -> Option<Error> {
        let tls = error.get_ref()?.downcast_ref::<rustls::Error>()?;
        let was_asked = self.asked.load(Ordering::Relaxed);
        let (kind, text) = if let rustls::Error::InvalidCertificate(why) = tls {
            let why = verify::reason(why);
            let text = format!("the certificate of {target} is not trusted: {why}");
            (ErrorKind::TlsUntrusted, text)
        } else if let rustls::Error::AlertReceived(alert) = tls
            && is_about_us(*alert, was_asked)
        {
            let text = if self.has_certificate {
                format!(
                    "{target} refused our certificate ({alert:?}); is it signed by an authority that the node trusts? Give another with --tls-cert and --tls-key"
                )
            } else {
                format!(
                    "{target} asks for a client certificate ({alert:?}); give one with --tls-cert and --tls-key, or --ssl-dist-optfile"
                )
            };
            (ErrorKind::TlsClientCertificate, text)
        } else if let rustls::Error::InvalidMessage(_) = tls {
            let text = format!(
                "{target} does not speak TLS at that port; leave --tls away when its distribution is plain TCP"
            );
            (ErrorKind::Tls, text)
        } else {
            let text =
                format!("TLS with {target} failed: {tls}; the node's log says its side of it");
            (ErrorKind::Tls, text)
        };
        Some(Error::new(kind, text).with_source(tls.clone()))
    }
}

/// A node that wants a certificate and gets none says so with one of these.
fn is_about_us(alert: AlertDescription, was_asked: bool) -> bool {
    // TLS 1.2 has no better word for a missing certificate; without a request for one it means
    // that no cipher is common.
    if alert == AlertDescription::HandshakeFailure {
        return was_asked;
    }
    matches!(
        alert,
        AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
    )
}

/// Answers a request for a certificate, and remembers that there was one.
#[derive(Debug)]
struct Resolver {
    certified: Option<Arc<CertifiedKey>>,
    asked: Arc<AtomicBool>,
}

impl ResolvesClientCert for Resolver {
    fn resolve(
        &self,
        _root_hint_subjects: &[&[u8]],
        _sigschemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        self.certified.clone()
    }

    /// Always, so that a request is noticed.
    fn has_certs(&self) -> bool {
        true
    }
}

fn certificates(path: &Path, option: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let unreadable = |why: String| {
        invalid(format!("{} cannot be read as certificates: {why}; check {option}", path.display()))
    };
    let found = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|it| unreadable(it.to_string()))?;
    if found.is_empty() {
        return Err(unreadable("it has none in PEM form".to_owned()));
    }
    Ok(found)
}

fn invalid(text: String) -> Error {
    Error::new(ErrorKind::InvalidConfig, text)
}
