%% One look of the resident watcher: who worked since the last one, and what we ask beside it.
%%
%% Runs when a message wakes the hibernated process, and hibernates again into itself. What it knows
%% is in its dictionary, put there by `watcher.erl` or by the last look: variables that nothing here
%% binds first. The heap between two looks is as small as that, and nothing runs.
%% Loops over processes are native; what is interpreted runs once a look, or once for each 8,000
%% processes. No fun with a body: the target would load `erl_lint` for it.
%%
%% Is asked by `{tick, Ref, Look, {Modules, Functions, Arguments}}`: functions to call, and whether
%% to look. Look is `none`, or `{Top, List, Led}`: how many to list; whose pids to tell (`all`,
%% `changes` since the last look, `none`); whether to sum up by group leader. Answers
%% `{Ref, Told, {Began, Called, Ended}, Reductions, Seen}`, the times in microseconds.
-module(watch).
-export([ask/1]).
-variables(dictionary).

ask({}) ->
    Message = receive It -> It end,
    case Message of
        {timeout, Fired, Which} ->
            %% One that had fired when it was cancelled means nothing any more. A node that was
            %% stopped itself finds its timers expired before it has read what waits in its
            %% sockets: the last tenth of the lease starts now.
            case {Fired =:= Timer, Which} of
                {true, lease} -> Timer = erlang:start_timer(Lease div 10, erlang:self(), last);
                {true, last} -> erlang:exit(normal);
                _ -> ok
            end;
        {tick, _, _, {_, _, _}} ->
            {_, Ref, Look, {Modules, Functions, Arguments}} = Message,
            Began = erlang:monotonic_time(microsecond),
            Told = (catch lists:zipwith3(fun erlang:apply/3, Modules, Functions, Arguments)),
            Called = erlang:monotonic_time(microsecond),
            case Look of
                none -> Seen = none;
                _ ->
                    {Top, List, Led} = Look,
                    All = erlang:processes(),
                    PidsNow = [],
                    RedsNow = [],
                    Busy = [],
                    Cut = [],
                    Fullest = [],
                    Worked = 0,
                    Chunks =
                        [begin
                             %% Who was known and still is was listed now: as many as were listed
                             %% means that nobody was born.
                             case Phase of
                                 old ->
                                     PidsLeft = Pids,
                                     RedsLeft = Reds,
                                     %% From here on a chunk that is done with is garbage.
                                     Reds = [];
                                 born ->
                                     PidsLeft =
                                         case erlang:length(All) =:=
                                                  lists:sum(lists:map(fun erlang:length/1, PidsNow)) of
                                             true -> [];
                                             false -> All -- Pids
                                         end,
                                     RedsLeft = lists:duplicate(erlang:length(PidsLeft), 0)
                             end,
                             [begin
                                  Size = erlang:min(8000, Left),
                                  {Some, PidsLeft} = lists:split(Size, PidsLeft),
                                  {Before, RedsLeft} = lists:split(Size, RedsLeft),
                                  Rows = lists:zip3(Some, Before,
                                                    lists:zipwith(fun erlang:process_info/2, Some,
                                                                  lists:duplicate(Size, Everyone))),
                                  Now = ets:match_spec_run(Rows, Reductions),
                                  case erlang:length(Now) =:= Size of
                                      true ->
                                          Gone = [],
                                          GoneReds = 0;
                                      false ->
                                          Gone = ets:match_spec_run(Rows, Ended),
                                          GoneReds = lists:sum(ets:match_spec_run(Rows, EndedReds)),
                                          Rows = ets:match_spec_run(Rows, Living),
                                          Some = ets:match_spec_run(Rows, Alive)
                                  end,
                                  PidsNow = [Some | PidsNow],
                                  RedsNow = [Now | RedsNow],
                                  Active = ets:match_spec_run(Rows, Working),
                                  Worked = Worked + erlang:length(Active),
                                  %% To sort 200,000 that all worked would double the price of the look.
                                  Ranked = case List =:= none andalso erlang:length(Busy) =:= Busiest of
                                               true ->
                                                   ets:match_spec_run(
                                                     Active,
                                                     ets:match_spec_compile(
                                                       [{{'$1', '_', '_', '_', '_'},
                                                         [{'>', '$1', erlang:element(1, erlang:hd(Busy))}], ['$_']}]));
                                               false -> Active
                                           end,
                                  %% Ascending; what falls off the front is cut, and told in short
                                  %% where everyone is known.
                                  Busy = lists:merge(lists:sort(Ranked), Busy),
                                  {Off, Busy} = lists:split(erlang:max(0, erlang:length(Busy) - Busiest), Busy),
                                  Cut = case List of
                                            none -> [];
                                            _ -> ets:match_spec_run(Off, InShort) ++ Cut
                                        end,
                                  Fullest = lists:sublist(
                                              lists:reverse(
                                                lists:sort(ets:match_spec_run(Active, Mailed) ++ Fullest)), Top),
                                  Sum = lists:sum(Now),
                                  {erlang:length(Now), Sum - lists:sum(Before) + GoneReds, Sum,
                                   lists:sum(ets:match_spec_run(Active, Letters)),
                                   case Led of
                                       false -> [];
                                       true ->
                                           [begin
                                                Others = ets:match_spec_run(
                                                           Rows,
                                                           ets:match_spec_compile(
                                                             [{{'_', '_', ['_', '_', {'_', '$1'}]},
                                                               [{'=/=', '$1', {const, Leader1}}], ['$_']}])),
                                                {Leader1,
                                                 [begin
                                                      Mine = case Leader of
                                                                 others -> Others;
                                                                 _ -> ets:match_spec_run(
                                                                        Others,
                                                                        ets:match_spec_compile(
                                                                          [{{'_', '_', ['_', '_', {'_', Leader}]},
                                                                            [], ['$_']}]))
                                                             end,
                                                      {Leader, erlang:length(Mine),
                                                       lists:sum(ets:match_spec_run(Mine, Deltas)),
                                                       lists:sum(ets:match_spec_run(Mine, Reductions)),
                                                       lists:sum(ets:match_spec_run(
                                                                   ets:match_spec_run(Mine, Working), Letters))}
                                                  end || Leader <- [others | lists:sublist(
                                                                               lists:usort(ets:match_spec_run(Others, Leaders)), 16)]]}
                                            end || Leader1 <- ets:match_spec_run(lists:sublist(Rows, 1), Leaders)]
                                   end,
                                   case List =:= all orelse {List, Phase} =:= {changes, born} of
                                       true -> ets:match_spec_run(Rows, Listing);
                                       false -> []
                                   end,
                                   case List of
                                       none -> erlang:length(Gone);
                                       _ -> Gone
                                   end}
                              end || Left <- lists:seq(erlang:length(PidsLeft), 1, -8000)]
                         end || Phase <- [old, born]],
                    Pids = lists:append(PidsNow),
                    Reds = lists:append(RedsNow),
                    Busy = lists:reverse(Busy),
                    Listed = lists:usort(ets:match_spec_run(lists:sublist(Busy, Top) ++ Fullest, Picked)),
                    Seen = {Chunks, Worked, Busy, Cut, Fullest,
                            lists:zip(Listed,
                                      lists:zipwith(fun erlang:process_info/2, Listed,
                                                    ets:match_spec_run(
                                                      lists:zip(Listed,
                                                                lists:zipwith(fun erlang:process_info/2, Listed,
                                                                              lists:duplicate(erlang:length(Listed), First))),
                                                      Closely)))},
                    Rows = [], All = [], PidsNow = [], RedsNow = [], Busy = [], Active = [], Ranked = [], Others = [],
                    Mine = [], Off = [], Cut = [], Chunks = [], Some = [], Before = [], Now = [], Gone = []
            end,
            {_, Own} = erlang:process_info(erlang:self(), reductions),
            Answer = {Ref, Told, {Began, Called, erlang:monotonic_time(microsecond)}, Own, Seen},
            erlang:send(To,
                        %% A node name in each of a thousand pids is not worth its bytes.
                        case erlang:length(Pids) > 1000 andalso Seen =/= none of
                            true -> erlang:term_to_binary(Answer, [{compressed, 1}]);
                            false -> Answer
                        end, [nosuspend, noconnect]),
            erlang:cancel_timer(Timer),
            Timer = erlang:start_timer(Lease - Lease div 10, erlang:self(), lease),
            Answer = [], Seen = [], Told = [];
        _ -> ok
    end,
    Message = [],
    erlang:hibernate(erl_eval, expr, [Form, [{'Args', {}}], none, none, value]).
