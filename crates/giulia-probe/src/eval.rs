//! Evaluated questions: committed abstract forms, shipped as terms, run by the target's `erl_eval`.
//!
//! `erl_eval:expr/5` and not `exprs/2`: the latter checks with `erl_lint`, which an idle node has
//! not loaded, and returns every binding. Return format `value` brings the value alone.

use giulia_dist::term::Term;

use crate::answer::Bif;

/// The form of one probe.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form(&'static [u8]);

pub(crate) const ARM: Form = Form(include_bytes!("../forms/arm.etf"));
pub(crate) const BINARIES: Form = Form(include_bytes!("../forms/binaries.etf"));
pub(crate) const BUSY: Form = Form(include_bytes!("../forms/busy.etf"));
pub(crate) const COUNTS: Form = Form(include_bytes!("../forms/counts.etf"));
pub(crate) const CUSTODIAN: Form = Form(include_bytes!("../forms/custodian.etf"));
pub(crate) const DUMP: Form = Form(include_bytes!("../forms/dump.etf"));
pub(crate) const ETS: Form = Form(include_bytes!("../forms/ets.etf"));
pub(crate) const FUNCTIONS: Form = Form(include_bytes!("../forms/functions.etf"));
pub(crate) const FLAGS: Form = Form(include_bytes!("../forms/flags.etf"));
pub(crate) const FREE: Form = Form(include_bytes!("../forms/free.etf"));
pub(crate) const HOST: Form = Form(include_bytes!("../forms/host.etf"));
pub(crate) const KEEP: Form = Form(include_bytes!("../forms/keep.etf"));
pub(crate) const LINKS: Form = Form(include_bytes!("../forms/links.etf"));
pub(crate) const LOADED: Form = Form(include_bytes!("../forms/loaded.etf"));
pub(crate) const LOGGER: Form = Form(include_bytes!("../forms/logger.etf"));
pub(crate) const NODE: Form = Form(include_bytes!("../forms/node.etf"));
pub(crate) const PORTS: Form = Form(include_bytes!("../forms/ports.etf"));
pub(crate) const PRICES: Form = Form(include_bytes!("../forms/prices.etf"));
pub(crate) const PROCESS: Form = Form(include_bytes!("../forms/process.etf"));
pub(crate) const PROCESSES: Form = Form(include_bytes!("../forms/processes.etf"));
pub(crate) const SENTINEL: Form = Form(include_bytes!("../forms/sentinel.etf"));
pub(crate) const SINK: Form = Form(include_bytes!("../forms/sink.etf"));
pub(crate) const STACKS: Form = Form(include_bytes!("../forms/stacks.etf"));
pub(crate) const STATE: Form = Form(include_bytes!("../forms/state.etf"));
pub(crate) const SUPERVISION: Form = Form(include_bytes!("../forms/supervision.etf"));
pub(crate) const TRACED: Form = Form(include_bytes!("../forms/traced.etf"));
pub(crate) const UNCOUNT: Form = Form(include_bytes!("../forms/uncount.etf"));
pub(crate) const UNPATTERN: Form = Form(include_bytes!("../forms/unpattern.etf"));
pub(crate) const WATCH: Form = Form(include_bytes!("../forms/watch.etf"));
pub(crate) const WATCHER: Form = Form(include_bytes!("../forms/watcher.etf"));

impl Form {
    /// The call that evaluates it as a process that lives long: it is told its own form, with
    /// which it evaluates itself again after each message, and at the end `start`.
    pub(crate) fn forever(self, told: impl IntoIterator<Item = Term<'static>>) -> Bif {
        let state = [self.term()].into_iter().chain(told).chain([Term::atom("start")]);
        self.with(Term::tuple(state))
    }

    /// The call that evaluates it with its argument. It returns a list of one element.
    pub(crate) fn with(self, argument: Term<'static>) -> Bif {
        let form = self.term();
        let bindings = Term::list([Term::tuple([Term::atom("Args"), argument])]);
        let none = || Term::atom("none");
        Bif::new("erl_eval", "expr", [form, bindings, none(), none(), Term::atom("value")])
    }

    /// The form itself, as a part of a larger term: without the version byte.
    pub(crate) fn term(self) -> Term<'static> {
        Term::encoded(self.0.get(1..).unwrap_or_default())
    }
}
