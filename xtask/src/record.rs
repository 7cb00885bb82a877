//! Replies of real nodes with a planted load, recorded for tests that need no node.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result};
use giulia_probe::{AttachOptions, Link, dist, recorded};
use giulia_testkit::{Node, otps};

/// What is planted; the live tests plant the same.
const PLANTED: &str = include_str!("../../fixtures/planted.txt");

/// Long enough that shares are within a point.
const WINDOW: Duration = Duration::from_secs(2);

/// Writes `fixtures/otp-N/processes.etf` for every OTP that is here.
pub(crate) fn write() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for otp in otps() {
        let node = Node::builder(&otp).name("planted").eval(PLANTED).start();
        let mut target = dist::Target::new(node.name().parse()?);
        target.epmd_port = node.epmd_port();
        let config = dist::Config::new(dist::Cookie::new(node.cookie()));
        let reply = runtime.block_on(async {
            let link = Link::attach(&target, &AttachOptions::new(config)).await?;
            recorded(&link, WINDOW).await
        })?;
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../fixtures/otp-{}", otp.release));
        fs::create_dir_all(&folder)?;
        let path = folder.join("processes.etf");
        fs::write(&path, reply).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}
