%% What the programs share: a pace, a known amount of work, processes with a name.
-module(zoo_kit).
-export([child/3, children/4, named/4, every/2, spin/1, registered/4, pace/2]).

%% Started through proc_lib, so that it is known by the function it was started with.
child(Module, Function, Args) -> proc_lib:spawn_link(Module, Function, Args).

children(Count, Module, Function, Args) ->
    [child(Module, Function, Args) || _ <- lists:seq(1, Count)].

%% A child that is registered before this returns.
named(Name, Module, Function, Args) ->
    {ok, Pid} = proc_lib:start_link(?MODULE, registered, [Name, Module, Function, Args]),
    Pid.

registered(Name, Module, Function, Args) ->
    true = register(Name, self()),
    proc_lib:init_ack({ok, self()}),
    apply(Module, Function, Args).

%% Does the work at fixed times; one that is late does not hurry after.
every(PeriodMs, Work) ->
    %% Many that start together do not beat together.
    timer:sleep(rand:uniform(PeriodMs) - 1),
    pace(PeriodMs, Work).

pace(PeriodMs, Work) -> pace(PeriodMs, Work, now_ms() + PeriodMs).

pace(PeriodMs, Work, Due) ->
    _ = Work(),
    timer:sleep(max(0, Due - now_ms())),
    pace(PeriodMs, Work, max(Due, now_ms()) + PeriodMs).

%% One reduction a turn.
spin(0) -> ok;
spin(N) -> spin(N - 1).

now_ms() -> erlang:monotonic_time(millisecond).
