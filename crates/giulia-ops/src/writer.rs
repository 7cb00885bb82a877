//! Answers as files of a foreign format: what a writer is.

/// Turns an answer into the bytes of a file.
#[derive(Debug, Clone, Copy)]
pub struct Writer<A: 'static> {
    /// What `--format` calls it.
    pub name: &'static str,
    /// Ends of file names that mean it.
    pub endings: &'static [&'static str],
    /// The bytes.
    pub write: fn(&A) -> Vec<u8>,
}

/// A kind of file, without the type of what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// What `--format` calls it.
    pub name: &'static str,
    /// Ends of file names that mean it.
    pub endings: &'static [&'static str],
}

/// The format that a file's name means: the longest ending that it has.
pub fn format_of_name(formats: &[Format], file: &str) -> Option<Format> {
    let file = file.to_ascii_lowercase();
    let longest = |it: &Format| {
        let fitting = it.endings.iter().filter(|ending| file.ends_with(**ending));
        fitting.map(|ending| ending.len()).max()
    };
    let fitting = formats.iter().filter_map(|it| Some((longest(it)?, *it)));
    fitting.max_by_key(|(length, _)| *length).map(|(_, it)| it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_ending_of_a_name_decides() {
        let formats = [
            Format { name: "plain", endings: &[".json"] },
            Format { name: "special", endings: &[".scope.json"] },
        ];
        let of = |file: &str| format_of_name(&formats, file).map(|it| it.name);
        assert_eq!(of("a.json"), Some("plain"));
        assert_eq!(of("a.Scope.JSON"), Some("special"));
        assert_eq!(of("json"), None);
    }
}
