//! Prints one line a tick: `ticks NAME COOKIE EPMD_PORT [TICKS [INTERVAL_MS]] [--no-eval] [--light] [--json]`.

use std::{env, error::Error, time::Duration};

use giulia_probe::{AttachOptions, Link, TickOptions, TickParts, Ticker, dist};

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "an example prints")]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    let flag = |name: &str| args.iter().any(|it| it == name);
    let mut plain = args.iter().filter(|it| !it.starts_with("--"));
    let (Some(name), Some(cookie), Some(port)) = (plain.next(), plain.next(), plain.next()) else {
        return Err("usage: ticks NAME COOKIE EPMD_PORT [TICKS [INTERVAL_MS]]".into());
    };
    let ticks: u32 = plain.next().map_or(Ok(5), |it| it.parse())?;
    let interval = Duration::from_millis(plain.next().map_or(Ok(1000), |it| it.parse())?);
    let mut target = dist::Target::new(name.parse()?);
    target.epmd_port = port.parse()?;
    let options = AttachOptions {
        no_eval: flag("--no-eval"),
        ..AttachOptions::new(dist::Config::new(dist::Cookie::new(cookie.clone())))
    };
    let link = Link::attach(&target, &options).await?;
    let lease = interval * 3 + Duration::from_secs(5);
    let mut ticker = Ticker::start(&link, &TickOptions { top: 20, lease }).await?;
    let mut timer = tokio::time::interval(interval);
    for tick in 0..ticks {
        timer.tick().await;
        let look = !flag("--light") || tick < 2;
        let seen = ticker.tick(TickParts { look, slow: tick == 0 }).await;
        if flag("--json") {
            println!("{}", serde_json::to_string_pretty(&seen)?);
            continue;
        }
        let processes = seen.processes.as_ref();
        println!(
            "{tick} {:?} processes {:?} window {:?} not seen {:?}",
            ticker.price(),
            processes.map(|it| it.ranking_coverage.total),
            processes.and_then(|it| it.window),
            seen.not_seen
        );
    }
    Ok(())
}
