defmodule Sample.Ticker do
  @moduledoc "Reads the cache ten times in each period, bumps the agent once, and does it in a task."
  use GenServer

  @period_ms 100
  @reads 10

  def start_link(_options), do: GenServer.start_link(__MODULE__, :ok, name: __MODULE__)

  @impl true
  def init(:ok) do
    {:ok, _} = Registry.register(Sample.Registry, :ticker, nil)
    {:ok, 0, {:continue, :tick}}
  end

  @impl true
  def handle_continue(:tick, ticks), do: tick(ticks)

  @impl true
  def handle_info(:tick, ticks), do: tick(ticks)
  def handle_info(_other, ticks), do: {:noreply, ticks}

  defp tick(ticks) do
    task =
      Task.Supervisor.async_nolink(Sample.Tasks, fn ->
        for key <- 1..@reads, do: Sample.Cache.fetch(key)
        Sample.Counter.bump()
      end)

    Task.await(task)
    Process.send_after(self(), :tick, @period_ms)
    {:noreply, ticks + 1}
  end
end
