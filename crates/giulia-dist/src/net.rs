//! Dialling a host by name: every address that it has, within one deadline.

use std::{io, net::SocketAddr};

use tokio::{
    net::{TcpStream, lookup_host},
    time::{Instant, timeout_at},
};

use crate::{Error, ErrorKind};

/// Why dialling failed, before anyone knows what for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    #[error("{0}")]
    Unknown(io::Error),
    #[error("no answer before the deadline")]
    Timeout,
    #[error("{0}")]
    Io(io::Error),
}

/// Connects to the first address that answers; each gets its share of what time is left.
pub(crate) async fn dial(
    host: &str,
    port: u16,
    deadline: Instant,
) -> Result<(TcpStream, SocketAddr), DialError> {
    // `[::1]` is how addresses are written beside a port, `::1` how the resolver wants them.
    let bare = host.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(host);
    let found = timeout_at(deadline, lookup_host((bare, port)))
        .await
        .map_err(|_| DialError::Timeout)?
        .map_err(DialError::Unknown)?;
    let addresses: Vec<SocketAddr> = found.collect();
    let mut last = DialError::Unknown(io::Error::from(io::ErrorKind::NotFound));
    for (idx, address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let n_left = u32::try_from(addresses.len() - idx).unwrap_or(u32::MAX);
        let share = Instant::now() + left / n_left;
        match timeout_at(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Small requests would wait 40 ms for the peer's delayed acknowledgement.
                stream.set_nodelay(true).map_err(DialError::Io)?;
                return Ok((stream, *address));
            }
            Ok(Err(error)) => last = DialError::Io(error),
            Err(_) => last = DialError::Timeout,
        }
    }
    Err(last)
}

/// The error for a host part that does not resolve.
pub(crate) fn host_unknown(host: &str, error: DialError) -> Error {
    Error::new(
        ErrorKind::HostUnknown,
        format!(
            "the host `{host}` does not resolve ({error}); check the part after the `@`, add it to /etc/hosts, or give an address with `--at HOST:PORT`"
        ),
    )
    .with_source(error)
}

/// `HOST:PORT`, with `[...]` around an IPv6 address.
pub(crate) fn split_address(at: &str) -> Result<(&str, u16), Error> {
    let invalid = || {
        Error::new(
            ErrorKind::InvalidName,
            format!("`{at}` is not an address; write HOST:PORT, or [ADDRESS]:PORT for IPv6"),
        )
    };
    let (host, port) = at.rsplit_once(':').ok_or_else(invalid)?;
    if host.is_empty() || (host.contains(':') && !host.starts_with('[')) {
        return Err(invalid());
    }
    match port.parse() {
        Ok(port) if port != 0 => Ok((host, port)),
        _ => Err(invalid()),
    }
}

/// The first bytes of something strange, printable and short.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    /// Enough to recognise `HTTP/1.1 400 Bad Request` or an SSH banner.
    const SHOWN: usize = 32;
    let shown = bytes.get(..SHOWN).unwrap_or(bytes);
    shown.escape_ascii().to_string()
}

/// This machine's name, for the host part of a name that the target gives us.
pub(crate) fn hostname() -> String {
    let from_file = |path| std::fs::read_to_string(path).ok();
    let name = from_file("/proc/sys/kernel/hostname")
        .or_else(|| from_file("/etc/hostname"))
        .or_else(|| std::env::var("HOSTNAME").ok())
        .unwrap_or_default();
    let usable = |it: &char| it.is_ascii_alphanumeric() || matches!(it, '.' | '-' | '_');
    let name: String = name.trim().chars().filter(usable).take(200).collect();
    let name = name.trim_matches('.');
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_host_and_a_port() {
        assert_eq!(split_address("db1:9100").unwrap(), ("db1", 9100));
        assert_eq!(split_address("[::1]:9100").unwrap(), ("[::1]", 9100));
        for bad in ["db1", ":9100", "db1:0", "db1:x", "::1:9100", "db1:70000"] {
            assert_eq!(split_address(bad).unwrap_err().kind(), ErrorKind::InvalidName, "{bad}");
        }
    }

    #[test]
    fn strange_bytes_are_shown_printable_and_short() {
        assert_eq!(excerpt(b"SSH-2.0\r\n"), "SSH-2.0\\r\\n");
        assert!(excerpt(&[0xff; 1000]).len() < 200);
    }
}
