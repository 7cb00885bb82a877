%% Sick: more long native calls than dirty schedulers. Healthy: one short one at a time.
%% The VM's own debugging call stands for them: it holds a dirty scheduler and no core.
-module(zoo_dirty_blocked).
-export([run/1, hasher/1]).

run(sick) ->
    Schedulers = erlang:system_info(dirty_cpu_schedulers_online),
    zoo_kit:children(Schedulers * 3, ?MODULE, hasher, [{200, 1}]);
run(healthy) ->
    zoo_kit:child(?MODULE, hasher, [{20, 180}]).

hasher({BusyMs, PauseMs}) ->
    erts_debug:dirty_cpu(wait, BusyMs),
    timer:sleep(PauseMs),
    hasher({BusyMs, PauseMs}).
