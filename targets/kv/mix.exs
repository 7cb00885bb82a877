defmodule KV.MixProject do
  use Mix.Project

  # All four are `KV.Registry` with the same exported functions; KV_REGISTRY chooses at
  # compile time, and each has a build folder of its own.
  @registries ~w(genserver ets_cast ets_call registry)

  def project do
    registry = registry(System.get_env("KV_REGISTRY", "genserver"))

    [
      app: :kv,
      version: "0.1.0",
      elixir: "~> 1.10",
      elixirc_paths: ["lib", "registries/" <> registry],
      build_path: "_build/" <> registry,
      consolidate_protocols: false,
      deps: []
    ]
  end

  def application do
    [extra_applications: [:logger, :crypto], mod: {KV, []}]
  end

  defp registry(name) when name in @registries, do: name

  defp registry(name) do
    Mix.raise("KV_REGISTRY=#{name} is none of #{Enum.join(@registries, ", ")}")
  end
end
