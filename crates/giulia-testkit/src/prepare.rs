//! Compiles the kit's modules and the samples of `targets/` once for each OTP and source.
//!
//! The result lies in the cache under a name made from the sources, so that a change makes a
//! new one and a second run makes none.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use md5::{Digest, Md5};

use crate::{
    cache_dir,
    fail::{OrFail, fail},
    otp::{Bind, Otp},
};

/// Where a node sees what was compiled.
pub(crate) const INSIDE: &str = "/mnt";

/// Source folders, and the library that each becomes.
const LIBRARIES: &[(&str, &str)] = &[
    ("crates/giulia-testkit/erl", "kit-1"),
    ("targets/sample/src", "sample-0.1.0"),
    ("targets/sample_ex/lib", "sample_ex-0.1.0"),
    ("targets/zoo/src", "zoo-0.1.0"),
];

/// Runs inside the root, in the folder that it fills: modules, then boot files.
const COMPILE: &str = r#"set -e
cd /mnt
for src in src/*; do
    ebin=lib/${src#src/}/ebin
    mkdir -p "$ebin"
    for file in "$src"/*.app*; do name=${file##*/}; cp "$file" "$ebin/${name%%.*}.app"; done
    case $(echo "$src"/*) in
        *.erl*) erlc +debug_info -o "$ebin" "$src"/*.erl ;;
        *.ex*) elixirc -o "$ebin" "$src"/*.ex ;;
    esac
done
ERL_LIBS=/mnt/lib:/usr/lib/elixir/lib erl -noinput -s kit_boot make
"#;

/// A source file: the library it belongs to, its name, its text.
struct Source {
    library: &'static str,
    name: String,
    text: Vec<u8>,
}

/// The folder with the compiled modules of this OTP, made if it is not there.
pub(crate) fn prepared(otp: &Otp) -> PathBuf {
    let sources = sources();
    let folder = cache_dir().join("kit");
    let ready = folder.join(format!("{}-{}", otp.release, digest(&sources)));
    if ready.is_dir() {
        return ready;
    }
    fs::create_dir_all(&folder).or_fail("making the cache folder");
    // Tests run side by side: each compiles for itself, and the first to finish wins.
    let new = tempfile::Builder::new().prefix(".new-").tempdir_in(&folder).or_fail("a folder");
    for source in &sources {
        let library = new.path().join("src").join(source.library);
        fs::create_dir_all(&library).or_fail("making a source folder");
        fs::write(library.join(&source.name), &source.text).or_fail("copying a source");
    }
    compile(otp, new.path());
    if fs::rename(new.path(), &ready).is_err() && !ready.is_dir() {
        fail(format_args!("could not move compiled modules to {}", ready.display()));
    }
    ready
}

fn compile(otp: &Otp, folder: &Path) {
    let bind = Bind { outside: folder, inside: INSIDE };
    let mut command = otp.command(&[bind], "sh");
    command.args(["-c", COMPILE]).env("HOME", "/tmp").stdin(Stdio::null());
    let output = command.output().or_fail("compiling the samples");
    if !output.status.success() {
        fail(format_args!(
            "the samples do not compile on OTP {}:\n{}{}",
            otp.release,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ));
    }
}

/// All sources, in an order that does not depend on the file system.
fn sources() -> Vec<Source> {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = Vec::new();
    for (folder, library) in LIBRARIES {
        let mut folders = vec![tree.join(folder)];
        while let Some(folder) = folders.pop() {
            let entries = fs::read_dir(&folder).or_fail(folder.display());
            for path in entries.filter_map(Result::ok).map(|it| it.path()) {
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let text = fs::read(&path).or_fail(path.display());
                found.push(Source { library, name, text });
            }
        }
    }
    found.sort_by(|a, b| (a.library, &a.name).cmp(&(b.library, &b.name)));
    found
}

/// Changes when a source, its place, or the way of compiling changes.
fn digest(sources: &[Source]) -> String {
    let mut hash = Md5::new();
    hash.update(COMPILE);
    for source in sources {
        hash.update(format!("{}/{} {}\n", source.library, source.name, source.text.len()));
        hash.update(&source.text);
    }
    let digest: [u8; 16] = hash.finalize().into();
    format!("{:032x}", u128::from_be_bytes(digest))
}
