//! Predictions against what came: sessions of a target before a change and after it, under the
//! same load, and what `giulia compare` makes of both.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use giulia_testkit::Nexus;
use serde_json::Value;
use tempfile::TempDir;

use super::{Options, median_and_max, named, nexus::figures, verdict};

/// Loads, in an order in which the first few are as different as they can be. Nexus shares its two
/// cores with its database, and with 20 and 50 clients they are saturated.
const PAIRS: [Pair; 14] = [
    Pair::Kv("closed loop, 50 workers", &["concurrency=50"]),
    Pair::Nexus("closed loop, 2 clients", 2),
    Pair::Kv("open, 2,000/s", &["concurrency=50", "rate=2000"]),
    Pair::Nexus("closed loop, 20 clients", 20),
    Pair::Kv("closed loop, 1 worker", &["concurrency=1"]),
    Pair::Nexus("closed loop, 4 clients", 4),
    Pair::Kv("open, 10,000/s", &["concurrency=50", "rate=10000"]),
    Pair::Kv("closed loop, 8 workers", &["concurrency=8"]),
    Pair::Kv("open, 500/s", &["concurrency=50", "rate=500"]),
    Pair::Kv("closed loop, 200 workers", &["concurrency=200"]),
    Pair::Nexus("closed loop, 50 clients", 50),
    Pair::Nexus("closed loop, 1 client", 1),
    Pair::Kv("closed loop, 2 workers", &["concurrency=2"]),
    Pair::Kv("open, 20,000/s", &["concurrency=100", "rate=20000"]),
];

/// Fewer say nothing of the middle.
const PAIRS_MIN: usize = 10;
const ERROR_MAX: f64 = 0.25;
/// Longer than any check; the load ends with it.
const LOAD_S: u32 = 240;
/// Until a load is in its stride.
const LEAD: Duration = Duration::from_secs(3);
/// Without giulia each load runs again so long before the change and after it, by turns: one and the
/// same load of kv did 184,000 or 403,000 operations a second from one minute to the next, and what
/// both sides of a pair have in common is no part of what a change brought.
const TRUTH_S: &str = "3";
const TURNS: usize = 5;
/// What is told of each pair; memory of tables and utilisation are told by `giulia compare` too.
const METRICS: [&str; 3] = ["calls_per_second", LATENCY, "queries_per_second"];
const LATENCY: &str = "latency_us";
/// The latter as what a call takes less: told, and not a part of the verdict.
const SAVED: &str = "latency_us that goes away";

#[derive(Clone, Copy)]
enum Pair {
    /// kv from its registry's process to a table, with these words of `scripts/kv load`.
    Kv(&'static str, &'static [&'static str]),
    /// Nexus from `PostgreSQL` to a table, with so many clients.
    Nexus(&'static str, u32),
}

/// What a load measured itself, the middle of all turns.
struct Truth {
    /// Operations a second after the change, of those before it.
    faster: f64,
    /// The same of the turn that gained least and of the one that gained most.
    turns: (f64, f64),
    /// How long a lookup takes after the change; Nexus has no stopwatch.
    lookup_us: Option<f64>,
}

impl Truth {
    /// Figures of the load before and after, by name, of each turn.
    fn of(turns: &[[BTreeMap<String, f64>; 2]]) -> Result<Self> {
        let rate = |it: &BTreeMap<String, f64>| {
            let rate = it.get("operations_per_second").copied();
            rate.with_context(|| format!("a load told no rate: {it:?}"))
        };
        let faster =
            |[before, after]: &[BTreeMap<String, f64>; 2]| Ok(rate(after)? / rate(before)?);
        let mut faster = turns.iter().map(faster).collect::<Result<Vec<f64>>>()?;
        let lookup = |[_, after]: &[BTreeMap<String, f64>; 2]| after.get("lookup_mean_us").copied();
        let mut lookups: Vec<f64> = turns.iter().filter_map(lookup).collect();
        let (middle, most) = median_and_max(&mut faster);
        Ok(Self {
            faster: middle,
            turns: (faster.first().copied().unwrap_or(f64::NAN), most),
            lookup_us: (!lookups.is_empty()).then(|| median_and_max(&mut lookups).0),
        })
    }
}

/// What became of the predictions of one kind.
#[derive(Default)]
struct Told {
    measured: usize,
    within: usize,
    errors: Vec<f64>,
}

/// `--runs` is the number of pairs.
pub(super) fn run(options: &Options) -> Result<()> {
    let otp = giulia_testkit::otp(options.otp.unwrap_or(27));
    let otp = otp.context("no such OTP here: scripts/otp-matrix 27")?;
    let wanted = usize::try_from(options.runs).unwrap_or(usize::MAX);
    let store = tempfile::tempdir()?;
    let before = Kv::start(otp.release, "genserver")?;
    let after = Kv::start(otp.release, "ets_call")?;
    let mut told: BTreeMap<&str, Told> = BTreeMap::new();
    for pair in PAIRS.iter().cycle().take(wanted) {
        let (sessions, turns) = match pair {
            Pair::Kv(_, words) => {
                let check = |it: &Kv| it.check(options, store.path(), words);
                let sessions = [check(&before)?, check(&after)?];
                (sessions, by_turns([&before, &after], |it| it.load(words))?)
            }
            Pair::Nexus(_, clients) => {
                // Fresh ones: the load inserts rows, and queries take longer the more there are.
                let [before, after] = ["db", "ets"].map(|it| Nexus::start(&otp, it, &[]));
                let check = |it: &Nexus| check_nexus(options, store.path(), it, *clients);
                let sessions = [check(&before)?, check(&after)?];
                let workers = clients.to_string();
                let load = ["load", "--for", TRUTH_S, "--workers", &workers];
                (sessions, by_turns([&before, &after], |it| figures(it, &load))?)
            }
        };
        let compared = compare(options, store.path(), &sessions)?;
        tell(pair, &compared, &Truth::of(&turns)?, &mut told);
    }
    conclude(told, wanted, otp.release)
}

/// Prints what became of each prediction of a pair, and counts it.
#[expect(clippy::print_stdout, reason = "figures are this program's data")]
fn tell(pair: &Pair, compared: &Value, truth: &Truth, told: &mut BTreeMap<&str, Told>) {
    let title = match pair {
        Pair::Kv(title, _) => format!("kv, {title}"),
        Pair::Nexus(title, _) => format!("Nexus, {title}"),
    };
    let rows = compared.pointer("/predictions").and_then(Value::as_array);
    let rows: Vec<&Value> = rows.into_iter().flatten().filter(|it| is_told(it)).collect();
    if rows.is_empty() {
        println!("{title}: nothing was predicted");
        told.entry(METRICS[0]).or_default().measured += 1;
    }
    for row in rows {
        println!("{title}: {}", one(row, truth, told));
    }
    let (least, most) = truth.turns;
    println!("{title}: {:.2} times as fast, by turns {least:.2} to {most:.2}", truth.faster);
}

fn is_told(row: &Value) -> bool {
    let metric = row.pointer("/gain/metric").and_then(Value::as_str).unwrap_or_default();
    METRICS.contains(&metric)
}

/// One prediction as a line, counted.
fn one(row: &Value, truth: &Truth, told: &mut BTreeMap<&str, Told>) -> String {
    let text = |at: &str| row.pointer(at).and_then(Value::as_str).unwrap_or_default();
    let number = |at: &str| row.pointer(at).and_then(Value::as_f64);
    let metric = text("/gain/metric");
    // Of queries it is told how many go away: that is what is predicted, and what remains may be none.
    let there = number("/gain/before").unwrap_or(0.0) * number("/scaled_by").unwrap_or(1.0);
    let saves = metric == "queries_per_second";
    let value = |at: &str| number(at).map(|it| if saves { (there - it).max(0.0) } else { it });
    let figure = |at: &str| value(at).map_or("-".to_owned(), shown);
    let (low, high) = if saves { ("/gain/high", "/gain/low") } else { ("/gain/low", "/gain/high") };
    let known = METRICS.iter().find(|it| **it == metric).copied().unwrap_or_default();
    let count = told.entry(known).or_default();
    count.measured += 1;
    let own = match metric {
        // `giulia compare` states the range for as much CPU time as the second session had.
        "calls_per_second" => Some(there * truth.faster),
        LATENCY => truth.lookup_us,
        _ => None,
    };
    let (is_within, measured, error) = measured(row, own);
    // A range that says everything is never right.
    let is_narrow = value(high).zip(value(low)).is_none_or(|(high, low)| high <= 2.001 * low);
    count.within += usize::from(is_within && is_narrow);
    count.errors.extend(error);
    let gone = measured.filter(|_| metric == LATENCY).and_then(|it| gone(row, it, told));
    format!(
        "{}{metric}{} was {}, predicted {} ({} to {}), measured {}{}, {}{}{}{}",
        if is_narrow { "" } else { "RANGE TOO WIDE " },
        if saves { " that go away" } else { "" },
        if saves { "0".to_owned() } else { figure("/gain/before") },
        figure("/gain/likely"),
        figure(low),
        figure(high),
        measured
            .map(|it| if saves { (there - it).max(0.0) } else { it })
            .map_or("-".to_owned(), shown),
        own.and(number("/measured"))
            .map_or(String::new(), |it| format!(" (by giulia {})", shown(it))),
        if is_within { "within" } else { "NOT within" },
        error.map_or(String::new(), |it| format!(", off by {:.0} %", it * 100.0)),
        gone.unwrap_or_default(),
        match text("/why") {
            "" => String::new(),
            why => format!(" ({why})"),
        }
    )
}

/// The same prediction by what it saves, which is what a caller notices: a read of a table is known
/// to no better than what counting it costs, and the call that it replaces takes a hundred times as
/// long.
fn gone(row: &Value, measured: f64, told: &mut BTreeMap<&str, Told>) -> Option<String> {
    let number = |at: &str| row.pointer(at).and_then(Value::as_f64);
    let before = number("/gain/before")?;
    let [likely, low, high] =
        [number("/gain/likely")?, number("/gain/high")?, number("/gain/low")?]
            .map(|it| before - it);
    let saved = before - measured;
    let error = (likely - saved).abs() / saved.abs().max(f64::MIN_POSITIVE);
    let count = told.entry(SAVED).or_default();
    count.measured += 1;
    count.within += usize::from((low..=high).contains(&saved));
    count.errors.push(error);
    Some(format!(
        "; saves {}, predicted {}, off by {:.2} %",
        shown(saved),
        shown(likely),
        error * 100.0
    ))
}

/// Whether what came is within the range, what it was, and how far off the likeliest figure is: as
/// `giulia compare` says, where the load does not say it itself.
fn measured(row: &Value, own: Option<f64>) -> (bool, Option<f64>, Option<f64>) {
    let number = |at: &str| row.pointer(at).and_then(Value::as_f64);
    let (measured, error) = (number("/measured"), number("/error_share"));
    let range = number("/gain/low").zip(number("/gain/high"));
    match (own, range, number("/gain/likely")) {
        (Some(own), Some((low, high)), Some(likely)) => {
            ((low..=high).contains(&own), Some(own), Some((likely - own).abs() / own))
        }
        _ => (row.pointer("/within").and_then(Value::as_bool) == Some(true), measured, error),
    }
}

fn conclude(told: BTreeMap<&str, Told>, pairs: usize, release: u32) -> Result<()> {
    let mut is_met = pairs >= PAIRS_MIN;
    let mut parts = Vec::new();
    for (metric, mut it) in told {
        let (median, most) = median_and_max(&mut it.errors);
        is_met &= metric == SAVED || (it.within == it.measured && median <= ERROR_MAX);
        parts.push(format!(
            "{metric}: {} of {} within their range, the middle one off by {:.0} %, the worst by {:.0} %",
            it.within,
            it.measured,
            median * 100.0,
            most * 100.0
        ));
    }
    verdict(is_met, &format!("OTP {release}, {pairs} pairs before and after: {}", parts.join("; ")))
}

fn shown(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

/// Both sessions side by side, as a document.
fn compare(options: &Options, store: &Path, sessions: &[String; 2]) -> Result<Value> {
    let mut command = Command::new(&options.giulia);
    command.args(["compare", &sessions[0], &sessions[1], "--json", "-q", "--store"]);
    document(command.arg(store.join("giulia.db")))
}

/// Watches a node and asks closely; the name of the session.
fn check(options: &Options, store: &Path, mut command: Command) -> Result<String> {
    let seconds = format!("{}s", options.seconds.min(10));
    command.args(["--for", &seconds, "--json", "-q", "--store"]).arg(store.join("giulia.db"));
    command.env("GIULIA_TIMEOUT", "30s").stdin(Stdio::null());
    let said = document(&mut command)?;
    let name = said.pointer("/findings/session").and_then(Value::as_str);
    name.map(str::to_owned).context("the check names no session")
}

fn document(command: &mut Command) -> Result<Value> {
    let output = command.output().with_context(|| format!("running {command:?}"))?;
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    serde_json::from_slice(&output.stdout).with_context(|| format!("{command:?} said {talk}"))
}

/// What a load tells of itself before the change and after it, turn by turn, with nobody looking.
fn by_turns<T: Copy>(
    [before, after]: [T; 2],
    load: impl Fn(T) -> Result<BTreeMap<String, f64>>,
) -> Result<Vec<[BTreeMap<String, f64>; 2]>> {
    (0..TURNS).map(|_| Ok([load(before)?, load(after)?])).collect()
}

fn check_nexus(options: &Options, store: &Path, nexus: &Nexus, clients: u32) -> Result<String> {
    let mut load = nexus.load(clients);
    thread::sleep(LEAD);
    let mut command = Command::new(&options.giulia);
    command.args(["check", Nexus::NODE, "--trace", "Nexus.Registry.TableRegistry.get/1"]);
    command.arg("--cookie-file").arg(nexus.cookie_file());
    command.env("ERL_EPMD_PORT", nexus.ports()[0].to_string());
    let session = check(options, store, command);
    let ended = load.try_wait()?;
    if ended.is_none() {
        Nexus::end(load);
    }
    ensure!(ended.is_none(), "the load of Nexus ended before the check");
    session
}

/// A kv node with an EPMD of its own.
struct Kv {
    runtime: TempDir,
    epmd_port: u16,
}

impl Kv {
    const NODE: &'static str = "kv@127.0.0.1";

    fn start(release: u32, registry: &str) -> Result<Self> {
        let epmd_port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let kv = Self { runtime: tempfile::tempdir()?, epmd_port };
        let release = release.to_string();
        let output = kv.script(&["start", "--otp", &release, "--registry", registry]).output()?;
        if !output.status.success() {
            bail!("scripts/kv start failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(kv)
    }

    fn script(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("scripts/kv");
        command.args(arguments).stdin(Stdio::null());
        command.env("XDG_RUNTIME_DIR", self.runtime.path());
        command.env("ERL_EPMD_PORT", self.epmd_port.to_string());
        command
    }

    fn check(&self, options: &Options, store: &Path, words: &[&str]) -> Result<String> {
        let seconds = format!("seconds={LOAD_S}");
        let mut command = self.script(&["load", &seconds]);
        command.args(words).stdout(Stdio::null()).stderr(Stdio::null());
        let mut load = Load(command.spawn().context("starting a load")?);
        thread::sleep(LEAD);
        let cookie =
            self.runtime.path().join("giulia-kv").join(Self::NODE).join("home/.erlang.cookie");
        let mut command = Command::new(&options.giulia);
        command.args(["check", Self::NODE, "--trace", "KV.Registry.lookup/2", "--cookie-file"]);
        command.arg(cookie).env("ERL_EPMD_PORT", self.epmd_port.to_string());
        let session = check(options, store, command);
        ensure!(load.0.try_wait()?.is_none(), "the load of kv ended before the check");
        session
    }

    /// What the load says of itself.
    fn load(&self, words: &[&str]) -> Result<BTreeMap<String, f64>> {
        let mut command = self.script(&["load", &format!("seconds={TRUTH_S}"), "lookups=1"]);
        let output = command.args(words).output().context("running a load")?;
        Ok(named(&String::from_utf8_lossy(&output.stdout)))
    }
}

impl Drop for Kv {
    fn drop(&mut self) {
        // Whatever it says, there is nobody left to hear it.
        self.script(&["stop"]).output().ok();
    }
}

/// A load of kv, which ends when its caller hangs up.
struct Load(Child);

impl Drop for Load {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
