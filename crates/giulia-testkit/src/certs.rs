//! Certificates for TLS distribution, good and bad, made anew for each test.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};

use crate::fail::OrFail;

/// How a node asks its peers to prove themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsSetup {
    /// The node wants a certificate from whoever connects.
    Mutual(ServerCertificate),
    /// The node shows a certificate and asks for none.
    ServerOnly(ServerCertificate),
}

/// What the node shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerCertificate {
    /// Signed by the CA, names the host in a subject alternative name.
    Good,
    /// Names the host in its common name only, as homemade certificates do.
    CommonNameOnly,
    /// Ended in 2021.
    Expired,
    /// Names another host.
    WrongHost,
}

/// The files that a client needs, good and bad; PEM, in a folder of the test.
#[derive(Debug)]
pub struct TlsFiles {
    folder: PathBuf,
}

/// Where a node sees its files.
pub(crate) const INSIDE: &str = "/srv/tls";

impl TlsFiles {
    /// Makes all of them, for a node on this host, in this folder.
    pub(crate) fn make(folder: &Path, host: &str, setup: TlsSetup) -> Self {
        fs::create_dir_all(folder).or_fail("making the folder of certificates");
        let files = Self { folder: folder.to_path_buf() };
        let ca = files.authority("ca", "sample CA");
        let other = files.authority("other-ca", "another CA");
        files.signed("server", &server_params(setup.server(), host), &ca);
        files.signed("client", &params("client", &["client.invalid"]), &ca);
        files.signed("other-client", &params("client", &["client.invalid"]), &other);
        fs::write(folder.join("dist.conf"), setup.options()).or_fail("writing the options");
        files
    }

    /// The CA that signed the node's and the client's certificate.
    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// A CA that signed neither.
    pub fn other_ca(&self) -> PathBuf {
        self.folder.join("other-ca.pem")
    }

    /// A client certificate that the node accepts, and its key.
    pub fn client(&self) -> (PathBuf, PathBuf) {
        self.pair("client")
    }

    /// A client certificate of a CA that the node does not know, and its key.
    pub fn other_client(&self) -> (PathBuf, PathBuf) {
        self.pair("other-client")
    }

    /// An `ssl_dist_optfile` for a client: Erlang terms that name [`Self::client`] and [`Self::ca`].
    pub fn client_optfile(&self) -> PathBuf {
        let (certificate, key) = self.client();
        let text = format!(
            "[{{client, [{{certfile, \"{}\"}}, {{keyfile, \"{}\"}},\n  \
             {{cacertfile, \"{}\"}}, {{verify, verify_peer}}]}}].\n",
            certificate.display(),
            key.display(),
            self.ca().display()
        );
        let path = self.folder.join("client.conf");
        fs::write(&path, text).or_fail("writing the client's options");
        path
    }

    /// What the node itself shows, and its key.
    pub(crate) fn server(&self) -> (PathBuf, PathBuf) {
        self.pair("server")
    }

    fn pair(&self, name: &str) -> (PathBuf, PathBuf) {
        (self.folder.join(format!("{name}.pem")), self.folder.join(format!("{name}.key")))
    }

    fn authority(&self, name: &str, common_name: &str) -> Issuer<'static, KeyPair> {
        let mut params = params(common_name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().or_fail("making a key");
        let certificate = params.self_signed(&key).or_fail("making a CA");
        fs::write(self.pair(name).0, certificate.pem()).or_fail("writing a CA");
        Issuer::new(params, key)
    }

    fn signed(&self, name: &str, params: &CertificateParams, by: &Issuer<'_, KeyPair>) {
        let key = KeyPair::generate().or_fail("making a key");
        let certificate = params.signed_by(&key, by).or_fail("signing a certificate");
        let (certificate_file, key_file) = self.pair(name);
        fs::write(certificate_file, certificate.pem()).or_fail("writing a certificate");
        fs::write(key_file, key.serialize_pem()).or_fail("writing a key");
    }
}

impl TlsSetup {
    fn server(self) -> ServerCertificate {
        match self {
            Self::Mutual(it) | Self::ServerOnly(it) => it,
        }
    }

    /// The node's `ssl_dist_optfile`.
    fn options(self) -> String {
        let verify = match self {
            Self::Mutual(_) => "{verify, verify_peer}, {fail_if_no_peer_cert, true}",
            Self::ServerOnly(_) => "{verify, verify_none}",
        };
        let files = format!(
            "{{certfile, \"{INSIDE}/server.pem\"}}, {{keyfile, \"{INSIDE}/server.key\"}}, \
             {{cacertfile, \"{INSIDE}/ca.pem\"}}"
        );
        format!(
            "[{{server, [{files}, {verify}]}},\n {{client, [{files}, {{verify, verify_none}}]}}].\n"
        )
    }
}

fn server_params(kind: ServerCertificate, host: &str) -> CertificateParams {
    let mut params = match kind {
        ServerCertificate::Good | ServerCertificate::Expired => params(host, &[host]),
        ServerCertificate::CommonNameOnly => params(host, &[]),
        ServerCertificate::WrongHost => params("elsewhere.invalid", &["elsewhere.invalid"]),
    };
    if kind == ServerCertificate::Expired {
        params.not_after = date_time_ymd(2021, 1, 1);
    }
    params
}

/// Valid from 2020 for as long as rcgen thinks fit; a host that is an address is named as one.
fn params(common_name: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|it| (*it).to_owned()).collect();
    let mut params = CertificateParams::new(names).or_fail("naming a certificate");
    params.not_before = date_time_ymd(2020, 1, 1);
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}
