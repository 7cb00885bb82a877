defmodule Nexus.SQL do
  @moduledoc """
  The only place where text becomes SQL.

  A name is checked and then quoted; a value is never part of the text but a parameter.
  """

  alias Nexus.Error

  # PostgreSQL's own limit (NAMEDATALEN), which cuts longer names silently.
  @name_bytes_max 63

  @types ~w(text integer bigint numeric float boolean jsonb timestamp date)
  @native %{"float" => "double precision", "timestamp" => "timestamp with time zone"}

  @doc "The name if it may be one of a table, column or database; raises `Nexus.Error`."
  def name(text) when is_binary(text) and byte_size(text) <= @name_bytes_max do
    if text =~ ~r/\A[a-z_][a-z0-9_]*\z/ do
      text
    else
      Error.fail(400, "not a name: lower-case letters, digits and _ only")
    end
  end

  def name(_other), do: Error.fail(400, "not a name: a text of at most #{@name_bytes_max} bytes")

  @doc "A checked name as SQL."
  def quoted(text), do: "\"" <> name(text) <> "\""

  @doc "The type if it is one of ours."
  def type(text) when text in @types, do: text
  def type(_other), do: Error.fail(400, "not a type: one of #{Enum.join(@types, ", ")}")

  @doc "What PostgreSQL calls it."
  def native(type), do: Map.get(@native, type, type)
end
