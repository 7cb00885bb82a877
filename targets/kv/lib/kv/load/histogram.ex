defmodule KV.Load.Histogram do
  @moduledoc """
  Latencies in cells that grow by a fixed ratio: 32 cells to a factor of two, so a quantile
  is at most 2.2 % above the true one and never below it.
  """

  @cells_per_octave 32
  # From 1 ns to 2^40 ns, which is 18 minutes; what is beyond is in the last cell.
  @n_cells 40 * @cells_per_octave

  def new, do: :counters.new(@n_cells, [:write_concurrency])

  def add(histogram, ns), do: :counters.add(histogram, cell(ns), 1)

  @doc "The counts of all cells, as a list."
  def read(histogram), do: Enum.map(1..@n_cells, &:counters.get(histogram, &1))

  @doc "What came since an earlier reading."
  def since(counts, earlier) do
    counts |> Enum.zip(earlier) |> Enum.map(fn {now, before} -> now - before end)
  end

  @doc "The upper edge, in nanoseconds, of the cell that holds this share of the counts; 0 without any."
  def quantile(counts, share) do
    rank = max(1, ceil(Enum.sum(counts) * share))
    find(counts, rank, 1)
  end

  defp find([], _rank, _cell), do: 0

  defp find([count | _rest], rank, cell) when count >= rank,
    do: ceil(:math.pow(2, cell / @cells_per_octave))

  defp find([count | rest], rank, cell), do: find(rest, rank - count, cell + 1)

  # Cell n holds what is from 2^((n-1)/32) up to 2^(n/32).
  defp cell(ns) when ns < 2, do: 1
  defp cell(ns), do: min(@n_cells, trunc(:math.log2(ns) * @cells_per_octave) + 1)
end
