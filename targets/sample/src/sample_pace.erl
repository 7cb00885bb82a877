%% Work in a known ratio, paced by count.
%%
%% Each period the pacer lets every worker run once; worker K does K units. The next period
%% begins when all are done and the period is over, so a slow machine stretches the periods
%% and leaves the ratio as it was.
-module(sample_pace).
-export([start_link/2, truth/1, pace/4, worker/3]).

%% 100 ms: a window of three seconds then holds 30 periods, and a period cut by its edge
%% moves a share by a thirtieth at most.
-define(PERIOD_MS, 100).

start_link(Workers, Unit) ->
    Reference = make_ref(),
    Pid = proc_lib:spawn_link(?MODULE, pace, [self(), Reference, Workers, Unit]),
    receive {Reference, Pids} -> {Pid, Unit, Pids} end.

%% `workers` is `[{Pid, Units a period}]`; a unit is `unit` calls of a function with no work.
truth({Pacer, Unit, Pids}) ->
    Pacer ! {periods, self()},
    receive
        {periods, Pacer, Periods} ->
            #{pacer => Pacer, unit => Unit, periods => Periods, workers => Pids}
    end.

pace(Planter, Reference, Workers, Unit) ->
    Pids = [{proc_lib:spawn_link(?MODULE, worker, [self(), K, Unit]), K} || K <- lists:seq(1, Workers)],
    Planter ! {Reference, Pids},
    period(Pids, 0).

period(Pids, Count) ->
    Timer = erlang:start_timer(?PERIOD_MS, self(), period),
    lists:foreach(fun({Pid, _}) -> Pid ! work end, Pids),
    lists:foreach(fun({Pid, _}) -> receive {done, Pid} -> ok end end, Pids),
    _ = sample_counter:bump(),
    until(Timer, Count + 1),
    period(Pids, Count + 1).

until(Timer, Count) ->
    receive
        {timeout, Timer, period} -> ok;
        {periods, From} ->
            From ! {periods, self(), Count},
            until(Timer, Count)
    end.

worker(Pacer, K, Unit) ->
    receive work -> ok end,
    spin(K * Unit),
    Pacer ! {done, self()},
    worker(Pacer, K, Unit).

%% One reduction a turn.
spin(0) -> ok;
spin(N) -> spin(N - 1).
