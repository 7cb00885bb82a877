%% Sick: 24 processes log five times as much as a terminal takes, through a handler that makes
%% nobody wait and drops what is too much. Healthy: few lines.
-module(zoo_logger_drops).
-export([run/1, stop/0, worker/1, terminal/0]).

-define(HANDLER, zoo_drops).

run(Mode) ->
    Terminal = zoo_kit:child(?MODULE, terminal, []),
    %% From 200 waiting lines on it drops, and below nobody waits for it.
    Limits = #{sync_mode_qlen => 200, drop_mode_qlen => 200, flush_qlen => 5000, burst_limit_enable => false},
    Config = #{config => Limits#{type => {device, Terminal}}, level => error},
    ok = logger:add_handler(?HANDLER, logger_std_h, Config),
    %% These lines are nobody else's.
    _ = logger:set_handler_config(default, level, critical),
    zoo_kit:children(24, ?MODULE, worker, [Mode]).

stop() ->
    _ = logger:set_handler_config(default, level, all),
    logger:remove_handler(?HANDLER).

worker(sick) -> zoo_kit:every(10, fun line/0);
worker(healthy) -> zoo_kit:every(5000, fun line/0).

line() -> logger:error("request ~b took ~b ms", [erlang:unique_integer([positive]), 7]).

%% A device by the protocol of io (stdlib, "The Erlang I/O Protocol").
terminal() ->
    receive
        {io_request, From, As, _} ->
            timer:sleep(1),
            From ! {io_reply, As, ok}
    end,
    terminal().
