defmodule NexusClient.Suite.Large do
  @moduledoc "50,000 rows."

  import NexusClient.Suite

  alias NexusClient.HTTP

  @rows 50_000
  @batch 5_000

  def setup(it),
    do: %{path: table(it, "large", [{"name", "text"}, {"n", "integer"}, {"note", "text"}])}

  def teardown(it), do: drop(it, it.path)

  def tests do
    [
      {"50,000 rows are inserted in batches", &insert_all/1},
      {"figures over 50,000 rows are right", &figures/1},
      {"the last of 2,500 pages is the last", &deep_page/1},
      {"50,000 rows are exported as CSV, each once", &export/1}
    ]
  end

  defp insert_all(it) do
    note = String.duplicate("note ", 10)

    for first <- 1..@rows//@batch do
      rows = for n <- first..(first + @batch - 1), do: %{name: "row #{n}", n: n, note: note}
      same(expect(it, 201, "POST", it.path <> "/batch", rows)["inserted"], @batch)
    end

    same(expect(it, 200, "GET", it.path <> "/count")["count"], @rows)
  end

  defp figures(it) do
    same(
      expect(it, 200, "GET", it.path <> "/aggregate?function=sum&column=n")["sum"],
      div(@rows * (@rows + 1), 2)
    )

    same(expect(it, 200, "GET", it.path <> "/count?n=gt.49000")["count"], 1_000)

    same(
      length(expect(it, 200, "GET", it.path <> "/rows?limit=10000&order=n.desc")["rows"]),
      10_000
    )
  end

  defp deep_page(it) do
    page = expect(it, 200, "GET", it.path <> "/page?page=2500&per_page=20&order=n")
    same({hd(page["rows"])["n"], length(page["rows"]), page["has_more"]}, {49_981, 20, false})
  end

  defp export(it) do
    {200, text, _} = HTTP.raw(it.socket, "GET", it.path <> "/export", "")
    [_head | lines] = String.split(text, "\r\n", trim: true)
    same(length(lines), @rows)

    same(
      lines |> Enum.map(&(&1 |> String.split(",") |> Enum.at(2))) |> Enum.uniq() |> length(),
      @rows
    )
  end
end
