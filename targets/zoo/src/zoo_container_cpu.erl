%% In a container of half a core. Sick: as many schedulers as the machine has cores, which use up
%% the quota together and then stand still. Healthy: one scheduler, with the same work.
-module(zoo_container_cpu).
-export([run/1, stop/0, batch/0]).

run(sick) -> batches();
run(healthy) ->
    erlang:system_flag(schedulers_online, 1),
    batches().

stop() -> erlang:system_flag(schedulers_online, erlang:system_info(schedulers)).

%% Those that begin together are throttled together, so they have no start of their own.
batches() -> zoo_kit:children(2, ?MODULE, batch, []).

batch() -> zoo_kit:pace(200, fun() -> zoo_kit:spin(2000000) end).
