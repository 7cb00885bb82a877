%% Receives what the VM sends to a tracer, and keeps a bounded part of it until asked.
%%
%% The only one of the three that can be flooded: it runs at normal priority under a heap limit
%% that kills it (given when it is spawned), keeps its mail on its heap so that the limit counts it,
%% takes every message at once, and sends nothing unasked. The first events after each `take` are
%% kept with the name of their process, for which it is asked (100 us when it is running); later
%% ones are counted only, and above a number the sink ends, because counting is work too. Of
%% messages that are not system events only the number is kept. See the custodian for how it loops;
%% here 50 messages are one evaluation, because a hibernation for each would cost as much as the
%% message.
%%
%% Is told: its own form, who it serves, how many events to keep and how many to count between two
%% `take`, and `start`. Understands `{take, Ref}`; answers
%% `{done, Ref, {ok, {[{Kind | {beyond, Kind} | giulia, Count}], [{AtMs, Who, Kind, Info, Traits}]}}}`.
%% `giulia` are events of processes that giulia started; those beyond are not told apart.
-module(sink).
-export([ask/1]).

ask({Form, Client, Keep, Count, Then}) ->
    case Then of
        start ->
            erlang:process_flag(message_queue_data, on_heap),
            %% 1: how many of each kind, 2: the events kept, newest first, 3: how many were looked
            %% at, 4: how many there were.
            erlang:put(1, #{}),
            erlang:put(2, []),
            erlang:put(3, 0),
            erlang:put(4, 0);
        _ -> ok
    end,
    [case receive Message -> Message end of
         {take, Ref} ->
             Told = {done, Ref, {ok, {maps:to_list(erlang:get(1)), lists:reverse(erlang:get(2))}}},
             %% What could not be sent is kept for the next time.
             case erlang:send(Client, Told, [nosuspend, noconnect]) of
                 ok ->
                     erlang:put(1, #{}), erlang:put(2, []), erlang:put(3, 0), erlang:put(4, 0);
                 _ -> ok
             end;
         Event ->
             case erlang:put(4, erlang:get(4) + 1) >= Count of
                 true -> erlang:exit(flood);
                 false -> ok
             end,
             What = case Event of
                        {monitor, Who, Kind, Info} ->
                            case erlang:get(3) < Keep of
                                false -> {beyond, Kind};
                                true ->
                                    erlang:put(3, erlang:get(3) + 1),
                                    %% Now, because a process that did something remarkable is often
                                    %% gone soon. All of these exist where system events do.
                                    Traits = case erlang:is_pid(Who) of
                                                 true ->
                                                     erlang:process_info(
                                                       Who, [group_leader, registered_name, label,
                                                             {dictionary, '$initial_call'},
                                                             initial_call]);
                                                 false -> none
                                             end,
                                    case Traits of
                                        %% What we started has a group leader on our node.
                                        [{_, Leader} | _] when node(Leader) =:= node(Client) -> giulia;
                                        _ ->
                                            Named = case Traits of
                                                        [_ | Rest] ->
                                                            case erlang:external_size(Rest) > 1000 of
                                                                true -> lists:keydelete(label, 1, Rest);
                                                                false -> Rest
                                                            end;
                                                        _ -> none
                                                    end,
                                            At = erlang:system_time(millisecond),
                                            erlang:put(2, [{At, Who, Kind, Info, Named} | erlang:get(2)]),
                                            Kind
                                    end
                            end;
                        {_, _, Trace} when erlang:is_atom(Trace) -> Trace;
                        {_, _, Trace, _} when erlang:is_atom(Trace) -> Trace;
                        {_, _, Trace, _, _} when erlang:is_atom(Trace) -> Trace;
                        {_, _, Trace, _, _, _} when erlang:is_atom(Trace) -> Trace;
                        _ -> other
                    end,
             erlang:put(1, maps:put(What, maps:get(What, erlang:get(1), 0) + 1, erlang:get(1)))
     end || _ <- lists:seq(1, 50)],
    erlang:hibernate(erl_eval, expr,
                     [Form, [{'Args', {Form, Client, Keep, Count, go}}], none, none, value]).
