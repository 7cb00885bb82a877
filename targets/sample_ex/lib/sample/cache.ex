defmodule Sample.Cache do
  @moduledoc "A read-mostly server that would better be a table: everybody's first cache."
  use GenServer

  # Known beforehand: a test compares what giulia says with these.
  @entries 200

  def start_link(_options), do: GenServer.start_link(__MODULE__, :ok, name: __MODULE__)

  def fetch(key), do: GenServer.call(__MODULE__, {:fetch, key})

  @impl true
  def init(:ok) do
    table = :ets.new(:sample_ex_shadow, [:set, :protected, :named_table])
    entries = Map.new(1..@entries, fn key -> {key, key * key} end)
    true = :ets.insert(table, Map.to_list(entries))
    {:ok, entries}
  end

  @impl true
  def handle_call({:fetch, key}, _from, entries), do: {:reply, Map.fetch(entries, key), entries}
end
