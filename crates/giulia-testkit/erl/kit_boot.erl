%% Makes the boot files of the embedded nodes, as a release would have them: everything that
%% runs is in the boot file, the `tools` and `runtime_tools` of a developer are not.
-module(kit_boot).
-export([make/0]).

make() ->
    Erlang = [
        {kernel, permanent}, {stdlib, permanent}, {sasl, permanent}, {crypto, load},
        {asn1, load}, {public_key, load}, {ssl, load}, {kit, load}, {sample, load}
    ],
    Elixir = [
        {compiler, permanent}, {elixir, permanent}, {logger, permanent}, {iex, permanent},
        {sample_ex, load}
    ],
    script("erlang", Erlang),
    script("elixir", Erlang ++ Elixir),
    halt(0).

script(Name, Applications) ->
    Release =
        {release, {Name, "1"}, {erts, erlang:system_info(version)}, [
            {It, version(It), Type}
         || {It, Type} <- Applications
        ]},
    ok = file:write_file(Name ++ ".rel", io_lib:format("~p.~n", [Release])),
    %% `local`: absolute paths, so that no release has to be unpacked.
    case systools:make_script(Name, [local, silent, no_module_tests, {path, code:get_path()}]) of
        {ok, _, _} -> ok;
        {error, Module, Why} ->
            io:format("~ts", [Module:format_error(Why)]),
            halt(1)
    end.

version(Application) ->
    case application:load(Application) of
        ok -> ok;
        {error, {already_loaded, _}} -> ok
    end,
    {ok, Version} = application:get_key(Application, vsn),
    Version.
