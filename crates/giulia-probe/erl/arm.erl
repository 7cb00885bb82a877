%% Makes calls one after the other and tells what each returned, and how long all of them took.
%%
%% One that raises keeps no other from being made. Evaluated by the custodian, which knows before
%% how to undo all of them. Answers `{[Result | {Class, Reason}], Microseconds}`.
-module(arm).
-export([ask/1]).

ask({Calls}) ->
    %% Most of an arming is waiting for the schedulers, with the permission to change code in hand;
    %% at normal priority each step waits behind a thousand busy processes too.
    erlang:process_flag(priority, high),
    Began = erlang:monotonic_time(microsecond),
    Results = [try erlang:apply(M, F, A) catch Class:Reason -> {Class, Reason} end || {M, F, A} <- Calls],
    {Results, erlang:monotonic_time(microsecond) - Began}.
