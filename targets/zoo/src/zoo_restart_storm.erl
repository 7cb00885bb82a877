%% Sick: a supervised worker fails five times a second, and its supervisor takes it. Healthy: never.
-module(zoo_restart_storm).
-behaviour(supervisor).
-export([run/1, stop/0, start_feeds/1, init/1, start_worker/1, worker/1]).

%% Below the application's own supervisor, as such things are.
run(Mode) ->
    Feeds = #{id => zoo_feeds, start => {?MODULE, start_feeds, [Mode]}, type => supervisor},
    {ok, _} = supervisor:start_child(zoo_sup, Feeds).

stop() ->
    _ = supervisor:terminate_child(zoo_sup, zoo_feeds),
    supervisor:delete_child(zoo_sup, zoo_feeds).

start_feeds(Mode) -> supervisor:start_link({local, zoo_feeds}, ?MODULE, Mode).

init(Mode) ->
    Worker = #{id => feed, start => {?MODULE, start_worker, [Mode]}},
    {ok, {#{strategy => one_for_one, intensity => 1000, period => 1}, [Worker]}}.

start_worker(Mode) -> proc_lib:start_link(?MODULE, worker, [Mode]).

worker(Mode) ->
    true = register(zoo_feed, self()),
    proc_lib:init_ack({ok, self()}),
    fetch(Mode).

fetch(sick) ->
    timer:sleep(200),
    exit({shutdown, connection_refused});
fetch(healthy) ->
    receive stop -> ok end.
