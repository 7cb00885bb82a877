defmodule Nexus.Repo do
  @moduledoc """
  The way to the database, in the shape of an Ecto repository: each operation merges its
  options with the defaults, reads pass `prepare_query/3`, and all go to the pool of the
  process's current database.

  Every function here is one call for one request, none is recursive and none has a hidden
  helper, so that what a tracer counts can be told beforehand (`truth/`).
  """
  use Nexus.Counted

  alias Nexus.{Pool, Query, Settings}

  @default_options [timeout: 15_000, log: false]

  @doc "Makes `database` the current one of this process; returns the one before."
  def put_dynamic_repo(database) do
    Process.put(__MODULE__, database) || Settings.default_database()
  end

  @doc "The current database of this process."
  def get_dynamic_repo do
    Process.get(__MODULE__) || Settings.default_database()
  end

  @doc "All rows of a query."
  def all(query) do
    opts = prepare_opts(:all, [])
    {query, _opts} = prepare_query(:all, query, opts)
    {rows, _count} = Pool.query(get_dynamic_repo(), Query.sql(query), query.params)
    rows
  end

  @doc "The only row of a query, or nil."
  def one(query) do
    opts = prepare_opts(:one, [])
    {query, _opts} = prepare_query(:one, query, opts)

    case Pool.query(get_dynamic_repo(), Query.sql(query), query.params) do
      {[], _count} -> nil
      {[row], _count} -> row
    end
  end

  @doc "Inserts rows into the table of an entry; returns what `returning:` names."
  def insert_all(entry, rows, opts) do
    opts = prepare_opts(:insert_all, opts)
    query = Query.insert(entry, rows, opts)
    Pool.query(get_dynamic_repo(), Query.sql(query), query.params)
  end

  @doc "Changes the rows of a query; returns them, and how many there were."
  def update_all(query, changes) do
    opts = prepare_opts(:update_all, [])
    {query, _opts} = prepare_query(:update_all, query, opts)
    query = Query.update(query, changes)
    Pool.query(get_dynamic_repo(), Query.sql(query), query.params)
  end

  @doc "Deletes the rows of a query; returns how many there were."
  def delete_all(query) do
    opts = prepare_opts(:delete_all, [])
    {query, _opts} = prepare_query(:delete_all, query, opts)
    query = Query.delete(query)
    {_rows, count} = Pool.query(get_dynamic_repo(), Query.sql(query), query.params)
    count
  end

  @doc "A statement beside the pipeline, such as DDL; its names must come from `Nexus.SQL`."
  def query(sql, params) do
    Pool.query(get_dynamic_repo(), IO.iodata_to_binary(sql), params)
  end

  @doc "Options of each operation, to be changed by whoever has to."
  def default_options(_operation), do: @default_options

  @doc "The place where a query can be changed before it runs, such as to one tenant's rows."
  def prepare_query(_operation, query, opts), do: {query, opts}

  defp prepare_opts(operation, []), do: default_options(operation)
  defp prepare_opts(operation, opts), do: Keyword.merge(default_options(operation), opts)
end
