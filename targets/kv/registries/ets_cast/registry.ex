defmodule KV.Registry do
  @moduledoc "Names of buckets."
  # Rests on ETS. Racy, as the guide's first attempt is: `create/2` returns before the table
  # is written, and nothing waits for the `:DOWN` of a bucket.
  use GenServer

  @doc "Starts the registry; `:name` is required, and names the table too."
  def start_link(opts) do
    server = Keyword.fetch!(opts, :name)
    GenServer.start_link(__MODULE__, server, opts)
  end

  @doc "`{:ok, pid}` of the bucket `name`, or `:error`."
  def lookup(server, name) do
    case :ets.lookup(server, name) do
      [{^name, pid}] -> {:ok, pid}
      [] -> :error
    end
  end

  @doc "Ensures there is a bucket `name`."
  def create(server, name), do: GenServer.cast(server, {:create, name})

  @impl true
  def init(table) do
    names = :ets.new(table, [:named_table, read_concurrency: true])
    {:ok, {names, %{}}}
  end

  @impl true
  def handle_cast({:create, name}, {names, refs}) do
    case lookup(names, name) do
      {:ok, _pid} ->
        {:noreply, {names, refs}}

      :error ->
        {:ok, pid} = DynamicSupervisor.start_child(KV.BucketSupervisor, KV.Bucket)
        ref = Process.monitor(pid)
        :ets.insert(names, {name, pid})
        {:noreply, {names, Map.put(refs, ref, name)}}
    end
  end

  @impl true
  def handle_info({:DOWN, ref, :process, _pid, _reason}, {names, refs}) do
    {name, refs} = Map.pop(refs, ref)
    :ets.delete(names, name)
    {:noreply, {names, refs}}
  end

  def handle_info(_msg, state), do: {:noreply, state}
end
