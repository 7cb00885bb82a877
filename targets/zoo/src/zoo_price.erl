%% What the thresholds of rules call "our measurement": prices of single operations on this VM.
%%
%%   zoo_price:print().        medians of nine rounds each, one process, nothing else running
-module(zoo_price).
-export([print/0, ended/0, deaf/2]).

-define(ROUNDS, 9).

print() ->
    io:format("otp ~s, ~w schedulers~n", [
        erlang:system_info(otp_release), erlang:system_info(schedulers_online)
    ]),
    [io:format("price: ~s: ~s~n", [What, Price]) || {What, Price} <- prices()],
    ok.

prices() ->
    Small = ets:new(small, [public]),
    ets:insert(Small, [{N, N} || N <- lists:seq(1, 1000)]),
    Large = ets:new(large, [public]),
    ets:insert(Large, {1, [{N, N} || N <- lists:seq(1, 20000)]}),
    %% A pair and its list cell are five words.
    Bytes = 20000 * 5 * erlang:system_info(wordsize),
    Lookup = each(100000, fun(N) -> ets:lookup(Small, N rem 1000) end),
    Insert = each(100000, fun(N) -> ets:insert(Small, {N rem 1000, N}) end),
    Copy = each(200, fun(_) -> ets:lookup(Large, 1) end),
    Spawn = each(2000, fun(_) -> await(spawn_monitor(?MODULE, ended, [])) end),
    [
        {"ets:lookup/2 of a small row", us(Lookup)},
        {"ets:insert/2 of a small row", us(Insert)},
        {"copying out of a table", io_lib:format("~.1f GB/s", [Bytes / Copy / 1000])},
        {"a process that is spawned and ends, waited for", us(Spawn)},
        {"reductions of it, both sides", reductions(2000)},
        {"reductions of a log line in its handler", log_line(400)},
        {"a full collection of a heap of 20 MB", us(collection())},
        {"going past 1,000 messages", us(past(1000))}
    ].

us(Time) -> io_lib:format("~.2f us", [Time]).

%% The middle of some rounds, in microseconds an operation.
each(Times, Operation) ->
    middle([time(Times, Operation) || _ <- lists:seq(1, ?ROUNDS)]).

time(Times, Operation) ->
    Before = erlang:monotonic_time(nanosecond),
    repeat(Times, Operation),
    (erlang:monotonic_time(nanosecond) - Before) / 1000 / Times.

repeat(0, _) -> ok;
repeat(N, Operation) ->
    Operation(N),
    repeat(N - 1, Operation).

middle(Figures) -> lists:nth((length(Figures) + 1) div 2, lists:sort(Figures)).

ended() -> ok.

await({Pid, Monitor}) -> receive {'DOWN', Monitor, process, Pid, _} -> ok end.

reductions(Times) ->
    {Before, _} = erlang:statistics(exact_reductions),
    repeat(Times, fun(_) -> await(spawn_monitor(?MODULE, ended, [])) end),
    {After, _} = erlang:statistics(exact_reductions),
    io_lib:format("~w", [(After - Before) div Times]).

log_line(Times) ->
    Handler = whereis(logger_std_h_default),
    {_, Before} = process_info(Handler, reductions),
    repeat(Times, fun(N) -> logger:error("request ~b took ~b ms", [N, N]), timer:sleep(1) end),
    {_, After} = process_info(Handler, reductions),
    io_lib:format("~w", [(After - Before) div Times]).

collection() ->
    %% Three words of a tuple and its header, two of the cell: 40 bytes and more for each.
    Live = [{N, N, N} || N <- lists:seq(1, 20000000 div 48)],
    Times = [element(1, timer:tc(erlang, garbage_collect, [])) || _ <- lists:seq(1, ?ROUNDS)],
    true = length(Live) > 0,
    float(middle(Times)).

past(Messages) ->
    Pid = spawn(?MODULE, deaf, [self(), Messages]),
    receive {Pid, Time} -> Time end.

deaf(From, Messages) ->
    [self() ! {late, N} || N <- lists:seq(1, Messages)],
    Time = each(1000, fun(_) -> receive never -> ok after 0 -> ok end end),
    From ! {self(), Time}.
