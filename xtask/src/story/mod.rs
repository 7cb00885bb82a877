//! The story that giulia began with, told again: seven sessions of an API gateway on `PostgreSQL` and
//! the key-value store before and after its table, in one report beside what was published.
//!
//! ```text
//! cargo xtask story --giulia PATH --out FOLDER [--seconds N] [--otp N]
//! ```

mod lab;
mod report;
mod seed;

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use self::lab::{Lab, NEXUS};

/// What to tell, and where to.
#[derive(Debug)]
pub(crate) struct Options {
    giulia: PathBuf,
    out: PathBuf,
    /// Of each load.
    seconds: u32,
    otp: u32,
}

/// One session as it was recorded, with what its load said of itself.
struct Told {
    report: Value,
    /// What the rules say of it.
    checked: Value,
    load: lab::Figures,
}

/// A check before a change, one after it, and both compared.
struct Changed {
    what: &'static str,
    before: Value,
    after: Value,
    compared: Value,
    loads: [lab::Figures; 2],
}

impl Options {
    /// Reads `--giulia PATH --out FOLDER --seconds N --otp N`.
    pub(crate) fn parse(arguments: &[&str]) -> Result<Self> {
        let mut options =
            Self { giulia: PathBuf::new(), out: PathBuf::new(), seconds: 30, otp: 27 };
        for pair in arguments.chunks(2) {
            let [name, value] = pair else { bail!("`{}` lacks its value", pair.concat()) };
            let number = || value.parse().with_context(|| format!("{name} takes a number"));
            match *name {
                "--giulia" => options.giulia = fs::canonicalize(value).context("--giulia")?,
                "--out" => options.out = PathBuf::from(value),
                "--seconds" => options.seconds = number()?,
                "--otp" => options.otp = number()?,
                _ => bail!("`{name}` is none of --giulia, --out, --seconds, --otp"),
            }
        }
        if options.out.as_os_str().is_empty() {
            bail!("--out names no folder");
        }
        Ok(options)
    }
}

/// Runs all of it, writes `story.md`, and fails when the story's own claims do not hold.
pub(crate) fn run(options: &Options) -> Result<()> {
    fs::create_dir_all(&options.out).context("making the folder of --out")?;
    let lab = Lab::new(options)?;
    let sessions = sessions(&lab)?;
    let changes = [nexus_change(&lab)?, kv_change(&lab)?];
    let text = report::write((options.otp, options.seconds), &sessions, &changes);
    let path = options.out.join("story.md");
    fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    lab.keep_store(&options.out)?;
    lab::say(&format!("written: {}", path.display()));
    report::verdict(&sessions, &changes)
}

/// The seven of the article, in its order.
fn sessions(lab: &Lab<'_>) -> Result<Vec<Told>> {
    let registry = "Nexus.Registry.TableRegistry";
    let mut told = Vec::new();
    lab.start_nexus("db", "sync", "info")?;
    told.push(lab.observe("story-1", &[], Some("suite"))?);
    told.push(lab.observe("story-2", &[], None)?);
    told.push(lab.observe("story-3", &[], Some("load"))?);
    lab.start_nexus("db", "sync", "warning")?;
    told.push(lab.observe("story-4", &[], Some("load"))?);
    lab.start_nexus("db", "async", "info")?;
    told.push(lab.observe("story-5", &[], Some("load"))?);
    told.push(lab.observe("story-6", &[registry], Some("load"))?);
    told.push(lab.observe("story-7", &[registry, "Nexus.Repo"], Some("load"))?);
    Ok(told)
}

/// The advice for the registry, followed.
fn nexus_change(lab: &Lab<'_>) -> Result<Changed> {
    let trace = ["Nexus.Registry.TableRegistry.get/1"];
    let (before, load_before) = lab.check(NEXUS, "story-db", &trace)?;
    lab.start_nexus("ets", "async", "info")?;
    let (after, load_after) = lab.check(NEXUS, "story-ets", &trace)?;
    lab.stop("scripts/nexus")?;
    Ok(Changed {
        what: "Nexus: the registry of tables from PostgreSQL to ETS",
        compared: lab.compare(&before, &after)?,
        loads: [load_before, load_after],
        before,
        after,
    })
}

/// The second seed: a registry that is asked by everybody, then one that is read.
fn kv_change(lab: &Lab<'_>) -> Result<Changed> {
    let trace = ["KV.Registry.lookup/2"];
    lab.start_kv("genserver")?;
    let (before, load_before) = lab.check(lab::KV, "story-genserver", &trace)?;
    lab.start_kv("ets_call")?;
    let (after, load_after) = lab.check(lab::KV, "story-ets-call", &trace)?;
    lab.stop("scripts/kv")?;
    Ok(Changed {
        what: "kv: lookups from the registry's process to its ETS table",
        compared: lab.compare(&before, &after)?,
        loads: [load_before, load_after],
        before,
        after,
    })
}
