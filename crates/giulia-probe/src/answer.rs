//! Questions that are plain function calls, many in one round trip, and reading what they return.

use giulia_dist::{
    Error, ErrorKind,
    term::{DecodeError, Reader, Term},
};

/// A function to call with its arguments.
#[derive(Debug, Clone)]
pub(crate) struct Bif {
    pub(crate) module: &'static str,
    pub(crate) function: &'static str,
    pub(crate) args: Vec<Term<'static>>,
}

/// What one of them returned, or why it did not.
pub(crate) type Answer = Result<Vec<u8>, Problem>;

/// Why a part of the answer is missing, for [`giulia_model::NotSeen`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Problem(pub(crate) String);

impl Bif {
    pub(crate) fn new(
        module: &'static str,
        function: &'static str,
        args: impl IntoIterator<Item = Term<'static>>,
    ) -> Self {
        Self { module, function, args: args.into_iter().collect() }
    }

    /// `lists:map(fun Module:Function/1, Items)`: one function for many arguments.
    pub(crate) fn map(
        module: &'static str,
        function: &'static str,
        items: impl IntoIterator<Item = Term<'static>>,
    ) -> Self {
        Self::new("lists", "map", [Term::export(module, function, 1), Term::list(items)])
    }

    /// `lists:zipwith(fun Module:Function/2, Items, [With, With, ...])`.
    pub(crate) fn zip(
        module: &'static str,
        function: &'static str,
        items: Vec<Term<'static>>,
        with: &Term<'static>,
    ) -> Self {
        let same = vec![with.clone(); items.len()];
        let function = Term::export(module, function, 2);
        Self::new("lists", "zipwith", [function, Term::list(items), Term::list(same)])
    }

    /// All of them in one call, which returns the list of what they return.
    ///
    /// One that raises makes the whole raise; then they are asked one by one.
    pub(crate) fn together(questions: &[Self]) -> Self {
        let modules = questions.iter().map(|it| Term::atom(it.module));
        let functions = questions.iter().map(|it| Term::atom(it.function));
        let args = questions.iter().map(|it| Term::list(it.args.iter().cloned()));
        Self::new(
            "lists",
            "zipwith3",
            [
                Term::export("erlang", "apply", 3),
                Term::list(modules),
                Term::list(functions),
                Term::list(args),
            ],
        )
    }
}

/// The elements of a list, each as its own bytes.
pub(crate) fn elements(bytes: &[u8]) -> Result<Vec<Vec<u8>>, Problem> {
    let mut reader = Reader::new(bytes);
    let mut parts = Vec::new();
    reader.each(|it| {
        parts.push(it.raw()?.to_vec());
        Ok(())
    })?;
    reader.finish()?;
    Ok(parts)
}

/// The answer at a position as a term.
pub(crate) fn term(answers: &[Answer], idx: usize) -> Result<Term<'_>, Problem> {
    match answers.get(idx) {
        Some(Ok(bytes)) => Ok(Term::decode(bytes)?),
        Some(Err(problem)) => Err(problem.clone()),
        None => Err(Problem("the answer is missing".to_owned())),
    }
}

/// The answer at a position as a list of exactly so many terms.
pub(crate) fn terms(answers: &[Answer], idx: usize, n: usize) -> Result<Vec<Term<'_>>, Problem> {
    let found = list(term(answers, idx)?)?;
    if found.len() == n { Ok(found) } else { Err(unexpected(&Term::List(found))) }
}

/// A list's elements.
#[expect(clippy::wildcard_enum_match_arm, reason = "terms of all other types are alike here")]
pub(crate) fn list(term: Term<'_>) -> Result<Vec<Term<'_>>, Problem> {
    match term {
        Term::List(elements) => Ok(elements),
        Term::Nil => Ok(Vec::new()),
        other => Err(unexpected(&other)),
    }
}

/// A key of a list of pairs.
pub(crate) fn pair<'t, 'b>(list: &'t [Term<'b>], name: &str) -> Option<&'t Term<'b>> {
    list.iter().find_map(|it| match it.as_tuple() {
        Some([key, value]) if key.is_atom(name) => Some(value),
        _ => None,
    })
}

/// An integer that is not negative.
pub(crate) fn uint(term: &Term<'_>) -> Result<u64, Problem> {
    term.as_int().and_then(|it| u64::try_from(it).ok()).ok_or_else(|| unexpected(term))
}

/// A string: a list of code points, a binary or an atom.
#[expect(clippy::wildcard_enum_match_arm, reason = "terms of all other types are alike here")]
pub(crate) fn text(term: &Term<'_>) -> Option<String> {
    match term {
        Term::Nil => Some(String::new()),
        Term::Atom(name) => Some(name.clone().into_owned()),
        Term::Binary(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Term::List(points) => points
            .iter()
            .map(|it| it.as_int().and_then(|it| u32::try_from(it).ok()).and_then(char::from_u32))
            .collect(),
        _ => None,
    }
}

/// A term of another shape than its function returns.
pub(crate) fn unexpected(term: &Term<'_>) -> Problem {
    let shown: String = term.to_string().chars().take(120).collect();
    Problem(format!("the node answered something else than expected: {shown}"))
}

impl From<DecodeError> for Problem {
    fn from(error: DecodeError) -> Self {
        Self(format!("the answer cannot be read: {error}"))
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self(error.to_string())
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::new(ErrorKind::Protocol, problem.0)
    }
}
