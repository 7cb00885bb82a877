%% A sum over the names of the modules that are loaded: another one tells that there is another
%% module, or one less. One that was loaded anew changes nothing in it.
-module(loaded).
-export([ask/1]).

ask({}) -> erlang:phash2(lists:sort(erlang:loaded())).
