%% Sick: 24 processes that never wait. Healthy: 24 that work 2 ms of each 200.
-module(zoo_contention).
-export([run/1, worker/1]).

run(Mode) -> zoo_kit:children(24, ?MODULE, worker, [Mode]).

worker(sick) ->
    zoo_kit:spin(100000),
    worker(sick);
worker(healthy) ->
    zoo_kit:every(200, fun() -> zoo_kit:spin(100000) end).
