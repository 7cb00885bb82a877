%% Reads counters of functions. The loops over functions are native; those over the processes of
%% one function are evaluated, and above a number only the largest are told beside the sums.
%%
%% Is told: the function that reads, with a session before its arguments or without; the item; what
%% to read as `{M, all}` or `{M, [{F, A}]}`; how many processes of one function. Answers
%% `[{M, [{F, A}], [Value]}]`, where a value is what the reading function returned, or
%% `{Item, {Processes, Calls, Total, Rows}}`; `[{M, gone, []}]` for a module that is not loaded.
-module(counts).
-export([ask/1]).

ask({Read, Session, Item, What, Most}) ->
    [case Functions of
         gone -> {M, gone, []};
         _ ->
             %% {M, F, A}.
             Mfas = lists:zipwith3(fun erlang:insert_element/3, lists:duplicate(erlang:length(Functions), 1),
                                   Functions, lists:duplicate(erlang:length(Functions), M)),
             Items = lists:duplicate(erlang:length(Mfas), Item),
             Told = case Session of
                        none -> lists:zipwith(Read, Mfas, Items);
                        _ -> lists:zipwith3(Read, lists:duplicate(erlang:length(Mfas), Session), Mfas, Items)
                    end,
             Values = case Item of
                          call_count -> Told;
                          _ ->
                              [case One of
                                   {Item, [_ | _] = Rows} ->
                                       Sorted = case Item of
                                                    call_time -> lists:keysort(3, lists:keysort(4, Rows));
                                                    call_memory -> lists:keysort(3, Rows)
                                                end,
                                       Total = case Item of
                                                   call_time ->
                                                       lists:sum([S * 1000000 + Us || {_, _, S, Us} <- Rows]);
                                                   call_memory -> lists:sum([Words || {_, _, Words} <- Rows])
                                               end,
                                       {Item, {erlang:length(Rows),
                                               lists:sum([erlang:element(2, Row) || Row <- Rows]),
                                               Total,
                                               lists:sublist(lists:reverse(Sorted), Most)}};
                                   _ -> One
                               end || One <- Told]
                      end,
             {M, Functions, Values}
     end || {M, Which} <- What,
            Functions <- [case Which of
                              all -> try erlang:get_module_info(M, functions) catch _:_ -> gone end;
                              _ -> Which
                          end]].
