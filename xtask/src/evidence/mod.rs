//! Figures that a claim rests on, measured on real nodes with the real program.
//!
//! Each prints what it measured and ends with one verdict line; `scripts/evidence` calls it
//! with the N of the claim, CI with a smaller one.

mod cleanup;
mod cost;
mod counts;
mod explain;
mod flame;
mod fleet;
mod flood;
mod kill;
mod nexus;
mod nexus_check;
mod observed;
mod os;
mod predictions;
mod price;
mod scale;
mod soak;
mod speed;
mod visit;
mod zoo;

pub(crate) use cleanup::hold;

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context, Result, bail};

/// What to measure, on how much.
#[derive(Debug)]
pub(crate) struct Options {
    /// The program under measurement.
    pub(crate) giulia: PathBuf,
    /// How often.
    pub(crate) runs: u32,
    /// How long each run is, where that can be chosen.
    pub(crate) seconds: u64,
    /// Processes on the big node.
    pub(crate) processes: u32,
    /// Only this OTP.
    pub(crate) otp: Option<u32>,
    /// Only this variant, of what has some.
    pub(crate) only: Option<String>,
}

impl Options {
    /// Reads `--giulia PATH --runs N --seconds N --processes N --otp N --only NAME`.
    pub(crate) fn parse(arguments: &[&str]) -> Result<Self> {
        let mut options = Self {
            giulia: PathBuf::new(),
            runs: 10,
            seconds: 64,
            processes: 200_000,
            otp: None,
            only: None,
        };
        for pair in arguments.chunks(2) {
            let [name, value] = pair else { bail!("`{}` lacks its value", pair.concat()) };
            let number = || value.parse().with_context(|| format!("{name} takes a number"));
            match *name {
                "--giulia" => options.giulia = PathBuf::from(value),
                "--runs" => options.runs = number()?,
                "--seconds" => {
                    options.seconds = value.parse().context("--seconds takes a number")?;
                }
                "--processes" => options.processes = number()?,
                "--otp" => options.otp = Some(number()?),
                "--only" => options.only = Some((*value).to_owned()),
                _ => bail!(
                    "`{name}` is none of --giulia, --runs, --seconds, --processes, --otp, --only"
                ),
            }
        }
        if !options.giulia.is_file() {
            bail!("--giulia names no file: build it with `cargo build --release -p giulia`");
        }
        Ok(options)
    }

    /// Whether this variant is measured.
    pub(crate) fn is_chosen(&self, variant: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == variant)
    }

    /// The OTPs to measure on.
    pub(crate) fn otps(&self) -> Vec<giulia_testkit::Otp> {
        let all = giulia_testkit::otps();
        all.into_iter().filter(|it| self.otp.is_none_or(|only| only == it.release)).collect()
    }
}

/// What runs one measurement.
type Run = fn(&Options) -> Result<()>;

const ALL: &[(&str, Run)] = &[
    ("speed", speed::run),
    ("scale", scale::run),
    ("visit", visit::run),
    ("cost", cost::run),
    ("flame", flame::run),
    ("kill", kill::run),
    ("soak", soak::run),
    ("cleanup", cleanup::run),
    ("counts", counts::run),
    ("price", price::run),
    ("count-cost", cost::counters),
    ("explain", explain::run),
    ("flood", flood::run),
    ("nexus", nexus::run),
    ("nexus-check", nexus_check::run),
    ("zoo", zoo::run),
    ("predictions", predictions::run),
];

/// Runs one measurement by its name.
pub(crate) fn run(name: &str, options: &Options) -> Result<()> {
    let Some((_, run)) = ALL.iter().find(|(it, _)| *it == name) else {
        let names: Vec<_> = ALL.iter().map(|(it, _)| *it).collect();
        bail!("`{name}` is none of {}", names.join(", "));
    };
    run(options)
}

/// One line that says whether the claim holds; the exit code says the same.
#[expect(clippy::print_stdout, reason = "the verdict is this program's data")]
pub(crate) fn verdict(is_met: bool, text: &str) -> Result<()> {
    println!("verdict: {} {text}", if is_met { "MET" } else { "NOT MET" });
    if is_met { Ok(()) } else { bail!("the claim does not hold") }
}

/// The figures of a load by name, from the last line of what it said.
pub(crate) fn named(said: &str) -> BTreeMap<String, f64> {
    let last = said.lines().rev().find(|it| it.contains('=')).unwrap_or_default();
    let pairs = last.split_whitespace().filter_map(|it| it.split_once('='));
    pairs.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect()
}

/// The middle and the largest of some figures.
pub(crate) fn median_and_max(figures: &mut [f64]) -> (f64, f64) {
    figures.sort_by(f64::total_cmp);
    let middle = figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN);
    (middle, figures.last().copied().unwrap_or(f64::NAN))
}
