defmodule Nexus.Registry.TableRegistry do
  @moduledoc "What each table looks like."
  # Rests on persistent terms: every lookup is a read without a copy, and every change makes
  # the VM look through all processes. The process orders the writes.
  use GenServer
  use Nexus.Counted

  alias Nexus.Catalog

  @doc "Starts the registry."
  def start_link(opts), do: GenServer.start_link(__MODULE__, opts, name: __MODULE__)

  @doc "Takes over what the catalog of a database has."
  def load(database), do: GenServer.call(__MODULE__, {:load, Catalog.all(database)})

  @doc "The entry of `{database, table}`, or nil."
  def get(key), do: :persistent_term.get({__MODULE__, key}, nil)

  @doc "A table that was made."
  def put(key, entry), do: GenServer.call(__MODULE__, {:put, key, entry})

  @doc "A table that was dropped."
  def delete(key), do: GenServer.call(__MODULE__, {:delete, key})

  @impl true
  def init(_opts), do: {:ok, nil}

  @impl true
  def handle_call({:put, key, entry}, _from, state),
    do: {:reply, :persistent_term.put({__MODULE__, key}, entry), state}

  def handle_call({:delete, key}, _from, state),
    do: {:reply, :persistent_term.erase({__MODULE__, key}), state}

  def handle_call({:load, loaded}, _from, state),
    do:
      {:reply,
       Enum.each(loaded, &:persistent_term.put({__MODULE__, {&1.database, &1.table}}, &1)), state}
end
