//! One connection to a server, and the few questions that it is asked.
//!
//! Each is one statement of the simple protocol, in a transaction of its own that may only read.
//! Texts are read apart from counters and only where they are not known yet, because the server
//! keeps them in a file that it reads whole. All questions hold a comment by which their own entries
//! are found and left out.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    time::Duration,
};

use giulia_model::{Database, NotSeen};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, Row as _,
    postgres::{PgConnectOptions, PgRow},
};

use crate::{
    DatabaseUrl, Error, ErrorKind,
    ledger::{Epoch, Figures, Key, Reading},
    text::cleaned,
};

/// By which our own entries are found.
const MARK: &str = "/* giulia witness */";
/// Entries that are read at once: the server's own limit is 5,000 unless somebody raised it.
const ENTRIES_MAX: usize = 100_000;
/// Of a text; what is kept of it is shorter.
const TEXT_CHARS_MAX: usize = 2000;
/// Beyond the server's own limit of a statement (5 s), for a network that went silent.
const ANSWER_MAX: Duration = Duration::from_secs(8);
/// Closing is a courtesy.
const CLOSE_MAX: Duration = Duration::from_millis(500);

const EXTENSION: &str = "pg_stat_statements";

/// A server that lets us see its statements.
#[derive(Debug)]
pub(crate) struct Server {
    connection: PgConnection,
    place: String,
    pub(crate) database: Database,
    /// The extension's schema, quoted.
    schema: String,
    columns: Columns,
    /// Entries of our own questions.
    own: BTreeSet<i64>,
}

/// What this version of the extension calls things, and what it has.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Columns {
    time: &'static str,
    has_top: bool,
    has_info: bool,
}

impl Columns {
    /// From the names of the arguments of its function, separated by commas.
    fn of(names: &str, has_info: bool) -> Option<Self> {
        let has = |it: &str| names.split(',').any(|name| name == it);
        // 1.8 (PostgreSQL 13) told planning from executing.
        let time = ["total_exec_time", "total_time"].into_iter().find(|it| has(it))?;
        let has_all =
            ["userid", "dbid", "queryid", "calls", "rows", "shared_blks_hit", "shared_blks_read"]
                .into_iter()
                .all(has);
        has_all.then(|| Self { time, has_top: has("toplevel"), has_info })
    }
}

impl Server {
    /// Connects and looks what there is to be seen.
    pub(crate) async fn reach(url: &DatabaseUrl, timeout: Duration) -> Result<Self, Error> {
        let options = url.options()?;
        let host = match options.get_socket() {
            Some(path) => path.display().to_string(),
            None => options.get_host().to_owned(),
        };
        let named = options.get_database().unwrap_or(options.get_username()).to_owned();
        let at = Database { host, port: options.get_port(), name: named, ..Database::default() };
        let place = format!("{} (database {})", at.place(), at.name);
        let connection = connected(&options, &place, timeout).await?;
        let schema = String::new();
        let columns = Columns { time: "", has_top: false, has_info: false };
        let mut it =
            Self { connection, place, database: at, schema, columns, own: BTreeSet::new() };
        it.look().await?;
        // Once in vain, so that its own entries are there to be known.
        it.entries().await?;
        it.texts_of("").await?;
        it.know_own().await?;
        Ok(it)
    }

    /// What it is, and what of it may be seen.
    async fn look(&mut self) -> Result<(), Error> {
        let sql = format!(
            "SELECT {MARK} current_setting('server_version'), current_database()::text, \
             host(inet_server_addr()), inet_server_port()::int8, \
             (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) OR EXISTS ( \
             SELECT FROM pg_roles WHERE rolname = 'pg_read_all_stats' \
             AND pg_has_role(current_user, oid, 'USAGE')), \
             (SELECT quote_ident(n.nspname) FROM pg_extension AS e, pg_namespace AS n \
             WHERE e.extname = '{EXTENSION}' AND n.oid = e.extnamespace), \
             (SELECT extversion FROM pg_extension WHERE extname = '{EXTENSION}'), \
             current_setting('{EXTENSION}.track', true)"
        );
        let row = self.one(sql).await?;
        let text = |idx: usize| column::<String>(&row, idx);
        let version = text(0)?.unwrap_or_default();
        let version = version.split(' ').next().unwrap_or_default();
        version.clone_into(&mut self.database.server_version);
        self.database.name = text(1)?.unwrap_or_default();
        let own = text(2)?.zip(column::<i64>(&row, 3)?);
        self.database.addresses = self.addresses(own).await;
        let Some((schema, version)) = text(5)?.zip(text(6)?) else {
            return Err(self.not_seen(&format!(
                "the extension {EXTENSION} is not in this database; its owner may `CREATE EXTENSION \
                 {EXTENSION}` there, with shared_preload_libraries = '{EXTENSION}' set when the server \
                 starts"
            )));
        };
        if text(7)?.as_deref() == Some("none") {
            return Err(self.not_seen(&format!(
                "{EXTENSION}.track is none, so nothing is counted; its owner may set it to top"
            )));
        }
        (self.schema, self.database.extension_version) = (schema, version);
        if column::<bool>(&row, 4)? != Some(true) {
            self.database.not_seen.push(NotSeen {
                what: "statements of other users".to_owned(),
                why: "the role may not see them; the server's owner may GRANT pg_read_all_stats to it"
                    .to_owned(),
            });
        }
        self.learn_columns().await
    }

    async fn learn_columns(&mut self) -> Result<(), Error> {
        let sql = format!(
            "SELECT {MARK} array_to_string(p.proargnames, ','), \
             EXISTS (SELECT FROM pg_proc AS i WHERE i.proname = '{EXTENSION}_info' \
             AND i.pronamespace = p.pronamespace) FROM pg_proc AS p \
             WHERE p.proname = '{EXTENSION}' AND p.pronamespace = '{}'::regnamespace",
            self.schema.replace('\'', "''")
        );
        let row = self.one(sql).await?;
        let names = column::<String>(&row, 0)?.unwrap_or_default();
        let has_info = column::<bool>(&row, 1)? == Some(true);
        let Some(columns) = Columns::of(&names, has_info) else {
            let version = &self.database.extension_version;
            let text = format!("{EXTENSION} {version} has other columns than those known here");
            return Err(self.not_seen(&text));
        };
        self.columns = columns;
        Ok(())
    }

    fn not_seen(&self, why: &str) -> Error {
        Error::new(ErrorKind::NotSeen, format!("PostgreSQL at {}: {why}", self.place))
    }

    /// Under which the node may know it: what its host resolves to, and what it says itself.
    async fn addresses(&self, own: Option<(String, i64)>) -> Vec<String> {
        let shown = |address: &str, port: i64| {
            if address.contains(':') {
                format!("[{address}]:{port}")
            } else {
                format!("{address}:{port}")
            }
        };
        let Database { host, port, .. } = &self.database;
        if host.starts_with('/') {
            return vec![format!("{host}/.s.PGSQL.{port}")];
        }
        let found = tokio::net::lookup_host((host.as_str(), *port)).await;
        let found =
            found.into_iter().flatten().map(|it| shown(&it.ip().to_string(), i64::from(*port)));
        let all = found.chain(own.map(|(address, port)| shown(&address, port)));
        all.collect::<BTreeSet<String>>().into_iter().collect()
    }

    /// All counters as they are now, our own entries left out.
    pub(crate) async fn read(&mut self) -> Result<Reading, Error> {
        let (epoch, evictions) = self.epoch().await?;
        let mut entries = self.entries().await?;
        entries.retain(|key, _| !key.id.is_some_and(|id| self.own.contains(&id)));
        Ok(Reading { epoch, evictions, entries })
    }

    async fn epoch(&mut self) -> Result<(Epoch, Option<u64>), Error> {
        let info = if self.columns.has_info {
            format!("dealloc, stats_reset::text FROM {}.{EXTENSION}_info()", self.schema)
        } else {
            "NULL::int8, NULL::text".to_owned()
        };
        let row =
            self.one(format!("SELECT {MARK} pg_postmaster_start_time()::text, {info}")).await?;
        let started = column::<String>(&row, 0)?.unwrap_or_default();
        let epoch = Epoch { started, reset: column(&row, 2)? };
        let evictions = column::<i64>(&row, 1)?.and_then(|it| u64::try_from(it).ok());
        Ok((epoch, evictions))
    }

    async fn entries(&mut self) -> Result<BTreeMap<Key, Figures>, Error> {
        let Columns { time, has_top, .. } = self.columns;
        let top = if has_top { "toplevel" } else { "true" };
        let sql = format!(
            "SELECT {MARK} userid::int8, dbid::int8, queryid, {top}, calls, rows, {time}::float8, \
             shared_blks_hit, shared_blks_read, \
             dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \
             FROM {}.{EXTENSION}(false) LIMIT {}",
            self.schema,
            ENTRIES_MAX + 1
        );
        let rows = self.all(sql).await?;
        if rows.len() > ENTRIES_MAX {
            return Err(self.not_seen(&format!("it has more than {ENTRIES_MAX} statements")));
        }
        let mut entries: BTreeMap<Key, Figures> = BTreeMap::new();
        for row in &rows {
            let (key, figures) = entry(row)?;
            entries.entry(key).or_default().add(figures);
        }
        Ok(entries)
    }

    /// Texts of statements, cleaned.
    pub(crate) async fn texts(&mut self, ids: &[i64]) -> Result<BTreeMap<i64, String>, Error> {
        let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
        self.texts_of(&ids.join(",")).await
    }

    async fn texts_of(&mut self, ids: &str) -> Result<BTreeMap<i64, String>, Error> {
        // One literal, so that each number of statements is the same question to the server.
        let sql = format!(
            "SELECT {MARK} queryid, left(query, {TEXT_CHARS_MAX}) FROM {}.{EXTENSION}(true) \
             WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \
             AND queryid = ANY ('{{{ids}}}'::int8[]) LIMIT {ENTRIES_MAX}",
            self.schema
        );
        let mut texts = BTreeMap::new();
        for row in &self.all(sql).await? {
            if let (Some(id), Some(text)) = (column::<i64>(row, 0)?, column::<String>(row, 1)?) {
                texts.insert(id, cleaned(&text));
            }
        }
        Ok(texts)
    }

    async fn know_own(&mut self) -> Result<(), Error> {
        // Twice: this one has an entry too, once it has been asked.
        for _ in 0..2 {
            self.epoch().await?;
            let sql = format!(
                "SELECT {MARK} queryid FROM {}.{EXTENSION}(true) WHERE position('{MARK}' IN query) > 0 \
                 LIMIT {ENTRIES_MAX}",
                self.schema
            );
            for row in &self.all(sql).await? {
                self.own.extend(column::<i64>(row, 0)?);
            }
        }
        Ok(())
    }

    /// Says goodbye.
    pub(crate) async fn close(self) {
        // A server that is gone hears nothing.
        tokio::time::timeout(CLOSE_MAX, self.connection.close()).await.ok();
    }

    async fn one(&mut self, sql: String) -> Result<PgRow, Error> {
        let none = self.not_seen("it answered nothing");
        self.all(sql).await?.into_iter().next().ok_or(none)
    }

    async fn all(&mut self, sql: String) -> Result<Vec<PgRow>, Error> {
        let asked = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut self.connection);
        within(ANSWER_MAX, &self.place, asked).await
    }
}

async fn connected(
    options: &PgConnectOptions,
    place: &str,
    timeout: Duration,
) -> Result<PgConnection, Error> {
    let options = options.clone().disable_statement_logging();
    within(timeout, place, PgConnection::connect_with(&options)).await
}

async fn within<T>(
    limit: Duration,
    place: &str,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, Error> {
    let late = |_| {
        let text = format!(
            "reading PostgreSQL at {place}: no answer after {} s; is it reachable from here, and not \
             overloaded?",
            limit.as_secs_f64()
        );
        Error::new(ErrorKind::Timeout, text)
    };
    let done = tokio::time::timeout(limit, work).await.map_err(late)?;
    done.map_err(|error| Error::driver(place, &error))
}

fn entry(row: &PgRow) -> Result<(Key, Figures), Error> {
    let int = |idx: usize| column::<i64>(row, idx);
    let count =
        |idx: usize| Ok(int(idx)?.and_then(|it| u64::try_from(it).ok()).unwrap_or_default());
    let key = Key {
        user: int(0)?.unwrap_or_default(),
        database: int(1)?.unwrap_or_default(),
        id: int(2)?,
        is_top: column::<bool>(row, 3)?.unwrap_or_default(),
        is_here: column::<bool>(row, 9)?.unwrap_or_default(),
    };
    // What is no number would be no JSON.
    let exec_ms =
        column::<f64>(row, 6)?.filter(|it| it.is_finite() && *it >= 0.0).unwrap_or_default();
    Ok((
        key,
        Figures { calls: count(4)?, rows: count(5)?, exec_ms, hit: count(7)?, read: count(8)? },
    ))
}

fn column<'a, T>(row: &'a PgRow, idx: usize) -> Result<Option<T>, Error>
where
    T: sqlx::Decode<'a, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    row.try_get::<Option<T>, _>(idx).map_err(|error| {
        let text = format!("reading an answer of PostgreSQL: {error}; is it PostgreSQL itself?");
        Error::new(ErrorKind::Answer, text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_those_of_the_version() {
        let common = "userid,dbid,queryid,calls,rows,shared_blks_hit,shared_blks_read";
        let of = |more: &str| Columns::of(&format!("showtext,{common},{more}"), false);
        assert_eq!(of("total_time").unwrap().time, "total_time");
        let new = of("toplevel,total_plan_time,total_exec_time").unwrap();
        assert!(new.time == "total_exec_time" && new.has_top);
        assert_eq!(of("total_plan_time"), None);
        assert_eq!(Columns::of("calls,total_time", true), None);
    }
}
