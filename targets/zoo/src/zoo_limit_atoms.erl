%% Sick: nine of ten atoms that the node may have exist. Start the node with `+t 65536`.
-module(zoo_limit_atoms).
-export([run/1]).

run(sick) ->
    Wanted = erlang:system_info(atom_limit) * 9 div 10 - erlang:system_info(atom_count),
    make(Wanted);
run(healthy) ->
    make(100).

make(Wanted) -> [name(N) || N <- lists:seq(1, max(0, Wanted))].

name(N) -> list_to_atom("zoo_limit_" ++ integer_to_list(N)).
