//! For every way in which attaching fails: the check that it belongs to, and what fixes it.

use giulia_probe::dist;

use crate::ErrorKind;

/// The check of the doctor that an error belongs to, where its phase says so.
pub(crate) fn check_of(kind: ErrorKind) -> Option<&'static str> {
    use dist::ErrorKind as Dist;
    let ErrorKind::Node(kind) = kind else {
        return matches!(kind, ErrorKind::Cookie).then_some("cookie");
    };
    let check = match kind {
        Dist::HostUnknown => "host",
        Dist::EpmdUnreachable | Dist::NodeUnknown => "epmd",
        Dist::NodeUnreachable | Dist::NotErlang => "port",
        Dist::InvalidConfig | Dist::Tls | Dist::TlsUntrusted | Dist::TlsClientCertificate => "tls",
        Dist::HandshakeTimeout
        | Dist::HandshakeClosed
        | Dist::NameMismatch
        | Dist::NotAllowed
        | Dist::AlreadyConnected => "handshake",
        Dist::VersionUnsupported => "flags",
        Dist::CookieMismatch => "cookie",
        // What can happen at any time belongs to the step under way.
        Dist::InvalidName
        | Dist::Closed
        | Dist::Silent
        | Dist::Deadline
        | Dist::Limit
        | Dist::Protocol
        | Dist::Request
        | Dist::Raised
        | Dist::Killed
        | Dist::Io
        | _ => return None,
    };
    Some(check)
}

/// The command or the change that fixes it.
pub(crate) fn fix(kind: ErrorKind, node: &str) -> String {
    let host = node.split_once('@').map_or("localhost", |(_, host)| host);
    match kind {
        ErrorKind::Node(kind) => fix_of_node(kind, node, host),
        ErrorKind::Cookie => format!("giulia doctor {node} --cookie-file FILE"),
        ErrorKind::Nothing | ErrorKind::Deadline => format!("giulia doctor {node} --timeout 30s"),
        // No check of the doctor asks the store or runs a command.
        ErrorKind::Interrupted
        | ErrorKind::NoFunction
        | ErrorKind::NotIndexed
        | ErrorKind::Taken
        | ErrorKind::NoProcess
        | ErrorKind::Store(_)
        | ErrorKind::Project
        | ErrorKind::Workload
        | ErrorKind::Window
        | ErrorKind::Database(_) => {
            format!("giulia doctor {node}")
        }
    }
}

fn fix_of_node(kind: dist::ErrorKind, node: &str, host: &str) -> String {
    use dist::ErrorKind as Dist;
    match kind {
        Dist::InvalidName => "giulia nodes".to_owned(),
        Dist::InvalidConfig => {
            "correct that option; `giulia config` shows where each one comes from".to_owned()
        }
        Dist::HostUnknown => format!("getent hosts {host}"),
        Dist::EpmdUnreachable => format!(
            "epmd -daemon   # on {host}; or --epmd-port PORT, or --at HOST:PORT to go without EPMD"
        ),
        Dist::NodeUnknown => format!("giulia nodes {host}"),
        Dist::NodeUnreachable => {
            format!("open the node's port in the firewall of {host}, or pass --at HOST:PORT")
        }
        Dist::NotErlang => {
            format!("giulia nodes {host}   # or --tls, when the node uses TLS distribution")
        }
        Dist::HandshakeTimeout => format!("giulia doctor {node} --timeout 30s"),
        Dist::HandshakeClosed => {
            format!("giulia doctor {node} --tls   # when the node uses TLS distribution")
        }
        Dist::NameMismatch => "use the name that `node()` returns on the target".to_owned(),
        Dist::NotAllowed => {
            "net_kernel:allow([...]) on the target must hold our name: pass --name NAME@HOST"
                .to_owned()
        }
        Dist::AlreadyConnected => {
            "leave --name out, so that the node gives us a free name".to_owned()
        }
        Dist::CookieMismatch => format!(
            "erlang:get_cookie() on the target, then: giulia doctor {node} --cookie-file FILE"
        ),
        Dist::VersionUnsupported => "upgrade the node to OTP 23 or later".to_owned(),
        Dist::Tls => {
            format!("giulia doctor {node} --tls=false   # when it uses plain TCP")
        }
        Dist::TlsUntrusted => "--tls-cacert FILE; --tls-verify ca for a certificate that names no \
                               host; --tls-server-name NAME for one that names another"
            .to_owned(),
        Dist::TlsClientCertificate => {
            "--tls-cert FILE --tls-key FILE, signed by an authority that the node trusts".to_owned()
        }
        Dist::Silent | Dist::Deadline => {
            format!("giulia doctor {node} --timeout 30s   # or see whether the node is frozen")
        }
        Dist::Closed
        | Dist::Limit
        | Dist::Protocol
        | Dist::Request
        | Dist::Raised
        | Dist::Killed
        | Dist::Io
        | _ => format!("giulia doctor {node} -vv   # tells what was said"),
    }
}
