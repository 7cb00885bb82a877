//! What one module says about itself: its functions, what they call, and how we know.

mod abstract_code;
mod definitions;
mod digest;
mod docs;
mod flat;
mod folded;
mod found;
mod joined;

use std::collections::HashSet;

use giulia_model::Mfa;
use giulia_term::{Limits, List, Reader, Term};

use self::{
    abstract_code::Forms,
    definitions::Definition,
    docs::Docs,
    flat::{At, Flat, problem},
    found::FoundFunction,
};
use crate::{
    beam::{Beam, Code, UNPACKED_BYTES_MAX, unpack},
    problem::{Problem, ProblemKind},
};

/// A module as its `.beam` file describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The module's atom.
    pub module: String,
    /// What `module_info(md5)` says where this very file is loaded.
    pub md5: [u8; 16],
    /// The file that it was compiled from, as the compiler was told.
    pub source: Option<String>,
    /// The language, as far as debug information or documentation names it.
    pub language: Option<String>,
    /// Whether the debug information could be read; without it only bytecode speaks.
    pub has_debug_info: bool,
    /// In the order of the file; those of the code chunk alone come last.
    pub functions: Vec<FunctionFacts>,
    /// What is called, each once; [`CallFacts::to`] is a place in it.
    pub targets: Vec<Mfa>,
    /// Tables and processes that calls are given by name; [`CallFacts::subject`] is a place in it.
    pub subjects: Vec<String>,
    /// The behaviours that it says it has.
    pub behaviours: Vec<String>,
    /// What it asks of those that have it as a behaviour; a protocol's functions.
    pub callbacks: Vec<CallbackFacts>,
    /// Whether it is a protocol of Elixir.
    pub is_protocol: bool,
    /// The protocol that it implements, and for what.
    pub implements: Option<(String, String)>,
    /// Its attributes as Erlang prints them, in the order of the file.
    pub attributes: Vec<(String, String)>,
    /// Its documentation; none when it is hidden or missing.
    pub doc: Option<String>,
    /// The fields of its struct, when it defines one.
    pub structure: Option<Vec<String>>,
    /// Its records.
    pub records: Vec<Record>,
    /// What could not be read, beside what could.
    pub problems: Vec<Problem>,
}

/// A function of a module; funs and comprehensions in it are part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionFacts {
    /// Its atom; that of a macro of Elixir begins with `MACRO-`.
    pub name: String,
    /// How many arguments it takes; a macro of Elixir one more than it is written with.
    pub arity: u32,
    /// Where it begins.
    pub line: Option<u32>,
    /// The file it stands in, when that is another than the module's.
    pub file: Option<String>,
    /// Whether other modules may call it.
    pub is_exported: bool,
    /// Its documentation.
    pub doc: Option<String>,
    /// What it calls: a place, a target, once each.
    pub calls: Vec<CallFacts>,
    /// Calls of funs and of functions whose name is a value: how many, and to whom nobody knows.
    pub n_unresolved: u32,
}

/// A call in a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallFacts {
    /// Whom: a place in [`Facts::targets`].
    pub to: u32,
    /// In which way.
    pub how: How,
    /// Who says so.
    pub origin: Origin,
    /// Where.
    pub line: Option<u32>,
    /// The table or process that it is given by name: a place in [`Facts::subjects`].
    pub subject: Option<u32>,
}

/// A function that a behaviour asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackFacts {
    /// Its atom; that of a macro of Elixir begins with `MACRO-`.
    pub name: String,
    /// How many arguments it takes.
    pub arity: u32,
    /// Whether it may be left out.
    pub is_optional: bool,
}

/// In which way a function refers to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum How {
    /// It calls it.
    Call,
    /// It makes a fun of it; who calls that is not known.
    Reference,
    /// An instruction of its own: arithmetic, a comparison, a test.
    Bif,
}

/// Who says that there is a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// The code as it was given to the compiler, and not the bytecode: it was inlined or removed.
    DebugInfo,
    /// The bytecode, and not the code as it was given: the compiler added it.
    Bytecode,
    /// Both.
    Both,
}

/// A record of Erlang.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its name.
    pub name: String,
    /// Its fields in order.
    pub fields: Vec<String>,
}

/// Reads a `.beam` file of OTP 23 to 29, packed or not.
///
/// # Errors
/// When it is no such file, or its tables or its code cannot be read. What else cannot be read
/// is in [`Facts::problems`].
pub fn facts(file: &[u8]) -> Result<Facts, Problem> {
    FactsReader::default().read(file)
}

/// Reads `.beam` files one after the other, and unpacks the large chunks of each where those of the
/// last one were: debug information of some megabytes, given back each time, makes the system's
/// allocator keep twice as much from then on.
#[derive(Debug, Default)]
pub struct FactsReader {
    unpacked: Vec<u8>,
}

impl FactsReader {
    /// As [`facts`].
    ///
    /// # Errors
    /// As [`facts`].
    pub fn read(&mut self, file: &[u8]) -> Result<Facts, Problem> {
        let bytes = unpack(file)?;
        facts_of(&Beam::read(&bytes)?, &mut self.unpacked)
    }
}

fn facts_of(beam: &Beam<'_>, unpacked: &mut Vec<u8>) -> Result<Facts, Problem> {
    let code = Code::read(beam)?;
    let compiled = folded::folded(beam, &code)?;
    let mut problems = Vec::new();
    let mut written = Written::default();
    if let Err(it) = written.read(beam, unpacked) {
        written = Written::default();
        problems.push(it);
    }
    problems.append(&mut written.problems);
    let docs = Docs::read(beam, unpacked).unwrap_or_else(|it| {
        problems.push(it);
        Docs::default()
    });
    let attributes = attributes(beam).unwrap_or_else(|it| {
        problems.push(it);
        Vec::new()
    });
    let mut facts = Facts {
        module: beam.module().to_owned(),
        md5: digest::digest(beam),
        source: written.source.or_else(|| source(beam)),
        language: docs.language.clone().or(written.language),
        has_debug_info: written.has_debug_info,
        functions: Vec::new(),
        targets: Vec::new(),
        subjects: Vec::new(),
        behaviours: Vec::new(),
        callbacks: written.callbacks,
        is_protocol: false,
        implements: None,
        attributes: Vec::new(),
        doc: docs.module.clone(),
        structure: written.structure,
        records: written.records,
        problems,
    };
    for (name, values) in attributes {
        if matches!(name.as_str(), "behaviour" | "behavior") {
            let names = values.as_list().unwrap_or_default().iter().filter_map(Term::as_atom);
            facts.behaviours.extend(names.map(str::to_owned));
        }
        // Elixir named them without underscores once.
        match name.as_str() {
            "protocol" | "__protocol__" => facts.is_protocol = true,
            "impl" | "__impl__" => facts.implements = implementation(&values),
            _ => {}
        }
        facts.attributes.push((name, values.to_string()));
    }
    joined::join(&mut facts, beam, &docs, written.functions, compiled)?;
    Ok(facts)
}

/// Debug information as far as it is known to us.
#[derive(Debug, Default)]
struct Written {
    has_debug_info: bool,
    language: Option<String>,
    source: Option<String>,
    functions: Vec<FoundFunction>,
    structure: Option<Vec<String>>,
    records: Vec<Record>,
    callbacks: Vec<CallbackFacts>,
    problems: Vec<Problem>,
}

/// Terms within a module: a form may be as large as the file.
const LIMITS: Limits = Limits { inflated_bytes_max: UNPACKED_BYTES_MAX, ..Limits::DEFAULT };

impl Written {
    fn read(&mut self, beam: &Beam<'_>, unpacked: &mut Vec<u8>) -> Result<(), Problem> {
        let Some(chunk) = beam.chunk(*b"Dbgi").filter(|it| !it.is_empty()) else { return Ok(()) };
        let mut reader = Reader::versioned(chunk, &LIMITS, unpacked).map_err(problem)?;
        reader.tuple_of(3).map_err(problem)?;
        reader.expect_atom("debug_info_v1").map_err(problem)?;
        let backend = reader.atom().map_err(problem)?;
        match &*backend {
            "erl_abstract_code" => self.erlang(&mut reader, beam.module()),
            "elixir_erl" => self.elixir(&mut reader, beam.module()),
            // Somebody else's, as LFE's: the bytecode has to do.
            _ => Ok(()),
        }
    }

    /// `{Forms, Options}`, or `{none, Options}`.
    fn erlang(&mut self, reader: &mut Reader<'_>, module: &str) -> Result<(), Problem> {
        reader.tuple_of(2).map_err(problem)?;
        if reader.atom_is("none") {
            return Ok(());
        }
        let mut forms = Forms::default();
        each(reader, |it| forms.form(it.root()))?;
        forms.resolve(module);
        if forms.is_cut {
            let text = "records with more defaults than are followed";
            self.problems.push(Problem::new(ProblemKind::Limit, text));
        }
        self.has_debug_info = true;
        self.language = Some("erlang".to_owned());
        self.source = forms.source;
        self.records = forms.records;
        self.callbacks = forms.callbacks;
        self.functions = forms.functions;
        Ok(())
    }

    /// `{elixir_v1, Map, Specs}`, or `none` in place of the map.
    fn elixir(&mut self, reader: &mut Reader<'_>, module: &str) -> Result<(), Problem> {
        reader.tuple_of(3).map_err(problem)?;
        reader.expect_atom("elixir_v1").map_err(problem)?;
        if reader.atom_is("none") {
            return Ok(());
        }
        let mut definitions = Vec::new();
        let mut unreachable = HashSet::new();
        for _ in 0..reader.map().map_err(problem)? {
            let key = Flat::read(reader)?;
            match key.root().atom() {
                Some("definitions") => {
                    each(reader, |it| {
                        definitions.extend(Definition::read(it.root(), module));
                    })?;
                }
                Some("file") => self.source = Flat::read(reader)?.root().text(),
                Some("unreachable") => {
                    let tree = Flat::read(reader)?;
                    for [name, arity] in tree.root().list().filter_map(At::tuple::<2>) {
                        let name = name.atom().unwrap_or_default().to_owned();
                        unreachable.insert((name, arity.u32().unwrap_or_default()));
                    }
                }
                Some("struct") => self.structure = structure(&Flat::read(reader)?),
                _ => drop(Flat::read(reader)?),
            }
        }
        definitions.retain(|it: &Definition| !unreachable.contains(&it.written_as));
        if self.structure.is_none() {
            self.structure = definitions.iter_mut().find_map(|it| it.fields.take());
        }
        self.functions = definitions.into_iter().map(|it| it.function).collect();
        // Specs are forms of Erlang, those of callbacks among them.
        each(reader, |it| {
            if let Some([_, _, name, value]) = it.root().tagged::<4>("attribute")
                && let Some(name @ ("callback" | "optional_callbacks")) = name.atom()
            {
                abstract_code::callback(name, value, &mut self.callbacks);
            }
        })?;
        self.has_debug_info = true;
        self.language = Some("elixir".to_owned());
        Ok(())
    }
}

/// Hands over the elements of a list one by one, so that only one is held at a time.
fn each<'a>(reader: &mut Reader<'a>, mut take: impl FnMut(&Flat<'a>)) -> Result<(), Problem> {
    match reader.list().map_err(problem)? {
        List::Empty => Ok(()),
        List::Elements(count) => {
            // One after the other in the same memory.
            let mut tree = Flat::default();
            for _ in 0..count {
                tree.read_in_place(reader)?;
                take(&tree);
            }
            reader.end_list().map_err(problem)
        }
        List::Bytes(_) => {
            Err(Problem::new(ProblemKind::Value, "debug information that is a string"))
        }
    }
}

/// The fields of a struct as Elixir keeps them since 1.14: a list of maps.
fn structure(tree: &Flat<'_>) -> Option<Vec<String>> {
    let root = tree.root();
    let fields = root.list().filter_map(|it| it.get("field").and_then(At::atom));
    root.is_list().then(|| fields.map(str::to_owned).collect())
}

/// What the attribute chunk holds: names with lists of values.
fn attributes(beam: &Beam<'_>) -> Result<Vec<(String, Term<'static>)>, Problem> {
    let Some(chunk) = beam.chunk(*b"Attr") else { return Ok(Vec::new()) };
    let mut inflated = Vec::new();
    let mut reader = Reader::versioned(chunk, &LIMITS, &mut inflated).map_err(problem)?;
    let term = reader.term().map_err(problem)?;
    let pairs = term.as_list().unwrap_or_default().iter().filter_map(Term::as_tuple);
    let named = |pair: &[Term<'_>]| match pair {
        [name, values] => Some((name.as_atom()?.to_owned(), values.clone().into_owned())),
        _ => None,
    };
    Ok(pairs.filter_map(named).collect())
}

/// `[{protocol, P}, {for, T}]`, or a list of that.
fn implementation(values: &Term<'_>) -> Option<(String, String)> {
    let pairs = values.as_list()?;
    let pairs = pairs.first().and_then(Term::as_list).unwrap_or(pairs);
    let of = |key: &str| {
        pairs.iter().filter_map(Term::as_tuple).find_map(|pair| match pair {
            [name, value] if name.as_atom() == Some(key) => value.as_atom().map(str::to_owned),
            _ => None,
        })
    };
    of("protocol").zip(of("for"))
}

/// The source that the compiler noted.
fn source(beam: &Beam<'_>) -> Option<String> {
    let mut inflated = Vec::new();
    let mut reader = Reader::versioned(beam.chunk(*b"CInf")?, &LIMITS, &mut inflated).ok()?;
    Flat::read(&mut reader).ok()?.root().get("source")?.text()
}
