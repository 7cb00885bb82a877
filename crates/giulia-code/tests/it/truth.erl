%% What OTP's own disassembler says, as text; compiled on the node that the test asks.
-module(truth).
-export([opcodes/0, builtins/0, code/1, xref/1, xref_time/1, plain/1]).

opcodes() ->
    lists:append([opcode(N) || N <- lists:seq(1, 255)]).

opcode(N) ->
    try beam_opcodes:opname(N) of
        {Name, Arity} -> io_lib:format("~w ~s ~w\n", [N, Name, Arity])
    catch
        _:_ -> []
    end.

%% A string that Erlang prints with no other escape than that of the end of a line.
plain(Text) ->
    lists:append([if Byte =:= $\n; Byte >= $\s, Byte < 127, Byte =/= $", Byte =/= $\\, Byte =/= $% ->
                          [Byte];
                     true ->
                          io_lib:format("%~2.16.0B", [Byte])
                  end || <<Byte>> <= iolist_to_binary(Text)]).

%% A line for each function, then one for each call in it; then one for each function about
%% its tail calls.
code(File) ->
    {beam_file, Module, _, _, _, Functions} = beam_disasm:file(File),
    Starts = [{Start, {Module, F, A}} || {function, F, A, Start, _} <- Functions],
    Made = [{{index, Index}, To}
            || {function, _, _, _, Code} <- Functions, {make_fun3, To, Index, _, _, _} <- Code],
    Named = [{{F, A}, [known(Call, Starts ++ Made) || Call <- calls(Code, [])]}
             || {function, F, A, _, Code} <- Functions],
    unicode:characters_to_binary(
      [[[io_lib:format("function ~ts/~w\n", [F, A]), [line(Call) || Call <- Calls]]
        || {{F, A}, Calls} <- Named],
       loops(Module, Named)]).

calls([{call, _, To} | Code], Acc) -> calls(Code, [{call, To} | Acc]);
calls([{call_last, _, To, _} | Code], Acc) -> calls(Code, [{tail, To} | Acc]);
calls([{call_only, _, To} | Code], Acc) -> calls(Code, [{tail, To} | Acc]);
calls([{call_ext, _, To} | Code], Acc) -> calls(Code, [{call, To} | Acc]);
calls([{call_ext_last, _, To, _} | Code], Acc) -> calls(Code, [{tail, To} | Acc]);
calls([{call_ext_only, _, To} | Code], Acc) -> calls(Code, [{tail, To} | Acc]);
%% `raise` and arithmetic in floating point registers are instructions that the disassembler
%% shows as BIFs.
calls([{bif, Name, _, _, _} | Code], Acc)
  when Name =:= raise; Name =:= fadd; Name =:= fsub; Name =:= fmul; Name =:= fdiv; Name =:= fnegate ->
    calls(Code, Acc);
calls([{bif, Name, _, Args, _} | Code], Acc) -> calls(Code, [{bif, Name, length(Args)} | Acc]);
calls([{gc_bif, Name, _, _, Args, _} | Code], Acc) -> calls(Code, [{bif, Name, length(Args)} | Acc]);
calls([{make_fun2, To, _, _, _} | Code], Acc) -> calls(Code, [{makes, To} | Acc]);
calls([{make_fun3, To, _, _, _, _} | Code], Acc) -> calls(Code, [{makes, To} | Acc]);
calls([Fun, {deallocate, _}, return | Code], Acc)
  when element(1, Fun) =:= call_fun; element(1, Fun) =:= call_fun2 ->
    calls(Code, [{tail, fun_called(Fun)} | Acc]);
calls([Fun | Code], Acc) when element(1, Fun) =:= call_fun; element(1, Fun) =:= call_fun2 ->
    calls(Code, [{call, fun_called(Fun)} | Acc]);
calls([{apply, _} | Code], Acc) -> calls(Code, [{call, apply} | Acc]);
calls([{apply_last, _, _} | Code], Acc) -> calls(Code, [{tail, apply} | Acc]);
calls([send | Code], Acc) -> calls(Code, [{call, send} | Acc]);
calls([{loop_rec, _, _} | Code], Acc) -> calls(Code, [{loop_rec, 'receive'} | Acc]);
calls([_ | Code], Acc) -> calls(Code, Acc);
calls([], Acc) -> lists:reverse(Acc).

%% The compiler may have known which fun it is.
fun_called({call_fun2, {f, Start}, _, _}) -> {known, Start};
fun_called({call_fun2, {u, Index}, _, _}) -> {known, {index, Index}};
fun_called(_) -> a_fun.

known({Kind, {known, Start}}, Starts) -> {Kind, proplists:get_value(Start, Starts)};
known(Call, _) -> Call.

line({bif, Name, Arity}) -> io_lib:format("bif ~ts/~w\n", [Name, Arity]);
line({loop_rec, _}) -> "loop_rec\n";
line({Kind, {extfunc, M, F, A}}) -> io_lib:format("~s external ~ts:~ts/~w\n", [Kind, M, F, A]);
line({Kind, {_, F, A}}) -> io_lib:format("~s local ~ts/~w\n", [Kind, F, A]);
line({Kind, Other}) -> io_lib:format("~s ~s\n", [Kind, Other]).

loops(Module, Named) ->
    Graph = digraph:new(),
    [digraph:add_vertex(Graph, Function) || {Function, _} <- Named],
    [digraph:add_edge(Graph, Function, To)
     || {Function, Calls} <- Named,
        {tail, {M, F, A}} <- [local(Call) || Call <- Calls],
        M =:= Module,
        To <- [{F, A}],
        lists:keymember(To, 1, Named)],
    Cyclic = digraph_utils:cyclic_strong_components(Graph),
    Receiving = [Function || {Function, Calls} <- Named, lists:keymember(loop_rec, 1, Calls)],
    Text = [loop(Function, Graph, Cyclic, Receiving) || {Function, _} <- Named],
    true = digraph:delete(Graph),
    Text.

local({Kind, {extfunc, M, F, A}}) -> {Kind, {M, F, A}};
local(Other) -> Other.

loop({F, A} = Function, Graph, Cyclic, Receiving) ->
    Itself = lists:member(Function, digraph:out_neighbours(Graph, Function)),
    Own = case [C || C <- Cyclic, lists:member(Function, C)] of
        [] -> [Function];
        [C] -> C
    end,
    Reached = digraph_utils:reachable([Function], Graph) -- Own,
    Enters = lists:any(fun(C) -> lists:any(fun(It) -> lists:member(It, C) end, Reached) end, Cyclic),
    Receives = lists:any(fun(It) -> lists:member(It, Receiving) end, Own),
    Cycle = lists:sort([io_lib:format("~ts/~w", [CF, CA]) || {CF, CA} <- Own -- [Function]]),
    io_lib:format("loop ~ts/~w itself=~w receives=~w enters=~w with ~ts\n",
                  [F, A, Itself, Receives, Enters, lists:join(" ", Cycle)]).

%% What xref leaves out: functions that are no Erlang code.
builtins() ->
    [io_lib:format("~ts:~ts/~w\n", [M, F, A]) || {M, F, A} <- erlang:system_info(snifs)].

%% The module's own description, and each call that xref resolves, with its lines.
xref(File) ->
    {ok, {Module, [{exports, Exports}, {attributes, Attributes}]}} =
        beam_lib:chunks(File, [exports, attributes]),
    {ok, {_, Md5}} = beam_lib:md5(File),
    Behaviours = lists:append([Names || {Key, Names} <- Attributes,
                                        Key =:= behaviour orelse Key =:= behavior]),
    unicode:characters_to_binary(
      [io_lib:format("module ~ts\n", [Module]),
       io_lib:format("md5 ~s\n", [[io_lib:format("~2.16.0b", [B]) || <<B>> <= Md5]]),
       [io_lib:format("export ~ts/~w\n", [F, A]) || {F, A} <- lists:sort(Exports)],
       [io_lib:format("behaviour ~ts\n", [Name]) || Name <- lists:sort(Behaviours)],
       [io_lib:format("struct ~ts\n", [Field]) || Field <- struct(Module, Exports)],
       [io_lib:format("doc ~ts ~w\n", [Name, Size]) || {Name, Size} <- docs(File)],
       edges(File)]).

%% Asked of the module itself.
struct(Module, Exports) ->
    case lists:member({'__struct__', 0}, Exports) of
        true -> lists:sort(maps:keys(Module:'__struct__'()) -- ['__struct__']);
        false -> []
    end.

%% How many bytes each documentation has.
docs(File) ->
    case beam_lib:chunks(File, ["Docs"]) of
        {ok, {_, [{_, Chunk}]}} ->
            {docs_v1, _, _, _, Of, _, Docs} = binary_to_term(Chunk),
            [{"module", byte_size(Text)} || #{<<"en">> := Text} <- [Of]] ++
                lists:sort([{lists:flatten(io_lib:format("~s ~ts/~w", [Kind, Name, Arity])), byte_size(Text)}
                            || {{Kind, Name, Arity}, _, _, #{<<"en">> := Text}, _} <- Docs,
                               Kind =:= function orelse Kind =:= macro]);
        {error, _, _} ->
            []
    end.

edges(File) ->
    {ok, Server} = xref:start([{xref_mode, functions}]),
    ok = xref:set_default(Server, [{warnings, false}, {verbose, false}]),
    Added = xref:add_module(Server, File),
    {ok, Edges} = xref:q(Server, "(Lin) (E - UC)"),
    xref:stop(Server),
    case Added of
        {ok, _} ->
            [io_lib:format("edge\t~ts/~w\t~ts:~ts/~w\t~s\n",
                           [F, A, TM, TF, TA, lists:join(",", [integer_to_list(L) || L <- Lines])])
             || {{{_, F, A}, {TM, TF, TA}}, Lines} <- Edges];
        {error, _, _} ->
            "no debug info\n"
    end.

%% How many microseconds xref takes to read all modules below a folder. Of a module that two
%% libraries bring it refuses the second.
xref_time(Folder) ->
    Beams = filelib:fold_files(Folder, "[.]beam$", true, fun
        (File, Seen) -> maps:put(filename:basename(File), File, Seen)
    end, #{}),
    {Time, _} = timer:tc(fun() ->
        {ok, Server} = xref:start([{xref_mode, functions}]),
        ok = xref:set_default(Server, [{warnings, false}, {verbose, false}]),
        [{ok, _} = xref:add_module(Server, It) || It <- maps:values(Beams)],
        xref:stop(Server)
    end),
    Time.
