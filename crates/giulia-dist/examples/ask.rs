//! Attaches to a node and counts its processes: `ask NODE COOKIE [HOST:PORT]`.

use giulia_dist::{Call, Config, Connection, Cookie, Error, Target};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut args = std::env::args().skip(1);
    let (Some(name), Some(cookie)) = (args.next(), args.next()) else {
        return Ok(());
    };
    let mut target = Target::new(name.parse()?);
    target.at = args.next();
    let connection = Connection::connect(&target, &Config::new(Cookie::new(cookie))).await?;
    let reply = connection.call(&Call::new("erlang", "processes", vec![])).await?;
    let mut n_processes = 0;
    let counted = reply.reader().each(|reader| {
        n_processes += 1;
        reader.skip()
    });
    match counted {
        Ok(()) => eprintln!("{}: {n_processes} processes", connection.peer().name),
        Err(error) => eprintln!("the answer is no list: {error}"),
    }
    Ok(())
}
