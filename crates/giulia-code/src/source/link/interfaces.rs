//! What modules offer each other: exports, and what their macros put in the place of a call.

use std::collections::{HashMap, HashSet};

use super::{
    super::{
        FunctionKind, Name, Names, RefKind, Reference, SourceFacts,
        elixir::env::{Entered, Selection},
    },
    Named, Template, library,
};

/// What files offer each other: the functions and macros of their modules, and what a `use` brings.
#[derive(Debug, Clone, Default)]
pub struct Interfaces {
    pub(super) names: Names,
    pub(super) modules: HashMap<Name, Interface>,
}

/// What a module offers.
#[derive(Debug, Clone, Default)]
pub(super) struct Interface {
    /// Whether each is a macro.
    pub(super) exports: HashMap<(Name, u8), bool>,
    /// What the quotes in each function and macro do.
    pub(super) effects: HashMap<(Name, u8), Effect>,
}

/// What the quoted code of a function does where a macro puts it.
#[derive(Debug, Clone, Default)]
pub(super) struct Effect {
    pub(super) imports: Vec<(Name, Imported)>,
    pub(super) aliases: Vec<(Name, Name)>,
    pub(super) defines: Vec<(Name, u8, FunctionKind)>,
    /// What it defines under the name of an argument.
    pub(super) named: Vec<Named>,
    pub(super) behaviours: Vec<Name>,
    /// What it calls, not in a definition: it is the caller of the macro who then calls it.
    pub(super) calls: Vec<EffectCall>,
    /// What it calls in what it defines, by the definition.
    pub(super) calls_in: Vec<(Name, u8, EffectCall)>,
    /// Functions of the macro's module that help it to make its code.
    pub(super) helpers: Vec<(Name, u8)>,
}

/// A call in quoted code.
#[derive(Debug, Clone, Copy)]
pub(super) struct EffectCall {
    /// None for the module in which the macro is called.
    pub(super) module: Option<Name>,
    pub(super) function: Name,
    pub(super) arity: u8,
    pub(super) kind: RefKind,
}

/// Which functions an import brings, as [`Selection`].
#[derive(Debug, Clone)]
pub(super) enum Imported {
    All,
    Functions,
    Macros,
    Only(Vec<(Name, u8)>),
    Except(Vec<(Name, u8)>),
}

/// So many macros within macros are followed.
const EFFECTS_MAX: usize = 64;

impl Interfaces {
    /// Those of all files; later ones win where two define the same module.
    pub fn of<'a>(files: impl IntoIterator<Item = &'a SourceFacts>) -> Self {
        let mut interfaces = Self::default();
        library::add(&mut interfaces);
        let files: Vec<&SourceFacts> = files.into_iter().collect();
        for file in &files {
            interfaces.add_exports(file);
            for it in file.linking.scopes.names() {
                interfaces.names.add(file.names.get(it));
            }
        }
        for file in &files {
            interfaces.add_effects(file);
        }
        interfaces
    }

    fn add_exports(&mut self, file: &SourceFacts) {
        for module in &file.modules {
            let Some(name) = module.name else { continue };
            let name = self.names.add(file.names.get(name));
            let mut interface = Interface::default();
            for it in &module.functions {
                if crate::source::elixir::is_public(it.kind) {
                    let function = self.names.add(file.names.get(it.name));
                    interface.exports.insert((function, it.arity), it.is_macro());
                }
            }
            // Behind the data on a well-known library comes its source, where that is at hand.
            let old = self.modules.remove(&name).unwrap_or_default();
            let new = std::mem::replace(&mut interface, old);
            interface.exports.extend(new.exports);
            self.modules.insert(name, interface);
        }
    }

    fn add_effects(&mut self, file: &SourceFacts) {
        for template in &file.linking.templates {
            let Some((module, function)) = owner(file, template) else { continue };
            let Some(name) = module.name else { continue };
            let name = self.names.add(file.names.get(name));
            let key = (self.names.add(file.names.get(function.name)), function.arity);
            let effect = self.effect(file, template);
            if let Some(interface) = self.modules.get_mut(&name) {
                let known = interface.effects.entry(key).or_default();
                known.imports.extend(effect.imports);
                known.aliases.extend(effect.aliases);
                known.defines.extend(effect.defines);
                known.named.extend(effect.named);
                known.behaviours.extend(effect.behaviours);
                known.calls.extend(effect.calls);
                known.calls_in.extend(effect.calls_in);
            }
        }
        self.add_helpers(file);
    }

    /// Who calls a function of its module that has quoted code puts that code there, too.
    fn add_helpers(&mut self, file: &SourceFacts) {
        for reference in &file.references {
            let (Some(to), Some(module)) = (reference.to_function, file.module_of(reference))
            else {
                continue;
            };
            let Some(function) = file.function_of(reference) else { continue };
            // One of fewer arguments calls the one of all.
            let is_itself = (to, reference.arity) == (function.name, function.arity);
            if reference.to_module != module.name || is_itself {
                continue;
            }
            let Some(name) = module.name.and_then(|it| self.names.find(file.names.get(it))) else {
                continue;
            };
            let helper = (self.names.add(file.names.get(to)), reference.arity);
            let key = (self.names.add(file.names.get(function.name)), function.arity);
            let Some(interface) = self.modules.get_mut(&name) else { continue };
            // Only what begins with a macro is ever asked about.
            interface.effects.entry(key).or_default().helpers.push(helper);
        }
    }

    fn effect(&mut self, file: &SourceFacts, template: &Template) -> Effect {
        let mut effect = Effect::default();
        let module = &template.module;
        for it in &module.functions {
            let name = self.names.add(file.names.get(it.name));
            effect.defines.push((name, it.arity, it.kind));
        }
        for it in &template.named {
            let before = self.names.add(file.names.get(it.before));
            let after = self.names.add(file.names.get(it.after));
            effect.named.push(Named { before, after, ..*it });
        }
        for it in &module.behaviours {
            effect.behaviours.push(self.names.add(file.names.get(*it)));
        }
        for it in &template.references {
            let to_module = it.to_module.map(|to| self.names.add(file.names.get(to)));
            match (it.kind, to_module) {
                (RefKind::Import, Some(module)) => {
                    let imported = self.imported(file, it);
                    effect.imports.push((module, imported));
                }
                (RefKind::Alias, Some(_)) => {
                    for entered in file.linking.scopes.after(it.scope.saturating_sub(1)) {
                        if let Entered::Alias(from, to) = entered {
                            let from = self.names.add(file.names.get(from));
                            effect.aliases.push((from, self.names.add(file.names.get(to))));
                        }
                    }
                }
                _ => self.effect_call(file, template, it, &mut effect),
            }
        }
        effect
    }

    fn effect_call(
        &mut self,
        file: &SourceFacts,
        template: &Template,
        it: &Reference,
        effect: &mut Effect,
    ) {
        let Some(function) = it.to_function else { return };
        let name = self.names.add(file.names.get(function));
        let module = match it.to_module {
            Some(to) => Some(self.names.add(file.names.get(to))),
            // Imports where the code is quoted hold where it is put.
            None => self.imports(file, it.scope).resolve(self, name, it.arity).map(|it| it.0),
        };
        let call = EffectCall { module, function: name, arity: it.arity, kind: it.kind };
        let place = usize::try_from(it.from_function).ok();
        match place.and_then(|it| template.module.functions.get(it)) {
            Some(from) => {
                let from_name = self.names.add(file.names.get(from.name));
                effect.calls_in.push((from_name, from.arity, call));
            }
            None => effect.calls.push(call),
        }
    }

    fn imported(&self, file: &SourceFacts, import: &Reference) -> Imported {
        let scopes = &file.linking.scopes;
        let entered = scopes.after(import.scope.saturating_sub(1)).find_map(|it| match it {
            Entered::Import(module, selection) => {
                (Some(module) == import.to_module).then_some(selection)
            }
            Entered::Alias(..) | Entered::Use(..) | Entered::Scope(_) => None,
        });
        self.selection(file, entered.unwrap_or(Selection::All))
    }

    fn selection(&self, file: &SourceFacts, selection: Selection) -> Imported {
        let list = |from, to| {
            let listed = file.linking.scopes.listed(from, to).iter();
            let global = |(name, arity): &(Name, u8)| Some((self.global(file, *name)?, *arity));
            listed.filter_map(global).collect()
        };
        match selection {
            Selection::All => Imported::All,
            Selection::Functions => Imported::Functions,
            Selection::Macros => Imported::Macros,
            Selection::Only(from, to) => Imported::Only(list(from, to)),
            Selection::Except(from, to) => Imported::Except(list(from, to)),
        }
    }

    /// All imports that are in force in a scope, the last first.
    pub(super) fn imports(&self, file: &SourceFacts, scope: u32) -> Imports {
        let mut imports = Imports::default();
        let entered: Vec<Entered> = file.linking.scopes.in_force(scope.saturating_sub(1)).collect();
        for it in entered {
            match it {
                Entered::Import(module, selection) => {
                    let Some(module) = self.global(file, module) else { continue };
                    let imported = self.selection(file, selection);
                    imports.listed.push((module, imported));
                }
                Entered::Use(module, option) => {
                    let Some(module) = self.global(file, module) else { continue };
                    let option = option.and_then(|it| self.global(file, it));
                    for effect in self.used(module, option) {
                        imports.listed.extend(effect.imports.iter().cloned());
                        imports.aliases.extend(effect.aliases.iter().copied());
                    }
                }
                Entered::Alias(..) | Entered::Scope(_) => {}
            }
        }
        imports
    }

    /// The name here of what a file names; all that scopes name have one.
    pub(super) fn global(&self, file: &SourceFacts, name: Name) -> Option<Name> {
        self.names.find(file.names.get(name))
    }

    /// What a `use` does.
    pub(super) fn used(&self, module: Name, option: Option<Name>) -> Vec<&Effect> {
        let Some(using) = self.names.find("__using__") else { return Vec::new() };
        let mut start = vec![(module, using, 1)];
        start.extend(option.map(|it| (module, it, 0)));
        self.effects(start)
    }

    /// What a macro defines under names that it is given, also by way of default arguments.
    pub(super) fn named(&self, (module, function, arity): (Name, Name, u8)) -> &[Named] {
        let effect = |arity| self.modules.get(&module)?.effects.get(&(function, arity));
        let Some(found) = effect(arity) else { return &[] };
        if !found.named.is_empty() {
            return &found.named;
        }
        let larger = found.helpers.iter().find(|it| it.0 == function).and_then(|it| effect(it.1));
        larger.map_or(&[], |it| it.named.as_slice())
    }

    /// What macros do, with all that they use and that helps them.
    pub(super) fn effects(&self, start: Vec<(Name, Name, u8)>) -> Vec<&Effect> {
        let mut found = Vec::new();
        let mut seen: HashSet<(Name, Name, u8)> = start.iter().copied().collect();
        let mut todo = start;
        while let Some((module, function, arity)) = todo.pop() {
            if found.len() >= EFFECTS_MAX {
                break;
            }
            let Some(interface) = self.modules.get(&module) else { continue };
            let Some(effect) = interface.effects.get(&(function, arity)) else { continue };
            found.push(effect);
            let macros = effect.calls.iter().filter_map(|it| {
                let to = self.modules.get(&it.module?)?;
                let is_macro = to.exports.get(&(it.function, it.arity)) == Some(&true);
                is_macro.then_some((it.module?, it.function, it.arity))
            });
            let helpers = effect.helpers.iter().map(|(name, arity)| (module, *name, *arity));
            for next in macros.chain(helpers) {
                if seen.insert(next) {
                    todo.push(next);
                }
            }
        }
        found
    }
}

/// The module and function that a template belongs to, also through templates in templates.
fn owner<'a>(
    file: &'a SourceFacts,
    template: &Template,
) -> Option<(&'a crate::source::SourceModule, &'a crate::source::SourceFunction)> {
    let (mut module, mut function) = template.quoted_in;
    for _ in 0..EFFECTS_MAX {
        if module == Reference::BODY {
            return None;
        }
        if module & Template::IN_TEMPLATE == 0 {
            let module = file.modules.get(module as usize)?;
            return Some((module, module.functions.get(function as usize)?));
        }
        let outer = file.linking.templates.get((module & !Template::IN_TEMPLATE) as usize)?;
        (module, function) = outer.quoted_in;
    }
    None
}

/// Imports in force, the last first.
#[derive(Debug, Clone, Default)]
pub(super) struct Imports {
    pub(super) listed: Vec<(Name, Imported)>,
    pub(super) aliases: Vec<(Name, Name)>,
}

impl Imports {
    /// The module that has an imported function, and whether it is a macro.
    pub(super) fn resolve(
        &self,
        interfaces: &Interfaces,
        function: Name,
        arity: u8,
    ) -> Option<(Name, bool)> {
        let key = (function, arity);
        let kernel = interfaces.names.find("Elixir.Kernel")?;
        let mut is_kernel_there = true;
        for (module, imported) in &self.listed {
            let interface = interfaces.modules.get(module);
            let export = interface.map(|it| it.exports.get(&key).copied());
            let is_selected = match imported {
                Imported::All => true,
                Imported::Functions => export.flatten() == Some(false),
                Imported::Macros => export.flatten() == Some(true),
                Imported::Only(listed) => listed.contains(&key),
                Imported::Except(listed) => !listed.contains(&key),
            };
            if *module == kernel && is_kernel_there {
                is_kernel_there = is_selected;
            }
            let found = match (export, imported) {
                (Some(Some(is_macro)), _) if is_selected => Some(is_macro),
                // Nobody knows the module, but the import names the function.
                (None, Imported::Only(_)) if is_selected => Some(false),
                _ => None,
            };
            if let Some(is_macro) = found {
                return Some((*module, is_macro));
            }
        }
        let exports = &interfaces.modules.get(&kernel)?.exports;
        let is_macro = exports.get(&key).copied().filter(|_| is_kernel_there)?;
        Some((kernel, is_macro))
    }

    /// The only module whose functions nobody knows, when there is one.
    pub(super) fn unknown(&self, interfaces: &Interfaces) -> Option<Name> {
        let mut unknown = self.listed.iter().filter(|it| {
            let is_open = matches!(it.1, Imported::All | Imported::Except(_));
            is_open && !interfaces.modules.contains_key(&it.0)
        });
        let first = unknown.next()?.0;
        unknown.all(|it| it.0 == first).then_some(first)
    }
}
