//! Figures that a claim rests on, measured on real nodes with the real program.
//!
//! Each prints what it measured and ends with one verdict line; `scripts/evidence` calls it
//! with the N of the claim, CI with a smaller one.

mod fleet;
mod os;
mod scale;
mod speed;
mod visit;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

/// What to measure, on how much.
#[derive(Debug)]
pub(crate) struct Options {
    /// The program under measurement.
    pub(crate) giulia: PathBuf,
    /// How often.
    pub(crate) runs: u32,
    /// Processes on the big node.
    pub(crate) processes: u32,
    /// Only this OTP.
    pub(crate) otp: Option<u32>,
}

impl Options {
    /// Reads `--giulia PATH --runs N --processes N --otp N`.
    pub(crate) fn parse(arguments: &[&str]) -> Result<Self> {
        let mut options = Self { giulia: PathBuf::new(), runs: 10, processes: 200_000, otp: None };
        for pair in arguments.chunks(2) {
            let [name, value] = pair else { bail!("`{}` lacks its value", pair.concat()) };
            let number = || value.parse().with_context(|| format!("{name} takes a number"));
            match *name {
                "--giulia" => options.giulia = PathBuf::from(value),
                "--runs" => options.runs = number()?,
                "--processes" => options.processes = number()?,
                "--otp" => options.otp = Some(number()?),
                _ => bail!("`{name}` is none of --giulia, --runs, --processes, --otp"),
            }
        }
        if !options.giulia.is_file() {
            bail!("--giulia names no file: build it with `cargo build --release -p giulia`");
        }
        Ok(options)
    }

    /// The OTPs to measure on.
    pub(crate) fn otps(&self) -> Vec<giulia_testkit::Otp> {
        let all = giulia_testkit::otps();
        all.into_iter().filter(|it| self.otp.is_none_or(|only| only == it.release)).collect()
    }
}

/// Runs one measurement by its name.
pub(crate) fn run(name: &str, options: &Options) -> Result<()> {
    match name {
        "speed" => speed::run(options),
        "scale" => scale::run(options),
        "visit" => visit::run(options),
        _ => bail!("`{name}` is none of speed, scale, visit"),
    }
}

/// One line that says whether the claim holds; the exit code says the same.
#[expect(clippy::print_stdout, reason = "the verdict is this program's data")]
pub(crate) fn verdict(is_met: bool, text: &str) -> Result<()> {
    println!("verdict: {} {text}", if is_met { "MET" } else { "NOT MET" });
    if is_met { Ok(()) } else { bail!("the claim does not hold") }
}

/// The middle and the largest of some figures.
pub(crate) fn median_and_max(figures: &mut [f64]) -> (f64, f64) {
    figures.sort_by(f64::total_cmp);
    let middle = figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN);
    (middle, figures.last().copied().unwrap_or(f64::NAN))
}
