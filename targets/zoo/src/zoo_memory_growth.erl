%% Sick: a cache that forgets nothing grows by 2 MB a second. Healthy: it keeps the last 100 objects.
-module(zoo_memory_growth).
-export([run/1, writer/1]).

-define(TABLE, zoo_responses).
%% 2,000 objects of 64 KB are 128 MB.
-define(MOST, 2000).
-define(OBJECT_WORDS, 8192).

run(Mode) ->
    ets:new(?TABLE, [named_table, public]),
    zoo_kit:child(?MODULE, writer, [Mode]).

writer(Mode) ->
    put(next, 1),
    zoo_kit:every(31, fun() -> write(Mode, get(next)) end).

write(sick, N) when N > ?MOST -> full;
write(Mode, N) ->
    put(next, N + 1),
    ets:insert(?TABLE, {N, erlang:make_tuple(?OBJECT_WORDS, N)}),
    Mode =:= healthy andalso ets:delete(?TABLE, N - 100).
