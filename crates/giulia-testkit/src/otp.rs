//! The OTP releases of the matrix, and how to run a program inside the root of one.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// An OTP release that `scripts/otp-matrix` prepared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Otp {
    /// `27` for OTP 27.
    pub release: u32,
    /// The Debian root that holds it.
    pub root: PathBuf,
}

/// The releases of the matrix, oldest first.
pub(crate) const RELEASES: [u32; 4] = [23, 25, 27, 29];

/// A folder of ours that a program inside a root sees at a path of its own.
pub(crate) struct Bind<'a> {
    pub(crate) outside: &'a Path,
    pub(crate) inside: &'a str,
}

/// Where things live that are dear to make: roots, compiled samples.
pub fn cache_dir() -> PathBuf {
    let named = |name: &str| env::var_os(name).filter(|it| !it.is_empty()).map(PathBuf::from);
    named("GIULIA_CACHE").unwrap_or_else(|| {
        let cache = named("XDG_CACHE_HOME")
            .or_else(|| named("HOME").map(|it| it.join(".cache")))
            .unwrap_or_else(env::temp_dir);
        cache.join("giulia")
    })
}

/// The releases that are there, oldest first.
pub fn otps() -> Vec<Otp> {
    RELEASES.into_iter().filter_map(otp).collect()
}

/// One release, if it is there.
pub fn otp(release: u32) -> Option<Otp> {
    let root = cache_dir().join("otp").join(release.to_string());
    root.join("usr/bin/erl").exists().then_some(Otp { release, root })
}

/// Binds what follows the root up to `--`, then becomes the program, keeping the process id:
/// killing the child then kills the VM itself.
const ENTER: &str = r#"set -e
mount --rbind /proc "$0/proc"
mount --rbind /dev "$0/dev"
mount --rbind /sys "$0/sys"
while [ "$1" != -- ]; do mount --bind "$1" "$0$2"; shift 2; done
shift
exec chroot "$0" "$@""#;

impl Otp {
    /// A command that runs `program` inside the root, with a clean environment.
    ///
    /// The network is ours. A user who is not root enters through a user namespace.
    pub(crate) fn command(&self, binds: &[Bind<'_>], program: &str) -> Command {
        let mut command = Command::new("unshare");
        if !is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        command.args(["--mount", "sh", "-c", ENTER]).arg(&self.root);
        for bind in binds {
            command.arg(bind.outside).arg(bind.inside);
        }
        command.args(["--", program]);
        command.env_clear();
        command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        // Elixir warns about anything else, and old releases print latin1 without it.
        command.env("LC_ALL", "C.UTF-8");
        command.env("ERL_CRASH_DUMP_SECONDS", "0");
        command
    }
}

/// Whether this process may mount without a namespace of its own.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    Path::new("/proc/self").metadata().is_ok_and(|it| it.uid() == 0)
}
