//! The client against real nodes of every OTP, and against peers that no node would be.
#![cfg(test)]

mod calls;
mod connect;
mod failures;
mod hostile;
mod leaves_nothing;
mod mailboxes;
mod tls;

use std::{
    future::Future,
    time::{Duration, Instant},
};

use giulia_dist::{Call, Config, Connection, Cookie, Error, Target, term::Term};
use giulia_testkit::Node;

/// No test here takes longer; one that hangs shall say which it is.
const TEST_MAX: Duration = Duration::from_mins(1);

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime
        .block_on(async { tokio::time::timeout(TEST_MAX, future).await.expect("the test hangs") })
}

fn target(node: &Node) -> Target {
    let mut target = Target::new(node.name().parse().unwrap());
    target.epmd_port = node.epmd_port();
    target
}

fn config(node: &Node) -> Config {
    Config::new(Cookie::new(node.cookie()))
}

async fn attach(node: &Node) -> Connection {
    Connection::connect(&target(node), &config(node)).await.unwrap()
}

/// What a call returns, as Erlang would print it.
async fn ask(connection: &Connection, call: &Call) -> Result<String, Error> {
    connection.call(call).await.map(|reply| reply.term().unwrap().to_string())
}

fn call(module: &str, function: &str, args: impl IntoIterator<Item = Term<'static>>) -> Call {
    Call::new(module, function, args.into_iter().collect())
}

/// Waits until it is so; the node's side of an end takes a moment.
async fn within(most: Duration, is_so: impl Fn() -> bool) -> bool {
    let started = Instant::now();
    while !is_so() {
        if started.elapsed() > most {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    true
}
