defmodule Nexus.Error do
  @moduledoc "What went wrong with a request, as the status and text of its answer."
  defexception [:status, :message, :code]

  @doc "An error that the client caused or has to know."
  def new(status, message, code \\ nil),
    do: %__MODULE__{status: status, message: message, code: code}

  @doc "Raises it."
  @spec fail(pos_integer, String.t()) :: no_return
  def fail(status, message), do: raise(new(status, message))

  # PostgreSQL's error codes, appendix A of its manual: who is to blame.
  @conflict ~w(23505 23503 42P07 42P04 55006 2BP01)
  @missing ~w(42P01 3D000)

  @doc "PostgreSQL's error as one of ours."
  def from_postgres(fields) do
    code = fields |> Keyword.get(:code, "") |> to_string()
    message = fields |> Keyword.get(:message, "unknown") |> to_string()
    new(status(code), message, code)
  end

  defp status(code) when code in @conflict, do: 409
  defp status(code) when code in @missing, do: 404
  # Data exceptions, integrity constraints, syntax and names.
  defp status(<<class::binary-size(2), _::binary>>) when class in ~w(22 23 42), do: 400
  # Insufficient resources, operator intervention, system errors.
  defp status(<<class::binary-size(2), _::binary>>) when class in ~w(53 57 58), do: 503
  defp status(_code), do: 500
end
