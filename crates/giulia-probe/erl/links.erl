%% Connections to other nodes, and what waits to be sent on each.
-module(links).
-export([ask/1]).

ask({Us, Most}) ->
    Hidden = erlang:nodes(hidden),
    All = [Each || {Node, _} = Each <- erlang:system_info(dist_ctrl), Node =/= Us],
    {erlang:length(All), erlang:system_info(dist_buf_busy_limit),
     [{Node, lists:member(Node, Hidden), Controller,
       case erlang:is_port(Controller) of
           true -> [erlang:port_info(Controller, Item) || Item <- [queue_size, input, output]];
           false -> []
       end} || {Node, Controller} <- lists:sublist(All, Most)]}.
