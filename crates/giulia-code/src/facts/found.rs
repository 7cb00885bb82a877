//! What the readers of debug information and of the code chunk find, before it is joined.

use giulia_model::Mfa;

use super::How;

/// A function with its calls.
#[derive(Debug, Clone)]
pub(super) struct FoundFunction {
    pub(super) name: String,
    pub(super) arity: u32,
    pub(super) line: Option<u32>,
    /// When it is another than the module's source.
    pub(super) file: Option<String>,
    pub(super) calls: Vec<FoundCall>,
    /// Calls of funs, and of functions whose name is a value.
    pub(super) n_unresolved: u32,
}

/// One call.
#[derive(Debug, Clone)]
pub(super) struct FoundCall {
    /// Empty while only the whole module can tell.
    pub(super) module: String,
    pub(super) function: String,
    pub(super) arity: u32,
    pub(super) line: Option<u32>,
    pub(super) how: How,
    /// The atom that it is given first, where that tells a table or a process.
    pub(super) subject: Option<String>,
    /// It is one only if the call that many places before it is of a BIF, as `spawn/3`.
    pub(super) via: Option<usize>,
}

impl FoundFunction {
    pub(super) fn new(name: &str, arity: u32, line: Option<u32>) -> Self {
        Self { name: name.to_owned(), arity, line, file: None, calls: Vec::new(), n_unresolved: 0 }
    }

    pub(super) fn push(&mut self, how: How, module: &str, function: &str, arity: u32) {
        let call = FoundCall {
            module: module.to_owned(),
            function: function.to_owned(),
            arity,
            line: None,
            how,
            subject: None,
            via: None,
        };
        self.calls.push(call);
    }

    /// The same with its line.
    pub(super) fn push_at(
        &mut self,
        line: Option<u32>,
        how: How,
        (module, function): (&str, &str),
        arity: usize,
    ) {
        let arity = u32::try_from(arity).unwrap_or(u32::MAX);
        self.push(how, module, function, arity);
        if let Some(call) = self.calls.last_mut() {
            call.line = line;
        }
    }
}

/// Whether the first argument of a module's functions is a table or a process.
pub(super) fn tells_subject(module: &str) -> bool {
    matches!(module, "ets" | "gen_server" | "gen_statem" | "Elixir.GenServer" | "Elixir.Agent")
}

impl FoundCall {
    pub(super) fn target(&self) -> Mfa {
        Mfa::new(self.module.as_str(), self.function.as_str(), self.arity)
    }
}
