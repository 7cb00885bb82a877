%% A way into the node that is not distribution: a test measures what giulia left behind
%% through this socket, so that measuring leaves no trace in what is measured.
%%
%% It is compiled, not evaluated: `erl -eval` would load the evaluator before the test looks
%% at which modules giulia made the node load.
-module(kit_channel).
-export([start/0]).

%% Started by `-s`, after the boot: starts the applications asked for, then calls home.
start() ->
    {ok, [[Port]]} = init:get_argument(kit_port),
    Applications =
        case init:get_argument(kit_start) of
            {ok, Lists} -> [list_to_atom(Name) || Names <- Lists, Name <- Names];
            error -> []
        end,
    spawn(fun() -> serve(list_to_integer(Port), Applications) end).

serve(Port, Applications) ->
    {ok, Socket} = gen_tcp:connect({127, 0, 0, 1}, Port, [
        binary, {packet, 4}, {active, false}, {nodelay, true}
    ]),
    Started = [application:ensure_all_started(It) || It <- Applications],
    %% Twice: the first residue makes whatever atoms measuring needs.
    _ = residue(),
    _ = residue(),
    ok = gen_tcp:send(Socket, io_lib:format("~s ~w", [node(), [It || {error, It} <- Started]])),
    loop(Socket).

loop(Socket) ->
    case gen_tcp:recv(Socket, 0) of
        {ok, <<"r">>} ->
            ok = gen_tcp:send(Socket, ["+", residue()]),
            loop(Socket);
        {ok, <<"e", Text/binary>>} ->
            ok = gen_tcp:send(Socket, evaluate(Text)),
            loop(Socket);
        %% The test is gone, however it ended: a node without its test is litter.
        {error, _} ->
            erlang:halt(0, [{flush, false}])
    end.

evaluate(Text) ->
    try
        {ok, Tokens, _} = erl_scan:string(unicode:characters_to_list(Text) ++ "."),
        {ok, Expressions} = erl_parse:parse_exprs(Tokens),
        {value, Value, _} = erl_eval:exprs(Expressions, []),
        ["+", unicode:characters_to_binary(io_lib:format("~0tp", [Value]))]
    catch
        Class:Reason:Stack ->
            ["-", unicode:characters_to_binary(io_lib:format("~0tp", [{Class, Reason, Stack}]))]
    end.

%% Lines of `category TAB value`; the kit compares them as sets.
residue() ->
    [
        [atom_to_binary(Category, utf8), $\t, unicode:characters_to_binary(Value), $\n]
     || {Category, Values} <- categories(), Value <- Values
    ].

categories() ->
    [
        %% First, so that nothing below can have added to it.
        {atoms, [integer_to_list(erlang:system_info(atom_count))]},
        {processes, [named(Pid) || Pid <- processes()]},
        {ports, [write(P) || P <- erlang:ports()]},
        {registered, [write(It) || It <- registered()]},
        {ets, [write({It, ets:info(It, name)}) || It <- ets:all()]},
        {modules, [write(It) || {It, _} <- code:all_loaded()]},
        {applications, [write(It) || {It, _, _} <- application:which_applications()]},
        {nodes_visible, [write(It) || It <- nodes(visible)]},
        {nodes_hidden, [write(It) || It <- nodes(hidden)]},
        {nodes_known, [write(It) || It <- nodes(known)]},
        {persistent_terms, [write(maps:get(count, persistent_term:info()))]},
        {logger_handlers, [write(It) || It <- logger:get_handler_ids()]},
        {logger_level, [write(maps:get(level, logger:get_primary_config()))]},
        {system_flags, [write({It, flag(It)}) || It <- flags()]},
        {trace_flags, [write({It, Flags}) || It <- tracees(), Flags <- trace_flags(It)]},
        {trace_patterns, [write(It) || It <- patterns()]},
        {trace_sessions, [write(It) || It <- sessions()]}
    ].

named(Pid) ->
    Name =
        case process_info(Pid, registered_name) of
            {registered_name, It} -> It;
            _ -> process_info(Pid, initial_call)
        end,
    write({Pid, Name}).

flags() ->
    [
        scheduler_wall_time, microstate_accounting, system_monitor, system_profile,
        trace_control_word, backtrace_depth, fullsweep_after, min_heap_size,
        min_bin_vheap_size, max_heap_size, multi_scheduling, schedulers_online,
        dirty_cpu_schedulers_online, scheduler_bind_type, time_offset, async_dist
    ].

flag(scheduler_wall_time) -> erlang:statistics(scheduler_wall_time) =/= undefined;
flag(microstate_accounting) -> erlang:statistics(microstate_accounting) =/= undefined;
flag(system_monitor) -> erlang:system_monitor();
flag(system_profile) -> erlang:system_profile();
flag(Other) ->
    try erlang:system_info(Other) catch error:badarg -> unknown_here end.

tracees() -> [new_processes, new_ports | processes() ++ erlang:ports()].

trace_flags(It) ->
    try erlang:trace_info(It, flags) of
        {flags, Flags} when Flags =/= [] -> [Flags];
        _ -> []
    catch error:badarg -> [] end.

patterns() ->
    Special = [{It, P} || It <- [send, 'receive'], P <- special(It)],
    Special ++ [{It, on_load} || It <- [on_load], armed(It)] ++
        [
            {Module, F, A}
         || {Module, _} <- code:all_loaded(),
            {F, A} <- Module:module_info(functions),
            armed({Module, F, A})
        ].

%% `true` is how a pattern that nobody touched reads for messages.
special(Which) ->
    try erlang:trace_info(Which, match_spec) of
        {match_spec, true} -> [];
        {match_spec, []} -> [];
        {match_spec, Other} -> [Other]
    catch error:badarg -> [] end.

armed(Mfa) ->
    case erlang:trace_info(Mfa, all) of
        {all, false} -> false;
        {all, undefined} -> false;
        {all, Items} -> lists:any(fun({_, Set}) -> Set =/= false end, Items)
    end.

%% OTP 27 and later. The legacy session is always there, and a module that nobody loaded has
%% made no session.
sessions() ->
    case erlang:function_exported(trace, session_info, 1) of
        true ->
            case trace:session_info(all) of
                Sessions when is_list(Sessions) -> Sessions -- [{legacy, default}];
                _ -> []
            end;
        false -> []
    end.

write(Term) -> io_lib:format("~tw", [Term]).
