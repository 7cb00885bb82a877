defmodule KV.Registry do
  @moduledoc "Names of buckets."
  # Rests on its process: each lookup is a message to it and waits for its turn.
  use GenServer

  @doc "Starts the registry; `:name` is required."
  def start_link(opts) do
    _ = Keyword.fetch!(opts, :name)
    GenServer.start_link(__MODULE__, :ok, opts)
  end

  @doc "`{:ok, pid}` of the bucket `name`, or `:error`."
  def lookup(server, name), do: GenServer.call(server, {:lookup, name})

  @doc "Ensures there is a bucket `name`."
  def create(server, name), do: GenServer.cast(server, {:create, name})

  @impl true
  def init(:ok), do: {:ok, {%{}, %{}}}

  @impl true
  def handle_call({:lookup, name}, _from, {names, _refs} = state) do
    {:reply, Map.fetch(names, name), state}
  end

  @impl true
  def handle_cast({:create, name}, {names, refs}) do
    if Map.has_key?(names, name) do
      {:noreply, {names, refs}}
    else
      {:ok, pid} = DynamicSupervisor.start_child(KV.BucketSupervisor, KV.Bucket)
      ref = Process.monitor(pid)
      {:noreply, {Map.put(names, name, pid), Map.put(refs, ref, name)}}
    end
  end

  @impl true
  def handle_info({:DOWN, ref, :process, _pid, _reason}, {names, refs}) do
    {name, refs} = Map.pop(refs, ref)
    {:noreply, {Map.delete(names, name), refs}}
  end

  def handle_info(_msg, state), do: {:noreply, state}
end
