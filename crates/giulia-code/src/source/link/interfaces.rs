//! What modules offer each other: exports, and what their macros put in the place of a call.

use std::{
    collections::{HashMap, HashSet},
    sync::OnceLock,
};

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
    pub(super) modules: Modules,
}

/// Modules by name.
pub(super) type Modules = HashMap<Name, Interface>;

/// What a module offers.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Interface {
    /// Whether each is a macro.
    pub(super) exports: HashMap<(Name, u8), bool>,
    /// What the quotes in each function and macro do.
    pub(super) effects: HashMap<(Name, u8), Effect>,
}

/// What the quoted code of a function does where a macro puts it.
#[derive(Debug, Clone, Default, PartialEq)]
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
    /// Whether it has quoted code of its own.
    is_quoted: bool,
}

/// A call in quoted code.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct EffectCall {
    /// None for the module in which the macro is called.
    pub(super) module: Option<Name>,
    pub(super) function: Name,
    pub(super) arity: u8,
    pub(super) kind: RefKind,
}

/// Which functions an import brings, as [`Selection`].
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Imported {
    All,
    Functions,
    Macros,
    Only(Vec<(Name, u8)>),
    Except(Vec<(Name, u8)>),
}

/// What one file offers, as far as it alone can tell.
#[derive(Debug, Clone, Default)]
pub(super) struct Offered {
    pub(super) modules: Vec<(Name, Interface)>,
    /// Calls in quoted code whose module an import says.
    open: Vec<Open>,
}

/// Such a call: where it stands in [`Offered`], and the scope that it stood in.
#[derive(Debug, Clone, Copy)]
struct Open {
    module: usize,
    of: (Name, u8),
    is_in_definition: bool,
    place: usize,
    scope: u32,
}

/// So many macros within macros are followed.
const EFFECTS_MAX: usize = 64;

impl Effect {
    /// Adds what another file says of the same function.
    fn extend(&mut self, more: &Self) {
        self.imports.extend(more.imports.iter().cloned());
        self.aliases.extend(&more.aliases);
        self.defines.extend(&more.defines);
        self.named.extend(&more.named);
        self.behaviours.extend(&more.behaviours);
        self.calls.extend(&more.calls);
        self.calls_in.extend(&more.calls_in);
        self.helpers.extend(&more.helpers);
        self.is_quoted |= more.is_quoted;
    }

    /// The modules of which any function matters to what it does.
    pub(super) fn imported(&self) -> impl Iterator<Item = Name> + '_ {
        self.imports.iter().map(|it| it.0)
    }

    /// Those of which macros do.
    pub(super) fn named(&self) -> impl Iterator<Item = Name> + '_ {
        let calls_in = self.calls_in.iter().filter_map(|it| it.2.module);
        let calls = self.calls.iter().filter_map(|it| it.module).chain(calls_in);
        self.aliases.iter().map(|it| it.1).chain(calls)
    }
}

impl Interface {
    /// Adds what another file says of the same module; the later one wins.
    pub(super) fn extend(&mut self, more: &Self) {
        self.exports.extend(&more.exports);
        more.effects.iter().for_each(|(key, effect)| {
            self.effects.entry(*key).or_default().extend(effect);
        });
    }
}

impl Interface {
    /// Forgets the functions that lead to no quoted code: most of those that call another one.
    fn keep_effective(&mut self) {
        let mut callers: HashMap<(Name, u8), Vec<(Name, u8)>> = HashMap::new();
        let mut todo = Vec::new();
        self.effects.iter().for_each(|(key, effect)| {
            for helper in &effect.helpers {
                callers.entry(*helper).or_default().push(*key);
            }
            if effect.is_quoted {
                todo.push(*key);
            }
        });
        let mut kept: HashSet<(Name, u8)> = todo.iter().copied().collect();
        while let Some(key) = todo.pop() {
            for caller in callers.get(&key).into_iter().flatten() {
                if kept.insert(*caller) {
                    todo.push(*caller);
                }
            }
        }
        self.effects.retain(|key, _| kept.contains(key));
        self.effects.values_mut().for_each(|it| it.helpers.retain(|it| kept.contains(it)));
    }
}

impl Interfaces {
    /// Those of all files; later ones win where two define the same module.
    pub fn of<'a>(files: impl IntoIterator<Item = &'a SourceFacts>) -> Self {
        let mut interfaces = Self::library();
        let files: Vec<&SourceFacts> = files.into_iter().collect();
        let offered: Vec<Offered> = files.iter().map(|it| interfaces.offered(it)).collect();
        // What an import brings is asked of what the files alone can tell, so that the order of
        // the files does not matter.
        let mut whole = interfaces.modules.clone();
        for (name, interface) in offered.iter().flat_map(|it| &it.modules) {
            interfaces.modules.entry(*name).or_default().extend(interface);
        }
        for (file, offered) in files.iter().zip(&offered) {
            for (name, interface) in interfaces.resolved(file, offered) {
                whole.entry(name).or_default().extend(&interface);
            }
        }
        interfaces.modules = whole;
        interfaces
    }

    /// What is known without any file.
    pub(super) fn library() -> Self {
        // Reading it takes 3 ms in a build for the fuzzer, more than most files do.
        static LIBRARY: OnceLock<Interfaces> = OnceLock::new();
        let read = || {
            let mut interfaces = Self::default();
            library::add(&mut interfaces);
            interfaces
        };
        LIBRARY.get_or_init(read).clone()
    }

    /// What a file offers; its names that matter have a number afterwards.
    pub(super) fn offered(&mut self, file: &SourceFacts) -> Offered {
        let mut offered = Offered::default();
        let mut places = HashMap::new();
        for module in &file.modules {
            let Some(name) = module.name else { continue };
            let name = self.names.add(file.names.get(name));
            let place = *places.entry(name).or_insert(offered.modules.len());
            if place == offered.modules.len() {
                offered.modules.push((name, Interface::default()));
            }
            let Some((_, interface)) = offered.modules.get_mut(place) else { continue };
            for it in &module.functions {
                if crate::source::elixir::is_public(it.kind) {
                    let function = self.names.add(file.names.get(it.name));
                    interface.exports.insert((function, it.arity), it.is_macro());
                }
            }
        }
        for it in file.linking.scopes.names() {
            self.names.add(file.names.get(it));
        }
        for template in &file.linking.templates {
            let Some((module, function)) = owner(file, template) else { continue };
            let Some(name) = module.name else { continue };
            let name = self.names.add(file.names.get(name));
            let of = (self.names.add(file.names.get(function.name)), function.arity);
            let Some(place) = places.get(&name).copied() else { continue };
            let Some((_, interface)) = offered.modules.get_mut(place) else { continue };
            let effect = interface.effects.entry(of).or_default();
            self.add_effect(file, template, effect, |is_in_definition, at, scope| {
                offered.open.push(Open { module: place, of, is_in_definition, place: at, scope });
            });
        }
        self.add_helpers(file, &places, &mut offered.modules);
        offered.modules.iter_mut().for_each(|it| it.1.keep_effective());
        offered
    }

    /// What a file offers with its open calls resolved.
    pub(super) fn resolved(&self, file: &SourceFacts, offered: &Offered) -> Vec<(Name, Interface)> {
        let mut modules = offered.modules.clone();
        let mut known: HashMap<u32, Imports> = HashMap::new();
        for open in &offered.open {
            let Some((_, interface)) = modules.get_mut(open.module) else { continue };
            let Some(effect) = interface.effects.get_mut(&open.of) else { continue };
            let call = if open.is_in_definition {
                effect.calls_in.get_mut(open.place).map(|it| &mut it.2)
            } else {
                effect.calls.get_mut(open.place)
            };
            let Some(call) = call else { continue };
            let imports = known.entry(open.scope).or_insert_with(|| self.imports(file, open.scope));
            // Imports where the code is quoted hold where it is put.
            call.module = imports.resolve(self, call.function, call.arity).map(|it| it.0);
        }
        modules
    }

    /// Who calls a function of its module that has quoted code puts that code there, too.
    fn add_helpers(
        &mut self,
        file: &SourceFacts,
        places: &HashMap<Name, usize>,
        modules: &mut [(Name, Interface)],
    ) {
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
            let name = module.name.and_then(|it| self.names.find(file.names.get(it)));
            let Some(place) = name.and_then(|it| places.get(&it)) else { continue };
            let helper = (self.names.add(file.names.get(to)), reference.arity);
            let key = (self.names.add(file.names.get(function.name)), function.arity);
            let Some((_, interface)) = modules.get_mut(*place) else { continue };
            // Where nothing is quoted nobody puts anything anywhere.
            if interface.effects.is_empty() {
                continue;
            }
            interface.effects.entry(key).or_default().helpers.push(helper);
        }
    }

    /// Adds what a quote does; of each call whose module is not said, tells where it is.
    fn add_effect(
        &mut self,
        file: &SourceFacts,
        template: &Template,
        effect: &mut Effect,
        mut open: impl FnMut(bool, usize, u32),
    ) {
        let module = &template.module;
        effect.is_quoted = true;
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
                _ => {
                    let Some(function) = it.to_function else { continue };
                    let function = self.names.add(file.names.get(function));
                    let call =
                        EffectCall { module: to_module, function, arity: it.arity, kind: it.kind };
                    let place = usize::try_from(it.from_function).ok();
                    let from = place.and_then(|it| module.functions.get(it));
                    let at = if let Some(from) = from {
                        let name = self.names.add(file.names.get(from.name));
                        effect.calls_in.push((name, from.arity, call));
                        effect.calls_in.len()
                    } else {
                        effect.calls.push(call);
                        effect.calls.len()
                    };
                    if to_module.is_none() {
                        open(from.is_some(), at - 1, it.scope);
                    }
                }
            }
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
