-module(sample_sup).
-behaviour(supervisor).
-export([start_link/0, init/1]).

start_link() -> supervisor:start_link({local, ?MODULE}, ?MODULE, []).

init([]) ->
    Servers = [sample_counter, sample_tables, sample_planter],
    {ok, {#{strategy => one_for_one}, [#{id => It, start => {It, start_link, []}} || It <- Servers]}}.
