%% Log handlers with their settings, and how far behind the processes behind them are.
%%
%% OTP's own handlers register theirs as Module_Id; Elixir's of before 1.15 is `Elixir.Logger`.
%% First: items that decide whether the rest may be asked; Safe: what they must be, `any` where
%% there is nothing to fear.
-module(logger).
-export([ask/1]).

ask({Most, First, Safe}) ->
    {maps:get(level, logger:get_primary_config()),
     [begin
          Id = maps:get(id, Handler),
          Module = maps:get(module, Handler),
          Config = maps:get(config, Handler, []),
          Process =
              try erlang:whereis(
                    erlang:list_to_existing_atom(
                      case Module of
                          'Elixir.Logger.Handler' -> "Elixir.Logger";
                          _ -> erlang:atom_to_list(Module) ++ "_" ++ erlang:atom_to_list(Id)
                      end))
              catch error:_ -> undefined
              end,
          {Id, Module, maps:get(level, Handler, all),
           case erlang:is_map(Config) of
               true ->
                   maps:to_list(
                     maps:with([type, file, sync_mode_qlen, drop_mode_qlen, flush_qlen,
                                burst_limit_enable, burst_limit_max_count, burst_limit_window_time,
                                overload_kill_enable, overload_kill_qlen, overload_kill_mem_size,
                                thresholds, sync_threshold, discard_threshold], Config));
               false -> []
           end,
           case Process of
               undefined -> none;
               _ ->
                   case Safe =:= any orelse erlang:process_info(Process, First) =:= Safe of
                       true -> {Process, erlang:process_info(Process, [message_queue_len, reductions])};
                       false -> {Process, erlang:process_info(Process, [reductions])}
                   end
           end}
      end || Handler <- lists:sublist(logger:get_handler_config(), Most)]}.
