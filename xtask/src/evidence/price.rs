//! What the VM's counters cost a call, against nothing, times and messages; and what giulia's
//! counters on all modules of a busy node cost it.
//!
//! The loop is compiled and calls a function across modules; arms come by turns in one run of one
//! node, so that a drift of the machine falls on all of them, and the least of the runs counts:
//! whatever else runs on the machine only adds.

use anyhow::{Context, Result};
use giulia_testkit::{Node, Otp};

use super::{Options, verdict};

/// Issue 4: "counters at most 10 ns a call uncontended".
const COUNTER_MAX_NS: f64 = 10.0;

const PLANTED: &str = r#"
Plant = fun(Name) ->
    Forms = [begin {ok, Tokens, _} = erl_scan:string(Text), {ok, Form} = erl_parse:parse_form(Tokens), Form end
             || Text <- ["-module(" ++ Name ++ ").", "-export([run/1, it/1]).", "it(K) -> K.",
                         "run(0) -> ok; run(N) -> " ++ Name ++ ":it(N), run(N - 1)."]],
    {ok, Module, Code} = compile:forms(Forms),
    {module, Module} = code:load_binary(Module, "planted", Code)
end,
[Plant(Name) || Name <- ["price_loop", "price_never"]]"#;

/// Arms by turns: `{Arm, Processes, Nanoseconds a call}`, the least of 20 turns. A turn is a
/// millisecond, so that some of them fall between what else runs on the machine. `never` is the same
/// loop in a module that is never armed: `off` against it is what disarming leaves.
const MEASURE: &str = r"
It = {price_loop, it, 1},
Sink = spawn(fun Drain() -> receive _ -> Drain() end end),
Arm = fun(never) -> ok;
         (off) -> ok;
         (counters) -> erlang:trace_pattern(It, true, [call_count]);
         (times) -> erlang:trace_pattern(It, true, [call_time]);
         (messages) -> erlang:trace_pattern(It, [], [local])
      end,
Disarm = fun(never) -> ok;
            (off) -> ok;
            (counters) -> erlang:trace_pattern(It, false, [call_count]);
            (times) -> erlang:trace_pattern(It, false, [call_time]);
            (messages) -> erlang:trace_pattern(It, false, [local])
         end,
Calls = fun(messages) -> 2000; (times) -> 20000; (_) -> 200000 end,
Run = fun(Name, Processes) ->
    N = Calls(Name),
    Loop = case Name of never -> price_never; _ -> price_loop end,
    Arm(Name),
    Pids = [spawn_monitor(fun() -> receive go -> ok end,
                                   Began = erlang:monotonic_time(nanosecond), Loop:run(N),
                                   exit({took, erlang:monotonic_time(nanosecond) - Began}) end)
            || _ <- lists:seq(1, Processes)],
    case Name =:= times orelse Name =:= messages of
        true -> [erlang:trace(Pid, true, [call, arity, {tracer, Sink}]) || {Pid, _} <- Pids];
        false -> ok
    end,
    [Pid ! go || {Pid, _} <- Pids],
    Took = [receive {'DOWN', Ref, _, _, {took, Ns}} -> Ns end || {_, Ref} <- Pids],
    Disarm(Name),
    lists:max(Took) / N
end,
All = erlang:system_info(schedulers_online),
Plans = [{Name, P} || P <- lists:usort([1, 2, All]), Name <- [off, never, counters, times, messages]],
Turns = [{Plan, Run(element(1, Plan), element(2, Plan))} || _ <- lists:seq(1, 20), Plan <- Plans],
[{Name, P, round(10 * lists:min([Ns || {{Of, On}, Ns} <- Turns, Of =:= Name, On =:= P]))} || {Name, P} <- Plans]";

/// Prints a line an OTP and number of processes; the dearest uncontended counter decides.
#[expect(clippy::print_stdout, reason = "figures are this program's data")]
pub(super) fn run(options: &Options) -> Result<()> {
    let mut worst: f64 = 0.0;
    for otp in options.otps() {
        let arms = arms(options, &otp).with_context(|| format!("on OTP {}", otp.release))?;
        let ns = |name: &str, on: u32| {
            arms.iter().find(|it| it.0 == name && it.1 == on).map_or(f64::NAN, |it| it.2)
        };
        let mut on: Vec<u32> = arms.iter().map(|it| it.1).collect();
        on.dedup();
        for on in on {
            let off = ns("off", on);
            println!(
                "otp {}, on one function at once {on}: {off:.1} ns a call, {:+.1} against code that was never armed; with a counter {:+.1}, with times {:+.0}, with messages {:+.0}",
                otp.release,
                off - ns("never", on),
                ns("counters", on) - off,
                ns("times", on) - off,
                ns("messages", on) - off,
            );
        }
        worst = worst.max(ns("counters", 1) - ns("off", 1));
    }
    verdict(
        worst <= COUNTER_MAX_NS && worst > 0.0,
        &format!(
            "a counter costs a call of one process at most {worst:.1} ns more (limit {COUNTER_MAX_NS} ns, least of {} runs, worst OTP)",
            options.runs
        ),
    )
}

/// Each arm with its processes and its nanoseconds a call.
fn arms(options: &Options, otp: &Otp) -> Result<Vec<(String, u32, f64)>> {
    let node = Node::builder(otp).eval(PLANTED).start();
    let mut least: Vec<(String, u32, f64)> = Vec::new();
    for _ in 0..options.runs {
        for (name, on, ns) in one_run(&node.eval(MEASURE))? {
            match least.iter_mut().find(|it| (it.0.as_str(), it.1) == (&*name, on)) {
                Some(it) => it.2 = it.2.min(ns),
                None => least.push((name, on, ns)),
            }
        }
    }
    Ok(least)
}

fn one_run(told: &str) -> Result<Vec<(String, u32, f64)>> {
    let rows = told.trim_matches(['[', ']']).split("},{");
    rows.map(|row| {
        let mut parts = row.trim_matches(['{', '}']).split(',').map(str::trim);
        let name = parts.next().context("an arm without a name")?.to_owned();
        let on = parts.next().context("an arm without processes")?.parse()?;
        let tenths: f64 = parts.next().context("an arm without a figure")?.parse()?;
        Ok((name, on, tenths / 10.0))
    })
    .collect()
}
