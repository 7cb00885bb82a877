%% Sick: an order asks the database for each of its 20 lines, in a loop of the library, so that no
%% call of the query returns into the text of the order. Healthy: a page goes through two such loops
%% and asks once in each.
-module(zoo_n_plus_map).
-export([run/1, visitor/1, order/1, line/1, page/1, lines/1]).

-define(LINES, 20).

run(Mode) ->
    zoo_db:start(4, 0),
    zoo_kit:children(2, ?MODULE, visitor, [Mode]).

visitor(sick) -> zoo_kit:every(100, fun() -> order(rand:uniform(1000)) end);
visitor(healthy) -> zoo_kit:every(100, fun() -> page(rand:uniform(1000)) end).

order(Order) ->
    Counts = lists:map(fun ?MODULE:line/1, [{Order, Line} || Line <- lists:seq(1, ?LINES)]),
    lists:sum(Counts).

line({Order, Line}) ->
    {Order, Line, Count} = zoo_db:query({line, Order, Line}),
    Count.

page(Order) ->
    [Counts] = lists:map(fun ?MODULE:lines/1, [Order]),
    ok = lists:foreach(fun ?MODULE:lines/1, [Order + 1]),
    lists:sum(Counts).

lines(Order) ->
    Lines = zoo_db:query({lines, Order, ?LINES}),
    [Count || {_, _, Count} <- Lines].
