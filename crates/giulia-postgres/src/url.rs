//! The address of a database, whose password nobody sees.

use std::{fmt, str::FromStr as _};

use sqlx::postgres::PgConnectOptions;
use tracing::subscriber::{NoSubscriber, with_default};

use crate::{Error, ErrorKind};

/// What may stand behind the `?` of an address.
const KEYS: &[&str] = &[
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
];
/// A secret so short that texts hold it by chance is taken out of an address alone.
const HIDDEN_BYTES_MIN: usize = 6;
/// How a server may be asked: it may not write, nothing of ours waits or works for long, and a name
/// means what the system means by it.
const SETTINGS: &[(&str, &str)] = &[
    ("default_transaction_read_only", "on"),
    ("statement_timeout", "5000"),
    ("lock_timeout", "1000"),
    ("idle_in_transaction_session_timeout", "5000"),
    ("search_path", "pg_catalog"),
];

/// Where a database is and who reads it: `postgres://USER:PASSWORD@HOST:PORT/DATABASE`. Its `Debug`
/// shows nothing, and it has no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl(hidden)")
    }
}

impl DatabaseUrl {
    /// As it was given; it is looked at when it is used.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into().trim().to_owned())
    }

    /// Whether there is a password in it.
    pub fn has_password(&self) -> bool {
        !self.passwords().is_empty()
    }

    /// A text without the password, to be kept or shown: the command line of somebody's program may
    /// hold it, wherever we have it from (of `~/.pgpass` only the driver knows).
    #[must_use]
    pub fn hidden_in(&self, text: &str) -> String {
        let mut text = text.to_owned();
        let given = std::env::var("PGPASSWORD").ok().filter(|it| !it.is_empty());
        for it in self.passwords().into_iter().chain(given) {
            text = text.replace(&format!(":{it}@"), ":(password)@");
            text = text.replace(&format!("password={it}"), "password=(password)");
            if it.len() >= HIDDEN_BYTES_MIN {
                text = text.replace(&it, "(password)");
            }
        }
        text
    }

    /// The address itself, for whoever hands it to another process of ours over a pipe.
    pub fn secret(&self) -> &str {
        &self.0
    }

    /// What the driver makes of it, with how a server may be asked.
    ///
    /// # Errors
    /// [`ErrorKind::Url`], without a word of the address but the names of its parameters.
    pub(crate) fn options(&self) -> Result<PgConnectOptions, Error> {
        let wrong = |why: &str| {
            let text = format!(
                "the address of the database {why}; write postgres://USER@HOST:PORT/DATABASE, with \
                 %40 for @, %2F for /, %3F for ? and %23 for # in user and password"
            );
            Error::new(ErrorKind::Url, text)
        };
        let Some(rest) = after_scheme(&self.0) else {
            return Err(wrong("does not begin with postgres://"));
        };
        let (_, behind) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if behind.contains('@') || behind.contains('#') {
            // Else a part of the password would be the name of a database, which is shown.
            return Err(wrong("has an @ or # behind its host"));
        }
        for (key, _) in parameters(behind.split_once('?').map_or("", |it| it.1)) {
            if !KEYS.contains(&key) {
                let key: String = key.chars().filter(|it| !it.is_control()).take(40).collect();
                return Err(wrong(&format!("has a parameter `{key}` that is not known here")));
            }
        }
        // The driver logs what it does not understand of it, and lines of ~/.pgpass, in full.
        let read = with_default(NoSubscriber::default(), || PgConnectOptions::from_str(&self.0));
        let options = read.map_err(|_| wrong("cannot be read"))?;
        let host = options.get_host();
        // As the address writes an IPv6 host, and as nobody connects to it.
        let bare = host.strip_prefix('[').and_then(|it| it.strip_suffix(']')).map(str::to_owned);
        let options = match bare {
            Some(bare) => options.host(&bare),
            None => options,
        };
        Ok(options.application_name("giulia").options(SETTINGS.iter().copied()))
    }

    /// As it is written, and as it is meant.
    fn passwords(&self) -> Vec<String> {
        let rest = after_scheme(&self.0).unwrap_or(&self.0);
        let credentials = rest.rsplit_once('@').map(|it| it.0);
        let mut found: Vec<&str> =
            credentials.and_then(|it| it.split_once(':')).map(|it| it.1).into_iter().collect();
        let query = rest.split_once('?').map_or("", |it| it.1);
        found.extend(parameters(query).filter(|it| it.0 == "password").map(|it| it.1));
        let both = found.into_iter().flat_map(|it| [it.to_owned(), percent_decoded(it)]);
        let mut both: Vec<String> = both.filter(|it| !it.is_empty()).collect();
        both.dedup();
        both
    }
}

fn after_scheme(text: &str) -> Option<&str> {
    text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"))
}

fn parameters(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter(|it| !it.is_empty()).map(|it| it.split_once('=').unwrap_or((it, "")))
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = |it: &u8| char::from(*it).to_digit(16).and_then(|it| u8::try_from(it).ok());
        if let (b'%', [high, low, after @ ..]) = (first, tail)
            && let Some((high, low)) = hex(high).zip(hex(low))
        {
            bytes.push(high * 16 + low);
            rest = after;
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_is_read_and_its_server_may_only_be_asked() {
        let url = DatabaseUrl::new("postgres://me:s%40crets@[::1]:5433/shop?sslmode=disable");
        let options = url.options().unwrap();
        assert_eq!((options.get_host(), options.get_port()), ("::1", 5433));
        assert_eq!((options.get_username(), options.get_database()), ("me", Some("shop")));
        assert_eq!(options.get_application_name(), Some("giulia"));
        let settings = options.get_options().unwrap();
        assert!(settings.contains("default_transaction_read_only=on"), "{settings}");
        assert!(settings.contains("statement_timeout=5000"), "{settings}");
    }

    #[test]
    fn what_is_wrong_with_an_address_is_told_without_a_word_of_it() {
        for (text, why) in [
            ("mysql://me:hunter22@h/d", "postgres://"),
            ("postgres://me:hun/ter22@h/d", "behind its host"),
            ("postgres://me:12/hunter22@h/d", "behind its host"),
            ("postgres://me:hunt#er22@h/d", "behind its host"),
            ("postgres://me:hunter22@h:99999/d", "cannot be read"),
            ("postgres://me@h/d?passwrod=hunter22", "`passwrod`"),
            ("postgres://me@h/d?sslmode=hunter22", "cannot be read"),
            ("hunter22", "postgres://"),
        ] {
            let error = DatabaseUrl::new(text).options().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Url);
            let said = error.to_string();
            assert!(said.contains(why) && !said.contains("ter22"), "{text}: {said}");
        }
    }

    #[test]
    fn nothing_shows_a_password_and_command_lines_lose_it() {
        let url = DatabaseUrl::new("postgres://me:hunter22@h/d");
        assert!(url.has_password() && !format!("{url:?}").contains("hunter22"));
        assert_eq!(
            url.hidden_in("psql postgres://me:hunter22@h/d"),
            "psql postgres://me:(password)@h/d"
        );
        assert_eq!(url.hidden_in("PGPASSWORD=hunter22"), "PGPASSWORD=(password)");
        let decoded = DatabaseUrl::new("postgres://me:hunt%65r22@h/d");
        assert_eq!(decoded.hidden_in("hunter22 hunt%65r22"), "(password) (password)");
        let short = DatabaseUrl::new("postgres://me:cat@h/d");
        assert_eq!(short.hidden_in("concatenate :cat@"), "concatenate :(password)@");
        let query = DatabaseUrl::new("postgres://me@h/d?sslmode=disable&password=hunter22");
        assert!(query.has_password());
        assert!(!query.hidden_in("postgres://me@h/d?password=hunter22").contains("hunter22"));
        assert!(!DatabaseUrl::new("postgres://me@h/d").has_password());
    }

    proptest! {
        #[test]
        fn no_text_breaks_it_and_no_error_tells_a_password(
            user in "[a-z]{0,5}", password in "[A-Z/@#?:%0-9]{8,20}", rest in "[a-z/?=&:@#%0-9]{0,20}",
        ) {
            let url = DatabaseUrl::new(format!("postgres://{user}:{password}@{rest}"));
            if let Err(error) = url.options() {
                prop_assert!(!error.to_string().contains(&password), "{}", error);
            }
            prop_assert!(url.hidden_in(&rest).len() <= 40 * 20);
        }
    }
}
