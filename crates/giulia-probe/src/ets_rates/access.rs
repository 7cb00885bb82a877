//! What the functions of `ets` do to a table, and what each is called outside.

use giulia_model::EtsAccess;

/// Every built-in function of `ets` that touches a table, on OTP 23 to 29 (listed by
/// `erlang:is_builtin/3` there).
///
/// `internal_…` is how `ets` itself carries out two of its functions; one that takes long is
/// called again for each part.
const FUNCTIONS: [(&str, EtsAccess); 40] = [
    ("delete", EtsAccess::Write),
    ("delete_object", EtsAccess::Write),
    ("first", EtsAccess::Read),
    ("first_lookup", EtsAccess::Read),
    ("give_away", EtsAccess::Other),
    ("info", EtsAccess::Other),
    ("insert", EtsAccess::Write),
    ("insert_new", EtsAccess::Write),
    ("internal_delete_all", EtsAccess::Write),
    ("internal_select_delete", EtsAccess::Write),
    ("last", EtsAccess::Read),
    ("last_lookup", EtsAccess::Read),
    ("lookup", EtsAccess::Read),
    ("lookup_element", EtsAccess::Read),
    ("match", EtsAccess::Read),
    ("match_object", EtsAccess::Read),
    ("match_spec_compile", EtsAccess::Other),
    ("match_spec_run_r", EtsAccess::Other),
    ("member", EtsAccess::Read),
    ("new", EtsAccess::Other),
    ("next", EtsAccess::Read),
    ("next_lookup", EtsAccess::Read),
    ("prev", EtsAccess::Read),
    ("prev_lookup", EtsAccess::Read),
    ("rename", EtsAccess::Other),
    ("safe_fixtable", EtsAccess::Other),
    ("select", EtsAccess::Read),
    ("select_count", EtsAccess::Read),
    ("select_replace", EtsAccess::Write),
    ("select_reverse", EtsAccess::Read),
    ("setopts", EtsAccess::Other),
    ("slot", EtsAccess::Read),
    ("take", EtsAccess::Write),
    ("update_counter", EtsAccess::Write),
    ("update_element", EtsAccess::Write),
    ("whereis", EtsAccess::Other),
    ("internal_request_all", EtsAccess::Other),
    ("is_compiled_ms", EtsAccess::Other),
    ("tab2list", EtsAccess::Read),
    ("all", EtsAccess::Other),
];

/// What a function does to a table.
pub(super) fn access(function: &str, arity: u32) -> EtsAccess {
    // Deleting a whole table is no write into it.
    if (function, arity) == ("delete", 1) {
        return EtsAccess::Other;
    }
    let found = FUNCTIONS.iter().find(|(name, _)| *name == function);
    found.map_or(EtsAccess::Other, |(_, access)| *access)
}

/// Whether its first argument is a table, so that a sample can tell which.
pub(super) fn takes_table(function: &str, arity: u32) -> bool {
    // Those of one argument go on where an earlier call stopped.
    let goes_on = ["match", "match_object", "select", "select_reverse"].contains(&function);
    access(function, arity) != EtsAccess::Other && !(goes_on && arity == 1)
}

/// Whether its arguments behind the table are a key and positions, and no objects or patterns.
pub(super) fn takes_keys_only(function: &str) -> bool {
    let with_keys = [
        "delete",
        "first",
        "first_lookup",
        "last",
        "last_lookup",
        "lookup",
        "lookup_element",
        "member",
        "next",
        "next_lookup",
        "prev",
        "prev_lookup",
        "slot",
        "take",
        "update_counter",
    ];
    with_keys.contains(&function)
}

/// As people call it: `ets:delete_all_objects/1` is what is in their source.
pub(super) fn shown(function: &str, arity: u32) -> String {
    match function {
        "internal_delete_all" => "delete_all_objects/1".to_owned(),
        "internal_select_delete" => "select_delete/2".to_owned(),
        _ => format!("{function}/{arity}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_are_told_apart() {
        for (function, arity, expected) in [
            ("lookup", 2, EtsAccess::Read),
            ("lookup_element", 4, EtsAccess::Read),
            ("insert", 2, EtsAccess::Write),
            ("take", 2, EtsAccess::Write),
            ("delete", 2, EtsAccess::Write),
            ("delete", 1, EtsAccess::Other),
            ("new", 2, EtsAccess::Other),
            ("of_a_later_otp", 1, EtsAccess::Other),
        ] {
            assert_eq!(access(function, arity), expected, "{function}/{arity}");
        }
        assert!(takes_table("select", 2) && !takes_table("select", 1));
        assert!(takes_table("last", 1) && !takes_table("whereis", 1));
        assert_eq!(shown("internal_delete_all", 2), "delete_all_objects/1");
    }
}
