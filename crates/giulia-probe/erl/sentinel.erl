%% Knows how to undo every setting before the custodian makes it, and does so when the custodian
%% ends without having done it.
%%
%% Linked to giulia too, and traps exits. When giulia is gone it gives the custodian its time, and
%% then undoes everything beside it: undoing twice does no harm. See the custodian for how it loops
%% and for what it avoids.
%%
%% Is told: its own form, who it serves, how long in milliseconds the custodian may take to clean
%% up, and `start`. Understands `{custodian, Pid}`, `{know, Ref, Id, Steps}`, `{forget, Id}` and
%% `{sink, Pid}` from the custodian. Ends with `{restored | partly, custodian, [{Id, ok | ...}]}`.
-module(sentinel).
-export([ask/1]).

ask({Form, Client, GraceMs, Then}) ->
    {Custodian, Watch, Known, Sinks} =
        case Then of
            start ->
                erlang:process_flag(trap_exit, true),
                erlang:process_flag(priority, high),
                {none, erlang:start_timer(GraceMs, erlang:self(), alone), [], []};
            _ -> Then
        end,
    Next =
        case receive Message -> Message end of
            {custodian, Pid1} ->
                erlang:cancel_timer(Watch),
                {Pid1, erlang:monitor(process, Pid1), Known, Sinks};
            {know, Ref, Id1, Steps} ->
                erlang:send(Custodian, {known, Ref}, [nosuspend, noconnect]),
                {Custodian, Watch, lists:keystore(Id1, 1, Known, {Id1, Steps}), Sinks};
            {forget, Id1} -> {Custodian, Watch, lists:keydelete(Id1, 1, Known), Sinks};
            {sink, Pid1} ->
                {Custodian, Watch, Known, [Pid1 | [It || It <- Sinks, erlang:is_process_alive(It)]]};
            {'DOWN', Watch, _, _, {restored, _, _}} -> {stop, clean};
            {'DOWN', Watch, _, _, _} -> {stop, custodian};
            {'EXIT', Client, _} ->
                case Custodian of
                    none -> {stop, clean};
                    _ ->
                        erlang:start_timer(GraceMs, erlang:self(), grace),
                        {Custodian, Watch, Known, Sinks}
                end;
            %% Giulia may not have heard that we were born (OTP 23.2 can lose that), and then links
            %% nobody to us.
            {timeout, Watch, alone} -> {stop, clean};
            {timeout, _, grace} -> {go, grace};
            _ -> {Custodian, Watch, Known, Sinks}
        end,
    Settings =
        case Next of
            {stop, clean} -> [];
            {stop, _} -> lists:reverse(Known);
            {go, _} -> lists:reverse(Known);
            _ -> []
        end,
    case Next of
        {_, _} ->
            [erlang:exit(It, kill) || It <- Sinks],
            [erlang:is_process_alive(It) || It <- Sinks];
        _ -> ok
    end,
    Undone =
        [{Id, lists:append(
                [try erlang:apply(M, F, A), [] catch Class:Reason -> [{Class, Reason}] end
                 || {M, F, A} <- lists:reverse(Undo)])}
         || {Id, Undo} <- Settings],
    case Next of
        {stop, clean} -> erlang:exit(normal);
        {stop, Why} ->
            Told = [case Failed of [] -> {Id, ok}; [First | _] -> {Id, First} end || {Id, Failed} <- Undone],
            Whole = case [Id || {Id, [_ | _]} <- Undone] of [] -> restored; _ -> partly end,
            erlang:exit({Whole, Why, Told});
        _ ->
            State = case Next of {go, _} -> {Custodian, Watch, Known, Sinks}; _ -> Next end,
            erlang:hibernate(erl_eval, expr,
                             [Form, [{'Args', {Form, Client, GraceMs, State}}], none, none, value])
    end.
