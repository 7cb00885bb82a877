%% Which functions somebody traces or counts already.
%%
%% Is told what to look at as `{M, all}` or `{M, [{F, A}]}`, which items of `erlang:trace_info/2` to
%% ask (`call_time`, `call_memory` and `all` stop every scheduler with each function, the others do
%% not; each is `false` where there is none, and may be `[]` where there is), and `none` or what our own session is called; with one, only built-in functions are looked
%% at, which sessions share where a bug of the VM is not fixed. Answers
%% `[{M, N, [{F, A, Item, Value}], Functions}]` with how many there are, those that are not free, and
%% all of them if some are not; `{M, gone, [], []}` for a module that is not loaded.
%%
%% All is native while all are free: on a node with a thousand busy processes each few thousand
%% reductions wait a second for their turn.
-module(free).
-export([ask/1]).

ask({What, Items, Own}) ->
    [case Functions of
         gone -> {M, gone, [], []};
         _ ->
             N = erlang:length(Functions),
             %% {M, F, A}.
             Mfas = lists:zipwith3(fun erlang:insert_element/3, lists:duplicate(N, 1), Functions,
                                   lists:duplicate(N, M)),
             Taken = case Own of
                         none ->
                             [{F, A, Item, Value} ||
                                 Item <- Items,
                                 Told <- [lists:zipwith(fun erlang:trace_info/2, Mfas,
                                                        lists:duplicate(N, Item))],
                                 [_ | _] <- [lists:usort(Told) -- [{Item, false}, {Item, undefined}]],
                                 {{F, A}, {_, Value}} <- lists:zip(Functions, Told),
                                 Value =/= false, Value =/= undefined];
                         _ ->
                             [{F, A, session, All -- [Own]} ||
                                 Told <- [lists:map(fun trace:session_info/1, Mfas)],
                                 [_ | _] <- [lists:usort(Told) -- [undefined, [], [Own]]],
                                 {{F, A}, [_ | _] = All} <- lists:zip(Functions, Told),
                                 erlang:is_builtin(M, F, A), All =/= [Own]]
                     end,
             {M, N, Taken, case Taken of [] -> []; _ -> Functions end}
     end || {M, Which} <- What,
            Functions <- [case Which of
                              all -> try erlang:get_module_info(M, functions) catch _:_ -> gone end;
                              _ -> Which
                          end]].
