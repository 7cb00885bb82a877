%% Sick: 200 processes a second that nobody ends. Healthy: as many, each for 200 ms.
-module(zoo_process_leak).
-export([run/1, spawner/1, request/1]).

-define(MOST, 30000).

run(Mode) -> zoo_kit:child(?MODULE, spawner, [Mode]).

spawner(Mode) ->
    zoo_kit:every(20, fun() ->
        case erlang:system_info(process_count) < ?MOST of
            true -> zoo_kit:children(4, ?MODULE, request, [Mode]);
            false -> full
        end
    end).

%% Waits for an answer that never comes.
request(sick) -> receive answer -> ok end;
request(healthy) -> receive answer -> ok after 200 -> ok end.
