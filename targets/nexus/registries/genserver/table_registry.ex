defmodule Nexus.Registry.TableRegistry do
  @moduledoc "What each table looks like."
  # Rests on its process: every lookup is a message to it and waits for its turn.
  use GenServer
  use Nexus.Counted

  alias Nexus.{Catalog, Pathology}

  @doc "Starts the registry."
  def start_link(opts), do: GenServer.start_link(__MODULE__, opts, name: __MODULE__)

  @doc "Takes over what the catalog of a database has."
  def load(database), do: GenServer.call(__MODULE__, {:load, Catalog.all(database)})

  @doc "The entry of `{database, table}`, or nil."
  def get(key), do: GenServer.call(__MODULE__, {:get, key})

  @doc "A table that was made."
  def put(key, entry), do: GenServer.call(__MODULE__, {:put, key, entry})

  @doc "A table that was dropped."
  def delete(key), do: GenServer.call(__MODULE__, {:delete, key})

  @impl true
  def init(_opts), do: {:ok, %{}}

  @impl true
  def handle_call({:get, key}, _from, entries) do
    if Pathology.on?(:slow_registry), do: Process.sleep(1)
    {:reply, Map.get(entries, key), entries}
  end

  def handle_call({:put, key, entry}, _from, entries),
    do: {:reply, :ok, Map.put(entries, key, entry)}

  def handle_call({:delete, key}, _from, entries), do: {:reply, :ok, Map.delete(entries, key)}

  def handle_call({:load, loaded}, _from, entries),
    do: {:reply, :ok, Map.merge(entries, Map.new(loaded, &{{&1.database, &1.table}, &1}))}
end
