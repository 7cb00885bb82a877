//! A call as it is written: whom, with how many arguments, with which blocks.

use super::tree::{At, Children, Kind};

/// Whom a call is to.
#[derive(Clone, Copy)]
pub(super) enum Target<'t> {
    /// `f(…)`.
    Local(At<'t>),
    /// `left.f(…)`.
    Remote(At<'t>, At<'t>),
    /// `left.(…)`.
    Value(At<'t>),
    /// `f(…)(…)`.
    Call(At<'t>),
}

/// A call.
#[derive(Clone, Copy)]
pub(super) struct Call<'t> {
    pub(super) target: Target<'t>,
    pub(super) arguments: Option<At<'t>>,
    pub(super) block: Option<At<'t>>,
}

impl<'t> Call<'t> {
    pub(super) fn of(node: At<'t>) -> Option<Self> {
        if !node.is(Kind::Call) {
            return None;
        }
        let mut children = node.children();
        let target = children.next()?;
        let (mut arguments, mut block) = (None, None);
        for it in children {
            match it.kind() {
                Kind::Arguments => arguments = Some(it),
                Kind::DoBlock => block = Some(it),
                _ => {}
            }
        }
        let target = match target.kind() {
            Kind::Identifier => Target::Local(target),
            Kind::Call => Target::Call(target),
            Kind::Dot => {
                let left = target.child(0)?;
                match target.child(1) {
                    Some(right) => Target::Remote(left, right),
                    None => Target::Value(left),
                }
            }
            _ => return None,
        };
        Some(Self { target, arguments, block })
    }

    /// The name of a local call, or nothing.
    pub(super) fn local(self) -> &'t str {
        if let Target::Local(name) = self.target { name.text() } else { "" }
    }

    /// `Kernel.def …`, and not `def …`.
    pub(super) fn is_remote(self) -> bool {
        matches!(self.target, Target::Remote(..))
    }

    pub(super) fn args(self) -> Args<'t> {
        Args(self.arguments.map(At::children))
    }

    pub(super) fn arg(self, place: usize) -> Option<At<'t>> {
        self.args().nth(place)
    }

    /// Keywords at the end count as one, a block as one more.
    pub(super) fn arity(self) -> usize {
        self.args().count() + usize::from(self.block.is_some())
    }

    /// The value of an option in the keywords at the end.
    pub(super) fn option(self, key: &str) -> Option<At<'t>> {
        option(self.args().last()?, key)
    }

    /// What stands in the block, or after `do:`.
    pub(super) fn body(self) -> Option<At<'t>> {
        self.block.or_else(|| self.option("do"))
    }
}

/// The value of a key in keywords, also in brackets.
pub(super) fn option<'t>(keywords: At<'t>, key: &str) -> Option<At<'t>> {
    let keywords = match keywords.kind() {
        Kind::Keywords => keywords,
        Kind::List => keywords.child_of(Kind::Keywords)?,
        _ => return None,
    };
    let pair = keywords.children().find(|it| it.child(0).and_then(At::atom) == Some(key))?;
    pair.child(1)
}

/// The arguments of a call.
pub(super) struct Args<'t>(Option<Children<'t>>);

impl<'t> Iterator for Args<'t> {
    type Item = At<'t>;

    fn next(&mut self) -> Option<At<'t>> {
        self.0.as_mut()?.next()
    }
}
