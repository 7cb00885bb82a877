//! Evaluated questions: committed abstract forms, shipped as terms, run by the target's `erl_eval`.
//!
//! `erl_eval:expr/5` and not `exprs/2`: the latter checks with `erl_lint`, which an idle node has
//! not loaded, and returns every binding. Return format `value` brings the value alone.

use giulia_dist::term::Term;

use crate::answer::Bif;

/// The form of one probe.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form(&'static [u8]);

pub(crate) const ETS: Form = Form(include_bytes!("../forms/ets.etf"));
pub(crate) const HOST: Form = Form(include_bytes!("../forms/host.etf"));
pub(crate) const NODE: Form = Form(include_bytes!("../forms/node.etf"));
pub(crate) const PROCESSES: Form = Form(include_bytes!("../forms/processes.etf"));

impl Form {
    /// The call that evaluates it with its argument. It returns a list of one element.
    pub(crate) fn with(self, argument: Term<'static>) -> Bif {
        // Without the version byte, as a part of a larger term.
        let form = Term::encoded(self.0.get(1..).unwrap_or_default());
        let bindings = Term::list([Term::tuple([Term::atom("Args"), argument])]);
        let none = || Term::atom("none");
        Bif::new("erl_eval", "expr", [form, bindings, none(), none(), Term::atom("value")])
    }
}
