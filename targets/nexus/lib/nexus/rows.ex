defmodule Nexus.Rows do
  @moduledoc "Rows of texts as JSON or CSV, by the types of their columns."

  alias Nexus.JSON

  @doc "An object for a row."
  def object(row, columns), do: {:json, JSON.object(pairs(columns, row))}

  @doc "A list of them."
  def objects(rows, columns), do: Enum.map(rows, &object(&1, columns))

  @doc "The value of a text of this type, ready for JSON."
  def value(nil, _type), do: nil
  # PostgreSQL's text of these is JSON, apart from the numbers that JSON does not have.
  def value(text, _type) when text in ["NaN", "Infinity", "-Infinity"], do: text

  def value(text, type) when type in ~w(integer bigint numeric float boolean jsonb),
    do: {:json, text}

  def value(text, _type), do: text

  @doc "Lines of RFC 4180, with a head; null is an empty field, and an empty text is quoted."
  def csv(rows, columns), do: [csv_head(columns) | csv_lines(rows)]

  @doc "The head alone."
  def csv_head(columns), do: line(for {name, _type} <- columns, do: name)

  @doc "The lines alone."
  def csv_lines(rows), do: Enum.map(rows, &line/1)

  defp pairs([], []), do: []

  defp pairs([{name, type} | columns], [text | row]),
    do: [{name, value(text, type)} | pairs(columns, row)]

  defp line(fields), do: [Enum.intersperse(Enum.map(fields, &field/1), ?,) | "\r\n"]

  defp field(nil), do: []
  defp field(""), do: "\"\""

  defp field(text) do
    if String.contains?(text, [",", "\"", "\r", "\n"]),
      do: [?", String.replace(text, "\"", "\"\""), ?"],
      else: text
  end
end
