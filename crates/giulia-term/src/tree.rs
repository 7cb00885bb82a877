//! A term as a tree that borrows its leaves.

use std::borrow::Cow;

use super::{
    error::DecodeError,
    ids::{Pid, Port, Reference},
    limits::Limits,
    reader::Reader,
};

/// A term.
///
/// Equality is of the writing, not of Erlang's `=:=`: maps compare in the order of their
/// pairs, and an empty [`Term::List`], which no constructor or reader makes, is not
/// [`Term::Nil`].
#[derive(Debug, Clone, PartialEq)]
pub enum Term<'a> {
    /// An integer of up to 64 bits.
    Int(i64),
    /// An integer that needs more than 64 bits.
    Big(Box<BigInt<'a>>),
    /// A float; always finite when it was read.
    Float(f64),
    /// An atom.
    Atom(Cow<'a, str>),
    /// The empty list.
    Nil,
    /// A list, strings among them.
    List(Vec<Term<'a>>),
    /// A list whose tail is not a list.
    Improper(Box<Improper<'a>>),
    /// A tuple.
    Tuple(Vec<Term<'a>>),
    /// A map in the order of the wire.
    Map(Vec<(Term<'a>, Term<'a>)>),
    /// A binary.
    Binary(Cow<'a, [u8]>),
    /// A bit string that is not a whole number of bytes.
    Bits(Box<BitString<'a>>),
    /// A pid.
    Pid(Pid),
    /// A port.
    Port(Port),
    /// A reference.
    Reference(Box<Reference>),
    /// An external fun, `fun M:F/A`.
    Export(Box<Export<'a>>),
    /// Any other fun: its bytes, checked, with their tag.
    Fun(Cow<'a, [u8]>),
    /// A native record of OTP 29.
    Record(Box<Record<'a>>),
    /// A term that only its own node can read: its bytes, checked, with their tag.
    Local(Cow<'a, [u8]>),
    /// One term that is encoded already, without a version byte; checked when it is encoded.
    Encoded(Cow<'a, [u8]>),
}

/// An integer that needs more than 64 bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BigInt<'a> {
    /// Below zero.
    pub negative: bool,
    /// The magnitude, least significant byte first.
    pub magnitude: Cow<'a, [u8]>,
}

/// A bit string that is not a whole number of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BitString<'a> {
    /// The bytes; bits of the last one that do not count are zero.
    pub bytes: Cow<'a, [u8]>,
    /// How many bits of the last byte count, from the most significant: 1 to 7.
    pub last_bits: u8,
}

/// An improper list, `[a, b | Tail]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Improper<'a> {
    /// What is in front of the bar.
    pub elements: Vec<Term<'a>>,
    /// What is behind it.
    pub tail: Term<'a>,
}

/// An external fun, `fun M:F/A`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export<'a> {
    /// The module.
    pub module: Cow<'a, str>,
    /// The function.
    pub function: Cow<'a, str>,
    /// Its arity.
    pub arity: u8,
}

/// A native record of OTP 29, `#module:name{field = value}`.
#[derive(Debug, Clone, PartialEq)]
pub struct Record<'a> {
    /// The module that defines it.
    pub module: Cow<'a, str>,
    /// Its name.
    pub name: Cow<'a, str>,
    /// Whether other modules may read its fields.
    pub exported: bool,
    /// Fields in the order of the definition.
    pub fields: Vec<(Cow<'a, str>, Term<'a>)>,
}

impl<'a> Term<'a> {
    /// Reads one term, without a version byte, that takes all of the bytes.
    ///
    /// # Errors
    /// When the bytes are not exactly one term within [`Limits::DEFAULT`].
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        Self::decode_with(bytes, &Limits::DEFAULT)
    }

    /// The same within other limits.
    ///
    /// # Errors
    /// When the bytes are not exactly one term within the limits.
    pub fn decode_with(bytes: &'a [u8], limits: &Limits) -> Result<Self, DecodeError> {
        let mut reader = Reader::with_limits(bytes, limits);
        let term = reader.term()?;
        reader.finish()?;
        Ok(term)
    }

    /// An atom.
    pub fn atom(name: impl Into<Cow<'a, str>>) -> Self {
        Self::Atom(name.into())
    }

    /// An integer.
    pub fn int(value: impl Into<i64>) -> Self {
        Self::Int(value.into())
    }

    /// An integer that may need the 64th bit.
    pub fn uint(value: u64) -> Self {
        match i64::try_from(value) {
            Ok(value) => Self::Int(value),
            Err(_) => Self::Big(Box::new(BigInt {
                negative: false,
                magnitude: Cow::Owned(value.to_le_bytes().to_vec()),
            })),
        }
    }

    /// A float.
    pub fn float(value: f64) -> Self {
        Self::Float(value)
    }

    /// `true` or `false`.
    pub fn boolean(value: bool) -> Self {
        Self::atom(if value { "true" } else { "false" })
    }

    /// A list.
    pub fn list(elements: impl IntoIterator<Item = Term<'a>>) -> Self {
        let elements: Vec<_> = elements.into_iter().collect();
        if elements.is_empty() { Self::Nil } else { Self::List(elements) }
    }

    /// A tuple.
    pub fn tuple(elements: impl IntoIterator<Item = Term<'a>>) -> Self {
        Self::Tuple(elements.into_iter().collect())
    }

    /// A map.
    pub fn map(pairs: impl IntoIterator<Item = (Term<'a>, Term<'a>)>) -> Self {
        Self::Map(pairs.into_iter().collect())
    }

    /// A binary.
    pub fn binary(bytes: impl Into<Cow<'a, [u8]>>) -> Self {
        Self::Binary(bytes.into())
    }

    /// A string as Erlang has it: a list of code points.
    pub fn string(text: &str) -> Self {
        Self::list(text.chars().map(|it| Self::Int(i64::from(u32::from(it)))))
    }

    /// An external fun, `fun M:F/A`.
    pub fn export(
        module: impl Into<Cow<'a, str>>,
        function: impl Into<Cow<'a, str>>,
        arity: u8,
    ) -> Self {
        Self::Export(Box::new(Export { module: module.into(), function: function.into(), arity }))
    }

    /// One term that is encoded already, without a version byte.
    pub fn encoded(bytes: impl Into<Cow<'a, [u8]>>) -> Self {
        Self::Encoded(bytes.into())
    }

    /// The integer, when it is one of up to 64 bits.
    pub fn as_int(&self) -> Option<i64> {
        if let Self::Int(it) = self { Some(*it) } else { None }
    }

    /// The text, when it is an atom.
    pub fn as_atom(&self) -> Option<&str> {
        if let Self::Atom(it) = self { Some(it) } else { None }
    }

    /// Whether it is this atom.
    pub fn is_atom(&self, name: &str) -> bool {
        self.as_atom() == Some(name)
    }

    /// The elements, when it is a proper list.
    pub fn as_list(&self) -> Option<&[Term<'a>]> {
        if let Self::List(it) = self { Some(it) } else { matches!(self, Self::Nil).then_some(&[]) }
    }

    /// The elements, when it is a tuple.
    pub fn as_tuple(&self) -> Option<&[Term<'a>]> {
        if let Self::Tuple(it) = self { Some(it) } else { None }
    }

    /// The bytes, when it is a binary.
    pub fn as_binary(&self) -> Option<&[u8]> {
        if let Self::Binary(it) = self { Some(it) } else { None }
    }

    /// The pid, when it is one.
    pub fn as_pid(&self) -> Option<&Pid> {
        if let Self::Pid(it) = self { Some(it) } else { None }
    }

    /// The value of an atom key, when it is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Term<'a>> {
        let Self::Map(pairs) = self else { return None };
        pairs.iter().find(|(it, _)| it.is_atom(key)).map(|(_, value)| value)
    }

    /// The same term with leaves of its own.
    pub fn into_owned(self) -> Term<'static> {
        match self {
            Self::Int(it) => Term::Int(it),
            Self::Big(it) => Term::Big(Box::new(BigInt {
                negative: it.negative,
                magnitude: owned(it.magnitude),
            })),
            Self::Float(it) => Term::Float(it),
            Self::Atom(it) => Term::Atom(owned(it)),
            Self::Nil => Term::Nil,
            Self::List(it) => Term::List(all_owned(it)),
            Self::Improper(it) => Term::Improper(Box::new(Improper {
                elements: all_owned(it.elements),
                tail: it.tail.into_owned(),
            })),
            Self::Tuple(it) => Term::Tuple(all_owned(it)),
            Self::Map(it) => {
                Term::Map(it.into_iter().map(|(k, v)| (k.into_owned(), v.into_owned())).collect())
            }
            Self::Binary(it) => Term::Binary(owned(it)),
            Self::Bits(it) => {
                Term::Bits(Box::new(BitString { bytes: owned(it.bytes), last_bits: it.last_bits }))
            }
            Self::Pid(it) => Term::Pid(it),
            Self::Port(it) => Term::Port(it),
            Self::Reference(it) => Term::Reference(it),
            Self::Export(it) => Term::Export(Box::new(Export {
                module: owned(it.module),
                function: owned(it.function),
                arity: it.arity,
            })),
            Self::Fun(it) => Term::Fun(owned(it)),
            Self::Record(it) => Term::Record(Box::new(it.into_owned())),
            Self::Local(it) => Term::Local(owned(it)),
            Self::Encoded(it) => Term::Encoded(owned(it)),
        }
    }
}

impl Record<'_> {
    fn into_owned(self) -> Record<'static> {
        let fields = self.fields.into_iter().map(|(name, it)| (owned(name), it.into_owned()));
        Record {
            module: owned(self.module),
            name: owned(self.name),
            exported: self.exported,
            fields: fields.collect(),
        }
    }
}

impl From<Pid> for Term<'_> {
    fn from(it: Pid) -> Self {
        Self::Pid(it)
    }
}

impl From<Port> for Term<'_> {
    fn from(it: Port) -> Self {
        Self::Port(it)
    }
}

impl From<Reference> for Term<'_> {
    fn from(it: Reference) -> Self {
        Self::Reference(Box::new(it))
    }
}

impl From<i64> for Term<'_> {
    fn from(it: i64) -> Self {
        Self::Int(it)
    }
}

impl From<bool> for Term<'_> {
    fn from(it: bool) -> Self {
        Self::boolean(it)
    }
}

fn owned<T: ToOwned + ?Sized>(it: Cow<'_, T>) -> Cow<'static, T> {
    Cow::Owned(it.into_owned())
}

fn all_owned(it: Vec<Term<'_>>) -> Vec<Term<'static>> {
    it.into_iter().map(Term::into_owned).collect()
}
