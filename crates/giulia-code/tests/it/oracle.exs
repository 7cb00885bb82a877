# Definitions and complexity from the plain AST of `Code.string_to_quoted`, as TSV:
#   elixir oracle.exs FILE...
# The rules are those of `crates/giulia-code/src/source/elixir/complexity.rs`, told again.
defmodule Giulia.Oracle do
  @branches [:if, :unless, :for, :with, :case, :cond, :try, :receive]
  @sections [:do, :else, :rescue, :catch, :after]

  def file(path) do
    {:ok, ast} = path |> File.read!() |> Code.string_to_quoted()
    found = walk(ast, nil, [])

    for {{module, name, arity}, clauses} <- Enum.group_by(found, &elem(&1, 0), &elem(&1, 1)) do
      costs = for {:clause, cost} <- clauses, do: cost
      {cyclomatic, cognitive, nesting} = Enum.reduce(costs, {0, 0, 0}, &add/2)
      cyclomatic = 1 + cyclomatic + max(length(costs) - 1, 0)
      row = [path, module, name, arity, length(costs), cyclomatic, cognitive, nesting]
      IO.puts(Enum.join(row, "\t"))
    end
  end

  # Modules by the line they begin in; what is quoted defines nothing.
  defp walk({:quote, _, _}, _module, found), do: found

  defp walk({word, meta, [_ | _] = args}, _module, found)
       when word in [:defmodule, :defprotocol, :defimpl],
       do: Enum.reduce(args, found, &walk(&1, meta[:line], &2))

  # Within a protocol a function of its own is written so.
  defp walk({{:., _, [{:__aliases__, _, [:Kernel]}, word]}, meta, args}, module, found),
    do: walk({word, meta, args}, module, found)

  # With more than a head and a body it is a call of somebody's own function of that name.
  defp walk({word, _, [head | rest]}, module, found)
       when word in [:def, :defp, :defmacro, :defmacrop, :defguard, :defguardp, :defdelegate] and
              module != nil and length(rest) <= 1 do
    {head, guard} =
      case head do
        {:when, _, [head, guard]} -> {head, guard}
        head -> {head, nil}
      end

    case head do
      {name, _, args} when is_atom(name) and name != :unquote ->
        args = if is_list(args), do: args, else: []
        arity = length(args)
        defaults = Enum.count(args, &match?({:\\, _, [_, _]}, &1))
        smaller = for n <- 1..defaults//1, do: {{module, name, arity - n}, :default}
        body = if word in [:defguard, :defguardp], do: [[do: guard]], else: rest
        found = smaller ++ [{{module, name, arity}, clause(word, body)} | found]
        Enum.reduce(rest, found, &walk(&1, module, &2))

      _ ->
        found
    end
  end

  defp walk({left, _, right}, module, found), do: walk(right, module, walk(left, module, found))
  defp walk({left, right}, module, found), do: walk(right, module, walk(left, module, found))
  defp walk([_ | _] = list, module, found), do: Enum.reduce(list, found, &walk(&1, module, &2))
  defp walk(_, _module, found), do: found

  defp clause(:defdelegate, _), do: {:clause, {0, 0, 0}}
  defp clause(_, []), do: :head

  defp clause(_, [[{:do, body}]]), do: {:clause, cost(body, 0, 0)}

  defp clause(_, [[{:do, _} | _] = sections]),
    do: {:clause, add({0, 1, 1}, sections(:try, sections, 1, 1))}

  defp clause(_, _), do: :head

  defp add({a, b, c}, {d, e, f}), do: {a + d, b + e, max(c, f)}
  defp sum(list, fun), do: Enum.reduce(list, {0, 0, 0}, &add(fun.(&1), &2))

  defp cost({op, _, [left, right]}, depth, nested) when op in [:and, :or, :&&, :||],
    do: {1, 1, 0} |> add(cost(left, depth, nested)) |> add(cost(right, depth, nested))

  defp cost({:fn, _, clauses}, _depth, nested),
    do: add({0, 1, nested + 1}, clauses(clauses, :further, 0, nested + 1))

  defp cost({:->, _, [_, body]}, depth, nested), do: cost(body, depth, nested)

  defp cost({:quote, _, [_ | _] = args}, depth, nested) do
    {options, bodies} =
      case args do
        [options, [{:do, body}]] -> {[options], [body]}
        [[{:do, body} | options]] -> {options, [body]}
        _ -> {Enum.drop(args, -1), Enum.take(args, -1)}
      end

    add(cost(options, depth, nested), quoted(bodies, depth, nested))
  end

  defp cost({word, _, [_ | _] = args}, depth, nested) when word in @branches do
    ways =
      cond do
        word in [:if, :unless, :for] -> 1
        word == :with -> Enum.count(args, &match?({:<-, _, [_, _]}, &1))
        true -> 0
      end

    {plain, sections} =
      case List.last(args) do
        [{key, _} | _] = keywords when is_atom(key) ->
          {sections, options} = Enum.split_with(keywords, &section?/1)
          {[options | Enum.drop(args, -1)], sections}

        _ ->
          {args, []}
      end

    {ways, 1 + depth, nested + 1}
    |> add(cost(plain, depth + 1, nested + 1))
    |> add(sections(word, sections, depth + 1, nested + 1))
  end

  defp cost({left, _, right}, depth, nested),
    do: add(cost(left, depth, nested), cost(right, depth, nested))

  defp cost({left, right}, depth, nested),
    do: add(cost(left, depth, nested), cost(right, depth, nested))

  defp cost(list, depth, nested) when is_list(list), do: sum(list, &cost(&1, depth, nested))
  defp cost(_, _depth, _nested), do: {0, 0, 0}

  defp section?({key, _}), do: key in @sections
  defp section?(_), do: false

  defp sections(word, sections, depth, nested) do
    sum(sections, fn {key, value} ->
      extra =
        cond do
          word == :cond -> :cond
          key in [:rescue, :catch, :after] -> :each
          true -> :further
        end

      clauses(value, extra, depth, nested)
    end)
  end

  defp clauses([{:->, _, _} | _] = clauses, extra, depth, nested) do
    count = length(clauses)
    ways = if extra == :each, do: count, else: count - 1
    breaks = if extra == :cond, do: count - 1, else: 0

    bodies =
      sum(clauses, fn {:->, _, [head, body]} ->
        head = if extra == :cond, do: cost(head, depth, nested), else: {0, 0, 0}
        add(head, cost(body, depth, nested))
      end)

    add({ways, breaks, 0}, bodies)
  end

  defp clauses(body, _extra, depth, nested), do: cost(body, depth, nested)

  defp quoted({word, _, [_ | _] = args}, depth, nested)
       when word in [:unquote, :unquote_splicing],
       do: cost(args, depth, nested)

  defp quoted({left, _, right}, depth, nested),
    do: add(quoted(left, depth, nested), quoted(right, depth, nested))

  defp quoted({left, right}, depth, nested),
    do: add(quoted(left, depth, nested), quoted(right, depth, nested))

  defp quoted(list, depth, nested) when is_list(list), do: sum(list, &quoted(&1, depth, nested))
  defp quoted(_, _depth, _nested), do: {0, 0, 0}
end

Enum.each(System.argv(), &Giulia.Oracle.file/1)
