%% A pool of connections that lends one to whoever asks and lets the others wait.
%% Sick: 2 connections for 24 clients that hold one for 20 ms each. Healthy: 24 connections.
-module(zoo_pool).
-behaviour(gen_server).
-export([run/1, client/0, checkout/0, checkin/1]).
-export([init/1, handle_call/3, handle_cast/2]).

run(Mode) ->
    Connections = case Mode of sick -> 2; healthy -> 24 end,
    {ok, _} = gen_server:start_link({local, ?MODULE}, ?MODULE, Connections, []),
    zoo_kit:children(24, ?MODULE, client, []).

client() ->
    zoo_kit:every(50, fun() ->
        Connection = checkout(),
        timer:sleep(20),
        checkin(Connection)
    end).

checkout() ->
    {connection, It} = gen_server:call(?MODULE, checkout, infinity),
    It.

checkin(Connection) -> gen_server:cast(?MODULE, {checkin, Connection}).

init(Connections) -> {ok, {lists:seq(1, Connections), queue:new()}}.

handle_call(checkout, _From, {[One | Free], Waiting}) -> {reply, {connection, One}, {Free, Waiting}};
handle_call(checkout, From, {[], Waiting}) -> {noreply, {[], queue:in(From, Waiting)}}.

handle_cast({checkin, One}, {Free, Waiting}) ->
    case queue:out(Waiting) of
        {{value, Client}, Rest} ->
            gen_server:reply(Client, {connection, One}),
            {noreply, {Free, Rest}};
        {empty, _} ->
            {noreply, {[One | Free], Waiting}}
    end.
