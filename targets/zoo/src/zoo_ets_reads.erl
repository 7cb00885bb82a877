%% Sick: four processes read a table 160,000 times a second, which was made without
%% `read_concurrency`. Healthy: with it.
-module(zoo_ets_reads).
-export([run/1, reader/0, route/1]).

-define(TABLE, zoo_routes).

run(Mode) ->
    Options = [named_table, protected | [{read_concurrency, true} || Mode =:= healthy]],
    ets:new(?TABLE, Options),
    ets:insert(?TABLE, [{N, {host, N}} || N <- lists:seq(1, 400)]),
    zoo_kit:children(4, ?MODULE, reader, []).

reader() ->
    zoo_kit:every(10, fun() -> [route(N) || N <- lists:seq(1, 400)] end).

route(N) ->
    [{_, Host}] = ets:lookup(?TABLE, N),
    Host.
