%% Sick: a client waits for its answers past 5,000 messages that no receive of it takes.
%% Healthy: its mailbox is empty.
-module(zoo_selective_receive).
-export([run/1, client/1, clock/0]).

-define(MESSAGES, 5000).

run(Mode) ->
    Clock = zoo_kit:child(?MODULE, clock, []),
    Client = zoo_kit:named(zoo_client, ?MODULE, client, [Clock]),
    Mode =:= sick andalso [Client ! {late_answer, N} || N <- lists:seq(1, ?MESSAGES)].

client(Clock) ->
    Clock ! {time, self()},
    receive
        {time_is, _} -> ok
    end,
    timer:sleep(10),
    client(Clock).

clock() ->
    receive
        {time, From} ->
            timer:sleep(10),
            From ! {time_is, erlang:system_time()}
    end,
    clock().
