defmodule Nexus.Query do
  @moduledoc """
  A query as data, from the entry of its table: every name in it is one that the entry has.

  Columns are selected as text and carry their type, so that a row can be written as JSON
  without asking the driver what it is. Values become parameters `$1`, `$2` in the order in
  which they were added.
  """

  alias Nexus.{Error, JSON, SQL}

  defstruct [:entry, :columns, :select, from: [], where: [], tail: [], params: []]

  @operators %{
    "eq" => "=",
    "neq" => "<>",
    "gt" => ">",
    "gte" => ">=",
    "lt" => "<",
    "lte" => "<=",
    "like" => "LIKE",
    "ilike" => "ILIKE",
    "contains" => "@>"
  }

  @aggregates %{
    "sum" => "numeric",
    "avg" => "numeric",
    "min" => nil,
    "max" => nil,
    "count" => "bigint"
  }

  @doc "All rows of a table."
  def from(entry) do
    %__MODULE__{
      entry: entry,
      columns: entry.columns,
      select: texts(entry.columns),
      from: [SQL.quoted(entry.table), " t"]
    }
  end

  @doc "Only rows whose column compares so; `column` may be `column->key` of a JSON column."
  def where(query, column, "is", value) when value in ["null", "not_null"] do
    also(
      query,
      [operand_text(query, column), if(value == "null", do: " IS NULL", else: " IS NOT NULL")],
      []
    )
  end

  def where(query, column, operator, value) do
    sql =
      Map.get(@operators, operator) ||
        Error.fail(400, "not an operator: #{Enum.join(Map.keys(@operators), ", ")}, is")

    {left, keys} = operand(query, column)
    place = length(query.params) + length(keys) + 1
    also(query, [left, " ", sql, " $", Integer.to_string(place)], keys ++ [value])
  end

  @doc "Only rows of which a text column contains the text, whatever its case."
  def search(query, text) do
    case for {name, "text"} <- query.entry.columns, do: SQL.quoted(name) do
      [] ->
        Error.fail(400, "no text column to search")

      columns ->
        place = Integer.to_string(length(query.params) + 1)

        also(query, [?(, Enum.map_join(columns, " OR ", &"#{&1} ILIKE $#{place}"), ?)], [
          "%" <> like(text) <> "%"
        ])
    end
  end

  @doc "In this order; equal rows by their id, so that pages do not overlap."
  def order(query, column, direction) when direction in ["asc", "desc"] do
    known(query, column)

    tail(query, [
      # By the column, not by the text of the same name that is selected.
      " ORDER BY t.",
      SQL.quoted(column),
      " ",
      direction,
      if(column == "id", do: [], else: ", t.id")
    ])
  end

  def order(_query, _column, _direction), do: Error.fail(400, "an order is asc or desc")

  @doc "At most so many rows, after so many."
  def limit(query, limit, offset \\ 0) do
    n = length(query.params)
    query = %{query | params: query.params ++ [limit, offset]}
    tail(query, " LIMIT $#{n + 1} OFFSET $#{n + 2}")
  end

  @doc "How many rows."
  def count(query), do: %{query | columns: [{"count", "bigint"}], select: "count(*)::text"}

  @doc "Whether there is a row."
  def exists(query) do
    inner = ["EXISTS (SELECT 1 FROM ", query.from, wheres(query), ")::text"]
    %{query | columns: [{"exists", "boolean"}], select: inner, from: [], where: []}
  end

  @doc "The different values of a column."
  def distinct(query, column) do
    type = known(query, column)
    select = ["DISTINCT ", SQL.quoted(column), "::text"]
    tail(%{query | columns: [{column, type}], select: select}, " ORDER BY 1")
  end

  @doc "A figure over the rows, or over each group of them."
  def aggregate(query, function, column, group_by) do
    type = known(query, column)

    if not Map.has_key?(@aggregates, function),
      do: Error.fail(400, "not an aggregate: #{Enum.join(Map.keys(@aggregates), ", ")}")

    figure = [function, "(", SQL.quoted(column), ")::text"]
    columns = [{function, @aggregates[function] || type}]

    if group_by do
      group_type = known(query, group_by)
      group = SQL.quoted(group_by)

      query = %{
        query
        | columns: [{group_by, group_type} | columns],
          select: [group, "::text, ", figure]
      }

      tail(query, [" GROUP BY ", group, " ORDER BY t.", group])
    else
      %{query | columns: columns, select: figure}
    end
  end

  @doc "The rows below one, each with its depth, by a column that holds the parent's id."
  def tree(query, parent, root) do
    known(query, parent)
    table = SQL.quoted(query.entry.table)
    parent = SQL.quoted(parent)

    # UNION, not UNION ALL, and a bound: rows that are their own ancestors end too.
    from = [
      ["(WITH RECURSIVE tree AS (SELECT *, 0 AS depth FROM ", table, " WHERE id = $1 UNION "],
      [
        "SELECT child.*, tree.depth + 1 FROM ",
        table,
        " child JOIN tree ON child.",
        parent,
        " = tree.id WHERE tree.depth < 32) "
      ],
      "SELECT * FROM tree) t"
    ]

    columns = query.entry.columns ++ [{"depth", "integer"}]

    tail(
      %{query | columns: columns, select: texts(columns), from: from, params: [root]},
      " ORDER BY t.depth, t.id"
    )
  end

  @doc "Rows as one parameter, which PostgreSQL itself takes apart: any number is one statement."
  def insert(entry, rows, opts) do
    columns = columns_of(entry, rows)
    names = Enum.map_join(columns, ", ", &SQL.quoted/1)
    table = SQL.quoted(entry.table)

    sql = [
      ["INSERT INTO ", table, " (", names, ") SELECT ", names],
      [
        " FROM json_populate_recordset(NULL::",
        table,
        ", $1)" | returning(entry, opts[:returning])
      ]
    ]

    %{sql: sql, params: [JSON.encode(rows)]}
  end

  @doc "Changes to the rows of a query."
  def update(query, changes) do
    columns = columns_of(query.entry, [changes])
    if columns == [], do: Error.fail(400, "nothing to change")
    names = Enum.map_join(columns, ", ", &SQL.quoted/1)
    table = SQL.quoted(query.entry.table)
    place = Integer.to_string(length(query.params) + 1)

    sql = [
      ["UPDATE ", table, " SET (", names, ") = (SELECT ", names],
      [
        " FROM json_populate_record(NULL::",
        table,
        ", $",
        place,
        "))",
        wheres(query) | returning(query.entry, true)
      ]
    ]

    %{sql: sql, params: query.params ++ [JSON.encode(changes)]}
  end

  @doc "Their end."
  def delete(query), do: %{sql: ["DELETE FROM ", query.from, wheres(query)], params: query.params}

  @doc "The text of a query."
  def sql(%{sql: sql}), do: IO.iodata_to_binary(sql)

  def sql(%__MODULE__{} = query) do
    from = if query.from == [], do: [], else: [" FROM ", query.from]
    IO.iodata_to_binary(["SELECT ", query.select, from, wheres(query) | query.tail])
  end

  # --- parts -----------------------------------------------------------------------------

  defp texts(columns),
    do: Enum.map_join(columns, ", ", fn {name, _type} -> SQL.quoted(name) <> "::text" end)

  defp wheres(%{where: []}), do: []
  defp wheres(%{where: parts}), do: [" WHERE " | Enum.intersperse(Enum.reverse(parts), " AND ")]

  defp also(query, part, params),
    do: %{query | where: [part | query.where], params: query.params ++ params}

  defp tail(query, sql), do: %{query | tail: [query.tail | sql]}

  defp returning(_entry, nil), do: []
  defp returning(entry, true), do: [" RETURNING " | texts(entry.columns)]

  # A column, or a key within a JSON column; the key is a value, so it is a parameter.
  defp operand(query, column) do
    case String.split(column, "->", parts: 2) do
      [column] ->
        known(query, column)
        {SQL.quoted(column), []}

      [column, key] ->
        if known(query, column) != "jsonb", do: Error.fail(400, "#{column} is not a jsonb column")

        {["(", SQL.quoted(column), " ->> $", Integer.to_string(length(query.params) + 1), ")"],
         [key]}
    end
  end

  defp operand_text(query, column) do
    known(query, column)
    SQL.quoted(column)
  end

  defp known(query, column) do
    case List.keyfind(query.entry.columns, column, 0) do
      {_name, type} -> type
      nil -> Error.fail(400, "no such column")
    end
  end

  defp columns_of(entry, rows) do
    keys = rows |> Enum.flat_map(&Map.keys/1) |> Enum.uniq()
    names = for {name, _type} <- entry.columns, do: name
    if keys -- names != [], do: Error.fail(400, "no such column: #{hd(keys -- names)}")
    for name <- names, name in keys, do: name
  end

  # What LIKE takes for a pattern is a plain character in a search.
  defp like(text), do: String.replace(text, ["\\", "%", "_"], &("\\" <> &1))
end
