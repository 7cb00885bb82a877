defmodule KV.LoadTest do
  use ExUnit.Case
  import ExUnit.CaptureLog

  alias KV.Load.{Histogram, Options}

  @quiet [:seconds, :concurrency, :buckets, :keys, :reads, :rate, :seed, :each, :lookups]

  defp run(words) do
    {:ok, options} = Options.parse(words)
    me = self()
    result = KV.Load.run(options, &send(me, {:line, &1}))
    assert_received {:line, "load: " <> _}
    Map.new(result)
  end

  test "a closed loop keeps all workers busy" do
    result = run(~w(seconds=1 concurrency=4 buckets=3 keys=5 reads=50))
    assert result.operations > 1_000
    assert result.reads + result.writes == result.operations
    assert_in_delta result.reads / result.operations, 0.5, 0.1
    assert result.errors == 0 and result.misses == 0 and result.not_begun == 0
    assert result.p50_us <= result.p95_us and result.p99_us <= result.max_us
  end

  test "a rate that is no trouble is kept exactly" do
    result = run(~w(seconds=1 concurrency=10 rate=500 reads=100))
    assert result.operations == 500
    assert result.reads == 500
    assert result.not_begun == 0
    # Never before the last arrival was due; how long after is the machine's affair.
    assert result.seconds > 0.9
  end

  test "lookups are timed where somebody asks for it" do
    words = ~w(seconds=1 concurrency=1 buckets=1 keys=1 reads=100)
    timed = run(words ++ ["lookups=1"])
    assert timed.lookup_mean_us > 0.0
    # A part of each operation, which reads its bucket too.
    assert timed.lookup_mean_us < 1.0e6 / timed.operations_per_second
    refute Map.has_key?(run(words), :lookup_mean_us)
  end

  test "the same seed does the same operations" do
    words = ~w(seconds=1 concurrency=7 rate=300 reads=60)
    assert run(words ++ ["seed=9"]).reads == run(words ++ ["seed=9"]).reads
  end

  test "an operation that waits for its worker counts from when it was due" do
    # One worker, and the bucket answers nobody for half of the second.
    {:ok, options} = Options.parse(~w(seconds=1 concurrency=1 buckets=1 keys=1 rate=100))
    load = Task.async(fn -> KV.Load.run(options, fn _line -> :ok end) end)
    Process.sleep(300)
    {:ok, bucket} = KV.Registry.lookup(KV.Registry, "bucket 1")
    :sys.suspend(bucket)
    Process.sleep(500)
    :sys.resume(bucket)
    result = Map.new(Task.await(load))
    # Some fifty operations were due meanwhile; a loop that only times what it began has one
    # slow operation.
    assert result.operations == 100
    assert result.p95_us > 300_000
  end

  test "a bucket that dies is an error of the load, not its end" do
    {:ok, options} =
      Options.parse(~w(seconds=1 concurrency=2 buckets=1 keys=1 rate=200 reads=100))

    load = Task.async(fn -> KV.Load.run(options, fn _line -> :ok end) end)
    Process.sleep(400)
    {:ok, bucket} = KV.Registry.lookup(KV.Registry, "bucket 1")
    capture_log(fn -> Process.exit(bucket, :kill) end)
    result = Map.new(Task.await(load))
    assert result.misses + result.errors > 50
    assert result.operations + result.errors == 200
  end

  test "what cannot be asked for" do
    for words <- [["x=1"], ["seconds"], ["seconds=0"], ["reads=101"], ["rate=-1"], ["keys=1e3"]] do
      assert {:error, text} = Options.parse(words)
      assert text =~ hd(String.split(hd(words), "="))
    end

    assert {:error, _} = Options.parse(~w(buckets=10000 keys=100000))
    {:ok, options} = Options.parse([])
    for name <- @quiet, do: assert(is_integer(Map.fetch!(options, name)))
  end

  test "quantiles are of the true one at most 2.2 % above" do
    histogram = Histogram.new()
    for ns <- 1..10_000, do: Histogram.add(histogram, ns * 100)
    counts = Histogram.read(histogram)

    for {share, ns} <- [{0.5, 500_000}, {0.95, 950_000}, {0.99, 990_000}, {1.0, 1_000_000}] do
      found = Histogram.quantile(counts, share)
      assert found >= ns and found <= ns * 1.0225
    end

    assert Histogram.quantile(Histogram.read(Histogram.new()), 0.5) == 0
    assert Enum.sum(Histogram.since(counts, counts)) == 0
  end
end
