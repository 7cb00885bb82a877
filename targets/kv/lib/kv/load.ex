defmodule KV.Load do
  @moduledoc """
  Drives the store and says how it went.

  A read looks a bucket up and gets one key; a write creates the bucket (which is there
  already), looks it up and puts one key. So each operation is one lookup, and each write
  one creation: the figures of a tracer can be compared with `reads` and `writes`.

  Without a rate the loop is closed: each of `concurrency` workers begins an operation when
  its last one ended. With a rate, operations are due at fixed times, whatever happened to
  those before; one that has to wait for its worker counts from when it was due.
  """

  alias KV.Load.{Histogram, Options, Stopwatch, Tally, Worker}

  # The workers are spawned and their first use of each module is over when the load begins.
  @lead_ms 100

  @doc """
  Runs the load and returns its result; `emit` is called with each line of text.

  The result is a keyword list of integers and floats, times in microseconds.
  """
  def run(%Options{} = options, emit, registry \\ KV.Registry) do
    buckets = prepare(options, registry)
    emit.(Options.text(options))
    plan = Worker.plan(options, registry, now_ns() + @lead_ms * 1_000_000)
    workers = for index <- 0..(options.concurrency - 1), do: start(plan, index)

    if options.each == 1,
      do: each_second(plan, emit, 1, Tally.read(plan.tally), Histogram.read(plan.latency))

    max_ns = workers |> Enum.map(&Task.await(&1, :infinity)) |> Enum.max()
    elapsed_ns = max(now_ns() - plan.start_ns, 1)
    result = result(plan, elapsed_ns, max_ns) ++ [buckets: buckets]
    Enum.each(text(result), emit)
    result
  end

  # All buckets exist and all keys have a value, so that the load changes no size.
  defp prepare(options, registry) do
    names = Enum.map(1..options.buckets, &Worker.bucket_name/1)
    Enum.each(names, &KV.Registry.create(registry, &1))
    values = Map.new(1..options.keys, fn key -> {key, 0} end)
    Enum.each(names, fn name -> Agent.update(found(registry, name), Map, :merge, [values]) end)
    length(names)
  end

  # A registry that creates by cast has it in a moment.
  defp found(registry, name) do
    case KV.Registry.lookup(registry, name) do
      {:ok, bucket} ->
        bucket

      :error ->
        Process.sleep(1)
        found(registry, name)
    end
  end

  defp start(plan, index),
    do: Task.Supervisor.async(KV.LoadSupervisor, Worker, :run, [plan, index])

  defp each_second(plan, emit, second, tally_before, latency_before) do
    Worker.sleep_until(plan.start_ns + second * 1_000_000_000)
    tally = Tally.read(plan.tally)
    latency = Histogram.read(plan.latency)
    n_done = Tally.done(tally) - Tally.done(tally_before)
    spread = latency |> Histogram.since(latency_before) |> spread()
    emit.("second #{second}: #{n_done} operations/s, " <> spread)

    if second < plan.options.seconds do
      each_second(plan, emit, second + 1, tally, latency)
    end
  end

  defp spread(histogram) do
    [p50, p99] = Enum.map([0.5, 0.99], &us(Histogram.quantile(histogram, &1)))
    "p50 #{p50} us, p99 #{p99} us"
  end

  defp result(plan, elapsed_ns, max_ns) do
    tally = Tally.read(plan.tally)
    histogram = Histogram.read(plan.latency)
    n_done = Tally.done(tally)
    n_offered = plan.arrivals || n_done + tally.errors
    quantile = fn share -> us(min(Histogram.quantile(histogram, share), max_ns)) end

    [
      seconds: Float.round(elapsed_ns / 1.0e9, 3),
      operations: n_done,
      operations_per_second: round(n_done * 1.0e9 / elapsed_ns),
      reads: tally.reads,
      writes: tally.writes,
      misses: tally.misses,
      errors: tally.errors,
      not_begun: n_offered - n_done - tally.errors,
      p50_us: quantile.(0.5),
      p95_us: quantile.(0.95),
      p99_us: quantile.(0.99),
      max_us: us(max_ns)
    ] ++ lookups(plan.lookups)
  end

  defp lookups(nil), do: []

  defp lookups(stopwatch),
    do: [lookup_mean_us: Float.round(Stopwatch.mean_ns(stopwatch) / 1000, 3)]

  defp text(result) do
    get = &Keyword.fetch!(result, &1)

    [
      "#{get.(:operations_per_second)} operations/s: #{get.(:operations)} in #{get.(:seconds)} s, " <>
        "#{get.(:reads)} reads, #{get.(:writes)} writes",
      "latency: p50 #{get.(:p50_us)} us, p95 #{get.(:p95_us)} us, p99 #{get.(:p99_us)} us, " <>
        "max #{get.(:max_us)} us"
    ] ++ problems(get.(:misses), get.(:errors), get.(:not_begun))
  end

  defp problems(0, 0, 0), do: []

  defp problems(misses, errors, not_begun) do
    [
      "#{misses} lookups found no bucket, #{errors} operations failed, " <>
        "#{not_begun} were due and not begun"
    ]
  end

  defp us(ns), do: Float.round(ns / 1000, 1)

  defp now_ns, do: System.monotonic_time(:nanosecond)
end
