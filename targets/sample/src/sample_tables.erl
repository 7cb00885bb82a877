%% Owns tables of known sizes and options.
-module(sample_tables).
-behaviour(gen_server).
-export([start_link/0, truth/0]).
-export([init/1, handle_call/3, handle_cast/2]).

start_link() -> gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% `{Name, Type, Protection, Objects}`, which is what the tables were made from.
truth() -> [{Name, Type, Access, Size} || {Name, Type, Access, _, Size} <- tables()].

init([]) ->
    {ok, [fill(It) || It <- tables()]}.

handle_call(_Unknown, _From, Tables) -> {reply, {error, unknown}, Tables}.

handle_cast(_Unknown, Tables) -> {noreply, Tables}.

tables() ->
    [
        {sample_small, set, protected, [named_table], 10},
        {sample_mid, ordered_set, public, [named_table, {read_concurrency, true}], 1000},
        {sample_big, set, public, [named_table, {write_concurrency, true}], 50000},
        {sample_bag, bag, private, [named_table, compressed], 500},
        {sample_unnamed, duplicate_bag, protected, [], 25}
    ].

fill({Name, Type, Access, Options, Size}) ->
    Table = ets:new(Name, [Type, Access | Options]),
    true = ets:insert(Table, [{Key, <<"a value">>} || Key <- lists:seq(1, Size)]),
    Table.
