//! What a node hands out: pids, ports and references.

use std::{fmt, sync::Arc};

/// The name of a node inside of a pid, port or reference; cheap to clone.
// Thin on purpose: a fat pointer would make every node of a term tree 8 bytes larger.
#[derive(Clone)]
pub struct Node(Arc<Box<str>>);

/// A process identifier.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pid {
    /// The node that the process lives on.
    pub node: Node,
    /// The number in the middle of `<0.123.0>`.
    pub id: u32,
    /// The last number of `<0.123.0>`.
    pub serial: u32,
    /// Which incarnation of the node.
    pub creation: u32,
}

/// A port identifier.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Port {
    /// The node that the port is open on.
    pub node: Node,
    /// The last number of `#Port<0.5>`.
    pub id: u64,
    /// Which incarnation of the node.
    pub creation: u32,
}

/// A reference.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    /// The node that made it.
    pub node: Node,
    /// Which incarnation of the node.
    pub creation: u32,
    // Words beyond `len` are zero, so that the derived equality holds.
    words: [u32; Reference::WORDS_MAX],
    len: u8,
}

impl Node {
    /// A node's name.
    pub fn new(name: impl Into<Box<str>>) -> Self {
        Self(Arc::new(name.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Pid {
    /// A pid from its parts.
    pub fn new(node: impl Into<Node>, id: u32, serial: u32, creation: u32) -> Self {
        Self { node: node.into(), id, serial, creation }
    }

    /// As its own node writes it: `<0.123.0>`.
    pub fn local(&self) -> String {
        self.to_string()
    }
}

impl Port {
    /// A port from its parts.
    pub fn new(node: impl Into<Node>, id: u64, creation: u32) -> Self {
        Self { node: node.into(), id, creation }
    }
}

impl Reference {
    /// Words that a reference may have: 3 up to OTP 23, up to 5 since OTP 24.
    pub const WORDS_MAX: usize = 5;

    /// A reference from its parts; `None` without words or with more than five.
    pub fn new(node: impl Into<Node>, creation: u32, ids: &[u32]) -> Option<Self> {
        if ids.is_empty() {
            return None;
        }
        let mut words = [0; Self::WORDS_MAX];
        words.get_mut(..ids.len())?.copy_from_slice(ids);
        Some(Self { node: node.into(), creation, words, len: u8::try_from(ids.len()).ok()? })
    }

    /// Its words in the order of the wire, one to five.
    pub fn ids(&self) -> &[u32] {
        self.words.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl From<&str> for Node {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<String> for Node {
    fn from(name: String) -> Self {
        Self::new(name)
    }
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Eq for Node {}

impl std::hash::Hash for Node {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl std::ops::Deref for Node {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<0.{}.{}>", self.id, self.serial)
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#Port<0.{}>", self.id)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("#Ref<0")?;
        // A node writes the words backwards.
        for word in self.ids().iter().rev() {
            write!(f, ".{word}")?;
        }
        f.write_str(">")
    }
}
