//! Small modules, and what they say.
use std::{collections::HashMap, fmt::Write};

use super::*;
use crate::source::{Certainty, Doc, FunctionKind, RefOrigin, Reference};

/// Headers by name.
struct Texts(HashMap<&'static str, &'static str>);

impl Headers for Texts {
    fn include(&self, _: &str, name: &str) -> Option<Header> {
        let bytes = self.0.get(name)?.as_bytes().into();
        Some(Header { path: name.to_owned(), bytes })
    }

    fn include_lib(&self, from: &str, name: &str) -> Option<Header> {
        self.include(from, name)
    }
}

fn with(source: &str, headers: &[(&'static str, &'static str)]) -> SourceFacts {
    let headers = Texts(headers.iter().copied().collect());
    facts("m.erl", source.as_bytes(), &headers, &Options::NONE)
}

fn read(source: &str) -> SourceFacts {
    with(source, &[])
}

/// References as text: `kind line caller -> target`, with `*` where a macro brings it and `?`
/// where it is a guess.
fn shown(facts: &SourceFacts) -> Vec<String> {
    let shown = |it: &Reference| {
        let name = |it| facts.names.get(it);
        let from = facts.function_of(it);
        let from = from.map_or("-".to_owned(), |it| format!("{}/{}", name(it.name), it.arity));
        let to = match (it.to_module.map(name), it.to_function.map(name)) {
            (Some(module), Some(function)) => format!("{module}:{function}/{}", it.arity),
            (Some(module), None) => module.to_owned(),
            (None, Some(function)) => function.to_owned(),
            (None, None) => "?".to_owned(),
        };
        let expanded = if it.origin == RefOrigin::Expanded { "*" } else { "" };
        let guess = if it.certainty == Certainty::Certain { "" } else { "?" };
        format!("{:?}{expanded}{guess} {} {from} -> {to}", it.kind, it.line)
    };
    facts.references.iter().map(shown).collect()
}

#[track_caller]
fn check(source: &str, expected: &[&str]) {
    let facts = read(source);
    assert_eq!(facts.problems, [], "{source}");
    assert_eq!(shown(&facts), expected, "{source}");
}

fn problems(facts: &SourceFacts) -> Vec<String> {
    facts.problems.iter().map(|it| format!("{}: {}", it.line, it.text)).collect()
}

#[test]
fn calls_of_all_kinds() {
    check(
        "-module(m).\n-import(lists, [map/2]).\n-export([f/1]).\n\
         f(X) when is_atom(X) ->\n  g(X, length(X)),\n  a:b(),\n  map(fun g/2, X),\n  \
         F = fun a:c/3, F(1), X:y(), a:X(), (g(1, 2))(3),\n  fun M:h/1, nobody(1).\n\
         g(_, _) -> module_info(exports), m:f(1).\n",
        &[
            "Import 2 - -> lists",
            "Call 4 f/1 -> erlang:is_atom/1",
            "Call 5 f/1 -> m:g/2",
            "Call 5 f/1 -> erlang:length/1",
            "Call 6 f/1 -> a:b/0",
            "Call 7 f/1 -> lists:map/2",
            "Capture 7 f/1 -> m:g/2",
            "Capture 8 f/1 -> a:c/3",
            "Call 8 f/1 -> m:g/2",
            "Call? 9 f/1 -> nobody",
            "Call 10 g/2 -> m:module_info/1",
            "Call 10 g/2 -> m:f/1",
        ],
    );
}

#[test]
fn functions_that_are_told_by_name() {
    check(
        "-module(m).\nf(P, T) ->\n apply(a, b, [1, P]), L = [1, 2 | [3]],\n \
         spawn(a, c, L), spawn_link(node(), a, d, [P | L]), apply(P, b, []),\n \
         proc_lib:spawn(a, e, []), {a, g, [1]}, {error, x, T},\n \
         #{id => x, start => {a, start_link, []}}, {x, {a, h, []}, permanent, 1, worker, []}.\n",
        &[
            "Call 3 f/2 -> erlang:apply/3",
            "Apply 3 f/2 -> a:b/2",
            "Call 4 f/2 -> erlang:spawn/3",
            "Spawn 4 f/2 -> a:c/3",
            "Call 4 f/2 -> erlang:spawn_link/4",
            "Spawn 4 f/2 -> a:d/4",
            "Call 4 f/2 -> erlang:node/0",
            "Call 4 f/2 -> erlang:apply/3",
            "Call 5 f/2 -> proc_lib:spawn/3",
            "Mfa 5 f/2 -> a:e/0",
            "Mfa? 5 f/2 -> a:g/1",
            "Child 6 f/2 -> a:start_link/0",
            "Child 6 f/2 -> a:h/0",
        ],
    );
    // An own `apply/3` is nobody's BIF.
    check(
        "-module(m).\n-compile({no_auto_import, [apply/3]}).\nf() -> apply(a, b, []).\n\
         apply(_, _, _) -> ok.\n",
        &["Call 3 f/0 -> m:apply/3"],
    );
}

#[test]
fn processes_and_tables() {
    check(
        "-module(m).\n-define(T, ?MODULE).\nf(X) ->\n gen_server:call(?T, X), gen_server:cast(srv, X),\n \
         srv ! X, register(srv, self()), gen_server:start_link({local, srv}, m, [], []),\n \
         ets:new(?T, []), ets:insert(tab, X), ets:lookup(tab, X), ets:lookup(X, X).\n",
        &[
            "Call 4 f/1 -> gen_server:call/2",
            "MessageCall 4 f/1 -> m",
            "Call 4 f/1 -> gen_server:cast/2",
            "MessageCast 4 f/1 -> srv",
            "MessageSend 5 f/1 -> srv",
            "Call 5 f/1 -> erlang:register/2",
            "Register 5 f/1 -> srv",
            "Call 5 f/1 -> erlang:self/0",
            "Call 5 f/1 -> gen_server:start_link/4",
            "Register 5 f/1 -> srv",
            "Module 5 f/1 -> m",
            "Call 6 f/1 -> ets:new/2",
            "EtsNew 6 f/1 -> m",
            "Call 6 f/1 -> ets:insert/2",
            "EtsWrite 6 f/1 -> tab",
            "Call 6 f/1 -> ets:lookup/2",
            "EtsRead 6 f/1 -> tab",
            "Call 6 f/1 -> ets:lookup/2",
        ],
    );
}

#[test]
fn the_preprocessor() {
    check(
        "-module(m).\n-define(CALL(F, A), a:F(A, ?LINE, ??A)).\n-define(EMPTY(), a:e()).\n\
         -define(BOTH, a:zero()).\n-define(BOTH(X), a:one(X)).\n-define(NEST(X), ?CALL(deep, X)).\n\
         -ifdef(TEST).\nf() -> a:test().\n-else.\nf() -> ?CALL(x, b:y()), ?EMPTY(), ?BOTH, ?BOTH(1).\n\
         -endif.\n-if(?OTP_RELEASE >= 21 andalso not defined(NO)).\ng() -> ?NEST(?NEST(1)).\n\
         -elif(true).\ng() -> a:elif().\n-else.\ng() -> a:otherwise().\n-endif.\n\
         h(_) -> ?FUNCTION_NAME(?FUNCTION_ARITY), ?MODULE:h(1).\n-undef(EMPTY).\n\
         -ifndef(EMPTY).\ni() -> fun ?MODULE:i/0.\n-endif.\n",
        &[
            "Call* 10 f/0 -> a:x/3",
            "Call 10 f/0 -> b:y/0",
            "Call* 10 f/0 -> a:e/0",
            "Call* 10 f/0 -> a:zero/0",
            "Call* 10 f/0 -> a:one/1",
            "Call* 13 g/0 -> a:deep/3",
            "Call* 13 g/0 -> a:deep/3",
            "Call* 19 h/1 -> m:h/1",
            "Call* 19 h/1 -> m:h/1",
            "Capture 22 i/0 -> m:i/0",
        ],
    );
}

#[test]
fn headers() {
    let headers = [
        (
            "one.hrl",
            "-include(\"two.hrl\").\n-record(r, {a = a:default(), b, c = 1 :: integer()}).\n",
        ),
        ("two.hrl", "-define(TWO(X), two:call(X)).\nin_header() -> h:x().\n"),
        ("itself.hrl", "-include(\"itself.hrl\").\n"),
    ];
    let facts = with(
        "-module(m).\n-include_lib(\"one.hrl\").\n-include(\"itself.hrl\").\n-include(\"none.hrl\").\n\
         f(#r{} = R) -> ?TWO(1), #r{b = 1}, R#r{b = 2}, #r{a = 2}, #r{_ = 3}, R#r.a.\n\
         g() -> #r{} = f(1), ?NOBODY(b:arg()).\n",
        &headers,
    );
    let calls: Vec<String> =
        shown(&facts).into_iter().filter(|it| !it.starts_with("Structure")).collect();
    let expected = [
        "Call 2 in_header/0 -> h:x/0",
        "Call* 5 f/1 -> two:call/1",
        "Call* 5 f/1 -> a:default/0",
        "Call 6 g/0 -> m:f/1",
        "Call 6 g/0 -> b:arg/0",
    ];
    assert_eq!(calls, expected);
    let expected = [
        "3: headers inside of each other, more than 8",
        "4: the header `none.hrl` is not to be found",
        "6: the macro `?NOBODY` is not defined",
    ];
    assert_eq!(problems(&facts), expected);
    assert_eq!(facts.headers, ["one.hrl", "two.hrl", "itself.hrl"]);
    let record = &facts.modules[0].records[0];
    let fields: Vec<&str> = record.fields.iter().map(|it| facts.names.get(*it)).collect();
    assert_eq!(fields, ["a", "b", "c"]);
}

#[test]
fn what_stands_in_a_module_beside_functions() {
    let facts = read(
        "-module(m).\n-moduledoc \"\"\"\n  About.\n    Deep.\n  \"\"\".\n-behaviour(gen_server).\n\
         -export([f/1]).\n-export_type([t/0]).\n-type t() :: a:t(integer()) | u(x).\n-opaque u(X) :: X.\n\
         -callback c(t(), b) -> ok.\n-optional_callbacks([c/2]).\n-spec f(t()) -> ok | {a:b(), [t()]}.\n\
         -doc ~S\"One \\n.\".\n-doc #{since => \"1\"}.\nf(_) ->\n  ok;\nf(1) ->\n  no.\n-doc false.\ng() -> ok.\n",
    );
    assert_eq!(problems(&facts), [""; 0]);
    let module = &facts.modules[0];
    let name = |it| facts.names.get(it);
    assert_eq!(module.doc, Doc::Text("About.\n  Deep.".into()));
    assert_eq!(module.behaviours.iter().map(|it| name(*it)).collect::<Vec<_>>(), ["gen_server"]);
    let functions: Vec<String> = module
        .functions
        .iter()
        .map(|it| {
            format!(
                "{}/{} {:?} {}-{} {}",
                name(it.name),
                it.arity,
                it.kind,
                it.lines.first,
                it.lines.last,
                it.n_clauses
            )
        })
        .collect();
    assert_eq!(functions, ["f/1 Public 16-19 2", "g/0 Private 21-21 1"]);
    let docs: Vec<&Doc> = module.functions.iter().map(|it| &it.doc).collect();
    assert_eq!(docs, [&Doc::Text("One \\n.".into()), &Doc::Hidden]);
    assert!(module.callbacks[0].is_optional && module.callbacks[0].arity == 2);
    assert_eq!((name(module.specs[0].name), module.specs[0].line), ("f", 13));
    let types: Vec<String> = module
        .types
        .iter()
        .map(|it| format!("{}/{} {:?}", name(it.name), it.arity, it.kind))
        .collect();
    assert_eq!(types, ["t/0 Public", "u/1 Opaque"]);
    let expected = [
        "Behaviour 6 - -> gen_server",
        "Type 9 - -> a:t/1",
        "Type 9 - -> m:u/1",
        "Type 11 - -> m:t/0",
        "Type 13 - -> m:t/0",
        "Type 13 - -> a:b/0",
        "Type 13 - -> m:t/0",
    ];
    assert_eq!(shown(&facts), expected);
}

#[test]
fn everything_that_an_expression_may_be() {
    check(
        "-module(m).\nf(X) ->\n  [a:l(Y) || Y <- a:g(X), a:p(Y), <<Z:8/integer-unit:1>> <= X] ++ \"a\" \"b\",\n  \
         << <<(a:b(C)):16>> || C <:- X && _ <- X >>, #{a:k(K) => V || K := V <- X}, <<X:(a:s())/binary>>,\n  \
         try a:t() of 1 -> a:o() catch throw:{a, _}:S when S > 1 -> a:c(S); _:_ -> ok after a:z() end,\n  \
         receive {X, $;} when X -> a:r() after a:ms() -> a:timeout() end,\n  \
         if X > 1; X < 0 -> a:i(); true -> ok end, case catch a:x() of [_ | _] -> -1; _ -> not true end,\n  \
         maybe {ok, A} ?= a:m(), A else _ -> a:e() end, begin a:n() end,\n  \
         fun F(0) -> a:z0(); F(N) -> F(N - 1) end, ~b\"x\", 16#Ff, 1.5e-3, 1_000, $\\x{1f},\n  \
         X#{a := 1}, 'quoted atom':'f x'(), -a:neg(), a:one() =:= a:two().\n",
        &[
            "Call 3 f/1 -> a:l/1",
            "Call 3 f/1 -> a:g/1",
            "Call 3 f/1 -> a:p/1",
            "Call 4 f/1 -> a:b/1",
            "Call 4 f/1 -> a:k/1",
            "Call 4 f/1 -> a:s/0",
            "Call 5 f/1 -> a:t/0",
            "Call 5 f/1 -> a:o/0",
            "Call 5 f/1 -> a:c/1",
            "Call 5 f/1 -> a:z/0",
            "Call 6 f/1 -> a:r/0",
            "Call 6 f/1 -> a:ms/0",
            "Call 6 f/1 -> a:timeout/0",
            "Call 7 f/1 -> a:i/0",
            "Call 7 f/1 -> a:x/0",
            "Call 8 f/1 -> a:m/0",
            "Call 8 f/1 -> a:e/0",
            "Call 8 f/1 -> a:n/0",
            "Call 9 f/1 -> a:z0/0",
            "Call 10 f/1 -> quoted atom:f x/0",
            "Call 10 f/1 -> a:neg/0",
            "Call 10 f/1 -> a:one/0",
            "Call 10 f/1 -> a:two/0",
        ],
    );
}

#[test]
fn broken_files_say_where_and_keep_the_rest() {
    let facts = read(
        "-module(m).\nf() -> a:b(\n\ng() -> a:c().\nh() -> a:d()\ni() -> ) a:e().\nj() -> a:f().\n\
         k() -> \"open\n.\nl() -> a:g().\n",
    );
    let calls = ["g/0 -> a:c/0", "h/0 -> a:d/0", "j/0 -> a:f/0", "l/0 -> a:g/0"];
    let found = shown(&facts);
    for call in calls {
        assert!(found.iter().any(|it| it.ends_with(call)), "{call} in {found:?}");
    }
    assert!(facts.problems.len() >= 3, "{:?}", facts.problems);
    assert!(facts.problems.iter().any(|it| it.line == 6), "{:?}", facts.problems);
}

#[test]
fn hostile_files_end_soon() {
    let nested = |open: &str, close: &str| {
        format!(
            "-module(m).\nf() -> {}a:b(){}.\ng() -> a:c().\n",
            open.repeat(100_000),
            close.repeat(100_000)
        )
    };
    for (open, close) in [
        ("[", "]"),
        ("{", "}"),
        ("(", ")"),
        ("f(", ")"),
        ("begin ", " end"),
        ("#{a => ", "}"),
        ("case ", " of _ -> ok end"),
        ("fun() -> ", " end"),
        ("[x || x <- ", "]"),
        ("#r{a = ", "}"),
        ("- ", ""),
    ] {
        let facts = read(&nested(open, close));
        let found = shown(&facts);
        assert_eq!(facts.problems, [], "{open}");
        for call in ["f/0 -> a:b/0", "g/0 -> a:c/0"] {
            assert!(found.iter().any(|it| it.ends_with(call)), "{call} within {open}");
        }
        let open_only = read(&format!("-module(m).\nf() -> {}", open.repeat(100_000)));
        assert!(!open_only.problems.is_empty());
    }
    // Definitions that mean 2^40 tokens, with and without any coming out, and in a circle.
    let mut bomb = String::from(
        "-module(m).\n-define(A0, x).\n-define(B0, ).\n-define(C, ?C).\n-define(D, ?E + ?E).\n-define(E, ?D).\n",
    );
    for at in 1..=40 {
        writeln!(bomb, "-define(A{at}, ?A{0}, ?A{0}).\n-define(B{at}, ?B{0} ?B{0}).", at - 1)
            .unwrap();
    }
    bomb.push_str("f() -> ?A40.\ng() -> ?B40 ok.\nh() -> ?C.\ni() -> ?D.\nj() -> a:b().\n");
    let facts = read(&bomb);
    assert_eq!(facts.problems.len(), 4, "{:?}", facts.problems);
    assert_eq!(shown(&facts), ["Call 91 j/0 -> a:b/0"]);
}

#[test]
fn latin1_with_and_without_saying_so() {
    let (said, unsaid) = (
        b"%% -*- coding: latin-1 -*-\n-module(m).\nf() -> 'g\xe5s':x().\n".as_slice(),
        b"-module(m).\n\nf() -> 'g\xe5s':x().\n".as_slice(),
    );
    for (bytes, n_problems) in [(said, 0), (unsaid, 1)] {
        let facts = facts("m.erl", bytes, &NoHeaders, &Options::NONE);
        assert_eq!(shown(&facts), ["Call 3 f/0 -> gås:x/0"]);
        assert_eq!(facts.problems.len(), n_problems);
    }
}

#[test]
fn complexity_over_all_clauses() {
    let of = |source: &str| {
        let facts = read(&format!("-module(m).\n{source}\n"));
        assert_eq!(facts.problems, [], "{source}");
        let it = facts.modules[0].functions[0].complexity;
        (it.cyclomatic, it.cognitive, it.nesting_max)
    };
    assert_eq!(of("f() -> ok."), (1, 0, 0));
    assert_eq!(of("f(1) -> ok; f(2) -> no; f(_) -> x."), (3, 0, 0));
    assert_eq!(of("f(X) -> case X of 1 -> if X -> 1; true -> 2 end; _ -> 3 end."), (3, 4, 2));
    assert_eq!(
        of("f(X) -> [case X of 1 -> a; _ -> b end || Y <- X, Y > 1, X andalso Y]."),
        (4, 4, 2)
    );
    assert_eq!(of("f() -> receive 1 -> a; 2 -> b after 0 -> c end."), (3, 1, 1));
    assert_eq!(
        of("f() -> try x() of 1 -> a; 2 -> b catch _ -> c; _:_ -> d after e end."),
        (4, 1, 1)
    );
    assert_eq!(of("f(X) when X > 1 andalso X < 3 -> X."), (1, 0, 0));
    assert_eq!(of("f(X) -> if X > 1 andalso X < 3 -> X end."), (2, 2, 1));
    assert_eq!(of("f() -> fun(1) -> if true -> 2 end; (2) -> 3 end."), (2, 2, 2));
}

#[test]
fn headers_that_everybody_includes_are_known() {
    let facts = read(
        "-module(m).\n-include_lib(\"kernel/include/logger.hrl\").\n-include_lib(\"eunit/include/eunit.hrl\").\n\
         f() -> ?LOG_INFO(\"x\", [a:b()]).\nf_test() -> ?assertEqual(1, a:c()).\n",
    );
    assert_eq!(problems(&facts), [""; 0]);
    let expected = [
        "Call* 4 f/0 -> logger:allow/2",
        "Call* 4 f/0 -> erlang:apply/3",
        "Apply* 4 f/0 -> logger:macro_log/4",
        "Call 4 f/0 -> a:b/0",
        "Call* 5 f_test/0 -> erlang:error/1",
        "Call 5 f_test/0 -> a:c/0",
        "Call* 3 test/0 -> eunit:test/1",
    ];
    assert_eq!(shown(&facts), expected);
    let kinds: Vec<_> = facts.modules[0].functions.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [FunctionKind::Private, FunctionKind::Public, FunctionKind::Public]);
}

/// Found by the fuzz target: references stood in a module that was not there.
#[test]
fn without_a_module_nobody_refers_to_anything() {
    let facts = read("-behaviour(gen_server).\n-record(r, {a = b:c()}).\n");
    assert!(facts.modules.is_empty() && facts.references.is_empty(), "{facts:?}");
}
