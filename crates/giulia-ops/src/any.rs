//! Operations behind one table: the same trait without its types.

use clap::{ArgMatches, Args, FromArgMatches};
use futures_util::future::BoxFuture;
use schemars::schema_for;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    Ctx, Format, Out,
    operation::{Face, Kind, Operation, Outcome},
};

/// An operation whose parameters and answer are known at run time only.
pub trait AnyOperation: Send + Sync {
    /// Its name.
    fn name(&self) -> &'static str;
    /// The group that it stands in on the command line.
    fn group(&self) -> Option<&'static str>;
    /// Its subcommand, within its group.
    fn word(&self) -> &'static str;
    /// What it does, in one line.
    fn about(&self) -> &'static str;
    /// What one should know before using it.
    fn details(&self) -> &'static str;
    /// How it relates to a node and to time.
    fn kind(&self) -> Kind;
    /// Whether one that asks a node also keeps what it learns in the store.
    fn keeps(&self) -> bool;
    /// The faces that it lacks, each with the reason.
    fn lacks(&self) -> &'static [(Face, &'static str)];
    /// Whether its answers can be a Markdown document.
    fn has_markdown(&self) -> bool;
    /// The kinds of file that its answers can be written as.
    fn formats(&self) -> Vec<Format>;
    /// JSON Schema of its parameters.
    fn params_schema(&self) -> Value;
    /// JSON Schema of its answer.
    fn answer_schema(&self) -> Value;
    /// Its subcommand, without what the program adds to every one.
    fn command(&self) -> clap::Command;

    /// The parameters of a command line as JSON, as a client would send them.
    ///
    /// # Errors
    /// When clap cannot read its own matches.
    fn params_of_matches(&self, matches: &ArgMatches) -> anyhow::Result<Value>;
    /// Parameters with every default written out.
    ///
    /// # Errors
    /// When they are not this operation's; the text says which and what would be right.
    fn params_in_full(&self, params: Value) -> anyhow::Result<Value>;
    /// Does it, asked in JSON.
    fn run_json<'a>(&self, ctx: &'a Ctx, params: Value) -> Running<'a>;
    /// Does it, asked on a command line.
    fn run_matches<'a>(&self, ctx: &'a Ctx, matches: &ArgMatches) -> Running<'a>;
    /// The text of an answer that came as JSON, e.g. from a server.
    ///
    /// # Errors
    /// When it is not an answer of this operation.
    fn text_of_json(&self, answer: Value, out: &mut Out) -> anyhow::Result<()>;
    /// The bytes of a file of an answer that came as JSON, where there is such a format.
    ///
    /// # Errors
    /// When it is not an answer of this operation.
    fn file_of_json(&self, answer: Value, format: &str) -> anyhow::Result<Option<Vec<u8>>>;
}

/// An operation under way.
pub type Running<'a> = BoxFuture<'a, anyhow::Result<Box<dyn AnyAnswer>>>;

/// An answer whose type is known at run time only.
pub trait AnyAnswer: Send {
    /// The document.
    ///
    /// # Errors
    /// When a figure has no JSON (an infinite number).
    fn to_json(&self) -> anyhow::Result<Value>;
    /// The document as text, its fields in their own order, `schema` first.
    ///
    /// # Errors
    /// When a figure has no JSON.
    fn json_text(&self) -> anyhow::Result<String>;
    /// The text for people.
    fn text(&self, out: &mut Out);
    /// The same as a Markdown document, where there is one.
    fn markdown(&self) -> Option<String>;
    /// The bytes of a file in the format of this name, where there is one.
    fn file(&self, format: &str) -> Option<Vec<u8>>;
    /// What it means for an exit code.
    fn outcome(&self) -> Outcome;
}

impl<O: Operation> AnyOperation for O {
    fn name(&self) -> &'static str {
        O::NAME
    }

    fn group(&self) -> Option<&'static str> {
        O::GROUP
    }

    fn word(&self) -> &'static str {
        let within = O::GROUP.and_then(|it| O::NAME.strip_prefix(it)?.strip_prefix('-'));
        within.unwrap_or(O::NAME)
    }

    fn about(&self) -> &'static str {
        O::ABOUT
    }

    fn details(&self) -> &'static str {
        O::DETAILS
    }

    fn kind(&self) -> Kind {
        O::KIND
    }

    fn keeps(&self) -> bool {
        O::KEEPS
    }

    fn lacks(&self) -> &'static [(Face, &'static str)] {
        O::LACKS
    }

    fn has_markdown(&self) -> bool {
        O::MARKDOWN.is_some()
    }

    fn formats(&self) -> Vec<Format> {
        O::WRITERS.iter().map(|it| Format { name: it.name, endings: it.endings }).collect()
    }

    fn params_schema(&self) -> Value {
        schema_for!(O::Params).to_value()
    }

    fn answer_schema(&self) -> Value {
        schema_for!(O::Answer).to_value()
    }

    fn command(&self) -> clap::Command {
        // The doc comment of the parameters is for their schema; the operation has its own text.
        O::Params::augment_args(clap::Command::new(self.word()))
            .about(O::ABOUT)
            .long_about(format!("{}.\n\n{}", O::ABOUT, O::DETAILS))
    }

    fn params_of_matches(&self, matches: &ArgMatches) -> anyhow::Result<Value> {
        Ok(serde_json::to_value(O::Params::from_arg_matches(matches)?)?)
    }

    fn params_in_full(&self, params: Value) -> anyhow::Result<Value> {
        Ok(serde_json::to_value(read::<O::Params>(params, "parameters", O::NAME)?)?)
    }

    fn run_json<'a>(&self, ctx: &'a Ctx, params: Value) -> Running<'a> {
        Box::pin(async move { run::<O>(ctx, read(params, "parameters", O::NAME)?).await })
    }

    fn run_matches<'a>(&self, ctx: &'a Ctx, matches: &ArgMatches) -> Running<'a> {
        let params = O::Params::from_arg_matches(matches);
        Box::pin(async move { run::<O>(ctx, params?).await })
    }

    fn text_of_json(&self, answer: Value, out: &mut Out) -> anyhow::Result<()> {
        O::text(&read(answer, "answer", O::NAME)?, out);
        Ok(())
    }

    fn file_of_json(&self, answer: Value, format: &str) -> anyhow::Result<Option<Vec<u8>>> {
        Ok(Answered::<O>(read(answer, "answer", O::NAME)?).file(format))
    }
}

async fn run<O: Operation>(ctx: &Ctx, params: O::Params) -> anyhow::Result<Box<dyn AnyAnswer>> {
    let answer = O::run(ctx, params).await?;
    Ok(Box::new(Answered::<O>(answer)))
}

fn read<T: DeserializeOwned>(value: Value, what: &str, of: &str) -> anyhow::Result<T> {
    serde_json::from_value(value).map_err(|error| anyhow::anyhow!("{what} of {of}: {error}"))
}

struct Answered<O: Operation>(O::Answer);

impl<O: Operation> AnyAnswer for Answered<O> {
    fn to_json(&self) -> anyhow::Result<Value> {
        Ok(serde_json::to_value(&self.0)?)
    }

    fn json_text(&self) -> anyhow::Result<String> {
        Ok(serde_json::to_string_pretty(&self.0)? + "\n")
    }

    fn text(&self, out: &mut Out) {
        O::text(&self.0, out);
    }

    fn markdown(&self) -> Option<String> {
        O::MARKDOWN.map(|markdown| markdown(&self.0))
    }

    fn file(&self, format: &str) -> Option<Vec<u8>> {
        let writer = O::WRITERS.iter().find(|it| it.name == format)?;
        Some((writer.write)(&self.0))
    }

    fn outcome(&self) -> Outcome {
        O::outcome(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Map, Value, json};

    use crate::OPS;

    /// What stands for each mandatory parameter.
    fn example(name: &str) -> &'static str {
        match name {
            "node" => "shop@db1",
            "process" => "0.123.0",
            "function" => "shop_cart:get/1",
            "session" | "target" | "sessions" => "shop-1",
            "patterns" | "functions" | "modules" | "start" | "goal" => "Shop.Cart",
            other => panic!("give an example for the mandatory parameter `{other}`"),
        }
    }

    /// The same as a client would send it.
    fn sent(schema: &Value, name: &str) -> Value {
        let is_list = schema["properties"][name]["type"] == "array";
        if is_list { json!([example(name)]) } else { json!(example(name)) }
    }

    #[test]
    fn names_are_unique_and_everything_is_documented() {
        let mut names = BTreeSet::new();
        for op in OPS {
            let name = op.name();
            assert!(names.insert(name), "two operations are called {name}");
            assert!(!op.about().is_empty() && !op.about().ends_with('.'), "{name}: about");
            assert!(op.about().len() <= 64, "{name}: about is too long for one line of help");
            let line = op.group().map(|it| format!("{it} ")).unwrap_or_default() + op.word();
            assert!(op.details().contains(&format!("giulia {line}")), "{name}: no example");
            let group = op.group().map(|it| crate::GROUPS.iter().find(|other| other.name == it));
            assert!(group != Some(None), "{name} is in a group that is not there");
            for (face, reason) in op.lacks() {
                assert!(reason.len() > 20, "{name} lacks {face:?} without a reason");
            }
            let schema = op.params_schema();
            // One without parameters has none.
            for (param, is) in schema["properties"].as_object().into_iter().flatten() {
                assert!(is["description"].is_string(), "{name}: {param} has no description");
            }
        }
    }

    #[test]
    fn an_empty_command_line_says_the_same_as_empty_json() {
        for op in OPS {
            let mut line = vec![op.name().to_owned()];
            let mut body = Map::new();
            for name in op.params_schema()["required"].as_array().unwrap_or(&vec![]) {
                let name = name.as_str().unwrap();
                line.push(example(name).to_owned());
                body.insert(name.to_owned(), sent(&op.params_schema(), name));
            }
            let matches = op.command().try_get_matches_from(line).unwrap();
            let typed = op.params_of_matches(&matches).unwrap();
            let sent = op.params_in_full(Value::Object(body)).unwrap();
            assert_eq!(typed, sent, "defaults of {} differ", op.name());
        }
    }

    #[test]
    fn unknown_parameters_are_refused_by_every_operation() {
        for op in OPS {
            let mut body = json!({"no_such_parameter": 1});
            for name in op.params_schema()["required"].as_array().unwrap_or(&vec![]) {
                let name = name.as_str().unwrap();
                body[name] = sent(&op.params_schema(), name);
            }
            let error = op.params_in_full(body).unwrap_err().to_string();
            assert!(error.contains("no_such_parameter"), "{}: {error}", op.name());
        }
    }

    #[test]
    fn every_answer_names_its_schema() {
        for op in OPS {
            let schema = op.answer_schema();
            let is = &schema["properties"]["schema"]["description"];
            assert_eq!(*is, format!("`giulia.{}/1`.", op.name()));
            insta::assert_json_snapshot!(format!("giulia.{}.1", op.name()), schema);
            insta::assert_json_snapshot!(format!("params.{}", op.name()), op.params_schema());
        }
    }

    #[test]
    fn limits_bind_json_as_they_bind_the_command_line() {
        let op = crate::operation("snapshot").unwrap();
        for (field, value) in [
            ("top", json!(0)),
            ("top", json!(1001)),
            ("window", json!("99ms")),
            ("window", json!("11m")),
            ("window", json!("1")),
            ("node", json!("shop")),
        ] {
            let mut body = json!({"node": "shop@db1"});
            body[field] = value.clone();
            assert!(op.params_in_full(body).is_err(), "{field} = {value} was taken");
            let typed = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let line = if field == "node" {
                vec!["snapshot".to_owned(), typed]
            } else {
                vec!["snapshot".to_owned(), "shop@db1".to_owned(), format!("--{field}={typed}")]
            };
            assert!(
                op.command().try_get_matches_from(line).is_err(),
                "--{field}={value} was taken"
            );
        }
    }
}
