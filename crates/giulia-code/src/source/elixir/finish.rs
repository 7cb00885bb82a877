//! The end of a file: modules and templates apart, and local calls that the module itself has.

use super::{
    super::{
        FunctionKind, RefKind, Reference, SourceFacts,
        link::{Linking, Template},
    },
    walk::Walk,
};

pub(super) fn finish(walk: Walk<'_>) -> SourceFacts {
    let Walk { names, scopes, modules: built, references, problems, mut given, .. } = walk;
    // Where each module and template goes; templates count from the top.
    let mut places = Vec::with_capacity(built.len());
    let (mut modules, mut templates) = (Vec::new(), Vec::new());
    let mut tables = Vec::with_capacity(built.len());
    for mut it in built {
        tables.push(it.functions);
        for callback in &mut it.module.callbacks {
            callback.is_optional = it.optional.contains(&(callback.name, callback.arity));
        }
        let place = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        if let Some((module, function)) = it.quoted_in {
            places.push((true, place(templates.len())));
            templates.push(Template {
                quoted_in: (module, function),
                module: it.module,
                references: Vec::new(),
                named: it.named,
            });
        } else {
            places.push((false, place(modules.len())));
            modules.push(it.module);
        }
    }
    for it in &mut templates {
        it.quoted_in.0 = match places.get(it.quoted_in.0 as usize) {
            Some((false, place)) => *place,
            Some((true, place)) => Template::IN_TEMPLATE | *place,
            None => Reference::BODY,
        };
    }
    let mut kept = Vec::with_capacity(references.len());
    for mut reference in references {
        let old = reference.from_module as usize;
        let (is_template, place) = places.get(old).copied().unwrap_or((false, Reference::BODY));
        reference.from_module = place;
        if is_template {
            if let Some(it) = templates.get_mut(place as usize) {
                it.references.push(reference);
            }
            continue;
        }
        let key = reference.to_function.map(|it| (it, reference.arity));
        let found = key.filter(|_| reference.to_module.is_none() && is_call(reference.kind));
        let found = found.and_then(|it| tables.get(old)?.get(&it));
        let module = modules.get(place as usize);
        let function = found.and_then(|it| module?.functions.get(*it as usize));
        if let Some(function) = function {
            reference.to_module = module.and_then(|it| it.name);
            reference.scope = 0;
            if function.is_macro() && reference.kind == RefKind::Call {
                reference.kind = RefKind::Macro;
            }
        }
        kept.push(reference);
    }
    given.retain_mut(|it| {
        let place = places.get(it.module as usize).filter(|(is_template, _)| !is_template);
        it.module = place.map_or(Reference::BODY, |it| it.1);
        place.is_some()
    });
    let linking = Linking { scopes, templates, given };
    SourceFacts { names, modules, references: kept, problems, linking, ..SourceFacts::default() }
}

/// Whether the name is that of a function of the module or an import.
pub(crate) fn is_call(kind: RefKind) -> bool {
    matches!(kind, RefKind::Call | RefKind::Macro | RefKind::Capture | RefKind::Component)
}

/// Whether others can import it.
pub(crate) fn is_public(kind: FunctionKind) -> bool {
    matches!(
        kind,
        FunctionKind::Public | FunctionKind::Macro | FunctionKind::Guard | FunctionKind::Delegate
    )
}
