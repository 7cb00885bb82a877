%% Removes a setting of tracing that is still ours: another tool may have put its own there since.
-module(unpattern).
-export([ask/1]).

ask({What, Item, Ours, M, F, A}) ->
    {_, Now} = erlang:trace_info(What, Item),
    case lists:member(Now, Ours) of
        true -> erlang:apply(M, F, A);
        false -> 0
    end.
