//! Capability flags: what we offer, what we need, what both sides have.
//!
//! <https://www.erlang.org/doc/apps/erts/erl_dist_protocol.html#distribution-flags>

/// References of three words.
pub const EXTENDED_REFERENCES: u64 = 0x4;
/// Monitors over the connection.
pub const DIST_MONITOR: u64 = 0x8;
/// Funs have tags of their own.
pub const FUN_TAGS: u64 = 0x10;
/// Monitors of registered names.
pub const DIST_MONITOR_NAME: u64 = 0x20;
/// `NEW_FUN_EXT`.
pub const NEW_FUN_TAGS: u64 = 0x80;
/// Pids and ports with more bits.
pub const EXTENDED_PIDS_PORTS: u64 = 0x100;
/// `EXPORT_EXT`.
pub const EXPORT_PTR_TAG: u64 = 0x200;
/// `BIT_BINARY_EXT`.
pub const BIT_BINARIES: u64 = 0x400;
/// `NEW_FLOAT_EXT`.
pub const NEW_FLOATS: u64 = 0x800;
/// Unicode in the IO protocol.
pub const UNICODE_IO: u64 = 0x1000;
/// An atom cache in distribution headers; we never offer it.
pub const DIST_HDR_ATOM_CACHE: u64 = 0x2000;
/// `SMALL_ATOM_EXT`.
pub const SMALL_ATOM_TAGS: u64 = 0x4000;
/// Atoms in UTF-8.
pub const UTF8_ATOMS: u64 = 0x1_0000;
/// `MAP_EXT`.
pub const MAP_TAG: u64 = 0x2_0000;
/// Creations of 32 bits.
pub const BIG_CREATION: u64 = 0x4_0000;
/// Messages name their sender.
pub const SEND_SENDER: u64 = 0x8_0000;
/// Exit reasons travel beside the control message.
pub const EXIT_PAYLOAD: u64 = 0x40_0000;
/// Large messages come in fragments.
pub const FRAGMENTS: u64 = 0x80_0000;
/// Handshake version 6.
pub const HANDSHAKE_23: u64 = 0x100_0000;
/// Unlinks are acknowledged; mandatory since OTP 26.
pub const UNLINK_ID: u64 = 0x200_0000;
/// `SPAWN_REQUEST`.
pub const SPAWN: u64 = 1 << 32;
/// The peer is asked to give us a name.
pub const NAME_ME: u64 = 1 << 33;
/// Node container types of version 4; mandatory since OTP 26.
pub const V4_NC: u64 = 1 << 34;
/// Everything that is mandatory in OTP 25.
pub const MANDATORY_25_DIGEST: u64 = 1 << 36;

/// What a node that sends [`MANDATORY_25_DIGEST`] has, whether or not it says so bit by bit.
const MANDATORY_25: u64 = EXTENDED_REFERENCES
    | FUN_TAGS
    | NEW_FUN_TAGS
    | EXTENDED_PIDS_PORTS
    | EXPORT_PTR_TAG
    | BIT_BINARIES
    | NEW_FLOATS
    | UTF8_ATOMS
    | MAP_TAG
    | BIG_CREATION
    | HANDSHAKE_23;

/// What we offer. Not among it: `PUBLISHED` (we are hidden), atom caches, aliases.
pub const OFFERED: u64 = MANDATORY_25
    | DIST_MONITOR
    | DIST_MONITOR_NAME
    | UNICODE_IO
    | SMALL_ATOM_TAGS
    | SEND_SENDER
    | EXIT_PAYLOAD
    | FRAGMENTS
    | UNLINK_ID
    | SPAWN
    | V4_NC
    | MANDATORY_25_DIGEST;

/// What a peer must have for us to ask anything.
pub const NEEDED: u64 = MANDATORY_25 | SPAWN;

/// What a peer has, with what its digest implies.
pub fn expand(flags: u64) -> u64 {
    if flags & MANDATORY_25_DIGEST == 0 { flags } else { flags | MANDATORY_25 }
}
