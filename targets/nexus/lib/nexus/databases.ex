defmodule Nexus.Databases do
  @moduledoc "The databases beside the default one: connected and disconnected at run time."
  use DynamicSupervisor

  alias Nexus.{Catalog, Error, Pool, Repo, Settings, SQL}

  # The server lets a hundred in; the default database has a pool of its own.
  @databases_max 8

  # They are visited now and then.
  @pool_size 4

  def start_link(_opts), do: DynamicSupervisor.start_link(__MODULE__, :ok, name: __MODULE__)

  @impl true
  def init(:ok),
    do: DynamicSupervisor.init(strategy: :one_for_one, max_children: @databases_max - 1)

  @doc "Connects a database, which is made first if asked for."
  def connect(name, create?) do
    SQL.name(name)
    if Pool.connected?(name), do: Error.fail(409, "connected already")
    if create?, do: Repo.query(["CREATE DATABASE ", SQL.quoted(name)], [])

    case DynamicSupervisor.start_child(__MODULE__, {Pool, {name, @pool_size}}) do
      {:ok, _pool} ->
        Catalog.prepare(name)

      {:error, :max_children} ->
        Error.fail(409, "#{@databases_max} databases are connected already")

      {:error, {:already_started, _pool}} ->
        Error.fail(409, "connected already")

      {:error, reason} ->
        unreachable(reason)
    end
  end

  @doc "Disconnects a database; its data stays, unless asked for."
  def disconnect(name, drop?) do
    if name == Settings.default_database(), do: Error.fail(409, "the default database stays")
    connected!(name)
    Pool.stop(name)
    if drop?, do: Repo.query(["DROP DATABASE ", SQL.quoted(name), " WITH (FORCE)"], [])
  end

  @doc "The name, if it is connected."
  def connected!(name) do
    if Pool.connected?(name), do: name, else: Error.fail(404, "no such database is connected")
  end

  # A refusal of the server has its fields, such as that there is no such database.
  defp unreachable({:database, _name, {step, fields}})
       when step in [:authentication, :error_response],
       do: raise(Error.from_postgres(fields))

  defp unreachable(_reason), do: Error.fail(503, "PostgreSQL does not answer")
end
