//! Tests that need real nodes: when they run, on which OTPs, and how many did.

use std::{
    env,
    fs::OpenOptions,
    io::{self, Write},
    panic::{self, AssertUnwindSafe},
};

use crate::{
    fail::{OrFail, fail},
    otp::{Otp, RELEASES, otp},
};

/// Whether `GIULIA_LIVE=1` asks for real nodes.
pub fn live_enabled() -> bool {
    env::var("GIULIA_LIVE").is_ok_and(|it| it == "1")
}

/// Runs a test on every OTP that is there, and records that it did.
///
/// Without `GIULIA_LIVE=1` it says so and returns. All OTPs run also after one failed, so
/// that the failure says on which of them.
#[track_caller]
pub fn for_each_otp(test_name: &str, test: impl Fn(&Otp)) {
    for_each_otp_from(0, test_name, test);
}

/// The same for what came with a release: older ones are left out.
#[track_caller]
pub fn for_each_otp_from(first: u32, test_name: &str, test: impl Fn(&Otp)) {
    if !live_enabled() {
        talk(&format!("live: skipped {test_name} (GIULIA_LIVE=1 runs it)"));
        return;
    }
    let mut failed = Vec::new();
    for release in RELEASES.into_iter().filter(|it| *it >= first) {
        let Some(otp) = otp(release) else {
            talk(&format!(
                "live: {test_name}: no OTP {release} here (scripts/otp-matrix {release})"
            ));
            append(&format!("skipped {release} {test_name}"));
            continue;
        };
        talk(&format!("live: {test_name} on OTP {release}"));
        match panic::catch_unwind(AssertUnwindSafe(|| test(&otp))) {
            Ok(()) => record_live(&otp, test_name),
            Err(_) => failed.push(release),
        }
    }
    if !failed.is_empty() {
        fail(format_args!("{test_name} failed on OTP {failed:?}, for the reasons above"));
    }
}

/// Appends `27 test_name` to the file that `GIULIA_LIVE_LOG` names; `scripts/test` counts.
pub fn record_live(otp: &Otp, test_name: &str) {
    append(&format!("{} {test_name}", otp.release));
}

fn append(line: &str) {
    let Some(path) = env::var_os("GIULIA_LIVE_LOG") else { return };
    // One write of one short line in append mode, because tests run side by side.
    let file = OpenOptions::new().create(true).append(true).open(&path);
    let written = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    written.or_fail("writing GIULIA_LIVE_LOG");
}

/// To stderr, where a runner shows it next to the failure.
fn talk(line: &str) {
    drop(writeln!(io::stderr(), "{line}"));
}
