//! `explain`: what a function rests on.

use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

use clap::Args;
use giulia_engine::ExplainRequest;
use giulia_model::{Explain, FunctionPattern};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::{Count, Ctx, Kind, NodeArg, Out, Window, text};

/// The operation.
pub(crate) struct Operation;

/// Which function, and how much of it.
#[derive(Debug, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// The node's name, as `node()` prints it there.
    node: NodeArg,
    /// The function: `Shop.Cart.get/1`, or `shop_cart:get/1`.
    #[arg(value_name = "FUNCTION")]
    function: FunctionArg,
    /// Look for at most this long (100ms to 10m).
    #[arg(long = "for", value_name = "TIME", default_value_t = default_lasting())]
    #[serde(rename = "for", default = "default_lasting")]
    lasting: Window,
    /// So many whole calls are enough, 1 to 5000.
    #[arg(long, value_name = "N", default_value_t = default_calls())]
    #[serde(default = "default_calls")]
    calls: Calls,
}

/// Whole calls of a sample. Each is some ten messages of 200 bytes.
type Calls = Count<1, 5000>;

/// One function, as somebody writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct FunctionArg(FunctionPattern);

/// Module and function of 255 characters of four bytes each, quoted, and an arity.
const FUNCTION_BYTES_MAX: usize = 2 * 1022 + 8;

/// What arming may take on a starved host, before and between the looks.
const ARMING_MAX: Duration = Duration::from_secs(30);

/// As long as somebody waits for an answer.
fn default_lasting() -> Window {
    Window::clamped(Duration::from_secs(5))
}

/// A share of 3 % is seen in six of them.
fn default_calls() -> Calls {
    Calls::clamped(200)
}

impl FromStr for FunctionArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > FUNCTION_BYTES_MAX {
            return Err(format!("a function's name has at most {FUNCTION_BYTES_MAX} bytes"));
        }
        let pattern: FunctionPattern = text.parse().map_err(|it| format!("{it}"))?;
        if pattern.is_of_modules() {
            return Err(format!("`{text}` is a module; write a function of it, as {text}.name/2"));
        }
        Ok(Self(pattern))
    }
}

impl TryFrom<String> for FunctionArg {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<FunctionArg> for String {
    fn from(it: FunctionArg) -> Self {
        it.0.to_string()
    }
}

impl fmt::Display for FunctionArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl JsonSchema for FunctionArg {
    fn schema_name() -> Cow<'static, str> {
        "FunctionArg".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 1, "maxLength": FUNCTION_BYTES_MAX})
    }
}

impl crate::Operation for Operation {
    const NAME: &'static str = "explain";
    const ABOUT: &'static str = "Show what a function rests on";
    const DETAILS: &'static str = "\
What a function rests on: an ETS table, another process, a socket with its peer, a file, its own \
code, or a mix of them. A sample of its calls is traced, in all processes, short-lived ones too: \
what counts is where the time between call and return goes, not what is called there. A call of \
a process is followed into that process, up to three times, until it ends at a table, a socket, a \
port or a file. Below 80 % explained the answer is that not enough was seen.

Arguments and results of the sampled calls are hashed here, to tell whether the same arguments \
give the same results; no value is kept. Functions that are loops are refused, with the reason. \
On OTP 23, and where a bug of the VM makes it dangerous, nothing is traced; --accept-vm-bug lifts \
the latter for a node that may be lost. Before OTP 27 no other tool may trace processes of the \
node meanwhile.

Examples:
  giulia explain shop@db1 Shop.Cart.get/1
  giulia explain shop@db1 shop_cart:get/1 --for 30s --calls 1000
  giulia explain shop@db1 Shop.Cart.get/1 --json | jq .rests_on";
    const KIND: Kind = Kind::Live;

    type Params = Params;
    type Answer = Explain;

    async fn run(ctx: &Ctx, params: Params) -> anyhow::Result<Explain> {
        let node = params.node.as_str();
        let access = ctx.book.for_node(node);
        let lasting = params.lasting.get();
        let bounds = ctx.bounds(access, lasting + ARMING_MAX);
        let request =
            ExplainRequest { function: params.function.0, lasting, calls: params.calls.get() };
        let attempt = ctx.attempt(access, &bounds);
        Ok(giulia_engine::explain(node, &request, attempt, Some(&ctx.archive)).await?)
    }

    fn text(answer: &Explain, out: &mut Out) {
        text::explain(answer, out);
    }
}
