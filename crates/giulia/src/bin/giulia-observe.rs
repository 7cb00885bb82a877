//! `giulia-observe start|stop|status`: an older command line for `giulia observe`, which it runs.
//!
//! It lies beside `giulia` and is replaced by it, so signals, output and exit codes are giulia's.

use std::{
    env,
    ffi::OsString,
    io::{self, Write as _},
    ops::RangeInclusive,
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Command, ExitCode},
};

const USAGE: &str = "\
Usage: giulia-observe start NODE [COOKIE] [INTERVAL_MS] [MODULES]
       giulia-observe stop NODE
       giulia-observe status

The same as `giulia observe start|stop|status`, which has more to choose from.
MODULES are modules or patterns of them, with commas between, whose calls are counted.
The cookie comes from GIULIA_COOKIE or ~/.erlang.cookie where none is given or it is `-`.
";

/// Between two ticks where nothing is said, in milliseconds, as `giulia observe` has it.
const INTERVAL_MS: &str = "1000";
/// What `giulia observe --every` takes.
const INTERVALS_MS: RangeInclusive<u32> = 100..=3_600_000;
/// Usage: as giulia itself exits.
const USAGE_CODE: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<String> =
        env::args_os().skip(1).map(|it| it.to_string_lossy().into_owned()).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (command, cookie) = match arguments.as_slice() {
        ["start", node, rest @ ..] if rest.len() <= 3 => match start(node, rest) {
            Ok(command) => (command, rest.first().copied().filter(|it| is_given(it))),
            Err(why) => return wrong(&why),
        },
        ["stop", node] => (words(&["stop", node]), None),
        ["status"] => (words(&["status"]), None),
        ["-h" | "--help" | "help"] => {
            return match io::stdout().lock().write_all(USAGE.as_bytes()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::from(USAGE_CODE),
            };
        }
        _ => {
            io::stderr().lock().write_all(USAGE.as_bytes()).ok();
            return ExitCode::from(USAGE_CODE);
        }
    };
    let mut giulia = Command::new(beside());
    giulia.arg("observe").args(command);
    if let Some(cookie) = cookie {
        say("an argument shows the cookie to everybody who runs `ps` here; use GIULIA_COOKIE");
        giulia.env("GIULIA_COOKIE", cookie);
    }
    // Returns only when it failed.
    let error = giulia.exec();
    wrong(&format!("cannot run {}: {error}", beside().display()))
}

fn start(node: &str, rest: &[&str]) -> Result<Vec<OsString>, String> {
    let interval = rest.get(1).copied().filter(|it| is_given(it)).unwrap_or(INTERVAL_MS);
    let ms = interval.parse::<u32>().ok().filter(|it| INTERVALS_MS.contains(it));
    let Some(ms) = ms else {
        let (least, most) = (INTERVALS_MS.start(), INTERVALS_MS.end());
        return Err(format!(
            "`{interval}` is not an interval; write milliseconds, {least} to {most}, e.g. 5000"
        ));
    };
    let mut command = words(&["start", node, "--every", &format!("{ms}ms")]);
    if let Some(modules) = rest.get(2).filter(|it| is_given(it)) {
        let modules = modules.split([',', ' ']).map(str::trim).filter(|it| !it.is_empty());
        command.extend(modules.map(|it| OsString::from(format!("--trace={it}"))));
    }
    Ok(command)
}

/// Whether a place in the middle is used.
fn is_given(argument: &str) -> bool {
    !argument.is_empty() && argument != "-"
}

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

/// The program beside this one, or else the one on the path.
fn beside() -> PathBuf {
    let beside = env::current_exe().ok().map(|it| it.with_file_name("giulia"));
    beside.filter(|it| it.is_file()).unwrap_or_else(|| PathBuf::from("giulia"))
}

fn wrong(text: &str) -> ExitCode {
    say(text);
    ExitCode::from(USAGE_CODE)
}

fn say(text: &str) {
    // Whoever closed stderr does not want to hear it.
    writeln!(io::stderr().lock(), "giulia-observe: {}", text.trim_end()).ok();
}
