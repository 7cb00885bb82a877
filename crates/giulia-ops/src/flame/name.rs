//! Names of functions that a compiler made, said as a person would: whose fun, whose comprehension.

use giulia_model::Mfa;

/// The function as its language writes it; what a compiler made from a part of a function is said
/// as that function and the part: `KV.Bucket.start_link/1 fn 0` for `-start_link/1-fun-0-`.
pub(crate) fn name(it: &Mfa) -> String {
    let mut parts = Vec::new();
    let mut rest = it.function.as_str();
    while let Some((of, part)) = part(rest) {
        parts.push(part);
        rest = of;
    }
    // What is left has its arity in front of the part that was taken off.
    let Some((function, arity)) = rest.rsplit_once('/').filter(|_| !parts.is_empty()) else {
        return it.to_string();
    };
    let Ok(arity) = arity.parse() else { return it.to_string() };
    parts.reverse();
    format!("{} {}", Mfa::new(it.module.as_str(), function, arity), parts.join(" "))
}

/// `-start_link/1-fun-0-` as `start_link/1` and `fn 0`.
fn part(function: &str) -> Option<(&str, String)> {
    // Of a part of a part, the arity of the inner one stands behind it: `-...-fun-0-/1-fun-1-`.
    let inner = function.strip_prefix('-')?;
    if let Some((of, number)) = inner.strip_suffix('-').and_then(|it| it.rsplit_once("-fun-")) {
        return Some((without_arity(of), format!("fn {number}")));
    }
    for (mark, said) in [
        ("-lc$^", "list comprehension"),
        ("-lbc$^", "binary comprehension"),
        ("-mc$^", "map comprehension"),
    ] {
        if let Some((of, number)) = inner.rsplit_once(mark) {
            let number = number.split('/').next().unwrap_or(number);
            return Some((without_arity(of), format!("{said} {number}")));
        }
    }
    None
}

/// Of a part the arity is dropped, of a function it is told.
fn without_arity(of: &str) -> &str {
    match of.rsplit_once('/') {
        Some((part, _)) if part.starts_with('-') => part,
        _ => of,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_compiler_made_is_said_by_what_it_was_made_from() {
        let named = |function: &str| name(&Mfa::new("Elixir.KV.Bucket", function, 2));
        assert_eq!(named("-start_link/1-fun-0-"), "KV.Bucket.start_link/1 fn 0");
        assert_eq!(named("--start_link/1-fun-0-/1-fun-2-"), "KV.Bucket.start_link/1 fn 0 fn 2");
        assert_eq!(named("-get/2-lc$^0/1-0-"), "KV.Bucket.get/2 list comprehension 0");
        assert_eq!(named("put"), "KV.Bucket.put/2");
        assert_eq!(named("-"), "KV.Bucket.-/2");
        assert_eq!(named("-fun-"), "KV.Bucket.-fun-/2");
        assert_eq!(named("-x-fun-0-"), "KV.Bucket.-x-fun-0-/2");
        assert_eq!(name(&Mfa::new("shop", "-loop/1-fun-0-", 0)), "shop:loop/1 fn 0");
    }
}
