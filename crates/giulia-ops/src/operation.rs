//! What an operation is: a name, parameters, an answer, and how the answer reads as text.

use std::future::Future;

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

use crate::{Ctx, Out, Writer};

/// Something that giulia can be asked. One file each; the blanket implementation of
/// [`AnyOperation`](crate::AnyOperation) makes it an entry of [`OPS`](crate::OPS).
pub trait Operation: Send + Sync + 'static {
    /// Its name: the subcommand, the route, the tool.
    const NAME: &'static str;
    /// The group that it stands in on the command line; its name begins with that.
    const GROUP: Option<&'static str> = None;
    /// What it does, in one line without a full stop.
    const ABOUT: &'static str;
    /// What one should know before using it, with examples of the command line.
    const DETAILS: &'static str;
    /// How it relates to a node and to time.
    const KIND: Kind;
    /// Whether one that asks a node also keeps what it learns in the store.
    const KEEPS: bool = false;
    /// The faces that it lacks, each with the reason.
    const LACKS: &'static [(Face, &'static str)] = &[];

    /// The answer as a Markdown document, where that is worth a file.
    const MARKDOWN: Option<fn(&Self::Answer) -> String> = None;

    /// The answer as a file of a foreign format, for other tools and for colleagues.
    const WRITERS: &'static [Writer<Self::Answer>] = &[];

    /// What may be asked for. Nothing that touches the caller's machine (files, commands,
    /// cookies) belongs here.
    type Params: clap::Args + Serialize + DeserializeOwned + JsonSchema + Send;
    /// A document with a `schema` field.
    type Answer: Serialize + DeserializeOwned + JsonSchema + Send + 'static;

    /// Does it.
    fn run(
        ctx: &Ctx,
        params: Self::Params,
    ) -> impl Future<Output = anyhow::Result<Self::Answer>> + Send;

    /// The answer for people.
    fn text(answer: &Self::Answer, out: &mut Out);

    /// What the answer means for whoever waits for an exit code.
    fn outcome(_answer: &Self::Answer) -> Outcome {
        Outcome::Done
    }
}

/// How an operation relates to a node and to time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Answers from stored facts, in pages.
    Query,
    /// Asks a node, for a bounded time; stopped early, it answers with what it has.
    Live,
    /// Asks a node, for a bounded time, and records what it saw; or answers from what was recorded.
    Recording,
    /// Goes on by itself: started, stopped and asked about by its id.
    Job,
    /// Changes what giulia has stored.
    Change,
}

/// Where an operation can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Face {
    /// `giulia NAME`.
    CommandLine,
    /// An HTTP route.
    Rest,
    /// A tool of an assistant.
    Mcp,
}

/// What an answer means for whoever waits for an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// What was asked for was done.
    Done,
    /// It was answered, and the answer is that something does not work.
    Failed,
    /// It was looked for something, and it was found.
    Found,
}
