//! What a `PostgreSQL` server says of its own statements, as a second witness beside a node.
//!
//! [`Account`] reads `pg_stat_statements` now and then and tells what came in between, statement by
//! statement. It is one connection that may only read, asks nothing that takes longer than seconds,
//! and leaves its own statements out. What it may not see, and what the server threw away
//! meanwhile, is told with its reason and is never a smaller figure.
//!
//! What it refuses to do: create the extension, reset statistics, write anything, show or keep a
//! password, keep a literal that somebody wrote into a statement.
//!
//! ```no_run
//! # async fn example() -> Result<(), giulia_postgres::Error> {
//! use giulia_postgres::{Account, DatabaseUrl};
//! let url = DatabaseUrl::new("postgres://reader@db1/shop");
//! let mut account = Account::reach(&url, std::time::Duration::from_secs(10)).await?;
//! let began = account.begin().await?;
//! let counted = account.read().await;
//! # Ok(()) }
//! ```

mod account;
mod error;
mod ledger;
mod server;
mod text;
mod url;

pub use account::Account;
pub use error::{Error, ErrorKind};
pub use url::DatabaseUrl;
