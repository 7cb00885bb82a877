%% Sick: an order asks the database for each of its 20 lines, in a loop of the library, so that no
%% call of the query returns into the text of the order. Healthy: as `zoo_n_plus_one`.
-module(zoo_n_plus_map).
-export([run/1, visitor/0, order/1, line/1]).

-define(LINES, 20).

run(sick) ->
    zoo_db:start(4, 0),
    zoo_kit:children(2, ?MODULE, visitor, []);
run(healthy) ->
    zoo_n_plus_one:run(healthy).

visitor() -> zoo_kit:every(100, fun() -> order(rand:uniform(1000)) end).

order(Order) ->
    Counts = lists:map(fun ?MODULE:line/1, [{Order, Line} || Line <- lists:seq(1, ?LINES)]),
    lists:sum(Counts).

line({Order, Line}) ->
    {Order, Line, Count} = zoo_db:query({line, Order, Line}),
    Count.
