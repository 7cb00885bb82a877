defmodule Nexus.Counted do
  @moduledoc """
  A second opinion about how often functions are called, for tests only.

  Compiled with NEXUS_COUNTED=1, `use Nexus.Counted` makes each clause of each function begin
  with an addition to a counter of `:counters`, which no tracer knows of. Otherwise it does
  nothing, and the module is what it says. `GET /counters` shows them.
  """

  @counted? System.get_env("NEXUS_COUNTED") == "1"

  defmacro __using__(_opts) do
    if @counted? do
      quote do
        import Kernel, except: [def: 2, defp: 2]
        import Nexus.Counted, only: [def: 2, defp: 2]
        Module.register_attribute(__MODULE__, :counted, accumulate: true)
        @before_compile Nexus.Counted
      end
    end
  end

  @doc false
  defmacro def(head, body), do: counted(:def, head, body)

  @doc false
  defmacro defp(head, body), do: counted(:defp, head, body)

  defmacro __before_compile__(_env) do
    quote do
      @doc false
      Kernel.def(__counted__, do: Enum.uniq(@counted))
    end
  end

  defp counted(kind, head, [{:do, body} | rest]) do
    {name, arity} = named(head)

    quote do
      @counted {unquote(name), unquote(arity)}
      Kernel.unquote(kind)(
        unquote(head),
        unquote([
          {:do,
           quote do
             Nexus.Counted.hit({__MODULE__, unquote(name), unquote(arity)})
             unquote(body)
           end}
          | rest
        ])
      )
    end
  end

  defp named({:when, _meta, [head | _guards]}), do: named(head)
  defp named({name, _meta, args}), do: {name, if(is_list(args), do: length(args), else: 0)}

  @doc "Whether this build counts."
  def counted?, do: @counted?

  @doc "One more call."
  def hit(function) do
    case :persistent_term.get(__MODULE__, nil) do
      {%{^function => place}, counters} -> :counters.add(counters, place, 1)
      _before_it_began -> :ok
    end
  end

  @doc "Starts counting at zero; called once, before anybody is counted, and never in other builds."
  def start(modules) do
    functions =
      for module <- modules, {name, arity} <- module.__counted__(), do: {module, name, arity}

    places = functions |> Enum.with_index(1) |> Map.new()
    :persistent_term.put(__MODULE__, {places, :counters.new(length(functions), [])})
  end

  @doc "Back to zero."
  def reset do
    {places, counters} = :persistent_term.get(__MODULE__)
    for {_function, place} <- places, do: :counters.put(counters, place, 0)
    :ok
  end

  @doc "Calls so far, by function; nil in a build that does not count."
  def read do
    case :persistent_term.get(__MODULE__, nil) do
      {places, counters} ->
        Map.new(places, fn {function, place} -> {function, :counters.get(counters, place)} end)

      nil ->
        nil
    end
  end
end
