//! `scripts/otp-matrix` against mirrors that lost a release, and for a user who is not root.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail their test")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::Command,
    thread,
};

/// Where the tools of a user are; `debootstrap` is in `/usr/sbin`.
const PATH_OF_A_USER: &str = "/usr/local/bin:/usr/bin:/bin";

/// A mirror that moved and lost bullseye, for as long as the test runs; its address.
fn mirror() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let request = lines.next().unwrap().unwrap();
            while lines.next().is_some_and(|it| it.is_ok_and(|it| !it.is_empty())) {}
            let answer = match request.split(' ').nth(1).unwrap() {
                path if path.contains("/bullseye/") => "404 Not Found".to_owned(),
                path if path.contains("/forky/") => "403 Forbidden".to_owned(),
                path => match path.strip_prefix("/debian/") {
                    Some(rest) => format!("302 Found\r\nLocation: /moved/{rest}"),
                    None => "200 OK".to_owned(),
                },
            };
            let head = "Content-Length: 0\r\nConnection: close";
            // Whoever has read enough may leave.
            drop(stream.write_all(format!("HTTP/1.1 {answer}\r\n{head}\r\n\r\n").as_bytes()));
        }
    });
    format!("http://{address}/debian")
}

/// What a root has beside its first packages; without them the script goes and fetches them.
const ADDED: [&str; 3] = ["erlang-p1-pgsql", "erlang-src", "erlang-dev"];

/// A cache that holds these releases.
fn cache(releases: &[u32]) -> tempfile::TempDir {
    let cache = tempfile::tempdir().unwrap();
    for release in releases {
        let bin = cache.path().join(format!("otp/{release}/usr/bin"));
        fs::create_dir_all(&bin).unwrap();
        program(&bin.join("erl"), "");
        let packages = cache.path().join(format!("otp/{release}/var/lib/dpkg/info"));
        fs::create_dir_all(&packages).unwrap();
        for name in ADDED {
            fs::write(packages.join(format!("{name}.list")), "").unwrap();
        }
    }
    cache
}

fn program(path: &Path, text: &str) {
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// What it says, and how it ends.
fn run(cache: &Path, path: &str, args: &[&str]) -> (String, i32) {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../scripts/otp-matrix");
    let mut command = Command::new("bash");
    command.arg(script).args(args).env_clear().env("PATH", path).env("HOME", "/nowhere");
    command.env("GIULIA_CACHE", cache).env("GIULIA_DEBIAN_MIRROR", mirror());
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned());
    (said.concat(), output.status.code().unwrap())
}

#[test]
fn a_release_that_the_mirror_lost_is_named_and_three_are_enough() {
    let cache = cache(&[25, 27, 29]);
    let (said, code) = run(cache.path(), PATH_OF_A_USER, &[]);
    assert!(said.contains("otp 23: gone (bullseye)"), "{said}");
    assert_eq!(code, 0, "{said}");
    // The three need not be among those asked for.
    let (said, code) = run(cache.path(), PATH_OF_A_USER, &["23", "27"]);
    assert_eq!(code, 0, "{said}");
}

#[test]
fn without_three_or_without_27_it_fails() {
    for there in [&[27, 29][..], &[25, 29]] {
        let (said, code) = run(cache(there).path(), PATH_OF_A_USER, &["23", "29"]);
        assert!(said.contains("fewer than three releases, or 27 missing"), "{said}");
        assert_eq!(code, 1, "{said}");
    }
}

#[test]
fn a_mirror_that_forbids_is_not_one_that_lost_it() {
    let (said, code) = run(cache(&[23, 25, 27]).path(), PATH_OF_A_USER, &["29"]);
    assert!(said.contains("does not say whether it has forky: unknown (HTTP 403)"), "{said}");
    assert_eq!(code, 1, "{said}");
}

#[test]
fn a_user_without_sudo_is_told_what_needs_root() {
    let tools = tempfile::tempdir().unwrap();
    for tool in ["bash", "curl", "cat", "mkdir", "flock", "grep", "wc", "tail", "env"] {
        symlink(Path::new("/usr/bin").join(tool), tools.path().join(tool)).unwrap();
    }
    program(&tools.path().join("id"), "echo 1000");
    program(&tools.path().join("debootstrap"), "");
    let path = tools.path().to_str().unwrap();
    let (said, code) = run(cache(&[23, 27, 29]).path(), path, &["25"]);
    assert!(said.contains("needs root: run this as root, or install sudo"), "{said}");
    assert_eq!(code, 1, "{said}");
}
