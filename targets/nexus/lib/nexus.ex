defmodule Nexus do
  @moduledoc """
  An API gateway in front of PostgreSQL: databases that come and go at run time, tables whose
  columns are data, and a REST interface over both.

  A request runs in the process of its connection: from `Nexus.HTTP.Connection` through
  `Nexus.Router`, `Nexus.Operations` and `Nexus.Repo` to a pool of connections, `Nexus.Pool`.
  What a table looks like is asked of `Nexus.Registry.TableRegistry` before every operation.
  """
  use Application

  alias Nexus.{Counted, Pool, Settings}

  @impl true
  def start(_type, _args) do
    Nexus.Logging.configure(Settings.logger(), Settings.log_level())
    # The driver writes a request in parts; without this the second waits for a late answer.
    Application.put_env(:kernel, :inet_default_connect_options, nodelay: true)
    :persistent_term.put({Nexus, :pathology}, Settings.pathology())
    if Counted.counted?(), do: Counted.start([Nexus.Repo, Nexus.Registry.TableRegistry])

    children = [
      {Registry, keys: :unique, name: Pool.Names},
      Nexus.Registry.TableRegistry,
      {Pool, {Settings.default_database(), Settings.pool_size()}},
      Nexus.Databases,
      Nexus.Catalog,
      Nexus.Pathology,
      {Task.Supervisor, name: Nexus.HTTP.Connections},
      {Nexus.HTTP.Acceptor, Settings.http_port()}
    ]

    # What comes later rests on what comes earlier.
    Supervisor.start_link(children, strategy: :rest_for_one, name: Nexus.Supervisor)
  end
end
