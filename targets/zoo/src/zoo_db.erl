%% Stands for a database: a TCP server, and clients that hold a connection each, as drivers do.
%%
%%   zoo_db:start(4, 0).          4 connections; an answer takes that many milliseconds
%%   zoo_db:query({setting, 3}).  through one of them
-module(zoo_db).
-behaviour(gen_server).
-export([start/2, query/1, listen/1, serve/2]).
-export([init/1, handle_call/3, handle_cast/2]).

-define(OPTIONS, [binary, {packet, 4}, {active, false}, {nodelay, true}]).

start(Connections, DelayMs) ->
    {ok, Listen} = gen_tcp:listen(0, [{ip, {127, 0, 0, 1}} | ?OPTIONS]),
    {ok, Port} = inet:port(Listen),
    Acceptor = zoo_kit:child(?MODULE, listen, [DelayMs]),
    ok = gen_tcp:controlling_process(Listen, Acceptor),
    Acceptor ! {listen, Listen},
    Names = [connection(N) || N <- lists:seq(1, Connections)],
    [{ok, _} = gen_server:start_link({local, It}, ?MODULE, Port, []) || It <- Names],
    persistent_term:put(?MODULE, list_to_tuple(Names)).

query(Query) ->
    Names = persistent_term:get(?MODULE),
    %% A free one, mostly: who asks is not bound to one of them.
    One = rand:uniform(tuple_size(Names)),
    gen_server:call(element(One, Names), {query, Query}).

connection(N) -> list_to_atom("zoo_db_connection_" ++ integer_to_list(N)).

%% ---- the driver

init(Port) -> gen_tcp:connect({127, 0, 0, 1}, Port, ?OPTIONS).

handle_call({query, Query}, _From, Socket) ->
    ok = gen_tcp:send(Socket, term_to_binary(Query)),
    {ok, Answer} = gen_tcp:recv(Socket, 0),
    {reply, binary_to_term(Answer), Socket}.

handle_cast(_Unknown, Socket) -> {noreply, Socket}.

%% ---- the server

listen(DelayMs) ->
    receive {listen, Listen} -> accept(Listen, DelayMs) end.

accept(Listen, DelayMs) ->
    {ok, Socket} = gen_tcp:accept(Listen),
    Serving = zoo_kit:child(?MODULE, serve, [Socket, DelayMs]),
    ok = gen_tcp:controlling_process(Socket, Serving),
    accept(Listen, DelayMs).

serve(Socket, DelayMs) ->
    case gen_tcp:recv(Socket, 0) of
        {ok, Query} ->
            DelayMs > 0 andalso timer:sleep(DelayMs),
            ok = gen_tcp:send(Socket, term_to_binary(answer(binary_to_term(Query)))),
            serve(Socket, DelayMs);
        {error, enotconn} ->
            %% Not ours yet.
            serve(Socket, DelayMs);
        {error, closed} ->
            closed
    end.

answer({setting, Key}) -> {Key, lists:duplicate(10, Key)};
answer({price, Key}) -> {Key, erlang:unique_integer()};
answer({user, Key}) -> {Key, <<"a user of the shop">>, Key rem 7};
answer({line, Order, Line}) -> {Order, Line, 1};
answer({lines, Order, Count}) -> [{Order, Line, 1} || Line <- lists:seq(1, Count)].
