//! Configuration: flags over variables over the file over defaults, each value with its origin.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::{ArgMatches, Args, FromArgMatches, parser::ValueSource};
use giulia_engine::DatabaseUrl;
use serde_json::{Map, Value};

mod access;
mod file;
pub(crate) mod reference;
mod settings;

pub(crate) use access::book;
pub(crate) use settings::{Settings, TlsVerify};

/// The cookie itself; kept out of [`Settings`], so that nothing can write it anywhere.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Reaching the node")]
pub(crate) struct CookieArgs {
    /// The cookie itself, which `ps` shows to everybody here; use a file or `GIULIA_COOKIE`.
    #[arg(long, env = "GIULIA_COOKIE", value_name = "COOKIE", hide_env = true)]
    pub(crate) cookie: Option<Secret>,
}

/// Where sessions are kept; for what reads or writes them.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Keeping sessions")]
pub(crate) struct StoreArgs {
    /// File that sessions are kept in [default: giulia/sessions.db in the user's data folder].
    #[arg(long, env = "GIULIA_STORE", hide_env = true, value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,
}

/// The database behind the node; kept out of [`Settings`], as the cookie is.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "The database behind the node")]
pub(crate) struct DatabaseArgs {
    /// Record its statements too (`pg_stat_statements`, read only): <postgres://USER@HOST/DATABASE>, or
    /// `GIULIA_POSTGRES_URL`, which `ps` does not show.
    #[arg(long, env = "GIULIA_POSTGRES_URL", value_name = "URL", hide_env = true)]
    pub(crate) postgres: Option<Secret>,
}

/// Text that nobody may see.
#[derive(Clone)]
pub(crate) struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// Where a value comes from, strongest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// A flag.
    Flag,
    /// A variable of the environment.
    Variable(&'static str),
    /// A node's section of the file.
    NodeSection(PathBuf, String),
    /// The common section of the file.
    CommonSection(PathBuf),
    /// The file, outside its sections.
    File(PathBuf),
    /// Nothing was said.
    Default,
}

/// One value and where it comes from.
#[derive(Debug, Clone)]
pub(crate) struct Sourced {
    /// The setting.
    pub(crate) key: String,
    /// Its value.
    pub(crate) value: Value,
    /// Where it comes from.
    pub(crate) origin: Origin,
}

/// Everything that was said, before it is known which node is meant.
#[derive(Debug)]
pub(crate) struct Config {
    flags: Map<String, Value>,
    variables: Map<String, Value>,
    path: PathBuf,
    file: file::File,
    store: Option<(PathBuf, Origin)>,
    /// The cookie, when it was given as text.
    pub(crate) cookie: Option<(Secret, Origin)>,
    /// The database behind the node.
    pub(crate) database: Option<(DatabaseUrl, Origin)>,
}

/// Flags and variables of one command line, and the file.
pub(crate) fn load(matches: &ArgMatches, file: Option<&Path>) -> anyhow::Result<Config> {
    let (path, file) = file::read(file)?;
    // A command that reaches no node has no flags for it.
    let reaches = matches.try_contains_id("epmd_port").is_ok();
    let (typed, cookie) = if reaches {
        (as_map(&Settings::from_arg_matches(matches)?)?, cookie(matches)?)
    } else {
        (Map::new(), None)
    };
    let (variables, flags) = typed
        .into_iter()
        .partition(|(key, _)| matches.value_source(key) == Some(ValueSource::EnvVariable));
    let store = store(matches, &path, &file)?;
    let database = database(matches)?;
    Ok(Config { flags, variables, path, file, store, cookie, database })
}

impl Config {
    /// The names of nodes that have their own section.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &String> {
        self.file.node.keys()
    }

    /// Settings that were given as flags, to be handed on.
    pub(crate) fn flags(&self) -> &Map<String, Value> {
        &self.flags
    }

    /// The file that sessions are kept in, and who said so.
    pub(crate) fn store(&self) -> anyhow::Result<(PathBuf, Origin)> {
        if let Some(said) = &self.store {
            return Ok(said.clone());
        }
        let dirs = directories::ProjectDirs::from("", "", "giulia");
        let dirs =
            dirs.context("there is no home directory to keep sessions in; pass --store FILE")?;
        Ok((dirs.data_dir().join("sessions.db"), Origin::Default))
    }

    /// Where the file is, or would be.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Every value that holds for a node (or for any, without one), in the order of the
    /// settings, with its origin.
    pub(crate) fn sourced(&self, node: Option<&str>) -> anyhow::Result<Vec<Sourced>> {
        let section = node.and_then(|it| Some((it, self.file.node.get(it)?)));
        let mut layers = vec![
            (as_map(&Settings::defaults())?, Origin::Default),
            (as_map(&self.file.connect)?, Origin::CommonSection(self.path.clone())),
        ];
        if let Some((name, section)) = section {
            layers
                .push((as_map(section)?, Origin::NodeSection(self.path.clone(), name.to_owned())));
        }
        let mut all: Vec<Sourced> = Vec::new();
        let mut put = |key: &str, value: &Value, origin: Origin| {
            let sourced = Sourced { key: key.to_owned(), value: value.clone(), origin };
            match all.iter_mut().find(|it| it.key == key) {
                Some(weaker) => *weaker = sourced,
                None => all.push(sourced),
            }
        };
        for (layer, origin) in &layers {
            for (key, value) in layer {
                put(key, value, origin.clone());
            }
        }
        for (key, value) in &self.variables {
            put(key, value, Origin::Variable(variable(key)));
        }
        for (key, value) in &self.flags {
            put(key, value, Origin::Flag);
        }
        all.sort_by_key(|it| reference::position(&it.key));
        Ok(all)
    }

    /// What holds for a node (or for any, without one), and where its cookie file was named.
    pub(crate) fn effective(
        &self,
        node: Option<&str>,
    ) -> anyhow::Result<(Settings, Option<Origin>)> {
        let sourced = self.sourced(node)?;
        let origin = sourced.iter().find(|it| it.key == "cookie_file").map(|it| it.origin.clone());
        let values = sourced.into_iter().map(|it| (it.key, it.value)).collect();
        let settings = serde_json::from_value(Value::Object(values))
            .context("the settings contradict themselves; see `giulia config`")?;
        Ok((settings, origin))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("command line"),
            Self::Variable(name) => f.write_str(name),
            Self::NodeSection(path, node) => write!(f, "{} [node.\"{node}\"]", path.display()),
            Self::File(path) => path.display().fmt(f),
            Self::CommonSection(path) => write!(f, "{} [connect]", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// Given as a flag or in `GIULIA_COOKIE`, else in `RELEASE_COOKIE` (Elixir's releases).
fn cookie(matches: &ArgMatches) -> anyhow::Result<Option<(Secret, Origin)>> {
    let given = CookieArgs::from_arg_matches(matches)?.cookie.filter(|it| !it.0.is_empty());
    if let Some(cookie) = given {
        let from_variable = matches.value_source("cookie") == Some(ValueSource::EnvVariable);
        let origin = if from_variable { Origin::Variable("GIULIA_COOKIE") } else { Origin::Flag };
        return Ok(Some((cookie, origin)));
    }
    let release = std::env::var("RELEASE_COOKIE").ok().filter(|it| !it.is_empty());
    Ok(release.map(|it| (Secret(it), Origin::Variable("RELEASE_COOKIE"))))
}

fn database(matches: &ArgMatches) -> anyhow::Result<Option<(DatabaseUrl, Origin)>> {
    if matches.try_contains_id("postgres").is_err() {
        return Ok(None);
    }
    let given = DatabaseArgs::from_arg_matches(matches)?.postgres.filter(|it| !it.0.is_empty());
    let is_variable = matches.value_source("postgres") == Some(ValueSource::EnvVariable);
    let origin = if is_variable { Origin::Variable("GIULIA_POSTGRES_URL") } else { Origin::Flag };
    Ok(given.map(|it| (DatabaseUrl::new(it.0), origin)))
}

fn store(
    matches: &ArgMatches,
    path: &Path,
    file: &file::File,
) -> anyhow::Result<Option<(PathBuf, Origin)>> {
    let keeps = matches.try_contains_id("store").is_ok();
    let given = if keeps { StoreArgs::from_arg_matches(matches)?.store } else { None };
    if let Some(given) = given {
        let is_variable = matches.value_source("store") == Some(ValueSource::EnvVariable);
        let origin = if is_variable { Origin::Variable("GIULIA_STORE") } else { Origin::Flag };
        return Ok(Some((given, origin)));
    }
    Ok(file.store.clone().map(|it| (it, Origin::File(path.to_owned()))))
}

/// The variable of a setting, from the same declaration that clap reads it by.
fn variable(key: &str) -> &'static str {
    reference::entries().iter().find(|it| it.key == key).map_or("environment", |it| it.variable)
}

fn as_map(settings: &Settings) -> anyhow::Result<Map<String, Value>> {
    let Value::Object(map) = serde_json::to_value(settings)? else {
        anyhow::bail!("settings are a table, always");
    };
    Ok(map)
}
