defmodule Nexus.MixProject do
  use Mix.Project

  # All four are `Nexus.Registry.TableRegistry` with the same exported functions; REGISTRY
  # chooses at compile time, and each has a build folder of its own. NEXUS_COUNTED=1 builds
  # the same modules with a counter in each function (see `Nexus.Counted`).
  @registries ~w(db genserver ets persistent_term)

  def project do
    registry = registry(System.get_env("REGISTRY", "db"))

    [
      app: :nexus,
      version: "0.1.0",
      elixir: "~> 1.14",
      elixirc_paths: ["lib", "registries/" <> registry],
      build_path: "_build/" <> registry,
      consolidate_protocols: false,
      # A library of the machine's Erlang, of which mix knows nothing.
      elixirc_options: [no_warn_undefined: [:pgsql, :pgsql_proto]],
      deps: []
    ]
  end

  # The driver, erlang-p1-pgsql, is a library of the machine's Erlang and is not started: its
  # application would start TLS, and connections are started by the pools here.
  def application do
    [extra_applications: [:logger, :crypto], mod: {Nexus, []}]
  end

  defp registry(name) when name in @registries, do: name

  defp registry(name) do
    Mix.raise("REGISTRY=#{name} is none of #{Enum.join(@registries, ", ")}")
  end
end
