%% Sick: nine of ten processes that the node may have exist. Start the node with `+P 2048`.
-module(zoo_limit_processes).
-export([run/1, session/0]).

run(sick) ->
    Wanted = erlang:system_info(process_limit) * 9 div 10 - erlang:system_info(process_count),
    zoo_kit:children(max(0, Wanted), ?MODULE, session, []);
run(healthy) ->
    zoo_kit:children(50, ?MODULE, session, []).

session() -> receive stop -> ok end.
