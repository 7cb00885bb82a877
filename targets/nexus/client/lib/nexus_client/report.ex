defmodule NexusClient.Report do
  @moduledoc "A load's figures as the article shows them, and as one line of name=value."

  alias NexusClient.Kinds

  @doc "Prints them; 1 if something failed."
  def print(results, elapsed_us, before, later) do
    latencies = results |> Enum.flat_map(& &1.latencies) |> Enum.sort() |> List.to_tuple()

    kinds =
      Enum.reduce(results, %{}, fn it, sum ->
        Map.merge(sum, it.kinds, fn _kind, a, b -> a + b end)
      end)

    errors = Enum.flat_map(results, & &1.errors)
    n = tuple_size(latencies)
    seconds = elapsed_us / 1.0e6
    ms = fn share -> latencies |> quantile(share) |> ms() end

    figures = [
      seconds: Float.round(seconds, 3),
      operations: n,
      errors: length(errors),
      operations_per_second: round(n / seconds),
      min_ms: ms.(0),
      median_ms: ms.(0.5),
      p95_ms: ms.(0.95),
      p99_ms: ms.(0.99),
      max_ms: ms.(1),
      memory_before_bytes: before["memory_bytes"],
      memory_after_bytes: later["memory_bytes"],
      processes_before: before["processes"],
      processes_after: later["processes"]
    ]

    figures = figures ++ for(kind <- Kinds.all(), do: {kind, Map.get(kinds, kind, 0)})
    Enum.each(text(Map.new(figures)), &IO.puts/1)
    errors |> Enum.take(3) |> Enum.each(&IO.puts(:stderr, "nexus: " <> &1))
    IO.puts(Enum.map_join(figures, " ", fn {name, value} -> "#{name}=#{value}" end))
    if errors == [], do: 0, else: 1
  end

  # The value that at least this share of all is not above.
  defp quantile({}, _share), do: 0
  defp quantile(sorted, share), do: elem(sorted, max(ceil(tuple_size(sorted) * share), 1) - 1)

  defp text(it) do
    failed = Float.round(it.errors * 100 / max(it.operations, 1), 1)

    [
      left("Duration:", "#{Float.round(it.seconds, 1)}s") <> "Latency (ms):",
      left("Total ops:", thousands(it.operations)) <> right("min:", it.min_ms),
      left("Errors:", "#{thousands(it.errors)} (#{failed}%)") <> right("median:", it.median_ms),
      left("Throughput:", "#{thousands(it.operations_per_second)} ops/s") <>
        right("p95:", it.p95_ms),
      left("", "") <> right("p99:", it.p99_ms),
      left("Operations breakdown:", "") <> right("max:", it.max_ms)
    ] ++
      for [a, b] <- Enum.chunk_every(Kinds.all(), 2) do
        "  " <> entry(a, it) <> entry(b, it)
      end ++
      [
        "Target memory: #{mb(it.memory_before_bytes)} MB at the start, #{mb(it.memory_after_bytes)} MB at the end; " <>
          "processes: #{it.processes_before}, #{it.processes_after}"
      ]
  end

  defp left(name, value), do: String.pad_trailing(String.pad_trailing(name, 16) <> value, 31)

  defp right(name, value),
    do: "  " <> String.pad_trailing(name, 8) <> String.pad_leading("#{value}", 7)

  defp entry(kind, it),
    do: String.pad_trailing("#{kind}", 10) <> String.pad_trailing(thousands(it[kind]), 10)

  defp ms(us), do: Float.round(us / 1000, 1)
  defp mb(bytes), do: Float.round(bytes / 1.0e6, 1)

  defp thousands(n) do
    n
    |> Integer.to_string()
    |> String.reverse()
    |> String.replace(~r/(\d{3})(?=\d)/, "\\1,")
    |> String.reverse()
  end
end
