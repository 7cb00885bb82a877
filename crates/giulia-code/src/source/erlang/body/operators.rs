//! Tokens that come after an operand: operators, and what ends an expression.

use super::{Body, Kind, Mode, Open, RefKind, Shape, Stage, Step, Token, Whose};

impl Body<'_> {
    pub(super) fn operator(&mut self, token: Token) -> Step {
        match token.kind {
            Kind::ParenOpen => {
                let top = self.top()?;
                let (callee, at) = (top.shape, top.at);
                self.open(Open::Call { callee, at }, self.at - 1)
            }
            Kind::Colon => self.colon(),
            Kind::Hash => self.hash(token, false),
            Kind::Slash => self.slash(),
            Kind::Str if self.top()?.shape == Shape::Str => Ok(()),
            Kind::Match => self.equals(),
            Kind::MaybeMatch => {
                self.branch();
                self.pattern()
            }
            Kind::Generate => self.pattern(),
            Kind::AndAlso | Kind::OrElse => {
                if matches!(self.top()?.mode(), Mode::Value | Mode::Condition) {
                    self.branch();
                    self.found.complexity.cognitive += 1;
                }
                self.infix()
            }
            Kind::Bang => {
                let top = self.top()?;
                if let (Shape::Atom(name), false) = (top.shape, top.has_operator) {
                    let kind = RefKind::MessageSend;
                    self.found.push(kind, Whose::Nobody, (Some(name), 0), token);
                }
                self.infix()
            }
            Kind::Minus | Kind::Plus | Kind::Operator => self.infix(),
            Kind::Zip => {
                self.end_expression();
                Ok(())
            }
            Kind::FatArrow | Kind::ColonEqual => self.association(),
            Kind::Pipe => self.tail(),
            Kind::PipePipe => self.generators(),
            Kind::Comma => self.comma(),
            Kind::Semicolon => self.semicolon(),
            Kind::When => self.when(),
            Kind::Arrow => self.arrow(),
            Kind::Of => self.of(),
            Kind::Catch => self.catch(),
            Kind::After => self.after(),
            Kind::End => self.end(),
            Kind::ParenClose | Kind::ListClose | Kind::BraceClose | Kind::BinClose => {
                self.end_element()?;
                self.close(token.kind)
            }
            Kind::Atom if token.name == Some(self.context.words.otherwise) => self.otherwise(),
            _ => Err("an operator is expected"),
        }
    }

    /// `M:F`, the size of a segment, or the class in a `catch`.
    pub(super) fn colon(&mut self) -> Step {
        let next = self.peek(0).copied();
        let top = self.top()?;
        let is_size = top.open == Open::Bin && !top.in_generators;
        if is_size || (top.open == Open::Try && top.stage == Stage::Head) {
            return self.infix();
        }
        let Some(next) = next.filter(|it| matches!(it.kind, Kind::Atom | Kind::Var | Kind::Hole))
        else {
            return self.infix();
        };
        let name = next.name.filter(|_| next.kind == Kind::Atom);
        top.shape = Shape::Remote(top.shape.atom(), name);
        self.at += 1;
        Ok(())
    }

    /// A division, or the types of a segment.
    pub(super) fn slash(&mut self) -> Step {
        let top = self.top()?;
        if top.open != Open::Bin || top.in_generators {
            return self.infix();
        }
        top.has_operator = true;
        loop {
            if !matches!(self.peek_kind(0), Some(Kind::Atom | Kind::Hole | Kind::Var)) {
                return Err("the type of a segment is expected");
            }
            self.at += 1;
            if self.peek_kind(0) == Some(Kind::Colon) {
                self.at += 2;
            }
            if self.peek_kind(0) != Some(Kind::Minus) {
                return Ok(());
            }
            self.at += 1;
        }
    }

    /// `=`: of a record's field, or a match.
    pub(super) fn equals(&mut self) -> Step {
        let anything = self.context.words.anything;
        let n_made = self.found.made.len();
        let top = self.top()?;
        if let (Open::Record { .. }, None, false, Shape::Atom(name) | Shape::Var(name)) =
            (top.open, top.key, top.has_operator, top.shape)
        {
            top.is_all_given |= name == anything;
            top.fields.push(name);
            top.key = Some(name);
            (top.has, top.made_start) = (false, n_made);
            return Ok(());
        }
        if let (Shape::Var(name), false) = (top.shape, top.has_operator) {
            top.variable = Some(name);
        }
        self.pattern()
    }

    /// What was read of this expression is a pattern, in which records are not made.
    pub(super) fn pattern(&mut self) -> Step {
        let start = self.top()?.made_start;
        self.found.made.truncate(start);
        let top = self.top()?;
        (top.has, top.has_operator) = (false, false);
        Ok(())
    }

    /// `=>` and `:=`.
    pub(super) fn association(&mut self) -> Step {
        let top = self.top()?;
        if top.in_generators {
            return self.infix();
        }
        if top.open != Open::Map {
            return Err("a key outside of a map");
        }
        let key = self.end_expression().atom();
        self.top()?.key = key;
        Ok(())
    }

    pub(super) fn tail(&mut self) -> Step {
        if self.top()?.open != Open::List {
            return Err("a tail outside of a list");
        }
        self.end_element()?;
        self.top()?.has_tail = true;
        Ok(())
    }

    pub(super) fn generators(&mut self) -> Step {
        if !matches!(self.top()?.open, Open::List | Open::Bin | Open::Map) {
            return Err("generators outside of a comprehension");
        }
        self.end_element()?;
        self.top()?.in_generators = true;
        Ok(())
    }

    pub(super) fn comma(&mut self) -> Step {
        let top = self.top()?;
        match (top.open, top.stage) {
            (Open::Value, _) => Err("more than one value"),
            (_, Stage::Subject | Stage::Head | Stage::Timeout) => Err("more than one pattern"),
            _ => self.end_element(),
        }
    }

    pub(super) fn semicolon(&mut self) -> Step {
        match self.top()?.stage {
            Stage::Guard => {
                self.end_expression();
                Ok(())
            }
            Stage::Body => {
                self.end_expression();
                let top = self.top()?;
                top.stage = if top.open == Open::If { Stage::Guard } else { Stage::Head };
                self.clause();
                Ok(())
            }
            _ => Err("no clause ends here"),
        }
    }

    pub(super) fn when(&mut self) -> Step {
        if self.top()?.stage != Stage::Head {
            return Err("a guard outside of a clause");
        }
        self.end_expression();
        self.top()?.stage = Stage::Guard;
        Ok(())
    }

    pub(super) fn arrow(&mut self) -> Step {
        self.end_expression();
        let top = self.top()?;
        top.stage = match top.stage {
            Stage::Head | Stage::Guard => Stage::Body,
            Stage::Timeout => Stage::Last,
            _ => return Err("an arrow outside of a clause"),
        };
        Ok(())
    }

    pub(super) fn of(&mut self) -> Step {
        self.end_expression();
        let top = self.top()?;
        match (top.open, top.stage) {
            (Open::Case, Stage::Subject) | (Open::Try, Stage::Plain) => top.stage = Stage::Head,
            _ => return Err("`of` outside of a case"),
        }
        self.clause();
        Ok(())
    }

    /// The clauses of a `try` for what is raised; each is a branch of its own.
    pub(super) fn catch(&mut self) -> Step {
        self.end_expression();
        let top = self.top()?;
        if top.open != Open::Try || !matches!(top.stage, Stage::Plain | Stage::Body) {
            return Err("an operator is expected");
        }
        top.stage = Stage::Head;
        top.n_clauses = top.n_clauses.max(1);
        self.clause();
        Ok(())
    }

    pub(super) fn after(&mut self) -> Step {
        let top = self.top()?;
        let has = top.has;
        match (top.open, top.stage) {
            (Open::Receive, Stage::Head) if top.n_clauses == 0 && !has => {}
            (Open::Receive, Stage::Body) | (Open::Try, Stage::Plain | Stage::Body) if has => {}
            _ => return Err("`after` outside of a receive or try"),
        }
        self.end_expression();
        let top = self.top()?;
        if top.open == Open::Try {
            top.stage = Stage::Last;
            return Ok(());
        }
        top.stage = Stage::Timeout;
        if top.n_clauses > 0 {
            self.branch();
        }
        Ok(())
    }

    /// The clauses of a `maybe`.
    pub(super) fn otherwise(&mut self) -> Step {
        self.end_expression();
        let top = self.top()?;
        if top.open != Open::Maybe || top.stage != Stage::Plain {
            return Err("an operator is expected");
        }
        top.stage = Stage::Head;
        self.clause();
        Ok(())
    }

    pub(super) fn end(&mut self) -> Step {
        let shape = self.end_expression();
        let top = self.top()?;
        let is_whole = match top.open {
            Open::Begin => top.stage == Stage::Plain,
            Open::Case | Open::If | Open::Fun => top.stage == Stage::Body,
            Open::Receive | Open::Try => matches!(top.stage, Stage::Body | Stage::Last),
            Open::Maybe => matches!(top.stage, Stage::Plain | Stage::Body),
            _ => false,
        };
        if !is_whole {
            return Err("an `end` of nothing");
        }
        let shape = if top.open == Open::Begin { shape } else { Shape::Other };
        self.pop_frame(shape)
    }
}
