%% Functions that rest on known things, for `giulia explain` to find out.
%%
%% `start(Names)` starts what they rest on and, for each name, a client that calls that function
%% again and again: from one process that lives, and (`short`) from one process for each call.
%% `halves()` tells how long those of `halves` and `halves_t` spent with each of the two, in native
%% time: on a busy machine that is not the same for both.
%% `only(Name)` lets the clients of the others rest; `only(all)` wakes them.
%% A name ending in `_t` does the same by a tail call. What each rests on is the test's to know.
-module(kit_rests).
-behaviour(gen_server).
-export([start/1, start/2, only/1, halves/0, names/0, init/1, handle_call/3, handle_cast/2, handle_info/2]).
-export([ets/1, ets_t/1, persistent/1, persistent_t/1, server/1, server_t/1, tcp/1, tcp_t/1,
         active/1, active_t/1, backend/1, backend_t/1, tls/1, tls_t/1, raw/1, raw_t/1, plain/1,
         plain_t/1, driver/1, driver_t/1, pool/1, pool_t/1, bang/1, bang_t/1, remote/1, remote_t/1,
         task/1, task_t/1, nothing/1, nothing_t/1, mixed/1, mixed_t/1, halves/1, halves_t/1,
         raising/1, raising_t/1, nested/1, nested_t/1, sleeping/1, sleeping_t/1, loop/1]).

-define(TABLE, kit_rests_table).
-define(WANTED, kit_rests_wanted).
%% How long something takes that is asked elsewhere, in milliseconds.
-define(ELSEWHERE_MS, 2).

%% Each of them once by a body call and once by a tail call.
names() ->
    [ets, persistent, server, tcp, active, backend, tls, raw, plain, driver, pool, bang, remote,
     task, nothing, mixed, halves, raising, nested, sleeping].

%% ---- the functions

ets(K) -> [{K, V}] = ets:lookup(?TABLE, K), V.
ets_t(K) -> ets:lookup(?TABLE, K).

persistent(K) -> {_, V} = {K, persistent_term:get(?MODULE)}, V.
persistent_t(_) -> persistent_term:get(?MODULE).

%% What the server does for 200 us is its own.
server(K) -> V = gen_server:call(kit_rests_server, {busy, K}), [V].
server_t(K) -> gen_server:call(kit_rests_server, {busy, K}).

tcp(K) ->
    ok = gen_tcp:send(get(tcp), <<K:32>>),
    {ok, V} = gen_tcp:recv(get(tcp), 4),
    V.
tcp_t(K) ->
    ok = gen_tcp:send(get(tcp), <<K:32>>),
    gen_tcp:recv(get(tcp), 4).

active(K) -> V = active_t(K), [V].
active_t(K) ->
    Socket = get(tcp),
    ok = gen_tcp:send(Socket, <<K:32>>),
    ok = inet:setopts(Socket, [{active, once}]),
    receive {tcp, Socket, V} -> V end.

backend(K) -> V = backend_t(K), [V].
backend_t(K) ->
    ok = gen_tcp:send(get(backend), <<K:32>>),
    gen_tcp:recv(get(backend), 4).

tls(K) -> V = tls_t(K), [V].
tls_t(K) ->
    ok = ssl:send(get(tls), <<K:32>>),
    ssl:recv(get(tls), 4).

raw(K) -> {ok, V} = file:pread(get(raw), K rem 8, 65536), V.
raw_t(K) -> file:pread(get(raw), K rem 8, 65536).

plain(K) -> {ok, V} = file:pread(get(plain), K rem 8, 65536), V.
plain_t(K) -> file:pread(get(plain), K rem 8, 65536).

driver(K) -> V = gen_server:call(kit_rests_driver, {query, K}), [V].
driver_t(K) -> gen_server:call(kit_rests_driver, {query, K}).

%% As a checkout of db_connection: a raw message, a table that changes hands, reads of it.
pool(K) -> V = pool_t(K), [V].
pool_t(_) ->
    Ref = make_ref(),
    kit_rests_pool ! {checkout, {self(), Ref}},
    receive
        {'ETS-TRANSFER', Holder, Pool, Ref} ->
            [{conn, N}] = ets:lookup(Holder, conn),
            true = ets:update_element(Holder, conn, {2, N + 1}),
            ets:give_away(Holder, Pool, back)
    end.

bang(K) -> V = bang_t(K), [V].
bang_t(K) ->
    Ref = make_ref(),
    kit_rests_plain ! {ask, self(), Ref, K},
    receive {Ref, V} -> V end.

remote(K) -> V = remote_t(K), [V].
remote_t(K) -> gen_server:call({kit_rests_server, get(remote)}, {wait, K}).

%% A child of its own computes.
task(K) -> V = task_t(K), [V].
task_t(K) ->
    Self = self(),
    Ref = make_ref(),
    {Pid, Mon} = spawn_monitor(fun() -> Self ! {Ref, spin(3000 + K)} end),
    receive
        {Ref, V} -> erlang:demonitor(Mon, [flush]), V;
        {'DOWN', Mon, process, Pid, Why} -> exit(Why)
    end.

nothing(K) -> V = spin(3000 + K), [V].
nothing_t(K) -> spin(3000 + K).

%% Three of four calls find it in the table.
mixed(K) -> V = mixed_t(K), [V].
mixed_t(K) when K rem 4 =:= 0 -> gen_server:call(kit_rests_server, {wait, K});
mixed_t(K) -> ets:lookup(?TABLE, K).

%% Half of the time there, half there, as far as the machine lets it; the client adds up.
halves(K) -> V = halves_t(K), [V].
halves_t(K) ->
    Began = erlang:monotonic_time(),
    _ = gen_server:call(kit_rests_server, {wait, K}),
    put(halves, {Began, erlang:monotonic_time()}),
    tcp_t(K).

%% Every other call raises, inside of the boundary and after it.
raising(K) -> V = raising_t(K), [V].
raising_t(K) when K rem 2 =:= 0 -> ets:lookup_element(?TABLE, {no, K}, 2);
raising_t(K) -> ets:lookup_element(?TABLE, K rem 10, 2).

%% Calls itself inside of a call, which is no loop.
nested(K) when K > 1000 -> [{_, V}] = ets:lookup(?TABLE, K rem 10), V;
nested(K) -> V = nested(K + 2000), [V].
nested_t(K) when K > 1000 -> ets:lookup(?TABLE, K rem 10);
nested_t(K) -> [nested_t(K + 2000)].

sleeping(_) -> ok = timer:sleep(?ELSEWHERE_MS), done.
sleeping_t(_) -> timer:sleep(?ELSEWHERE_MS).

%% Never returns.
loop(K) -> _ = ets:lookup(?TABLE, K rem 10), timer:sleep(1), loop(K + 1).

spin(0) -> 0;
spin(N) -> erlang:phash2({N, a, b, c}) + 0 * spin(N - 1).

%% ---- what they rest on, and their clients

start(Names) -> start(Names, none).

%% `Remote` is a node that started this too.
start(Names, Remote) ->
    Self = self(),
    Starter = spawn(fun() -> hold(Self, Names, Remote) end),
    receive {Starter, ready} -> ok after 20000 -> error(not_ready) end.

hold(Parent, Names, Remote) ->
    ?TABLE = ets:new(?TABLE, [named_table, public]),
    true = ets:insert(?TABLE, [{K, {value, K}} || K <- lists:seq(0, 99)]),
    ?WANTED = ets:new(?WANTED, [named_table, public]),
    true = only(all),
    true = ets:insert(?WANTED, {halves, 0, 0}),
    ok = persistent_term:put(?MODULE, {some, config}),
    Echo = listen(),
    {ok, _} = gen_server:start_link({local, kit_rests_server}, ?MODULE, none, []),
    {ok, _} = gen_server:start_link({local, kit_rests_driver}, ?MODULE, {connect, Echo}, []),
    true = register(kit_rests_pool, spawn_link(fun lend/0)),
    true = register(kit_rests_plain, spawn_link(fun plain/0)),
    File = "/tmp/kit_rests." ++ os:getpid(),
    ok = file:write_file(File, binary:copy(<<0>>, 70000)),
    Tls = case lists:member(tls, Names) orelse lists:member(tls_t, Names) of
              true -> tls_listen();
              false -> none
          end,
    With = #{echo => Echo, file => File, tls => Tls, remote => Remote},
    [begin
         Me = self(),
         Client = spawn_link(fun() -> client(Name, With, Me) end),
         receive {Client, ready} -> ok end
     end || Name <- Names],
    Parent ! {self(), ready},
    receive stop -> ok end.

client(Name, With, Parent) ->
    open(base(Name), With),
    Parent ! {self(), ready},
    client(Name, 0).

client(loop, _) -> loop(0);
client(Name, N) ->
    case ets:lookup_element(?WANTED, who, 2) of
        Who when Who =:= all; Who =:= Name -> call_once(Name, N);
        _ -> ok
    end,
    timer:sleep(2),
    client(Name, N + 1).

call_once(Name, N) ->
    case is_short(base(Name)) andalso N rem 2 =:= 0 of
        true ->
            {_, Mon} = spawn_monitor(fun() -> call(Name, N) end),
            receive {'DOWN', Mon, _, _, _} -> ok end;
        false -> call(Name, N)
    end,
    case erase(halves) of
        {Began, Between} ->
            Ended = erlang:monotonic_time(),
            Spent = [{2, Between - Began}, {3, Ended - Between}],
            ets:update_counter(?WANTED, halves, Spent);
        undefined -> ok
    end.

halves() ->
    [{halves, Server, Socket}] = ets:lookup(?WANTED, halves),
    {Server, Socket}.

only(Name) -> ets:insert(?WANTED, {who, Name}).

call(Name, N) -> try ?MODULE:Name(N rem 100) of V -> V catch error:_ -> raised end.

base(Name) ->
    case lists:reverse(atom_to_list(Name)) of
        "t_" ++ Base -> list_to_atom(lists:reverse(Base));
        _ -> Name
    end.

%% What needs nothing of its own process is called from short-lived ones too.
is_short(Base) -> lists:member(Base, [ets, persistent, server, driver, pool, bang, task, nothing,
                                      mixed, raising, nested]).

open(Base, #{echo := Port}) when Base =:= tcp; Base =:= active; Base =:= halves ->
    put(tcp, connect(Port, []));
open(backend, #{echo := Port}) -> put(backend, connect(Port, [{inet_backend, socket}]));
open(tls, #{tls := Port}) ->
    {ok, Socket} = ssl:connect({127, 0, 0, 1}, Port, [binary, {active, false}, {verify, verify_none}]),
    put(tls, Socket);
open(raw, #{file := File}) ->
    {ok, Fd} = file:open(File, [read, raw, binary]),
    put(raw, Fd);
open(plain, #{file := File}) ->
    {ok, Fd} = file:open(File, [read, binary]),
    put(plain, Fd);
open(remote, #{remote := Remote}) -> put(remote, Remote);
open(_, _) -> ok.

connect(Port, First) ->
    {ok, Socket} = gen_tcp:connect({127, 0, 0, 1}, Port, First ++ [binary, {active, false}, {nodelay, true}]),
    Socket.

%% Answers after a while, as a database does.
listen() ->
    {ok, Listen} = gen_tcp:listen(0, [binary, {active, false}, {ip, {127, 0, 0, 1}}, {nodelay, true}]),
    spawn_link(fun() -> accept(Listen) end),
    {ok, Port} = inet:port(Listen),
    Port.

accept(Listen) ->
    {ok, Socket} = gen_tcp:accept(Listen),
    Pid = spawn(fun() -> receive go -> echo(gen_tcp, Socket) end end),
    ok = gen_tcp:controlling_process(Socket, Pid),
    Pid ! go,
    accept(Listen).

echo(Module, Socket) ->
    case Module:recv(Socket, 4) of
        {ok, Bytes} ->
            timer:sleep(?ELSEWHERE_MS),
            ok = Module:send(Socket, Bytes),
            echo(Module, Socket);
        {error, _} -> ok
    end.

tls_listen() ->
    {ok, _} = application:ensure_all_started(ssl),
    Key = [{key, {rsa, 2048, 65537}}],
    #{server_config := Server} = public_key:pkix_test_data(
        #{server_chain => #{root => Key, intermediates => [], peer => Key},
          client_chain => #{root => Key, intermediates => [], peer => Key}}),
    {ok, Listen} = ssl:listen(0, Server ++ [binary, {active, false}, {ip, {127, 0, 0, 1}}]),
    {ok, {_, Port}} = ssl:sockname(Listen),
    spawn_link(fun() -> tls_accept(Listen) end),
    Port.

tls_accept(Listen) ->
    {ok, Accepted} = ssl:transport_accept(Listen),
    {ok, Socket} = ssl:handshake(Accepted),
    Pid = spawn(fun() -> receive go -> echo(ssl, Socket) end end),
    ok = ssl:controlling_process(Socket, Pid),
    Pid ! go,
    tls_accept(Listen).

lend() ->
    Holder = ets:new(kit_rests_holder, [public]),
    true = ets:insert(Holder, {conn, 0}),
    lend(Holder).

%% One connection, and a while until it is free.
lend(Holder) ->
    receive
        {checkout, {Pid, Ref}} ->
            timer:sleep(?ELSEWHERE_MS),
            case catch ets:give_away(Holder, Pid, Ref) of
                true -> receive {'ETS-TRANSFER', Holder, _, back} -> lend(Holder) end;
                _ -> lend(Holder)
            end
    end.

plain() ->
    receive
        {ask, Pid, Ref, K} -> Pid ! {Ref, {K, spin(2000)}}
    end,
    plain().

init(none) -> {ok, none};
init({connect, Port}) -> {ok, connect(Port, [])}.

handle_call({busy, K}, _, State) -> {reply, {K, spin(2000)}, State};
handle_call({wait, K}, From, State) ->
    %% Waits for nobody: a timer answers.
    erlang:send_after(?ELSEWHERE_MS, self(), {answer, From, K}),
    {noreply, State};
handle_call({query, K}, _, Socket) ->
    ok = gen_tcp:send(Socket, <<K:32>>),
    {reply, gen_tcp:recv(Socket, 4), Socket}.

handle_cast(_, State) -> {noreply, State}.

handle_info({answer, From, K}, State) ->
    gen_server:reply(From, K),
    {noreply, State}.
