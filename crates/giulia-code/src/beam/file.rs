//! The container, and the tables that the code refers to by number.

use std::{borrow::Cow, io::Read};

use super::{bytes::Bytes, lines::Lines, literals::Literals, operand};
use crate::problem::{Problem, ProblemKind};

/// A `.beam` file with its tables read and everything else as it stands.
#[derive(Debug, Clone)]
pub struct Beam<'a> {
    chunks: Vec<Chunk<'a>>,
    // Number 1 is the first; it names the module.
    atoms: Vec<Cow<'a, str>>,
    imports: Vec<Import>,
    exports: Vec<Labelled>,
    funs: Vec<Fun>,
}

/// A function of another module that the code calls; numbers of atoms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Import {
    pub(super) module: u32,
    pub(super) function: u32,
    /// How many arguments it takes.
    pub arity: u32,
}

/// A fun that the code makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fun {
    /// Where the function starts that it runs.
    pub(super) label: u32,
    /// How many variables of its surroundings it takes along.
    pub free: u32,
}

/// An exported function; its label is where it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Labelled {
    pub(super) function: u32,
    pub(super) arity: u32,
}

/// A name and what is under it.
type Chunk<'a> = ([u8; 4], &'a [u8]);

/// Bytes that a packed file may unpack to: 64 MiB; the largest module of OTP 29 has 1.3 MB.
pub const UNPACKED_BYTES_MAX: usize = 64 << 20;

/// Chunks of a file; compilers write about fifteen.
const CHUNKS_MAX: usize = 1_000;

/// Characters of an atom, <https://www.erlang.org/doc/system/system_limits.html>.
const ATOM_CHARS_MAX: usize = 255;

/// A file as `FOR1`, inflated when it was packed with gzip.
///
/// # Errors
/// When a packed file does not unpack, or to more than [`UNPACKED_BYTES_MAX`] bytes.
pub fn unpack(file: &[u8]) -> Result<Cow<'_, [u8]>, Problem> {
    if !file.starts_with(&[0x1f, 0x8b]) {
        return Ok(Cow::Borrowed(file));
    }
    let mut unpacked = Vec::new();
    let limit = u64::try_from(UNPACKED_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let read = flate2::read::GzDecoder::new(file).take(limit).read_to_end(&mut unpacked);
    if read.is_err() {
        return Err(Problem::new(ProblemKind::Compressed, "a packed file that does not unpack"));
    }
    if unpacked.len() > UNPACKED_BYTES_MAX {
        let text = format!("a packed file of more than {UNPACKED_BYTES_MAX} bytes");
        return Err(Problem::new(ProblemKind::Limit, text));
    }
    Ok(Cow::Owned(unpacked))
}

impl<'a> Beam<'a> {
    /// Reads the container and its tables; the code itself waits for [`Code::read`].
    ///
    /// [`Code::read`]: super::Code::read
    ///
    /// # Errors
    /// When it is no `.beam` file, is not whole, or its tables contradict themselves.
    pub fn read(file: &'a [u8]) -> Result<Self, Problem> {
        let chunks = chunks(file)?;
        let find = |name: [u8; 4]| find(&chunks, name);
        let atoms = match (find(*b"AtU8"), find(*b"Atom")) {
            (Some(bytes), _) => atoms("AtU8", bytes)?,
            (None, Some(bytes)) => atoms("Atom", bytes)?,
            (None, None) => return Err(missing("atoms")),
        };
        if atoms.is_empty() {
            return Err(missing("name"));
        }
        let imports = find(*b"ImpT").map_or(Ok(Vec::new()), imports)?;
        let exports = find(*b"ExpT").map_or(Ok(Vec::new()), exports)?;
        let funs = find(*b"FunT").map_or(Ok(Vec::new()), funs)?;
        Ok(Self { chunks, atoms, imports, exports, funs })
    }

    /// The module's atom.
    pub fn module(&self) -> &str {
        self.atoms.first().map_or("", |it| it)
    }

    /// The bytes of a chunk.
    pub fn chunk(&self, name: [u8; 4]) -> Option<&'a [u8]> {
        find(&self.chunks, name)
    }

    /// The atom with this number; the first is 1.
    ///
    /// # Errors
    /// When there is none.
    pub fn atom(&self, number: u64) -> Result<&str, Problem> {
        let index = usize::try_from(number).ok().and_then(|it| it.checked_sub(1));
        let atom = index.and_then(|it| self.atoms.get(it));
        atom.map(|it| &**it).ok_or_else(|| {
            Problem::new(ProblemKind::Value, format!("atom {number} of {}", self.atoms.len()))
        })
    }

    /// The imported function with this number; the first is 0.
    ///
    /// # Errors
    /// When there is none.
    pub fn import(&self, number: usize) -> Result<(&str, &str, u32), Problem> {
        let Some(it) = self.imports.get(number) else {
            let text = format!("import {number} of {}", self.imports.len());
            return Err(Problem::new(ProblemKind::Value, text));
        };
        Ok((self.atom(it.module.into())?, self.atom(it.function.into())?, it.arity))
    }

    /// The exported functions, in the order of the file.
    ///
    /// # Errors
    /// When one has no name.
    pub fn exports(&self) -> impl Iterator<Item = Result<(&str, u32), Problem>> {
        self.exports.iter().map(|it| Ok((self.atom(it.function.into())?, it.arity)))
    }

    /// Where calls stand in the source; empty when the module was compiled without.
    ///
    /// # Errors
    /// When the table contradicts itself.
    pub fn lines(&self) -> Result<Lines<'a>, Problem> {
        self.chunk(*b"Line").map_or(Ok(Lines::default()), Lines::read)
    }

    /// The literals of the code, each a term with its version byte.
    ///
    /// # Errors
    /// When they do not inflate to what they declare.
    pub fn literals(&self) -> Result<Literals<'a>, Problem> {
        self.chunk(*b"LitT").map_or(Ok(Literals::default()), Literals::read)
    }

    pub(super) fn fun(&self, number: u64) -> Option<Fun> {
        usize::try_from(number).ok().and_then(|it| self.funs.get(it)).copied()
    }

    pub(super) fn n_imports(&self) -> usize {
        self.imports.len()
    }
}

#[cold]
pub(super) fn missing(what: &str) -> Problem {
    Problem::new(ProblemKind::Missing, format!("a module without {what}"))
}

fn find<'a>(chunks: &[Chunk<'a>], name: [u8; 4]) -> Option<&'a [u8]> {
    chunks.iter().find(|(it, _)| *it == name).map(|(_, bytes)| *bytes)
}

fn chunks(file: &[u8]) -> Result<Vec<Chunk<'_>>, Problem> {
    let head = file.split_first_chunk::<12>();
    let Some(([b'F', b'O', b'R', b'1', s0, s1, s2, s3, b'B', b'E', b'A', b'M'], rest)) = head
    else {
        return Err(Problem::new(ProblemKind::NotBeam, "no .beam file: it does not begin as one"));
    };
    let declared = usize::try_from(u32::from_be_bytes([*s0, *s1, *s2, *s3])).unwrap_or(usize::MAX);
    // The size counts from the name of the form on.
    let Some(body) = declared.checked_sub(4).and_then(|it| rest.get(..it)) else {
        return Err(Bytes::new("FOR1", rest).truncated());
    };
    let mut bytes = Bytes::new("FOR1", body);
    let mut chunks = Vec::new();
    while !bytes.is_empty() {
        let name = bytes.u32()?.to_be_bytes();
        let len = bytes.count(1)?;
        chunks.push((name, bytes.take(len)?));
        // Chunks begin at multiples of four; some writers leave the last one unpadded.
        let padding = (4 - len % 4) % 4;
        bytes.take(padding.min(bytes.rest().len()))?;
        if chunks.len() > CHUNKS_MAX {
            let text = format!("a file of more than {CHUNKS_MAX} chunks");
            return Err(Problem::new(ProblemKind::Limit, text));
        }
    }
    Ok(chunks)
}

fn atoms<'a>(name: &'static str, chunk: &'a [u8]) -> Result<Vec<Cow<'a, str>>, Problem> {
    let mut bytes = Bytes::new(name, chunk);
    let announced = bytes.u32()?.cast_signed();
    // OTP 28 writes lengths above 255 bytes, and says so with a count below 0:
    // <https://github.com/erlang/otp/pull/8913>
    let has_wide_lengths = announced < 0;
    let count = usize::try_from(announced.unsigned_abs()).unwrap_or(usize::MAX);
    let mut atoms = Vec::with_capacity(bytes.covered(count, 1)?);
    for _ in 0..count {
        let len = if has_wide_lengths {
            usize::try_from(operand::plain(&mut bytes)?).unwrap_or(usize::MAX)
        } else {
            usize::from(bytes.u8()?)
        };
        let text = bytes.take(len)?;
        let atom = match std::str::from_utf8(text) {
            Ok(it) if name == "AtU8" || it.is_ascii() => Cow::Borrowed(it),
            Err(_) if name == "AtU8" => {
                return Err(bytes.problem(ProblemKind::Value, "an atom that is not UTF-8"));
            }
            _ => Cow::Owned(text.iter().copied().map(char::from).collect()),
        };
        if len > ATOM_CHARS_MAX && atom.chars().count() > ATOM_CHARS_MAX {
            let text = "an atom of more than 255 characters";
            return Err(bytes.problem(ProblemKind::Value, text));
        }
        atoms.push(atom);
    }
    Ok(atoms)
}

fn imports(chunk: &[u8]) -> Result<Vec<Import>, Problem> {
    let mut bytes = Bytes::new("ImpT", chunk);
    let count = bytes.count(12)?;
    (0..count)
        .map(|_| Ok(Import { module: bytes.u32()?, function: bytes.u32()?, arity: bytes.u32()? }))
        .collect()
}

fn exports(chunk: &[u8]) -> Result<Vec<Labelled>, Problem> {
    let mut bytes = Bytes::new("ExpT", chunk);
    let count = bytes.count(12)?;
    (0..count)
        .map(|_| {
            let it = Labelled { function: bytes.u32()?, arity: bytes.u32()? };
            bytes.u32().map(|_| it)
        })
        .collect()
}

fn funs(chunk: &[u8]) -> Result<Vec<Fun>, Problem> {
    let mut bytes = Bytes::new("FunT", chunk);
    let count = bytes.count(24)?;
    (0..count)
        .map(|_| {
            // Name and arity repeat what stands at the label.
            bytes.take(8)?;
            let label = bytes.u32()?;
            bytes.take(4)?;
            let free = bytes.u32()?;
            bytes.take(4)?;
            Ok(Fun { label, free })
        })
        .collect()
}
