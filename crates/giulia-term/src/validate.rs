//! Whether bytes are a term, exactly, without building anything.
//!
//! Used on everything that arrives and on everything that leaves. Iterative: what is open
//! sits in an array, so that neither the stack nor the heap follows the peer.

use super::{
    DecodeErrorKind::Limit,
    cursor::Cursor,
    error::DecodeError,
    limits::{DEPTH_CAP, Limits},
    reader::Reader,
    tag,
};

/// An open container: how many terms it still wants, and how it has to end.
#[derive(Clone, Copy)]
struct Open {
    left: u32,
    end: End,
}

#[derive(Clone, Copy)]
enum End {
    /// With its last element.
    Element,
    /// With its tail, which counts as the last element.
    Tail,
    /// With its last element, at this position.
    At(u32),
}

const LEAF: Open = Open { left: 0, end: End::Element };

/// Checks that the bytes are exactly one term, without a version byte.
///
/// # Errors
/// When they are not, or when the term nests deeper than the limits allow.
pub fn validate(bytes: &[u8], limits: &Limits) -> Result<(), DecodeError> {
    let mut reader = Reader::with_limits(bytes, limits);
    reader.skip()?;
    reader.finish()
}

/// Goes over one term that may open `depth_max` containers in one another.
#[inline]
pub(super) fn skip(cursor: &mut Cursor<'_>, depth_max: usize) -> Result<(), DecodeError> {
    match cursor.peek() {
        // Leaves need no array.
        Some(tag::SMALL_INTEGER) => cursor.take(2).map(|_| ()),
        Some(tag::INTEGER) => cursor.take(5).map(|_| ()),
        Some(tag::NIL) => cursor.take(1).map(|_| ()),
        Some(tag::SMALL_ATOM_UTF8) => {
            cursor.u8()?;
            cursor.atom(tag::SMALL_ATOM_UTF8).map(|_| ())
        }
        _ => skip_nested(cursor, depth_max),
    }
}

fn skip_nested(cursor: &mut Cursor<'_>, depth_max: usize) -> Result<(), DecodeError> {
    let mut stack = [LEAF; DEPTH_CAP];
    let mut height = 0;
    // The height at which a term of LOCAL_EXT began: only inside may a node be [].
    let mut local_from: Option<usize> = None;
    loop {
        let tag = next_tag(cursor)?;
        if tag == tag::LOCAL {
            // A hash, then a term: https://www.erlang.org/doc/apps/erts/erl_ext_dist.html#local_ext
            cursor.take(4)?;
            local_from = local_from.or(Some(height));
            continue;
        }
        let open = head(cursor, tag, local_from.is_some())?;
        if open.left > 0 {
            let around = height.checked_sub(1).and_then(|it| stack.get_mut(it));
            match around {
                // A tail that is a list goes on with the same list.
                Some(Open { left: left @ 1, end: End::Tail })
                    if matches!(open.end, End::Tail) && local_from != Some(height) =>
                {
                    *left = open.left;
                }
                _ => {
                    let slot = stack.get_mut(height).filter(|_| height < depth_max);
                    *slot.ok_or_else(|| cursor.too_deep())? = open;
                    height += 1;
                }
            }
            continue;
        }
        // A term is complete, and with it every container that it was the last element of.
        loop {
            if local_from == Some(height) {
                local_from = None;
            }
            let Some(around) = height.checked_sub(1).and_then(|it| stack.get_mut(it)) else {
                return Ok(());
            };
            around.left -= 1;
            if around.left > 0 {
                break;
            }
            check_end(cursor, around.end)?;
            height -= 1;
        }
    }
}

/// Reads a term up to its first element; a leaf altogether.
#[inline]
fn head(cursor: &mut Cursor<'_>, tag: u8, local: bool) -> Result<Open, DecodeError> {
    match tag {
        tag::SMALL_INTEGER => leaf(cursor, 1),
        tag::INTEGER => leaf(cursor, 4),
        tag::NIL => Ok(LEAF),
        tag::SMALL_ATOM_UTF8 | tag::ATOM_UTF8 | tag::ATOM_LATIN1 | tag::SMALL_ATOM_LATIN1 => {
            cursor.atom(tag).map(|_| LEAF)
        }
        tag::SMALL_TUPLE => {
            let left = u32::from(cursor.u8()?);
            Ok(Open { left, end: End::Element })
        }
        tag::LARGE_TUPLE => elements(cursor, 1, End::Element),
        tag::LIST => {
            let open = elements(cursor, 1, End::Tail)?;
            Ok(Open { left: open.left.saturating_add(1), ..open })
        }
        tag::MAP => elements(cursor, 2, End::Element),
        tag::STRING => {
            let len = usize::from(cursor.u16()?);
            leaf(cursor, len)
        }
        tag::BINARY => {
            let len = cursor.len32()?;
            leaf(cursor, len)
        }
        _ => rare_head(cursor, tag, local),
    }
}

fn rare_head(cursor: &mut Cursor<'_>, tag: u8, local: bool) -> Result<Open, DecodeError> {
    match tag {
        tag::NEW_FLOAT | tag::FLOAT => cursor.float(tag).map(|_| LEAF),
        tag::SMALL_BIG | tag::LARGE_BIG => cursor.big(tag).map(|_| LEAF),
        tag::BIT_BINARY => cursor.bits().map(|_| LEAF),
        tag::NEW_PID | tag::V4_PORT => after_node(cursor, local, 12),
        tag::PID => after_node(cursor, local, 9),
        tag::NEW_PORT => after_node(cursor, local, 8),
        tag::PORT | tag::REFERENCE => after_node(cursor, local, 5),
        tag::NEWER_REFERENCE | tag::NEW_REFERENCE => {
            let words = cursor.reference_len()?;
            let creation = if tag == tag::NEWER_REFERENCE { 4 } else { 1 };
            after_node(cursor, local, creation + words * 4)
        }
        tag::EXPORT => {
            atom(cursor)?;
            atom(cursor)?;
            cursor.export_arity().map(|_| LEAF)
        }
        tag::NEW_FUN => fun_head(cursor, local),
        tag::RECORD => {
            let head = cursor.record_head()?;
            // Module, name and one name a field.
            for _ in 0..head.count.saturating_add(2) {
                atom(cursor)?;
            }
            Ok(Open { left: count32(cursor, head.count)?, end: End::Element })
        }
        _ => Err(DecodeError::tag(cursor.position().saturating_sub(1), tag)),
    }
}

/// <https://www.erlang.org/doc/apps/erts/erl_ext_dist.html#new_fun_ext>
fn fun_head(cursor: &mut Cursor<'_>, local: bool) -> Result<Open, DecodeError> {
    let start = cursor.position();
    // The size counts itself.
    let size = usize::try_from(cursor.u32()?).unwrap_or(usize::MAX);
    let end = count32(cursor, start.saturating_add(size))?;
    // Arity, unique MD5, index.
    cursor.take(1 + 16 + 4)?;
    let free = cursor.len32()?;
    atom(cursor)?;
    for wanted in [
        &[tag::SMALL_INTEGER, tag::INTEGER][..],
        &[tag::SMALL_INTEGER, tag::INTEGER],
        &[tag::NEW_PID, tag::PID],
    ] {
        // OldIndex, OldUniq and Pid; inside of LOCAL_EXT the VM marks each one again.
        let mut local = local;
        let mut tag = next_tag(cursor)?;
        while tag == tag::LOCAL {
            cursor.take(4)?;
            local = true;
            tag = next_tag(cursor)?;
        }
        if !wanted.contains(&tag) {
            return Err(DecodeError::expected(
                cursor.position() - 1,
                "the head of a fun",
                Some(tag),
            ));
        }
        head(cursor, tag, local)?;
    }
    let open = Open { left: count32(cursor, free)?, end: End::At(end) };
    if free == 0 {
        check_end(cursor, open.end)?;
    }
    Ok(open)
}

#[inline]
fn check_end(cursor: &Cursor<'_>, end: End) -> Result<(), DecodeError> {
    if let End::At(end) = end
        && usize::try_from(end).ok() != Some(cursor.position())
    {
        return Err(cursor.value(0, "a fun whose size is not the one it announces"));
    }
    Ok(())
}

#[inline]
fn next_tag(cursor: &mut Cursor<'_>) -> Result<u8, DecodeError> {
    cursor.u8().map_err(|_| DecodeError::expected(cursor.position(), "a term", None))
}

#[inline]
fn leaf(cursor: &mut Cursor<'_>, len: usize) -> Result<Open, DecodeError> {
    cursor.take(len).map(|_| LEAF)
}

#[inline]
fn elements(cursor: &mut Cursor<'_>, each: usize, end: End) -> Result<Open, DecodeError> {
    let count = cursor.len32()?.saturating_mul(each);
    cursor.covered(count)?;
    Ok(Open { left: count32(cursor, count)?, end })
}

fn after_node(cursor: &mut Cursor<'_>, local: bool, len: usize) -> Result<Open, DecodeError> {
    if local && cursor.peek() == Some(tag::NIL) {
        cursor.u8()?;
    } else {
        atom(cursor)?;
    }
    leaf(cursor, len)
}

fn atom(cursor: &mut Cursor<'_>) -> Result<(), DecodeError> {
    match cursor.u8() {
        Ok(tag) => cursor.atom(tag).map(|_| ()),
        Err(_) => Err(DecodeError::expected(cursor.position(), "an atom", None)),
    }
}

fn count32(cursor: &Cursor<'_>, count: usize) -> Result<u32, DecodeError> {
    let text = "more elements or bytes than 32 bits can count";
    u32::try_from(count).map_err(|_| DecodeError::new(Limit, cursor.position(), text))
}
