//! Every command that a rule or its page tells people to run is one that runs.

use std::{fs, path::Path};

use crate::{giulia, ran};

/// What stands for a name that a rule fills in.
fn filled(command: &str, place: usize, word: &str) -> String {
    let word = word.trim_matches(['\'', '`', '"', '.', ',', ';', ':', '(', ')']);
    let is_open = word.contains('{') || word.chars().all(|it| it.is_ascii_uppercase());
    if !is_open {
        return word.to_owned();
    }
    match (command, place, word) {
        ("compare", ..) | (_, _, "SESSION" | "BEFORE" | "AFTER") => "last".to_owned(),
        (_, 1, _) => "shop@db1".to_owned(),
        ("explain" | "trace" | "check" | "observe", ..) => "Shop.Cart.get/1".to_owned(),
        _ => "shop_queue".to_owned(),
    }
}

/// Commands in a text: what begins with `giulia ` after this character, up to its like.
fn commands(text: &str, quote: char) -> Vec<String> {
    let start = format!("{quote}giulia ");
    let pieces = text.split(start.as_str()).skip(1);
    pieces.filter_map(|it| it.split(quote).next()).map(str::to_owned).collect()
}

fn all() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = Vec::new();
    for (folder, quote) in [
        ("crates/giulia-rules/src/rules", '"'),
        ("crates/giulia-rules/src", '"'),
        ("docs/rules", '`'),
    ] {
        for entry in fs::read_dir(root.join(folder)).unwrap().map(|it| it.unwrap().path()) {
            if entry.is_file() {
                let text = fs::read_to_string(&entry).unwrap();
                // What tests say is no advice.
                let text = text.split("#[cfg(test)]").next().unwrap_or_default();
                let place = entry.file_name().unwrap().to_string_lossy().into_owned();
                found.extend(commands(text, quote).into_iter().map(|it| (place.clone(), it)));
            }
        }
    }
    found
}

#[test]
fn every_command_that_an_advice_names_runs() {
    let found = all();
    assert!(found.len() >= 10, "only {} commands", found.len());
    for (place, line) in found {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let Some(command) = words.first().filter(|it| !it.contains('{')) else { continue };
        let mut args: Vec<String> =
            words.iter().enumerate().map(|(idx, it)| filled(command, idx, it)).collect();
        // A placeholder alone stands for all that its command needs.
        if words.len() == 1 {
            args.push("--help".to_owned());
        }
        let mut command = giulia(&args.iter().map(String::as_str).collect::<Vec<_>>());
        // Nobody is there to attach to: it is enough that it got as far as that.
        command.env("ERL_EPMD_PORT", "1").env("GIULIA_COOKIE", "none").env("HOME", "/nowhere");
        let (_, talk, _) = ran(&command.output().unwrap());
        let is_usage = talk.contains("Usage:") || talk.contains("error: ");
        assert!(!is_usage, "{place}: `giulia {line}` as {args:?}: {talk}");
    }
}
