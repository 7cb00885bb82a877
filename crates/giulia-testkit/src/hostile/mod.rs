//! Peers that no real node would be.
