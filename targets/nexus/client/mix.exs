defmodule NexusClient.MixProject do
  use Mix.Project

  # The JSON of the application, for OTPs that have none.
  def project do
    [
      app: :nexus_client,
      version: "0.1.0",
      elixir: "~> 1.14",
      elixirc_paths: ["lib", Path.expand("../lib/nexus/json", __DIR__)],
      consolidate_protocols: false,
      elixirc_options: [no_warn_undefined: [:json]],
      deps: []
    ]
  end

  def application, do: [extra_applications: [:crypto]]
end
