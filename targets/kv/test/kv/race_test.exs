defmodule KV.RaceTest do
  @moduledoc """
  The guide's races, made certain: the registry is suspended while a client does what the
  guide does, so that everything that does not wait for the registry is ahead of it.

  KV_RUNS is the number of runs, by default 10; each test prints how many failed.
  """
  use ExUnit.Case

  @runs String.to_integer(System.get_env("KV_RUNS", "10"))

  setup context do
    _ = start_supervised!({KV.Registry, name: context.test})
    %{registry: context.test}
  end

  test "a created bucket is seen", %{registry: registry} do
    never_fails("create", fn name ->
      :sys.suspend(registry)

      seen =
        while_suspended(registry, fn ->
          KV.Registry.create(registry, name)
          KV.Registry.lookup(registry, name)
        end)

      match?({:ok, _bucket}, seen)
    end)
  end

  test "a bucket that stopped is not seen", %{registry: registry} do
    never_fails("exit", fn name -> gone?(registry, name, :normal) end)
  end

  test "a bucket that crashed is not seen", %{registry: registry} do
    never_fails("crash", fn name -> gone?(registry, name, :shutdown) end)
  end

  # Nobody promises that it is not, so either is right; each registry always does the same.
  test "a dead bucket is seen, or is not, until its DOWN is handled", %{registry: registry} do
    n_failed =
      failures("stale", fn name ->
        suspended_with_a_dead_bucket(registry, name, :normal)
        while_suspended(registry, fn -> KV.Registry.lookup(registry, name) end) == :error
      end)

    assert n_failed in [0, @runs]
  end

  defp gone?(registry, name, reason) do
    suspended_with_a_dead_bucket(registry, name, reason)

    seen =
      while_suspended(registry, fn ->
        # The guide's call to ensure the registry processed the DOWN message
        _ = KV.Registry.create(registry, "bogus " <> name)
        KV.Registry.lookup(registry, name)
      end)

    seen == :error
  end

  defp suspended_with_a_dead_bucket(registry, name, reason) do
    KV.Registry.create(registry, name)
    bucket = looked_up(registry, name)
    :sys.suspend(registry)
    Agent.stop(bucket, reason)
    # The guide takes the DOWN to be in the mailbox when `stop` returns. Nothing orders the
    # signals to two processes, so the test waits until it is there.
    until(fn -> not monitors?(registry, bucket) end)
  end

  defp failures(race, run) do
    n_failed = Enum.count(1..@runs, fn n -> not run.("shopping #{n}") end)
    IO.puts("race #{race}: failed #{n_failed} of #{@runs}")
    n_failed
  end

  defp never_fails(race, run) do
    n_failed = failures(race, run)
    assert n_failed == 0, "#{race}: not what the guide expects in #{n_failed} of #{@runs} runs"
  end

  # What the client got. The registry goes on when the client has finished without it, or
  # when the client's call is in its mailbox.
  defp while_suspended(registry, client) do
    client = Task.async(client)
    until(fn -> not Process.alive?(client.pid) or called?(registry) end)
    :sys.resume(registry)
    Task.await(client)
  end

  defp called?(registry) do
    {:messages, messages} = Process.info(Process.whereis(registry), :messages)
    Enum.any?(messages, &match?({:"$gen_call", _from, _request}, &1))
  end

  defp monitors?(registry, bucket) do
    {:monitors, monitored} = Process.info(Process.whereis(registry), :monitors)
    {:process, bucket} in monitored
  end

  defp looked_up(registry, name) do
    case KV.Registry.lookup(registry, name) do
      {:ok, bucket} ->
        bucket

      :error ->
        :erlang.yield()
        looked_up(registry, name)
    end
  end

  defp until(condition) do
    unless condition.() do
      :erlang.yield()
      until(condition)
    end
  end
end
