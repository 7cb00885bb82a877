//! Text measured in the columns that a terminal gives it, and cut between whole characters.
//!
//! A name in Chinese takes two columns a character, an accent of its own none: counting
//! characters would push every figure behind such a name out of its column.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Columns of a terminal.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// A little of its beginning and more of its end, which tells more: `Shop.…Worker.init/1`.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let kept = most.saturating_sub(1);
    let whole = characters(text);
    let head = fitting(whole.iter(), kept / 3);
    let tail = fitting(whole.iter().rev(), kept.saturating_sub(width(&head.concat())));
    let tail = tail.into_iter().rev();
    head.into_iter().chain(["…"]).chain(tail).collect()
}

/// Its beginning: `applic…`.
pub(crate) fn beginning(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let mut kept = fitting(characters(text).iter(), most.saturating_sub(1)).concat();
    kept.push('…');
    kept
}

/// As many as fit, up to the first that does not.
fn fitting<'t>(characters: impl Iterator<Item = &'t &'t str>, room: usize) -> Vec<&'t str> {
    let mut taken = 0;
    let fits = |it: &&&str| {
        taken += width(it);
        taken <= room
    };
    characters.take_while(fits).copied().collect()
}

/// What a reader takes for characters: each with the accents, joiners and skin colours behind it.
fn characters(text: &str) -> Vec<&str> {
    let mut starts = Vec::new();
    let mut is_joined = false;
    for (at, it) in text.char_indices() {
        let is_modifier = matches!(it, '\u{1f3fb}'..='\u{1f3ff}') || it.width() == Some(0);
        if starts.is_empty() || !(is_joined || is_modifier) {
            starts.push(at);
        }
        is_joined = it == '\u{200d}';
    }
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    starts.iter().zip(ends).filter_map(|(start, end)| text.get(*start..end)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_fits_and_keeps_whole_characters() {
        assert_eq!(shortened("Shop.Checkout.Worker.handle_call/3", 17), "Shop.…ndle_call/3");
        assert_eq!(shortened("注文処理プロセス監視", 9), "注…ス監視");
        // Five times e with an accent of its own: five columns.
        let accented = "e\u{301}".repeat(5);
        assert_eq!(shortened(&accented, 5), accented);
        assert_eq!(shortened(&accented, 4), "e\u{301}…e\u{301}e\u{301}");
        let family = "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}";
        assert_eq!(characters(&format!("a{family}b")), ["a", family, "b"]);
        for most in 1..20 {
            let cut = shortened("プロセス監視 shop/注文-e\u{301}\u{1f44d}\u{1f3fd}", most);
            assert!(width(&cut) <= most, "{cut} in {most}");
        }
    }

    #[test]
    fn a_beginning_ends_with_a_mark() {
        assert_eq!(beginning("application", 7), "applic…");
        assert_eq!(beginning("pid", 3), "pid");
        assert_eq!(beginning("処理数", 4), "処…");
    }
}
