%% Some rounds of sampling: who is on a processor (or waits) at moments that nobody can foresee, and in
%% what it stands; equal answers are counted here, so that the reply stays small.
%%
%% Is given: our node; how many rounds; the least pause before each in milliseconds, and how many it
%% is lengthened by at random, so that no rhythm of the node's own is met again and again; after how
%% many microseconds no round begins; with each how many rounds the processes are listed anew, because
%% the VM walks its whole table of processes for that; whether the waiting are wanted; how many processes a round asks at
%% most, at random above; how many answers are kept before they are counted; the items to ask;
%% whether single dictionary keys cannot be read, and from which size on the whole is not; how
%% many different answers are told.
%%
%% Who was born since the last list is known in one of so many rounds only, and counts as often.
%%
%% Whoever is asked answers at the end of its time slice, or when it waits: its status then, in the
%% same answer as its stack, tells these apart. The flag `scheduler_wall_time` is counted by process
%% and goes with this one.
-module(stacks).
-export([ask/1]).
-variables(dictionary).

ask({Us, Rounds, Pause, Spread, Latest, Every, Waiting, Most, Kept, Items, {Dictionary, DictionaryBytes}, Told}) ->
    erlang:system_flag(scheduler_wall_time, true),
    Walls = erlang:statistics(scheduler_wall_time_all),
    Wanted = ets:match_spec_compile(
               case Waiting of
                   true -> [{{'$1', {status, waiting}}, [], ['$1']}];
                   false -> [{{'$1', {status, '$2'}},
                              [{'=/=', '$2', waiting}, {'=/=', '$2', suspended}, {'=/=', '$2', exiting},
                               {'=/=', '$1', {const, erlang:self()}}],
                              ['$1']}]
               end),
    %% A process of `proc_lib` whose initial call stands in its dictionary is told by its pid
    %% where single keys cannot be read, and looked up at the end.
    Answers = ets:match_spec_compile(
                [{{'$1', [{'_', '$2'}, {'_', '$3'}, {'_', '$4'}, {'_', '$5'}, {'_', '$6'}, '_', '_']},
                  [Dictionary, {'=/=', {node, '$4'}, Us}, {'=:=', '$5', []},
                   {'=:=', {element, 1, '$6'}, proc_lib}],
                  [{{'$2', '$3', '$5', '$6', '$1', none}}]},
                 {{'_', [{'_', '$2'}, {'_', '$3'}, {'_', '$4'}, {'_', '$5'}, {'_', '$6'}, '_', '_']},
                  [Dictionary, {'=/=', {node, '$4'}, Us}], [{{'$2', '$3', '$5', '$6', none, none}}]},
                 {{'_', [{'_', '$2'}, {'_', '$3'}, {'_', '$4'}, {'_', '$5'}, {'_', '$6'}, {'_', '$7'},
                         {'_', '$8'}]},
                  [{'=/=', {node, '$4'}, Us}], [{{'$2', '$3', '$5', '$6', '$7', '$8'}}]}]),
    Samples = [],
    Known = [],
    All = [],
    Many = 0,
    Answered = 0,
    Done = 0,
    Seen = 0,
    Asked = 0,
    Total = 0,
    Least = 1 bsl 40,
    LeastList = 1 bsl 40,
    Began = erlang:monotonic_time(microsecond),
    [case Many >= Kept orelse erlang:monotonic_time(microsecond) - Began > Latest of
         true -> ok;
         false ->
             timer:sleep(Pause + erlang:phash2(erlang:make_ref(), Spread)),
             Begins = erlang:monotonic_time(microsecond),
             case Done rem Every of
                 0 ->
                     Known = All,
                     All = erlang:processes(),
                     Total = erlang:length(All),
                     Statuses = lists:duplicate(Total, status),
                     Lists = erlang:monotonic_time(microsecond),
                     LeastList = erlang:min(LeastList, Lists - Begins);
                 _ -> Lists = Begins
             end,
             Found = ets:match_spec_run(
                       lists:zip(All, lists:zipwith(fun erlang:process_info/2, All, Statuses)), Wanted),
             Least = erlang:min(Least, erlang:monotonic_time(microsecond) - Lists),
             Size = erlang:length(Found),
             Ask = case Size =< Most of
                       true -> Found;
                       false ->
                           Seed = erlang:phash2(erlang:make_ref(), 1 bsl 26),
                           Picks = lists:usort(lists:zipwith(fun erlang:phash2/2,
                                                             lists:seq(Seed + 1, Seed + Most),
                                                             lists:duplicate(Most, Size))),
                           Few = erlang:length(Picks),
                           lists:zipwith(fun erlang:element/2,
                                         lists:zipwith(fun erlang:'+'/2, Picks, lists:duplicate(Few, 1)),
                                         lists:duplicate(Few, erlang:list_to_tuple(Found)))
                   end,
             case Ask of
                 [] -> ok;
                 _ ->
                     %% Of the first list nobody knows who is new.
                     case Every > 1 andalso Known =/= [] andalso Done rem Every =:= 0 of
                         false -> New = [];
                         true -> New = Ask -- Known
                     end,
                     case New of
                         [] -> Old = Ask;
                         _ -> Old = Ask -- New
                     end,
                     Rows = ets:match_spec_run(
                              lists:zip(Old, lists:zipwith(fun erlang:process_info/2, Old,
                                                           lists:duplicate(erlang:length(Old), Items))),
                              Answers),
                     Young = case New of
                                 [] -> [];
                                 _ -> ets:match_spec_run(
                                        lists:zip(New, lists:zipwith(fun erlang:process_info/2, New,
                                                                     lists:duplicate(erlang:length(New), Items))),
                                        Answers)
                             end,
                     Answered = Answered + erlang:length(Rows) + erlang:length(Young),
                     Samples = lists:append([Rows | lists:duplicate(Every, Young)]) ++ Samples,
                     Many = erlang:length(Samples)
             end,
             Seen = Seen + Size,
             Asked = Asked + erlang:length(Ask),
             Done = Done + 1
     end || _ <- lists:seq(1, Rounds)],
    Ended = erlang:monotonic_time(microsecond),
    All = [], Known = [], Found = [], Rows = [], Young = [], Statuses = [],
    Ordered = lists:sort(Samples),
    Ends = case Ordered of
               [] -> [];
               [_ | Next] ->
                   ets:match_spec_run(
                     lists:zip(lists:zipwith(fun erlang:'=:='/2, Ordered, Next ++ [none]),
                               lists:seq(1, Many)),
                     ets:match_spec_compile([{{false, '$1'}, [], ['$1']}]))
           end,
    Distinct = erlang:length(Ends),
    Firsts = lists:sublist(lists:reverse(lists:sort(
               lists:zip(lists:zipwith(fun erlang:'-'/2, Ends, lists:sublist([0 | Ends], Distinct)), Ends))),
               Told),
    Groups = lists:zip(Firsts,
                       lists:zipwith(fun erlang:element/2,
                                     ets:match_spec_run(Firsts, ets:match_spec_compile([{{'_', '$1'}, [], ['$1']}])),
                                     lists:duplicate(erlang:length(Firsts), erlang:list_to_tuple(Ordered)))),
    Pids = lists:sublist(
             lists:usort(ets:match_spec_run(
                           Groups,
                           ets:match_spec_compile([{{'_', {'_', '_', '_', '_', '$1', '_'}},
                                                    [{is_pid, '$1'}], ['$1']}]))),
             200),
    Small = ets:match_spec_run(
              lists:zip(Pids, lists:zipwith(fun erlang:process_info/2, Pids,
                                            lists:duplicate(erlang:length(Pids), [memory]))),
              ets:match_spec_compile([{{'$1', [{memory, '$2'}]}, [{'=<', '$2', DictionaryBytes}], ['$1']}])),
    Contents = ets:match_spec_run(
                 lists:zipwith(fun erlang:process_info/2, Small,
                               lists:duplicate(erlang:length(Small), dictionary)),
                 ets:match_spec_compile([{{dictionary, '$1'}, [], ['$1']}, {'_', [], [[]]}])),
    Calls = lists:zip(Small, lists:zipwith3(fun lists:keyfind/3,
                                            lists:duplicate(erlang:length(Small), '$initial_call'),
                                            lists:duplicate(erlang:length(Small), 1), Contents)),
    erlang:term_to_binary({{Total, Done, Seen, Asked, Many, Distinct, LeastList, Least, Ended - Began, Answered},
                           {Walls, erlang:statistics(scheduler_wall_time_all)}, Calls, Groups},
                          [{compressed, 1}]).
