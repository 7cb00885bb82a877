-module(m).
-include("h.hrl").
-define(M(A, B), x:A(B, ??A, ?LINE)).
-define(N, ?M(f, ?MODULE)).
-record(r, {a = b:c(), d :: t()}).
-ifdef(TEST).
-else.
-if(?OTP_RELEASE >= 21 andalso defined(N)).
-endif.
-endif.
-spec f(a:b()) -> #r{} | [t()].
-doc """
  Text.
  """.
f(#r{a = _} = R) when is_atom(R) -> ?N, [X || {X, _} <- R, X > 1], <<1:8/integer, "a">>;
f(X) ->
    case X of {a, [B | _]} -> fun m:f/1; _ -> if X -> #r{}; true -> R#r.a end end,
    try begin g(X) end of 1 -> ok catch error:E:S -> {m, f, [E, S]} after ok end,
    receive {X, $a} -> ~S"x" after 16#F -> "s" "t" end,
    maybe {ok, Y} ?= X, Y else _ -> apply(m, f, [1]) end,
    fun F(0) -> F(1); F(_) -> #{a => 1, start => {m, f, []}} end.
g('q a') -> spawn(m, f, [1 | []]), ets:insert(t, {1.5e3}), h ! -1.
