defmodule Nexus.Status do
  @moduledoc "How the node is; neither touches `Nexus.Repo` or the registry."

  alias Nexus.{Counted, Error, Pool, Settings}

  @doc "Whether PostgreSQL answers."
  def health do
    {[["1"]], _count} = Pool.query(Settings.default_database(), "SELECT 1::text", [])
    {200, %{status: "ok"}}
  rescue
    error in Error -> {503, %{status: "no database", error: error.message}}
  end

  @doc "Memory in bytes, processes and settings."
  def stats do
    memory = :erlang.memory()

    %{
      node: node(),
      os_pid: String.to_integer(System.pid()),
      otp: System.otp_release(),
      elixir: System.version(),
      memory_bytes: memory[:total],
      memory_processes_bytes: memory[:processes],
      memory_binary_bytes: memory[:binary],
      processes: :erlang.system_info(:process_count),
      counted: Counted.counted?()
    }
  end
end
