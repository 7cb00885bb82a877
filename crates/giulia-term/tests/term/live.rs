//! Generated terms through real nodes: we write, the node reads and writes, we read.
//!
//! Runs under `GIULIA_LIVE=1` with the roots of `scripts/otp-matrix`, one node a release,
//! spoken to over its standard input and output in packets of four-byte lengths.

use std::{
    env,
    fs::OpenOptions,
    io::{Read, Write},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use giulia_term::{Limits, Reader, Term, validate};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};

use crate::generate::{any_term, canonical, encoded};

/// Terms for each release: a minute for four releases, several thousand maps and binaries.
const TERMS: usize = 3_000;

/// Reads a term, answers with each way of writing it that this release knows.
const LOOP: &str = "
    Port = open_port({fd, 0, 1}, [binary, {packet, 4}, eof]),
    Options = [[], [{minor_version, 0}], [{minor_version, 1}], [{minor_version, 2}],
               [compressed], [{compressed, 9}], [deterministic]],
    Write = fun(Term, Option) ->
        try [term_to_binary(Term, Option)] catch error:badarg -> [] end
    end,
    Loop = fun Loop() ->
        receive
            {Port, {data, Bytes}} ->
                Answer = try binary_to_term(<<131, Bytes/binary>>) of
                    Term -> lists:flatmap(fun(Option) -> Write(Term, Option) end, Options)
                catch error:badarg -> refused end,
                port_command(Port, term_to_binary(Answer)),
                Loop();
            {Port, eof} -> halt()
        end
    end,
    Loop().";

struct Node(Child);

impl Node {
    fn start(root: &PathBuf) -> Self {
        let enter = "mount --rbind /proc \"$0/proc\"; mount --rbind /dev \"$0/dev\"; \
                     exec chroot \"$0\" \"$@\"";
        let root_user = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
        let mut command = Command::new(if root_user { "unshare" } else { "sudo" });
        command.args(if root_user { &[][..] } else { &["unshare"] });
        command.args(["--mount", "sh", "-c", enter]).arg(root);
        command.args(["erl", "-noinput", "-eval", &LOOP.replace('\n', " ")]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    fn ask(&mut self, bytes: &[u8]) -> Vec<u8> {
        let stdin = self.0.stdin.as_mut().unwrap();
        stdin.write_all(&u32::try_from(bytes.len()).unwrap().to_be_bytes()).unwrap();
        stdin.write_all(bytes).unwrap();
        stdin.flush().unwrap();
        let stdout = self.0.stdout.as_mut().unwrap();
        let mut len = [0; 4];
        stdout.read_exact(&mut len).unwrap();
        let mut answer = vec![0; u32::from_be_bytes(len) as usize];
        stdout.read_exact(&mut answer).unwrap();
        answer
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // The end of its input ends the node; the kill is for one that hangs.
        drop(self.0.stdin.take());
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn root(otp: u32) -> PathBuf {
    let cache = env::var_os("GIULIA_CACHE").map(PathBuf::from);
    let cache =
        cache.or_else(|| Some(PathBuf::from(env::var_os("XDG_CACHE_HOME")?).join("giulia")));
    let cache =
        cache.unwrap_or_else(|| PathBuf::from(env::var_os("HOME").unwrap()).join(".cache/giulia"));
    cache.join(format!("otp/{otp}"))
}

fn term_round_trip(otp: u32) {
    if env::var_os("GIULIA_LIVE").is_none() {
        println!("live: skipped");
        return;
    }
    let root = root(otp);
    if !root.join("usr/bin/erl").exists() {
        println!("live: skipped, no OTP {otp} at {}", root.display());
        return;
    }
    let mut node = Node::start(&root);
    let mut runner = TestRunner::deterministic();
    let (mut writings, mut same_bytes) = (0, 0);
    for _ in 0..TERMS {
        let term = canonical(any_term().new_tree(&mut runner).unwrap().current());
        let ours = encoded(&term);
        let answer = node.ask(&ours);
        let mut inflated = Vec::new();
        let mut reader = Reader::versioned(&answer, &Limits::DEFAULT, &mut inflated).unwrap();
        assert!(!reader.atom_is("refused"), "OTP {otp} refuses {term}");
        let mut first = None;
        reader
            .each(|it| {
                let bytes = it.binary()?;
                let found = read(bytes);
                assert_eq!(found, term, "OTP {otp} {bytes:?}");
                first.get_or_insert(bytes);
                writings += 1;
                Ok(())
            })
            .unwrap();
        if otp >= 26 && in_one_form(&term) {
            assert_eq!(first.and_then(|it| it.strip_prefix(&[131])), Some(&ours[..]), "{term}");
            same_bytes += 1;
        }
    }
    println!(
        "live-test otp={otp} name=term_round_trip terms={TERMS} writings={writings} same_bytes={same_bytes}"
    );
    assert!(writings >= TERMS * 6, "OTP {otp} answered with {writings} writings only");
    assert!(otp < 26 || same_bytes * 3 > TERMS, "only {same_bytes} of {TERMS} were compared");
    log(otp, "term_round_trip");
}

/// Whether a node has to write the very bytes that we do: the order of a map is its own,
/// and of a port we write the form that OTP 23 reads.
fn in_one_form(term: &Term<'_>) -> bool {
    match term {
        Term::Map(pairs) => {
            pairs.len() < 2 && pairs.iter().all(|(k, v)| in_one_form(k) && in_one_form(v))
        }
        Term::Port(_) => false,
        Term::List(it) | Term::Tuple(it) => it.iter().all(in_one_form),
        Term::Improper(it) => it.elements.iter().all(in_one_form) && in_one_form(&it.tail),
        _ => true,
    }
}

/// What the node wrote, through every reader.
fn read(bytes: &[u8]) -> Term<'static> {
    let mut inflated = Vec::new();
    let mut reader = Reader::versioned(bytes, &Limits::DEFAULT, &mut inflated).unwrap();
    let raw = reader.raw().unwrap();
    reader.finish().unwrap();
    validate(raw, &Limits::DEFAULT).unwrap();
    canonical(Term::decode(raw).unwrap().into_owned())
}

/// Counted at the end of the whole run, so that a release without live tests is seen.
fn log(otp: u32, name: &str) {
    let Some(path) = env::var_os("GIULIA_LIVE_LOG") else { return };
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(format!("{otp} {name}\n").as_bytes()).unwrap();
}

#[test]
fn otp_23() {
    term_round_trip(23);
}

#[test]
fn otp_25() {
    term_round_trip(25);
}

#[test]
fn otp_27() {
    term_round_trip(27);
}

#[test]
fn otp_29() {
    term_round_trip(29);
}
