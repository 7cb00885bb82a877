%% A server that everybody asks: the pacer calls it once a period.
-module(sample_counter).
-behaviour(gen_server).
-export([start_link/0, bump/0, read/0]).
-export([init/1, handle_call/3, handle_cast/2]).

start_link() -> gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

bump() -> gen_server:call(?MODULE, bump).

read() -> gen_server:call(?MODULE, read).

init([]) -> {ok, 0}.

handle_call(bump, _From, Count) -> {reply, Count + 1, Count + 1};
handle_call(read, _From, Count) -> {reply, Count, Count}.

handle_cast(_Unknown, Count) -> {noreply, Count}.
