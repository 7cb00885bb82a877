%% Sick: somebody left tracing of all new processes and a counter on. Healthy: nobody did.
-module(zoo_foreign_trace).
-export([run/1, tracer/0]).

run(sick) -> zoo_kit:named(zoo_left_tracer, ?MODULE, tracer, []);
run(healthy) -> ok.

%% Its settings end with it.
tracer() ->
    erlang:trace(new_processes, true, [call, {tracer, self()}]),
    erlang:trace_pattern({?MODULE, run, 1}, true, [local]),
    drain().

drain() -> receive _ -> drain() end.
