defmodule NexusClient.Suite.Concurrency do
  @moduledoc "Many at once: nothing is lost, nothing is mixed up."

  import NexusClient.Suite

  alias NexusClient.HTTP

  def setup(it),
    do: %{
      path:
        table(it, "many", [
          %{name: "k", type: "text", unique: true},
          %{name: "n", type: "integer"}
        ])
    }

  def teardown(it), do: drop(it, it.path)

  def tests do
    [
      {"50 inserts at once are 50 rows with 50 ids", &inserts/1},
      {"of 20 inserts of one key at once, one wins", &one_wins/1},
      {"50 reads at once each get their own answer", &reads/1},
      {"20 changes of one row at once leave one of them", &changes/1},
      {"a burst of 5,000 requests is answered without an error", &burst/1},
      {"more clients than connections wait for their turn", &more_than_the_pool/1}
    ]
  end

  defp inserts(it) do
    ids = at_once(it, 50, fn mine, n -> insert(mine, it.path, %{k: "insert #{n}", n: 50}) end)
    same(length(Enum.uniq(ids)), 50)
    same(expect(it, 200, "GET", it.path <> "/count?n=eq.50")["count"], 50)
  end

  defp one_wins(it) do
    statuses =
      at_once(it, 20, fn mine, _ ->
        elem(HTTP.ask(mine.socket, "POST", it.path <> "/rows", %{k: "the one"}), 0)
      end)

    same(Enum.frequencies(statuses), %{201 => 1, 409 => 19})
  end

  defp reads(it) do
    ids = for n <- 1..50, do: {insert(it, it.path, %{k: "read #{n}", n: n}), n}

    found =
      at_once(it, 50, fn mine, index ->
        {id, n} = Enum.at(ids, index - 1)
        for _ <- 1..10, do: expect(mine, 200, "GET", "#{it.path}/rows/#{id}")["n"] == n
      end)

    same(found |> List.flatten() |> Enum.uniq(), [true])
  end

  defp changes(it) do
    id = insert(it, it.path, %{k: "changed", n: 0})

    at_once(it, 20, fn mine, n -> expect(mine, 200, "PATCH", "#{it.path}/rows/#{id}", %{n: n}) end)

    same(expect(it, 200, "GET", "#{it.path}/rows/#{id}")["n"] in 1..20, true)
  end

  defp burst(it) do
    id = insert(it, it.path, %{k: "burst", n: 1})

    at_once(it, 20, fn mine, _ ->
      for _ <- 1..250, do: expect(mine, 200, "GET", "#{it.path}/exists?id=eq.#{id}")
    end)
  end

  defp more_than_the_pool(it) do
    # An aggregate over some rows takes longer than an exchange over HTTP.
    rows = for n <- 1..2_000, do: %{k: "row #{n}", n: 7}
    expect(it, 201, "POST", it.path <> "/batch", rows)

    sums =
      at_once(it, 100, fn mine, _ ->
        expect(
          mine,
          200,
          "GET",
          it.path <> "/aggregate?function=sum&column=n&#{escape("k")}=like.row%25"
        )["sum"]
      end)

    same(Enum.uniq(sums), [14_000])
    status = expect(it, 200, "GET", "/connections/nexus")
    same({status["lent"], status["waiting"]}, {0, 0})
  end
end
