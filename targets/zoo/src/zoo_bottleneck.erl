%% Sick: 20 callers ask one server again and again, which takes 3 ms for an answer. Healthy: each
%% asks once in two seconds.
-module(zoo_bottleneck).
-behaviour(gen_server).
-export([run/1, caller/1, quote_for/1]).
-export([init/1, handle_call/3, handle_cast/2]).

run(Mode) ->
    {ok, _} = gen_server:start_link({local, zoo_quotes}, ?MODULE, [], []),
    zoo_kit:children(20, ?MODULE, caller, [Mode]).

caller(sick) -> zoo_kit:every(1, fun() -> quote_for(rand:uniform(20)) end);
caller(healthy) -> zoo_kit:every(2000, fun() -> quote_for(rand:uniform(20)) end).

quote_for(Key) ->
    {quote, Price} = gen_server:call(zoo_quotes, {quote, Key}),
    Price.

init([]) -> {ok, []}.

handle_call({quote, Key}, _From, State) ->
    timer:sleep(2),
    {reply, {quote, Key * 3}, State}.

handle_cast(_Unknown, State) -> {noreply, State}.
