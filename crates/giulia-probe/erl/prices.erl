%% What a read of a table costs this node now: often and at once, and once in a while, when other
%% work has been in the caches meanwhile.
%%
%% Key: bytes of the key, a binary. Cells: of the list that is the value, two words each. Lookups:
%% so many at once. Rounds: so many single ones, Pause milliseconds apart. The table is this
%% process's own and ends with it. Answers `{[nanoseconds of Lookups], [{nanoseconds of one,
%% nanoseconds of a function that does nothing}]}`.
-module(prices).
-export([ask/1]).

ask({Key, Cells, Lookups, Rounds, Pause}) ->
    Table = ets:new(ets, [set, protected, {read_concurrency, true}]),
    Name = erlang:list_to_binary(lists:duplicate(Key, 0)),
    ets:insert(Table, {Name, lists:duplicate(Cells, [])}),
    Tables = lists:duplicate(Lookups, Table),
    Names = lists:duplicate(Lookups, Name),
    Often = [begin
                 Began = erlang:monotonic_time(nanosecond),
                 lists:zipwith(fun ets:lookup/2, Tables, Names),
                 erlang:monotonic_time(nanosecond) - Began
             end || _ <- lists:seq(1, 15)],
    Seldom = [{begin
                   receive after Pause -> ok end,
                   Before = erlang:monotonic_time(nanosecond),
                   ets:lookup(Table, Name),
                   erlang:monotonic_time(nanosecond) - Before
               end,
               begin
                   receive after Pause -> ok end,
                   Since = erlang:monotonic_time(nanosecond),
                   erlang:max(Table, Name),
                   erlang:monotonic_time(nanosecond) - Since
               end} || _ <- lists:seq(1, Rounds)],
    {Often, Seldom}.
