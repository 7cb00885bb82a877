//! From settings to the way to a node.

use std::{collections::BTreeMap, time::Duration};

use giulia_engine::{Access, AccessBook, Cookie, CookieSource, OwnNodes, TlsAccess, Verify};

use crate::config::{Config, Origin, Settings, TlsVerify};

/// The ways to every node that the configuration knows, and to any other.
pub(crate) fn book(config: &Config) -> anyhow::Result<AccessBook> {
    let own = OwnNodes::default();
    let mut nodes = BTreeMap::new();
    for node in config.nodes() {
        nodes.insert(node.clone(), access(config, Some(node), &own)?);
    }
    Ok(AccessBook { common: access(config, None, &own)?, nodes })
}

fn access(config: &Config, node: Option<&str>, own: &OwnNodes) -> anyhow::Result<Access> {
    let (settings, cookie_file_origin) = config.effective(node)?;
    Ok(Access {
        cookie: cookie(config, &settings, cookie_file_origin),
        at: settings.at.clone(),
        epmd_port: settings.epmd_port.unwrap_or_default(),
        name: settings.name.clone(),
        tls: tls(&settings),
        timeout: settings.timeout.map_or(Duration::from_secs(10), giulia_ops::Span::get),
        no_eval: settings.no_eval.unwrap_or_default(),
        accept_vm_bug: settings.accept_vm_bug.unwrap_or_default(),
        armed: directories::ProjectDirs::from("", "", "giulia")
            .map(|it| it.data_dir().join("armed")),
        own: own.clone(),
    })
}

/// A file that was named on the command line, then text from flag or variable, then a file that
/// was named elsewhere, then Erlang's own.
fn cookie(config: &Config, settings: &Settings, file_origin: Option<Origin>) -> CookieSource {
    let file = settings.cookie_file.clone();
    match (&config.cookie, file, file_origin) {
        (Some((cookie, text_origin)), Some(path), Some(file_origin)) => {
            // A tie is won by the file: it is what we ask people to use.
            if strength(&file_origin) <= strength(text_origin) {
                CookieSource::File(path)
            } else {
                CookieSource::Given(Cookie::new(&*cookie.0))
            }
        }
        (Some((cookie, _)), _, _) => CookieSource::Given(Cookie::new(&*cookie.0)),
        (None, Some(path), _) => CookieSource::File(path),
        (None, None, _) => match directories::BaseDirs::new() {
            Some(dirs) => CookieSource::Home(dirs.home_dir().join(".erlang.cookie")),
            None => CookieSource::Nowhere,
        },
    }
}

fn strength(origin: &Origin) -> u8 {
    match origin {
        Origin::Flag => 0,
        Origin::Variable("RELEASE_COOKIE") => 2,
        Origin::Variable(_) => 1,
        Origin::NodeSection(..) => 3,
        Origin::CommonSection(_) => 4,
        Origin::File(_) | Origin::Default => 5,
    }
}

/// Any TLS setting implies TLS, unless it is switched off aloud.
fn tls(settings: &Settings) -> Option<TlsAccess> {
    let implied = settings.tls_cacert.is_some()
        || settings.tls_cert.is_some()
        || settings.tls_key.is_some()
        || settings.tls_server_name.is_some()
        || settings.ssl_dist_optfile.is_some()
        || settings.tls_verify.is_some();
    settings.tls.unwrap_or(implied).then(|| TlsAccess {
        optfile: settings.ssl_dist_optfile.clone(),
        verify: settings.tls_verify.map(|it| match it {
            TlsVerify::Full => Verify::Full,
            TlsVerify::Ca => Verify::Ca,
            TlsVerify::None => Verify::None,
        }),
        ca_file: settings.tls_cacert.clone(),
        cert_file: settings.tls_cert.clone(),
        key_file: settings.tls_key.clone(),
        server_name: settings.tls_server_name.clone(),
    })
}
