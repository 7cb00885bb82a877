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

/// What the items of one question may take, in bytes: a request stays under 64 KiB with what stands
/// around them, and two node names of 255 characters are 2 KB of UTF-8.
const PAGE_BYTES: usize = 56 << 10;

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

    /// [`Bif::zip`] in as many questions as the items need: a pid or a reference of a node with a
    /// long name takes 300 bytes, and of one with a short name 30.
    pub(crate) fn zip_pages(
        module: &'static str,
        function: &'static str,
        items: impl IntoIterator<Item = Term<'static>>,
        with: &Term<'static>,
        most: usize,
    ) -> Vec<Self> {
        let pages = pages(items, encoded_bytes(with), most).into_iter();
        pages.map(|page| Self::zip(module, function, page, with)).collect()
    }

    /// [`Bif::map`] in as many questions as the items need.
    pub(crate) fn map_pages(
        module: &'static str,
        function: &'static str,
        items: impl IntoIterator<Item = Term<'static>>,
        most: usize,
    ) -> Vec<Self> {
        let pages = pages(items, 0, most).into_iter();
        pages.map(|page| Self::map(module, function, page)).collect()
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

/// Items in their order, each page under [`PAGE_BYTES`] with `more` bytes for each item.
fn pages(
    items: impl IntoIterator<Item = Term<'static>>,
    more: usize,
    most: usize,
) -> Vec<Vec<Term<'static>>> {
    let mut pages: Vec<Vec<_>> = Vec::new();
    let mut taken = 0;
    for item in items {
        let bytes = encoded_bytes(&item) + more;
        match pages.last_mut() {
            Some(page) if page.len() < most && taken + bytes <= PAGE_BYTES => {
                taken += bytes;
                page.push(item);
            }
            Some(_) | None => {
                taken = bytes;
                pages.push(vec![item]);
            }
        }
    }
    pages
}

/// As it travels; what cannot be encoded is refused later, with its reason.
pub(crate) fn encoded_bytes(term: &Term<'_>) -> usize {
    let mut bytes = Vec::new();
    term.encode(&mut bytes).map_or(0, |()| bytes.len())
}

/// The packed term that an evaluated question returns: a list of one binary.
pub(crate) fn packed(reply: &[u8]) -> Result<&[u8], Problem> {
    let mut reader = Reader::new(reply);
    let mut packed: &[u8] = &[];
    reader.each(|it| {
        packed = it.binary()?;
        Ok(())
    })?;
    Ok(packed)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_as_long_as_its_items_allow() {
        let lengths = |bytes: usize, most| {
            let items = vec![Term::binary(vec![0; bytes]); 1000];
            let questions = Bif::zip_pages("m", "f", items, &Term::binary(vec![0; 95]), most);
            let page = |it: &Bif| it.args[1].as_list().unwrap().len();
            let with = |it: &Bif| it.args[2].as_list().unwrap().len();
            assert!(questions.iter().all(|it| page(it) == with(it)));
            questions.iter().map(page).collect::<Vec<_>>()
        };
        // 57,344 bytes hold 286 of 100 + 100, and 81 of 605 + 100.
        assert_eq!(lengths(95, 500), [286, 286, 286, 142]);
        assert_eq!(lengths(600, 500)[..2], [81, 81]);
        assert_eq!(lengths(95, 150)[0], 150);
        assert_eq!(pages([], 0, 10), Vec::<Vec<Term<'_>>>::new());
    }
}
