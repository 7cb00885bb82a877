//! The fixed list of functions that giulia calls with `--no-eval`, and the check that it keeps to it.

use giulia_dist::term::Term;

use crate::answer::Bif;

/// A function that is called with `--no-eval`, and what for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedBif {
    /// Its module.
    pub module: &'static str,
    /// Its name.
    pub function: &'static str,
    /// How many arguments it takes.
    pub arity: u32,
    /// What giulia learns from it.
    pub why: &'static str,
}

macro_rules! listed {
    ($($module:literal : $function:literal / $arity:literal => $why:literal,)*) => {
        &[$(ListedBif { module: $module, function: $function, arity: $arity, why: $why },)*]
    };
}

const LIST: &[ListedBif] = listed! {
    "application": "get_key" / 2 => "the modules of an application",
    "application": "loaded_applications" / 0 => "the version of Elixir, which applications there are",
    "application": "which_applications" / 1 => "running applications and their versions",
    "erlang": "apply" / 3 => "many of these in one round trip, inside lists:zipwith3/4",
    "erlang": "convert_time_unit" / 3 => "the unit of the start time",
    "erlang": "list_to_existing_atom" / 1 => "a name that somebody typed; makes no atom",
    "erlang": "list_to_pid" / 1 => "a pid that somebody typed",
    "erlang": "loaded" / 0 => "which modules there are",
    "erlang": "memory" / 0 => "memory by kind",
    "erlang": "monotonic_time" / 0 => "uptime",
    "erlang": "monotonic_time" / 1 => "windows of a session",
    "erlang": "nodes" / 1 => "connected nodes",
    "erlang": "process_info" / 2 => "processes, a page at a time",
    "erlang": "processes" / 0 => "which processes there are",
    "erlang": "registered" / 0 => "names of other tools' tracers",
    "erlang": "statistics" / 1 => "run queues, reductions, collections, IO",
    "erlang": "system_info" / 1 => "versions, counts, limits, schedulers",
    "erlang": "system_monitor" / 0 => "whether another tool owns system_monitor",
    "erlang": "trace_info" / 2 => "other tools' tracing",
    "erlang": "whereis" / 1 => "the process of a registered name",
    "ets": "all" / 0 => "which tables there are",
    "ets": "info" / 1 => "the biggest tables",
    "ets": "info" / 2 => "sizes of tables",
    "ets": "match" / 2 => "which application a process belongs to (ac_tab)",
    "init": "get_argument" / 1 => "flags of the VM, one by one, never the cookie",
    "lists": "map" / 2 => "one of these for many arguments",
    "lists": "zipwith" / 3 => "one of these for many arguments",
    "lists": "zipwith3" / 4 => "many of these in one round trip",
    "prim_file": "list_dir" / 1 => "open descriptors in /proc/self/fd",
    "prim_file": "read_file" / 1 => "files under /proc and /sys/fs/cgroup",
    "trace": "session_info" / 1 => "other tools' trace sessions (OTP 27 and later)",
};

/// What `--no-eval` may call, for printing.
pub fn bif_list() -> &'static [ListedBif] {
    LIST
}

/// Whether a question, and every function that it passes on, is on the list.
pub(crate) fn allowed(question: &Bif) -> bool {
    let arity = u32::try_from(question.args.len()).unwrap_or(u32::MAX);
    if !listed(question.module, question.function, arity) {
        return false;
    }
    let passed_on = question.args.iter().all(passes);
    passed_on && (question.function != "zipwith3" || applied(&question.args))
}

/// Whether everything that `lists:zipwith3(fun erlang:apply/3, ..)` would call is on the list.
fn applied(args: &[Term<'_>]) -> bool {
    let [_, modules, functions, lists] = args else { return false };
    let (Some(modules), Some(functions), Some(lists)) =
        (modules.as_list(), functions.as_list(), lists.as_list())
    else {
        return false;
    };
    let mut calls = modules.iter().zip(functions).zip(lists);
    calls.all(|((module, function), args)| {
        let args = args.as_list().unwrap_or_default();
        let arity = u32::try_from(args.len()).unwrap_or(u32::MAX);
        let named = module.as_atom().zip(function.as_atom());
        named.is_some_and(|(module, function)| listed(module, function, arity))
            && args.iter().all(passes)
    })
}

/// Whether an argument is no function, or one of the list.
fn passes(argument: &Term<'_>) -> bool {
    let Term::Export(fun) = argument else { return true };
    listed(&fun.module, &fun.function, fun.arity.into())
}

fn listed(module: &str, function: &str, arity: u32) -> bool {
    LIST.iter().any(|it| (it.module, it.function, it.arity) == (module, function, arity))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_listed_is_refused_however_it_is_wrapped() {
        let fine = Bif::map("erlang", "system_info", [Term::atom("version")]);
        assert!(allowed(&fine));
        assert!(allowed(&Bif::together(&[fine])));
        let evaluated = Bif::new("erl_eval", "expr", vec![Term::Nil; 5]);
        assert!(!allowed(&evaluated));
        assert!(!allowed(&Bif::together(&[evaluated])));
        assert!(!allowed(&Bif::map("os", "cmd", [Term::string("true")])));
        assert!(!allowed(&Bif::together(&[Bif::map("os", "cmd", [Term::string("true")])])));
    }

    #[test]
    fn the_list_is_sorted_and_names_each_once() {
        let names: Vec<_> = LIST.iter().map(|it| (it.module, it.function, it.arity)).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(names, sorted);
    }
}
