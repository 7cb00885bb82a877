//! The tags of the external term format, in the order of their numbers.
//!
//! <https://www.erlang.org/doc/apps/erts/erl_ext_dist.html>

/// In front of a term outside a distribution message.
pub(super) const VERSION: u8 = 131;

pub(super) const RECORD: u8 = 67;
pub(super) const DIST_HEADER: u8 = 68;
pub(super) const DIST_FRAGMENT_HEADER: u8 = 69;
pub(super) const NEW_FLOAT: u8 = 70;
pub(super) const BIT_BINARY: u8 = 77;
pub(super) const COMPRESSED: u8 = 80;
pub(super) const ATOM_CACHE_REF: u8 = 82;
pub(super) const NEW_PID: u8 = 88;
pub(super) const NEW_PORT: u8 = 89;
pub(super) const NEWER_REFERENCE: u8 = 90;
pub(super) const SMALL_INTEGER: u8 = 97;
pub(super) const INTEGER: u8 = 98;
pub(super) const FLOAT: u8 = 99;
pub(super) const ATOM_LATIN1: u8 = 100;
pub(super) const REFERENCE: u8 = 101;
pub(super) const PORT: u8 = 102;
pub(super) const PID: u8 = 103;
pub(super) const SMALL_TUPLE: u8 = 104;
pub(super) const LARGE_TUPLE: u8 = 105;
pub(super) const NIL: u8 = 106;
pub(super) const STRING: u8 = 107;
pub(super) const LIST: u8 = 108;
pub(super) const BINARY: u8 = 109;
pub(super) const SMALL_BIG: u8 = 110;
pub(super) const LARGE_BIG: u8 = 111;
pub(super) const NEW_FUN: u8 = 112;
pub(super) const EXPORT: u8 = 113;
pub(super) const NEW_REFERENCE: u8 = 114;
pub(super) const SMALL_ATOM_LATIN1: u8 = 115;
pub(super) const MAP: u8 = 116;
pub(super) const FUN: u8 = 117;
pub(super) const ATOM_UTF8: u8 = 118;
pub(super) const SMALL_ATOM_UTF8: u8 = 119;
pub(super) const V4_PORT: u8 = 120;
pub(super) const LOCAL: u8 = 121;

/// What a tag stands for, in words for an error.
pub(super) fn name(tag: u8) -> &'static str {
    match tag {
        RECORD => "a native record",
        NEW_FLOAT | FLOAT => "a float",
        BIT_BINARY => "a bit string",
        NEW_PID | PID => "a pid",
        NEW_PORT | PORT | V4_PORT => "a port",
        NEWER_REFERENCE | NEW_REFERENCE | REFERENCE => "a reference",
        SMALL_INTEGER | INTEGER => "an integer",
        SMALL_BIG | LARGE_BIG => "a big integer",
        ATOM_LATIN1 | SMALL_ATOM_LATIN1 | ATOM_UTF8 | SMALL_ATOM_UTF8 => "an atom",
        SMALL_TUPLE | LARGE_TUPLE => "a tuple",
        NIL => "the empty list",
        STRING => "a list of bytes",
        LIST => "a list",
        BINARY => "a binary",
        NEW_FUN => "a fun",
        FUN => "a fun of before OTP R8, which we do not read",
        EXPORT => "an external fun",
        MAP => "a map",
        LOCAL => "a term that only its own node can read",
        COMPRESSED => "a compressed term inside of a term",
        VERSION => "a version byte inside of a term",
        ATOM_CACHE_REF => "an atom cache reference, and we offer no atom cache",
        DIST_HEADER | DIST_FRAGMENT_HEADER => "a distribution header, and we offer no atom cache",
        _ => "an unknown tag",
    }
}

/// The same as a value of [`Kind`](super::Kind)'s families, for matching.
pub(super) fn is_atom(tag: u8) -> bool {
    matches!(tag, SMALL_ATOM_UTF8 | ATOM_UTF8 | ATOM_LATIN1 | SMALL_ATOM_LATIN1)
}
