defmodule NexusClient.Kinds do
  @moduledoc """
  The stress test's kinds of requests in the article's shares, in an order that is fixed: the
  request with number n is always of the same kind, so that n requests are so many of each.
  """

  # Of 55,151 operations of the article: select 24.7 %, insert 20.3, count 15.0, search 10.1,
  # paginate 10.0, aggregate 9.9, distinct 5.1, exists 5.0.
  @wheel ~w(select insert count search select paginate insert aggregate select count
            insert select distinct paginate count search select insert aggregate exists)a
         |> List.to_tuple()

  # Article: 12 switches for 2,530 operations; there and back again are two.
  @elsewhere_every 400

  @doc "All kinds, most frequent first."
  def all, do: [:select, :insert, :count, :search, :paginate, :aggregate, :distinct, :exists]

  @doc """
  The kind of the request with this number, from 0.

  Each round begins one place later, so that a worker that takes every twentieth request has
  all kinds in turn, and a slow kind takes no fewer requests than its share.
  """
  def kind(n), do: elem(@wheel, rem(n + div(n, tuple_size(@wheel)), tuple_size(@wheel)))

  @doc "Whether it goes to the other database."
  def elsewhere?(n), do: rem(n, @elsewhere_every) == @elsewhere_every - 1

  @doc "How many of each there are among the first n, and how many go elsewhere."
  def counts(n) do
    per_round = Tuple.to_list(@wheel) |> Enum.frequencies()
    rounds = div(n, tuple_size(@wheel))
    rest = Enum.frequencies(for it <- (rounds * tuple_size(@wheel))..(n - 1)//1, do: kind(it))
    counts = for kind <- all(), do: {kind, rounds * per_round[kind] + Map.get(rest, kind, 0)}
    Map.merge(Map.new(counts), %{operations: n, elsewhere: div(n, @elsewhere_every)})
  end
end
