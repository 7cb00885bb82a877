%% Complexity as a walk over the compiler's own forms: the oracle of the source reader's.
-module(complexity).
-export([plain/1, of_file/1]).

plain(Text) ->
    [escape(C) || <<C>> <= iolist_to_binary(Text)].

escape(C) when C =:= $\n; C >= 32, C < 127, C =/= $", C =/= $\\, C =/= $% -> C;
escape(C) -> io_lib:format("%~2.16.0b", [C]).

%% One line a function: its name, and the three figures.
of_file(File) ->
    {ok, {_, [{abstract_code, {raw_abstract_v1, Forms}}]}} =
        beam_lib:chunks(File, [abstract_code]),
    unicode:characters_to_binary(
      [begin
           {Branches, Cognitive, Deepest} = walk(Clauses, {0, 0}),
           io_lib:format("~ts/~w ~w ~w ~w\n",
                         [F, A, Branches + length(Clauses), Cognitive, Deepest])
       end || {function, _, F, A, Clauses} <- Forms]).

%% How many branches, their cognitive sum, and how deep they go; at a depth within the innermost
%% fun and a depth within all.
walk({'case', _, Subject, Clauses}, N) ->
    nest([Subject | Clauses], length(Clauses) - 1, N);
walk({'if', _, Clauses}, N) ->
    Conditions = [{G, B} || {clause, _, [], G, B} <- Clauses],
    add({0, length(Clauses) - 1, 0}, nest(Conditions, length(Clauses) - 1, N));
walk({'receive', _, Clauses}, N) ->
    nest(Clauses, length(Clauses) - 1, N);
walk({'receive', _, Clauses, Time, Body}, N) ->
    nest([Clauses, Time, Body], length(Clauses), N);
walk({'try', _, Body, Of, Catch, After}, N) ->
    nest([Body, Of, Catch, After], max(0, length(Of) - 1) + length(Catch), N);
walk({'maybe', _, Body}, N) ->
    nest(Body, 0, N);
walk({'maybe', _, Body, {'else', _, Clauses}}, N) ->
    nest([Body | Clauses], length(Clauses) - 1, N);
walk({maybe_match, _, Pattern, Value}, N) ->
    add({1, 0, 0}, walk([Pattern, Value], N));
walk({Kind, _, Element, Qualifiers}, N) when Kind =:= lc; Kind =:= bc; Kind =:= mc ->
    nest([Element | Qualifiers], 1, N);
walk({'fun', _, {clauses, Clauses}}, N) ->
    closure(Clauses, N);
walk({named_fun, _, _, Clauses}, N) ->
    closure(Clauses, N);
walk({clause, _, _, _, Body}, N) ->
    walk(Body, N);
walk({op, _, Op, Left, Right}, N) when Op =:= 'andalso'; Op =:= 'orelse' ->
    add({1, 1, 0}, walk([Left, Right], N));
walk({'catch', _, Value}, N) ->
    add({1, 1, 0}, walk(Value, N));
walk(Tuple, N) when is_tuple(Tuple) ->
    walk(tuple_to_list(Tuple), N);
walk([Head | Tail], N) ->
    add(walk(Head, N), walk(Tail, N));
walk(_, _) ->
    {0, 0, 0}.

nest(Parts, Branches, {Depth, Nested}) ->
    add({Branches, 1 + Depth, Nested + 1}, walk(Parts, {Depth + 1, Nested + 1})).

closure(Clauses, {_, Nested}) ->
    add({length(Clauses) - 1, 1, Nested + 1}, walk(Clauses, {0, Nested + 1})).

add({B1, C1, D1}, {B2, C2, D2}) ->
    {B1 + B2, C1 + C2, max(D1, D2)}.
