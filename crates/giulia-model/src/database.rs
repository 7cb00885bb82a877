//! What a `PostgreSQL` server says of its own statements over a session, and what the node saw of it.
//!
//! A second witness: the node's side says how long callers wait for the other machine, the server
//! says what it did meanwhile. Figures are what came within the session; a total since some reset
//! is nowhere.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Gap, Mfa, NotSeen};

/// One record of kind `database` in a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DatabaseRecord {
    /// `giulia.database_record/1`.
    pub schema: String,
    /// Since when, in milliseconds from the start of the session.
    pub from_ms: u64,
    /// Until when, in milliseconds from the start of the session.
    pub to_ms: u64,
    /// What was learned.
    #[serde(flatten)]
    pub event: DatabaseEvent,
}

/// What was learned of a database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum DatabaseEvent {
    /// It was read for the first time, or anew: what follows counts from here.
    Began(Box<Database>),
    /// What came since it began; in place of the reading before.
    Counted(Box<DatabaseCounted>),
    /// What came since the last reading is in no figure, and why.
    Lost(DatabaseLost),
    /// It is not read, and why.
    NotSeen(NotSeen),
}

/// Which database says so, and how much it lets us see.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Database {
    /// The host as it was given, or the folder of its socket; no user and no password.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The database.
    pub name: String,
    /// The server's version: `15.4`.
    pub server_version: String,
    /// The version of `pg_stat_statements`: `1.10`.
    pub extension_version: String,
    /// Addresses with port under which a peer is this server: those that its host resolves to, and
    /// the one that the server itself says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// What it does not let us see, and what to do about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_seen: Vec<NotSeen>,
}

/// Why figures of a database stop.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DatabaseLost {
    /// In a sentence.
    pub why: String,
}

/// What a database did since it was read first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DatabaseCounted {
    /// Those that took most time, the most first.
    pub statements: Vec<StatementCounted>,
    /// The other statements of this database together.
    pub others: StatementSums,
    /// Statements of other users that the role may not see, together.
    pub hidden: StatementSums,
    /// Statements of the server's other databases together.
    pub elsewhere: StatementSums,
    /// How often the server threw entries out to make room; those may be missing from the figures.
    /// Absent before `PostgreSQL` 14, which does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evictions: Option<u64>,
    /// Statements whose counters were lost, those of `others` among them.
    #[serde(default)]
    pub lost: u64,
    /// How often the server was read.
    pub readings: u64,
    /// The longest reading, in milliseconds by our clock.
    pub reading_max_ms: f64,
}

/// What came of several statements together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StatementSums {
    /// How many statements they are.
    pub statements: u64,
    /// Calls.
    pub calls: u64,
    /// Rows that were answered or changed.
    pub rows: u64,
    /// Time that the server executed them, in milliseconds; planning is not in it.
    pub exec_ms: f64,
}

/// One statement as a session counted it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StatementCounted {
    /// The server's `queryid`, as text, because numbers of JSON do not hold it.
    pub id: String,
    /// Its text as the server normalised it, its beginning; quoted literals that the server left in
    /// it are taken out.
    pub query: String,
    /// Calls.
    pub calls: u64,
    /// Rows that were answered or changed.
    pub rows: u64,
    /// Time that the server executed it, in milliseconds; planning is not in it.
    pub exec_ms: f64,
    /// Blocks of 8 KiB that it found in the server's memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks_hit: Option<u64>,
    /// Blocks of 8 KiB that it asked the system for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks_read: Option<u64>,
    /// Why its figures end before the session does; they are those until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<String>,
}

/// A database over a session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionDatabase {
    /// Which one; absent where none could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<Database>,
    /// Time between first and last reading, gaps left out, in milliseconds; the base of every rate.
    pub counted_ms: u64,
    /// First reading, in milliseconds from the start of the session.
    pub from_ms: u64,
    /// Last reading, in milliseconds from the start of the session.
    pub to_ms: u64,
    /// Whether every call between first and last reading is in the figures below: nothing was reset,
    /// thrown out or hidden meanwhile.
    pub complete: bool,
    /// Spans between first and last reading that are in no figure.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
    /// All statements of this database that could be seen.
    pub all: StatementSums,
    /// All of them a second.
    pub calls_per_s: f64,
    /// Statements that it executed at any moment, on average.
    pub executing: f64,
    /// Those that took most time, the most first.
    pub statements: Vec<StatementOver>,
    /// The other statements of this database together.
    pub others: StatementSums,
    /// Statements of other users that the role may not see, together.
    pub hidden: StatementSums,
    /// Statements of the server's other databases together.
    pub elsewhere: StatementSums,
    /// How often the server threw entries out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evictions: Option<u64>,
    /// How often the server was read.
    pub readings: u64,
    /// The longest reading, in milliseconds by our clock.
    pub reading_max_ms: f64,
    /// What functions of the node that rest on it are to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub functions: Vec<DatabaseFunction>,
    /// What could not be seen, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_seen: Vec<NotSeen>,
    /// The same while functions were counted closely, in the order of these looks; what rules hold
    /// calls against.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub looks: Vec<DatabaseLook>,
}

/// A statement over a session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StatementOver {
    /// What was counted.
    #[serde(flatten)]
    pub counted: StatementCounted,
    /// Calls a second.
    pub calls_per_s: f64,
    /// Time that the server executed one call, on average, in milliseconds; absent without a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_ms: Option<f64>,
    /// Rows of a call, on average; absent without a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_per_call: Option<f64>,
    /// Share of the time of all statements that could be seen, 0 to 1.
    pub share: f64,
}

/// What a database did in the span around a closer look at the node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DatabaseLook {
    /// The last reading before it, in milliseconds from the start of the session.
    pub from_ms: u64,
    /// The first reading after it, in milliseconds from the start of the session.
    pub to_ms: u64,
    /// Statements that were called in that span.
    pub statements: Vec<StatementRate>,
}

/// A statement in a span.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StatementRate {
    /// The server's `queryid`.
    pub id: String,
    /// Calls a second.
    pub calls_per_s: f64,
    /// Time that the server executed one call, on average, in milliseconds.
    pub mean_ms: f64,
}

/// A function of the node that rests on a database, beside what the database says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DatabaseFunction {
    /// The function.
    pub function: Mfa,
    /// The peer that it waits for, as the node names it.
    pub peer: String,
    /// Its calls a second, by call counters; absent where they were not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_per_s: Option<f64>,
    /// How long a call took, on average of a sample, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_us: Option<f64>,
    /// How long of that it waited for the peer, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waited_us: Option<f64>,
    /// Statements that were called as often, the nearest first. That is a correlation: two figures
    /// that agree, and nobody followed one call from here to there.
    pub matches: Vec<StatementMatch>,
    /// In a sentence: what agrees, or why nothing does.
    pub why: String,
}

/// A statement that was called as often as a function.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StatementMatch {
    /// The server's `queryid`.
    pub id: String,
    /// Its text.
    pub query: String,
    /// Its calls a second in the same span.
    pub calls_per_s: f64,
    /// How far that is from the calls of the function, 0 for the same.
    pub deviation: f64,
    /// Time that the server executed one call, on average, in microseconds.
    pub mean_us: f64,
    /// What remains of the caller's wait: network, driver, pool and planning, in microseconds; absent
    /// where the server says more than the caller waited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remainder_us: Option<f64>,
}

impl StatementSums {
    /// Takes in one more statement.
    pub fn add(&mut self, it: &StatementCounted) {
        let one = Self { statements: 1, calls: it.calls, rows: it.rows, exec_ms: it.exec_ms };
        self.add_all(one);
    }

    /// Takes in others.
    pub fn add_all(&mut self, it: Self) {
        self.statements = self.statements.saturating_add(it.statements);
        self.calls = self.calls.saturating_add(it.calls);
        self.rows = self.rows.saturating_add(it.rows);
        self.exec_ms += it.exec_ms;
    }
}

impl Database {
    /// Where it is: `db1:5432`, or the folder of its socket.
    pub fn place(&self) -> String {
        if self.host.starts_with('/') {
            self.host.clone()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Whether a peer as the node names it (`tcp 10.0.0.5:5432`) is this server.
    pub fn is_peer(&self, peer: &str) -> bool {
        let address = peer.rsplit(' ').next().unwrap_or(peer);
        self.addresses.iter().any(|it| it == address)
    }
}
