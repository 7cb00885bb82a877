//! `config`: the settings that hold here and where each comes from; or all there are.

use std::fmt::Write as _;

use clap::{ArgMatches, Args, Command, FromArgMatches, parser::ValueSource};

use giulia_engine::CookieSource;

use crate::config;

/// Print the settings that hold and where each comes from
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  giulia config                              for any node
  giulia config shop@db1                     for one that has its own section in the file
  giulia config --reference > giulia.toml    every key, documented, none set")]
struct Params {
    /// The node that they are for.
    node: Option<String>,
    /// Print every key with its meaning and its default, as a file to start from.
    #[arg(long)]
    reference: bool,
}

pub(super) fn command() -> Command {
    crate::cli::keeping(crate::cli::reaching(Params::augment_args(Command::new("config"))))
}

pub(super) fn run(matches: &ArgMatches) -> anyhow::Result<String> {
    let Params { node, reference } = Params::from_arg_matches(matches)?;
    if reference {
        return Ok(config::reference::reference());
    }
    let named = matches.get_one::<std::path::PathBuf>("config").map(std::path::PathBuf::as_path);
    let config = config::load(matches, named)?;
    let mut rows = Vec::new();
    for it in config.sourced(node.as_deref())? {
        rows.push((it.key, it.value.to_string(), it.origin.to_string()));
    }
    rows.push(cookie(&config, node.as_deref())?);
    let (store, origin) = config.store()?;
    rows.push(("store".to_owned(), format!("\"{}\"", store.display()), origin.to_string()));
    let width = |of: fn(&(String, String, String)) -> &String| {
        rows.iter().map(|it| of(it).chars().count()).max().unwrap_or(0)
    };
    let (keys, values) = (width(|it| &it.0), width(|it| &it.1));
    let state = if config.path().exists() { "" } else { "  (not there)" };
    let source = match matches.value_source("config") {
        Some(ValueSource::CommandLine) => "  from --config",
        Some(ValueSource::EnvVariable) => "  from GIULIA_CONFIG",
        _ => "",
    };
    let mut text = format!("# file: {}{source}{state}\n", config.path().display());
    for (key, value, origin) in rows {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{key:<keys$} = {value:<values$}  # {origin}");
    }
    for node in config.nodes() {
        let _ = writeln!(text, "# [node.\"{node}\"] differs: giulia config {node}");
    }
    Ok(text)
}

/// Where the cookie would come from; never the cookie.
fn cookie(config: &config::Config, node: Option<&str>) -> anyhow::Result<(String, String, String)> {
    let given = config.cookie.as_ref().map(|(_, origin)| origin.to_string());
    let (value, origin) = match config::book(config)?.for_node(node.unwrap_or_default()).cookie {
        CookieSource::Given(_) => ("(hidden)", given.unwrap_or_default()),
        CookieSource::File(_) => ("(hidden)", "cookie_file".to_owned()),
        CookieSource::Home(ref path) if path.exists() => ("(hidden)", path.display().to_string()),
        CookieSource::Home(ref path) => ("none", format!("{} does not exist", path.display())),
        CookieSource::Nowhere => ("none", "no home directory".to_owned()),
    };
    Ok(("cookie".to_owned(), value.to_owned(), origin))
}
