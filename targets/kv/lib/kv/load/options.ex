defmodule KV.Load.Options do
  @moduledoc "What a load may be asked for."

  # name, default, smallest, largest. The largest keep a typing error from taking the node
  # down: 10,000 workers and ten million values fit into a gigabyte.
  @known [
    seconds: {20, 1, 86_400},
    concurrency: {50, 1, 10_000},
    buckets: {100, 1, 10_000},
    keys: {1_000, 1, 100_000},
    reads: {90, 0, 100},
    rate: {0, 0, 1_000_000},
    seed: {1, 0, 1_000_000_000},
    each: {0, 0, 1},
    lookups: {0, 0, 1}
  ]
  @values_max 10_000_000

  defstruct Enum.map(@known, fn {name, {default, _min, _max}} -> {name, default} end)

  @doc "From words such as `seconds=20`; `rate=0` is a closed loop."
  def parse(words) do
    Enum.reduce_while(words, {:ok, %__MODULE__{}}, fn word, {:ok, options} ->
      case option(word) do
        {:ok, name, value} -> {:cont, {:ok, Map.put(options, name, value)}}
        {:error, text} -> {:halt, {:error, text}}
      end
    end)
    |> limit()
  end

  @doc "One line that says what is going to run."
  def text(options) do
    loop = if options.rate == 0, do: "closed loop", else: "#{options.rate} operations/s offered"

    "load: #{options.seconds} s, #{loop}, #{options.concurrency} workers, " <>
      "#{options.buckets} buckets of #{options.keys} keys, #{options.reads} % reads, " <>
      "seed #{options.seed}"
  end

  defp option(word) do
    with [name, digits] <- String.split(word, "=", parts: 2),
         {name, {_default, smallest, largest}} <- known(name),
         {value, ""} <- Integer.parse(digits) do
      if value in smallest..largest,
        do: {:ok, name, value},
        else: {:error, "#{name} is from #{smallest} to #{largest}, not #{value}"}
    else
      _ -> {:error, "#{word} is no NAME=NUMBER of #{names()}"}
    end
  end

  defp known(name), do: Enum.find(@known, fn {it, _} -> Atom.to_string(it) == name end)

  defp names, do: @known |> Keyword.keys() |> Enum.join(", ")

  defp limit({:ok, %{buckets: buckets, keys: keys}}) when buckets * keys > @values_max,
    do: {:error, "buckets x keys is at most #{@values_max}"}

  defp limit(parsed), do: parsed
end
