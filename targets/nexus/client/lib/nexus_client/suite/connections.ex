defmodule NexusClient.Suite.Connections do
  @moduledoc "Databases that are connected and disconnected, and connections that are kept or misused."

  import NexusClient.Suite

  alias NexusClient.HTTP

  def setup(it), do: %{database: "c_#{it.run}"}
  def teardown(it), do: HTTP.ask(it.socket, "DELETE", "/connections/#{it.database}?drop=true")

  def tests do
    [
      {"the default database is connected", &default/1},
      {"a database is made and connected", &made/1},
      {"a connected database is not connected twice", &twice/1},
      {"a database that is not there is refused", &missing/1},
      {"a disconnected database is gone, and comes back with its data", &again/1},
      {"one connection takes many requests, also several at once", &kept/1},
      {"what is not HTTP is answered with 400", &garbage/1}
    ]
  end

  defp default(it) do
    names =
      for connection <- expect(it, 200, "GET", "/connections")["connections"],
          do: connection["name"]

    same("nexus" in names, true)
    same(expect(it, 200, "GET", "/connections/nexus")["open"] > 0, true)
  end

  defp made(it) do
    same(
      expect(it, 201, "POST", "/connections", %{name: it.database, create: true})["name"],
      it.database
    )

    same(expect(it, 200, "GET", "/db/#{it.database}/tables"), %{"tables" => []})
  end

  defp twice(it), do: expect(it, 409, "POST", "/connections", %{name: it.database})

  defp missing(it) do
    expect(it, 404, "POST", "/connections", %{name: "nowhere_#{it.run}"})
    expect(it, 404, "GET", "/db/nowhere_#{it.run}/tables")
    expect(it, 400, "POST", "/connections", %{name: "no such; name"})
  end

  defp again(it) do
    path = table(it, "kept", [{"n", "integer"}], "/db/#{it.database}")
    insert(it, path, %{n: 7})
    expect(it, 204, "DELETE", "/connections/#{it.database}")
    expect(it, 404, "GET", path <> "/rows")
    expect(it, 201, "POST", "/connections", %{name: it.database})
    [row] = expect(it, 200, "GET", path <> "/rows")["rows"]
    same(row["n"], 7)
  end

  defp kept(it) do
    for _ <- 1..50, do: expect(it, 200, "GET", "/health")
    # Pipelined: both are sent before the first is answered.
    request = "GET /health HTTP/1.1\r\nhost: nexus\r\n\r\n"
    :ok = :gen_tcp.send(it.socket, [request, request])
    for _ <- 1..2, do: {:ok, {:http_response, {1, 1}, 200, _}} = answer(it.socket)
  end

  defp answer(socket) do
    first = :gen_tcp.recv(socket, 0, 5_000)
    length = length_of(socket, 0)
    :ok = :inet.setopts(socket, packet: :raw)
    {:ok, _body} = :gen_tcp.recv(socket, length, 5_000)
    :ok = :inet.setopts(socket, packet: :http_bin)
    first
  end

  defp length_of(socket, length) do
    case :gen_tcp.recv(socket, 0, 5_000) do
      {:ok, {:http_header, _, :"Content-Length", _, value}} ->
        length_of(socket, String.to_integer(value))

      {:ok, :http_eoh} ->
        length

      {:ok, _header} ->
        length_of(socket, length)
    end
  end

  defp garbage(it) do
    :ok = :gen_tcp.send(it.socket, "what is this?\r\n\r\n")
    {:ok, {:http_response, _, 400, _}} = :gen_tcp.recv(it.socket, 0, 5_000)
    # The next is served as if nothing had been.
    {200, _} = HTTP.once(it.port, "GET", "/health")
  end
end
