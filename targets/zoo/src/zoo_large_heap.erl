%% Sick: a process holds 30 MB on its heap and makes garbage, so that all of it is copied again and
%% again. Healthy: the data are in a table.
-module(zoo_large_heap).
-export([run/1, catalogue/1]).

-define(TABLE, zoo_catalogue_items).
-define(ITEMS, 500000).

run(Mode) -> zoo_kit:named(zoo_catalogue, ?MODULE, catalogue, [Mode]).

catalogue(sick) ->
    %% As after a long time: every collection is a full one.
    _ = (catch process_flag(fullsweep_after, 0)), % OTP 24 and later
    Items = [{N, N, N} || N <- lists:seq(1, ?ITEMS)],
    serve(Items);
catalogue(healthy) ->
    ets:new(?TABLE, [named_table]),
    fill(?ITEMS),
    serve(?TABLE).

fill(0) -> ok;
fill(N) ->
    ets:insert(?TABLE, {N, N, N}),
    fill(N - 1).

serve(Items) ->
    _ = [{N, self()} || N <- lists:seq(1, 100000)],
    timer:sleep(300),
    serve(Items).
