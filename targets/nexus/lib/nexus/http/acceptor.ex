defmodule Nexus.HTTP.Acceptor do
  @moduledoc "Takes connections on the loopback address; each is served by a process of its own."
  use Task, restart: :permanent

  alias Nexus.HTTP.{Connection, Connections}

  # More connections than this wait for their turn in the kernel.
  @backlog 256

  def start_link(port) do
    options = [
      :binary,
      packet: :http_bin,
      packet_size: 16_384,
      active: false,
      reuseaddr: true,
      nodelay: true,
      backlog: @backlog,
      ip: {127, 0, 0, 1}
    ]

    # In the caller, so that a busy port is a failed start with its reason.
    case :gen_tcp.listen(port, options) do
      {:ok, listener} ->
        {:ok, task} = Task.start_link(__MODULE__, :accept, [listener])
        :ok = :gen_tcp.controlling_process(listener, task)
        {:ok, task}

      {:error, reason} ->
        {:error, {:listen, port, reason}}
    end
  end

  @doc false
  def accept(listener) do
    case :gen_tcp.accept(listener) do
      {:ok, socket} -> serve(socket)
      # A client that left before its turn, or too many open files: the next may do.
      {:error, reason} when reason in [:econnaborted, :emfile, :enfile] -> Process.sleep(10)
    end

    accept(listener)
  end

  defp serve(socket) do
    {:ok, pid} = Task.Supervisor.start_child(Connections, Connection, :serve, [socket])
    # The socket may be closed already.
    _ = :gen_tcp.controlling_process(socket, pid)
    send(pid, :yours)
  end
end
