defmodule Nexus.Operations do
  @moduledoc "What can be done with a table: each is one call of `Nexus.Repo`, but for the export."

  alias Nexus.{Error, Params, Pathology, Query, Repo, Rows}

  @limit_max 10_000
  # Not conditions but how to answer.
  @words ~w(order limit offset page per_page q column function group_by root parent)
  # Rows of an export that are in memory as terms at a time.
  @export_rows 5_000

  @doc "Rows by condition, order and place."
  def select(entry, params) do
    query = entry |> where(params) |> ordered(params) |> limited(params)
    rows = query |> Repo.all() |> n_plus_one(entry, Pathology.on?(:n_plus_one))
    %{rows: Rows.objects(rows, entry.columns)}
  end

  @doc "One page, and whether there is another."
  def page(entry, params) do
    page = Params.integer(params, "page", 1, 1..1_000_000)
    per_page = Params.integer(params, "per_page", 20, 1..1_000)

    query =
      entry
      |> where(params)
      |> ordered(params)
      |> Query.limit(per_page + 1, (page - 1) * per_page)

    {rows, more} = query |> Repo.all() |> Enum.split(per_page)

    %{
      rows: Rows.objects(rows, entry.columns),
      page: page,
      per_page: per_page,
      has_more: more != []
    }
  end

  @doc "Rows of which a text has the words."
  def search(entry, params) do
    query = entry |> where(params) |> Query.search(Params.required(params, "q"))
    rows = query |> ordered(params) |> limited(params) |> Repo.all()
    %{rows: Rows.objects(rows, entry.columns)}
  end

  @doc "The different values of a column."
  def distinct(entry, params) do
    query =
      entry
      |> where(params)
      |> Query.distinct(Params.required(params, "column"))
      |> limited(params)

    [{_name, type}] = query.columns
    %{values: for([value] <- Repo.all(query), do: Rows.value(value, type))}
  end

  @doc "How many rows there are."
  def count(entry, params), do: figure(entry |> where(params) |> Query.count())

  @doc "Whether there is one."
  def exists(entry, params), do: figure(entry |> where(params) |> Query.exists())

  @doc "Sum, average, smallest, largest or count of a column, for all rows or for each group."
  def aggregate(entry, params) do
    group_by = Params.one(params, "group_by", nil)
    function = Params.required(params, "function")

    query =
      entry
      |> where(params)
      |> Query.aggregate(function, Params.required(params, "column"), group_by)

    if group_by,
      do: %{groups: Rows.objects(Repo.all(query), query.columns)},
      else: figure(query)
  end

  @doc "A row and all below it."
  def tree(entry, params) do
    query =
      entry
      |> Query.from()
      |> Query.tree(Params.one(params, "parent", "parent_id"), Params.required(params, "root"))

    %{rows: Rows.objects(Repo.all(query), query.columns)}
  end

  @doc "One row."
  def get(entry, id) do
    row = entry |> by_id(id) |> Repo.one()
    if row, do: Rows.object(row, entry.columns), else: no_such_row()
  end

  @doc "Inserts a row and returns it."
  def insert(entry, row) do
    if row == %{}, do: Error.fail(400, "an empty row")
    {[row], 1} = Repo.insert_all(entry, [row], returning: true)
    Rows.object(row, entry.columns)
  end

  @doc "Inserts all rows or none."
  def batch(_entry, []), do: %{inserted: 0}

  def batch(entry, rows) do
    if Enum.all?(rows, &(&1 == %{})), do: Error.fail(400, "empty rows")
    {_rows, count} = Repo.insert_all(entry, rows, [])
    %{inserted: count}
  end

  @doc "Changes a row and returns it."
  def update(entry, id, changes) do
    case entry |> by_id(id) |> Repo.update_all(changes) do
      {[row], 1} -> Rows.object(row, entry.columns)
      {[], 0} -> no_such_row()
    end
  end

  @doc "Deletes a row."
  def delete(entry, id) do
    if entry |> by_id(id) |> Repo.delete_all() == 0, do: no_such_row(), else: :ok
  end

  @doc "Deletes the rows of a condition, which has to be there."
  def delete_where(entry, params) do
    if Params.conditions(params, @words) == [],
      do: Error.fail(400, "which rows? `column=operator.value`")

    %{deleted: entry |> where(params) |> Repo.delete_all()}
  end

  @doc "All rows of a condition as CSV."
  def export(entry, params) do
    [Rows.csv_head(entry.columns) | export_after(where(entry, params), "0")]
  end

  defp export_after(query, id) do
    rows =
      query
      |> Query.where("id", "gt", id)
      |> Query.order("id", "asc")
      |> Query.limit(@export_rows)
      |> Repo.all()

    lines = rows |> Rows.csv_lines() |> IO.iodata_to_binary()

    case rows do
      [_ | _] when length(rows) == @export_rows ->
        [lines | export_after(query, hd(List.last(rows)))]

      _ ->
        [lines]
    end
  end

  # --- parts -----------------------------------------------------------------------------

  defp where(entry, params) do
    conditions = Params.conditions(params, @words)

    Enum.reduce(conditions, Query.from(entry), fn {column, operator, value}, query ->
      Query.where(query, column, operator, value)
    end)
  end

  defp by_id(entry, id), do: entry |> Query.from() |> Query.where("id", "eq", id)

  defp ordered(query, params) do
    case String.split(Params.one(params, "order", "id"), ".", parts: 2) do
      [column] -> Query.order(query, column, "asc")
      [column, direction] -> Query.order(query, column, direction)
    end
  end

  defp limited(query, params) do
    limit = Params.integer(params, "limit", 100, 0..@limit_max)
    Query.limit(query, limit, Params.integer(params, "offset", 0, 0..1_000_000_000))
  end

  defp figure(%{columns: [{name, type}]} = query) do
    [value] = Repo.one(query)
    %{name => Rows.value(value, type)}
  end

  # What an object mapper does to a list when nobody looks: a query for each row.
  defp n_plus_one(rows, _entry, false), do: rows

  defp n_plus_one(rows, entry, true),
    do: for([id | _] <- rows, row = entry |> by_id(id) |> Repo.one(), do: row)

  defp no_such_row, do: Error.fail(404, "no such row")
end
