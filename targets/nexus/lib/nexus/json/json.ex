defmodule Nexus.JSON do
  @moduledoc """
  JSON (RFC 8259) as terms: objects are maps with text keys, null is nil.

  Of its own, because the OTPs that this has to run on have none before 27. Input nests at
  most 64 deep; a text that is not UTF-8 is refused.
  """

  # Deeper documents are attacks; a table's JSON column holds a handful of levels.
  @depth_max 64

  @doc "The term of a document, or where it is wrong."
  def decode(text) do
    {:ok, decode!(text)}
  catch
    {:json, why} -> {:error, why}
  end

  @doc "The term of a document that is known to be right; throws otherwise."
  def decode!(text) do
    if not String.valid?(text), do: throw({:json, "not UTF-8"})
    {value, rest} = value(space(text), 0)
    if space(rest) == "", do: value, else: wrong(rest)
  end

  @doc "The document of a term; `{:json, iodata}` stands for itself."
  def encode(term), do: IO.iodata_to_binary(encoded(term))

  @doc "The same as iodata."
  def encoded(nil), do: "null"
  def encoded(true), do: "true"
  def encoded(false), do: "false"
  def encoded({:json, text}), do: text
  def encoded(number) when is_integer(number), do: Integer.to_string(number)
  def encoded(number) when is_float(number), do: Float.to_string(number)
  def encoded(text) when is_binary(text), do: [?", escaped(text, text, 0, 0, []), ?"]
  def encoded(atom) when is_atom(atom), do: encoded(Atom.to_string(atom))
  def encoded(list) when is_list(list), do: [?[, joined(Enum.map(list, &encoded/1)), ?]]
  def encoded(%{} = map), do: object(Map.to_list(map))

  @doc "An object whose keys keep their order."
  def object(pairs) do
    [
      ?{,
      joined(for({key, value} <- pairs, do: [encoded(to_string(key)), ?:, encoded(value)])),
      ?}
    ]
  end

  defp joined([]), do: []
  defp joined([first | rest]), do: [first | Enum.map(rest, &[?, | &1])]

  # Runs of plain bytes are cut out of the text as they are.
  defp escaped(<<byte, rest::binary>>, text, from, n, done)
       when byte >= 0x20 and byte not in [?", ?\\] do
    escaped(rest, text, from, n + 1, done)
  end

  defp escaped("", text, from, n, done), do: [done | binary_part(text, from, n)]

  defp escaped(<<byte, rest::binary>>, text, from, n, done) do
    escaped(rest, text, from + n + 1, 0, [done, binary_part(text, from, n) | escape(byte)])
  end

  defp escape(?"), do: "\\\""
  defp escape(?\\), do: "\\\\"
  defp escape(?\n), do: "\\n"
  defp escape(?\r), do: "\\r"
  defp escape(?\t), do: "\\t"
  defp escape(byte), do: "\\u00" <> Base.encode16(<<byte>>, case: :lower)

  # --- reading ---------------------------------------------------------------------------

  defp value(_text, depth) when depth > @depth_max, do: throw({:json, "nested too deep"})
  defp value("null" <> rest, _depth), do: {nil, rest}
  defp value("true" <> rest, _depth), do: {true, rest}
  defp value("false" <> rest, _depth), do: {false, rest}
  defp value("\"" <> rest, _depth), do: text(rest, rest, 0, [])
  defp value("[" <> rest, depth), do: first_item(space(rest), depth)
  defp value("{" <> rest, depth), do: first_member(space(rest), depth)

  defp value(<<byte, _::binary>> = text, _depth) when byte in ?0..?9 or byte == ?-,
    do: number(text)

  defp value(text, _depth), do: wrong(text)

  defp first_item("]" <> rest, _depth), do: {[], rest}
  defp first_item(text, depth), do: items(text, depth, [])

  defp items(text, depth, done) do
    {value, rest} = value(text, depth + 1)

    case space(rest) do
      "," <> rest -> items(space(rest), depth, [value | done])
      "]" <> rest -> {Enum.reverse([value | done]), rest}
      rest -> wrong(rest)
    end
  end

  defp first_member("}" <> rest, _depth), do: {%{}, rest}
  defp first_member(text, depth), do: members(text, depth, [])

  defp members("\"" <> rest, depth, done) do
    {key, rest} = text(rest, rest, 0, [])

    case space(rest) do
      ":" <> rest -> member(key, space(rest), depth, done)
      rest -> wrong(rest)
    end
  end

  defp members(text, _depth, _done), do: wrong(text)

  defp member(key, text, depth, done) do
    {value, rest} = value(text, depth + 1)

    case space(rest) do
      "," <> rest -> members(space(rest), depth, [{key, value} | done])
      "}" <> rest -> {Map.new(Enum.reverse([{key, value} | done])), rest}
      rest -> wrong(rest)
    end
  end

  defp text("\"" <> rest, from, n, done),
    do: {IO.iodata_to_binary([done | binary_part(from, 0, n)]), rest}

  defp text("\\" <> rest, from, n, done) do
    {escaped, rest} = unescaped(rest)
    text(rest, rest, 0, [done, binary_part(from, 0, n) | escaped])
  end

  defp text(<<byte, rest::binary>>, from, n, done) when byte >= 0x20,
    do: text(rest, from, n + 1, done)

  defp text(rest, _from, _n, _done), do: wrong(rest)

  defp unescaped(<<byte, rest::binary>>) when byte in [?", ?\\, ?/], do: {<<byte>>, rest}
  defp unescaped("n" <> rest), do: {"\n", rest}
  defp unescaped("r" <> rest), do: {"\r", rest}
  defp unescaped("t" <> rest), do: {"\t", rest}
  defp unescaped("b" <> rest), do: {"\b", rest}
  defp unescaped("f" <> rest), do: {"\f", rest}

  defp unescaped("u" <> <<high::binary-size(4), "\\u", low::binary-size(4), rest::binary>> = text) do
    with high when high in 0xD800..0xDBFF <- hex(high),
         low when low in 0xDC00..0xDFFF <- hex(low) do
      {<<0x10000 + (high - 0xD800) * 0x400 + low - 0xDC00::utf8>>, rest}
    else
      _ -> unescaped_one(text)
    end
  end

  defp unescaped(text), do: unescaped_one(text)

  defp unescaped_one("u" <> <<code::binary-size(4), rest::binary>> = text) do
    case hex(code) do
      code when code in 0..0xD7FF or code in 0xE000..0xFFFF -> {<<code::utf8>>, rest}
      _ -> wrong(text)
    end
  end

  defp unescaped_one(text), do: wrong(text)

  defp hex(code) do
    case Base.decode16(code, case: :mixed) do
      {:ok, <<number::16>>} -> number
      :error -> throw({:json, "a \\u without four hexadecimal digits"})
    end
  end

  defp number(text) do
    case Regex.run(~r/\A-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/, text) do
      nil -> wrong(text)
      [digits] -> {String.to_integer(digits), rest(text, digits)}
      [digits | _] -> {float(digits), rest(text, digits)}
    end
  end

  defp float(digits) do
    case Float.parse(digits) do
      {number, ""} -> number
      _ -> wrong(digits)
    end
  rescue
    ArgumentError -> throw({:json, "a number that is too large"})
  end

  defp rest(text, digits),
    do: binary_part(text, byte_size(digits), byte_size(text) - byte_size(digits))

  defp space(<<byte, rest::binary>>) when byte in [?\s, ?\t, ?\n, ?\r], do: space(rest)
  defp space(text), do: text

  defp wrong(""), do: throw({:json, "it ends too early"})
  defp wrong(text), do: throw({:json, "not expected: #{inspect(String.slice(text, 0, 20))}"})
end
