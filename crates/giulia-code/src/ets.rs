//! What the functions of `ets` do to their table: as data, one entry each.

use giulia_model::EdgeKind;

/// Functions whose first argument is the table, with what they do to it.
/// <https://www.erlang.org/doc/apps/stdlib/ets.html>
const USES: &[(&str, EdgeKind)] = &[
    ("delete", EdgeKind::EtsWrite),
    ("delete_all_objects", EdgeKind::EtsWrite),
    ("delete_object", EdgeKind::EtsWrite),
    ("first", EdgeKind::EtsRead),
    ("first_lookup", EdgeKind::EtsRead),
    ("file2tab", EdgeKind::EtsNew),
    ("give_away", EdgeKind::EtsDelete),
    ("info", EdgeKind::EtsRead),
    ("insert", EdgeKind::EtsWrite),
    ("insert_new", EdgeKind::EtsWrite),
    ("last", EdgeKind::EtsRead),
    ("last_lookup", EdgeKind::EtsRead),
    ("lookup", EdgeKind::EtsRead),
    ("lookup_element", EdgeKind::EtsRead),
    ("match", EdgeKind::EtsRead),
    ("match_delete", EdgeKind::EtsWrite),
    ("match_object", EdgeKind::EtsRead),
    ("member", EdgeKind::EtsRead),
    ("new", EdgeKind::EtsNew),
    ("next", EdgeKind::EtsRead),
    ("next_lookup", EdgeKind::EtsRead),
    ("prev", EdgeKind::EtsRead),
    ("prev_lookup", EdgeKind::EtsRead),
    ("rename", EdgeKind::EtsWrite),
    ("select", EdgeKind::EtsRead),
    ("select_count", EdgeKind::EtsRead),
    ("select_delete", EdgeKind::EtsWrite),
    ("select_replace", EdgeKind::EtsWrite),
    ("select_reverse", EdgeKind::EtsRead),
    ("slot", EdgeKind::EtsRead),
    ("tab2file", EdgeKind::EtsRead),
    ("tab2list", EdgeKind::EtsRead),
    ("take", EdgeKind::EtsWrite),
    ("update_counter", EdgeKind::EtsWrite),
    ("update_element", EdgeKind::EtsWrite),
];

/// What a function of `ets` does to the table that it is given first.
pub(crate) fn ets_use(function: &str, arity: u32) -> Option<EdgeKind> {
    if (function, arity) == ("delete", 1) {
        return Some(EdgeKind::EtsDelete);
    }
    // The continuations of these have no table.
    if arity == 1 && matches!(function, "match" | "match_object" | "select" | "select_reverse") {
        return None;
    }
    // Those over a list or a table of `dets` read or write as a whole.
    let base = match function {
        "foldl" | "foldr" => return Some(EdgeKind::EtsRead),
        "from_dets" => return Some(EdgeKind::EtsWrite),
        other => other,
    };
    USES.iter().find(|(name, _)| *name == base).map(|(_, kind)| *kind)
}
