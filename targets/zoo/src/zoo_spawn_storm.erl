%% Sick: 10,000 processes a second for nothing but one reduction each. Healthy: 50.
-module(zoo_spawn_storm).
-export([run/1, splitter/1, piece/1]).

run(sick) -> zoo_kit:child(?MODULE, splitter, [100]);
run(healthy) -> zoo_kit:child(?MODULE, splitter, [1]).

splitter(Pieces) ->
    zoo_kit:every(10 + 10 * (1 div Pieces), fun() ->
        [spawn(?MODULE, piece, [N]) || N <- lists:seq(1, Pieces)]
    end).

piece(N) -> N + 1.
