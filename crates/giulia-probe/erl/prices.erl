%% What a read of a table costs this node now: often and at once, and once in a while, when other
%% work has been in the caches meanwhile.
%%
%% Key: bytes of the key, a binary. Cells: of the list that is the value, two words each. Lookups:
%% so many at once. Rounds: so many single ones, Pause milliseconds apart. The table is this
%% process's own and ends with it. All between two readings of the clock is native code: to evaluate
%% a call takes longer than the read. Answers `{[{nanoseconds of Lookups, nanoseconds of as many
%% calls that do nothing}], [{nanoseconds of one, nanoseconds of one call that does nothing}]}`.
-module(prices).
-export([ask/1]).

ask({Key, Cells, Lookups, Rounds, Pause}) ->
    Table = ets:new(ets, [set, protected, {read_concurrency, true}]),
    Name = erlang:list_to_binary(lists:duplicate(Key, 0)),
    ets:insert(Table, {Name, lists:duplicate(Cells, [])}),
    Tables = lists:duplicate(Lookups, Table),
    Names = lists:duplicate(Lookups, Name),
    Timed = fun (Function) ->
                    Began = erlang:monotonic_time(nanosecond),
                    lists:zipwith(Function, Tables, Names),
                    erlang:monotonic_time(nanosecond) - Began
            end,
    Often = [{Timed(fun ets:lookup/2), Timed(fun erlang:max/2)} || _ <- lists:seq(1, 15)],
    Single = fun (Module, Function) ->
                     receive after Pause -> ok end,
                     [Before, _, After] = lists:zipwith3(fun erlang:apply/3,
                                                         [erlang, Module, erlang],
                                                         [monotonic_time, Function, monotonic_time],
                                                         [[nanosecond], [Table, Name], [nanosecond]]),
                     After - Before
             end,
    Seldom = [{Single(ets, lookup), Single(erlang, max)} || _ <- lists:seq(1, Rounds)],
    {Often, Seldom}.
