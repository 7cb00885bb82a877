//! Question: what is this node?
//!
//! Call: `erlang:system_info/1` and `init:get_argument/1` mapped over items,
//! `application:which_applications/1`, `application:loaded_applications/0`, `erlang:nodes/1`,
//! `erlang:monotonic_time/0`; evaluated, the length of `erlang:loaded/0`.
//! First OTP: 23 (`emu_flavor` from ERTS 12).
//! Cost: constant in processes; one message each to `init` and to the application controller.
//! Limit: the application controller gets one second.
//! Side effects: none. Flags are asked by name, so the cookie never travels; our own node is
//! left out of the connected ones.

use giulia_dist::term::Term;
use giulia_model::{Application, NodeFacts};

use super::Probe;
use crate::{
    ErtsVersion,
    answer::{self, Answer, Bif, Problem},
    eval,
    link::Link,
};

pub(crate) const PROBE: Probe = Probe { name: "node", question: "what is this node?" };

const ITEMS: [&str; 11] = [
    "otp_release",
    "version",
    "system_architecture",
    "wordsize",
    "os_type",
    "os_version",
    "start_time",
    "scheduler_bind_type",
    "message_queue_data",
    "time_warp_mode",
    "dist_buf_busy_limit",
];

/// Flags that change how a node behaves and hold no secret.
const FLAGS: [&str; 16] = [
    "boot",
    "config",
    "connect_all",
    "detached",
    "dist_listen",
    "embedded",
    "heart",
    "hidden",
    "mode",
    "name",
    "noinput",
    "noshell",
    "proto_dist",
    "sname",
    "ssl_dist_optfile",
    "start_epmd",
];

/// The application controller answers at once or is in trouble, in ms.
const CONTROLLER_TIMEOUT_MS: i64 = 1000;

/// What only the link knows.
pub(crate) struct About<'a> {
    pub(crate) name: &'a str,
    pub(crate) us: &'a str,
    pub(crate) erts: &'a ErtsVersion,
    pub(crate) no_eval: bool,
}

impl<'a> About<'a> {
    pub(crate) fn of(link: &'a Link) -> Self {
        let connection = link.connection();
        Self {
            name: connection.peer().name.as_str(),
            us: connection.local_name(),
            erts: link.erts(),
            no_eval: link.no_eval(),
        }
    }
}

pub(crate) fn questions(about: &About<'_>) -> Vec<Bif> {
    let mut items: Vec<_> = ITEMS.map(Term::atom).into();
    if about.erts.at_least(&[12]) {
        items.push(Term::atom("emu_flavor"));
    }
    let unit = [Term::int(1), Term::atom("second"), Term::atom("native")];
    let mut questions = vec![
        Bif::map("erlang", "system_info", items),
        Bif::map("init", "get_argument", FLAGS.map(Term::atom)),
        Bif::new("application", "which_applications", [Term::int(CONTROLLER_TIMEOUT_MS)]),
        Bif::new("application", "loaded_applications", []),
        Bif::new("erlang", "nodes", [Term::atom("connected")]),
        Bif::new("erlang", "monotonic_time", []),
        Bif::new("erlang", "convert_time_unit", unit),
    ];
    if !about.no_eval {
        questions.push(eval::NODE.with(Term::tuple([])));
    }
    questions
}

pub(crate) fn read(answers: &[Answer], about: &About<'_>) -> Result<NodeFacts, Problem> {
    let told = answer::list(answer::term(answers, 0)?)?;
    let item = |at: usize| told.get(at);
    let shown = |at: usize| item(at).and_then(answer::text).unwrap_or_default();
    let given = arguments(answers)?;
    let (running, loaded) = (applications(answers, 2)?, applications(answers, 3)?);
    let elixir = loaded.iter().find(|it| it.name == "elixir").map(|it| it.version.clone());
    let word_bytes = item(3).map_or(Ok(0), answer::uint)?;
    let mut connected: Vec<String> = answer::list(answer::term(answers, 4)?)?
        .iter()
        .filter_map(answer::text)
        .filter(|it| it != about.us)
        .collect();
    connected.sort();
    let modules = answer::term(answers, 7).ok().and_then(|it| match it.as_list() {
        Some([count]) => answer::uint(count).ok(),
        _ => None,
    });
    let long = about.name.split('@').nth(1).is_some_and(|host| host.contains(['.', ':']));
    Ok(NodeFacts {
        name: about.name.to_owned(),
        otp_release: shown(0),
        erts_version: shown(1),
        elixir_version: elixir,
        emulator: item(11).and_then(answer::text).unwrap_or_else(|| "emu".to_owned()),
        code_mode: mode(&given).to_owned(),
        uptime_ms: uptime_ms(answers, item(6))?,
        word_bytes: u32::try_from(word_bytes).unwrap_or_default(),
        architecture: shown(2),
        os: os(item(4), item(5)),
        name_mode: if long { "long" } else { "short" }.to_owned(),
        modules_loaded: modules,
        flags: flags(&given, &told),
        applications: running,
        connected_nodes: connected,
        gates: crate::gates(about.erts),
    })
}

/// The given flags of [`FLAGS`], with their values.
fn arguments(answers: &[Answer]) -> Result<Vec<(&'static str, Vec<String>)>, Problem> {
    let told = answer::terms(answers, 1, FLAGS.len())?;
    let mut given = Vec::new();
    for (flag, it) in FLAGS.iter().zip(&told) {
        // `error`, or `{ok, [[Value]]}` with one list for each time that it was given.
        let Some([_, times]) = it.as_tuple() else { continue };
        for values in times.as_list().unwrap_or_default() {
            let values = values.as_list().unwrap_or_default();
            given.push((*flag, values.iter().filter_map(answer::text).collect()));
        }
    }
    Ok(given)
}

/// OTP's own default is interactive.
fn mode(given: &[(&str, Vec<String>)]) -> &'static str {
    let embedded = given.iter().any(|(flag, values)| {
        *flag == "embedded" || (*flag == "mode" && values.iter().any(|it| it == "embedded"))
    });
    if embedded { "embedded" } else { "interactive" }
}

fn flags(given: &[(&str, Vec<String>)], told: &[Term<'_>]) -> Vec<String> {
    let mut flags: Vec<String> = given
        .iter()
        .map(|(flag, values)| {
            let mut text = format!("-{flag}");
            for value in values {
                text.push(' ');
                text.push_str(value);
            }
            text
        })
        .collect();
    for (at, name) in ITEMS.iter().enumerate().skip(7) {
        if let Some(value) = told.get(at) {
            flags.push(format!("{name} {value}"));
        }
    }
    // Scripts like to say the same twice.
    flags.dedup();
    flags
}

fn applications(answers: &[Answer], at: usize) -> Result<Vec<Application>, Problem> {
    let told = answer::list(answer::term(answers, at)?)?;
    let mut found: Vec<Application> = told
        .iter()
        .filter_map(|it| match it.as_tuple() {
            Some([name, _, version]) => {
                Some(Application { name: answer::text(name)?, version: answer::text(version)? })
            }
            _ => None,
        })
        .collect();
    found.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(found)
}

fn uptime_ms(answers: &[Answer], started: Option<&Term<'_>>) -> Result<u64, Problem> {
    let now = answer::term(answers, 5)?;
    let unit = answer::uint(&answer::term(answers, 6)?)?;
    let (Some(now), Some(started)) = (now.as_int(), started.and_then(Term::as_int)) else {
        return Err(answer::unexpected(&now));
    };
    let elapsed = u128::try_from(i128::from(now) - i128::from(started)).unwrap_or_default();
    Ok(u64::try_from(elapsed * 1000 / u128::from(unit.max(1))).unwrap_or(u64::MAX))
}

/// `Linux 6.1.0` from `{unix, linux}` and `{6, 1, 0}`.
fn os(kind: Option<&Term<'_>>, version: Option<&Term<'_>>) -> String {
    let name = kind.and_then(|it| match it.as_tuple() {
        Some([_, name]) => answer::text(name),
        _ => answer::text(it),
    });
    let mut name = name.unwrap_or_default();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    let parts: Vec<String> = version
        .and_then(Term::as_tuple)
        .unwrap_or_default()
        .iter()
        .map(ToString::to_string)
        .collect();
    format!("{name} {}", parts.join(".")).trim_end().to_owned()
}
