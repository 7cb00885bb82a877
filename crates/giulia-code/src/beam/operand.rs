//! The compact form in which the code chunk writes numbers, atoms, registers and labels.
//!
//! <https://www.erlang.org/blog/a-brief-beam-primer/> names the types;
//! <https://blog.stenmans.org/theBeamBook/#_the_beam_file_format> describes the bits.

use super::bytes::Bytes;
use crate::problem::{Problem, ProblemKind};

/// An operand of an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operand {
    /// A count, an arity, an index into a table.
    Unsigned(u64),
    /// An integer of the program.
    Integer(i64),
    /// An integer of the program that needs more than 64 bits.
    BigInteger,
    /// An atom's number; 0 is the empty list.
    Atom(u64),
    /// A register of the function.
    X(u64),
    /// A slot of the stack frame.
    Y(u64),
    /// A label; 0 is none.
    Label(u64),
    /// A character, of before OTP R12.
    Character(u64),
    /// A floating point register.
    Float(u64),
    /// So many operands in a list, which was gone over.
    List(u64),
    /// What a frame needs, as so many pairs.
    Allocation(u64),
    /// A literal's number.
    Literal(u64),
}

// The lower three bits of the first byte.
const UNSIGNED: u8 = 0;
const INTEGER: u8 = 1;
const ATOM: u8 = 2;
const X: u8 = 3;
const Y: u8 = 4;
const LABEL: u8 = 5;
const CHARACTER: u8 = 6;
const EXTENDED: u8 = 7;

// What an extended operand is: the number in its first byte.
const EXTENDED_LIST: u64 = 1;
const EXTENDED_FLOAT: u64 = 2;
const EXTENDED_ALLOCATION: u64 = 3;
const EXTENDED_LITERAL: u64 = 4;
/// A register with what the compiler knows about its type; since OTP 25.
const EXTENDED_TYPED: u64 = 5;

/// A number with its type.
#[derive(Debug, Clone, Copy)]
enum Number {
    Fits(u64),
    // Negative or wider than 64 bits.
    Signed(Option<i64>),
}

/// Reads one operand, and notes the numbers of the literals in it.
pub(super) fn operand(bytes: &mut Bytes<'_>, literals: &mut Vec<u64>) -> Result<Operand, Problem> {
    let (tag, number) = tagged(bytes)?;
    if tag != EXTENDED {
        return simple(bytes, tag, number);
    }
    match unsigned(bytes, number)? {
        EXTENDED_LIST => {
            let count = plain(bytes)?;
            for _ in 0..count {
                if let Operand::Literal(it) = element(bytes)? {
                    literals.push(it);
                }
            }
            Ok(Operand::List(count))
        }
        EXTENDED_ALLOCATION => {
            let count = plain(bytes)?;
            for _ in 0..count {
                plain(bytes)?;
                plain(bytes)?;
            }
            Ok(Operand::Allocation(count))
        }
        other => {
            let operand = extended(bytes, other)?;
            if let Operand::Literal(it) = operand {
                literals.push(it);
            }
            Ok(operand)
        }
    }
}

/// A number that the place itself gives a meaning, as the length of an atom.
pub(super) fn plain(bytes: &mut Bytes<'_>) -> Result<u64, Problem> {
    match operand_number(bytes)? {
        (UNSIGNED, number) => Ok(number),
        _ => Err(bytes.problem(ProblemKind::Value, "a number of another type than it has to be")),
    }
}

/// An entry of the line table: its type's tag and its number.
pub(super) fn operand_number(bytes: &mut Bytes<'_>) -> Result<(u8, u64), Problem> {
    let (tag, number) = tagged(bytes)?;
    Ok((tag, unsigned(bytes, number)?))
}

/// The tag of a line number in the line table.
pub(super) const LINE_NUMBER: u8 = INTEGER;
/// The tag of a file's number in the line table.
pub(super) const LINE_FILE: u8 = ATOM;

/// An element of a list, which is no list itself: so nothing nests.
fn element(bytes: &mut Bytes<'_>) -> Result<Operand, Problem> {
    let (tag, number) = tagged(bytes)?;
    if tag == EXTENDED {
        let kind = unsigned(bytes, number)?;
        return extended(bytes, kind);
    }
    simple(bytes, tag, number)
}

fn simple(bytes: &Bytes<'_>, tag: u8, number: Number) -> Result<Operand, Problem> {
    if tag == INTEGER {
        return Ok(match number {
            Number::Fits(it) => i64::try_from(it).map_or(Operand::BigInteger, Operand::Integer),
            Number::Signed(Some(it)) => Operand::Integer(it),
            Number::Signed(None) => Operand::BigInteger,
        });
    }
    let number = unsigned(bytes, number)?;
    Ok(match tag {
        UNSIGNED => Operand::Unsigned(number),
        ATOM => Operand::Atom(number),
        X => Operand::X(number),
        Y => Operand::Y(number),
        LABEL => Operand::Label(number),
        CHARACTER => Operand::Character(number),
        _ => return Err(bytes.problem(ProblemKind::Value, "an operand of no known type")),
    })
}

fn extended(bytes: &mut Bytes<'_>, kind: u64) -> Result<Operand, Problem> {
    match kind {
        EXTENDED_FLOAT => plain(bytes).map(Operand::Float),
        EXTENDED_LITERAL => plain(bytes).map(Operand::Literal),
        EXTENDED_TYPED => {
            let (tag, number) = operand_number(bytes)?;
            plain(bytes)?;
            match tag {
                X => Ok(Operand::X(number)),
                Y => Ok(Operand::Y(number)),
                _ => Err(bytes.problem(ProblemKind::Value, "a type on what is no register")),
            }
        }
        _ => Err(bytes.problem(ProblemKind::Value, "an extended operand of no known type")),
    }
}

fn unsigned(bytes: &Bytes<'_>, number: Number) -> Result<u64, Problem> {
    match number {
        Number::Fits(it) => Ok(it),
        Number::Signed(_) => Err(bytes.problem(ProblemKind::Value, "a number below 0 or too wide")),
    }
}

/// The tag and the number of what is next.
fn tagged(bytes: &mut Bytes<'_>) -> Result<(u8, Number), Problem> {
    let first = bytes.u8()?;
    let tag = first & 0b111;
    let number = match first & 0b1_1000 {
        // Four bits in the first byte, or eleven in two bytes.
        0b0_0000 | 0b1_0000 => Number::Fits(u64::from(first >> 4)),
        0b0_1000 => Number::Fits(u64::from(first >> 5) << 8 | u64::from(bytes.u8()?)),
        _ => {
            let len = match first >> 5 {
                // Nine bytes or more: the rest of the length is a number of its own.
                7 => long_len(bytes)?,
                short => usize::from(short) + 2,
            };
            signed(bytes.take(len)?)
        }
    };
    Ok((tag, number))
}

/// How many bytes a wide number has; its own length is never wide.
fn long_len(bytes: &mut Bytes<'_>) -> Result<usize, Problem> {
    let first = bytes.u8()?;
    let more = match first & 0b1_1111 {
        0b0_0000 | 0b1_0000 => usize::from(first >> 4),
        0b0_1000 => usize::from(first >> 5) << 8 | usize::from(bytes.u8()?),
        0b1_1000 => {
            let len = usize::from(first >> 5) + 2;
            let wide = bytes.take(len)?;
            wide.iter().fold(0_usize, |sum, it| sum.saturating_mul(256) | usize::from(*it))
        }
        _ => return Err(bytes.problem(ProblemKind::Value, "a length of the wrong type")),
    };
    Ok(more.saturating_add(9))
}

/// Two's complement of any width, most significant byte first.
fn signed(bytes: &[u8]) -> Number {
    let is_negative = bytes.first().is_some_and(|it| it & 0x80 != 0);
    let padding = if is_negative { 0xff } else { 0 };
    let significant = bytes.iter().position(|it| *it != padding).unwrap_or(bytes.len());
    let digits = bytes.get(significant..).unwrap_or_default();
    let magnitude = digits.iter().fold(0_u64, |sum, it| sum << 8 | u64::from(*it));
    match (digits.len(), is_negative) {
        (0..=8, false) => Number::Fits(magnitude),
        (0..=7, true) => {
            let shift = 64 - 8 * u32::try_from(digits.len()).unwrap_or(0);
            let filled = if digits.is_empty() { u64::MAX } else { magnitude | ones_above(shift) };
            Number::Signed(Some(filled.cast_signed()))
        }
        (8, true) if magnitude >> 63 == 1 => Number::Signed(Some(magnitude.cast_signed())),
        _ => Number::Signed(None),
    }
}

/// The upper bits of a word set.
fn ones_above(n_bits: u32) -> u64 {
    if n_bits >= 64 { u64::MAX } else { !(u64::MAX >> n_bits) }
}
