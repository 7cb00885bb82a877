%% One of the writers of zoo_public_table.
-module(zoo_public_import).
-export([write/2]).

write(Table, Key) -> ets:insert(Table, {Key, import}).
