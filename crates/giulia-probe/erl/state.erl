%% The shape of a process's state: kinds and sizes, no contents but atoms.
%%
%% Only where the process waits in the receive of one of OTP's own loops, because any other would
%% keep the question in its mailbox; only with an empty mailbox, because else the answer waits behind
%% the letters; only when it is small, because the whole state is copied to us first.
%% Breadth first over a queue, so that a cut leaves the upper levels whole.
-module(state).
-export([ask/1]).

ask({Pid, Within, Loops, BytesMax, PartsMax, DepthMax, Few}) ->
    case erlang:process_info(Pid, [message_queue_len, status, memory, current_function]) of
        undefined -> undefined;
        [{_, Mail}, _, _, _] when Mail > 0 -> {message_queue_len, Mail};
        [_, {_, Status}, _, _] when Status =/= waiting -> {status, Status};
        [_, _, {_, Bytes}, _] when Bytes > BytesMax -> {memory, Bytes};
        [_, _, _, {_, {Module, Function, Arity}}] ->
            case lists:member({Module, Function}, Loops) of
                false -> {current_function, {Module, Function, Arity}};
                true ->
                    %% {Id, Parent, Depth, Key, Term}
                    erlang:put(1, [{1, 0, 0, [], sys:get_state(Pid, Within)}]),
                    erlang:put(2, 2),
                    Parts =
                        [begin
                             {Id, Parent, Depth, Key, It} = erlang:hd(erlang:get(1)),
                             Rest = erlang:tl(erlang:get(1)),
                             {Kind, Size, Inside} =
                                 if erlang:is_atom(It) -> {atom, It, []};
                                    erlang:is_integer(It) -> {integer, [], []};
                                    erlang:is_float(It) -> {float, [], []};
                                    erlang:is_binary(It) -> {binary, erlang:byte_size(It), []};
                                    erlang:is_bitstring(It) -> {bitstring, erlang:bit_size(It), []};
                                    It =:= [] -> {list, 0, []};
                                    erlang:is_list(It) ->
                                        {list,
                                         try erlang:length(It) catch error:_ -> improper_list end,
                                         [{[], erlang:hd(It)}]};
                                    erlang:is_tuple(It) ->
                                        Shown = erlang:min(Few, erlang:tuple_size(It)),
                                        {tuple, erlang:tuple_size(It),
                                         [{Place, erlang:element(Place, It)}
                                          || Place <- lists:seq(1, Shown)]};
                                    erlang:is_map(It), erlang:map_size(It) =< Few ->
                                        {map, erlang:map_size(It),
                                         [case erlang:is_atom(Named) of
                                              true -> {Named, Value};
                                              false -> {[], Value}
                                          end || {Named, Value} <- maps:to_list(It)]};
                                    erlang:is_map(It) ->
                                        {_, One, _} = maps:next(maps:iterator(It)),
                                        {map, erlang:map_size(It), [{[], One}]};
                                    erlang:is_pid(It) -> {pid, [], []};
                                    erlang:is_port(It) -> {port, [], []};
                                    erlang:is_reference(It) -> {reference, [], []};
                                    true -> {function, [], []}
                                 end,
                             Deeper = case Depth < DepthMax of true -> Inside; false -> [] end,
                             Next = erlang:get(2),
                             erlang:put(2, Next + erlang:length(Deeper)),
                             Ids = lists:seq(Next, Next + erlang:length(Deeper) - 1),
                             erlang:put(1, Rest ++ [{New, Id, Depth + 1, Name, Part}
                                                    || {New, {Name, Part}} <- lists:zip(Ids, Deeper)]),
                             {Id, Parent, Depth, Key, Kind, Size,
                              erlang:length(Inside) =:= erlang:length(Deeper)}
                         end || _ <- lists:seq(1, PartsMax), erlang:get(1) =/= []],
                    {Parts, erlang:length(erlang:get(1))}
            end
    end.
