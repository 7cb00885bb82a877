defmodule NexusClient.Suite.Edges do
  @moduledoc "What somebody sends who wants to do harm, or who writes in another language."

  import NexusClient.Suite

  alias NexusClient.HTTP

  @attacks [
    "'; DROP TABLE notes; --",
    "' OR '1'='1",
    "\"; DELETE FROM nexus_tables; --",
    "x') UNION SELECT name, columns::text FROM nexus_tables --",
    "\\'; SELECT pg_sleep(10); --",
    "$1; $2",
    "%_\\"
  ]

  def setup(it), do: %{path: table(it, "notes", [{"body", "text"}, {"n", "integer"}])}
  def teardown(it), do: drop(it, it.path)

  def tests do
    [
      {"SQL in a value is a text", &values/1},
      {"SQL in a condition finds nothing else", &conditions/1},
      {"SQL in the name of a column is refused", &columns/1},
      {"SQL in an operator, order or function is refused", &words/1},
      {"SQL in the name of a table is refused", &tables/1},
      {"all writing systems come back as they went", &unicode/1},
      {"a text of 10 KB comes back as it went", &long/1},
      {"quotes, control characters and escapes come back as they went", &controls/1},
      {"what is not JSON, not UTF-8 or not a row is refused", &malformed/1},
      {"numbers out of their range are refused", &numbers/1}
    ]
  end

  defp values(it) do
    for attack <- @attacks do
      id = insert(it, it.path, %{body: attack})
      same(expect(it, 200, "GET", "#{it.path}/rows/#{id}")["body"], attack)
    end

    same(length(expect(it, 200, "GET", it.path)["columns"]), 3)
  end

  defp conditions(it) do
    insert(it, it.path, %{body: "harmless", n: 1})

    for attack <- @attacks do
      insert(it, it.path, %{body: attack, n: 2})
      rows = expect(it, 200, "GET", "#{it.path}/rows?n=eq.2&body=eq.#{escape(attack)}")["rows"]
      same(Enum.map(rows, & &1["body"]), [attack])
      found = expect(it, 200, "GET", "#{it.path}/search?n=eq.2&q=#{escape(attack)}")["rows"]
      same(Enum.map(found, & &1["body"]), [attack])
    end

    expect(it, 400, "GET", "#{it.path}/rows?n=eq.#{escape("1 OR 1=1")}")
    expect(it, 400, "GET", "#{it.path}/rows/#{escape("1 OR 1=1")}")
  end

  defp columns(it) do
    for attack <- @attacks do
      expect(it, 400, "GET", "#{it.path}/rows?#{escape(attack)}=eq.1")
      expect(it, 400, "GET", "#{it.path}/distinct?column=#{escape(attack)}")
      expect(it, 400, "POST", "#{it.path}/rows", %{attack => 1})

      expect(it, 400, "POST", "/tables", %{
        name: "x_#{it.run}",
        columns: [%{name: attack, type: "text"}]
      })
    end
  end

  defp words(it) do
    for attack <- @attacks do
      expect(it, 400, "GET", "#{it.path}/rows?body=#{escape(attack)}")
      expect(it, 400, "GET", "#{it.path}/rows?body=#{escape(attack)}.x")
      expect(it, 400, "GET", "#{it.path}/rows?order=#{escape(attack)}")
      expect(it, 400, "GET", "#{it.path}/rows?order=n.#{escape(attack)}")
      expect(it, 400, "GET", "#{it.path}/rows?limit=#{escape(attack)}")
      expect(it, 400, "GET", "#{it.path}/aggregate?column=n&function=#{escape(attack)}")

      expect(it, 400, "POST", "/tables", %{
        name: "x_#{it.run}",
        columns: [%{name: "a", type: attack}]
      })
    end
  end

  defp tables(it) do
    for attack <- @attacks do
      expect(it, 404, "GET", "/tables/#{escape(attack)}/rows")
      expect(it, 400, "POST", "/tables", %{name: attack, columns: [%{name: "a", type: "text"}]})
    end

    # Names that are ours, too long, or words of SQL, which quotes make harmless.
    expect(it, 404, "GET", "/tables/nexus_tables/rows")

    expect(it, 400, "POST", "/tables", %{
      name: String.duplicate("a", 64),
      columns: [%{name: "a", type: "text"}]
    })

    path = table(it, "select", [{"where", "text"}, {"order_by", "text"}])
    insert(it, path, %{where: "here"})
    same(expect(it, 200, "GET", path <> "/count?where=eq.here")["count"], 1)
    drop(it, path)
  end

  defp unicode(it) do
    for text <- [
          "Ελληνικά",
          "日本語テキスト",
          "Привет, мир",
          "مرحبا",
          "नमस्ते",
          "🎉👩‍👩‍👧‍👦🇮🇹",
          "e\u0301 é",
          "\u200f‏‎",
          "ÄÖÜß"
        ] do
      id = insert(it, it.path, %{body: text})
      same(expect(it, 200, "GET", "#{it.path}/rows/#{id}")["body"], text)
      same(expect(it, 200, "GET", "#{it.path}/exists?body=eq.#{escape(text)}")["exists"], true)
    end

    # The bytes themselves, without a decoder of ours.
    {201, body, _} =
      HTTP.raw(it.socket, "POST", it.path <> "/rows", ~S({"body": "\u00e9\ud83c\udf89"}))

    same(String.contains?(body, "é🎉"), true)
  end

  defp long(it) do
    for text <- [String.duplicate("x", 10_240), String.duplicate("ä\"\\\n", 2_560)] do
      id = insert(it, it.path, %{body: text})
      same(expect(it, 200, "GET", "#{it.path}/rows/#{id}")["body"], text)
    end
  end

  defp controls(it) do
    text = for(byte <- 1..31, into: "", do: <<byte>>) <> "\"\\/ \u007f\u2028"
    id = insert(it, it.path, %{body: text})
    same(expect(it, 200, "GET", "#{it.path}/rows/#{id}")["body"], text)
    # PostgreSQL has no zero byte in a text.
    {400, _, _} = HTTP.raw(it.socket, "POST", it.path <> "/rows", ~S({"body": "a\u0000b"}))
  end

  defp malformed(it) do
    for body <- [
          "",
          "{",
          "[1]",
          "\"x\"",
          "{\"body\": }",
          "{\"body\": 1e}",
          "{'body': 1}",
          <<"{\"body\": \"", 0xFF, "\"}">>,
          "{\"a\":1} x"
        ] do
      {400, _, _} = HTTP.raw(it.socket, "POST", it.path <> "/rows", body)
    end

    {400, _, _} = HTTP.raw(it.socket, "POST", it.path <> "/rows", String.duplicate("[", 100_000))
    {400, _, _} = HTTP.raw(it.socket, "POST", it.path <> "/batch", "{\"body\": \"x\"}")
    {400, _, _} = HTTP.raw(it.socket, "GET", it.path <> "/rows?body=eq.%ff", "")
    {400, _, _} = HTTP.raw(it.socket, "GET", it.path <> "/rows?body=eq.%zz", "")
    expect(it, 400, "POST", it.path <> "/rows", %{})
  end

  defp numbers(it) do
    expect(it, 400, "POST", it.path <> "/rows", %{n: 2_147_483_648})
    expect(it, 400, "POST", it.path <> "/rows", %{n: "twelve"})
    expect(it, 400, "GET", it.path <> "/rows?n=eq.99999999999")
    expect(it, 400, "GET", it.path <> "/rows?limit=-1")
    expect(it, 400, "GET", it.path <> "/rows?limit=1000000")
    expect(it, 400, "GET", it.path <> "/page?page=0")
    {400, _, _} = HTTP.raw(it.socket, "POST", it.path <> "/rows", ~S({"n": 1e999}))
  end
end
