defmodule Nexus.Registry.TableRegistry do
  @moduledoc "What each table looks like."
  # Rests on ETS: every lookup is a read by the caller. The process owns the table and is the
  # only one that writes.
  use GenServer
  use Nexus.Counted

  alias Nexus.Catalog

  @doc "Starts the registry."
  def start_link(opts), do: GenServer.start_link(__MODULE__, opts, name: __MODULE__)

  @doc "Takes over what the catalog of a database has."
  def load(database), do: GenServer.call(__MODULE__, {:load, Catalog.all(database)})

  @doc "The entry of `{database, table}`, or nil."
  def get(key) do
    case :ets.lookup(__MODULE__, key) do
      [{_key, entry}] -> entry
      [] -> nil
    end
  end

  @doc "A table that was made."
  def put(key, entry), do: GenServer.call(__MODULE__, {:put, key, entry})

  @doc "A table that was dropped."
  def delete(key), do: GenServer.call(__MODULE__, {:delete, key})

  @impl true
  def init(_opts), do: {:ok, :ets.new(__MODULE__, [:named_table, read_concurrency: true])}

  @impl true
  def handle_call({:put, key, entry}, _from, table),
    do: {:reply, :ets.insert(table, {key, entry}), table}

  def handle_call({:delete, key}, _from, table), do: {:reply, :ets.delete(table, key), table}

  def handle_call({:load, loaded}, _from, table),
    do: {:reply, :ets.insert(table, Enum.map(loaded, &{{&1.database, &1.table}, &1})), table}
end
