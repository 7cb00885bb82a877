%% Sick: settings that never change are asked of the one process that holds them. Healthy: they are
%% in a `persistent_term`.
-module(zoo_settings_process).
-behaviour(gen_server).
-export([run/1, reader/1, setting/1, cached/1]).
-export([init/1, handle_call/3, handle_cast/2]).

run(Mode) ->
    {ok, _} = gen_server:start_link({local, zoo_settings_server}, ?MODULE, [], []),
    persistent_term:put(?MODULE, settings()),
    zoo_kit:children(8, ?MODULE, reader, [Mode]).

reader(sick) -> zoo_kit:every(4, fun() -> setting(rand:uniform(10)) end);
reader(healthy) -> zoo_kit:every(4, fun() -> cached(rand:uniform(10)) end).

setting(Key) ->
    {value, Value} = gen_server:call(zoo_settings_server, {get, Key}),
    Value.

cached(Key) ->
    #{Key := Value} = persistent_term:get(?MODULE),
    Value.

settings() -> maps:from_list([{N, lists:duplicate(10, N)} || N <- lists:seq(1, 10)]).

init([]) -> {ok, settings()}.

handle_call({get, Key}, _From, Settings) -> {reply, {value, maps:get(Key, Settings)}, Settings}.

handle_cast(_Unknown, Settings) -> {noreply, Settings}.
