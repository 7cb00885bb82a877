%% Sick: three modules write one public table, each as it likes. Healthy: its owner writes it for them.
-module(zoo_public_table).
-behaviour(gen_server).
-export([run/1, cart/1, payment/1, import/1]).
-export([init/1, handle_call/3, handle_cast/2]).

-define(TABLE, zoo_stock).

run(Mode) ->
    {ok, _} = gen_server:start_link({local, ?MODULE}, ?MODULE, Mode, []),
    [zoo_kit:child(?MODULE, It, [Mode]) || It <- [cart, payment, import]].

cart(Mode) -> zoo_kit:every(10, fun() -> write(Mode, zoo_public_cart) end).
payment(Mode) -> zoo_kit:every(10, fun() -> write(Mode, zoo_public_payment) end).
import(Mode) -> zoo_kit:every(10, fun() -> write(Mode, zoo_public_import) end).

write(sick, Module) -> Module:write(?TABLE, erlang:unique_integer() rem 100);
write(healthy, _) -> gen_server:call(?MODULE, {write, erlang:unique_integer() rem 100}).

init(sick) -> {ok, ets:new(?TABLE, [named_table, public])};
init(healthy) -> {ok, ets:new(?TABLE, [named_table, protected])}.

handle_call({write, Key}, _From, Table) -> {reply, ets:insert(Table, {Key, 1}), Table}.

handle_cast(_Unknown, Table) -> {noreply, Table}.
