//! How to reach a node and as whom: what flags, environment and files came down to.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use giulia_probe::{
    OwnNodes,
    dist::tls::{TlsOptions, Verify},
};

use crate::{CookieSource, Error, Progress};

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
    pub tls: Option<TlsAccess>,
    /// For everything that is not a measured window.
    pub timeout: Duration,
    /// Ask only by calls of existing functions.
    pub no_eval: bool,
    /// Ask processes also where a bug of the target's VM makes that dangerous.
    pub accept_vm_bug: bool,
    /// The folder in which it is written down what is armed on nodes that would not undo it by
    /// themselves; nothing is written without it.
    pub armed: Option<PathBuf>,
    /// The names of all our connections, whoever dials.
    pub own: OwnNodes,
}

/// What was said about TLS; its files are read when a node is dialled, not before.
#[derive(Debug, Clone, Default)]
pub struct TlsAccess {
    /// Erlang's own options file, for what is not said below.
    pub optfile: Option<PathBuf>,
    /// How far to verify.
    pub verify: Option<Verify>,
    /// PEM file with the authorities to trust.
    pub ca_file: Option<PathBuf>,
    /// PEM file with our certificate.
    pub cert_file: Option<PathBuf>,
    /// PEM file with its key.
    pub key_file: Option<PathBuf>,
    /// The host name expected in the certificate.
    pub server_name: Option<String>,
}

/// How to reach any node: the common way, and the ways of those that have their own.
#[derive(Debug, Clone)]
pub struct AccessBook {
    /// For nodes that are not named below.
    pub common: Access,
    /// By node name.
    pub nodes: BTreeMap<String, Access>,
}

impl Access {
    /// Warns of what was asked for and is risky.
    pub(crate) fn warn(&self, progress: &dyn Progress) {
        if self.is_unverified() {
            progress.warn(
                "TLS verify none: the node's certificate is not checked, and whoever stands in \
                 between can read and change everything; trust its authority with --tls-cacert FILE",
            );
        }
    }

    pub(crate) fn is_unverified(&self) -> bool {
        self.tls.as_ref().is_some_and(|it| it.verify == Some(Verify::None))
    }
}

impl AccessBook {
    /// The way to this node.
    pub fn for_node(&self, node: &str) -> &Access {
        self.nodes.get(node).unwrap_or(&self.common)
    }
}

impl TlsAccess {
    /// The options file, and over it what was said.
    ///
    /// # Errors
    /// When the options file cannot be read or understood.
    pub(crate) fn options(&self) -> Result<TlsOptions, Error> {
        let below = match &self.optfile {
            Some(path) => TlsOptions::from_optfile(path)?,
            None => TlsOptions::default(),
        };
        Ok(TlsOptions {
            verify: self.verify.unwrap_or(below.verify),
            ca_file: self.ca_file.clone().or(below.ca_file),
            cert_file: self.cert_file.clone().or(below.cert_file),
            key_file: self.key_file.clone().or(below.key_file),
            server_name: self.server_name.clone().or(below.server_name),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::Clean;

    #[derive(Debug, Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Progress for Heard {
        fn begin(&self, _what: &str, _lasts: Duration) {}
        fn end(&self) {}
        fn warn(&self, text: &str) {
            self.0.lock().unwrap().push(text.to_owned());
        }
    }

    #[tokio::test]
    async fn an_unchecked_certificate_is_warned_of_once() {
        let said = |verify| async move {
            let access = Access {
                cookie: CookieSource::Nowhere,
                at: Some("127.0.0.1:1".to_owned()),
                epmd_port: 1,
                name: None,
                tls: Some(TlsAccess { verify, ..TlsAccess::default() }),
                timeout: Duration::from_secs(1),
                no_eval: false,
                accept_vm_bug: false,
                armed: None,
                own: OwnNodes::default(),
            };
            let (bounds, clock) = (crate::Bounds::lasting(access.timeout), crate::Clock::system());
            let heard = Heard::default();
            let attempt = crate::Attempt {
                access: &access,
                bounds: &bounds,
                progress: &heard,
                clock: &clock,
            };
            crate::doctor("shop@127.0.0.1", Clean::No, attempt).await;
            heard.0.into_inner().unwrap().len()
        };
        assert_eq!((said(Some(Verify::None)).await, said(Some(Verify::Ca)).await), (1, 0));
    }
}
