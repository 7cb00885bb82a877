%% Sick: 24 processes log through a handler whose terminal takes 3 ms for a line, so that each waits
%% until its own line is written. Healthy: the terminal is quick, and there are few lines.
-module(zoo_logger).
-export([run/1, stop/0, worker/1, terminal/1]).

-define(HANDLER, zoo_log).

run(Mode) ->
    Terminal = zoo_kit:child(?MODULE, terminal, [Mode]),
    Config = #{config => #{type => {device, Terminal}}, level => error},
    ok = logger:add_handler(?HANDLER, logger_std_h, Config),
    zoo_kit:children(24, ?MODULE, worker, [Mode]).

stop() -> logger:remove_handler(?HANDLER).

worker(sick) -> zoo_kit:every(10, fun line/0);
worker(healthy) -> zoo_kit:every(5000, fun line/0).

line() -> logger:error("request ~b took ~b ms", [erlang:unique_integer([positive]), 7]).

%% A device by the protocol of io (stdlib, "The Erlang I/O Protocol").
terminal(Mode) ->
    receive
        {io_request, From, As, _} ->
            Mode =:= sick andalso timer:sleep(3),
            From ! {io_reply, As, ok}
    end,
    terminal(Mode).
