defmodule Nexus.Logging do
  @moduledoc """
  Whether a log call waits until its line is written.

  With `sync` every call does, as in the article with which this project began; with `async`
  lines are queued, and dropped when the writer cannot keep up. Elixir has OTP's own handler
  from 1.15; before, a handler of its own, which has the same choice by other names.
  """
  require Logger

  # Figures of the article: async until 1,000 lines wait, dropped from 2,000, gone at 5,000.
  @async %{sync_mode_qlen: 1_000, drop_mode_qlen: 2_000, flush_qlen: 5_000}
  @sync %{sync_mode_qlen: 0, drop_mode_qlen: 2_000, flush_qlen: 5_000}

  @doc "Sets mode and level of the node's log."
  def configure(mode, level) do
    Logger.configure(level: level)

    case :logger.get_handler_config(:default) do
      {:ok, _config} -> :ok = :logger.update_handler_config(:default, :config, limits(mode))
      {:error, _} -> Logger.configure(older(mode))
    end
  end

  @doc "One line for a request: a warning if it failed."
  def request(method, target, status, us) do
    level = if status >= 400, do: :warning, else: :info
    Logger.log(level, fn -> "#{method} #{target} #{status} #{us} us" end)
  end

  defp limits("sync"), do: @sync
  defp limits("async"), do: @async

  defp older("sync"), do: [sync_threshold: 0, discard_threshold: @sync.drop_mode_qlen]

  defp older("async"),
    do: [sync_threshold: @async.sync_mode_qlen, discard_threshold: @async.drop_mode_qlen]
end
