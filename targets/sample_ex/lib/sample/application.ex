defmodule Sample.Application do
  @moduledoc "Starts one of each thing that an Elixir application is made of."
  use Application

  @impl true
  def start(_type, _args) do
    children = [
      {Registry, keys: :unique, name: Sample.Registry},
      Sample.Cache,
      Sample.Counter,
      {Task.Supervisor, name: Sample.Tasks},
      Sample.Ticker
    ]

    Supervisor.start_link(children, strategy: :one_for_one, name: Sample.Supervisor)
  end
end
