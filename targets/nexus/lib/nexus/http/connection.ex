defmodule Nexus.HTTP.Connection do
  @moduledoc """
  One HTTP/1.1 connection: reads a request, answers it, and waits for the next.

  OTP's own parser (`packet: :http_bin`) reads the head; a body has a length, since none of
  our clients sends chunks.
  """

  alias Nexus.{Error, JSON, Logging, Pathology, Router}

  @body_bytes_max 33_554_432
  @headers_max 64
  # Between two requests, and for one to arrive.
  @idle_max_ms 60_000

  @doc false
  def serve(socket) do
    receive do
      :yours -> loop(socket)
    after
      5_000 -> :gen_tcp.close(socket)
    end
  end

  defp loop(socket) do
    case read(socket) do
      {:ok, request} ->
        began = System.monotonic_time()
        {status, headers, body} = answer(request)
        sent = send_answer(socket, request, status, headers, body)
        us = System.convert_time_unit(System.monotonic_time() - began, :native, :microsecond)
        Logging.request(request.method, request.target, status, us)
        Pathology.suffer()
        if sent == :ok and request.keep_alive?, do: loop(socket), else: :gen_tcp.close(socket)

      {:error, status, text} ->
        _ =
          send_answer(
            socket,
            %{method: "GET", keep_alive?: false},
            status,
            json(),
            JSON.encode(%{error: text})
          )

        :gen_tcp.close(socket)

      :closed ->
        :gen_tcp.close(socket)
    end
  end

  # --- reading ---------------------------------------------------------------------------

  defp read(socket) do
    case :gen_tcp.recv(socket, 0, @idle_max_ms) do
      {:ok, {:http_request, method, {:abs_path, target}, version}} ->
        read_headers(
          socket,
          %{method: to_string(method), target: target, version: version},
          %{},
          0
        )

      {:ok, {:http_error, _line}} ->
        {:error, 400, "not a request"}

      {:ok, _other} ->
        {:error, 400, "not a path"}

      {:error, :emsgsize} ->
        {:error, 414, "the path is too long"}

      {:error, _reason} ->
        :closed
    end
  end

  defp read_headers(_socket, _request, _headers, @headers_max),
    do: {:error, 431, "more than #{@headers_max} headers"}

  defp read_headers(socket, request, headers, n) do
    case :gen_tcp.recv(socket, 0, @idle_max_ms) do
      {:ok, {:http_header, _, name, _, value}} ->
        name = name |> to_string() |> String.downcase()
        read_headers(socket, request, Map.put(headers, name, value), n + 1)

      {:ok, :http_eoh} ->
        read_body(
          socket,
          Map.merge(request, %{headers: headers, keep_alive?: keep_alive?(request, headers)})
        )

      {:ok, {:http_error, _line}} ->
        {:error, 400, "not a header"}

      {:error, :emsgsize} ->
        {:error, 431, "a header is too long"}

      {:error, _reason} ->
        :closed
    end
  end

  defp read_body(socket, %{headers: headers} = request) do
    case Integer.parse(Map.get(headers, "content-length", "0")) do
      {0, ""} when not is_map_key(headers, "transfer-encoding") ->
        {:ok, Map.put(request, :body, "")}

      {n, ""} when n in 1..@body_bytes_max ->
        receive_body(socket, request, n)

      {n, ""} when n > @body_bytes_max ->
        {:error, 413, "a body has at most #{@body_bytes_max} bytes"}

      _ ->
        {:error, 411, "a body needs a Content-Length"}
    end
  end

  defp receive_body(socket, request, n) do
    :ok = :inet.setopts(socket, packet: :raw)
    received = :gen_tcp.recv(socket, n, @idle_max_ms)
    _ = :inet.setopts(socket, packet: :http_bin)

    case received do
      {:ok, body} -> {:ok, Map.put(request, :body, body)}
      {:error, _reason} -> :closed
    end
  end

  defp keep_alive?(%{version: {1, 1}}, headers),
    do: String.downcase(Map.get(headers, "connection", "")) != "close"

  defp keep_alive?(_request, _headers), do: false

  # --- answering -------------------------------------------------------------------------

  defp answer(request) do
    case Router.answer(request) do
      {status, {:csv, lines}} -> {status, ["text/csv; charset=utf-8"], lines}
      {status, body} -> {status, json(), JSON.encoded(body)}
    end
  rescue
    error in Error -> {error.status, json(), JSON.encode(%{error: error.message})}
  catch
    kind, reason ->
      require Logger
      Logger.error(Exception.format(kind, reason, __STACKTRACE__))
      {500, json(), JSON.encode(%{error: "an error of ours; the log has it"})}
  end

  defp json, do: ["application/json"]

  defp send_answer(socket, request, status, [content_type], body) do
    # An answer without a body must not announce one.
    body = if status == 204, do: [], else: body
    connection = if request.keep_alive?, do: "keep-alive", else: "close"

    head = [
      ["HTTP/1.1 ", Integer.to_string(status), " ", reason(status), "\r\n"],
      ["content-type: ", content_type, "\r\nconnection: ", connection],
      if(status == 204,
        do: [],
        else: ["\r\ncontent-length: ", Integer.to_string(IO.iodata_length(body))]
      ),
      "\r\n\r\n"
    ]

    :gen_tcp.send(socket, if(request.method == "HEAD", do: head, else: [head, body]))
  end

  @reasons %{
    200 => "OK",
    201 => "Created",
    204 => "No Content",
    400 => "Bad Request",
    404 => "Not Found",
    405 => "Method Not Allowed",
    409 => "Conflict",
    411 => "Length Required",
    413 => "Content Too Large",
    414 => "URI Too Long",
    431 => "Request Header Fields Too Large",
    500 => "Internal Server Error",
    503 => "Service Unavailable"
  }

  defp reason(status), do: Map.get(@reasons, status, "Status")
end
