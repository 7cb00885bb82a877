//! What well-known libraries offer, as data: exports, and what a `use` brings.

use super::{
    super::FunctionKind,
    interfaces::{Effect, Imported, Interface, Interfaces},
};

/// A module a line; see its first lines.
const LIBRARY: &str = include_str!("library.txt");

/// Adds all of them.
pub(super) fn add(interfaces: &mut Interfaces) {
    let mut module = None;
    for line in LIBRARY.lines().filter(|it| !it.starts_with('#')) {
        let Some(rest) = line.strip_prefix(' ') else {
            module = Some(interfaces.names.add(line));
            continue;
        };
        let Some(module) = module else { continue };
        let (what, words) = rest.split_at_checked(1).unwrap_or_default();
        if what == "u" {
            let effect = used(interfaces, words);
            let using = interfaces.names.add("__using__");
            let interface = interfaces.modules.entry(module).or_default();
            interface.exports.insert((using, 1), true);
            interface.effects.insert((using, 1), effect);
            continue;
        }
        for (name, arity) in words.split_whitespace().filter_map(function) {
            let name = interfaces.names.add(name);
            let interface: &mut Interface = interfaces.modules.entry(module).or_default();
            interface.exports.insert((name, arity), what == "m");
        }
    }
}

/// `name/1`; the name may have a slash of its own.
fn function(word: &str) -> Option<(&str, u8)> {
    let (name, arity) = word.rsplit_once('/')?;
    Some((name, arity.parse().ok()?))
}

fn used(interfaces: &mut Interfaces, words: &str) -> Effect {
    let mut effect = Effect::default();
    let mut what = "";
    for word in words.split_whitespace() {
        match (word, what) {
            ("behaviour" | "import" | "define", _) => what = word,
            (_, "behaviour") => effect.behaviours.push(interfaces.names.add(word)),
            (_, "import") => {
                effect.imports.push((interfaces.names.add(word), Imported::All));
            }
            _ => {
                let named = function(word);
                effect.defines.extend(named.map(|(name, arity)| {
                    (interfaces.names.add(name), arity, FunctionKind::Public)
                }));
            }
        }
    }
    effect
}
