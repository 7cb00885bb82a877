%% The supervision tree of every application, by links, level by level: nobody is sent a message.
%%
%% The links of a supervisor are its parent and its children. One is known by `$initial_call`, which
%% `proc_lib` puts into its dictionary, and which Elixir's dynamic one replaces since Elixir 1.11. One with more than LinksMax links is counted, not followed.
%% Links are asked of masters and supervisors alone: a worker may have started 200,000 processes, and
%% copying and filtering that list took 60 ms of a look's 260 (OTP 27).
-module(supervision).
-export([ask/1]).

ask({Items, {Dictionary, DictionaryBytes}, LinksMax, Most, Deepest}) ->
    Small = ets:match_spec_compile([{{'_', ['_', '_', '_', {memory, '$1'} | '_']},
                                     [{'=<', '$1', DictionaryBytes}], [dictionary]},
                                    {'_', [], [priority]}]),
    Contents = ets:match_spec_compile([{{'_', {dictionary, '$1'}}, [], ['$1']}, {'_', [], [[]]}]),
    Call = case Dictionary of false -> '$6'; true -> '$7' end,
    Whole = ets:match_spec_compile(
              [{{{'$1', '$2'}, [{'_', '$3'}, {'_', '$4'}, '_', '_', {'_', '$6'}], '$7'}, [],
                [{{'$1', '$2', '$3', '$4', Call}}]}]),
    Pids = ets:match_spec_compile([{'$1', [{is_pid, '$1'}], ['$1']}]),
    Seconds = ets:match_spec_compile([{{'_', '$1'}, [], ['$1']}]),
    Masters = ets:match(ac_tab, {{application_master, '$1'}, '$2'}),
    %% 1: parents and children to ask; 2: everybody asked so far, and who is linked to all masters.
    erlang:put(1, [{App, Master} || [App, Master] <- Masters]),
    erlang:put(2, [erlang:whereis(application_controller)]),
    Levels =
        [begin
             Level = lists:sublist(erlang:get(1), erlang:max(0, Most - erlang:length(erlang:get(2)))),
             Some = ets:match_spec_run(Level, Seconds),
             erlang:put(2, Some ++ erlang:get(2)),
             Size = erlang:length(Some),
             Infos = lists:zipwith(fun erlang:process_info/2, Some, lists:duplicate(Size, Items)),
             Calls = case Dictionary of
                         false -> Some;
                         true ->
                             lists:zipwith3(
                               fun lists:keyfind/3,
                               lists:duplicate(Size, '$initial_call'), lists:duplicate(Size, 1),
                               ets:match_spec_run(
                                 lists:zip(Some,
                                           lists:zipwith(fun erlang:process_info/2, Some,
                                                         ets:match_spec_run(lists:zip(Some, Infos), Small))),
                                 Contents))
                     end,
             Left = erlang:length(erlang:get(1)) - erlang:length(Level),
             erlang:put(1, []),
             {Left,
              [begin
                   Kind = if Depth < 2 -> master;
                             erlang:element(1, Started) =:= supervisor;
                             erlang:element(1, Started) =:= 'Elixir.DynamicSupervisor';
                             erlang:element(1, erlang:element(2, Started)) =:= supervisor;
                             erlang:element(1, erlang:element(2, Started)) =:=
                                 'Elixir.DynamicSupervisor' -> supervisor;
                             true -> worker
                          end,
                   Many = case Kind =/= worker andalso erlang:process_info(Pid, links) of
                              {_, Links} when erlang:length(Links) =< LinksMax + 1 ->
                                  Children = ets:match_spec_run(Links, Pids) -- [Parent | erlang:get(2)],
                                  erlang:put(1, erlang:get(1) ++ [{Pid, Child} || Child <- Children]),
                                  erlang:length(Children);
                              %% All but its parent.
                              {_, Links} -> erlang:length(Links) - 1;
                              %% A worker, or it is gone.
                              _ -> 0
                          end,
                   {Parent, Pid, Name, Initial, Started, Kind, Many}
               end || {Parent, Pid, Name, Initial, Started}
                          <- ets:match_spec_run(lists:zip3(Level, Infos, Calls), Whole)]}
         end || Depth <- lists:seq(0, Deepest), erlang:get(1) =/= []],
    erlang:term_to_binary({Levels, erlang:length(erlang:get(1))}, [{compressed, 1}]).
