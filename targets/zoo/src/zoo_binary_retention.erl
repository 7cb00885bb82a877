%% Sick: of 1,000 messages of 64 KB a process keeps 80 bytes each, as parts that hold the whole.
%% Healthy: it keeps copies.
-module(zoo_binary_retention).
-export([run/1, index/1]).

-define(MESSAGES, 1000).
-define(BYTES, 65536).

run(Mode) ->
    Index = zoo_kit:named(zoo_index, ?MODULE, index, [Mode]),
    [Index ! {page, binary:copy(<<N:32>>, ?BYTES div 4)} || N <- lists:seq(1, ?MESSAGES)],
    Index ! {filled, self()},
    receive filled -> ok end.

index(Mode) -> index(Mode, []).

index(Mode, Titles) ->
    receive
        {page, Page} ->
            index(Mode, [title(Mode, Page) | Titles]);
        {filled, From} ->
            erlang:garbage_collect(),
            From ! filled,
            index(Mode, Titles)
    end.

title(sick, Page) -> binary:part(Page, 100, 80);
title(healthy, Page) -> binary:copy(binary:part(Page, 100, 80)).
