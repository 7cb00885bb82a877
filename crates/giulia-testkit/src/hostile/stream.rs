//! What a hostile peer talks through: a socket, or TLS over it.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    sync::Arc,
};

use tokio_rustls::rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use crate::{certs::TlsFiles, fail::OrFail};

/// A connection, dressed or not.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

/// How connections are dressed.
#[derive(Clone)]
pub(super) enum Dress {
    Plain,
    Tls(Arc<ServerConfig>),
}

impl Dress {
    /// With the certificate of a node; nobody is asked for one.
    pub(super) fn tls(files: &TlsFiles) -> Self {
        let (certificate, key) = files.server();
        let chain = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .or_fail("reading the peer's certificate");
        let key = PrivateKeyDer::from_pem_file(key).or_fail("reading the peer's key");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|it| it.with_no_client_auth().with_single_cert(chain, key))
            .or_fail("setting up TLS");
        Self::Tls(Arc::new(config))
    }

    /// The handshake of TLS runs with the first read or write.
    pub(super) fn put_on(&self, stream: TcpStream) -> io::Result<Stream> {
        match self {
            Self::Plain => Ok(Stream::Plain(stream)),
            Self::Tls(config) => {
                let session =
                    ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
                Ok(Stream::Tls(Box::new(StreamOwned::new(session, stream))))
            }
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
