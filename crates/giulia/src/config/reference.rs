//! The documented reference, read off the types: key, meaning, variable, default.

use std::{fmt::Write as _, sync::OnceLock};

use clap::Args as _;
use serde_json::Value;

use crate::config::Settings;

/// One setting as the types document it.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The key in the file, and with dashes the flag.
    pub(crate) key: String,
    /// What it does.
    pub(crate) about: String,
    /// The variable that sets it.
    pub(crate) variable: &'static str,
    /// What stands for its value in help.
    value_name: String,
    /// What holds where nothing was said.
    default: Option<Value>,
}

impl Entry {
    /// The default as one would type it.
    pub(crate) fn default_shown(&self) -> Option<String> {
        let default = self.default.as_ref().filter(|it| **it != Value::Bool(false))?;
        Some(default.as_str().map_or_else(|| default.to_string(), str::to_owned))
    }
}

/// Every setting, in the order of the struct.
pub(crate) fn entries() -> &'static [Entry] {
    static ENTRIES: OnceLock<Vec<Entry>> = OnceLock::new();
    ENTRIES.get_or_init(|| {
        let defaults = serde_json::to_value(Settings::defaults()).unwrap_or_default();
        // The names of variables live as long as the program; leaking them once says so.
        let command: &'static clap::Command =
            Box::leak(Box::new(Settings::augment_args(clap::Command::new("settings"))));
        let arguments = command.get_arguments();
        arguments
            .map(|arg| Entry {
                key: arg.get_id().to_string(),
                about: arg.get_help().map(ToString::to_string).unwrap_or_default(),
                variable: arg.get_env().and_then(|it| it.to_str()).unwrap_or_default(),
                value_name: arg
                    .get_value_names()
                    .and_then(<[_]>::first)
                    .map_or_else(String::new, ToString::to_string),
                default: defaults.get(arg.get_id().as_str()).cloned(),
            })
            .collect()
    })
}

/// Where a setting stands in the struct.
pub(crate) fn position(key: &str) -> usize {
    entries().iter().position(|it| it.key == key).unwrap_or(usize::MAX)
}

/// A file that documents every key and sets none.
pub(crate) fn reference() -> String {
    let mut text = String::from(
        "# Configuration of giulia. Flags win over variables, variables over this file, and a\n\
         # node's own section over [connect]. Every key may stand in both kinds of section.\n\
         # The cookie itself has no key here: it comes from --cookie-file, --cookie,\n\
         # GIULIA_COOKIE, RELEASE_COOKIE, cookie_file below, or ~/.erlang.cookie, in this order.\n\
         # Nor has the database behind a node, whose address may hold a password: --postgres or\n\
         # GIULIA_POSTGRES_URL.\n\n\
         # File that sessions are kept in; else giulia/sessions.db in the user's data folder.\n\
         # Flag --store, variable GIULIA_STORE.\n\
         # store = \"/srv/giulia/sessions.db\"\n\n\
         [connect]\n",
    );
    for entry in entries() {
        let flag = entry.key.replace('_', "-");
        let value = match &entry.default {
            Some(value) => value.to_string(),
            None if entry.value_name == "BOOL" => "false".to_owned(),
            None => format!("\"{}\"", entry.value_name),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "\n# {}\n# Flag --{flag}, variable {}.\n# {} = {value}",
            entry.about, entry.variable, entry.key
        );
        if entry.key == "no_eval" {
            called_without_evaluation(&mut text);
        }
    }
    text.push_str(
        "\n# [node.\"shop@db1.example.com\"]\n\
         # cookie_file = \"/home/me/shop.cookie\"\n\
         # at = \"127.0.0.1:9001\"\n",
    );
    text
}

/// Whoever sets `no_eval` wants to know what is called all the same.
fn called_without_evaluation(text: &mut String) {
    text.push_str(
        "# With no_eval these functions are called on the node (each by erpc:execute_call/4), and\n\
         # no others:\n",
    );
    for it in giulia_engine::bif_list() {
        // Writing to a String cannot fail.
        let function = format!("{}:{}/{}", it.module, it.function, it.arity);
        let _ = writeln!(text, "#   {function:<33} {}", it.why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_names_every_key_of_the_file_and_no_other() {
        let schema = schemars::schema_for!(Settings).to_value();
        let keys = schema["properties"].as_object().unwrap();
        assert_eq!(keys.len(), entries().len());
        for entry in entries() {
            assert!(keys.contains_key(&entry.key), "{} is a flag and not a key", entry.key);
            assert!(!entry.about.is_empty() && !entry.variable.is_empty(), "{entry:?}");
        }
    }

    #[test]
    fn the_reference_lists_what_no_eval_calls() {
        let text = reference();
        let (_, behind) = text.split_once("# no_eval = false\n").unwrap();
        for it in giulia_engine::bif_list() {
            let function = format!("#   {}:{}/{} ", it.module, it.function, it.arity);
            assert!(behind.contains(&function), "{function}");
        }
    }

    #[test]
    fn the_reference_is_a_valid_file_also_with_its_defaults_set() {
        let text = reference();
        toml::from_str::<crate::config::file::File>(&text).unwrap();
        let lines = text.lines().filter(|it| !it.contains("HOW") && !it.is_empty());
        let set =
            lines.map(|it| it.strip_prefix("# ").filter(|it| it.contains(" = ")).unwrap_or(it));
        let set = set.collect::<Vec<_>>().join("\n");
        let file: crate::config::file::File =
            toml::from_str(&set.replace("# [node", "[node")).unwrap();
        assert_eq!(file.connect.epmd_port, Some(4369));
    }
}
