defmodule NexusClient do
  @moduledoc """
  Drives Nexus over HTTP from a program of its own: the suite, the load, and what a load of a
  known size must have called.

  Elixir and not another language, because whoever can run the target has it, and because one
  scheduler of it keeps twenty connections busy at a tenth of the target's own cost.
  """

  alias NexusClient.{HTTP, Load, Suite, Truth}

  @doc "Runs a command; ends with exit code 0, or 1 if something did not hold."
  def main(words) do
    System.halt(run(Enum.map(words, &to_string/1)))
  rescue
    error in HTTP.Error ->
      IO.puts(:stderr, "nexus: #{Exception.message(error)}")
      System.halt(2)
  end

  defp run(["prepare", port]), do: Load.prepare(String.to_integer(port))
  defp run(["suite", port]), do: Suite.run(String.to_integer(port))

  defp run(["load", port, seconds, workers, requests]) do
    [port, seconds, workers, requests] =
      Enum.map([port, seconds, workers, requests], &String.to_integer/1)

    Load.run(port, seconds, workers, requests)
  end

  defp run(["truth", file, requests]), do: Truth.print(file, String.to_integer(requests))
end
