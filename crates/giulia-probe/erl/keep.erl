%% Receives trace messages and keeps them as they came, until asked or until it holds enough.
%%
%% A tracer like the sink, for those who want the messages themselves. When it holds as many as it
%% may it ends, with all of them as the reason: the VM then drops its flags at once, which is the
%% brake on a flood, and an exit signal over a link is not lost where a send with `nosuspend` may
%% be. It waits for one message in evaluated code, and takes what waits behind it, no more than it
%% may still hold, in native code: `prim_eval:'receive'/2`, which `erl_eval` itself receives with,
%% returns what the function given makes of a message. That is a million a second; one by one it
%% would be 30,000. It runs at high priority, because behind a thousand busy processes a second
%% passes before its turn, and with it a million messages; what it does there has an end. Its heap
%% limit is the brake on what that does not see: messages that are very large, before it runs. Of
%% one above its size only its size, process and kind are kept.
%%
%% Is told: its own form, who it serves, how many messages, how many bytes of them and how many
%% bytes of one, and `start`. Understands `{take, Ref}`; answers `{done, Ref, {ok, {Messages, Large}}}`
%% with those that came since, where `Large` is how many of them were too large. Ends with
%% `{full, Messages, Large}`.
-module(keep).
-export([ask/1]).

ask({Form, Client, Most, MostBytes, MostOfOne, Then}) ->
    case Then of
        start ->
            erlang:process_flag(message_queue_data, on_heap),
            erlang:process_flag(priority, high),
            %% 1: lists of messages, the newest first, 2: how many, 3: their bytes, 4: how many were
            %% too large.
            erlang:put(1, []), erlang:put(2, 0), erlang:put(3, 0), erlang:put(4, 0);
        _ -> ok
    end,
    [begin
         First = receive Message -> Message end,
         Behind = erlang:min(erlang:element(2, erlang:process_info(erlang:self(), message_queue_len)),
                             Most - erlang:get(2) - 1),
         Rest = lists:zipwith(fun prim_eval:'receive'/2,
                              lists:duplicate(Behind, fun erlang:tuple_to_list/1),
                              lists:duplicate(Behind, 0)),
         All = [First | lists:map(fun erlang:list_to_tuple/1, Rest)],
         Taken = lists:keyfind(take, 1, All),
         New = case Taken of false -> All; _ -> [It || It <- All, erlang:element(1, It) =/= take] end,
         Sizes = lists:map(fun erlang:external_size/1, New),
         Short = case lists:max([0 | Sizes]) > MostOfOne of
                     false -> New;
                     true ->
                         [case Size > MostOfOne of
                              false -> It;
                              true ->
                                  erlang:put(4, erlang:get(4) + 1),
                                  case It of
                                      {_, Who, Kind} -> {large, Size, Who, Kind};
                                      {_, Who, Kind, _} -> {large, Size, Who, Kind};
                                      {_, Who, Kind, _, _} -> {large, Size, Who, Kind};
                                      {_, Who, Kind, _, _, _} -> {large, Size, Who, Kind};
                                      _ -> {large, Size, none, none}
                                  end
                          end || {It, Size} <- lists:zip(New, Sizes)]
                 end,
         erlang:put(1, [Short | erlang:get(1)]),
         erlang:put(2, erlang:get(2) + erlang:length(Short)),
         erlang:put(3, erlang:get(3) + lists:sum([erlang:min(Size, MostOfOne) || Size <- Sizes])),
         case erlang:get(2) >= Most of
             true -> erlang:exit({full, lists:append(lists:reverse(erlang:get(1))), erlang:get(4)});
             false -> ok
         end,
         case erlang:get(3) >= MostBytes of
             true -> erlang:exit({full, lists:append(lists:reverse(erlang:get(1))), erlang:get(4)});
             false -> ok
         end,
         case Taken of
             {take, Ref} ->
                 Told = {done, Ref, {ok, {lists:append(lists:reverse(erlang:get(1))), erlang:get(4)}}},
                 %% What could not be sent is kept for the next time.
                 case erlang:send(Client, Told, [nosuspend, noconnect]) of
                     ok -> erlang:put(1, []), erlang:put(2, 0), erlang:put(3, 0), erlang:put(4, 0);
                     _ -> ok
                 end;
             false -> ok
         end
     end || _ <- lists:seq(1, 20)],
    erlang:hibernate(erl_eval, expr,
                     [Form, [{'Args', {Form, Client, Most, MostBytes, MostOfOne, go}}], none, none, value]).
