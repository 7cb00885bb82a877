//! Erlang's external term format: reading and writing.
//!
//! <https://www.erlang.org/doc/apps/erts/erl_ext_dist.html>
//!
//! Two ways to read. [`Reader`] pulls values straight into the caller's structs, without a
//! tree, for replies with many thousand elements. [`Term`] is a tree that borrows its leaves
//! from the bytes, for small answers and for everything we send.
//!
//! Contract (filled in by this module):
//!
//! ```text
//! enum Term<'a> { Int(i64), Big(BigInt<'a>), Float(f64), Atom(Cow<str>), Nil, List(Vec<Term>), Improper(Vec<Term>, Box<Term>),
//!                 Tuple(Vec<Term>), Map(Vec<(Term, Term)>), Binary(Cow<[u8]>), Bits(BitString<'a>),
//!                 Pid(Pid), Port(Port), Reference(Reference), Export(..), Fun(opaque bytes), Local(opaque bytes), Encoded(Cow<[u8]>) }
//! Term::atom("x"), Term::int(5), Term::float(..), Term::list([..]), Term::tuple([..]), Term::binary(b".."), Term::string("..") (a list of code points),
//! Term::map([..]), Term::export("erlang", "process_info", 2), Term::encoded(bytes) (bytes that are one term without the version byte), From<Pid>, From<Reference>
//! Term::decode(&bytes) (no version byte), Term::encode(&self, &mut Vec<u8>), into_owned() -> Term<'static>, Display in Erlang's writing
//!
//! Reader::new(&bytes) (no version byte), Reader::versioned(&bytes, &Limits) handles 131 and refuses or inflates tag 80 into a caller's buffer
//!   kind() -> Kind (peek), atom() -> Cow<str>, atom_is("ok") -> bool-and-consume, int() -> i64, uint() -> u64, float() (ints accepted), boolean(),
//!   tuple() -> arity, tuple_of(n), list() -> List head { Elements(n) | Bytes(&[u8]) | Empty } then end_list(),
//!   each(|reader| ..) over any proper list incl. STRING_EXT refused with a clear error, integers() -> Vec<i64> (STRING_EXT too),
//!   binary() -> &[u8], text() -> Cow<str> (binary, string, list of code points), map() -> pairs, pid(), port(), reference(),
//!   term() -> Term<'a>, skip(), raw() -> &'a [u8] (one term's bytes), position(), is_empty(), finish()
//! ```

/// A term.
#[derive(Debug, Clone)]
pub enum Term<'a> {
    /// The empty list.
    Nil,
    /// An atom.
    Atom(std::borrow::Cow<'a, str>),
}
