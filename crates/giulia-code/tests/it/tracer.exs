# What Elixir's own compiler says while it compiles: each reference with its caller, as TSV.
#   elixir tracer.exs EBIN FILE...
defmodule Giulia.Tracer do
  def start, do: :ets.new(__MODULE__, [:named_table, :public, :bag, write_concurrency: true])

  def trace({kind, meta, module, name, arity}, env)
      when kind in [:remote_function, :remote_macro, :imported_function, :imported_macro],
      do: add(kind, meta, module, name, arity, env)

  def trace({kind, meta, name, arity}, env) when kind in [:local_function, :local_macro],
    do: add(kind, meta, env.module, name, arity, env)

  def trace({:struct_expansion, meta, module, _}, env), do: add(:struct, meta, module, "", 0, env)
  def trace({:alias_reference, meta, module}, env), do: add(:module, meta, module, "", 0, env)
  def trace(_event, _env), do: :ok

  defp add(kind, meta, module, name, arity, env) do
    {function, its_arity} = env.function || {"", 0}
    line = meta[:line] || env.line || 0

    row =
      [kind, env.file, line, meta[:column] || 0, env.module || "", function, its_arity] ++
        [module, name, arity]

    :ets.insert(__MODULE__, {row})
    :ok
  end

  def rows, do: for({row} <- :ets.tab2list(__MODULE__), do: row)
end

[ebin | files] = System.argv()
File.mkdir_p!(ebin)
Giulia.Tracer.start()
Code.compiler_options(ignore_module_conflict: true, docs: true, debug_info: true)
Code.put_compiler_option(:parser_options, columns: true)
Code.put_compiler_option(:tracers, [Giulia.Tracer])
options = [dest: ebin, return_diagnostics: true]

{:ok, _, _} = Kernel.ParallelCompiler.compile_to_path(files, ebin, options)

for row <- Giulia.Tracer.rows() do
  fields = for field <- row, do: field |> to_string() |> String.replace(["\t", "\n"], " ")
  IO.puts(Enum.join(fields, "\t"))
end
