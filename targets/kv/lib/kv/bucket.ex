defmodule KV.Bucket do
  @moduledoc "The guide's bucket: an agent around a map."
  use Agent, restart: :temporary

  @doc "Starts a bucket; `:name` is the only option, and one of the registries uses it."
  def start_link(opts), do: Agent.start_link(fn -> %{} end, opts)

  @doc "The value of `key`, or nil."
  def get(bucket, key), do: Agent.get(bucket, &Map.get(&1, key))

  @doc "Puts `value` under `key`."
  def put(bucket, key, value), do: Agent.update(bucket, &Map.put(&1, key, value))

  @doc "Removes `key` and returns what it had."
  def delete(bucket, key), do: Agent.get_and_update(bucket, &Map.pop(&1, key))
end
