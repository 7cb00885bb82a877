//! The evaluated Erlang as abstract forms: text is scanned here, on a real node, never on a target.
//!
//! Scanning text on a target would load eight modules and several hundred atoms there.
//! The oldest OTP of the matrix parses, so that the syntax fits all of them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use giulia_testkit::{Node, otps};

/// Turns the one clause of `ask/1` into a list comprehension over one argument: its variables
/// stay inside (a fun would do the same and make `erl_eval` load `erl_lint`), and whatever the
/// caller binds to `Args` is matched against the clause's pattern.
const PARSE: &str = r"
{ok, Tokens, _} = erl_scan:string(unicode:characters_to_list(base64:decode(Source))),
Split = fun Loop([], [], Forms) -> lists:reverse(Forms);
            Loop([{dot, _} = Dot | Rest], Form, Forms) -> Loop(Rest, [], [lists:reverse([Dot | Form]) | Forms]);
            Loop([Token | Rest], Form, Forms) -> Loop(Rest, [Token | Form], Forms)
        end,
Parsed = [begin {ok, It} = erl_parse:parse_form(Form), It end || Form <- Split(Tokens, [], [])],
[{function, _, ask, 1, [{clause, _, [Pattern], [], Body}]}] = [It || {function, _, ask, 1, _} = It <- Parsed],
Whole = {lc, 0, {block, 0, Body}, [{generate, 0, Pattern, {cons, 0, {var, 0, 'Args'}, {nil, 0}}}]},
binary_to_list(base64:encode(term_to_binary(erl_parse:map_anno(fun(_) -> 0 end, Whole), [{minor_version, 2}])))
";

/// Writes every form.
pub(crate) fn write() -> Result<()> {
    for (path, form) in fresh()? {
        fs::write(&path, form).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// Fails when a committed form is not what a fresh one would be.
pub(crate) fn check() -> Result<()> {
    let mut committed = files(&probe().join("forms"), "etf")?;
    for (path, form) in fresh()? {
        let there = fs::read(&path)
            .with_context(|| format!("reading {}; run `cargo xtask forms`", path.display()))?;
        if there != form {
            bail!("{} is stale; run `cargo xtask forms` and commit it", path.display());
        }
        committed.retain(|it| *it != path);
    }
    if let Some(path) = committed.first() {
        bail!("{} has no source in crates/giulia-probe/erl; remove it", path.display());
    }
    Ok(())
}

/// Each form's path and bytes, made now by a real node.
fn fresh() -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let found = otps();
    let otp = found.first().context("no OTP here; run `scripts/otp-matrix`")?;
    let node = Node::builder(otp).start();
    let mut made = Vec::new();
    for source in files(&probe().join("erl"), "erl")? {
        let text = fs::read(&source).with_context(|| format!("reading {}", source.display()))?;
        let answer = node
            .try_eval(&format!("Source = \"{}\",{PARSE}", encode(&text)))
            .map_err(|why| anyhow::anyhow!("parsing {}: {why}", source.display()))?;
        let form = decode(answer.trim().trim_matches('"'))
            .with_context(|| format!("the answer for {} is not base64", source.display()))?;
        let name = source.with_extension("etf");
        let name = name.file_name().context("a source without a name")?;
        made.push((probe().join("forms").join(name), form));
    }
    Ok(made)
}

fn probe() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/giulia-probe")
}

/// The files of a folder with an extension, sorted.
fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == extension) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64 (RFC 4648, section 4), because the way into the node is a line of text.
fn encode(bytes: &[u8]) -> String {
    let digit = |group: u32, shift: u32| {
        ALPHABET.get((group >> shift) as usize & 63).copied().map_or('=', char::from)
    };
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group = (0..3).fold(0, |group, idx| {
            group << 8 | u32::from(chunk.get(idx).copied().unwrap_or_default())
        });
        for place in 0..4 {
            let filled = place <= chunk.len();
            text.push(if filled {
                digit(group, 18 - 6 * u32::try_from(place).unwrap_or(3))
            } else {
                '='
            });
        }
    }
    text
}

/// The bytes, or nothing when a character is not of base64.
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut group, mut bits) = (0_u32, 0_u32);
    for byte in text.trim_end_matches('=').bytes() {
        let digit = ALPHABET.iter().position(|it| *it == byte)?;
        group = group << 6 | u32::try_from(digit).ok()?;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(group >> bits & 255).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).unwrap(), bytes.as_bytes());
        }
        assert_eq!(decode("Zm9*"), None);
    }
}
