//! What one file cannot tell about itself, told from all: which import has a function.

mod interfaces;
mod library;
mod linkage;

use std::collections::{HashMap, HashSet};

use self::interfaces::{EffectCall, Imports};
pub use self::{interfaces::Interfaces, linkage::Linkage};
use super::{
    Certainty, Complexity, Doc, FunctionKind, Guess, LineRange, Name, RefKind, RefOrigin,
    Reference, SourceFacts, SourceFunction, SourceModule, elixir::env::Scopes,
};

/// What a file keeps for this step.
#[derive(Debug, Clone, Default)]
pub(crate) struct Linking {
    pub(crate) scopes: Scopes,
    pub(crate) templates: Vec<Template>,
    pub(crate) given: Vec<Given>,
}

/// An atom that is given to what may be a macro, in a module's body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Given {
    pub(crate) module: u32,
    pub(crate) line: u32,
    pub(crate) scope: u32,
    pub(crate) to_module: Option<Name>,
    pub(crate) to_function: Name,
    pub(crate) arity: u8,
    /// Which argument it is, from 0.
    pub(crate) place: u8,
    pub(crate) atom: Name,
}

/// A function that a macro defines under the name of one of its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Named {
    /// Which argument, from 0.
    pub(crate) place: u8,
    /// What stands before it in the name, and behind it.
    pub(crate) before: Name,
    pub(crate) after: Name,
    pub(crate) arity: u8,
    pub(crate) kind: FunctionKind,
}

/// The code of a `quote`: what a macro puts in the place where it is called.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    /// The module and function that it stands in.
    pub(crate) quoted_in: (u32, u32),
    /// What it defines.
    pub(crate) module: SourceModule,
    /// What it calls.
    pub(crate) references: Vec<Reference>,
    /// What it defines under the name of an argument.
    pub(crate) named: Vec<Named>,
}

impl Template {
    /// The bit of a place that says that it is one of templates.
    pub(crate) const IN_TEMPLATE: u32 = 1 << 31;
}

/// The facts of a file with all that the others' interfaces tell about it.
///
/// A file needs to be linked again when it changes, and when [`Interfaces`] do.
pub fn link(file: &SourceFacts, interfaces: &Interfaces) -> SourceFacts {
    let mut whole = file.clone();
    if file.linking.scopes.is_empty() && file.references.iter().all(|it| it.scope == 0) {
        return whole;
    }
    let mut linker = Linker {
        file,
        interfaces,
        imports: HashMap::new(),
        resolved: HashMap::new(),
        defined: Vec::new(),
    };
    linker.define(&mut whole);
    linker.name(&mut whole);
    linker.resolve(&mut whole);
    whole
}

/// So many references of one file come from macros at most; a macro that calls a thousand
/// functions, called a thousand times, is an attack on the memory.
const EXPANDED_MAX: usize = 500_000;

/// A function that a macro defines, and the place where the macro is called.
fn made(name: Name, arity: u8, kind: FunctionKind, (by, line): (Name, u32)) -> SourceFunction {
    SourceFunction {
        name,
        arity,
        kind,
        defaults_to: None,
        defined_by: Some(by),
        lines: LineRange { first: line, last: line },
        n_clauses: 0,
        doc: Doc::None,
        complexity: Complexity { cyclomatic: 1, ..Complexity::default() },
    }
}

struct Linker<'a> {
    file: &'a SourceFacts,
    interfaces: &'a Interfaces,
    imports: HashMap<u32, Imports>,
    /// What a scope makes of a name and arity: a module, and whether it is a macro.
    resolved: HashMap<(u32, Name, u8), Option<(Name, bool)>>,
    /// Of each module, what macros define.
    defined: Vec<HashSet<(Name, u8)>>,
}

impl Linker<'_> {
    /// Adds the functions and behaviours that the macros in each module's body bring.
    fn define(&mut self, linked: &mut SourceFacts) {
        self.defined = vec![HashSet::new(); linked.modules.len()];
        for reference in &self.file.references {
            let is_body = reference.from_function == Reference::BODY;
            let place = reference.from_module as usize;
            if !is_body || place >= linked.modules.len() {
                continue;
            }
            let Some((module, function, arity)) = self.target(reference) else { continue };
            let option = self.option(reference);
            let mut start = vec![(module, function, arity)];
            start.extend(option.map(|it| (module, it, 0)));
            let mut defines = Vec::new();
            let mut behaviours = Vec::new();
            let mut calls = Vec::new();
            for effect in self.interfaces.effects(start) {
                defines.extend(effect.defines.iter().copied());
                behaviours.extend(effect.behaviours.iter().copied());
                calls.extend(effect.calls_in.iter().copied());
            }
            let by = linked.names.add(self.interfaces.names.get(module));
            for (name, arity, kind) in defines {
                let name = linked.names.add(self.interfaces.names.get(name));
                let function = made(name, arity, kind, (by, reference.line));
                self.add(linked, place, function);
            }
            for (name, arity, call) in calls {
                self.add_call(linked, (place, name, arity), call, reference);
            }
            for it in behaviours {
                let it = linked.names.add(self.interfaces.names.get(it));
                let module = linked.modules.get_mut(place);
                if let Some(module) = module.filter(|module| !module.behaviours.contains(&it)) {
                    module.behaviours.push(it);
                }
            }
        }
    }

    /// Adds what macros define under names that they are given.
    fn name(&mut self, linked: &mut SourceFacts) {
        let file = self.file;
        for given in &file.linking.given {
            let call = Reference {
                from_module: given.module,
                from_function: Reference::BODY,
                to_module: given.to_module,
                to_function: Some(given.to_function),
                line: given.line,
                column: 0,
                arity: given.arity,
                kind: RefKind::Call,
                origin: RefOrigin::Written,
                certainty: Certainty::Certain,
                scope: given.scope,
            };
            let Some(target) = self.target(&call) else { continue };
            let interfaces = self.interfaces;
            for it in interfaces.named(target).iter().filter(|it| it.place == given.place) {
                let text = [
                    interfaces.names.get(it.before),
                    file.names.get(given.atom),
                    interfaces.names.get(it.after),
                ];
                let name = linked.names.add(&text.concat());
                let by = linked.names.add(interfaces.names.get(target.0));
                let function = made(name, it.arity, it.kind, (by, given.line));
                self.add(linked, given.module as usize, function);
            }
        }
    }

    fn add(&mut self, linked: &mut SourceFacts, place: usize, new: SourceFunction) {
        let Some(module) = linked.modules.get_mut(place) else { return };
        let Some(defined) = self.defined.get_mut(place) else { return };
        let is_it = |it: &SourceFunction| it.name == new.name && it.arity == new.arity;
        if !module.functions.iter().any(is_it) {
            defined.insert((new.name, new.arity));
            module.functions.push(new);
        }
    }

    /// A call in a function that a macro defines.
    fn add_call(
        &self,
        linked: &mut SourceFacts,
        (place, name, arity): (usize, Name, u8),
        call: EffectCall,
        by: &Reference,
    ) {
        let name = linked.names.add(self.interfaces.names.get(name));
        let Some(module) = linked.modules.get(place) else { return };
        let is_it =
            |it: &SourceFunction| it.name == name && it.arity == arity && it.defined_by.is_some();
        let Some(from) = module.functions.iter().position(is_it) else { return };
        if linked.references.len() >= self.file.references.len() + EXPANDED_MAX {
            return;
        }
        let own = module.name;
        let to_module = match call.module {
            Some(it) => Some(linked.names.add(self.interfaces.names.get(it))),
            None => own,
        };
        linked.references.push(Reference {
            from_function: u32::try_from(from).unwrap_or(Reference::BODY),
            to_module,
            to_function: Some(linked.names.add(self.interfaces.names.get(call.function))),
            arity: call.arity,
            kind: call.kind,
            origin: RefOrigin::Expanded,
            scope: 0,
            ..*by
        });
    }

    /// The option of the `use` that a reference is.
    fn option(&mut self, reference: &Reference) -> Option<Name> {
        use super::elixir::env::Entered;
        let entered = self.file.linking.scopes.after(reference.scope.saturating_sub(1));
        let option = entered.filter_map(|it| match it {
            Entered::Use(module, option) => option.filter(|_| Some(module) == reference.to_module),
            Entered::Alias(..) | Entered::Import(..) | Entered::Scope(_) => None,
        });
        let option = option.last()?;
        self.interfaces.global(self.file, option)
    }

    /// Whom a reference calls, in the names of the interfaces.
    fn target(&mut self, reference: &Reference) -> Option<(Name, Name, u8)> {
        let function = reference.to_function?;
        let function = self.interfaces.global(self.file, function)?;
        let module = match reference.to_module {
            Some(it) => self.interfaces.names.find(self.file.names.get(it))?,
            None => self.imported(reference)?.0,
        };
        Some((module, function, reference.arity))
    }

    fn imported(&mut self, reference: &Reference) -> Option<(Name, bool)> {
        let function = reference.to_function?;
        if reference.scope == 0 || !super::elixir::is_call(reference.kind) {
            return None;
        }
        let key = (reference.scope, function, reference.arity);
        if let Some(known) = self.resolved.get(&key) {
            return *known;
        }
        let name = self.interfaces.global(self.file, function)?;
        let interfaces = self.interfaces;
        let imports = self.imports_of(reference.scope)?;
        let found = imports.resolve(interfaces, name, reference.arity);
        self.resolved.insert(key, found);
        found
    }

    fn resolve(&mut self, linked: &mut SourceFacts) {
        let mut references = std::mem::take(&mut linked.references);
        let mut expanded = Vec::new();
        for it in &mut references {
            self.resolve_one(it, linked);
            if it.kind == RefKind::Macro {
                self.expand(it, linked, &mut expanded);
            }
        }
        references.append(&mut expanded);
        linked.references = references;
    }

    fn resolve_one(&mut self, it: &mut Reference, linked: &mut SourceFacts) {
        let is_open = it.to_module.is_none() && super::elixir::is_call(it.kind);
        if is_open {
            let place = it.from_module as usize;
            let key = it.to_function.map(|name| (name, it.arity));
            let defined = self.defined.get(place).zip(key);
            if defined.is_some_and(|(defined, key)| defined.contains(&key)) {
                it.to_module = linked.modules.get(place).and_then(|it| it.name);
            } else if let Some((module, is_macro)) = self.imported(it) {
                it.to_module = Some(linked.names.add(self.interfaces.names.get(module)));
                if is_macro && it.kind == RefKind::Call {
                    it.kind = RefKind::Macro;
                }
            } else {
                // Also where nobody anywhere has a function of that name.
                let interfaces = self.interfaces;
                let imports = if it.scope > 0 { self.imports_of(it.scope) } else { None };
                let unknown = imports.and_then(|imports| imports.unknown(interfaces));
                it.to_module = unknown.map(|it| linked.names.add(self.interfaces.names.get(it)));
                it.certainty = Certainty::Guess(Guess::Unresolved);
            }
        } else if it.kind == RefKind::Call {
            let is_macro = self.target(it).and_then(|(module, function, arity)| {
                self.interfaces.modules.get(&module)?.exports.get(&(function, arity)).copied()
            });
            if is_macro == Some(true) {
                it.kind = RefKind::Macro;
            }
        }
        if !is_open && it.scope > 0 {
            self.alias_from_use(it, linked);
        }
        it.scope = 0;
    }

    /// An alias may come from a `use`: then the module is another than the one that is written.
    fn alias_from_use(&mut self, it: &mut Reference, linked: &mut SourceFacts) {
        let interfaces = self.interfaces;
        let Some(imports) = self.imports_of(it.scope).filter(|it| !it.aliases.is_empty()) else {
            return;
        };
        let Some(written) = it.to_module.map(|it| linked.names.get(it)) else { return };
        let Some(written) = written.strip_prefix("Elixir.") else { return };
        let (first, rest) = written.split_once('.').unwrap_or((written, ""));
        let names = &interfaces.names;
        let Some(first) = names.find(first) else { return };
        let Some((_, to)) = imports.aliases.iter().find(|it| it.0 == first) else { return };
        let mut text = names.get(*to).to_owned();
        if !rest.is_empty() {
            text.push('.');
            text.push_str(rest);
        }
        it.to_module = Some(linked.names.add(&text));
    }

    fn imports_of(&mut self, scope: u32) -> Option<&Imports> {
        if !self.imports.contains_key(&scope) {
            let found = self.interfaces.imports(self.file, scope);
            self.imports.insert(scope, found);
        }
        self.imports.get(&scope)
    }

    /// What the code that a macro puts in its place calls.
    fn expand(&mut self, it: &Reference, linked: &mut SourceFacts, expanded: &mut Vec<Reference>) {
        let (Some(module), Some(function)) = (it.to_module, it.to_function) else { return };
        let module = self.interfaces.names.find(linked.names.get(module));
        let function = self.interfaces.names.find(linked.names.get(function));
        let (Some(module), Some(function)) = (module, function) else { return };
        let own = linked.modules.get(it.from_module as usize).and_then(|it| it.name);
        for effect in self.interfaces.effects(vec![(module, function, it.arity)]) {
            for call in &effect.calls {
                if expanded.len() >= EXPANDED_MAX {
                    return;
                }
                let to_module = match call.module {
                    Some(it) => Some(linked.names.add(self.interfaces.names.get(it))),
                    None => own,
                };
                expanded.push(Reference {
                    to_module,
                    to_function: Some(linked.names.add(self.interfaces.names.get(call.function))),
                    arity: call.arity,
                    kind: call.kind,
                    origin: RefOrigin::Expanded,
                    ..*it
                });
            }
        }
    }
}
