%% In a container of 256 MB. Sick: a table holds 226 of them. Healthy: it holds 60.
-module(zoo_container_memory).
-export([run/1]).

-define(MB, 1048576).

%% Filled before anybody looks: a full container is not one that grows.
run(Mode) -> fill(ets:new(?MODULE, []), megabytes(Mode)).

megabytes(sick) -> 226;
megabytes(healthy) -> 60.

fill(_, 0) -> ok;
fill(Table, N) ->
    ets:insert(Table, {N, binary:copy(<<7>>, ?MB)}),
    fill(Table, N - 1).
