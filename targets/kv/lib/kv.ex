defmodule KV do
  @moduledoc "The key-value store of Elixir's guide, with a load driver that a script talks to."
  use Application

  @impl true
  def start(_type, _args) do
    # The guide's tree beside ours: what happens to the driver restarts no bucket.
    children = [KV.Supervisor, KV.Driver]
    Supervisor.start_link(children, strategy: :one_for_one, name: KV.Application)
  end
end
