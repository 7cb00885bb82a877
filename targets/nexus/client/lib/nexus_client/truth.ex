defmodule NexusClient.Truth do
  @moduledoc """
  What a load of n requests calls, from the arithmetic of its requests.

  A truth file has a line for each function, `Module.function/arity = sum of kinds`, such as
  `Nexus.Repo.put_dynamic_repo/1 = 2*elsewhere`. A function without a line is never called.
  """

  alias NexusClient.Kinds

  @doc "Prints `Module.function/arity calls` for each line of the file."
  def print(file, requests) do
    for {function, calls} <- read(file, requests), do: IO.puts("#{function} #{calls}")
    0
  end

  @doc "The same as a list."
  def read(file, requests) do
    counts = Map.new(Kinds.counts(requests), fn {kind, n} -> {to_string(kind), n} end)

    for line <- file |> File.read!() |> String.split("\n", trim: true),
        not String.starts_with?(line, "#") do
      [function, sum] = String.split(line, " = ")
      {function, sum |> String.split(" + ") |> Enum.map(&term(&1, counts)) |> Enum.sum()}
    end
  end

  defp term(text, counts) do
    case String.split(text, "*") do
      [kind] -> Map.fetch!(counts, kind)
      [times, kind] -> String.to_integer(times) * Map.fetch!(counts, kind)
    end
  end
end
