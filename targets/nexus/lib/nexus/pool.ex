defmodule Nexus.Pool do
  @moduledoc """
  The connections of one database, each lent to one process at a time.

  A connection is a process of the driver (`:pgsql_proto`), which owns the conversation, and
  one more (`:pgsql_socket`), which owns the socket. All are opened when the pool starts, so
  a database that is not there is known at once; one that dies is opened again when needed.
  """
  use GenServer

  alias Nexus.{Error, Settings}

  @names Nexus.Pool.Names

  # A statement takes milliseconds, so whoever waits this long never gets one.
  @checkout_max_ms 15_000

  # Of a SHA-256: enough that no two statements ever share a name.
  @statement_name_bytes 16

  @doc "Starts the pool of a database with so many connections, found by the database's name."
  def start_link({database, size}) do
    GenServer.start_link(__MODULE__, {database, size}, name: via(database))
  end

  @doc false
  def child_spec({database, _size} = arg),
    do: %{
      id: {__MODULE__, database},
      start: {__MODULE__, :start_link, [arg]},
      restart: :transient
    }

  @doc """
  Runs one statement and returns `{rows, count}`: rows of texts or nil, and how many rows the
  statement says it touched.

  Parameters are binaries, integers or nil. Every column must be selected as text. Raises
  `Nexus.Error`.
  """
  def query(database, sql, params) do
    with_connection(via(database), fn connection ->
      name = statement_name(sql)
      params = Enum.map(params, &parameter/1)

      case :pgsql.execute(connection, name, params) do
        # The first time on this connection; the server keeps it from then on.
        {:error, [_ | _] = fields} ->
          prepared(fields[:code], connection, name, sql, params, fields)

        other ->
          other
      end
    end)
    |> result()
  end

  @doc "How many connections there are, are lent, and how many processes wait for one."
  def status(database), do: GenServer.call(via(database), :status)

  @doc "Stops it and its connections."
  def stop(database), do: GenServer.stop(via(database))

  @doc "Whether the database is connected."
  def connected?(database), do: Registry.lookup(@names, database) != []

  @doc "The databases that are connected."
  def databases, do: @names |> Registry.select([{{:"$1", :_, :_}, [], [:"$1"]}]) |> Enum.sort()

  # A name in a table of Elixir's, not an atom: databases come and go.
  defp via(database), do: {:via, Registry, {@names, database}}

  defp prepared("26000", connection, name, sql, params, _fields) do
    case :pgsql.prepare(connection, name, sql) do
      {:ok, _status, _params, _columns} -> :pgsql.execute(connection, name, params)
      {:error, fields} -> {:error, fields}
    end
  end

  defp prepared(_code, _connection, _name, _sql, _params, fields), do: {:error, fields}

  # The same text is the same statement on every connection.
  defp statement_name(sql) do
    <<name::binary-size(@statement_name_bytes), _::binary>> = :crypto.hash(:sha256, sql)
    Base.encode16(name, case: :lower)
  end

  # The driver sends a binary as binary format; wrapped, it is text, which fits every type.
  defp parameter(nil), do: :null
  defp parameter(number) when is_integer(number), do: number
  defp parameter(text) when is_binary(text), do: [text]

  # A statement of which the driver knows only that it is over, such as DDL.
  defp result({:ok, {:nyi, _text}}), do: {[], 0}

  defp result({:ok, {command, rows}}) when is_list(rows) do
    rows =
      for row <- rows,
          do: for({_type, value} <- row, do: if(value == :null, do: nil, else: value))

    {rows, touched(command, length(rows))}
  end

  defp result({:ok, {_command, count}}), do: {[], if(is_integer(count), do: count, else: 0)}
  defp result({:error, [_ | _] = fields}), do: raise(Error.from_postgres(fields))
  defp result({:error, reason}), do: Error.fail(503, "PostgreSQL: #{inspect(reason)}")

  # "INSERT 0 3", "DELETE 3", "SELECT 3"
  defp touched(command, default) do
    case command |> to_string() |> String.split() |> List.last() |> Integer.parse() do
      {count, ""} -> count
      _ -> default
    end
  end

  defp with_connection(pool, fun) do
    {connection, ref} = checkout(pool)

    try do
      result = fun.(connection)
      GenServer.cast(pool, {:checkin, ref})
      result
    catch
      :exit, reason ->
        GenServer.cast(pool, {:broken, ref})
        Error.fail(503, "the connection to PostgreSQL was lost: #{why(reason)}")
    end
  end

  defp why({reason, {GenServer, _, _}}), do: why(reason)
  defp why({reason, {:gen_server, _, _}}), do: why(reason)
  defp why(reason), do: inspect(reason, limit: 5, printable_limit: 200)

  defp checkout(pool) do
    case GenServer.call(pool, :checkout, @checkout_max_ms) do
      {:ok, connection, ref} -> {connection, ref}
      {:error, reason} -> Error.fail(503, "PostgreSQL does not answer: #{why(reason)}")
    end
  catch
    :exit, {:timeout, _} -> Error.fail(503, "no connection was free for #{@checkout_max_ms} ms")
    :exit, _reason -> Error.fail(404, "the database is not connected")
  end

  # --- the server ----------------------------------------------------------------------

  @impl true
  def init({database, size}) do
    # Connections are linked, so that they end with the pool.
    Process.flag(:trap_exit, true)
    state = %{database: database, size: size, idle: [], lent: %{}, waiting: :queue.new()}
    open_all(state, size)
  end

  defp open_all(state, 0), do: {:ok, state}

  defp open_all(state, n) do
    case open(state.database) do
      {:ok, connection} -> open_all(%{state | idle: [connection | state.idle]}, n - 1)
      {:error, reason} -> {:stop, {:database, state.database, reason}}
    end
  end

  defp open(database) do
    options = [database: database, as_binary: true, connect_timeout: 5_000] ++ Settings.server()

    with {:ok, connection} <- :pgsql_proto.start_link(options) do
      # The driver takes a notice in the middle of an answer for an error.
      _ = :pgsql.squery(connection, "SET client_min_messages = error")
      {:ok, connection}
    end
  end

  @impl true
  def terminate(_reason, state) do
    # A normal end does not reach who is linked.
    for connection <- state.idle ++ Map.values(state.lent),
        do: Process.exit(connection, :shutdown)
  end

  @impl true
  def handle_call(:checkout, {client, _tag} = from, state) do
    case state do
      %{idle: [connection | idle]} ->
        {:reply, answer, state} = lend(%{state | idle: idle}, connection, client)
        {:reply, answer, state}

      %{lent: lent, size: size} when map_size(lent) < size ->
        open_and_lend(state, client)

      _ ->
        {:noreply, %{state | waiting: :queue.in(from, state.waiting)}}
    end
  end

  def handle_call(:status, _from, state) do
    n_lent = map_size(state.lent)
    n_waiting = :queue.len(state.waiting)
    {:reply, %{open: length(state.idle) + n_lent, lent: n_lent, waiting: n_waiting}, state}
  end

  defp open_and_lend(state, client) do
    case open(state.database) do
      {:ok, connection} -> lend(state, connection, client)
      {:error, reason} -> {:reply, {:error, reason}, state}
    end
  end

  # The monitor brings the connection back when the client dies; what it asked for last is
  # answered to nobody.
  defp lend(state, connection, client) do
    ref = Process.monitor(client)
    {:reply, {:ok, connection, ref}, %{state | lent: Map.put(state.lent, ref, connection)}}
  end

  @impl true
  def handle_cast({:checkin, ref}, state), do: {:noreply, returned(state, ref)}

  def handle_cast({:broken, ref}, state) do
    case state.lent do
      %{^ref => connection} -> Process.exit(connection, :kill)
      _ -> :ok
    end

    {:noreply, state}
  end

  @impl true
  def handle_info({:DOWN, ref, :process, _pid, _reason}, state),
    do: {:noreply, returned(state, ref)}

  def handle_info({:EXIT, pid, _reason}, state) do
    lent = for {ref, connection} <- state.lent, connection == pid, do: ref
    Enum.each(lent, &Process.demonitor(&1, [:flush]))
    state = %{state | idle: List.delete(state.idle, pid), lent: Map.drop(state.lent, lent)}
    {:noreply, serve(state)}
  end

  def handle_info(_message, state), do: {:noreply, state}

  defp returned(state, ref) do
    case Map.pop(state.lent, ref) do
      {nil, _lent} ->
        state

      {connection, lent} ->
        Process.demonitor(ref, [:flush])
        serve(%{state | idle: [connection | state.idle], lent: lent})
    end
  end

  # Whoever waits longest is next.
  defp serve(state) do
    with true <- state.idle != [] or map_size(state.lent) < state.size,
         {{:value, {client, _tag} = from}, waiting} <- :queue.out(state.waiting) do
      {:reply, answer, state} = borrow(%{state | waiting: waiting}, client)
      GenServer.reply(from, answer)
      state
    else
      _ -> state
    end
  end

  defp borrow(%{idle: [connection | idle]} = state, client),
    do: lend(%{state | idle: idle}, connection, client)

  defp borrow(state, client), do: open_and_lend(state, client)
end
