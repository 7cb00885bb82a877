//! The settings: one struct whose doc comments are the help, the reference and the example.

use std::path::PathBuf;

use clap::Args;
use giulia_ops::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How long attaching may take: below 100 ms a handshake over a network cannot end, above ten
/// minutes nobody waits.
pub(crate) type Timeout = Span<100, 600_000>;

/// How to reach a node. Every setting is a flag, a variable and a key of the file.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize, JsonSchema)]
#[command(next_help_heading = "Reaching the node")]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// File that holds the cookie in its first line.
    #[arg(long, env = "GIULIA_COOKIE_FILE", hide_env = true, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cookie_file: Option<PathBuf>,
    /// Dial HOST:PORT in place of asking EPMD; the node keeps its real name.
    #[arg(long, env = "GIULIA_AT", hide_env = true, value_name = "HOST:PORT", value_parser = host_and_port)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<String>,
    /// Port of EPMD.
    #[arg(long, env = "ERL_EPMD_PORT", hide_env = true, value_name = "PORT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) epmd_port: Option<u16>,
    /// A name of our own, for nodes that let only some connect; else the node gives us one.
    #[arg(long, env = "GIULIA_NAME", hide_env = true, value_name = "MYNAME@HOST")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// Use TLS distribution; any other TLS setting implies it.
    #[arg(long, env = "GIULIA_TLS", hide_env = true, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", value_parser = clap::builder::BoolishValueParser::new(),
          hide_possible_values = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls: Option<bool>,
    /// How far the node's certificate is checked: full (chain and host; usual), ca (chain), none.
    #[arg(
        long,
        env = "GIULIA_TLS_VERIFY",
        hide_env = true,
        value_name = "HOW",
        hide_possible_values = true
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls_verify: Option<TlsVerify>,
    /// PEM file of the authorities to trust.
    #[arg(long, env = "GIULIA_TLS_CACERT", hide_env = true, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls_cacert: Option<PathBuf>,
    /// PEM file of our certificate, for nodes that ask for one.
    #[arg(long, env = "GIULIA_TLS_CERT", hide_env = true, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// PEM file of its key.
    #[arg(long, env = "GIULIA_TLS_KEY", hide_env = true, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Host name expected in the certificate, when it is not the node's host.
    #[arg(long, env = "GIULIA_TLS_SERVER_NAME", hide_env = true, value_name = "NAME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls_server_name: Option<String>,
    /// Erlang's own options file for TLS distribution, read for what is not set here.
    #[arg(long, env = "GIULIA_SSL_DIST_OPTFILE", hide_env = true, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ssl_dist_optfile: Option<PathBuf>,
    /// For everything that is not a measured window (100ms to 10m).
    #[arg(long, env = "GIULIA_TIMEOUT", hide_env = true, value_name = "TIME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timeout: Option<Timeout>,
    /// Only call existing functions; send no expression for the node to evaluate.
    #[arg(long, env = "GIULIA_NO_EVAL", hide_env = true, value_name = "BOOL", num_args = 0..=1,
          require_equals = true, default_missing_value = "true",
          value_parser = clap::builder::BoolishValueParser::new(), hide_possible_values = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) no_eval: Option<bool>,
    /// Ask processes although a bug of the node's VM may hang one: for nodes that may be lost.
    #[arg(long, env = "GIULIA_ACCEPT_VM_BUG", hide_env = true, value_name = "BOOL", num_args = 0..=1,
          require_equals = true, default_missing_value = "true",
          value_parser = clap::builder::BoolishValueParser::new(), hide_possible_values = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) accept_vm_bug: Option<bool>,
}

/// How far a certificate is checked.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TlsVerify {
    /// Chain and host name.
    Full,
    /// Chain only: home-made certificates often name no host.
    Ca,
    /// Nothing: whoever is in the middle reads everything.
    None,
}

impl Settings {
    /// What holds where nothing was said.
    pub(crate) fn defaults() -> Self {
        Self {
            // https://www.erlang.org/doc/apps/erts/epmd_cmd.html, ERL_EPMD_PORT.
            epmd_port: Some(4369),
            // Longer than the seven seconds that a node gives a handshake (net_setuptime).
            timeout: "10s".parse().ok(),
            no_eval: Some(false),
            accept_vm_bug: Some(false),
            ..Self::default()
        }
    }
}

fn host_and_port(text: &str) -> Result<String, String> {
    let right = text.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && port.parse::<u16>().is_ok_and(|it| it != 0)
    });
    let bare = text.matches(':').count() > 1 && !text.starts_with('[');
    match (right, bare) {
        (true, false) => Ok(text.to_owned()),
        (_, true) => Err(format!("`{text}`: write an IPv6 address in brackets, [::1]:9001")),
        (false, false) => Err(format!("`{text}` is not HOST:PORT, e.g. 127.0.0.1:9001")),
    }
}
