%% Sick: four processes that never wait and are bound to the first scheduler. Healthy: four that work
%% 10 ms of each 100, wherever there is room. Needs two schedulers.
-module(zoo_unbalanced).
-export([run/1, worker/1]).

run(sick) ->
    %% The option is OTP's own and told nowhere; NIFs and old habits have the same effect.
    Bound = [link, {scheduler, 1}],
    [proc_lib:spawn_opt(?MODULE, worker, [sick], Bound) || _ <- lists:seq(1, 4)];
run(healthy) ->
    zoo_kit:children(4, ?MODULE, worker, [healthy]).

worker(sick) ->
    zoo_kit:spin(100000),
    worker(sick);
worker(healthy) ->
    zoo_kit:every(100, fun() -> zoo_kit:spin(1000000) end).
