%% Holds what giulia switched on here, and switches it off again: when asked, when giulia is gone,
%% and when it has not been heard of for a lease.
%%
%% Linked to giulia, traps exits, waits at high priority so that it cleans up also under load, and
%% does at normal priority what it is asked to do. It is never a tracer and has no heap limit: the
%% VM leaves patterns behind when their owner is killed. Each setting is made known to the sentinel
%% before it is made. What a setting is, is decided by giulia: lists of `{M, F, A}` to apply.
%%
%% Each message is one evaluation, which ends with `erlang:hibernate/3` of the next: no stack grows
%% (measured over 100,000 messages), and there is no fun with a body, for which `erl_eval` would
%% load `erl_lint`. No `receive` has an `after` either: evaluated, it would read
%% `statistics(runtime)`, whose second figure belongs to whoever else reads it.
%%
%% Is told: its own form, who it serves, the sentinel, the lease in milliseconds, and `start`.
%% Understands `renew`, `{sink, Ref, Pid}`, `{arm, Ref, Id, Steps, Undo}`, `{disarm, Ref, Id}` and
%% `stop`; answers with `{done, Ref, {ok, Results} | {Class, Reason}}`. `Undo` is `none`, `{told, Steps}` (the sentinel could do it as well) or
%% `{own, Steps}`, `{own, M, F}` (the VM does it when this process ends; the latter with the results
%% of arming as arguments). All that arms can be asked again: a reply may have been lost. `Steps` may be
%% `replace`: what is armed as `Id` stays as it is and is undone by these steps from now on.
%%
%% Ends with `{restored | partly, Why, [{Id, ok | {Class, Reason}}]}`, which its link tells giulia.
-module(custodian).
-export([ask/1]).

ask({Form, Client, Sentinel, LeaseMs, Then}) ->
    {Watch, Lease, Armed, Sinks} =
        case Then of
            start ->
                erlang:process_flag(trap_exit, true),
                erlang:process_flag(priority, high),
                Began = erlang:monitor(process, Sentinel),
                erlang:send(Sentinel, {custodian, erlang:self()}, [nosuspend, noconnect]),
                {Began, erlang:start_timer(LeaseMs - LeaseMs div 10, erlang:self(), lease), [], []};
            _ -> Then
        end,
    Next =
        case receive Message -> Message end of
            renew ->
                erlang:cancel_timer(Lease),
                {Watch, erlang:start_timer(LeaseMs - LeaseMs div 10, erlang:self(), lease), Armed, Sinks};
            {arm, Ref1, Id1, Steps, Undo1} ->
                Before = lists:keyfind(Id1, 1, Armed),
                case Before =:= false orelse Steps =:= replace of
                    false ->
                        erlang:send(Client, {done, Ref1, erlang:element(3, Before)}, [nosuspend, noconnect]),
                        {Watch, Lease, Armed, Sinks};
                    true ->
                        Known =
                            case Undo1 of
                                {told, Told} ->
                                    erlang:send(Sentinel, {know, Ref1, Id1, Told}, [nosuspend, noconnect]),
                                    receive
                                        {known, Ref1} -> true;
                                        {'DOWN', Watch, _, _, _} -> false
                                    end;
                                _ -> true
                            end,
                        case Known of
                            false -> {stop, sentinel, Armed};
                            true ->
                                erlang:process_flag(priority, normal),
                                Result =
                                    try
                                        case Before of
                                            false -> {ok, [erlang:apply(M1, F1, A1) || {M1, F1, A1} <- Steps]};
                                            _ -> erlang:element(3, Before)
                                        end
                                    catch Class1:Reason1 -> {Class1, Reason1}
                                    end,
                                erlang:process_flag(priority, high),
                                erlang:send(Client, {done, Ref1, Result}, [nosuspend, noconnect]),
                                %% What raised may be half made: it is undone with all others.
                                {Watch, Lease, [{Id1, Undo1, Result} | lists:keydelete(Id1, 1, Armed)], Sinks}
                        end
                end;
            {disarm, Ref2, Id2} ->
                case lists:keytake(Id2, 1, Armed) of
                    {value, One, Rest} ->
                        erlang:process_flag(priority, normal),
                        {undo, Ref2, [One], Rest};
                    false ->
                        erlang:send(Client, {done, Ref2, {ok, []}}, [nosuspend, noconnect]),
                        {Watch, Lease, Armed, Sinks}
                end;
            {sink, Ref3, Pid} ->
                erlang:send(Sentinel, {sink, Pid}, [nosuspend, noconnect]),
                erlang:send(Client, {done, Ref3, {ok, []}}, [nosuspend, noconnect]),
                %% Several, each of somebody who traces; those that have ended are left away.
                {Watch, Lease, Armed, [Pid | [It || It <- Sinks, erlang:is_process_alive(It)]]};
            stop -> {stop, stopped, Armed};
            {timeout, Lease, lease} ->
                %% A node that was stopped itself finds its timers expired before it has read what
                %% waits in its sockets: the last tenth of the lease starts now.
                {Watch, erlang:start_timer(LeaseMs div 10, erlang:self(), last), Armed, Sinks};
            {timeout, Lease, last} -> {stop, lapsed, Armed};
            {'EXIT', Client, _} -> {stop, client, Armed};
            {'DOWN', Watch, _, _, _} -> {stop, sentinel, Armed};
            {'EXIT', _, _} -> {stop, asked, Armed};
            _ -> {Watch, Lease, Armed, Sinks}
        end,
    Settings =
        case Next of
            {undo, _, Some, _} -> Some;
            {stop, _, All} ->
                %% First, so that flags go before patterns. Whoever asks whether it is alive waits
                %% until it has got the signal.
                [erlang:exit(It, kill) || It <- Sinks],
                [erlang:is_process_alive(It) || It <- Sinks],
                All;
            _ -> []
        end,
    Undone =
        [{Id, lists:append(
                [try erlang:apply(M, F, A), [] catch Class:Reason -> [{Class, Reason}] end
                 || {M, F, A} <-
                        case {Undo, Results} of
                            {{told, Steps2}, _} -> lists:reverse(Steps2);
                            {{own, Steps2}, _} -> lists:reverse(Steps2);
                            {{own, M2, F2}, {ok, Args}} -> [{M2, F2, Args}];
                            _ -> []
                        end])}
         || {Id, Undo, Results} <- Settings],
    Told2 = [case Failed of [] -> {Id, ok}; [First | _] -> {Id, First} end || {Id, Failed} <- Undone],
    case Next of
        {stop, Why, _} ->
            Whole = case [Id || {Id, [_ | _]} <- Undone] of [] -> restored; _ -> partly end,
            erlang:exit({Whole, Why, Told2});
        {undo, Ref, _, Left} ->
            erlang:process_flag(priority, high),
            erlang:send(Client, {done, Ref, {ok, Told2}}, [nosuspend, noconnect]),
            [erlang:send(Sentinel, {forget, Id}, [nosuspend, noconnect]) || {Id, []} <- Undone],
            erlang:hibernate(erl_eval, expr,
                             [Form, [{'Args', {Form, Client, Sentinel, LeaseMs, {Watch, Lease, Left, Sinks}}}],
                              none, none, value]);
        _ ->
            erlang:hibernate(erl_eval, expr,
                             [Form, [{'Args', {Form, Client, Sentinel, LeaseMs, Next}}],
                              none, none, value])
    end.
