%% Sick: four processes write a table 160,000 times a second, which was made without
%% `write_concurrency`. Healthy: with it.
-module(zoo_ets_writes).
-export([run/1, counter/0, count/1]).

-define(TABLE, zoo_hits).

run(Mode) ->
    Options = [named_table, public | [{write_concurrency, true} || Mode =:= healthy]],
    ets:new(?TABLE, Options),
    zoo_kit:children(4, ?MODULE, counter, []).

counter() ->
    zoo_kit:every(10, fun() -> [count(N) || N <- lists:seq(1, 400)] end).

count(N) -> ets:update_counter(?TABLE, N, 1, {N, 0}).
