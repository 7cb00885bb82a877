%% Sick: each lookup copies a list of 2,000 pairs to use one of them. Healthy: a row an element.
-module(zoo_ets_large).
-export([run/1, reader/1, price/2]).

-define(TABLE, zoo_prices).

run(Mode) ->
    ets:new(?TABLE, [named_table, protected, {read_concurrency, true}]),
    fill(Mode),
    zoo_kit:children(2, ?MODULE, reader, [Mode]).

fill(sick) ->
    ets:insert(?TABLE, [{List, [{N, N} || N <- lists:seq(1, 2000)]} || List <- lists:seq(1, 20)]);
fill(healthy) ->
    ets:insert(?TABLE, [{{List, N}, N} || List <- lists:seq(1, 20), N <- lists:seq(1, 2000)]).

reader(Mode) ->
    zoo_kit:every(10, fun() -> [price(Mode, {List, 7}) || List <- lists:seq(1, 3)] end).

price(sick, {List, N}) ->
    [{_, Prices}] = ets:lookup(?TABLE, List),
    {_, Price} = lists:keyfind(N, 1, Prices),
    Price;
price(healthy, Key) ->
    [{_, Price}] = ets:lookup(?TABLE, Key),
    Price.
