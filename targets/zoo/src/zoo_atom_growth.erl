%% Sick: 500 new atoms a second, one for each name that comes in. Healthy: names that are known.
-module(zoo_atom_growth).
-export([run/1, parser/1]).

%% It stops there: atoms are never freed.
-define(MOST, 100000).

run(Mode) -> zoo_kit:child(?MODULE, parser, [Mode]).

parser(Mode) ->
    put(next, 0),
    zoo_kit:every(20, fun() ->
        From = get(next),
        From < ?MOST andalso [field(Mode, N) || N <- lists:seq(From, From + 9)],
        put(next, From + 10)
    end).

field(sick, N) -> list_to_atom("zoo_field_" ++ integer_to_list(N));
field(healthy, N) -> list_to_atom("zoo_field_" ++ integer_to_list(N rem 10)).
