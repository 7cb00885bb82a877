defmodule KV.Load.Worker do
  @moduledoc "One client: does operations one after the other until the load is over."

  alias KV.Load.{Histogram, Stopwatch, Tally}

  # Not one more call on the way of each operation where nobody asked for it.
  @compile {:inline, lookup: 2}

  # What is due at the very end may begin this much later, as timers do; more is a backlog.
  @late_ns 100_000_000

  defstruct [
    :options,
    :registry,
    :tally,
    :latency,
    :lookups,
    :draws,
    :start_ns,
    :until_ns,
    :arrivals
  ]

  @doc "What all workers share; the figures are in counters, so that nobody waits for a reader."
  def plan(options, registry, start_ns) do
    %__MODULE__{
      options: options,
      registry: registry,
      tally: Tally.new(),
      latency: Histogram.new(),
      lookups: if(options.lookups == 1, do: Stopwatch.new()),
      # One draw decides bucket, key and kind.
      draws: options.buckets * options.keys * 100,
      start_ns: start_ns,
      until_ns: start_ns + options.seconds * 1_000_000_000,
      arrivals: if(options.rate == 0, do: nil, else: options.rate * options.seconds)
    }
  end

  @doc "Runs to the end and returns the longest latency, in nanoseconds."
  def run(plan, index) do
    random = :rand.seed_s(:exsss, {plan.options.seed, index, 0})
    sleep_until(plan.start_ns)
    if plan.arrivals, do: open(plan, index, random, 0), else: closed(plan, now_ns(), random, 0)
  end

  @doc "Returns less than a millisecond before the time, or after it."
  def sleep_until(at_ns) do
    # `receive after` counts milliseconds and is late by up to one, so we round down.
    ahead_ms = div(at_ns - now_ns(), 1_000_000)
    if ahead_ms > 0, do: Process.sleep(ahead_ms)
  end

  @doc "The name of a bucket."
  def bucket_name(number), do: "bucket " <> Integer.to_string(number)

  defp closed(plan, begin_ns, random, max_ns) do
    if begin_ns >= plan.until_ns do
      max_ns
    else
      random = operation(plan, random)
      end_ns = now_ns()
      Histogram.add(plan.latency, end_ns - begin_ns)
      closed(plan, end_ns, random, max(max_ns, end_ns - begin_ns))
    end
  end

  defp open(%{arrivals: n}, arrival, _random, max_ns) when arrival >= n, do: max_ns

  defp open(plan, arrival, random, max_ns) do
    due_ns = plan.start_ns + div(arrival * 1_000_000_000, plan.options.rate)
    late? = now_ns() >= due_ns
    unless late?, do: sleep_until(due_ns)
    begin_ns = now_ns()

    if begin_ns >= plan.until_ns + @late_ns do
      max_ns
    else
      random = operation(plan, random)
      # The timer's lateness is not the store's; the wait for a busy worker is.
      took_ns = now_ns() - if(late?, do: due_ns, else: begin_ns)
      Histogram.add(plan.latency, took_ns)
      open(plan, arrival + plan.options.concurrency, random, max(max_ns, took_ns))
    end
  end

  defp operation(plan, random) do
    {draw, random} = :rand.uniform_s(plan.draws, random)
    bucket = rem(draw, plan.options.buckets)
    rest = div(draw - 1, plan.options.buckets)
    key = div(rest, 100) + 1
    name = bucket_name(bucket + 1)

    try do
      if rem(rest, 100) < plan.options.reads,
        do: read(plan, name, key),
        else: write(plan, name, key, draw)
    catch
      # A bucket that died in between, or a registry that does not answer within 5 s.
      :exit, _reason -> Tally.add(plan.tally, :errors)
    end

    random
  end

  defp read(plan, name, key) do
    case lookup(plan, name) do
      {:ok, bucket} -> KV.Bucket.get(bucket, key)
      :error -> Tally.add(plan.tally, :misses)
    end

    Tally.add(plan.tally, :reads)
  end

  defp write(plan, name, key, value) do
    KV.Registry.create(plan.registry, name)

    case lookup(plan, name) do
      {:ok, bucket} -> KV.Bucket.put(bucket, key, value)
      :error -> Tally.add(plan.tally, :misses)
    end

    Tally.add(plan.tally, :writes)
  end

  defp lookup(%{lookups: nil} = plan, name), do: KV.Registry.lookup(plan.registry, name)

  defp lookup(plan, name),
    do: Stopwatch.time(plan.lookups, fn -> KV.Registry.lookup(plan.registry, name) end)

  defp now_ns, do: System.monotonic_time(:nanosecond)
end
