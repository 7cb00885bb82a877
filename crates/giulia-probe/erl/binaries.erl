%% Who holds the most binaries outside of its heap.
%%
%% All are ranked by what the VM itself counts of them (virtual binary heaps, in words, which tell
%% more than are alive until the next collection), the first few asked for their lists.
%% Us: our node, whose processes are left out.
-module(binaries).
-export([ask/1]).

ask({Us, Most, Top, WordsMin}) ->
    All = erlang:processes(),
    Total = erlang:length(All),
    %% From a place at random on, and what is missing at the end from the front: a list of everyone
    %% twice is not made for it.
    First = lists:sublist(
              lists:nthtail(case Total > Most of
                                true -> erlang:phash2(erlang:make_ref(), Total);
                                false -> 0
                            end, All), Most),
    Some = case erlang:min(Most, Total) - erlang:length(First) of
               0 -> First;
               Missing -> First ++ lists:sublist(All, Missing)
           end,
    Size = erlang:length(Some),
    Held = ets:match_spec_compile(
             [{{'$1', [{'_', ['_', '_', '_', '_', '_', '_', '_', {bin_vheap_size, '$2'}, '_', {bin_old_vheap_size, '$3'} | '_']},
                       {'_', '$4'}]},
               [{'>', {'+', '$2', '$3'}, WordsMin}, {'=/=', {node, '$4'}, Us}],
               [{{{'+', '$2', '$3'}, '$1'}}]}]),
    Ranked = lists:sublist(
               lists:reverse(
                 lists:sort(
                   ets:match_spec_run(
                     lists:zip(Some, lists:zipwith(fun erlang:process_info/2, Some,
                                                   lists:duplicate(Size, [garbage_collection_info,
                                                                          group_leader]))),
                     Held))), Top),
    {Total, Size,
     [case erlang:process_info(Pid, binary) of
          {_, List} ->
              Each = lists:ukeysort(1, List),
              {Pid, erlang:length(Each),
               lists:sum(lists:zipwith(fun erlang:element/2,
                                       lists:duplicate(erlang:length(Each), 2), Each))};
          _ -> {Pid, 0, 0}
      end || {_, Pid} <- Ranked]}.
