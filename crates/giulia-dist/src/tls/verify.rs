//! How far a certificate is checked: by the book, by its chain alone, or not at all.
//!
//! The signature that the peer makes with its key is checked in every mode, so that at least
//! it is the owner of the certificate who answers.

use std::sync::Arc;

use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    self, CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor, verify_server_name,
    },
    crypto::{
        CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    },
    server::ParsedCertificate,
};

use super::{Verify, x509::Certificate};

/// The check for one mode; `authorities` may be empty when nothing is checked.
pub(super) fn verifier(
    verify: Verify,
    authorities: &[CertificateDer<'static>],
    provider: &CryptoProvider,
) -> Result<Arc<dyn ServerCertVerifier>, String> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots
            .add(authority.clone())
            .map_err(|it| format!("an authority's certificate cannot be used: {it}"))?;
    }
    Ok(Arc::new(Verifier {
        verify,
        roots,
        authorities: authorities.to_vec(),
        algorithms: provider.signature_verification_algorithms,
    }))
}

/// Why a certificate is not trusted, and what to do about it.
pub(super) fn reason(error: &CertificateError) -> String {
    if let CertificateError::UnknownIssuer = error {
        return "it is signed by none of the authorities given; give the one that signed it with --tls-cacert".to_owned();
    }
    if let CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } =
        error
    {
        return format!(
            "{error}; give a name that it has with --tls-server-name, or check the chain only with --tls-verify ca"
        );
    }
    if let CertificateError::Other(it) = error
        && it.to_string().contains("UnsupportedCertVersion")
    {
        return "it is an X.509 certificate of version 1, which names no host; check the chain only with --tls-verify ca".to_owned();
    }
    format!("{error}; the node needs another certificate")
}

#[derive(Debug)]
struct Verifier {
    verify: Verify,
    roots: RootCertStore,
    authorities: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    fn chain(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        // A self-signed certificate that is trusted by name of its bytes: `openssl req -x509`
        // makes them as authorities, which a server certificate must not be by the book.
        if self.authorities.iter().any(|it| it.as_ref() == leaf.as_ref()) {
            return Certificate::parse(leaf).map_or_else(|| Err(unreadable()), |it| it.valid(now));
        }
        match ParsedCertificate::try_from(leaf) {
            Ok(parsed) => verify_server_cert_signed_by_trust_anchor(
                &parsed,
                &self.roots,
                intermediates,
                now,
                self.algorithms.all,
            ),
            // Version 1, which `openssl x509 -req` made for decades.
            Err(error) if self.verify == Verify::Full => Err(error),
            Err(error) => self.old_chain(leaf, now, error),
        }
    }

    /// A certificate that webpki does not read, signed directly by an authority.
    fn old_chain(
        &self,
        leaf: &CertificateDer<'_>,
        now: UnixTime,
        error: rustls::Error,
    ) -> Result<(), rustls::Error> {
        let Some(certificate) = Certificate::parse(leaf) else { return Err(error) };
        certificate.valid(now)?;
        let issuers = self
            .authorities
            .iter()
            .filter_map(|it| Certificate::parse(it))
            .filter(|it| it.subject == certificate.issuer);
        for issuer in issuers {
            if issuer.signed(
                self.algorithms.all,
                certificate.tbs,
                certificate.signature_algorithm,
                certificate.signature,
            ) {
                return Ok(());
            }
        }
        Err(CertificateError::UnknownIssuer.into())
    }

    /// The same for the signature over the handshake.
    fn old_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let certificate = Certificate::parse(leaf).ok_or_else(unreadable)?;
        let algorithms = self
            .algorithms
            .mapping
            .iter()
            .find_map(|(scheme, them)| (*scheme == dss.scheme).then_some(*them))
            .unwrap_or_default();
        if certificate.has_signed(algorithms, message, dss.signature()) {
            Ok(HandshakeSignatureValid::assertion())
        } else {
            Err(CertificateError::BadSignature.into())
        }
    }

    fn reads(leaf: &CertificateDer<'_>) -> bool {
        ParsedCertificate::try_from(leaf).is_ok()
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.verify != Verify::None {
            self.chain(end_entity, intermediates, now)?;
        }
        if self.verify == Verify::Full {
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if Self::reads(cert) {
            verify_tls12_signature(message, cert, dss, &self.algorithms)
        } else {
            self.old_signature(message, cert, dss)
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if Self::reads(cert) {
            verify_tls13_signature(message, cert, dss, &self.algorithms)
        } else {
            self.old_signature(message, cert, dss)
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn unreadable() -> rustls::Error {
    CertificateError::BadEncoding.into()
}
