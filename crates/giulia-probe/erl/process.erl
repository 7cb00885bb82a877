%% Items of one process; of lists that may be long how many there are and the first few, of a
%% dictionary keys alone and who started the process.
-module(process).
-export([ask/1]).

ask({Pid, Items, Most, KeyBytes}) ->
    case erlang:process_info(Pid, Items) of
        undefined -> undefined;
        Info ->
            [case Name of
                 binary ->
                     %% A binary that is held twice is there twice.
                     Each = lists:ukeysort(1, Value),
                     {Name, erlang:length(Each),
                      lists:sum(lists:zipwith(fun erlang:element/2,
                                              lists:duplicate(erlang:length(Each), 2), Each))};
                 dictionary ->
                     {Name, erlang:length(Value),
                      [case erlang:external_size(Key) =< KeyBytes of
                           true -> Key;
                           false -> system_limit
                       end || {Key, _} <- lists:sublist(Value, Most)],
                      case lists:keyfind('$ancestors', 1, Value) of
                          {_, Ancestors} when erlang:is_list(Ancestors) ->
                              lists:sublist(Ancestors, Most);
                          _ -> []
                      end};
                 _ -> {Name, erlang:length(Value), lists:sublist(Value, Most)}
             end || {Name, Value} <- Info]
    end.
