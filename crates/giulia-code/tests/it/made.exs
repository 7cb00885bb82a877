# Who made each function of compiled modules, as TSV: module, name, arity, and the module of the
# macro in whose quoted code its definition stood; none where it stood in the module itself.
#   elixir made.exs EBIN...
for ebin <- System.argv(), beam <- Path.wildcard(Path.join(ebin, "*.beam")) do
  {:ok, {module, [debug_info: {:debug_info_v1, _, {_, info, _}}]}} =
    :beam_lib.chunks(String.to_charlist(beam), [:debug_info])

  for {{name, arity}, kind, meta, _} <- info.definitions do
    {name, arity} =
      if kind in [:defmacro, :defmacrop], do: {"MACRO-#{name}", arity + 1}, else: {name, arity}

    IO.puts(Enum.join([module, name, arity, meta[:context] || ""], "\t"))
  end
end
