//! Exactness under a flood: millions of calls, a hundred thousand processes that live for one
//! call, and a module that is loaded anew, all within one window.

use std::{
    fmt::Write,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use giulia_testkit::{Node, Otp};
use serde_json::Value;

use super::{Options, verdict};

/// `--runs` is in thousands of calls.
const THOUSAND: u32 = 1000;

/// Hot functions of two modules of one shape, one that each short-lived process calls once, and
/// one whose module is loaded anew.
const PLANTED: &str = r#"
Compile = fun(Name) ->
    Forms = [begin {ok, Tokens, _} = erl_scan:string(Text), {ok, Form} = erl_parse:parse_form(Tokens), Form end
             || Text <- ["-module('" ++ Name ++ "').", "-export([take/1, run/2]).", "take(K) -> hidden(K).",
                         "hidden(K) -> {K, K}.",
                         "run(_, 0) -> ok; run(I, N) -> take(N), counters:add(persistent_term:get(truth), I, 1), run(I, N - 1)."]],
    {ok, Module, Code} = compile:forms(Forms),
    {module, Module} = code:load_binary(Module, "planted", Code)
end,
persistent_term:put(truth, counters:new(4, [])),
persistent_term:put(compile, Compile),
[Compile(Name) || Name <- ["flood_one", "flood_two", "flood_brief", "flood_anew"]]"#;

/// Prints a line an OTP; one that is wrong by one call fails it.
#[expect(clippy::print_stdout, reason = "figures are this program's data")]
pub(super) fn run(options: &Options) -> Result<()> {
    let (mut n_exact, mut n_all) = (0, 0);
    for otp in options.otps() {
        n_all += 1;
        let seen = flood(options, &otp).with_context(|| format!("on OTP {}", otp.release))?;
        println!("otp {}: {}", otp.release, seen.text);
        n_exact += u32::from(seen.is_exact);
    }
    verdict(
        n_exact == n_all && n_all > 0,
        &format!(
            "{} thousand calls and {} short-lived processes in a window of 12 s are counted exactly, and a module that was loaded anew is told as lost, on {n_exact} of {n_all} OTPs",
            options.runs, options.processes
        ),
    )
}

struct Seen {
    is_exact: bool,
    text: String,
}

fn flood(options: &Options, otp: &Otp) -> Result<Seen> {
    let node = Node::builder(otp).eval(PLANTED).start();
    let giulia = Command::new(&options.giulia)
        .args(["trace", node.name(), "flood_*", "--for", "12s", "--budget", "100%", "--json"])
        .args(["--timeout", "30s"])
        .env("GIULIA_COOKIE", node.cookie())
        .env("ERL_EPMD_PORT", node.epmd_port().to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("starting giulia")?;
    let armed = "(fun Wait() -> case (case erlang:function_exported(trace, session_info, 1) of
                     true -> trace:session_info({flood_two, take, 1}) =/= [];
                     false -> erlang:trace_info({flood_two, take, 1}, call_count) =/= {call_count, false} end)
                 of true -> ok; false -> timer:sleep(10), Wait() end end)()";
    node.eval(armed);
    std::thread::sleep(std::time::Duration::from_millis(500));
    let half = u64::from(options.runs) * u64::from(THOUSAND) / 2;
    let began = std::time::Instant::now();
    node.eval(&format!(
        "All = [spawn_monitor(fun() -> M:run(I, {half}) end) || {{M, I}} <- [{{flood_one, 1}}, {{flood_two, 2}}]],
         flood_anew:run(4, 10), (persistent_term:get(compile))(\"flood_anew\"), flood_anew:run(4, 10),
         [begin {{_, Ref}} = spawn_monitor(fun() -> flood_brief:run(3, 1) end),
                receive {{'DOWN', Ref, _, _, _}} -> ok end end || _ <- lists:seq(1, {})],
         [receive {{'DOWN', Ref, _, _, _}} -> ok end || {{_, Ref}} <- All], ok",
        options.processes
    ));
    let took = began.elapsed();
    let output = giulia.wait_with_output()?;
    ensure!(output.status.success(), "giulia trace failed");
    ensure!(took.as_secs_f64() < 11.0, "the flood took {took:.1?}, longer than the window");
    let document: Value = serde_json::from_slice(&output.stdout)?;
    let rows = document.get("functions").and_then(Value::as_array).context("no functions")?;
    let row = |module: &str| {
        let is = |it: &Value, key, value: &str| it.get(key).and_then(Value::as_str) == Some(value);
        rows.iter().find(|it| is(it, "module", module) && is(it, "name", "take"))
    };
    let mut is_exact = true;
    let mut text = format!("the flood took {took:.1?}");
    for (place, module) in [(1, "flood_one"), (2, "flood_two"), (3, "flood_brief")] {
        let truth = node.eval(&format!("counters:get(persistent_term:get(truth), {place})"));
        let told = row(module).and_then(|it| it.get("calls")).map(Value::to_string);
        let told = told.unwrap_or_default();
        is_exact &= told == truth;
        write!(text, "; {module}:take/1 {told} of {truth}")?;
    }
    let anew = |key| row("flood_anew").and_then(|it| it.get(key));
    let is_lost = anew("lost").is_some() && anew("calls").is_none_or(Value::is_null);
    text.push_str(if is_lost { "; flood_anew lost, as it is" } else { "; flood_anew NOT lost" });
    Ok(Seen { is_exact: is_exact && is_lost, text })
}
