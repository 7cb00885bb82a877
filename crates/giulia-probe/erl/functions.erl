%% The functions of modules, private ones and those of funs too; `gone` for one that is no longer
%% loaded.
-module(functions).
-export([ask/1]).

ask({Modules}) ->
    erlang:term_to_binary(
      [{Module, try erlang:get_module_info(Module, functions) catch _:_ -> gone end} || Module <- Modules],
      [{compressed, 1}]).
