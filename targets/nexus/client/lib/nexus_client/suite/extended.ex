defmodule NexusClient.Suite.Extended do
  @moduledoc "JSONB, NULLs, types, constraints, and categories that have categories."

  import NexusClient.Suite

  def setup(it) do
    kinds = ~w(text integer bigint numeric float boolean jsonb timestamp date)
    path = table(it, "kinds", for(kind <- kinds, do: {"a_#{kind}", kind}))

    tree =
      table(it, "categories", [
        %{name: "name", type: "text", not_null: true, unique: true},
        %{name: "parent_id", type: "bigint", references: "categories_#{it.run}"}
      ])

    %{path: path, tree: tree}
  end

  def teardown(it), do: for(path <- [it.path, it.tree], do: drop(it, path))

  def tests do
    [
      {"every type comes back as it went", &types/1},
      {"a JSON document comes back whole", &document/1},
      {"rows are found by what is inside of a document", &inside/1},
      {"a document is replaced", &replaced/1},
      {"null is null in every type, and not an empty text", &nulls/1},
      {"rows are found by null and not null", &null_conditions/1},
      {"a category has its parent", &parents/1},
      {"a tree of categories is read at once, with depths", &tree/1},
      {"what must be there, unique or referred to is", &constraints/1}
    ]
  end

  defp types(it) do
    row = %{
      "a_text" => "x",
      "a_integer" => -2_147_483_648,
      "a_bigint" => 9_007_199_254_740_993,
      "a_numeric" => 12.5,
      "a_float" => 0.1,
      "a_boolean" => false,
      "a_jsonb" => [1, "two", nil],
      "a_timestamp" => "2026-01-02 03:04:05+00",
      "a_date" => "2026-01-02"
    }

    id = insert(it, it.path, row)

    same(
      Map.drop(expect(it, 200, "GET", "#{it.path}/rows/#{id}"), ["id", "a_timestamp"]),
      Map.delete(row, "a_timestamp")
    )

    # Shown in the server's time zone, so asked for by value.
    same(
      expect(it, 200, "GET", "#{it.path}/count?a_timestamp=eq.#{escape("2026-01-02T03:04:05Z")}")[
        "count"
      ],
      1
    )
  end

  defp document(it) do
    document = %{
      "colour" => "red",
      "tags" => ["a", "b"],
      "deep" => %{"er" => %{"n" => 1.5, "no" => nil, "yes" => true}}
    }

    id = insert(it, it.path, %{a_jsonb: document})
    same(expect(it, 200, "GET", "#{it.path}/rows/#{id}")["a_jsonb"], document)
  end

  defp inside(it) do
    for size <- [1, 2, 2],
        do: insert(it, it.path, %{a_text: "inside", a_jsonb: %{size: size, note: "n'#{size}"}})

    same(
      expect(it, 200, "GET", it.path <> "/count?a_text=eq.inside&#{escape("a_jsonb->size")}=eq.2")[
        "count"
      ],
      2
    )

    same(
      expect(it, 200, "GET", it.path <> "/count?#{escape("a_jsonb->note")}=eq.#{escape("n'1")}")[
        "count"
      ],
      1
    )

    same(
      expect(it, 200, "GET", it.path <> "/count?a_jsonb=contains.#{escape(~s({"size": 2}))}")[
        "count"
      ],
      2
    )

    expect(it, 400, "GET", it.path <> "/count?#{escape("a_text->size")}=eq.2")
  end

  defp replaced(it) do
    id = insert(it, it.path, %{a_jsonb: %{old: 1}})

    same(expect(it, 200, "PATCH", "#{it.path}/rows/#{id}", %{a_jsonb: %{new: [2]}})["a_jsonb"], %{
      "new" => [2]
    })

    same(expect(it, 200, "PATCH", "#{it.path}/rows/#{id}", %{a_jsonb: nil})["a_jsonb"], nil)
  end

  defp nulls(it) do
    id = insert(it, it.path, %{a_text: nil})
    row = expect(it, 200, "GET", "#{it.path}/rows/#{id}")
    same(row |> Map.delete("id") |> Map.values() |> Enum.uniq(), [nil])
    id = insert(it, it.path, %{a_text: ""})
    same(expect(it, 200, "GET", "#{it.path}/rows/#{id}")["a_text"], "")
  end

  defp null_conditions(it) do
    insert(it, it.path, %{a_text: "nulls", a_integer: 1})
    for _ <- 1..2, do: insert(it, it.path, %{a_text: "nulls"})

    same(
      expect(it, 200, "GET", it.path <> "/count?a_text=eq.nulls&a_integer=is.null")["count"],
      2
    )

    same(
      expect(it, 200, "GET", it.path <> "/count?a_text=eq.nulls&a_integer=is.not_null")["count"],
      1
    )
  end

  defp parents(it) do
    id = insert(it, it.tree, %{name: "food"})
    child = insert(it, it.tree, %{name: "fruit", parent_id: id})
    same(expect(it, 200, "GET", "#{it.tree}/rows/#{child}")["parent_id"], id)
    same(expect(it, 200, "GET", "#{it.tree}/count?parent_id=eq.#{id}")["count"], 1)
  end

  defp tree(it) do
    root = insert(it, it.tree, %{name: "world"})
    a = insert(it, it.tree, %{name: "a", parent_id: root})
    b = insert(it, it.tree, %{name: "b", parent_id: root})
    deep = insert(it, it.tree, %{name: "deep", parent_id: a})
    rows = expect(it, 200, "GET", "#{it.tree}/tree?root=#{root}")["rows"]
    same(for(row <- rows, do: {row["id"], row["depth"]}), [{root, 0}, {a, 1}, {b, 1}, {deep, 2}])
    # One that is its own ancestor ends too.
    expect(it, 200, "PATCH", "#{it.tree}/rows/#{root}", %{parent_id: deep})
    same(length(expect(it, 200, "GET", "#{it.tree}/tree?root=#{root}")["rows"]) in 4..200, true)
  end

  defp constraints(it) do
    insert(it, it.tree, %{name: "only"})
    expect(it, 409, "POST", "#{it.tree}/rows", %{name: "only"})
    expect(it, 400, "POST", "#{it.tree}/rows", %{name: nil})
    expect(it, 409, "POST", "#{it.tree}/rows", %{name: "orphan", parent_id: 999_999_999})
  end
end
