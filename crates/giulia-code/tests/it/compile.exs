# How long Elixir takes to compile files on all cores, in microseconds, its own start left out.
#   elixir compile.exs EBIN FILE...
[ebin | files] = System.argv()
File.mkdir_p!(ebin)
Code.compiler_options(ignore_module_conflict: true, docs: true, debug_info: true)

{micros, {:ok, _, _}} =
  :timer.tc(fn ->
    Kernel.ParallelCompiler.compile_to_path(files, ebin, return_diagnostics: true)
  end)

IO.puts(micros)
