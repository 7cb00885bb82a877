defmodule Nexus.Pathology do
  @moduledoc """
  What is wrong with this node on purpose, chosen by PATHOLOGY (names, separated by commas).

  Each grows with the requests and never shrinks: `mailbox_leak` sends a message that nobody
  reads, `binary_leak` keeps 128 bytes of 64 KB, `process_leak` leaves a process behind,
  `atom_growth` makes an atom (the VM ends at a million). `n_plus_one` is in the router: a
  list of rows is read row by row. `slow_registry` is in the registry that is a process: each
  lookup takes it a millisecond, as one that asks somebody else.
  """
  use GenServer

  @binary_bytes 65_536

  def start_link(_opts), do: GenServer.start_link(__MODULE__, :ok, name: __MODULE__)

  @doc "Whether this is switched on."
  def on?(name), do: name in :persistent_term.get({Nexus, :pathology}, [])

  @doc "Does to the node what is switched on; once a request."
  def suffer, do: Enum.each(:persistent_term.get({Nexus, :pathology}, []), &suffer/1)

  defp suffer(:mailbox_leak), do: send(__MODULE__.Mailbox, {:request, System.monotonic_time()})
  defp suffer(:binary_leak), do: GenServer.cast(__MODULE__, :keep)
  defp suffer(:process_leak), do: spawn(&read_selectively/0)
  defp suffer(:atom_growth), do: String.to_atom("request #{System.unique_integer([:positive])}")
  defp suffer(:n_plus_one), do: :ok
  defp suffer(:slow_registry), do: :ok

  @impl true
  def init(:ok) do
    if on?(:mailbox_leak),
      do: spawn_link(&read_selectively/0) |> Process.register(__MODULE__.Mailbox)

    {:ok, []}
  end

  @impl true
  def handle_cast(:keep, kept) do
    # A part of a binary keeps the whole, unless it is so small (64 bytes) that the VM copies it.
    {:noreply, [binary_part(:binary.copy("leak", div(@binary_bytes, 4)), 0, 128) | kept]}
  end

  defp read_selectively do
    receive do
      :never_sent -> :ok
    end
  end
end
