defmodule KV.ControlTest do
  use ExUnit.Case

  setup do
    file = Path.join(System.tmp_dir!(), "kv-control-#{System.unique_integer([:positive])}")
    start_supervised!({KV.Control, file})
    on_exit(fn -> File.rm(file) end)
    %{control: file, at: read(file)}
  end

  defp read(file) do
    case File.read(file) do
      {:ok, text} ->
        [port, token] = String.split(text)
        {String.to_integer(port), token}

      {:error, :enoent} ->
        Process.sleep(1)
        read(file)
    end
  end

  defp ask({port, token}, request) do
    {:ok, socket} =
      :gen_tcp.connect({127, 0, 0, 1}, port, [:binary, packet: :line, active: false])

    :ok = :gen_tcp.send(socket, "#{token} #{request}\n")
    socket
  end

  defp lines(socket) do
    case :gen_tcp.recv(socket, 0, 10_000) do
      {:ok, line} -> [String.trim(line) | lines(socket)]
      {:error, :closed} -> []
    end
  end

  test "the file is the user's own", %{control: file} do
    assert Bitwise.band(File.stat!(file).mode, 0o777) == 0o600
  end

  test "says who it is", %{at: at} do
    pid = "os_pid=" <> System.pid()
    assert [status] = lines(ask(at, "status"))
    assert ["ok", ^pid | _] = String.split(status)
  end

  test "a load ends with its figures", %{at: at} do
    answer = lines(ask(at, "load seconds=1 rate=50 concurrency=5 each=1"))
    # How many of the fifty had ended by then is the machine's affair.
    assert "second 1: " <> second = Enum.find(answer, &(&1 =~ "second 1"))
    assert {n_ended, " operations/s" <> _} = Integer.parse(second)
    assert n_ended in 1..50
    assert "ok " <> result = List.last(answer)
    assert result =~ "operations=50 "
  end

  test "refuses what it does not know", %{at: {port, _} = at} do
    assert ["error not the token of this node"] = lines(ask({port, "guess"}, "status"))
    assert ["error requests are: " <> _] = lines(ask(at, "shutdown"))
    assert ["error seconds is from 1 to " <> _] = lines(ask(at, "load seconds=0"))
  end

  test "who hangs up ends the load", %{at: at} do
    socket = ask(at, "load seconds=60 concurrency=3")
    assert {:ok, "load: " <> _} = :gen_tcp.recv(socket, 0, 10_000)
    # The caller's own and three workers.
    assert children_become?(4)
    :gen_tcp.close(socket)
    assert children_become?(0)
  end

  defp children_become?(expected, n_tries \\ 2_000) do
    cond do
      length(Task.Supervisor.children(KV.LoadSupervisor)) == expected ->
        true

      n_tries == 0 ->
        false

      true ->
        Process.sleep(1)
        children_become?(expected, n_tries - 1)
    end
  end
end
