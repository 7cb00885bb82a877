//! Chores: what is committed and made by a machine is made, and checked, here.
//!
//! ```text
//! cargo xtask forms            makes crates/giulia-probe/forms/*.etf from erl/*.erl
//! cargo xtask forms --check    fails when a committed form differs from a fresh one
//! cargo xtask evidence NAME    measures what a claim rests on; see scripts/evidence
//! ```

mod evidence;
mod forms;

use std::env;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["forms"] => forms::write(),
        ["forms", "--check"] => forms::check(),
        ["evidence", name, options @ ..] => {
            evidence::run(name, &evidence::Options::parse(options)?)
        }
        _ => bail!("usage: cargo xtask forms [--check] | evidence NAME [OPTION VALUE]..."),
    }
}
