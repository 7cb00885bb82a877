defmodule Nexus.Params do
  @moduledoc "What a request says, taken apart and checked."

  alias Nexus.{Error, JSON}

  @columns_max 100

  @doc "Path and parameters of a target; a parameter may be there more than once."
  def split(target) do
    if target =~ ~r/%(?![0-9a-fA-F]{2})/, do: Error.fail(400, "a % that escapes nothing")

    {path, query} =
      case String.split(target, "?", parts: 2) do
        [path] -> {path, ""}
        [path, query] -> {path, query}
      end

    path = for part <- String.split(path, "/", trim: true), do: text(URI.decode(part))
    params = for {name, value} <- URI.query_decoder(query), do: {text(name), text(value)}
    {path, params}
  end

  defp text(value),
    do: if(String.valid?(value), do: value, else: Error.fail(400, "the path is not UTF-8"))

  @doc "The parameter, or the default."
  def one(params, name, default) do
    case List.keyfind(params, name, 0) do
      {_name, value} -> value
      nil -> default
    end
  end

  @doc "The parameter, which has to be there."
  def required(params, name),
    do: one(params, name, nil) || Error.fail(400, "`#{name}` is missing")

  @doc "A whole number within a range."
  def integer(params, name, default, range) do
    case Integer.parse(one(params, name, Integer.to_string(default))) do
      {number, ""} ->
        if number in range, do: number, else: Error.fail(400, "`#{name}` is #{inspect(range)}")

      _ ->
        Error.fail(400, "`#{name}` is a whole number")
    end
  end

  @doc "The conditions `column=operator.value` among the parameters."
  def conditions(params, not_conditions) do
    for {column, condition} <- params, column not in not_conditions do
      case String.split(condition, ".", parts: 2) do
        [operator, value] -> {column, operator, value}
        _ -> Error.fail(400, "a condition is `column=operator.value`, such as `price=gt.5`")
      end
    end
  end

  @doc "A body that is an object."
  def object(body) do
    case decoded(body) do
      %{} = object -> object
      _ -> Error.fail(400, "the body is not an object")
    end
  end

  @doc "A body that is a list of objects."
  def objects(body) do
    list = decoded(body)

    if is_list(list) and Enum.all?(list, &is_map/1),
      do: list,
      else: Error.fail(400, "the body is not a list of objects")
  end

  @doc "The columns of a new table as `{name, type, options}`."
  def columns(list) when is_list(list) and length(list) in 1..@columns_max,
    do: Enum.map(list, &column/1)

  def columns(_other), do: Error.fail(400, "`columns` is a list of 1 to #{@columns_max}")

  defp column(%{"name" => name, "type" => type} = column) do
    options =
      for(
        {key, option} <- [{"not_null", :not_null}, {"unique", :unique}, {"indexed", :indexed}],
        column[key] == true,
        do: option
      ) ++
        if(column["references"], do: [{:references, column["references"]}], else: [])

    {Nexus.SQL.name(name), Nexus.SQL.type(type), options}
  end

  defp column(_other), do: Error.fail(400, "a column has a name and a type")

  defp decoded(body) do
    case JSON.decode(body) do
      {:ok, value} -> value
      {:error, why} -> Error.fail(400, "not JSON: #{why}")
    end
  end
end
