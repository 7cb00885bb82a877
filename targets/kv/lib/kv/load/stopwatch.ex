defmodule KV.Load.Stopwatch do
  @moduledoc """
  How long something takes on average, without what reading the clock takes.

  What a tracer says of a function that takes less than a microsecond is mostly the tracer;
  this is what it can be held against.
  """

  @enforce_keys [:sums, :clock_ns]
  defstruct [:sums, :clock_ns]

  @doc "Measures what two readings of the clock take, one behind the other."
  def new do
    readings = for _ <- 1..1001, do: elapsed_ns(fn -> :ok end)
    clock_ns = readings |> Enum.sort() |> Enum.at(500)
    %__MODULE__{sums: :counters.new(2, [:write_concurrency]), clock_ns: clock_ns}
  end

  @doc "Calls it, and returns what it returns."
  def time(%__MODULE__{sums: sums}, fun) do
    begin_ns = now_ns()
    returned = fun.()
    took_ns = now_ns() - begin_ns
    :counters.add(sums, 1, took_ns)
    :counters.add(sums, 2, 1)
    returned
  end

  @doc "The mean, in nanoseconds; 0.0 where nothing was timed."
  def mean_ns(%__MODULE__{sums: sums, clock_ns: clock_ns}) do
    case :counters.get(sums, 2) do
      0 -> 0.0
      n -> max(0.0, :counters.get(sums, 1) / n - clock_ns)
    end
  end

  defp elapsed_ns(fun) do
    begin_ns = now_ns()
    :ok = fun.()
    now_ns() - begin_ns
  end

  defp now_ns, do: System.monotonic_time(:nanosecond)
end
