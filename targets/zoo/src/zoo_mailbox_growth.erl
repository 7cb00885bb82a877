%% Sick: a server gets 1,000 casts a second and can do 50. Healthy: it gets 20.
-module(zoo_mailbox_growth).
-behaviour(gen_server).
-export([run/1, start_link/0, producer/2]).
-export([init/1, handle_call/3, handle_cast/2]).

%% It stops there, so that a long test does not fill the memory: 100,000 casts are 10 MB.
-define(MOST, 100000).

run(sick) -> run(10, 10);
run(healthy) -> run(1, 50).

run(Casts, PeriodMs) ->
    {ok, Server} = start_link(),
    zoo_kit:child(?MODULE, producer, [{Server, Casts}, PeriodMs]).

start_link() -> gen_server:start_link({local, zoo_orders}, ?MODULE, [], []).

producer({Server, Casts}, PeriodMs) ->
    zoo_kit:every(PeriodMs, fun() ->
        case process_info(Server, message_queue_len) of
            {_, Len} when Len < ?MOST ->
                [gen_server:cast(Server, {order, N}) || N <- lists:seq(1, Casts)];
            _ ->
                full
        end
    end).

init([]) -> {ok, 0}.

handle_call(_Unknown, _From, Count) -> {reply, ok, Count}.

handle_cast({order, _}, Count) ->
    timer:sleep(20),
    {noreply, Count + 1}.
