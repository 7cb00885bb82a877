defmodule KV.Registry do
  @moduledoc "Names of buckets."
  # Rests on Elixir's `Registry`, which is ETS too: a bucket registers itself, nobody's
  # process is on the way of a lookup, and a dead bucket is never returned.
  # This process only owns the `Registry`, which has the name; it is a GenServer so that the
  # four registries export the same functions.
  use GenServer

  @doc "Starts the registry; `:name` is required."
  def start_link(opts) do
    GenServer.start_link(__MODULE__, Keyword.fetch!(opts, :name))
  end

  @doc "`{:ok, pid}` of the bucket `name`, or `:error`."
  def lookup(server, name) do
    # Not `Registry.lookup/2`: that one does not look whether the process lives, and returns
    # a dead one until its entry is removed (seen on 1.14 and 1.18).
    case Registry.whereis_name({server, name}) do
      :undefined -> :error
      pid -> {:ok, pid}
    end
  end

  @doc "Ensures there is a bucket `name`."
  def create(server, name) do
    case lookup(server, name) do
      {:ok, pid} -> pid
      :error -> start_bucket({KV.Bucket, name: {:via, Registry, {server, name}}})
    end
  end

  @impl true
  def init(server) do
    case Registry.start_link(keys: :unique, name: server) do
      {:ok, registry} ->
        {:ok, registry}

      {:error, {:already_started, earlier}} ->
        # That of an earlier owner is on its way out: it dies with the owner, a moment later.
        ref = Process.monitor(earlier)

        receive do
          {:DOWN, ^ref, :process, ^earlier, _reason} -> init(server)
        end
    end
  end

  # Of two clients that create one name at once, the second gets the bucket of the first.
  defp start_bucket(bucket) do
    case DynamicSupervisor.start_child(KV.BucketSupervisor, bucket) do
      {:ok, pid} -> pid
      {:error, {:already_started, pid}} -> pid
    end
  end
end
