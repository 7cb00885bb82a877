# How long Elixir takes merely to parse files in parallel, in microseconds: the median of ROUNDS.
#   elixir parse.exs ROUNDS FILE...
[rounds | files] = System.argv()
sources = for file <- files, do: File.read!(file)
parse = fn source -> {:ok, _} = Code.string_to_quoted(source) end

once = fn ->
  {micros, _} =
    :timer.tc(fn -> sources |> Task.async_stream(parse, ordered: false) |> Stream.run() end)

  micros
end

times = for _ <- 1..String.to_integer(rounds), do: once.()
IO.puts(Enum.at(Enum.sort(times), div(length(times), 2)))
