%% A registry: who reads looks into the table, and its owner alone writes.
%% Sick: names are made by a cast, so that one may not be there when its maker looks, and are taken
%% away when `'DOWN'` was handled. Healthy: they are made by a call.
-module(zoo_registry_cast).
-behaviour(gen_server).
-export([run/1, client/1, create/2, lookup/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(TABLE, zoo_names).

run(Mode) ->
    {ok, _} = gen_server:start_link({local, zoo_registry}, ?MODULE, [], []),
    zoo_kit:children(2, ?MODULE, client, [Mode]).

client(Mode) ->
    zoo_kit:every(20, fun() ->
        Name = erlang:unique_integer(),
        Bucket = spawn(timer, sleep, [500]),
        create(Mode, {Name, Bucket}),
        [lookup(Name) || _ <- lists:seq(1, 5)]
    end).

create(sick, Row) -> gen_server:cast(zoo_registry, {create, Row});
create(healthy, Row) -> gen_server:call(zoo_registry, {create, Row}).

lookup(Name) ->
    case ets:lookup(?TABLE, Name) of
        [{Name, Bucket}] -> {ok, Bucket};
        [] -> error
    end.

init([]) -> {ok, ets:new(?TABLE, [named_table, protected, {read_concurrency, true}])}.

handle_call({create, Row}, _From, Table) -> {reply, ok, insert(Row, Table)}.

handle_cast({create, Row}, Table) -> {noreply, insert(Row, Table)}.

handle_info({'DOWN', _, process, Bucket, _}, Table) ->
    ets:match_delete(Table, {'_', Bucket}),
    {noreply, Table}.

insert({Name, Bucket}, Table) ->
    monitor(process, Bucket),
    ets:insert(Table, {Name, Bucket}),
    Table.
