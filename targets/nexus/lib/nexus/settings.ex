defmodule Nexus.Settings do
  @moduledoc "What the environment chooses; `scripts/nexus start` sets it."

  @switches ~w(mailbox_leak n_plus_one binary_leak process_leak atom_growth slow_registry)

  @doc "Where the REST interface listens, on the loopback address."
  def http_port, do: integer("NEXUS_PORT", 4040)

  @doc "Connections a database."
  def pool_size, do: integer("POOL", 20)

  @doc "The PostgreSQL server; every database is one of its own."
  def server do
    [
      host: env("NEXUS_PG_HOST", "127.0.0.1"),
      port: integer("NEXUS_PG_PORT", 5440),
      user: env("NEXUS_PG_USER", "nexus"),
      password: env("NEXUS_PG_PASSWORD", "")
    ]
  end

  @doc "The database of a request that names none."
  def default_database, do: "nexus"

  @doc "`sync` or `async`: whether a log call waits for its line to be written."
  def logger, do: one_of("LOGGER", "async", ~w(sync async))

  @doc "The lowest level that is logged; each request is one line of `info`."
  def log_level, do: String.to_atom(one_of("LOG_LEVEL", "info", ~w(debug info warning error)))

  @doc "What is wrong with this node on purpose; see `Nexus.Pathology`."
  def pathology do
    names = "PATHOLOGY" |> env("") |> String.split(",", trim: true)

    for name <- names do
      if name not in @switches do
        raise ArgumentError, "PATHOLOGY=#{name} is none of #{Enum.join(@switches, ", ")}"
      end

      String.to_atom(name)
    end
  end

  defp env(name, default) do
    case System.get_env(name, "") do
      "" -> default
      value -> value
    end
  end

  defp integer(name, default) do
    case Integer.parse(env(name, Integer.to_string(default))) do
      {number, ""} when number > 0 -> number
      _ -> raise ArgumentError, "#{name}=#{env(name, "")} is not a number above 0"
    end
  end

  defp one_of(name, default, known) do
    value = env(name, default)

    if value in known,
      do: value,
      else: raise(ArgumentError, "#{name}=#{value} is none of #{Enum.join(known, ", ")}")
  end
end
