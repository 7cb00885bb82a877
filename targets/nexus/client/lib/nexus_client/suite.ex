defmodule NexusClient.Suite do
  @moduledoc """
  The integration suite: what a user of the interface may rely on, asked over HTTP alone.

  Each category makes what it needs under names of its own and removes it, so that the suite
  may be run again on the same node.
  """

  alias NexusClient.{HTTP, Suite}

  @categories [
    {"connection management", Suite.Connections},
    {"CRUD", Suite.Crud},
    {"extended CRUD", Suite.Extended},
    {"edge cases", Suite.Edges},
    {"concurrency", Suite.Concurrency},
    {"aggregates, search, export", Suite.Figures},
    {"large data", Suite.Large},
    {"multi-database", Suite.Databases}
  ]

  defmodule Failed do
    defexception [:message]
  end

  @doc "Runs all of it; prints a line a test; 0 if every one passed."
  def run(port) do
    HTTP.ready!(HTTP.connect(port))
    results = Enum.flat_map(@categories, &category(port, &1))
    n_passed = Enum.count(results, & &1)
    IO.puts("suite: #{n_passed} of #{length(results)} passed")
    if n_passed == length(results), do: 0, else: 1
  end

  defp category(port, {title, module}) do
    # Names of an earlier run are not in the way.
    run = "s#{System.system_time(:millisecond)}_#{System.unique_integer([:positive])}"
    it = %{port: port, socket: HTTP.connect(port), run: run}
    IO.puts(title)
    it = Map.merge(it, module.setup(it))
    results = Enum.map(module.tests(), &test(it, &1))
    module.teardown(it)
    :gen_tcp.close(it.socket)
    results
  end

  defp test(it, {name, fun}) do
    began = System.monotonic_time(:microsecond)
    # A test that was cut off in the middle of an answer must not spoil the next.
    it = %{it | socket: HTTP.connect(it.port)}
    why = outcome(fun, it)
    :gen_tcp.close(it.socket)
    ms = Float.round((System.monotonic_time(:microsecond) - began) / 1000, 1)

    IO.puts(
      "  #{if why, do: "FAILED", else: "ok    "} #{name} (#{ms} ms)#{why && "\n         #{why}"}"
    )

    why == nil
  end

  defp outcome(fun, it) do
    fun.(it)
    nil
  rescue
    error -> Exception.format(:error, error, Enum.take(__STACKTRACE__, 3))
  catch
    kind, reason -> Exception.format(kind, reason, Enum.take(__STACKTRACE__, 3))
  end

  # --- what tests say ----------------------------------------------------------------------

  @doc "Fails unless both are the same."
  def same(actual, expected) do
    if actual != expected,
      do:
        raise(
          Failed,
          "got #{inspect(actual, printable_limit: 200)}, not #{inspect(expected, printable_limit: 200)}"
        )
  end

  @doc "The body of an answer that must have this status."
  def expect(it, status, method, path, body \\ nil) do
    case HTTP.ask(it.socket, method, path, body) do
      {^status, answer} ->
        answer

      {other, answer} ->
        raise Failed,
              "#{method} #{String.slice(path, 0, 100)}: #{other} #{inspect(answer)}, not #{status}"
    end
  end

  @doc "Makes a table of this run; columns are `{name, type}` or maps."
  def table(it, name, columns, base \\ "") do
    columns =
      for column <- columns,
          do:
            if(is_map(column), do: column, else: %{name: elem(column, 0), type: elem(column, 1)})

    expect(it, 201, "POST", base <> "/tables", %{name: "#{name}_#{it.run}", columns: columns})
    "#{base}/tables/#{name}_#{it.run}"
  end

  @doc "Drops it."
  def drop(it, path), do: HTTP.ask(it.socket, "DELETE", path)

  @doc "Inserts a row and returns its id."
  def insert(it, path, row), do: expect(it, 201, "POST", path <> "/rows", row)["id"]

  @doc "Runs the function n times at once, each with a connection of its own, and returns what they returned."
  def at_once(it, n, fun) do
    1..n
    |> Enum.map(fn index ->
      Task.async(fn ->
        mine = %{it | socket: HTTP.connect(it.port)}
        result = fun.(mine, index)
        :gen_tcp.close(mine.socket)
        result
      end)
    end)
    |> Task.await_many(60_000)
  end

  @doc "A text for a query string."
  def escape(text), do: URI.encode(text, &URI.char_unreserved?/1)
end
