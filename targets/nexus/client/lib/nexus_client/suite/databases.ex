defmodule NexusClient.Suite.Databases do
  @moduledoc "Several databases behind one interface: a request reaches the one it names, and no other."

  import NexusClient.Suite

  alias NexusClient.HTTP

  def setup(it) do
    names = for letter <- ["a", "b"], do: "m#{letter}_#{it.run}"
    for name <- names, do: expect(it, 201, "POST", "/connections", %{name: name, create: true})
    # One table in three databases, each with a column of its own.
    paths =
      for base <- ["" | Enum.map(names, &"/db/#{&1}")],
          do: table(it, "shared", [{"text", "text"}, column(base)], base)

    %{names: names, paths: paths}
  end

  def teardown(it) do
    for path <- it.paths, do: drop(it, path)
    for name <- it.names, do: HTTP.ask(it.socket, "DELETE", "/connections/#{name}?drop=true")
  end

  defp column(""), do: {"here", "integer"}
  defp column("/db/ma" <> _), do: {"in_a", "integer"}
  defp column("/db/mb" <> _), do: {"in_b", "integer"}

  def tests do
    [
      {"each database has its own tables of one name", &own_columns/1},
      {"a row is in the database it was sent to, and in no other", &own_rows/1},
      {"the default database is that of a request that names none", &default/1},
      {"a connection to the interface changes databases with each request", &switching/1},
      {"100 requests at once to three databases are not mixed up", &at_the_same_time/1},
      {"a failure in one database does not leave the process there", &after_a_failure/1}
    ]
  end

  defp own_columns(it) do
    names =
      for path <- it.paths,
          do: expect(it, 200, "GET", path)["columns"] |> List.last() |> Map.fetch!("name")

    same(names, ~w(here in_a in_b))
    expect(it, 400, "POST", Enum.at(it.paths, 1) <> "/rows", %{in_b: 1})
  end

  defp own_rows(it) do
    for {path, n} <- Enum.with_index(it.paths),
        _ <- 1..(n + 1),
        do: insert(it, path, %{text: "own"})

    same(
      for(path <- it.paths, do: expect(it, 200, "GET", path <> "/count?text=eq.own")["count"]),
      [1, 2, 3]
    )
  end

  defp default(it) do
    insert(it, hd(it.paths), %{text: "default", here: 1})
    same(expect(it, 200, "GET", "/db/nexus#{hd(it.paths)}/count?text=eq.default")["count"], 1)
  end

  defp switching(it) do
    for {path, n} <- Enum.with_index(it.paths), do: insert(it, path, %{text: "switching #{n}"})

    for _ <- 1..10, {path, n} <- Enum.with_index(it.paths) do
      [row] = expect(it, 200, "GET", "#{path}/search?q=switching")["rows"]
      same(row["text"], "switching #{n}")
    end
  end

  defp at_the_same_time(it) do
    at_once(it, 100, fn mine, n ->
      path = Enum.at(it.paths, rem(n, 3))
      id = insert(mine, path, %{text: "mixed #{rem(n, 3)}"})
      same(expect(mine, 200, "GET", "#{path}/rows/#{id}")["text"], "mixed #{rem(n, 3)}")
    end)

    for {path, n} <- Enum.with_index(it.paths) do
      same(expect(it, 200, "GET", path <> "/distinct?column=text&text=like.mixed%25")["values"], [
        "mixed #{n}"
      ])
    end
  end

  defp after_a_failure(it) do
    [here, a, _b] = it.paths
    insert(it, here, %{text: "after", here: 5})
    expect(it, 400, "GET", a <> "/rows?in_a=eq.x")
    expect(it, 404, "GET", "/db/nowhere_#{it.run}/tables")
    [row] = expect(it, 200, "GET", here <> "/rows?text=eq.after")["rows"]
    same(row["here"], 5)
  end
end
