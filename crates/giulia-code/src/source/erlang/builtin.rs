//! Headers of OTP that nearly every project includes, for machines without OTP.
//!
//! What their macros call is written down here in our own words: one entry a header, as far as
//! calls go. A header that is found on disk is always preferred.

use std::fmt::Write;

/// Levels of `logger`, each of which is a macro.
const LEVELS: [&str; 8] =
    ["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"];

/// What each log macro asks and calls, of arguments `A`, `B`, `C` as far as there are.
fn logger() -> String {
    let mut text = String::new();
    let arguments = ["A", "A, B", "A, B, C"];
    let body = |level: &str, arguments: &str| {
        format!(
            "case logger:allow({level}, ?MODULE) of true -> apply(logger, macro_log, [#{{}}, {level}, {arguments}]); false -> ok end"
        )
    };
    for arguments in arguments {
        for level in LEVELS {
            let name = level.to_ascii_uppercase();
            let body = body(level, arguments);
            let _ = writeln!(text, "-define(LOG_{name}({arguments}), {body}).");
        }
        let body = body("L", arguments);
        let _ = writeln!(text, "-define(LOG(L, {arguments}), {body}).");
    }
    text
}

/// What asserts come down to: the expression, compared inside of a fun, or an error.
const ASSERT: &str = r"
-define(assert(X), (fun() -> case (X) of true -> ok; _ -> erlang:error(assert) end end)()).
-define(assert(X, C), ?assert(X)).
-define(assertNot(X), ?assert(not (X))).
-define(assertNot(X, C), ?assert(not (X))).
-define(assertMatch(G, X), (fun() -> case (X) of G -> ok; _ -> erlang:error(assert) end end)()).
-define(assertMatch(G, X, C), ?assertMatch(G, X)).
-define(assertNotMatch(G, X), (fun() -> case (X) of G -> erlang:error(assert); _ -> ok end end)()).
-define(assertNotMatch(G, X, C), ?assertNotMatch(G, X)).
-define(assertEqual(E, X), ?assert((E) =:= (X))).
-define(assertEqual(E, X, C), ?assertEqual(E, X)).
-define(assertNotEqual(E, X), ?assert((E) =/= (X))).
-define(assertNotEqual(E, X, C), ?assertNotEqual(E, X)).
-define(assertException(K, T, X), (fun() -> try (X) of _ -> erlang:error(assert) catch K:T -> ok; _:_ -> erlang:error(assert) end end)()).
-define(assertException(K, T, X, C), ?assertException(K, T, X)).
-define(assertNotException(K, T, X), (fun() -> try (X) of _ -> ok catch K:T -> erlang:error(assert); _:_ -> ok end end)()).
-define(assertError(T, X), ?assertException(error, T, X)).
-define(assertError(T, X, C), ?assertException(error, T, X)).
-define(assertExit(T, X), ?assertException(exit, T, X)).
-define(assertExit(T, X, C), ?assertException(exit, T, X)).
-define(assertThrow(T, X), ?assertException(throw, T, X)).
-define(assertThrow(T, X, C), ?assertException(throw, T, X)).
";

/// Beside the asserts: tests as values, and what makes tests of functions by their names.
const EUNIT: &str = r"
-ifndef(NOTEST).
-ifndef(TEST).
-define(TEST, true).
-endif.
-compile({parse_transform, eunit_autoexport}).
-endif.
-define(EUNIT, true).
-define(LET(X, Y, Z), ((fun(X) -> (Z) end)(Y))).
-define(_test(X), {?LINE, fun() -> (X) end}).
-define(_assert(X), ?_test(?assert(X))).
-define(_assertNot(X), ?_test(?assertNot(X))).
-define(_assertMatch(G, X), ?_test(?assertMatch(G, X))).
-define(_assertNotMatch(G, X), ?_test(?assertNotMatch(G, X))).
-define(_assertEqual(E, X), ?_test(?assertEqual(E, X))).
-define(_assertNotEqual(E, X), ?_test(?assertNotEqual(E, X))).
-define(_assertException(K, T, X), ?_test(?assertException(K, T, X))).
-define(_assertError(T, X), ?_test(?assertError(T, X))).
-define(_assertExit(T, X), ?_test(?assertExit(T, X))).
-define(_assertThrow(T, X), ?_test(?assertThrow(T, X))).
-define(debugMsg(S), begin (S), ok end).
-define(debugHere, ok).
-define(debugFmt(S, A), begin (S), (A), ok end).
-define(debugVal(E), (E)).
-define(debugVal(E, D), (E)).
-define(debugTime(S, E), begin (S), (E) end).
";

/// The text of a header that is included by this name.
pub(super) fn header(name: &str) -> Option<String> {
    let is =
        |path: &str| name.strip_suffix(path).is_some_and(|it| it.is_empty() || it.ends_with('/'));
    if is("kernel/include/logger.hrl") {
        return Some(logger());
    }
    if is("eunit/include/eunit.hrl") {
        return Some(format!("{EUNIT}{ASSERT}"));
    }
    if is("stdlib/include/assert.hrl") {
        return Some(ASSERT.to_owned());
    }
    if is("stdlib/include/ms_transform.hrl") {
        return Some("-compile({parse_transform, ms_transform}).".to_owned());
    }
    None
}
