%% Sets trace flags on processes, except on those that must not be traced and, where there is one
%% tracer for all, on those that have one.
%%
%% Is told: what to call, with which arguments before and after the process; whether it may have a
%% tracer of others (`shared`) or not (`single`); the tracer; the processes; those and the names that must not
%% be traced. Answers `{Count, [{Pid, never | traced | gone}]}`. Evaluated by the custodian.
-module(flags).
-export([ask/1]).

ask({M, F, Before, After, Tracers, Sink, Pids, Ours, Names}) ->
    %% Behind a thousand busy processes each few of them would wait a second for their turn (30 s
    %% were measured for 1,000); with priority 500 take some 10 ms.
    erlang:process_flag(priority, high),
    Never = lists:append([Ours,
                          [P || Name <- Names, P <- [erlang:whereis(Name)], erlang:is_pid(P)],
                          [P || {_, P} <- erlang:system_info(dist_ctrl), erlang:is_pid(P)]]),
    Told = [case lists:member(Pid, Never) of
                true -> {Pid, never};
                %% The sample may be whole already.
                false when Ended =:= undefined -> {Pid, gone};
                false ->
                    Free = case Tracers of
                               shared -> {tracer, []};
                               single -> try erlang:trace_info(Pid, tracer) catch _:_ -> undefined end
                           end,
                    Mine = case Free of {tracer, It} -> lists:member(It, [[] | Ours]); _ -> false end,
                    case Free of
                        %% Ours too: a match specification may have taken one flag of several.
                        {tracer, _} when Mine ->
                            try erlang:apply(M, F, lists:append([Before, [Pid], After])) of
                                N -> N
                            catch _:_ -> {Pid, gone}
                            end;
                        {tracer, _} -> {Pid, traced};
                        _ -> {Pid, gone}
                    end
            end || Pid <- Pids, Ended <- [erlang:process_info(Sink, status)]],
    {lists:sum([N || N <- Told, erlang:is_integer(N)]), [Left || {_, _} = Left <- Told]}.
