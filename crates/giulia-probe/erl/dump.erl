%% All processes, grouped by what stands on their stacks and what they were started with.
%%
%% A page at a time, so that the stacks of one page alone are in memory at once. Rows are sorted by
%% a hash of stack and call, and neighbours compared, so equal hashes of different stacks only cut
%% a group in two, which the reader mends. The loop that is evaluated goes over groups, not over
%% processes. Nothing that holds a stack passes a match specification: their results are copies.
%%
%% Us: our node, whose processes are left out. First: the items of the first look. Choose: the
%% match specification from it to the items to ask. Dictionary: whether single keys cannot be read,
%% and from which size on the whole is not. Most: how many processes are asked, at random above.
%% {Groups, PageMax, PageMin}: how many groups are kept in all, the largest of a page, and how
%% many of a page at most and, when all are used up, still. Members: pids told of each.
-module(dump).
-export([ask/1]).

ask({Us, First, Choose, {Dictionary, DictionaryBytes}, Page, Most, {Groups, PageMax, PageMin}, Members,
     NamesMax}) ->
    All = erlang:processes(),
    Total = erlang:length(All),
    Chosen = case Total =< Most of
                 true -> All;
                 false ->
                     Seed = erlang:phash2(erlang:make_ref(), 1 bsl 26),
                     Picks = lists:usort(lists:zipwith(fun erlang:phash2/2,
                                                       lists:seq(Seed + 1, Seed + Most),
                                                       lists:duplicate(Most, Total))),
                     Many = erlang:length(Picks),
                     lists:zipwith(fun erlang:element/2,
                                   lists:zipwith(fun erlang:'+'/2, Picks, lists:duplicate(Many, 1)),
                                   lists:duplicate(Many, erlang:list_to_tuple(All)))
             end,
    %% 1: pids to go, 2: rows of the page to go, 3: groups to keep.
    erlang:put(1, Chosen),
    erlang:put(3, Groups),
    Items = ets:match_spec_compile(Choose),
    Small = ets:match_spec_compile([{{'_', ['_', '_', '_', {memory, '$1'} | '_']},
                                     [{'=<', '$1', DictionaryBytes}], [dictionary]},
                                    {'_', [], [priority]}]),
    Contents = ets:match_spec_compile([{{'_', {dictionary, '$1'}}, [], ['$1']}, {'_', [], [[]]}]),
    Call = case Dictionary of false -> '$8'; true -> '$9' end,
    Whole = ets:match_spec_compile(
              [{{'$1', [{'_', '$2'}, {'_', '$3'}, '_', '_', {'_', '$5'}, {'_', '$6'}, {'_', '$7'},
                        {'_', '$8'}, '_'], '$9'},
                [{is_integer, '$7'}, {'=/=', {node, '$6'}, Us}],
                [{{{{'$3', Call}}, '$1', '$7', '$2', '$5'}}]}]),
    Last = ets:match_spec_compile([{{false, '$1'}, [], ['$1']}]),
    Mailed = ets:match_spec_compile([{{'_', '_', {'_', '$1', '$2', '_', '_'}}, [], [{{'$2', '$1'}}]}]),
    Letters = ets:match_spec_compile([{{'$1', '_'}, [], ['$1']}]),
    Named = ets:match_spec_compile([{{'_', '_', {'_', '_', '_', '$1', '_'}},
                                     [{is_atom, '$1'}, {'=/=', '$1', []}], ['$1']}]),
    Waits = ets:match_spec_compile([{{'_', '_', {'_', '_', '_', '_', waiting}}, [], [true]}]),
    Pages =
        [begin
             {Pids, Later} = lists:split(erlang:min(Page, Left), erlang:get(1)),
             erlang:put(1, Later),
             Size = erlang:length(Pids),
             Firsts = lists:zipwith(fun erlang:process_info/2, Pids, lists:duplicate(Size, First)),
             Infos = lists:zipwith(fun erlang:process_info/2, Pids,
                                   ets:match_spec_run(lists:zip(Pids, Firsts), Items)),
             Calls = case Dictionary of
                         false -> Pids;
                         true ->
                             Found = ets:match_spec_run(
                                       lists:zip(Pids,
                                                 lists:zipwith(
                                                   fun erlang:process_info/2, Pids,
                                                   ets:match_spec_run(lists:zip(Pids, Infos), Small))),
                                       Contents),
                             lists:zipwith3(fun lists:keyfind/3,
                                            lists:duplicate(Size, '$initial_call'),
                                            lists:duplicate(Size, 1), Found)
                     end,
             Rows = ets:match_spec_run(lists:zip3(Pids, Infos, Calls), Whole),
             Asked = erlang:length(Rows),
             Stacks = lists:zipwith(fun erlang:process_info/2,
                                    lists:zipwith(fun erlang:element/2, lists:duplicate(Asked, 2), Rows),
                                    lists:duplicate(Asked, current_stacktrace)),
             Keys = lists:zip(Stacks,
                              lists:zipwith(fun erlang:element/2, lists:duplicate(Asked, 1), Rows)),
             Sorted = lists:keysort(1, lists:zip3(lists:map(fun erlang:phash2/1, Keys), Keys, Rows)),
             Ordered = lists:zipwith(fun erlang:element/2, lists:duplicate(Asked, 2), Sorted),
             Ends = case Ordered of
                        [] -> [];
                        [_ | Next] ->
                            ets:match_spec_run(
                              lists:zip(lists:zipwith(fun erlang:'=:='/2, Ordered, Next ++ [none]),
                                        lists:seq(1, Asked)),
                              Last)
                    end,
             erlang:put(2, Sorted),
             Together =
                 [begin
                      {Mine, Rest} = lists:split(Count, erlang:get(2)),
                      erlang:put(2, Rest),
                      Mail = ets:match_spec_run(Mine, Mailed),
                      Names = ets:match_spec_run(Mine, Named),
                      {Count, erlang:element(2, erlang:hd(Mine)),
                       lists:sum(ets:match_spec_run(Mail, Letters)),
                       erlang:length(ets:match_spec_run(Mine, Waits)),
                       lists:sublist(lists:reverse(lists:sort(Mail)), Members),
                       erlang:length(Names), lists:sublist(lists:sort(Names), NamesMax)}
                  end || Count <- lists:zipwith(fun erlang:'-'/2, Ends,
                                                lists:sublist([0 | Ends], erlang:length(Ends)))],
             Kept = lists:sublist(lists:reverse(lists:keysort(1, Together)),
                                  erlang:max(PageMin, erlang:min(PageMax, erlang:get(3)))),
             erlang:put(3, erlang:get(3) - erlang:length(Kept)),
             {Asked, erlang:length(Together), Kept}
         end || Left <- lists:seq(erlang:length(Chosen), 1, -Page)],
    erlang:term_to_binary({Total, Pages}, [{compressed, 1}]).
