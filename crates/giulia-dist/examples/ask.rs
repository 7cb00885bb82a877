//! Attaches to a node and counts its processes: `ask NODE COOKIE [HOST:PORT]`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example talks")]

use std::process::ExitCode;

use giulia_dist::{Call, Config, Connection, Cookie, Error, Target};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.as_slice() {
        [name, cookie] => ask(name, cookie, None).await,
        [name, cookie, at] => ask(name, cookie, Some(at.clone())).await,
        _ => {
            eprintln!("usage: ask NODE COOKIE [HOST:PORT]");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(n_processes) => {
            println!("{n_processes}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

async fn ask(name: &str, cookie: &str, at: Option<String>) -> Result<usize, Error> {
    let mut target = Target::new(name.parse()?);
    target.at = at;
    let connection = Connection::connect(&target, &Config::new(Cookie::new(cookie))).await?;
    let reply = connection.call(&Call::new("erlang", "processes", vec![])).await?;
    let mut n_processes = 0;
    // An answer of another shape counts up to where it differs.
    drop(reply.reader().each(|reader| {
        n_processes += 1;
        reader.skip()
    }));
    Ok(n_processes)
}
