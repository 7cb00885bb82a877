defmodule Nexus.Catalog do
  @moduledoc """
  What tables a database has, kept in the database itself (`nexus_tables`).

  `Nexus.Registry.TableRegistry` is where a request asks; this is what it rests on, directly
  or once. An entry is `%{database: text, table: text, columns: [{name, type}]}`, where `id`
  is always the first column.
  """

  alias Nexus.{JSON, Repo, Settings, SQL}
  alias Nexus.Registry.TableRegistry

  @doc "Prepares the default database; a step in the start of the node, not a process."
  def start_link do
    prepare(Settings.default_database())
    :ignore
  end

  @doc false
  def child_spec(_opts), do: %{id: __MODULE__, start: {__MODULE__, :start_link, []}}

  @doc "Makes the catalog of a database if it has none, and tells the registry what is in it."
  def prepare(database) do
    within(database, fn ->
      Repo.query(
        "CREATE TABLE IF NOT EXISTS nexus_tables (name text PRIMARY KEY, columns jsonb NOT NULL)",
        []
      )
    end)

    TableRegistry.load(database)
  end

  @doc "All entries of a database."
  def all(database) do
    {rows, _count} =
      within(database, fn ->
        Repo.query("SELECT name, columns::text FROM nexus_tables ORDER BY name", [])
      end)

    for [name, columns] <- rows, do: entry(database, name, columns)
  end

  @doc "One entry, or nil, as a query for `Nexus.Repo.one/1`."
  def find(table) do
    %{sql: "SELECT name, columns::text FROM nexus_tables WHERE name = $1", params: [table]}
  end

  @doc "A row of the catalog as an entry."
  def entry(database, name, columns) do
    columns = for [column, type] <- JSON.decode!(columns), do: {column, type}
    %{database: database, table: name, columns: columns}
  end

  @doc "Makes a table; its columns are `[{name, type, options}]`, to which `id` is added."
  def create(database, table, columns) do
    entry = %{
      database: database,
      table: table,
      columns: [{"id", "bigint"} | for({name, type, _} <- columns, do: {name, type})]
    }

    stored = JSON.encode(for {name, type} <- entry.columns, do: [name, type])

    within(database, fn ->
      Repo.query("INSERT INTO nexus_tables (name, columns) VALUES ($1, $2)", [table, stored])

      try do
        Repo.query(
          [
            "CREATE TABLE ",
            SQL.quoted(table),
            " (id bigserial PRIMARY KEY",
            Enum.map(columns, &column/1),
            ")"
          ],
          []
        )

        for {name, _type, options} <- columns, :indexed in options do
          Repo.query(["CREATE INDEX ON ", SQL.quoted(table), " (", SQL.quoted(name), ")"], [])
        end
      rescue
        error in Nexus.Error ->
          Repo.query("DELETE FROM nexus_tables WHERE name = $1", [table])
          raise error
      end
    end)

    TableRegistry.put({database, table}, entry)
    entry
  end

  @doc "Drops a table."
  def drop(%{database: database, table: table}) do
    TableRegistry.delete({database, table})

    within(database, fn ->
      Repo.query("DELETE FROM nexus_tables WHERE name = $1", [table])
      Repo.query(["DROP TABLE IF EXISTS ", SQL.quoted(table), " CASCADE"], [])
    end)
  end

  @doc "Runs `fun` with this database as the current one of the process."
  def within(database, fun) do
    case Repo.get_dynamic_repo() do
      ^database ->
        fun.()

      before ->
        Repo.put_dynamic_repo(database)

        try do
          fun.()
        after
          Repo.put_dynamic_repo(before)
        end
    end
  end

  defp column({name, type, options}) do
    [", ", SQL.quoted(name), " ", SQL.native(SQL.type(type)) | Enum.map(options, &option/1)]
  end

  defp option(:not_null), do: " NOT NULL"
  defp option(:unique), do: " UNIQUE"
  defp option(:indexed), do: []
  defp option({:references, table}), do: [" REFERENCES ", SQL.quoted(table), " (id)"]
end
