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
///
/// On the way it becomes what an interpreter runs fast:
/// - Literals (match specifications most of all) become one term in a node of the tree, which
///   `erl_eval` returns as it is, in place of one node for each of their parts.
/// - Where the source says `-variables(dictionary)`, variables that a match binds live in the
///   process dictionary. `erl_eval` merges all bindings after each argument of each call, looking
///   each up in a list of all: with 40 of them an expression costs ten times what it costs with two.
///   A name that a pattern or guard of a clause or generator uses stays a variable, and a name that
///   nothing binds is read from the dictionary too: that is how one form leaves state to another.
///   Such a variable may be bound again. Not for sources with funs, which see other values then.
/// - Functions of `erlang` that need no module name in source do without it here.
const PARSE: &str = r"
{ok, Tokens, _} = erl_scan:string(unicode:characters_to_list(base64:decode(Source))),
Split = fun Loop([], [], Forms) -> lists:reverse(Forms);
            Loop([{dot, _} = Dot | Rest], Form, Forms) -> Loop(Rest, [], [lists:reverse([Dot | Form]) | Forms]);
            Loop([Token | Rest], Form, Forms) -> Loop(Rest, [Token | Form], Forms)
        end,
Parsed = [begin {ok, It} = erl_parse:parse_form(Form), It end || Form <- Split(Tokens, [], [])],
[{function, _, ask, 1, [{clause, _, [Pattern0], [], Body0}]}] = [It || {function, _, ask, 1, _} = It <- Parsed],
Zero = fun(It) -> erl_parse:map_anno(fun(_) -> 0 end, It) end,
Pattern = Zero(Pattern0),
Body = [Zero(It) || It <- Body0],
Names = fun Names({var, _, '_'}) -> [];
            Names({var, _, Name}) -> [Name];
            Names(It) when is_tuple(It) -> lists:append([Names(Part) || Part <- tuple_to_list(It)]);
            Names(It) when is_list(It) -> lists:append([Names(Part) || Part <- It]);
            Names(_) -> []
        end,
Fixed = fun Fixed({clause, _, Patterns, Guards, Then}) -> Names(Patterns) ++ Names(Guards) ++ Fixed(Then);
            Fixed({generate, _, Each, From}) -> Names(Each) ++ Fixed(From);
            Fixed(It) when is_tuple(It) -> lists:append([Fixed(Part) || Part <- tuple_to_list(It)]);
            Fixed(It) when is_list(It) -> lists:append([Fixed(Part) || Part <- It]);
            Fixed(_) -> []
        end,
InDictionary = lists:any(fun(It) -> element(1, It) =:= attribute andalso element(3, It) =:= variables end, Parsed),
Variables = ['Args' | Fixed(Body)],
Literal = fun Literal({atom, _, It}) -> {ok, It};
              Literal({integer, _, It}) -> {ok, It};
              Literal({string, _, It}) -> {ok, It};
              Literal({nil, _}) -> {ok, []};
              Literal({op, _, '-', {integer, _, It}}) -> {ok, -It};
              Literal({'fun', _, {function, {atom, _, M}, {atom, _, F}, {integer, _, A}}}) -> {ok, fun M:F/A};
              Literal({cons, _, Head, Tail}) ->
                  case {Literal(Head), Literal(Tail)} of
                      {{ok, H}, {ok, T}} -> {ok, [H | T]};
                      _ -> no
                  end;
              Literal({tuple, _, Parts}) ->
                  Found = [Literal(Part) || Part <- Parts],
                  case lists:member(no, Found) of
                      true -> no;
                      false -> {ok, list_to_tuple([It || {ok, It} <- Found])}
                  end;
              Literal(_) -> no
          end,
Call = fun(Function, Args) -> {call, 0, {atom, 0, Function}, Args} end,
Bind = fun Bind({var, _, '_'}, _) -> [];
           Bind({var, _, Name}, From) ->
               case lists:member(Name, Variables) of
                   true -> [{match, 0, {var, 0, Name}, From}];
                   false -> [Call(put, [{atom, 0, Name}, From])]
               end;
           Bind({tuple, _, Parts}, From) ->
               lists:append([Bind(Part, Call(element, [{integer, 0, At}, From])) ||
                                {At, Part} <- lists:zip(lists:seq(1, length(Parts)), Parts)])
       end,
Fast = fun Fast(It) when is_list(It) -> [Fast(Part) || Part <- It];
           Fast({Kind, _, _} = It) when Kind =:= bin; Kind =:= string; Kind =:= char; Kind =:= float -> It;
           Fast({match, _, Left, Right}) when not InDictionary -> {match, 0, Left, Fast(Right)};
           Fast({var, _, Name} = It) ->
               case not InDictionary orelse lists:member(Name, Variables) of
                   true -> It;
                   false -> Call(get, [{atom, 0, Name}])
               end;
           Fast({match, _, {tuple, _, _} = Left, Right}) ->
               {block, 0, [Call(put, [{atom, 0, '_'}, Fast(Right)]) | Bind(Left, Call(get, [{atom, 0, '_'}]))]};
           Fast({match, _, Left, Right}) -> case Bind(Left, Fast(Right)) of [One] -> One; [] -> Fast(Right) end;
           Fast({clause, A, Patterns, Guards, Then}) -> {clause, A, Patterns, Guards, Fast(Then)};
           Fast({generate, A, Each, From}) -> {generate, A, Each, Fast(From)};
           Fast({call, _, {remote, _, {atom, _, Module}, {atom, _, Name}} = Called, Args}) ->
               case Module =:= erlang andalso erl_internal:bif(Name, length(Args)) of
                   true -> {call, 0, {atom, 0, Name}, Fast(Args)};
                   false -> {call, 0, Called, Fast(Args)}
               end;
           Fast({atom, _, _} = It) -> It;
           Fast(It) when is_tuple(It) ->
               case Literal(It) of
                   {ok, Term} -> {integer, 0, Term};
                   no -> list_to_tuple(Fast(tuple_to_list(It)))
               end;
           Fast(It) -> It
       end,
{Each, Bound} = case InDictionary of
                    true -> {{var, 0, 'Args'}, Bind(Pattern, {var, 0, 'Args'})};
                    false -> {Pattern, []}
                end,
Whole = {lc, 0, {block, 0, Bound ++ Fast(Body)}, [{generate, 0, Each, {cons, 0, {var, 0, 'Args'}, {nil, 0}}}]},
binary_to_list(base64:encode(term_to_binary(Whole, [{minor_version, 2}])))
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
