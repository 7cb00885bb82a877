defmodule Nexus.Router do
  @moduledoc """
  Which request does what.

  Below `/db/NAME` the tables of another connected database, without it those of the default
  one. Every operation on a table asks the registry for it first, once.
  """

  alias Nexus.{Catalog, Counted, Databases, Error, JSON, Params, Pool, Settings, SQL, Status}
  alias Nexus.Operations, as: Do
  alias Nexus.Registry.TableRegistry

  @doc "Status and body of the answer."
  def answer(request) do
    {path, params} = Params.split(request.target)
    route(request.method, path, params, request.body)
  end

  defp route("GET", ["health"], _params, _body), do: Status.health()
  defp route("GET", ["stats"], _params, _body), do: {200, Status.stats()}
  defp route("GET", ["counters"], _params, _body), do: counters(Counted.read())

  defp route("DELETE", ["counters"], _params, _body) do
    counters(Counted.read())
    Counted.reset()
    {204, nil}
  end

  defp route("GET", ["connections"], _params, _body),
    do: {200, %{connections: Enum.map(Pool.databases(), &connection/1)}}

  defp route("POST", ["connections"], _params, body) do
    body = Params.object(body)
    Databases.connect(body["name"], body["create"] == true)
    {201, connection(body["name"])}
  end

  defp route("GET", ["connections", name], _params, _body),
    do: {200, connection(Databases.connected!(name))}

  defp route("DELETE", ["connections", name], params, _body) do
    Databases.disconnect(name, Params.one(params, "drop", "false") == "true")
    {204, nil}
  end

  defp route(method, ["db", database | path], params, body) do
    Databases.connected!(database)
    Catalog.within(database, fn -> in_database(method, database, path, params, body) end)
  end

  defp route(method, path, params, body),
    do: in_database(method, Settings.default_database(), path, params, body)

  defp in_database("GET", database, ["tables"], _params, _body),
    do: {200, %{tables: Enum.map(Catalog.all(database), & &1.table)}}

  defp in_database("POST", database, ["tables"], _params, body) do
    body = Params.object(body)
    entry = Catalog.create(database, SQL.name(body["name"]), Params.columns(body["columns"]))
    {201, described(entry)}
  end

  defp in_database(method, database, ["tables", table | path], params, body) do
    case TableRegistry.get({database, table}) do
      nil -> Error.fail(404, "no such table")
      entry -> table(method, path, entry, params, body)
    end
  end

  defp in_database(_method, _database, _path, _params, _body), do: Error.fail(404, "no such path")

  defp table("GET", [], entry, _params, _body), do: {200, described(entry)}

  defp table("DELETE", [], entry, _params, _body) do
    Catalog.drop(entry)
    {204, nil}
  end

  defp table("GET", ["rows"], entry, params, _body), do: {200, Do.select(entry, params)}

  defp table("POST", ["rows"], entry, _params, body),
    do: {201, Do.insert(entry, Params.object(body))}

  defp table("DELETE", ["rows"], entry, params, _body), do: {200, Do.delete_where(entry, params)}
  defp table("GET", ["rows", id], entry, _params, _body), do: {200, Do.get(entry, id)}

  defp table("PATCH", ["rows", id], entry, _params, body),
    do: {200, Do.update(entry, id, Params.object(body))}

  defp table("DELETE", ["rows", id], entry, _params, _body) do
    Do.delete(entry, id)
    {204, nil}
  end

  defp table("POST", ["batch"], entry, _params, body),
    do: {201, Do.batch(entry, Params.objects(body))}

  defp table("GET", ["count"], entry, params, _body), do: {200, Do.count(entry, params)}
  defp table("GET", ["exists"], entry, params, _body), do: {200, Do.exists(entry, params)}
  defp table("GET", ["distinct"], entry, params, _body), do: {200, Do.distinct(entry, params)}
  defp table("GET", ["aggregate"], entry, params, _body), do: {200, Do.aggregate(entry, params)}
  defp table("GET", ["search"], entry, params, _body), do: {200, Do.search(entry, params)}
  defp table("GET", ["page"], entry, params, _body), do: {200, Do.page(entry, params)}
  defp table("GET", ["tree"], entry, params, _body), do: {200, Do.tree(entry, params)}
  defp table("GET", ["export"], entry, params, _body), do: {200, {:csv, Do.export(entry, params)}}

  defp table(_method, [_name | _], _entry, _params, _body),
    do: Error.fail(404, "no such path, or not by this method")

  defp table(_method, [], _entry, _params, _body),
    do: Error.fail(405, "a table is read or dropped")

  defp connection(name), do: Map.put(Pool.status(name), :name, name)

  defp described(entry) do
    columns = for {name, type} <- entry.columns, do: {:json, JSON.object(name: name, type: type)}
    %{database: entry.database, table: entry.table, columns: columns}
  end

  defp counters(nil), do: Error.fail(404, "not a build that counts")

  defp counters(calls) do
    {200,
     Map.new(calls, fn {{module, name, arity}, n} ->
       {"#{inspect(module)}.#{name}/#{arity}", n}
     end)}
  end
end
