defmodule NexusClient.Suite.Crud do
  @moduledoc "Tables and rows: made, read, changed, deleted."

  import NexusClient.Suite

  def setup(it),
    do: %{
      path: table(it, "people", [{"name", "text"}, {"age", "integer"}, {"active", "boolean"}])
    }

  def teardown(it), do: drop(it, it.path)

  def tests do
    [
      {"a table is made, described and dropped", &life_of_a_table/1},
      {"a table that is there is not made again", &twice/1},
      {"a row is inserted and returned with its id", &insert_one/1},
      {"a row is read by its id", &read/1},
      {"a row is changed, and only what was said", &change/1},
      {"a row is deleted, and is gone", &delete/1},
      {"rows are read by condition, order and place", &select/1},
      {"rows are deleted by condition, and never all by mistake", &delete_where/1},
      {"a batch is inserted as a whole or not at all", &batch/1}
    ]
  end

  defp life_of_a_table(it) do
    path = table(it, "short", [{"n", "integer"}])
    same(for(column <- expect(it, 200, "GET", path)["columns"], do: column["name"]), ["id", "n"])
    expect(it, 204, "DELETE", path)
    expect(it, 404, "GET", path)
    expect(it, 404, "GET", path <> "/rows")
  end

  defp twice(it) do
    expect(it, 409, "POST", "/tables", %{
      name: "people_#{it.run}",
      columns: [%{name: "n", type: "integer"}]
    })

    # What was there is as it was.
    same(length(expect(it, 200, "GET", it.path)["columns"]), 4)
  end

  defp insert_one(it) do
    row = expect(it, 201, "POST", it.path <> "/rows", %{name: "Ada", age: 36, active: true})
    same(Map.delete(row, "id"), %{"name" => "Ada", "age" => 36, "active" => true})
    same(is_integer(row["id"]), true)
  end

  defp read(it) do
    id = insert(it, it.path, %{name: "Grace", age: 85, active: false})
    same(expect(it, 200, "GET", "#{it.path}/rows/#{id}")["name"], "Grace")
    expect(it, 404, "GET", "#{it.path}/rows/999999999")
    expect(it, 400, "GET", "#{it.path}/rows/seven")
  end

  defp change(it) do
    id = insert(it, it.path, %{name: "Joe", age: 20, active: true})
    row = expect(it, 200, "PATCH", "#{it.path}/rows/#{id}", %{age: 21})
    same(row, %{"id" => id, "name" => "Joe", "age" => 21, "active" => true})
    same(expect(it, 200, "GET", "#{it.path}/rows/#{id}"), row)
    expect(it, 404, "PATCH", "#{it.path}/rows/999999999", %{age: 1})
    expect(it, 400, "PATCH", "#{it.path}/rows/#{id}", %{})
  end

  defp delete(it) do
    id = insert(it, it.path, %{name: "Short"})
    expect(it, 204, "DELETE", "#{it.path}/rows/#{id}")
    expect(it, 404, "GET", "#{it.path}/rows/#{id}")
    expect(it, 404, "DELETE", "#{it.path}/rows/#{id}")
  end

  defp select(it) do
    rows = for age <- 1..9, do: %{name: "select", age: age}
    same(expect(it, 201, "POST", it.path <> "/batch", rows)["inserted"], 9)
    query = "/rows?name=eq.select&age=gte.3&age=lt.8&order=age.desc&limit=3&offset=1"
    same(for(row <- expect(it, 200, "GET", it.path <> query)["rows"], do: row["age"]), [6, 5, 4])
  end

  defp delete_where(it) do
    for n <- 1..3, do: insert(it, it.path, %{name: "goes", age: n})
    expect(it, 400, "DELETE", it.path <> "/rows")
    same(expect(it, 200, "DELETE", it.path <> "/rows?name=eq.goes&age=lte.2")["deleted"], 2)
    same(expect(it, 200, "GET", it.path <> "/count?name=eq.goes")["count"], 1)
  end

  defp batch(it) do
    good = for n <- 1..20, do: %{name: "batch", age: n}
    expect(it, 400, "POST", it.path <> "/batch", good ++ [%{name: "batch", age: "old"}])
    same(expect(it, 200, "GET", it.path <> "/count?name=eq.batch")["count"], 0)
    same(expect(it, 201, "POST", it.path <> "/batch", good)["inserted"], 20)
    same(expect(it, 201, "POST", it.path <> "/batch", [])["inserted"], 0)
    same(expect(it, 200, "GET", it.path <> "/count?name=eq.batch")["count"], 20)
  end
end
