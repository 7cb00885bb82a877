//! The sources of a project as they are linked, kept so that a changed file links again itself
//! and those that see something else of it than before, and no others.
//!
//! A file depends on the modules that it imports or uses, on the macros of those that it names, and
//! on what these macros depend on, and so on: of a change that leaves all that as it was, nobody
//! else hears.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::{
    super::{Name, SourceFacts},
    interfaces::{Effect, Interface, Interfaces, Modules, Offered},
    link,
};

/// Files by name, with what they offer each other.
#[derive(Debug, Clone)]
pub struct Linkage {
    interfaces: Interfaces,
    /// What is known without any file.
    library: Modules,
    /// What files offer as far as each alone can tell.
    alone: Modules,
    files: BTreeMap<Box<str>, File>,
    /// The files that each module is in.
    found_in: HashMap<Name, BTreeSet<Box<str>>>,
}

#[derive(Debug, Clone)]
struct File {
    facts: SourceFacts,
    offered: Offered,
    resolved: Vec<(Name, Interface)>,
    /// The modules of which any function matters to it.
    imported: HashSet<Name>,
    /// Those of which macros do.
    named: HashSet<Name>,
}

/// Modules that offer something else than before.
#[derive(Debug, Default)]
struct Seen {
    any: HashSet<Name>,
    /// Those whose macros do.
    macros: HashSet<Name>,
}

impl Default for Linkage {
    fn default() -> Self {
        let interfaces = Interfaces::library();
        let library = interfaces.modules.clone();
        let alone = library.clone();
        Self { interfaces, library, alone, files: BTreeMap::new(), found_in: HashMap::new() }
    }
}

impl Linkage {
    /// One without any file.
    pub fn new() -> Self {
        Self::default()
    }

    /// What a file says alone, as it was put in.
    pub fn facts(&self, file: &str) -> Option<&SourceFacts> {
        self.files.get(file).map(|it| &it.facts)
    }

    /// The files, in the order of their names.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(|it| &**it)
    }

    /// The facts of a file with all that the others tell about it.
    pub fn linked(&self, file: &str) -> Option<SourceFacts> {
        Some(link(self.facts(file)?, &self.interfaces))
    }

    /// Puts files in the place of what they were before, takes out those that are gone, and tells
    /// which are to be linked again: those that changed among them, in the order of their names.
    pub fn update(
        &mut self,
        changed: impl IntoIterator<Item = (String, Option<SourceFacts>)>,
    ) -> Vec<String> {
        let mut again: BTreeSet<Box<str>> = BTreeSet::new();
        let mut touched: BTreeSet<Name> = BTreeSet::new();
        for (name, facts) in changed {
            touched.extend(self.take_out(&name));
            again.remove(&*name);
            if let Some(facts) = facts {
                touched.extend(self.put_in(&name, facts));
                again.insert(name.into());
            }
        }
        let mut seen = Seen::default();
        for module in &touched {
            let new = self.merged(*module, |file| &file.offered.modules);
            replace(&mut self.alone, *module, new, &mut seen);
        }
        seen.close(&self.alone);
        let mut to_resolve = again.clone();
        to_resolve.extend(self.seeing(&seen));
        for name in &to_resolve {
            touched.extend(self.resolve(name));
        }
        for module in &touched {
            let new = self.merged(*module, |file| &file.resolved);
            replace(&mut self.interfaces.modules, *module, new, &mut seen);
        }
        seen.close(&self.interfaces.modules);
        again.extend(self.seeing(&seen));
        again.into_iter().map(String::from).collect()
    }

    fn take_out(&mut self, name: &str) -> Vec<Name> {
        let Some(old) = self.files.remove(name) else { return Vec::new() };
        let modules: Vec<Name> = old.offered.modules.iter().map(|it| it.0).collect();
        for it in &modules {
            if let Some(files) = self.found_in.get_mut(it) {
                files.remove(name);
            }
        }
        modules
    }

    fn put_in(&mut self, name: &str, facts: SourceFacts) -> Vec<Name> {
        let offered = self.interfaces.offered(&facts);
        let (imported, named) = self.named_in(&facts);
        let modules: Vec<Name> = offered.modules.iter().map(|it| it.0).collect();
        for it in &modules {
            self.found_in.entry(*it).or_default().insert(name.into());
        }
        let resolved = Vec::new();
        self.files.insert(name.into(), File { facts, offered, resolved, imported, named });
        modules
    }

    /// The modules that a file imports anywhere, and those that it names.
    fn named_in(&mut self, facts: &SourceFacts) -> (HashSet<Name>, HashSet<Name>) {
        let linking = &facts.linking;
        let quoted = linking.templates.iter().flat_map(|it| &it.references);
        let referred = facts.references.iter().chain(quoted).filter_map(|it| it.to_module);
        let given = linking.given.iter().filter_map(|it| it.to_module);
        let named: HashSet<Name> = referred.chain(given).collect();
        // What another file says of a module of ours is ours, too.
        let own = facts.modules.iter().filter_map(|it| it.name);
        let imported: HashSet<Name> = own.chain(linking.scopes.names()).collect();
        let mut global = |it: Name| self.interfaces.names.add(facts.names.get(it));
        (imported.into_iter().map(&mut global).collect(), named.into_iter().map(global).collect())
    }

    /// The files to which it matters; `Kernel` is imported by all.
    fn seeing(&self, seen: &Seen) -> Vec<Box<str>> {
        let kernel = self.interfaces.names.find("Elixir.Kernel");
        let is_for_all = kernel.is_some_and(|it| seen.any.contains(&it));
        let is_concerned = |it: &File| {
            is_for_all
                || seen.any.iter().any(|module| it.imported.contains(module))
                || seen.macros.iter().any(|module| it.named.contains(module))
        };
        self.files.iter().filter(|it| is_concerned(it.1)).map(|it| it.0.clone()).collect()
    }

    fn merged(
        &self,
        module: Name,
        of: impl Fn(&File) -> &Vec<(Name, Interface)>,
    ) -> Option<Interface> {
        let mut merged = self.library.get(&module).cloned();
        let files = self.found_in.get(&module).into_iter().flatten();
        for file in files.filter_map(|it| self.files.get(it)) {
            for (_, more) in of(file).iter().filter(|it| it.0 == module) {
                merged.get_or_insert_default().extend(more);
            }
        }
        merged
    }

    /// Resolves what a file offers: its modules.
    fn resolve(&mut self, name: &str) -> Vec<Name> {
        std::mem::swap(&mut self.alone, &mut self.interfaces.modules);
        let interfaces = &self.interfaces;
        let mut modules = Vec::new();
        if let Some(file) = self.files.get_mut(name) {
            file.resolved = interfaces.resolved(&file.facts, &file.offered);
            modules.extend(file.resolved.iter().map(|it| it.0));
        }
        std::mem::swap(&mut self.alone, &mut self.interfaces.modules);
        modules
    }
}

/// Puts what a module offers in the place of what it did, and notes what is another.
fn replace(modules: &mut Modules, module: Name, new: Option<Interface>, seen: &mut Seen) {
    let old = modules.get(&module);
    if old == new.as_ref() {
        return;
    }
    seen.any.insert(module);
    if has_other_macros(old, new.as_ref()) {
        seen.macros.insert(module);
    }
    match new {
        Some(new) => modules.insert(module, new),
        None => modules.remove(&module),
    };
}

/// Whether somebody who calls its functions by their whole names sees something else.
fn has_other_macros(old: Option<&Interface>, new: Option<&Interface>) -> bool {
    let names = |it: Option<&Interface>| -> BTreeSet<(Name, u8)> {
        let exports = it.into_iter().flat_map(|it| &it.exports);
        exports.filter(|it| *it.1).map(|it| *it.0).collect()
    };
    let effects = |it: Option<&'_ Interface>| it.is_some_and(|it| !it.effects.is_empty());
    let is_other = match (old, new) {
        (Some(old), Some(new)) => old.effects != new.effects,
        _ => effects(old) || effects(new),
    };
    is_other || names(old) != names(new)
}

impl Seen {
    /// Adds all modules whose macros do something that depends on what is seen already.
    fn close(&mut self, modules: &Modules) {
        while !self.any.is_empty() {
            let depends = |it: &Effect| {
                it.imported().any(|it| self.any.contains(&it))
                    || it.named().any(|it| self.macros.contains(&it))
            };
            let new = modules.iter().filter(|(name, it)| {
                !self.macros.contains(*name) && it.effects.values().any(depends)
            });
            let new: Vec<Name> = new.map(|it| *it.0).collect();
            if new.is_empty() {
                return;
            }
            self.any.extend(new.iter().copied());
            self.macros.extend(new);
        }
    }
}
