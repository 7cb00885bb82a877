defmodule NexusClient.Suite.Figures do
  @moduledoc "Aggregates, search, pages, distinct values, existence, and CSV, on rows that are known."

  import NexusClient.Suite

  alias NexusClient.HTTP

  def setup(it) do
    columns = [{"name", "text"}, {"kind", "text"}, {"price", "numeric"}, {"stock", "integer"}]
    path = table(it, "goods", columns)

    rows =
      for n <- 1..100 do
        %{
          name: "item #{n}",
          kind: Enum.at(~w(a b c d), rem(n, 4)),
          price: n / 2,
          stock: if(rem(n, 10) == 0, do: nil, else: n)
        }
      end

    expect(it, 201, "POST", path <> "/batch", rows)
    %{path: path}
  end

  def teardown(it), do: drop(it, it.path)

  def tests do
    [
      {"count, of all and by condition", &count/1},
      {"sum, average, smallest and largest", &figures/1},
      {"figures by group", &groups/1},
      {"distinct values, in order", &distinct/1},
      {"existence", &exists/1},
      {"search finds parts of words in any case, and pattern signs as they are", &search/1},
      {"pages are complete, in order and do not overlap", &pages/1},
      {"the last page says so, and one beyond is empty", &last_page/1},
      {"CSV has a head, all rows, and NULL apart from an empty text", &csv/1},
      {"CSV quotes commas, quotes and line breaks", &quoting/1}
    ]
  end

  defp count(it) do
    same(expect(it, 200, "GET", it.path <> "/count")["count"], 100)
    same(expect(it, 200, "GET", it.path <> "/count?kind=eq.a&price=lt.10")["count"], 4)
    same(expect(it, 200, "GET", it.path <> "/count?kind=eq.none")["count"], 0)
  end

  defp figures(it) do
    figure = fn function, column ->
      expect(it, 200, "GET", "#{it.path}/aggregate?function=#{function}&column=#{column}")[
        function
      ]
    end

    same(figure.("sum", "price") == 2525, true)
    same(figure.("avg", "price") == 25.25, true)
    same(figure.("min", "stock"), 1)
    same(figure.("max", "stock"), 99)
    # NULLs do not count.
    same(figure.("count", "stock"), 90)
    expect(it, 400, "GET", it.path <> "/aggregate?function=sum&column=name")
  end

  defp groups(it) do
    groups =
      expect(it, 200, "GET", it.path <> "/aggregate?function=sum&column=price&group_by=kind")[
        "groups"
      ]

    same(for(group <- groups, do: {group["kind"], trunc(group["sum"])}), [
      {"a", 650},
      {"b", 612},
      {"c", 625},
      {"d", 637}
    ])
  end

  defp distinct(it) do
    same(expect(it, 200, "GET", it.path <> "/distinct?column=kind")["values"], ~w(a b c d))

    same(
      expect(it, 200, "GET", it.path <> "/distinct?column=kind&price=lte.1")["values"],
      ~w(b c)
    )
  end

  defp exists(it) do
    same(expect(it, 200, "GET", it.path <> "/exists?name=eq.#{escape("item 7")}")["exists"], true)
    same(expect(it, 200, "GET", it.path <> "/exists?name=eq.nothing")["exists"], false)
  end

  defp search(it) do
    found = fn q -> length(expect(it, 200, "GET", "#{it.path}/search?q=#{escape(q)}")["rows"]) end
    same(found.("ITEM 10"), 2)
    same(found.("item"), 100)
    same(found.("%"), 0)
    same(found.("item_1"), 0)
    expect(it, 400, "GET", it.path <> "/search")
  end

  defp pages(it) do
    pages =
      for page <- 1..4,
          do: expect(it, 200, "GET", "#{it.path}/page?page=#{page}&per_page=25&order=kind")

    ids = Enum.flat_map(pages, fn page -> Enum.map(page["rows"], & &1["id"]) end)
    same({length(ids), length(Enum.uniq(ids))}, {100, 100})

    same(for(page <- pages, do: page["rows"] |> Enum.map(& &1["kind"]) |> Enum.uniq()), [
      ["a"],
      ["b"],
      ["c"],
      ["d"]
    ])
  end

  defp last_page(it) do
    has_more =
      for page <- 1..5,
          do: expect(it, 200, "GET", "#{it.path}/page?page=#{page}&per_page=25")["has_more"]

    same(has_more, [true, true, true, false, false])
    same(expect(it, 200, "GET", it.path <> "/page?page=5&per_page=25")["rows"], [])
  end

  defp csv(it) do
    {200, text, "text/csv" <> _} = HTTP.raw(it.socket, "GET", it.path <> "/export", "")
    [head | lines] = String.split(text, "\r\n", trim: true)
    same(head, "id,name,kind,price,stock")
    same(length(lines), 100)
    same(lines |> Enum.at(0) |> String.split(",") |> tl(), ["item 1", "b", "0.5", "1"])
    same(lines |> Enum.at(9) |> String.split(",") |> List.last(), "")
  end

  defp quoting(it) do
    path = table(it, "quoting", [{"a", "text"}, {"b", "text"}])

    for {a, b} <- [{"a,b", "say \"hi\""}, {"two\nlines", ""}, {nil, "é"}],
        do: insert(it, path, %{a: a, b: b})

    {200, text, _} = HTTP.raw(it.socket, "GET", path <> "/export", "")
    same(text, "id,a,b\r\n1,\"a,b\",\"say \"\"hi\"\"\"\r\n2,\"two\nlines\",\"\"\r\n3,,é\r\n")
    drop(it, path)
  end
end
