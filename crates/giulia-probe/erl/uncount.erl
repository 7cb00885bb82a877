%% Removes or pauses the counters of modules, but those of some functions, which are somebody else's
%% by now: before OTP 27 a function has one counter for everybody.
%%
%% Is told `[{M, [{F, A}]}]`, the functions that are left alone, and `false` or `pause`; a module that
%% is gone has none. Asking whether there is a counter stops nobody, changing one waits for every
%% scheduler. Answers with how many functions had one.
-module(uncount).
-export([ask/1]).

ask({Modules, Value}) ->
    lists:sum([erlang:trace_pattern({M, F, A}, Value, [call_count]) ||
        {M, Except} <- Modules,
        {F, A} <- (try erlang:get_module_info(M, functions) catch _:_ -> [] end) -- Except,
        erlang:trace_info({M, F, A}, call_count) =/= {call_count, false}]).
