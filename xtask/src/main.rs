//! Chores: what is committed and made by a machine is made, and checked, here.
//!
//! ```text
//! cargo xtask forms            makes crates/giulia-probe/forms/*.etf from erl/*.erl
//! cargo xtask forms --check    fails when a committed form differs from a fresh one
//! cargo xtask record           records replies of real nodes into fixtures/otp-*/
//! cargo xtask evidence NAME    measures what a claim rests on; see scripts/evidence
//! cargo xtask story            the seven sessions of the article on our targets; see scripts/story
//! ```

mod evidence;
mod forms;
mod record;
mod story;

use std::env;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["forms"] => forms::write(),
        ["forms", "--check"] => forms::check(),
        ["record"] => record::write(),
        ["evidence", name, options @ ..] => {
            evidence::run(name, &evidence::Options::parse(options)?)
        }
        ["story", options @ ..] => story::run(&story::Options::parse(options)?),
        // Who is killed by the evidence of cleanup: started by it alone.
        ["hold", arguments @ ..] => evidence::hold(arguments),
        _ => bail!(
            "usage: cargo xtask forms [--check] | record | evidence NAME [OPTION VALUE]... | story [OPTION VALUE]..."
        ),
    }
}
