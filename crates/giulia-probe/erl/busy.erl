%% Who works now: the processes with most reductions within a pause, and how many schedulers there
%% are to work on.
%%
%% Pause: in milliseconds. Most: how many are told. Answers `{Schedulers, Total, Took, [{Reductions,
%% Pid}]}`, most first, those that did nothing and who asks left out; Took is the pause as it was,
%% in microseconds.
-module(busy).
-export([ask/1]).

ask({Pause, Most}) ->
    Pids = erlang:processes(),
    Total = erlang:length(Pids),
    Same = lists:duplicate(Total, reductions),
    First = lists:zipwith(fun erlang:process_info/2, Pids, Same),
    Began = erlang:monotonic_time(microsecond),
    timer:sleep(Pause),
    Took = erlang:monotonic_time(microsecond) - Began,
    Second = lists:zipwith(fun erlang:process_info/2, Pids, Same),
    Worked = ets:match_spec_run(
               lists:zip3(Pids, First, Second),
               ets:match_spec_compile([{{'$1', {'_', '$2'}, {'_', '$3'}},
                                        [{'>', '$3', '$2'}, {'=/=', '$1', {self}}],
                                        [{{{'-', '$3', '$2'}, '$1'}}]}])),
    Busiest = lists:sublist(lists:reverse(lists:sort(Worked)), Most),
    erlang:term_to_binary({erlang:system_info(schedulers_online), Total - 1, Took, Busiest},
                          [{compressed, 1}]).
