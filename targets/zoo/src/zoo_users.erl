%% Sick: single users are read from the database, most of them again and again. Healthy: prices,
%% which are others each time, so that a cache would be wrong.
-module(zoo_users).
-export([run/1, reader/1, user/1, price/1]).

run(Mode) ->
    zoo_db:start(4, 1),
    zoo_kit:children(8, ?MODULE, reader, [Mode]).

reader(sick) -> zoo_kit:every(20, fun() -> user(skewed(200)) end);
reader(healthy) -> zoo_kit:every(20, fun() -> price(rand:uniform(10)) end).

user(Key) ->
    {Key, Name, _} = zoo_db:query({user, Key}),
    Name.

price(Key) ->
    {Key, Price} = zoo_db:query({price, Key}),
    Price.

%% Half of the reads go to a tenth of the keys, half of those to a tenth of that.
skewed(Most) when Most > 10 ->
    case rand:uniform(2) of
        1 -> skewed(Most div 10);
        2 -> rand:uniform(Most)
    end;
skewed(Most) -> rand:uniform(Most).
