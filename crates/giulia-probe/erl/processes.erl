%% All processes, reduced where they live: who works, who waits with mail, what they are.
%%
%% Interpreted (about 1 us an expression), therefore every loop over processes is a function of
%% stdlib or a BIF; what is interpreted runs once for each chunk or slice. Nothing here has a fun
%% with a body: `erl_eval` would load `erl_lint` for it. The process dictionary that is written
%% to is that of this process, which ends with its answer.
%%
%% Asks for: how many to list; how many of the busiest to look at; how many of the others to
%% sample; the window in milliseconds, or `none`; what is read of everyone (three items:
%% reductions, mailbox or a stand-in, group leader); what a first look at the chosen reads; the
%% match specification that turns the first look into the items asked (nine, in a fixed order);
%% whether labels and initial calls must be found in whole dictionaries, and the memory in bytes
%% above which a process's dictionary is left alone; the waits in milliseconds before each attempt
%% at those that could not be asked yet (the last attempt keeps them as they are); our node.
%%
%% Answers with a compressed term, so that thousands of rows that look alike cost little on the wire.
-module(processes).
-export([ask/1]).
-variables(dictionary).

ask({Top, Busiest, Sample, WindowMs, Everyone, First, Choose, {Dictionary, DictionaryBytes}, Waits, Us}) ->
    Chunk = 8000,
    %% Whole dictionaries are large; anything else is not.
    Slice = case Dictionary of true -> 250; false -> 1000 end,
    %% A stack of `backtrace_depth` frames is cut: its last frame is not the outermost function.
    %% 8 is the default; a depth that somebody lowered cannot be told from here.
    StackMax = 8,
    Began = erlang:monotonic_time(microsecond),
    All = erlang:processes(),
    %% An interpreter keeps every variable alive, so each collection copies what is long done with:
    %% with 8 MB to fill before the first one, 200,000 processes take 240 ms in place of 420
    %% (OTP 27; 16 MB and chunks of 10,000 take 210 ms and 72 MB in place of 50).
    erlang:process_flag(min_heap_size, erlang:min(1000000, 10 * erlang:length(All))),
    erlang:garbage_collect(),
    %% Reductions so far, a list a chunk, or only how long the chunk is.
    erlang:put(1, All),
    Before =
        [case WindowMs of
             none -> erlang:min(Chunk, Left);
             _ ->
                 {Pids, Rest} = lists:split(erlang:min(Chunk, Left), erlang:get(1)),
                 erlang:put(1, Rest),
                 %% Bare numbers, with 0 for who is gone already: pairs would be copied by each
                 %% collection until the second look, which costs more than this.
                 ets:match_spec_run(
                   lists:zip(Pids, lists:zipwith(fun erlang:process_info/2, Pids,
                                       lists:duplicate(erlang:length(Pids), reductions))),
                   ets:match_spec_compile([{{'_', {'_', '$1'}}, [], ['$1']}, {'_', [], [0]}]))
         end || Left <- lists:seq(erlang:length(All), 1, -Chunk)],
    %% The window: the VM's own counters at its edges, inside the looks at the processes.
    Window =
        case WindowMs of
            none -> none;
            _ ->
                %% The first look's garbage would stay for the whole window, and its work would be
                %% counted within: the VM counts a time slice when it is over.
                erlang:garbage_collect(),
                erlang:yield(),
                Opened = {erlang:monotonic_time(microsecond), erlang:statistics(reductions),
                          erlang:statistics(garbage_collection),
                          erlang:statistics(context_switches), erlang:statistics(io),
                          erlang:statistics(runtime)},
                receive after WindowMs -> ok end,
                {Opened, {erlang:monotonic_time(microsecond), erlang:statistics(reductions),
                          erlang:statistics(garbage_collection),
                          erlang:statistics(context_switches), erlang:statistics(io),
                          erlang:statistics(runtime)}}
        end,
    Looked = erlang:monotonic_time(microsecond),
    %% Born in the window: everything that they did, they did in it.
    Born = case WindowMs =:= none orelse erlang:processes() of
               true -> [];
               All -> [];
               Now -> Now -- All
           end,
    Total = erlang:length(All) + erlang:length(Born),
    %% What the first look left behind would be carried along while the heap grows.
    erlang:garbage_collect(),
    Exact = Total =< Busiest,
    %% 1: pids to go, 2: busiest so far, 3: what is too little to be among them, 4: most mail so far.
    erlang:put(1, case Born of [] -> All; _ -> All ++ Born end),
    erlang:put(2, []),
    erlang:put(3, case Exact of true -> -1; false -> 0 end),
    erlang:put(4, []),
    Seed = erlang:phash2(erlang:make_ref(), 1 bsl 26),
    Shape = {'$1', '$2', [{'_', '$3'}, {'_', '$4'}, {'_', '$5'}]},
    Delta = {'-', '$3', '$2'},
    %% What we started has a group leader on our node; that is not the target's work.
    Other = {'=/=', {node, '$5'}, Us},
    Mail = {'andalso', {is_integer, '$4'}, {'>', '$4', 0}},
    Entry = {'$1', '$2', '$3', '$4', '$5'},
    Mailed = ets:match_spec_compile([{Entry, [Mail], [{{'$4', '$1', '$2', '$3', '$5'}}]}]),
    Led = ets:match_spec_compile([{Shape, [], ['$5']}]),
    Drawn = ets:match_spec_compile([{Shape, [Other], [{{Delta, '$3', '$1'}}]}]),
    Seen =
        [begin
             Firsts = case erlang:is_integer(Before1) of
                          true -> lists:duplicate(Before1, 0);
                          false -> Before1
                      end,
             Size = erlang:length(Firsts),
             {Pids, Rest} = lists:split(Size, erlang:get(1)),
             erlang:put(1, Rest),
             Rows = lists:zip3(Pids, Firsts,
                               lists:zipwith(fun erlang:process_info/2, Pids,
                                             lists:duplicate(Size, Everyone))),
             %% Busy ones and ones with mail, in one go.
             Some = ets:match_spec_run(
                      Rows, ets:match_spec_compile(
                              [{Shape, [{'orelse', {'>', Delta, erlang:get(3)}, Mail}, Other],
                                [{{Delta, '$3', '$1', '$4', '$5'}}]}])),
             %% Ascending; what falls off the front is what the next ones must beat.
             Ranked = lists:merge(
                        lists:sort(
                          ets:match_spec_run(
                            Some, ets:match_spec_compile(
                                    [{Entry, [{'>', '$1', erlang:get(3)}], [{{'$1', '$2', '$3'}}]}]))),
                        erlang:get(2)),
             Busy = lists:nthtail(erlang:max(0, erlang:length(Ranked) - Busiest), Ranked),
             erlang:put(2, Busy),
             case erlang:length(Busy) < Busiest of
                 true -> ok;
                 false -> erlang:put(3, erlang:element(1, erlang:hd(Busy)))
             end,
             Mails = ets:match_spec_run(
                       Some, Mailed),
             erlang:put(4, lists:sublist(lists:reverse(lists:sort(Mails ++ erlang:get(4))), Top)),
             %% By group leader. In a big node most chunks have one; 64 others are told apart.
             Leader1 = ets:match_spec_run(lists:sublist(Rows, 1), Led),
             Others = case Leader1 of
                          [] -> Rows;
                          [L1] -> ets:match_spec_run(
                                    Rows, ets:match_spec_compile(
                                            [{Shape, [{'=/=', '$5', {const, L1}}], ['$_']}]))
                      end,
             Leaders = lists:usort(ets:match_spec_run(Others, Led)),
             Groups = [begin
                           Mine = {'=:=', '$5', {const, Leader}},
                           Work = ets:match_spec_run(
                                    Where, ets:match_spec_compile([{Shape, [Mine, Other], [Delta]}])),
                           Sum = lists:sum(Work),
                           Since = case WindowMs of
                                       none -> Sum;
                                       _ -> lists:sum(
                                              ets:match_spec_run(
                                                Where, ets:match_spec_compile(
                                                         [{Shape, [Mine, Other], ['$3']}])))
                                   end,
                           Letters = ets:match_spec_run(
                                       Mails, ets:match_spec_compile(
                                                [{{'$1', '_', '_', '_', '$5'}, [Mine], ['$1']}])),
                           {Leader, erlang:length(Work), Sum, Since, lists:sum(Letters)}
                       end || {Leader, Where} <- [{L, Rows} || L <- Leader1] ++
                                                 [{L, Others} || L <- lists:sublist(Leaders, 64)]],
             %% Beyond 64, all that are not led by the first together; we subtract.
             Beyond = [begin
                           Work = ets:match_spec_run(
                                    Others, ets:match_spec_compile(
                                              [{Shape, [Other], [{{Delta, '$3'}}]}])),
                           {erlang:length(Work), lists:sum([D || {D, _} <- Work]),
                            lists:sum([R || {_, R} <- Work]),
                            lists:sum([M || {M, _, _, _, L} <- Mails, [L] =/= Leader1])}
                       end || erlang:length(Leaders) > 64],
             %% A few at random (repeated draws fall together).
             Wanted = case Exact of true -> 0; false -> (Sample * Size + Total - 1) div Total end,
             Picks = lists:usort(lists:zipwith(fun erlang:phash2/2,
                                               lists:seq(Seed + 1, Seed + Wanted),
                                               lists:duplicate(Wanted, Size))),
             Picked = ets:match_spec_run(
                        lists:zipwith(fun erlang:element/2,
                                      [Pick + 1 || Pick <- Picks],
                                      lists:duplicate(erlang:length(Picks),
                                                      erlang:list_to_tuple(Rows))),
                        Drawn),
             {Groups, Beyond, Picked}
         end || Before1 <- Before ++ [erlang:length(Born) || Born =/= []]],
    Busies = lists:reverse(erlang:get(2)),
    Longest = erlang:get(4),
    %% The longest mailboxes count as they are: scaled up, one stuck server would be many.
    Mailers = [{D, R, P} || {_, D, R, P, _} <- Longest] -- Busies,
    Sampled = lists:append([Picked || {_, _, Picked} <- Seen]) -- (Busies ++ Mailers),
    %% Compiled once: interpreting one of these literals costs as much as looking at a hundred
    %% processes: 5,000 looked at closely take 48 ms, and took 87 with them in the loop (OTP 27).
    {Call, Label} = case Dictionary of
                        false -> {'$11', '$12'};
                        true -> {'$13', '$14'}
                    end,
    Chosen = ets:match_spec_compile(Choose),
    Spawned =
        ets:match_spec_compile([{{'_', ['_', {initial_call, {erlang, apply, 2}}, '_', {memory,
          '_'} | '_']}, [], [current_stacktrace]}, {'_', [], [priority]}]),
    Outermost =
        ets:match_spec_compile([{{'_', {current_stacktrace, '$1'}}, [{'=/=', '$1', []}, {'<',
          {length, '$1'}, StackMax}], ['$1']}, {'_', [], [[none]]}]),
    Small =
        ets:match_spec_compile([{{'_', ['_', '_', '_', {memory, '$1'} | '_']}, [{'=<', '$1',
          DictionaryBytes}], [dictionary]}, {'_', [], [priority]}]),
    Contents = ets:match_spec_compile([{{'_', {dictionary, '$1'}}, [], ['$1']}, {'_', [], [[]]}]),
    Whole =
        ets:match_spec_compile([{{{{'$1', '$2', '$3'}, [{'_', '$4'}, {'_', '$5'}, {'_', '$6'},
          {'_', '$7'}, {'_', '$8'}, {'_', '$9'}, {'_', '$10'}, {'_', '$11'}, {'_', '$12'}]},
          {'$13', '$14'}, '$15'}, [], [{{'$1', '$2', '$3', '$4', '$5', '$6', '$7', '$8', '$9',
          '$10', Call, Label, '$15'}}]}]),
    Unasked =
        ets:match_spec_compile([{{'$1', '$2', '$3', '_', '_', '_', '$7', '_', '_', '_', '_', '_',
          '_'}, [{'not', {is_integer, '$7'}}], [{{'$1', '$2', '$3'}}]}]),
    Answered =
        ets:match_spec_compile([{{'_', '_', '_', '_', '_', '_', '$7', '_', '_', '_', '_', '_',
          '_'}, [{is_integer, '$7'}], ['$_']}]),
    Labelled =
        ets:match_spec_compile([{{'$1', '$2'}, [{'=<', '$2', 256}], ['$1']}, {{{'$1', '$2', '$3',
          '$4', '$5', '$6', '$7', '$8', '$9', '$10', '$11', '_', '$13'}, '_'}, [], [{{'$1', '$2',
          '$3', '$4', '$5', '$6', '$7', '$8', '$9', '$10', '$11', system_limit, '$13'}}]}]),
    Details =
        [begin
             erlang:put(5, Entries),
             lists:append(
               [begin
                    case erlang:get(5) of [] -> ok; _ -> receive after Wait -> ok end end,
                    erlang:put(1, erlang:get(5)),
                    Last = Wait =:= lists:last(Waits),
                    Many = erlang:length(erlang:get(5)),
                    erlang:put(5, []),
                    lists:append(
               [begin
                    {Some, Rest} = lists:split(erlang:min(Slice, Left), erlang:get(1)),
                    erlang:put(1, Rest),
                    Size = erlang:length(Some),
                    Pids = lists:zipwith(fun erlang:element/2, lists:duplicate(Size, 3), Some),
                    %% What may be asked of each depends on a first look.
                    Firsts = lists:zipwith(fun erlang:process_info/2, Pids,
                                           lists:duplicate(Size, First)),
                    Asked = ets:match_spec_run(lists:zip(Pids, Firsts),
                                               Chosen),
                    Infos = lists:zipwith(fun erlang:process_info/2, Pids, Asked),
                    Stacks = lists:zipwith(
                               fun erlang:process_info/2, Pids,
                               ets:match_spec_run(
                                 lists:zip(Pids, Infos),
                                 Spawned)),
                    Bottoms = lists:map(
                                fun lists:last/1,
                                ets:match_spec_run(
                                  lists:zip(Pids, Stacks),
                                  Outermost)),
                    {Calls, Labels} =
                        case Dictionary of
                            false -> {Pids, Pids};
                            true ->
                                Found = ets:match_spec_run(
                                         lists:zip(
                                           Pids,
                                           lists:zipwith(
                                             fun erlang:process_info/2, Pids,
                                             ets:match_spec_run(
                                               lists:zip(Pids, Infos),
                                               Small))),
                                         Contents),
                                Ones = lists:duplicate(Size, 1),
                                {lists:zipwith3(fun lists:keyfind/3,
                                                lists:duplicate(Size, '$initial_call'), Ones, Found),
                                 lists:zipwith3(fun lists:keyfind/3,
                                                lists:duplicate(Size, '$process_label'), Ones, Found)}
                        end,
                    Rows = ets:match_spec_run(
                             lists:zip3(lists:zip(Some, Infos), lists:zip(Calls, Labels), Bottoms),
                             Whole),
                    %% Who could not be asked now comes again.
                    Kept = case Last of
                               true -> Rows;
                               false ->
                                   Later = ets:match_spec_run(
                                             Rows, Unasked),
                                   erlang:put(5, Later ++ erlang:get(5)),
                                   ets:match_spec_run(
                                     Rows, Answered)
                           end,
                    %% A label may be any term: one above 256 bytes is not brought.
                    ets:match_spec_run(
                      lists:zip(Kept, lists:map(
                                        fun erlang:external_size/1,
                                        lists:zipwith(fun erlang:element/2,
                                                      lists:duplicate(erlang:length(Kept), 12),
                                                      Kept))),
                      Labelled)
                end || Left <- lists:seq(Many, 1, -Slice)])
                end || Wait <- Waits])
         end || Entries <- [Busies, Sampled, Mailers]],
    Rows = lists:append(Details),
    Biggest = lists:sublist(
                lists:reverse(
                  lists:sort(
                    ets:match_spec_run(
                      Rows, ets:match_spec_compile(
                              [{{'_', '_', '$3', '_', '_', '_', '$7', '_', '_', '_', '_', '_', '_'},
                                [{is_integer, '$7'}], [{{'$7', '$3'}}]}])))), Top),
    Fullest = lists:sublist(
                lists:reverse(
                  lists:sort(
                    ets:match_spec_run(
                      Rows, ets:match_spec_compile(
                              [{{'_', '_', '$3', '_', '_', '_', '_', '_', '_', '$10', '_', '_', '_'},
                                [{is_integer, '$10'}, {'>', '$10', 0}], [{{'$10', '$3'}}]}])))), Top),
    Listed = lists:usort([P || {_, _, P} <- lists:sublist(Busies, Top)] ++
                         [P || {_, P} <- Fullest] ++ [P || {_, P} <- Biggest]),
    TopRows = lists:zipwith3(fun lists:keyfind/3, Listed,
                             lists:duplicate(erlang:length(Listed), 3),
                             lists:duplicate(erlang:length(Listed), Rows)),
    %% For the groups: no pids, and sorted, so that equal names shrink to nothing.
    Brief = ets:match_spec_compile(
              [{{'$1', '$2', '_', '_', '$5', '_', '_', '_', '$9', '$10', '$11', '$12', '$13'}, [],
                [{{'$5', '$11', '$12', '$13', '$9', '$10', '$1', '$2'}}]}]),
    erlang:term_to_binary(
      {Total, Exact, Looked - Began, Window,
       [{Groups, Beyond} || {Groups, Beyond, _} <- Seen],
       TopRows,
       [lists:sort(ets:match_spec_run(It, Brief)) || It <- Details],
       ets:match(ac_tab, {{application_master, '$1'}, '$2'})},
      [{compressed, 1}]).
