%% Sick: an order asks the database for each of its 20 lines. Healthy: for all of them at once.
-module(zoo_n_plus_one).
-export([run/1, visitor/1, order/1, line/2, lines/1]).

-define(LINES, 20).

run(Mode) ->
    zoo_db:start(4, 0),
    zoo_kit:children(2, ?MODULE, visitor, [Mode]).

visitor(sick) -> zoo_kit:every(100, fun() -> order(rand:uniform(1000)) end);
visitor(healthy) -> zoo_kit:every(100, fun() -> lines(rand:uniform(1000)) end).

order(Order) -> [line(Order, Line) || Line <- lists:seq(1, ?LINES)].

line(Order, Line) ->
    {Order, Line, Count} = zoo_db:query({line, Order, Line}),
    Count.

lines(Order) ->
    Lines = zoo_db:query({lines, Order, ?LINES}),
    [Count || {_, _, Count} <- Lines].
