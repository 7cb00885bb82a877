//! Bytes back to a graph: every count meets the bytes at hand before it meets an allocation,
//! every number of a name or node its list.

use giulia_model::{EdgeKind, EdgeOrigin};

use super::{
    super::{
        Graph, NodeId, Stamp,
        names::Sym,
        node::{KINDS, Key},
        part::{Callback, Edge, FunctionInfo, ModuleInfo, Part, Side},
    },
    BLOB_VERSION, BlobProblem, MAGIC,
};

type Read<T> = Result<T, BlobProblem>;

pub(super) fn graph(bytes: &[u8]) -> Read<Graph> {
    let mut from = Reader { bytes, names: 0, nodes: 0 };
    if from.take(MAGIC.len())? != MAGIC {
        return Err(wrong("no graph of giulia"));
    }
    let version = from.byte()?;
    if version != BLOB_VERSION {
        return Err(BlobProblem(format!("a graph of version {version}, not {BLOB_VERSION}")));
    }
    let generation = from.number()?;
    let mut graph = Graph::new();
    names(&mut from, &mut graph)?;
    nodes(&mut from, &mut graph)?;
    let mut change = graph.change();
    for _ in 0..from.count()? {
        let name = from.text()?;
        let mut stamp = Stamp::default();
        stamp.hash.copy_from_slice(from.take(16)?);
        stamp.written_ns = from.number()?;
        stamp.bytes = from.number()?;
        let n_parts = from.count()?;
        let parts = (0..n_parts).map(|_| from.part()).collect::<Read<Vec<Part>>>()?;
        change.put(name, stamp, parts);
    }
    if !from.bytes.is_empty() {
        return Err(wrong("bytes behind the end"));
    }
    change.finish();
    graph.generation = generation;
    Ok(graph)
}

#[cold]
fn wrong(what: &str) -> BlobProblem {
    BlobProblem(format!("a stored graph with {what}"))
}

fn names(from: &mut Reader<'_>, graph: &mut Graph) -> Read<()> {
    let count = from.count()?;
    let mut lengths = Vec::with_capacity(count);
    for _ in 0..count {
        lengths.push(from.len()?);
    }
    for (idx, len) in lengths.into_iter().enumerate() {
        let text =
            std::str::from_utf8(from.take(len)?).map_err(|_| wrong("a name not in UTF-8"))?;
        if graph.names.number(text).index() != idx {
            return Err(wrong("a name twice"));
        }
    }
    from.names = graph.names.len();
    Ok(())
}

fn nodes(from: &mut Reader<'_>, graph: &mut Graph) -> Read<()> {
    for idx in 0..from.count()? {
        let kind = KINDS.get(from.len()?).copied().ok_or_else(|| wrong("a node of no kind"))?;
        let (module, name, arity) = (from.sym()?, from.sym()?, from.u32()?);
        let node = graph.nodes.number(Key { kind, module, name, arity });
        if node.map(NodeId::index) != Some(idx) {
            return Err(wrong("a node twice"));
        }
    }
    from.nodes = graph.nodes.len();
    Ok(())
}

struct Reader<'a> {
    bytes: &'a [u8],
    names: usize,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Read<&'a [u8]> {
        let (taken, rest) =
            self.bytes.split_at_checked(len).ok_or_else(|| wrong("an early end"))?;
        self.bytes = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Read<u8> {
        let (first, rest) = self.bytes.split_first().ok_or_else(|| wrong("an early end"))?;
        self.bytes = rest;
        Ok(*first)
    }

    fn number(&mut self) -> Read<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(wrong("a number above 64 bits"))
    }

    fn u32(&mut self) -> Read<u32> {
        u32::try_from(self.number()?).map_err(|_| wrong("a number above 32 bits"))
    }

    fn u16(&mut self) -> Read<u16> {
        u16::try_from(self.number()?).map_err(|_| wrong("a number above 16 bits"))
    }

    fn flag(&mut self) -> Read<bool> {
        match self.number()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(wrong("neither yes nor no")),
        }
    }

    fn len(&mut self) -> Read<usize> {
        usize::try_from(self.number()?).map_err(|_| wrong("a number above the machine's"))
    }

    /// How many things follow; each takes a byte at least.
    fn count(&mut self) -> Read<usize> {
        let count = self.len()?;
        if count > self.bytes.len() {
            return Err(wrong("more announced than there is"));
        }
        Ok(count)
    }

    fn text(&mut self) -> Read<&'a str> {
        let len = self.len()?;
        std::str::from_utf8(self.take(len)?).map_err(|_| wrong("a name not in UTF-8"))
    }

    fn sym(&mut self) -> Read<Sym> {
        let sym = Sym(self.u32()?);
        if sym.index() < self.names { Ok(sym) } else { Err(wrong("a name that is not there")) }
    }

    fn node(&mut self) -> Read<NodeId> {
        let node = NodeId(self.u32()?);
        if node.index() < self.nodes { Ok(node) } else { Err(wrong("a node that is not there")) }
    }

    fn part(&mut self) -> Read<Part> {
        let node = self.node()?;
        let side = if self.flag()? { Side::Source } else { Side::Bytecode };
        let module = self.module()?;
        let n_functions = self.count()?;
        let functions = (0..n_functions).map(|_| Ok((self.node()?, self.function()?)));
        let functions = functions.collect::<Read<_>>()?;
        let n_edges = self.count()?;
        let edges = (0..n_edges).map(|_| self.edge()).collect::<Read<_>>()?;
        Ok(Part { node, side, module, functions, edges })
    }

    fn module(&mut self) -> Read<ModuleInfo> {
        let mut it = ModuleInfo {
            application: self.sym()?,
            file: self.sym()?,
            language: self.sym()?,
            doc: self.sym()?,
            line: self.u32()?,
            end_line: self.u32()?,
            ..ModuleInfo::default()
        };
        if self.flag()? {
            let mut md5 = [0; 16];
            md5.copy_from_slice(self.take(16)?);
            it.md5 = Some(md5);
        }
        it.has_debug_info = self.flag()?;
        it.is_protocol = self.flag()?;
        if self.flag()? {
            it.implements = Some((self.sym()?, self.sym()?));
        }
        it.behaviours = self.syms()?;
        let n_callbacks = self.count()?;
        let callback = |from: &mut Self| {
            Ok(Callback { name: from.sym()?, arity: from.u32()?, is_optional: from.flag()? })
        };
        it.callbacks = (0..n_callbacks).map(|_| callback(self)).collect::<Read<_>>()?;
        let has_structure = self.flag()?;
        let fields = self.syms()?;
        it.structure = has_structure.then_some(fields);
        Ok(it)
    }

    fn syms(&mut self) -> Read<Vec<Sym>> {
        let count = self.count()?;
        (0..count).map(|_| self.sym()).collect()
    }

    fn function(&mut self) -> Read<FunctionInfo> {
        let mut it = FunctionInfo {
            line: self.u32()?,
            end_line: self.u32()?,
            file: self.sym()?,
            doc: self.sym()?,
            defined_by: self.sym()?,
            ..FunctionInfo::default()
        };
        let flags = self.number()?;
        if flags > 3 {
            return Err(wrong("unknown flags"));
        }
        it.is_exported = flags & 1 != 0;
        it.has_complexity = flags & 2 != 0;
        if it.has_complexity {
            it.clauses = self.u16()?;
            it.cyclomatic = self.u16()?;
            it.cognitive = self.u16()?;
            it.nesting = self.u16()?;
        }
        it.unresolved = self.u32()?;
        Ok(it)
    }

    fn edge(&mut self) -> Read<Edge> {
        let it = Edge {
            from: self.node()?,
            to: self.node()?,
            line: self.u32()?,
            kind: self.byte()?,
            origins: self.byte()?,
            count: self.u16()?,
            file: self.sym()?,
        };
        let is_known = usize::from(it.kind) < EdgeKind::ALL.len()
            && u32::from(it.origins) < 1 << EdgeOrigin::ALL.len();
        if is_known { Ok(it) } else { Err(wrong("an edge of no kind")) }
    }
}
