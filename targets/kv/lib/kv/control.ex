defmodule KV.Control do
  @moduledoc """
  A socket on the loopback interface through which `scripts/kv` talks to this node.

  The port and a token are in a file that only the node's user may read. A request is one
  line, the token and then `status` or `load NAME=NUMBER ...`; the answer is any number of
  lines, the last of which begins with `ok` or `error`. A caller that hangs up ends its load.
  """
  use Task, restart: :permanent

  alias KV.Load

  def start_link(file), do: Task.start_link(__MODULE__, :listen, [file])

  @doc false
  def listen(file) do
    options = [:binary, packet: :line, active: false, reuseaddr: true, ip: {127, 0, 0, 1}]
    {:ok, listener} = :gen_tcp.listen(0, options)
    {:ok, port} = :inet.port(listener)
    token = Base.encode16(:crypto.strong_rand_bytes(16), case: :lower)
    publish(file, "#{port} #{token}\n")
    accept(listener, token)
  end

  @doc false
  def serve(socket, token) do
    receive do
      :yours -> :ok
    end

    with {:ok, line} <- :gen_tcp.recv(socket, 0, 5_000) do
      case String.split(line) do
        [^token | request] -> answer(socket, request)
        _ -> say(socket, "error not the token of this node")
      end
    end

    :gen_tcp.close(socket)
  end

  # Whoever sees the file sees all of it.
  defp publish(file, text) do
    new = file <> ".new"
    File.rm(new)
    File.touch!(new)
    File.chmod!(new, 0o600)
    File.write!(new, text)
    File.rename!(new, file)
  end

  defp accept(listener, token) do
    {:ok, socket} = :gen_tcp.accept(listener)

    {:ok, pid} =
      Task.Supervisor.start_child(KV.LoadSupervisor, __MODULE__, :serve, [socket, token])

    # The socket may be closed already.
    _ = :gen_tcp.controlling_process(socket, pid)
    send(pid, :yours)
    accept(listener, token)
  end

  defp answer(socket, ["status"]) do
    %{active: n_buckets} = DynamicSupervisor.count_children(KV.BucketSupervisor)

    say(
      socket,
      "ok os_pid=#{System.pid()} node=#{node()} otp=#{System.otp_release()} " <>
        "elixir=#{System.version()} buckets=#{n_buckets}"
    )
  end

  defp answer(socket, ["load" | words]) do
    case Load.Options.parse(words) do
      {:ok, options} -> load(socket, options)
      {:error, text} -> say(socket, "error " <> text)
    end
  end

  defp answer(socket, _request),
    do: say(socket, "error requests are: status, load NAME=NUMBER ...")

  defp load(socket, options) do
    me = self()
    :ok = :inet.setopts(socket, active: :once)
    load = Task.async(fn -> Load.run(options, &send(me, {:line, &1})) end)
    relay(socket, load.ref)
  end

  defp relay(socket, ref) do
    receive do
      {:line, line} ->
        say(socket, line)
        relay(socket, ref)

      {^ref, result} ->
        say(
          socket,
          Enum.join(["ok" | Enum.map(result, fn {name, it} -> "#{name}=#{it}" end)], " ")
        )

      # The load is linked to this process and ends with it.
      {:tcp_closed, ^socket} ->
        exit(:shutdown)

      {:tcp, ^socket, _line} ->
        :inet.setopts(socket, active: :once)
        relay(socket, ref)
    end
  end

  defp say(socket, line), do: :gen_tcp.send(socket, line <> "\n")
end
