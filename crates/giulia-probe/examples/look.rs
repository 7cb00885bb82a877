//! Prints one snapshot as JSON: `look NAME COOKIE EPMD_PORT [WINDOW_MS] [--no-eval]`.

use std::{env, error::Error, time::Duration};

use giulia_probe::{AttachOptions, Link, SnapshotOptions, dist, snapshot};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    let no_eval = args.iter().any(|it| it == "--no-eval");
    let mut args = args.into_iter().filter(|it| it != "--no-eval");
    let (Some(name), Some(cookie), Some(port)) = (args.next(), args.next(), args.next()) else {
        return Err("usage: look NAME COOKIE EPMD_PORT [WINDOW_MS] [--no-eval]".into());
    };
    let window = args.next().map(|it| it.parse().map(Duration::from_millis)).transpose()?;
    let mut target = dist::Target::new(name.parse()?);
    target.epmd_port = port.parse()?;
    let options = AttachOptions {
        no_eval,
        ..AttachOptions::new(dist::Config::new(dist::Cookie::new(cookie)))
    };
    let link = Link::attach(&target, &options).await?;
    let seen = snapshot(&link, &SnapshotOptions { window, top: 20 }).await;
    #[expect(clippy::print_stdout, reason = "an example prints")]
    {
        println!("{}", serde_json::to_string_pretty(&seen)?);
    }
    Ok(())
}
