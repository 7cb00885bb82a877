%% Sick: settings that never change are asked of the database each time. Healthy: they were read
%% once, into a table.
-module(zoo_settings_db).
-export([run/1, reader/1, setting/1, cached/1]).

-define(TABLE, zoo_settings).

run(Mode) ->
    zoo_db:start(4, 1),
    ets:new(?TABLE, [named_table, protected, {read_concurrency, true}]),
    ets:insert(?TABLE, [zoo_db:query({setting, N}) || N <- lists:seq(1, 10)]),
    zoo_kit:children(4, ?MODULE, reader, [Mode]).

reader(sick) -> zoo_kit:every(20, fun() -> setting(rand:uniform(10)) end);
reader(healthy) -> zoo_kit:every(20, fun() -> cached(rand:uniform(10)) end).

setting(Key) ->
    {Key, Value} = zoo_db:query({setting, Key}),
    Value.

cached(Key) ->
    [{Key, Value}] = ets:lookup(?TABLE, Key),
    Value.
