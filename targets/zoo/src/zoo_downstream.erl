%% Sick: requests wait 60 ms for the database while the node has nothing to do. Healthy: the
%% database answers at once.
-module(zoo_downstream).
-export([run/1, visitor/0, report/1]).

run(Mode) ->
    zoo_db:start(32, case Mode of sick -> 60; healthy -> 0 end),
    zoo_kit:children(16, ?MODULE, visitor, []).

visitor() -> zoo_kit:every(100, fun() -> report(rand:uniform(100000)) end).

report(Key) ->
    {Key, Price} = zoo_db:query({price, Key}),
    Price.
