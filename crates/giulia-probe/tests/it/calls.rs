//! Patterns of calls mean what the languages mean: generated ones are compiled by each node's own
//! compiler and, from the same text, by us; both must agree on generated arguments.
#![expect(clippy::indexing_slicing, reason = "the generator of tests knows its own lengths")]

use giulia_model::{CallPattern, Guard, Literal, Pattern, Writing};
use giulia_probe::Heads;
use giulia_testkit::{Node, for_each_otp};

use crate::{attach, run};

/// Arguments, in Erlang's writing.
const POOL: &[&str] = &[
    "0",
    "1",
    "2",
    "-3",
    "2.0",
    "1.5",
    "ok",
    "error",
    "true",
    "false",
    "nil",
    "<<\"ab\">>",
    "<<1:3>>",
    "<<>>",
    "[]",
    "[1, 2]",
    "[1 | 2]",
    "[ok]",
    "\"ab\"",
    "{}",
    "{ok, 1}",
    "{error, {a, b}}",
    "{1, 1}",
    "#{}",
    "#{a => 1}",
    "#{b => 2, a => ok}",
    "#{<<\"k\">> => 1}",
    "self()",
    "make_ref()",
    "fun erlang:abs/1",
    "'_'",
    "'$1'",
    "36893488147419103232",
];

const COMMON: &[(&str, usize)] = &[
    ("is_atom", 1),
    ("is_binary", 1),
    ("is_bitstring", 1),
    ("is_boolean", 1),
    ("is_float", 1),
    ("is_function", 1),
    ("is_integer", 1),
    ("is_list", 1),
    ("is_map", 1),
    ("is_number", 1),
    ("is_pid", 1),
    ("is_port", 1),
    ("is_reference", 1),
    ("is_tuple", 1),
    ("abs", 1),
    ("bit_size", 1),
    ("byte_size", 1),
    ("hd", 1),
    ("length", 1),
    ("map_size", 1),
    ("round", 1),
    ("tl", 1),
    ("trunc", 1),
    ("tuple_size", 1),
    ("is_map_key", 2),
    ("element", 2),
    ("node", 1),
    ("self", 0),
    ("+", 2),
    ("-", 2),
    ("*", 2),
    ("/", 2),
    ("div", 2),
    ("rem", 2),
    ("-", 1),
    ("not", 1),
    ("==", 2),
    ("/=", 2),
    ("=:=", 2),
    ("=/=", 2),
    ("<", 2),
    (">", 2),
    ("=<", 2),
    (">=", 2),
    ("andalso", 2),
    ("orelse", 2),
    ("andalso", 2),
    ("orelse", 2),
    ("==", 2),
    (">", 2),
    ("<", 2),
];
const ERLANG: &[(&str, usize)] = &[
    ("size", 1),
    ("float", 1),
    ("map_get", 2),
    ("and", 2),
    ("or", 2),
    ("xor", 2),
    ("band", 2),
    ("bor", 2),
    ("bxor", 2),
    ("bsl", 2),
    ("bsr", 2),
    ("bnot", 1),
    ("is_record", 3),
];

/// A repeatable source of choices (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(sides).unwrap()).unwrap()
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len())]
    }

    fn literal(&mut self) -> Literal {
        match self.roll(6) {
            0 | 1 => Literal::Integer(i128::try_from(self.roll(4)).unwrap() - 1),
            2 => Literal::Float(self.pick(&[2.0, 1.5, -1.0])),
            3 => Literal::Binary(self.pick(&[&b"ab"[..], b"", b"k"]).to_vec()),
            _ => Literal::Atom(
                self.pick(&["ok", "error", "true", "false", "nil", "a", "_", "$1"]).into(),
            ),
        }
    }

    fn pattern(&mut self, depth: usize, variables: &mut usize) -> Pattern {
        match self.roll(if depth == 0 { 6 } else { 10 }) {
            0 => Pattern::Any,
            1 | 2 => {
                let number = self.roll(*variables + 1).min(3);
                *variables = (*variables).max(number + 1);
                Pattern::Variable(number)
            }
            3..6 => Pattern::Literal(self.literal()),
            6 | 7 => {
                let n = self.roll(3);
                Pattern::Tuple((0..n).map(|_| self.pattern(depth - 1, variables)).collect())
            }
            8 => {
                let n = self.roll(3);
                let parts: Vec<_> = (0..n).map(|_| self.pattern(depth - 1, variables)).collect();
                let has_tail = n > 0 && self.roll(2) == 0;
                let tail = has_tail.then(|| Box::new(self.pattern(0, variables)));
                // Written `[a | [b]]` it is read as written, so a tail is never a list.
                Pattern::List(parts, tail)
            }
            _ => {
                let keys = [&[][..], &["a"], &["a", "b"]][self.roll(3)];
                let pair = |it: &&str| (Literal::Atom((*it).into()), self.pattern(0, variables));
                Pattern::Map(keys.iter().map(pair).collect())
            }
        }
    }

    fn guard(&mut self, depth: usize, variables: usize, writing: Writing) -> Guard {
        if depth == 0 || self.roll(5) == 0 {
            return if variables > 0 && self.roll(3) > 0 {
                Guard::Variable(self.roll(variables))
            } else {
                Guard::Literal(self.literal())
            };
        }
        if self.roll(12) == 0 {
            let n = self.roll(3);
            return Guard::Tuple(
                (0..n).map(|_| self.guard(depth - 1, variables, writing)).collect(),
            );
        }
        let own = writing == Writing::Erlang && self.roll(4) == 0;
        let (name, arity) = if own { self.pick(ERLANG) } else { self.pick(COMMON) };
        let mut args: Vec<_> =
            (0..arity).map(|_| self.guard(depth - 1, variables, writing)).collect();
        match name {
            // As literals, as both compilers want them.
            "element" => {
                args[0] =
                    Guard::Literal(Literal::Integer(i128::try_from(self.roll(2) + 1).unwrap()));
            }
            "is_record" => {
                args[1] = Guard::Literal(Literal::Atom("ok".into()));
                args[2] = Guard::Literal(Literal::Integer(2));
            }
            // A power of two that fills the memory is not what is tested.
            "bsl" | "bsr" => args[1] = Guard::Literal(Literal::Integer(2)),
            // A number with a sign is one literal.
            "-" if arity == 1 && variables == 0 => return Guard::Literal(Literal::Integer(-1)),
            "-" if arity == 1 => args[0] = Guard::Variable(self.roll(variables)),
            _ => {}
        }
        Guard::Call(name, args)
    }

    fn call(&mut self, writing: Writing) -> (Vec<Pattern>, Vec<Guard>, usize) {
        let mut variables = 0;
        let arguments: Vec<_> = (0..2).map(|_| self.pattern(2, &mut variables)).collect();
        let n = self.roll(3);
        let guards = (0..n).map(|_| self.guard(3, variables, writing)).collect();
        (arguments, guards, variables)
    }
}

fn variable(number: usize, writing: Writing) -> String {
    if writing == Writing::Elixir { format!("v{number}") } else { format!("V{number}") }
}

fn literal(it: &Literal, writing: Writing) -> String {
    let is_elixir = writing == Writing::Elixir;
    match it {
        Literal::Integer(it) => it.to_string(),
        Literal::Float(it) => format!("{it:?}"),
        Literal::Atom(it) if is_elixir && ["true", "false", "nil"].contains(&it.as_str()) => {
            it.clone()
        }
        Literal::Atom(it) if is_elixir => format!(":\"{it}\""),
        Literal::Atom(it) => format!("'{it}'"),
        Literal::Binary(it) if is_elixir => format!("{:?}", String::from_utf8_lossy(it)),
        Literal::Binary(it) => format!("<<{:?}>>", String::from_utf8_lossy(it)),
        Literal::Tuple(_) | Literal::List(_) => panic!("none are made"),
    }
}

fn pattern(it: &Pattern, writing: Writing) -> String {
    let all = |parts: &[Pattern]| {
        parts.iter().map(|it| pattern(it, writing)).collect::<Vec<_>>().join(", ")
    };
    match it {
        Pattern::Any => "_".to_owned(),
        Pattern::Variable(number) => variable(*number, writing),
        Pattern::Literal(it) => literal(it, writing),
        Pattern::Tuple(parts) => format!("{{{}}}", all(parts)),
        Pattern::List(parts, None) => format!("[{}]", all(parts)),
        Pattern::List(parts, Some(tail)) => {
            format!("[{} | {}]", all(parts), pattern(tail, writing))
        }
        Pattern::Map(pairs) => {
            let (open, arrow) =
                if writing == Writing::Elixir { ("%{", "=>") } else { ("#{", ":=") };
            let pair = |(key, value): &(Literal, Pattern)| {
                format!("{} {arrow} {}", literal(key, writing), pattern(value, writing))
            };
            format!("{open}{}}}", pairs.iter().map(pair).collect::<Vec<_>>().join(", "))
        }
    }
}

fn guard(it: &Guard, writing: Writing) -> String {
    let is_elixir = writing == Writing::Elixir;
    let (name, args) = match it {
        Guard::Variable(number) => return variable(*number, writing),
        Guard::Literal(it) => return literal(it, writing),
        Guard::Tuple(parts) => {
            let parts: Vec<_> = parts.iter().map(|it| guard(it, writing)).collect();
            return format!("{{{}}}", parts.join(", "));
        }
        Guard::List(..) => panic!("none are made"),
        Guard::Call(name, args) => (*name, args),
    };
    let told: Vec<_> = args.iter().map(|it| guard(it, writing)).collect();
    let word = match name {
        "andalso" if is_elixir => "and",
        "orelse" if is_elixir => "or",
        "=:=" if is_elixir => "===",
        "=/=" if is_elixir => "!==",
        "/=" if is_elixir => "!=",
        "=<" if is_elixir => "<=",
        other => other,
    };
    let is_operator = !word.starts_with(|it: char| it.is_alphabetic());
    let is_word = [
        "andalso", "orelse", "and", "or", "xor", "div", "rem", "band", "bor", "bxor", "bsl", "bsr",
    ]
    .contains(&word)
        && !(is_elixir && ["div", "rem"].contains(&word));
    match told.as_slice() {
        [of] if ["-", "not", "bnot"].contains(&word) => format!("({word} ({of}))"),
        [left, right] if is_operator || is_word => format!("({left} {word} {right})"),
        [key, map] if is_elixir && word == "is_map_key" => format!("is_map_key({map}, {key})"),
        [_, tuple] if is_elixir && word == "element" => {
            let Guard::Literal(Literal::Integer(place)) = &args[0] else { panic!("{it:?}") };
            format!("elem({tuple}, {})", place - 1)
        }
        _ => format!("{word}({})", told.join(", ")),
    }
}

/// `(P1, P2) when G`.
fn written(arguments: &[Pattern], guards: &[Guard], writing: Writing) -> String {
    let arguments: Vec<_> = arguments.iter().map(|it| pattern(it, writing)).collect();
    let guards: Vec<_> = guards.iter().map(|it| guard(it, writing)).collect();
    let (when, or) =
        if writing == Writing::Elixir { (" when ", " when ") } else { (" when ", "; ") };
    let when = if guards.is_empty() { "" } else { when };
    format!("({}){when}{}", arguments.join(", "), guards.join(or))
}

/// What a pattern of which variable comes first reads as.
fn read(text: &str, writing: Writing) -> CallPattern {
    let name = if writing == Writing::Elixir { "M.f" } else { "m:f" };
    match CallPattern::parse(&format!("{name}{text}")) {
        Ok(Some(it)) => it,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn what_is_written_is_read_as_the_same_in_both_languages() {
    let mut dice = Dice(0x5eed);
    for _ in 0..2000 {
        let (arguments, guards, _) = dice.call(Writing::Elixir);
        let [elixir, erlang] = [Writing::Elixir, Writing::Erlang]
            .map(|it| read(&written(&arguments, &guards, it), it));
        assert_eq!(elixir.arguments, erlang.arguments);
        assert_eq!(elixir.guards, erlang.guards);
        // Variables are numbered as they come; otherwise it is what was meant.
        let again = written(&erlang.arguments, &erlang.guards, Writing::Erlang);
        assert_eq!(read(&again, Writing::Erlang).guards, erlang.guards, "{again}");
    }
}

/// A function for each pattern, by the language itself: functions of a module of Erlang's, funs of
/// Elixir's (whose 1.14 stumbles over what it would warn about in a module).
fn compiled(node: &Node, texts: &[String], writing: Writing) -> Vec<String> {
    let clauses = texts.iter().enumerate().map(|(idx, text)| match writing {
        Writing::Elixir => format!("fn {} -> true; _, _ -> false end,\n", bare(text)),
        Writing::Erlang => format!("f{idx}{text} -> true;\nf{idx}(_, _) -> false.\n"),
    });
    let source: String = clauses.collect();
    let source = match writing {
        Writing::Elixir => format!("[{}]", source.trim_end().trim_end_matches(',')),
        Writing::Erlang => {
            format!("-module(cmp).\n-compile([export_all, nowarn_export_all]).\n{source}")
        }
    };
    let bytes: Vec<String> = source.bytes().map(|it| it.to_string()).collect();
    let bytes = bytes.join(",");
    let name = |idx: usize| match writing {
        Writing::Elixir => format!("element({}, persistent_term:get(cmp))", idx + 1),
        Writing::Erlang => format!("fun cmp:f{idx}/2"),
    };
    node.eval(&match writing {
        Writing::Elixir => format!(
            "{{Funs, _}} = 'Elixir.Code':eval_string(list_to_binary([{bytes}])),
             persistent_term:put(cmp, list_to_tuple(Funs))"
        ),
        Writing::Erlang => format!(
            "ok = file:write_file(\"/srv/cmp.erl\", [{bytes}]),
             {{ok, cmp}} = compile:file(\"/srv/cmp\", [{{outdir, \"/srv\"}}]),
             true = code:add_patha(\"/srv\"), {{module, cmp}} = code:load_file(cmp)"
        ),
    });
    (0..texts.len()).map(name).collect()
}

/// Without the parentheses around the arguments.
fn bare(text: &str) -> String {
    let (arguments, rest) = match text.rsplit_once(") when ") {
        // Guards hold no `) when ` of their own but between alternatives.
        Some(_) => text.split_once(") when ").map(|(a, b)| (a, format!(" when {b}"))).unwrap(),
        None => (text.trim_end_matches(')'), String::new()),
    };
    format!("{}{rest}", arguments.trim_start_matches('('))
}

fn agree(node: &Node, writing: Writing, n: usize, seed: u64) {
    let mut dice = Dice(seed);
    let erts = run(async { attach(node, false).await.erts().clone() });
    let texts: Vec<String> = (0..n)
        .map(|_| {
            let (arguments, guards, _) = dice.call(writing);
            written(&arguments, &guards, writing)
        })
        .collect();
    let names = compiled(node, &texts, writing);
    let mut asked = Vec::new();
    for (idx, (text, name)) in texts.iter().zip(names).enumerate() {
        let heads = Heads::compile(&read(text, writing), &erts).unwrap();
        let spec = format!("{:.60000}", heads.with(&[], &[]));
        asked.push(format!("{{f{idx}, {name}, {spec}}}"));
    }
    let pool = POOL.join(",");
    let told = node.eval(&format!(
        "Pool = [{pool}], Pairs = [[A, B] || A <- Pool, B <- Pool],
         Test = fun(Args, Spec) -> case erlang:match_spec_test(Args, Spec, trace) of
             {{ok, It, _, []}} -> It; Other -> Other end end,
         All = [{{F, Args, apply(Fun, Args), Test(Args, Spec)}} || {{F, Fun, Spec}} <- [{}], Args <- Pairs],
         Bad = [It || {{_, _, Own, Ours}} = It <- All, Own =/= Ours],
         {{length(All), length([1 || {{_, _, true, _}} <- All]), length(Bad), lists:sublist(Bad, 3)}}",
        asked.join(",")
    ));
    let expected = format!("{{{},", n * POOL.len() * POOL.len());
    let n_true: usize = told.split(',').nth(1).unwrap().parse().unwrap();
    assert!(n_true > n * 5, "only {n_true} of all matched");
    assert!(told.starts_with(&expected) && told.ends_with(",0,[]}"), "{}", {
        let name = told.split("[{f").nth(1).and_then(|it| it.split(',').next()).unwrap_or("");
        let text = name.parse::<usize>().ok().and_then(|it| texts.get(it));
        format!("{told}\n{text:?}\n{:?}", name.parse::<usize>().ok().and_then(|it| asked.get(it)))
    });
}

#[test]
fn guards_mean_what_erlang_says() {
    for_each_otp("calls::guards_mean_what_erlang_says", |otp| {
        let node = Node::builder(otp).start();
        agree(&node, Writing::Erlang, 120, 0xe71a);
    });
}

#[test]
fn guards_mean_what_elixir_says() {
    for_each_otp("calls::guards_mean_what_elixir_says", |otp| {
        let node = Node::builder(otp).elixir().start();
        agree(&node, Writing::Elixir, 50, 0xe71c);
    });
}
