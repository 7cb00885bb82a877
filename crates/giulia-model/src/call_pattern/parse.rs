//! Words to patterns of arguments.

#![expect(clippy::wildcard_enum_match_arm, reason = "all words that do not fit are alike")]

use super::{
    Guard, Literal, Pattern, Writing,
    guard::guards,
    lex::{Kind, Problem, Token},
};

/// Parts in parts in parts, at most: what a target accepts nests 256 deep.
const DEPTH_MAX: usize = 50;

/// Each variable is an atom on the node, `'$1'` and so on, of which no more may be made.
pub(super) const VARIABLES_MAX: usize = 20;

/// Functions of more arguments do not exist (`MAX_ARG` of the VM is 255).
const ARGUMENTS_MAX: usize = 255;

type Read = (Vec<Pattern>, Vec<Guard>, Vec<String>);

/// A whole call: arguments in parentheses, then guards.
pub(super) fn call(tokens: Vec<Token>, writing: Writing) -> Result<Read, Problem> {
    let mut parser = Parser { tokens, at: 0, writing, variables: Vec::new(), depth: 0 };
    parser.expect("(")?;
    let arguments = parser.patterns(")")?;
    if arguments.len() > ARGUMENTS_MAX {
        return parser.problem(format!("a function has at most {ARGUMENTS_MAX} arguments"));
    }
    let guards = if parser.word_is("when") { guards(&mut parser)? } else { Vec::new() };
    if parser.peek() != &Kind::End {
        return parser.problem("the pattern has ended; only `when` and a guard may follow");
    }
    Ok((arguments, guards, parser.variables))
}

pub(super) struct Parser {
    tokens: Vec<Token>,
    at: usize,
    pub(super) writing: Writing,
    variables: Vec<String>,
    depth: usize,
}

impl Parser {
    pub(super) fn is_elixir(&self) -> bool {
        self.writing == Writing::Elixir
    }

    pub(super) fn peek(&self) -> &Kind {
        self.tokens.get(self.at).map_or(&Kind::End, |it| &it.kind)
    }

    pub(super) fn peek_second(&self) -> &Kind {
        self.tokens.get(self.at + 1).map_or(&Kind::End, |it| &it.kind)
    }

    pub(super) fn next(&mut self) -> Kind {
        let kind = self.peek().clone();
        self.at += 1;
        kind
    }

    pub(super) fn problem<T>(&self, why: impl Into<String>) -> Result<T, Problem> {
        let last = self.tokens.last().map_or(1, |it| it.column);
        let column = self.tokens.get(self.at).map_or(last, |it| it.column);
        Err(Problem { column, why: why.into() })
    }

    /// The same about the word before.
    pub(super) fn problem_before<T>(&mut self, why: impl Into<String>) -> Result<T, Problem> {
        self.at = self.at.saturating_sub(1);
        self.problem(why)
    }

    pub(super) fn is(&self, mark: &str) -> bool {
        matches!(self.peek(), Kind::Mark(it) if *it == mark)
    }

    pub(super) fn take(&mut self, mark: &str) -> bool {
        let is_it = self.is(mark);
        self.at += usize::from(is_it);
        is_it
    }

    pub(super) fn expect(&mut self, mark: &str) -> Result<(), Problem> {
        if self.take(mark) { Ok(()) } else { self.problem(format!("`{mark}` is missing here")) }
    }

    /// Takes a word if it is this one.
    pub(super) fn word_is(&mut self, word: &str) -> bool {
        let is_it = matches!(self.peek(), Kind::Word(it) if it == word);
        self.at += usize::from(is_it);
        is_it
    }

    pub(super) fn deeper<T>(
        &mut self,
        inside: impl FnOnce(&mut Self) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        if self.depth >= DEPTH_MAX {
            return self.problem(format!("nested deeper than {DEPTH_MAX}"));
        }
        self.depth += 1;
        let read = inside(self);
        self.depth -= 1;
        read
    }

    /// The number of a variable that the arguments bind.
    pub(super) fn bound(&self, name: &str) -> Option<usize> {
        self.variables.iter().position(|it| it == name)
    }

    fn bind(&mut self, name: String) -> Result<Pattern, Problem> {
        if name == "_" {
            return Ok(Pattern::Any);
        }
        if let Some(number) = self.bound(&name) {
            return Ok(Pattern::Variable(number));
        }
        if self.variables.len() >= VARIABLES_MAX {
            return self.problem_before(format!("more than {VARIABLES_MAX} variables"));
        }
        self.variables.push(name);
        Ok(Pattern::Variable(self.variables.len() - 1))
    }

    /// Patterns up to a mark, which is taken.
    fn patterns(&mut self, end: &str) -> Result<Vec<Pattern>, Problem> {
        let mut found = Vec::new();
        if self.take(end) {
            return Ok(found);
        }
        loop {
            if let Kind::Key(_) = self.peek() {
                // Keywords at the end of a call or a tuple are one list.
                let pairs = self.keywords(end)?;
                found.push(Pattern::List(pairs, None));
                return Ok(found);
            }
            found.push(self.pattern()?);
            if self.take(end) {
                return Ok(found);
            }
            if !self.take(",") {
                return self.problem(format!("`,` or `{end}` is missing here"));
            }
        }
    }

    /// `key: pattern, ...` up to a mark, which is taken.
    fn keywords(&mut self, end: &str) -> Result<Vec<Pattern>, Problem> {
        let mut pairs = Vec::new();
        loop {
            let Kind::Key(name) = self.next() else {
                return self.problem_before("keys stand last; another `key:` is missing here");
            };
            let key = Pattern::Literal(Literal::Atom(name));
            pairs.push(Pattern::Tuple(vec![key, self.pattern()?]));
            if self.take(end) {
                return Ok(pairs);
            }
            self.expect(",")?;
        }
    }

    fn pattern(&mut self) -> Result<Pattern, Problem> {
        let read = self.deeper(Self::pattern_inside)?;
        if self.is("=") {
            return self.problem(
                "a part that is also named whole (`=`) cannot be asked for; name one of the two",
            );
        }
        if self.is("<>") || self.is("++") {
            return self.problem(
                "the VM cannot look into a binary or at a prefix here; take the whole text, or a \
                 size in a guard",
            );
        }
        Ok(read)
    }

    fn pattern_inside(&mut self) -> Result<Pattern, Problem> {
        let is_elixir = self.is_elixir();
        match self.next() {
            Kind::Variable(name) => self.bind(name),
            Kind::Word(name) if is_elixir && !self.is("(") => self.bind(name),
            Kind::Word(_) if self.is("(") => {
                self.problem("no function can be called in a pattern; ask in a guard (`when`)")
            }
            Kind::Mark("{") => {
                let parts = self.patterns("}")?;
                Ok(Pattern::Tuple(parts))
            }
            Kind::Mark("[") => self.list(),
            Kind::Mark("%{") if is_elixir => self.map(Vec::new()),
            Kind::Mark("%") if is_elixir => {
                let name = self.next();
                let Kind::Atom(name) = name else {
                    return self.problem_before("a struct's name is missing, e.g. %MyApp.User{}");
                };
                self.expect("{")?;
                let of =
                    (Literal::Atom("__struct__".into()), Pattern::Literal(Literal::Atom(name)));
                self.map(vec![of])
            }
            Kind::Mark("#{") if !is_elixir => self.map(Vec::new()),
            Kind::Mark("#") => {
                self.problem_before("records are not known here; write the tuple: {name, _, _}")
            }
            Kind::Mark("^") => self.problem_before("there is nothing to pin to here"),
            kind => Ok(Pattern::Literal(self.simple(kind, "a pattern")?)),
        }
    }

    fn list(&mut self) -> Result<Pattern, Problem> {
        let mut parts = Vec::new();
        if self.take("]") {
            return Ok(Pattern::List(parts, None));
        }
        loop {
            if let Kind::Key(_) = self.peek() {
                parts.extend(self.keywords("]")?);
                return Ok(Pattern::List(parts, None));
            }
            parts.push(self.pattern()?);
            if self.take("]") {
                return Ok(Pattern::List(parts, None));
            }
            if self.take("|") {
                let tail = self.pattern()?;
                self.expect("]")?;
                return Ok(Pattern::List(parts, Some(Box::new(tail))));
            }
            if !self.take(",") {
                return self.problem("`,`, `|` or `]` is missing here");
            }
        }
    }

    /// The pairs of a map after its brace.
    fn map(&mut self, mut pairs: Vec<(Literal, Pattern)>) -> Result<Pattern, Problem> {
        if self.take("}") {
            return Ok(Pattern::Map(pairs));
        }
        loop {
            let key = match self.next() {
                Kind::Key(name) => Literal::Atom(name),
                kind => {
                    let key = self.deeper(|it| it.literal(kind))?;
                    if !self.take("=>") && (self.is_elixir() || !self.take(":=")) {
                        return self.problem("`=>` is missing here");
                    }
                    key
                }
            };
            if pairs.iter().any(|(it, _)| *it == key) {
                return self.problem("the map has this key twice");
            }
            pairs.push((key, self.pattern()?));
            if self.take("}") {
                return Ok(Pattern::Map(pairs));
            }
            self.expect(",")?;
        }
    }

    /// A value without variables, such as a map's key.
    fn literal(&mut self, first: Kind) -> Result<Literal, Problem> {
        let is_variable = match &first {
            Kind::Variable(_) => true,
            Kind::Word(_) => self.is_elixir(),
            _ => false,
        };
        let end = match first {
            _ if is_variable => {
                return self.problem_before("a key of a map must be a value, not a variable");
            }
            Kind::Mark("{") => "}",
            Kind::Mark("[") => "]",
            kind => return self.simple(kind, "a value"),
        };
        let mut parts = Vec::new();
        while !self.take(end) {
            let kind = self.next();
            parts.push(self.deeper(|it| it.literal(kind))?);
            if !self.take(",") && !self.is(end) {
                return self.problem(format!("`,` or `{end}` is missing here"));
            }
        }
        Ok(if end == "}" { Literal::Tuple(parts) } else { Literal::List(parts) })
    }

    /// A number, an atom, a text or a binary; `first` was taken.
    pub(super) fn simple(&mut self, first: Kind, wanted: &str) -> Result<Literal, Problem> {
        match first {
            Kind::Integer(it) => Ok(Literal::Integer(it)),
            Kind::Float(it) => Ok(Literal::Float(it)),
            Kind::Atom(it) => Ok(Literal::Atom(it)),
            Kind::Word(it) if !self.is_elixir() => Ok(Literal::Atom(it)),
            Kind::Text(it) if self.is_elixir() => Ok(Literal::Binary(it.into_bytes())),
            Kind::Text(it) | Kind::Characters(it) => Ok(characters(&it)),
            Kind::Mark("<<") => self.binary(),
            Kind::Mark(sign @ ("-" | "+")) => match self.next() {
                Kind::Integer(it) if sign == "-" => Ok(Literal::Integer(-it)),
                Kind::Float(it) if sign == "-" => Ok(Literal::Float(-it)),
                Kind::Integer(it) => Ok(Literal::Integer(it)),
                Kind::Float(it) => Ok(Literal::Float(it)),
                _ => self.problem_before("a number is missing after the sign"),
            },
            Kind::End => {
                self.problem_before(format!("{wanted} is missing: the text ends too early"))
            }
            _ => self.problem_before(format!("{wanted} is missing here")),
        }
    }

    /// `<<"text", 1, 2>>` after its opening: texts and bytes, nothing that is taken apart.
    fn binary(&mut self) -> Result<Literal, Problem> {
        let mut bytes = Vec::new();
        while !self.take(">>") {
            match self.next() {
                Kind::Integer(it) => match u8::try_from(it) {
                    Ok(byte) => bytes.push(byte),
                    Err(_) => return self.problem_before("a byte is 0 to 255"),
                },
                Kind::Text(text) => {
                    let is_utf8 = self.take_utf8() || self.is_elixir();
                    if is_utf8 {
                        bytes.extend(text.bytes());
                    } else {
                        for it in text.chars() {
                            let Ok(byte) = u8::try_from(u32::from(it)) else {
                                return self.problem_before("write \"...\"/utf8 for this text");
                            };
                            bytes.push(byte);
                        }
                    }
                }
                Kind::End => return self.problem("`>>` is missing"),
                _ => {
                    return self.problem_before(
                        "only texts and bytes: the VM cannot take a binary apart before a call",
                    );
                }
            }
            if !self.take(",") && !self.is(">>") {
                return self.problem("`,` or `>>` is missing here");
            }
        }
        Ok(Literal::Binary(bytes))
    }

    fn take_utf8(&mut self) -> bool {
        let follows = self.is("/") && matches!(self.peek_second(), Kind::Word(it) if it == "utf8");
        self.at += if follows { 2 } else { 0 };
        follows
    }
}

/// A string of Erlang's: a list of code points.
fn characters(text: &str) -> Literal {
    Literal::List(text.chars().map(|it| Literal::Integer(i128::from(u32::from(it)))).collect())
}
