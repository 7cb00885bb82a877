defmodule KV.Load.Tally do
  @moduledoc "How many operations of each kind."

  @kinds [reads: 1, writes: 2, misses: 3, errors: 4]

  def new, do: :counters.new(length(@kinds), [:write_concurrency])

  # A clause for each kind: this is on the way of each operation.
  for {kind, idx} <- @kinds do
    def add(tally, unquote(kind)), do: :counters.add(tally, unquote(idx), 1)
  end

  def read(tally), do: Map.new(@kinds, fn {kind, idx} -> {kind, :counters.get(tally, idx)} end)

  def done(counts), do: counts.reads + counts.writes
end
