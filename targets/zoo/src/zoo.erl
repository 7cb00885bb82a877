%% The front door: starts and stops programs by the name of their module.
%%
%%   application:start(zoo).
%%   zoo:start(zoo_mailbox_growth, sick).      or healthy
%%   zoo:stop(zoo_mailbox_growth).
%%   zoo:running().
%%
%% A program is a module with `run(sick | healthy)`, called in a process of its own; whatever
%% that links to itself ends with it. `run/1` returns when the scene is set. What does not end by
%% itself is taken away by `stop/0`, where the module has one.
-module(zoo).
-behaviour(gen_server).
-export([start_link/0, start/2, stop/1, running/0, keep/3]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

start_link() -> gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

start(Program, Mode) -> gen_server:call(?MODULE, {start, Program, Mode}, infinity).

stop(Program) -> gen_server:call(?MODULE, {stop, Program}, infinity).

running() -> gen_server:call(?MODULE, running, infinity).

init([]) -> {ok, #{}}.

handle_call({start, Program, Mode}, _From, Running) ->
    Ref = make_ref(),
    %% Spawned from here, so that everything belongs to this application.
    {Pid, Monitor} = spawn_monitor(?MODULE, keep, [self(), Ref, {Program, Mode}]),
    receive
        {Ref, ready} -> {reply, ok, Running#{Program => {Pid, Monitor}}};
        {'DOWN', Monitor, process, Pid, Why} -> {reply, {error, Why}, Running}
    end;
handle_call({stop, Program}, _From, Running) ->
    case maps:take(Program, Running) of
        {{Pid, Monitor}, Rest} ->
            exit(Pid, shutdown),
            receive {'DOWN', Monitor, process, Pid, _} -> ok end,
            _ = [Program:stop() || erlang:function_exported(Program, stop, 0)],
            {reply, ok, Rest};
        error ->
            {reply, {error, not_running}, Running}
    end;
handle_call(running, _From, Running) -> {reply, maps:keys(Running), Running}.

handle_cast(_Unknown, Running) -> {noreply, Running}.

handle_info(_Unknown, Running) -> {noreply, Running}.

%% Linked children take it with them when they fail, and it takes them when it is stopped.
keep(Zoo, Ref, {Program, Mode}) ->
    _ = Program:run(Mode),
    Zoo ! {Ref, ready},
    receive stop -> ok end.
