//! Names that somebody may have meant: those that a few slips of the fingers turn into theirs.

/// Of the candidates, those closest to a name, best first, at most so many.
///
/// Close is at most a third of its letters changed, added, left out or swapped with their
/// neighbours, or the same last part (`Cart` for `Shop.Cart`).
pub fn nearest<'n>(
    name: &str,
    candidates: impl IntoIterator<Item = &'n str>,
    most: usize,
) -> Vec<&'n str> {
    let wanted = folded(name);
    let allowed = (wanted.len() / 3).max(1);
    let mut found: Vec<(usize, &str)> = candidates
        .into_iter()
        .filter_map(|candidate| {
            let told = folded(candidate);
            let ends = |long: &[char], short: &[char]| {
                short.len() >= 3 && long.strip_suffix(short).is_some_and(|it| it.ends_with(&['.']))
            };
            if ends(&told, &wanted) || ends(&wanted, &told) {
                return Some((1, candidate));
            }
            distance(&wanted, &told, allowed).map(|it| (it, candidate))
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found.into_iter().take(most).map(|(_, it)| it).collect()
}

/// What counts of a name: neither its language's prefix nor its case.
fn folded(name: &str) -> Vec<char> {
    let bare = name.strip_prefix("Elixir.").unwrap_or(name);
    bare.chars().flat_map(char::to_lowercase).collect()
}

/// Letters changed, added, left out or swapped with their neighbour (optimal string alignment);
/// nothing above `most`.
fn distance(left: &[char], right: &[char], most: usize) -> Option<usize> {
    if left.len().abs_diff(right.len()) > most {
        return None;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    let mut left_of = None;
    for (row, &here) in left.iter().enumerate() {
        let mut line = vec![row + 1];
        let mut right_of = None;
        for (column, &there) in right.iter().enumerate() {
            let at = |line: &[usize], idx: usize| line.get(idx).copied().unwrap_or(usize::MAX / 2);
            let changed = at(&above, column) + usize::from(here != there);
            let mut best = changed.min(at(&above, column + 1) + 1).min(at(&line, column) + 1);
            if left_of == Some(there) && right_of == Some(here) && column > 0 {
                best = best.min(at(&before, column - 1) + 1);
            }
            line.push(best);
            right_of = Some(there);
        }
        left_of = Some(here);
        if line.iter().all(|it| *it > most) {
            return None;
        }
        before = std::mem::replace(&mut above, line);
    }
    above.last().copied().filter(|it| *it <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(left: &str, right: &str) -> Option<usize> {
        let letters = |it: &str| it.chars().collect::<Vec<_>>();
        distance(&letters(left), &letters(right), 9)
    }

    #[test]
    fn a_slip_is_one() {
        for (left, right, slips) in [
            ("cart", "cart", 0),
            ("cart", "crat", 1),
            ("cart", "carts", 1),
            ("cart", "art", 1),
            ("cart", "card", 1),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(of(left, right), Some(slips), "{left} {right}");
            assert_eq!(of(right, left), Some(slips), "{right} {left}");
        }
        assert_eq!(of("abcdefghijklm", "nopqrstuvwxyz"), None);
    }

    #[test]
    fn the_closest_come_first_and_the_far_not_at_all() {
        let modules = ["Elixir.Shop.Cart", "Elixir.Shop.Card", "lists", "Elixir.Shop.Order"];
        assert_eq!(nearest("Elixir.Shop.Crat", modules, 9)[0], "Elixir.Shop.Cart");
        assert_eq!(nearest("list", modules, 9), ["lists"]);
        assert_eq!(nearest("Elixir.Cart", modules, 1), ["Elixir.Shop.Cart"]);
        assert_eq!(nearest("Elixir.shop.cart", modules, 1), ["Elixir.Shop.Cart"]);
        assert_eq!(nearest("nothing_like_it", modules, 9), [""; 0]);
    }
}
