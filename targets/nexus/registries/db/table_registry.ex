defmodule Nexus.Registry.TableRegistry do
  @moduledoc "What each table looks like."
  # Rests on PostgreSQL: every lookup is a query through `Nexus.Repo`, as the article
  # with which this project began has it. The process does nothing.
  use GenServer
  use Nexus.Counted

  alias Nexus.{Catalog, Repo}

  @doc "Starts the registry."
  def start_link(opts), do: GenServer.start_link(__MODULE__, opts, name: __MODULE__)

  @doc "Takes over what the catalog of a database has."
  def load(_database), do: :ok

  @doc "The entry of `{database, table}`, or nil."
  def get({database, table}) do
    case Repo.one(Catalog.find(table)) do
      [name, columns] -> Catalog.entry(database, name, columns)
      nil -> nil
    end
  end

  @doc "A table that was made."
  def put(_key, _entry), do: :ok

  @doc "A table that was dropped."
  def delete(_key), do: :ok

  @impl true
  def init(_opts), do: {:ok, nil}

  @impl true
  def handle_call(_request, _from, state), do: {:reply, :ok, state}
end
