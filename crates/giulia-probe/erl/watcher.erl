%% Starts the resident watcher: what never changes is compiled here, once, and then it sleeps.
%%
%% Is given: the form of `watch.erl`, where answers go, the lease in milliseconds, how many of the
%% busiest to tell, what is read of everyone (three items: reductions, mailbox or a stand-in, group
%% leader), what a first look at the listed reads, the match specification that turns it into the
%% items asked, our node. Everything stays in the dictionary, for `watch.erl`.
-module(watcher).
-export([ask/1]).
-variables(dictionary).

ask({Form, To, Lease, Busiest, Everyone, First, Choose, Us}) ->
    %% A row is `{Pid, ReductionsThen, [{_, ReductionsNow}, {_, Mailbox}, {_, GroupLeader}]}`.
    Reductions = ets:match_spec_compile([{{'_', '_', [{'_', '$3'} | '_']}, [], ['$3']}]),
    Living = ets:match_spec_compile([{{'_', '_', ['_' | '_']}, [], ['$_']}]),
    Alive = ets:match_spec_compile([{{'$1', '_', ['_' | '_']}, [], ['$1']}]),
    Ended = ets:match_spec_compile([{{'$1', '_', undefined}, [], ['$1']}]),
    EndedReds = ets:match_spec_compile([{{'_', '$2', undefined}, [], ['$2']}]),
    Leaders = ets:match_spec_compile([{{'_', '_', ['_', '_', {'_', '$5'}]}, [], ['$5']}]),
    Deltas = ets:match_spec_compile([{{'_', '$2', [{'_', '$3'} | '_']}, [], [{'-', '$3', '$2'}]}]),
    %% What we started has a group leader on our node; that is not the target's work.
    Working = ets:match_spec_compile(
                [{{'$1', '$2', [{'_', '$3'}, {'_', '$4'}, {'_', '$5'}]},
                  [{'orelse', {'>', '$3', '$2'}, {'andalso', {is_integer, '$4'}, {'>', '$4', 0}}},
                   {'=/=', {node, '$5'}, Us}],
                  [{{{'-', '$3', '$2'}, '$3', '$1', '$4', '$5'}}]}]),
    Listing = ets:match_spec_compile(
                [{{'$1', '_', [{'_', '$3'}, '_', {'_', '$5'}]}, [{'=/=', {node, '$5'}, Us}],
                  [{{'$1', '$3', '$5'}}]}]),
    Mailed = ets:match_spec_compile(
               [{{'$1', '$2', '$3', '$4', '$5'}, [{is_integer, '$4'}, {'>', '$4', 0}],
                 [{{'$4', '$2', '$3', '$1', '$5'}}]}]),
    InShort = ets:match_spec_compile([{{'$1', '_', '$3', '$4', '_'}, [], [{{'$3', '$1', '$4'}}]}]),
    Letters = ets:match_spec_compile([{{'_', '_', '_', '$4', '_'}, [{is_integer, '$4'}], ['$4']}]),
    Picked = ets:match_spec_compile([{{'_', '_', '$3', '_', '_'}, [], ['$3']}]),
    Closely = ets:match_spec_compile(Choose),
    Pids = [],
    Reds = [],
    %% The heap of a look at many grows in one step, and is gone when it sleeps again.
    erlang:process_flag(min_heap_size, erlang:min(1000000, 5 * erlang:system_info(process_count))),
    Timer = erlang:start_timer(Lease - Lease div 10, erlang:self(), lease),
    erlang:hibernate(erl_eval, expr, [Form, [{'Args', {}}], none, none, value]).
