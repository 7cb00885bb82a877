//! The `.beam` files of an installation, and a node of it that answers about them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use giulia_testkit::{Node, Otp};

/// Every so many-th file is asked about, chosen by the hash of its path, so that a test takes
/// seconds; `GIULIA_CODE_ONE_OF=1`, as `scripts/evidence/05-code` sets it, asks about all.
const ONE_OF: u64 = 48;

/// A module of the sample has at most so many bytes: disassembling the largest one, a generated
/// parser, takes a node longer than the kit waits on a busy machine.
const SAMPLE_BYTES_MAX: usize = 150_000;

/// The half of the corpus that differences are looked at in; the other half is only scored, so
/// that nothing is fitted to it.
pub(crate) fn is_looked_at(file: &Path) -> bool {
    hash(&application(file)).is_multiple_of(2)
}

/// Some files of the installation, as their paths inside of the root.
pub(crate) fn some_files(otp: &Otp) -> Vec<PathBuf> {
    let one_of = std::env::var("GIULIA_CODE_ONE_OF").map_or(ONE_OF, |it| it.parse().unwrap());
    let is_chosen = |it: &PathBuf| {
        hash(&it.to_string_lossy()).is_multiple_of(one_of)
            && (one_of == 1 || bytes(otp, it).len() <= SAMPLE_BYTES_MAX)
    };
    all_files(otp).into_iter().filter(is_chosen).collect()
}

/// All files of the installation.
pub(crate) fn all_files(otp: &Otp) -> Vec<PathBuf> {
    let folders = [otp.root.join("usr/lib/erlang"), otp.root.join("usr/lib/elixir/lib")];
    let found = files_below(otp, &folders);
    assert!(found.len() > 700, "only {} files in OTP {}", found.len(), otp.release);
    found
}

/// All files below folders of the installation.
pub(crate) fn files_below(otp: &Otp, folders: &[PathBuf]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = folders.to_vec();
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()) {
            if path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "beam") {
                found.push(Path::new("/").join(path.strip_prefix(&otp.root).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// The bytes of a file inside of the root.
pub(crate) fn bytes(otp: &Otp, file: &Path) -> Vec<u8> {
    fs::read(otp.root.join(file.strip_prefix("/").unwrap())).unwrap()
}

/// A node with the module `truth` loaded.
pub(crate) fn truthful(otp: &Otp) -> Node {
    let node = Node::builder(otp).name("truth").elixir().start();
    load(&node, "truth", include_str!("truth.erl"));
    node
}

/// Compiles a module on the node and loads it.
pub(crate) fn load(node: &Node, module: &str, source: &str) {
    let load = format!(
        "{{ok, Tokens, _}} = erl_scan:string({source:?}),
         {{Forms, []}} = lists:foldl(
             fun({{dot, _}} = Dot, {{Done, Open}}) ->
                     {{ok, Form}} = erl_parse:parse_form(lists:reverse([Dot | Open])),
                     {{[Form | Done], []}};
                (Token, {{Done, Open}}) -> {{Done, [Token | Open]}}
             end, {{[], []}}, Tokens),
         {{ok, {module}, Code}} = compile:forms(lists:reverse(Forms), [binary]),
         element(1, code:load_binary({module}, \"{module}.erl\", Code))"
    );
    assert_eq!(node.eval(&load), "module");
}

/// What a function of `truth` says about a file.
pub(crate) fn ask(node: &Node, function: &str, file: &Path) -> String {
    unquoted(&node.eval(&format!("truth:plain(truth:{function}(\"{}\"))", file.display())))
}

/// The text of a string that Erlang printed.
pub(crate) fn unquoted(printed: &str) -> String {
    let inside = printed.strip_prefix('"').and_then(|it| it.strip_suffix('"')).unwrap();
    let mut bytes = Vec::new();
    let mut rest = inside.replace("\\n", "\n").into_bytes().into_iter();
    while let Some(byte) = rest.next() {
        // `truth:plain/1` writes what Erlang would escape as `%` and two digits.
        let digits = |rest: &mut dyn Iterator<Item = u8>| {
            let text: String = rest.take(2).map(char::from).collect();
            u8::from_str_radix(&text, 16).unwrap()
        };
        bytes.push(if byte == b'%' { digits(&mut rest) } else { byte });
    }
    String::from_utf8(bytes).unwrap()
}

fn application(file: &Path) -> String {
    let ebin = file.parent().and_then(Path::parent).and_then(Path::file_name).unwrap();
    let name = ebin.to_string_lossy();
    name.split('-').next().unwrap().to_owned()
}

/// FNV-1a: the same on each machine and with each compiler.
fn hash(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |sum, it| (sum ^ u64::from(it)).wrapping_mul(0x0100_0000_01b3))
}
