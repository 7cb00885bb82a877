//! Traffic of Ecto repositories, by the call counters of their modules.
//!
//! A module counts as a repository when the functions that Ecto itself calls on one for each
//! operation were counted in it (`default_options/1`, `prepare_query/3`, `prepare_opts/2`) beside
//! operations of its documented interface (Ecto.Repo 3.12). Every counter is of one module, so that
//! no call of one is credited to another.

use giulia_model::{Evidence, Source, TracedFunction};

use crate::{Missing, Picture};

/// Operations that read.
const READS: [&str; 14] = [
    "all",
    "one",
    "one!",
    "get",
    "get!",
    "get_by",
    "get_by!",
    "aggregate",
    "exists?",
    "reload",
    "reload!",
    "stream",
    "preload",
    "all_by",
];
/// Operations that write.
const WRITES: [&str; 12] = [
    "insert",
    "insert!",
    "insert_all",
    "update",
    "update!",
    "update_all",
    "delete",
    "delete!",
    "delete_all",
    "insert_or_update",
    "insert_or_update!",
    "transaction",
];
/// What Ecto calls on a repository for each operation.
const PIPELINE: [&str; 3] = ["default_options", "prepare_query", "prepare_opts"];

/// What one repository did, by the second.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Repo {
    /// The module as its language writes it.
    pub(crate) module: String,
    /// Operations that read.
    pub(crate) reads: f64,
    /// Operations that write.
    pub(crate) writes: f64,
    /// Calls of the functions around them.
    pub(crate) pipeline: f64,
    /// Changes of the database behind it (`put_dynamic_repo/1`).
    pub(crate) switches: f64,
    /// How long it was counted, in milliseconds.
    pub(crate) window_ms: f64,
}

impl Repo {
    /// Reads and writes.
    pub(crate) fn operations(&self) -> f64 {
        self.reads + self.writes
    }

    /// A figure of it.
    pub(crate) fn figure(&self, what: &str, value: f64, unit: &str) -> Evidence {
        Evidence::new(format!("{what} of {}", self.module), value, unit, Source::Trace)
            .over(self.window_ms)
    }

    fn add(&mut self, it: &TracedFunction) {
        let rate = it.calls_per_s.unwrap_or_default();
        let name = it.name.as_str();
        // `get/1` calls `get/2` for its default: the one with the most arguments is every call.
        if READS.contains(&name) {
            self.reads += rate;
        } else if WRITES.contains(&name) {
            self.writes += rate;
        } else if PIPELINE.contains(&name) {
            self.pipeline += rate;
        } else if name == "put_dynamic_repo" {
            self.switches += rate;
        }
        self.window_ms = self.window_ms.max(it.window_ms);
    }
}

/// The repositories that call counters saw at work; `get/2` that only calls `get/3`
/// counts once.
///
/// # Errors
/// When no calls were counted.
pub(crate) fn repos(picture: &Picture) -> Result<Vec<Repo>, Missing> {
    picture.traces.as_ref().map_err(Clone::clone)?;
    let functions = picture.counted();
    let is_repo = |it: &&TracedFunction| PIPELINE.contains(&it.name.as_str());
    let mut modules: Vec<&str> =
        functions.iter().filter(|it| is_repo(it)).map(|it| it.module.as_str()).collect();
    modules.sort_unstable();
    modules.dedup();
    let of = |module: &&str| {
        let module = *module;
        let mut repo = Repo {
            module: module.strip_prefix("Elixir.").unwrap_or(module).to_owned(),
            ..Repo::default()
        };
        let own = functions.iter().filter(|it| it.module == module);
        for it in own.filter(|it| is_outermost(it, &functions)) {
            repo.add(it);
        }
        repo
    };
    Ok(modules.iter().map(of).filter(|it| it.operations() > 0.0).collect())
}

/// Of clauses with default arguments the compiler makes one function for each number of them, and
/// all call the largest; that one counts every call once.
fn is_outermost(it: &TracedFunction, all: &[&TracedFunction]) -> bool {
    let larger = |other: &&&TracedFunction| {
        other.module == it.module && other.name == it.name && other.arity > it.arity
    };
    all.iter().find(larger).is_none()
}

#[cfg(test)]
mod tests {
    use giulia_model::{Mfa, Trace};

    use super::*;
    use crate::example::{healthy, traced};

    #[test]
    fn the_seeds_session_adds_up_and_no_call_is_told_twice() {
        let repo =
            |name: &str, arity, rate| traced(&Mfa::new("Elixir.Nexus.Repo", name, arity), rate);
        let mut picture = healthy();
        picture.traces = Ok(vec![Trace {
            functions: vec![
                repo("get", 2, 1_263.0),
                repo("get", 3, 1_263.0),
                repo("insert_all", 3, 307.0),
                repo("prepare_query", 3, 956.0),
                repo("default_options", 1, 1_263.0),
                repo("put_dynamic_repo", 1, 12.0),
                traced(&Mfa::new("Elixir.Nexus.Registry", "get", 1), 354.0),
            ],
            ..Trace::default()
        }]);
        let repos = repos(&picture).unwrap();
        assert_eq!(repos.len(), 1);
        let it = &repos[0];
        assert_eq!((it.module.as_str(), it.reads, it.writes), ("Nexus.Repo", 1_263.0, 307.0));
        assert_eq!((it.pipeline, it.switches), (2_219.0, 12.0));
    }
}
