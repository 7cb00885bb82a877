%% Spawns what is planted, as a process of the application: its children inherit the group
%% leader, which is how a process says to which application it belongs.
-module(sample_planter).
-behaviour(gen_server).
-export([start_link/0, plant/1, truth/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).
-export([mailbox/1, idle/1, pooled/1]).

-define(MESSAGES, 1000).
-define(POOL, 50).
-define(LABEL, sample_pool).

start_link() -> gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

plant(What) -> gen_server:call(?MODULE, {plant, What}, infinity).

truth() -> gen_server:call(?MODULE, truth, infinity).

init([]) -> {ok, #{}}.

handle_call({plant, ratio}, From, State) ->
    handle_call({plant, {ratio, 20, 2000}}, From, State);
handle_call({plant, {ratio, Workers, Unit}}, _From, State) ->
    Pace = sample_pace:start_link(Workers, Unit),
    {reply, ok, State#{pace => Pace}};
handle_call({plant, mailbox}, _From, State) ->
    Pid = proc_lib:spawn_link(?MODULE, mailbox, [self()]),
    receive {Pid, registered} -> ok end,
    lists:foreach(fun(N) -> Pid ! {unread, N} end, lists:seq(1, ?MESSAGES)),
    {reply, ok, State#{mailbox => {Pid, ?MESSAGES}}};
handle_call({plant, pool}, _From, State) ->
    Pids = [proc_lib:spawn_link(?MODULE, pooled, [self()]) || _ <- lists:seq(1, ?POOL)],
    Labels = [receive {Pid, Labelled} -> Labelled end || Pid <- Pids],
    {reply, ok, State#{pool => {Pids, lists:all(fun(It) -> It end, Labels) andalso ?LABEL}}};
handle_call({plant, {idle, Count}}, _From, State) ->
    Pids = [proc_lib:spawn_link(?MODULE, idle, [N]) || N <- lists:seq(1, Count)],
    {reply, ok, State#{idle => length(Pids)}};
handle_call(truth, _From, State) ->
    Shown = maps:map(
        fun
            (pace, Pace) -> sample_pace:truth(Pace);
            (_, Value) -> Value
        end,
        State
    ),
    {reply, Shown, State}.

handle_cast(_Unknown, State) -> {noreply, State}.

handle_info(_Unknown, State) -> {noreply, State}.

%% Waits for a reference that nobody has, so its mailbox stays as it was filled.
mailbox(Planter) ->
    register(sample_mailbox, self()),
    Planter ! {self(), registered},
    Never = make_ref(),
    receive Never -> ok end.

idle(_Number) -> receive stop -> ok end.

pooled(Planter) ->
    Planter ! {self(), labelled(erlang:function_exported(proc_lib, set_label, 1))},
    receive stop -> ok end.

%% Called by name: the function is of OTP 27, and this is compiled on 23 too.
labelled(true) -> apply(proc_lib, set_label, [?LABEL]) =:= ok;
labelled(false) -> false.
