defmodule NexusClient.Load do
  @moduledoc """
  The stress test: a closed loop of workers, each with a connection of its own, for a time or
  for a number of requests. Prints what the article prints.
  """

  alias NexusClient.{HTTP, Kinds, Report}

  @other "reports"
  @table "products"
  @categories 50
  @rows 1_000

  @doc "Makes what the load needs, in both databases; part of `scripts/nexus start`."
  def prepare(port) do
    socket = HTTP.connect(port)
    {201, _} = HTTP.ask(socket, "POST", "/connections", %{name: @other, create: true})

    for base <- ["", "/db/" <> @other] do
      {201, _} = HTTP.ask(socket, "POST", base <> "/tables", %{name: @table, columns: columns()})

      {201, %{"inserted" => @rows}} =
        HTTP.ask(socket, "POST", "#{base}/tables/#{@table}/batch", Enum.map(1..@rows, &row/1))
    end

    0
  end

  @doc "Runs it: `requests` is 0 for as many as there is time for."
  def run(port, seconds, workers, requests) do
    HTTP.ready!(HTTP.connect(port))
    before = stats(port)
    if before["counted"], do: {204, _} = HTTP.once(port, "DELETE", "/counters")
    began = now()

    plan = %{
      port: port,
      workers: workers,
      until: if(requests == 0, do: began + seconds * 1_000_000),
      requests: requests
    }

    results =
      0..(workers - 1)
      |> Enum.map(&Task.async(fn -> worker(plan, &1) end))
      |> Task.await_many(:infinity)

    elapsed_us = max(now() - began, 1)
    Report.print(results, elapsed_us, before, stats(port))
  end

  # Connections of their own: one that is idle as long as a load lasts is closed.
  defp stats(port) do
    {200, stats} = HTTP.once(port, "GET", "/stats")
    stats
  end

  defp worker(plan, index) do
    socket = HTTP.connect(plan.port)
    random = :rand.seed_s(:exsss, {index, 2, 3})
    loop(plan, socket, index, random, %{latencies: [], kinds: %{}, errors: []})
  end

  # The n-th request is the n-th whoever makes it: n requests are always the same.
  defp loop(plan, socket, n, random, done) do
    began = now()

    if over?(plan, n, began) do
      :gen_tcp.close(socket)
      done
    else
      kind = Kinds.kind(n)
      {method, path, body, random} = request(kind, random)
      base = if Kinds.elsewhere?(n), do: "/db/" <> @other, else: ""
      {socket, errors} = try_one(plan, socket, {method, base <> path, body}, done.errors)
      us = now() - began

      done = %{
        latencies: [us | done.latencies],
        kinds: Map.update(done.kinds, kind, 1, &(&1 + 1)),
        errors: errors
      }

      loop(plan, socket, n + plan.workers, random, done)
    end
  end

  defp over?(%{requests: 0, until: until}, _n, now), do: now >= until
  defp over?(%{requests: requests}, n, _now), do: n >= requests

  defp try_one(plan, socket, {method, path, body}, errors) do
    case HTTP.raw(socket, method, path, body) do
      {status, _body, _type} when status in [200, 201] ->
        {socket, errors}

      {status, body, _type} ->
        {socket, ["#{status} #{path}: #{String.slice(body, 0, 200)}" | errors]}
    end
  rescue
    error in HTTP.Error ->
      :gen_tcp.close(socket)
      {HTTP.connect(plan.port), [error.message | errors]}
  end

  # --- requests --------------------------------------------------------------------------

  defp request(kind, random) do
    {draw, random} = :rand.uniform_s(1_000_000, random)
    {method, path, body} = request_of(kind, draw)
    {method, "/tables/#{@table}" <> path, body, random}
  end

  defp request_of(:select, draw),
    do: get("/rows?category=eq.#{category(draw)}&order=price.desc&limit=20")

  defp request_of(:insert, draw), do: {"POST", "/rows", HTTP.encode(row(draw))}
  defp request_of(:count, draw), do: get("/count?category=eq.#{category(draw)}")
  defp request_of(:search, draw), do: get("/search?q=item%20#{rem(draw, 100)}&limit=20")
  defp request_of(:paginate, draw), do: get("/page?page=#{rem(draw, 20) + 1}&per_page=20")

  defp request_of(:aggregate, draw),
    do: get("/aggregate?function=avg&column=price&category=eq.#{category(draw)}")

  defp request_of(:distinct, _draw), do: get("/distinct?column=category&limit=100")
  defp request_of(:exists, draw), do: get("/exists?id=eq.#{rem(draw, 2 * @rows)}")

  defp get(path), do: {"GET", path, ""}

  defp columns do
    [
      %{name: "name", type: "text", not_null: true},
      %{name: "category", type: "text", indexed: true},
      %{name: "price", type: "numeric"},
      %{name: "stock", type: "integer"},
      %{name: "attributes", type: "jsonb"}
    ]
  end

  defp row(draw) do
    %{
      name: "item #{draw}",
      category: category(draw),
      price: rem(draw, 10_000) / 100,
      stock: rem(draw, 500),
      attributes: %{colour: Enum.at(~w(red green blue), rem(draw, 3)), size: rem(draw, 40)}
    }
  end

  defp category(draw), do: "category_#{rem(draw, @categories)}"

  defp now, do: System.monotonic_time(:microsecond)
end
