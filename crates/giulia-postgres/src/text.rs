//! The text of a statement as it may be kept: without literals, comments and control characters.
//!
//! The server replaces the constants of queries, but not those of all other commands: a `CREATE ROLE
//! … PASSWORD '…'` stands in `pg_stat_statements` as it was typed.

/// Of a statement; its beginning tells which one it is.
const CHARS_MAX: usize = 300;
/// What stands for a literal.
const LITERAL: &str = "'…'";

/// Its beginning on one line.
pub(crate) fn cleaned(query: &str) -> String {
    let mut text = String::new();
    let mut rest = query;
    // The two characters before.
    let mut before = [' '; 2];
    while let Some(it) = rest.chars().next() {
        let (word, after) = rest.split_at(it.len_utf8());
        let kept = match it {
            '\'' => {
                let [word, prefix] = before;
                let is_prefix = matches!(prefix, 'e' | 'E') && !is_of_word(word);
                rest = behind_literal(after, is_prefix);
                LITERAL
            }
            '"' => {
                let end = after.find('"').map_or(rest.len(), |it| it + 2);
                let (name, behind) = rest.split_at(end);
                rest = behind;
                name
            }
            '$' => {
                let behind = behind_dollars(rest).filter(|_| !is_of_word(before[1]));
                rest = behind.unwrap_or(after);
                if behind.is_some() { LITERAL } else { word }
            }
            '-' if after.starts_with('-') => {
                rest = after.find('\n').and_then(|it| after.get(it..)).unwrap_or_default();
                " "
            }
            '/' if after.starts_with('*') => {
                rest = behind_comment(after.get(1..).unwrap_or_default());
                " "
            }
            _ => {
                rest = after;
                word
            }
        };
        before = [before[1], it];
        for it in kept.chars() {
            let it = if it.is_control() || it.is_whitespace() { ' ' } else { it };
            if it != ' ' || !(text.is_empty() || text.ends_with(' ')) {
                text.push(it);
            }
        }
    }
    let text = text.trim_end();
    if text.chars().count() <= CHARS_MAX {
        return text.to_owned();
    }
    text.chars().take(CHARS_MAX - 1).chain(['…']).collect()
}

/// Whether it can be a part of a name.
fn is_of_word(it: char) -> bool {
    it.is_alphanumeric() || matches!(it, '_' | '$')
}

/// Behind the quote that ends it; `''` is a quote inside, and `\'` too where it was `E'…'`.
fn behind_literal(mut rest: &str, has_escapes: bool) -> &str {
    loop {
        let Some(at) = rest.find(['\'', '\\']) else { return "" };
        let (_, found) = rest.split_at(at);
        let mut chars = found.chars();
        let first = chars.next();
        let second = chars.clone().next();
        if first == Some('\\') {
            if has_escapes {
                chars.next();
            }
            rest = chars.as_str();
        } else if second == Some('\'') {
            chars.next();
            rest = chars.as_str();
        } else {
            return chars.as_str();
        }
    }
}

/// Behind `$tag$ … $tag$`; `$1` is a parameter.
fn behind_dollars(rest: &str) -> Option<&str> {
    let inner = rest.get(1..)?;
    let (tag, body) = inner.split_once('$')?;
    let is_tag = tag.chars().all(|it| it.is_alphanumeric() || it == '_')
        && !tag.starts_with(|it: char| it.is_ascii_digit());
    if !is_tag {
        return None;
    }
    let end = format!("${tag}$");
    Some(body.split_once(&end).map_or("", |it| it.1))
}

/// Behind the end of a comment; they nest.
fn behind_comment(mut rest: &str) -> &str {
    let mut depth = 1_u32;
    while depth > 0 {
        let opens = rest.find("/*").unwrap_or(rest.len());
        let Some(closes) = rest.find("*/") else { return "" };
        depth = if opens < closes { depth.saturating_add(1) } else { depth - 1 };
        rest = rest.get(opens.min(closes) + 2..).unwrap_or_default();
    }
    rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_the_server_normalised_is_kept_on_one_line() {
        assert_eq!(
            cleaned("SELECT  name,\n\tcolumns FROM \"table's\" WHERE name = $1"),
            "SELECT name, columns FROM \"table's\" WHERE name = $1"
        );
        assert_eq!(cleaned("\u{1b}[31mSELECT\0 $1"), "[31mSELECT $1");
        let long = cleaned(&"x, ".repeat(1000));
        assert!(long.chars().count() == CHARS_MAX && long.ends_with('…'), "{long}");
    }

    #[test]
    fn literals_and_comments_are_not_kept() {
        for (query, kept) in [
            ("CREATE ROLE a PASSWORD 'hunter2'", "CREATE ROLE a PASSWORD '…'"),
            ("SET x = 'it''s hunter2' ; y", "SET x = '…' ; y"),
            (r"SET x = E'a\'hunter2' ; y", "SET x = E'…' ; y"),
            (r"SET x = 'a\' ; y", "SET x = '…' ; y"),
            (r"x LIKE'a\' OR y='hunter2' z", "x LIKE'…' OR y='…' z"),
            ("DO $$ hunter2 $$ z", "DO '…' z"),
            ("DO $b_1$ hunter2 $$ $b_1$ z", "DO '…' z"),
            ("SELECT $1 + $2", "SELECT $1 + $2"),
            ("SELECT /* don't /* hunter2 */ */ 1 -- it's hunter2\n, 2", "SELECT 1 , 2"),
            ("SET PASSWORD 'hunter2 that was cut", "SET PASSWORD '…'"),
            ("SELECT 1 /* cut hunter2", "SELECT 1"),
            ("SELECT \"cut", "SELECT \"cut"),
        ] {
            assert_eq!(cleaned(query), kept, "{query}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_short_and_safe_for_a_terminal(query in ".{0,400}") {
            let kept = cleaned(&query);
            prop_assert!(kept.chars().count() <= CHARS_MAX);
            prop_assert!(!kept.chars().any(char::is_control));
        }

        #[test]
        fn a_literal_is_never_kept(before in "[a-z =]{0,9}", literal in "[A-Z0-9'\\\\]{4,12}") {
            // As a client would quote it.
            let query = format!("{before} '{}' x", literal.replace('\'', "''"));
            let kept = cleaned(&query);
            prop_assert!(kept.ends_with("'…' x"), "{}", kept);
        }
    }
}
