%% Ports and sockets with what went through them. Loops over ports are native.
%%
%% Most: how many are asked, from a place at random on where there are more. Sockets of the module
%% `socket` are asked only where it is loaded: else there are none, and asking would load it.
%% Us: our node; the port of our own connection is left out.
%% What came through a passive socket is not in its port's `input`, so those tell their own count.
-module(ports).
-export([ask/1]).

ask({Us, Most}) ->
    All = erlang:ports() -- [Ours || {Node, Ours} <- erlang:system_info(dist_ctrl), Node =:= Us],
    Total = erlang:length(All),
    Ports = lists:sublist(
              case Total > Most of
                  true -> lists:nthtail(erlang:phash2(erlang:make_ref(), Total), All) ++ All;
                  false -> All
              end, Most),
    Size = erlang:length(Ports),
    Names = lists:zipwith(fun erlang:port_info/2, Ports, lists:duplicate(Size, name)),
    Inet = ets:match_spec_run(
             lists:zip(Ports, Names),
             ets:match_spec_compile([{{'$1', {name, Driver}}, [], ['$1']}
                                     || Driver <- ["tcp_inet", "udp_inet", "sctp_inet"]])),
    Sockets = case erlang:function_exported(socket, which_sockets, 0) of
                  true -> socket:which_sockets();
                  false -> []
              end,
    Some = lists:sublist(Sockets, Most),
    erlang:term_to_binary(
      {Total,
       lists:zip3(
         lists:zip3(Ports, Names,
                    lists:zipwith(fun erlang:port_info/2, Ports, lists:duplicate(Size, connected))),
         lists:zip(lists:zipwith(fun erlang:port_info/2, Ports, lists:duplicate(Size, input)),
                   lists:zipwith(fun erlang:port_info/2, Ports, lists:duplicate(Size, output))),
         lists:zipwith(fun erlang:port_info/2, Ports, lists:duplicate(Size, queue_size))),
       lists:zip(Inet, lists:zipwith(fun inet:getstat/2, Inet,
                                     lists:duplicate(erlang:length(Inet), [recv_oct, send_oct]))),
       erlang:length(Sockets),
       [begin
            Info = socket:info(Socket),
            Counters = maps:get(counters, Info, #{}),
            {maps:get(owner, Info, none), maps:get(protocol, Info, none), maps:get(type, Info, none),
             maps:get(read_byte, Counters, 0), maps:get(write_byte, Counters, 0),
             try socket:peername(Socket) catch _:_ -> none end}
        end || Socket <- Some]},
      [{compressed, 1}]).
