defmodule Sample.Counter do
  @moduledoc "An agent, which in `$initial_call` looks like any other."
  use Agent

  def start_link(_options), do: Agent.start_link(fn -> 0 end, name: __MODULE__)

  def bump, do: Agent.get_and_update(__MODULE__, fn count -> {count + 1, count + 1} end)
end
