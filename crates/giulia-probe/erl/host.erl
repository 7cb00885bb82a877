%% Files that say what the operating system gives the VM, read by this process itself.
%%
%% `prim_file` runs on a dirty scheduler in the caller; `file` would go through the file server.
-module(host).
-export([ask/1]).

ask({Paths, Descriptors}) ->
    {lists:map(fun prim_file:read_file/1, Paths),
     case prim_file:list_dir(Descriptors) of
         {ok, Names} -> erlang:length(Names);
         _ -> none
     end}.
