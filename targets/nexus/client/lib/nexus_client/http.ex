defmodule NexusClient.HTTP do
  @moduledoc "A connection that is kept open, and requests over it one after the other."

  defmodule Error do
    defexception [:message]
  end

  # The target gives up after 15 s itself.
  @answer_max_ms 30_000

  @doc "A connection."
  def connect(port) do
    options = [:binary, packet: :http_bin, active: false, nodelay: true]

    case :gen_tcp.connect({127, 0, 0, 1}, port, options, 5_000) do
      {:ok, socket} ->
        socket

      {:error, reason} ->
        raise Error, "nothing answers on port #{port} (#{reason}): scripts/nexus start"
    end
  end

  @doc "Raises with the next step unless the target and its database answer."
  def ready!(socket) do
    case ask(socket, "GET", "/health") do
      {200, _} -> :ok
      {_status, %{"error" => why}} -> raise Error, "#{why}: scripts/nexus stop, then start"
    end
  end

  @doc "Status and body of the answer; the body is a term where it is JSON."
  def ask(socket, method, path, body \\ nil) do
    {status, body, type} = raw(socket, method, path, if(body == nil, do: "", else: encode(body)))

    {status,
     if(String.starts_with?(type, "application/json") and body != "",
       do: decode(body),
       else: body
     )}
  end

  @doc "Status, body as it came, and its type."
  def raw(socket, method, path, body) do
    head = [
      method,
      " ",
      path,
      " HTTP/1.1\r\nhost: nexus\r\ncontent-length: ",
      Integer.to_string(byte_size(body)),
      "\r\n\r\n"
    ]

    with :ok <- :gen_tcp.send(socket, [head, body]),
         {:ok, {:http_response, _version, status, _reason}} <-
           :gen_tcp.recv(socket, 0, @answer_max_ms),
         {:ok, length, type} <- headers(socket, 0, ""),
         {:ok, body} <- body(socket, length) do
      {status, body, type}
    else
      other -> raise Error, "#{method} #{String.slice(path, 0, 80)}: #{inspect(other)}"
    end
  end

  @doc "The same on a connection of its own."
  def once(port, method, path, body \\ nil) do
    socket = connect(port)
    answer = ask(socket, method, path, body)
    :gen_tcp.close(socket)
    answer
  end

  @doc "A term as JSON, and back."
  def encode(term), do: Nexus.JSON.encode(term)

  # OTP's own where it is: a second opinion on what the target wrote.
  if Code.ensure_loaded?(:json) do
    def decode(text) do
      {value, :ok, ""} = :json.decode(text, :ok, %{null: nil})
      value
    end
  else
    def decode(text), do: Nexus.JSON.decode!(text)
  end

  defp headers(socket, length, type) do
    case :gen_tcp.recv(socket, 0, @answer_max_ms) do
      {:ok, {:http_header, _, :"Content-Length", _, value}} ->
        headers(socket, String.to_integer(value), type)

      {:ok, {:http_header, _, :"Content-Type", _, value}} ->
        headers(socket, length, value)

      {:ok, {:http_header, _, _, _, _}} ->
        headers(socket, length, type)

      {:ok, :http_eoh} ->
        {:ok, length, type}

      other ->
        other
    end
  end

  defp body(_socket, 0), do: {:ok, ""}

  defp body(socket, length) do
    :ok = :inet.setopts(socket, packet: :raw)
    received = :gen_tcp.recv(socket, length, @answer_max_ms)
    :ok = :inet.setopts(socket, packet: :http_bin)
    received
  end
end
