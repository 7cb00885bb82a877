//! Who traces, or a process of it on the node, is killed in the middle of each mode, or stopped:
//! when is nothing armed any more, by `trace_info` of every function that was.

mod hold;

use std::{
    env,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use giulia_testkit::{Group, Limits, Node, Otp};

use super::{Options, median_and_max, verdict};

pub(crate) use hold::run as hold;

/// Functions of each planted module, with `module_info/0,1`: 300 modules are 3,600 functions.
const MODULES: u32 = 300;

/// Until the node is clean, on a quiet host; OTP 23 and 25 remove patterns one by one.
const CLEAN_MAX_MS: f64 = 1000.0;
const CLEAN_BEFORE_27_MAX_MS: f64 = 2000.0;

/// A node that is not clean by then stays dirty.
const GIVE_UP: Duration = Duration::from_mins(1);

const MODES: [&str; 3] = ["counters", "times", "messages"];
const VICTIMS: [&str; 4] = ["giulia", "custodian", "sentinel", "sink"];

/// Of a node that is starved: 20 ms in each 100.
const STARVED_CORES: f64 = 0.2;

/// Longer than a run: whoever cleans up did not wait for it.
const LONG_LEASE_MS: u64 = 60_000;
/// Of a giulia that is stopped.
const LEASE_MS: u64 = 1_000;

/// Modules of ten functions, and two workers that call one of them a thousand times a second.
const PLANT: &str = r#"
Module = fun(N) ->
    Name = list_to_atom("planted_" ++ integer_to_list(N)),
    Function = fun(F) -> {function, 1, F, 1, [{clause, 1, [{var, 1, 'X'}], [], [{var, 1, 'X'}]}]} end,
    Names = [work | [list_to_atom("f" ++ integer_to_list(I)) || I <- lists:seq(1, 9)]],
    Forms = [{attribute, 1, module, Name}, {attribute, 1, export, [{F, 1} || F <- Names]}
             | [Function(F) || F <- Names]],
    {ok, Name, Code} = compile:forms(Forms, []),
    {module, Name} = code:load_binary(Name, "planted", Code)
end,
[Module(N) || N <- lists:seq(1, COUNT)],
Worker = fun Loop() -> planted_1:work(1), timer:sleep(1), Loop() end,
persistent_term:put(workers, [spawn(Worker), spawn(Worker)])"#;

/// What is armed of anybody's: functions with any setting, flags, flags on new processes, sessions.
/// Compiled, so that looking is quick beside what it measures.
const LOOK: &str = r#"
Texts = ["-module(planted_look).", "-export([dirt/0]).",
    "armed(M) -> length([1 || {F, A} <- M:module_info(functions), is_armed({M, F, A})]).",
    "is_armed(Mfa) -> erlang:trace_info(Mfa, all) =/= {all, false} orelse has_session(Mfa).",
    "has_session(Mfa) -> erlang:function_exported(trace, session_info, 1) andalso "
    "    not lists:member(trace:session_info(Mfa), [[], undefined]).",
    "flagged(P) -> case erlang:trace_info(P, flags) of {flags, [_ | _]} -> true; _ -> false end.",
    "sessions() -> try length(trace:session_info(all) -- [{legacy, default}]) catch _:_ -> 0 end.",
    "dirt() -> {lists:sum([armed(list_to_atom(\"planted_\" ++ integer_to_list(N))) || N <- lists:seq(1, COUNT)]), "
    "    length([P || P <- processes(), flagged(P)]), "
    "    element(2, erlang:trace_info(new_processes, flags)), sessions()}."],
Forms = [begin {ok, Tokens, _} = erl_scan:string(Text), {ok, Form} = erl_parse:parse_form(Tokens), Form end
         || Text <- Texts],
{ok, planted_look, Code} = compile:forms(Forms, []),
{module, planted_look} = code:load_binary(planted_look, "planted", Code)"#;

/// Asks it.
const DIRT: &str = "planted_look:dirt()";

const CLEAN: &str = "{0,0,[],0}";

/// A process that traces, and what it said when all was armed.
struct Holder {
    child: Child,
    processes: Vec<String>,
    armed: Vec<String>,
}

/// `--runs` is the number of kills of each victim in each mode on each OTP.
pub(super) fn run(options: &Options) -> Result<()> {
    let mut is_met = true;
    for otp in options.otps() {
        let node = Node::builder(&otp).start();
        node.eval(&counted(PLANT));
        node.eval(&counted(LOOK));
        is_met &= killed(options, &otp, &node)?;
        is_met &= stopped(&otp, &node)?;
        // Half a minute each: once is enough to see that it works.
        if options.runs > 1 || otp.release == 25 {
            starved(&otp)?;
        }
    }
    let each = options.runs;
    verdict(
        is_met,
        &format!(
            "{each} kills of each of giulia, custodian, sentinel and sink in each of 3 modes on each OTP, and giulia stopped in mid-reply: clean in time by trace_info of every function"
        ),
    )
}

#[expect(clippy::print_stdout, reason = "figures are this program's data")]
fn killed(options: &Options, otp: &Otp, node: &Node) -> Result<bool> {
    let limit = if otp.release >= 27 { CLEAN_MAX_MS } else { CLEAN_BEFORE_27_MAX_MS };
    let mut is_met = true;
    for mode in MODES {
        for victim in VICTIMS {
            let mut clean_ms = Vec::new();
            let mut modules = String::new();
            for _ in 0..options.runs {
                let mut holder = Holder::start(node, mode, LONG_LEASE_MS)?;
                let dirt = node.eval(DIRT);
                if dirt == CLEAN {
                    bail!("nothing is armed in mode {mode}: a clean node afterwards shows nothing");
                }
                modules =
                    holder.armed.first().map_or_else(String::new, |it| format!(" ({it} modules)"));
                holder.kill(node, victim)?;
                clean_ms.push(until_clean(node)?);
                holder.end();
            }
            let (middle, most) = median_and_max(&mut clean_ms);
            println!(
                "otp {}: {mode}{modules}, {victim} killed: clean after {middle:.0} ms (most {most:.0}, limit {limit:.0})",
                otp.release
            );
            is_met &= most <= limit;
        }
    }
    Ok(is_met)
}

/// The lease is the least that it can take; a second more is the limit.
#[expect(clippy::print_stdout, reason = "figures are this program's data")]
fn stopped(otp: &Otp, node: &Node) -> Result<bool> {
    let mut holder = Holder::start(node, "counters", LEASE_MS)?;
    signal(holder.child.id(), "STOP")?;
    let clean_ms = until_clean(node)?;
    holder.end();
    let limit = std::time::Duration::from_millis(LEASE_MS + 1_000).as_secs_f64() * 1000.0;
    println!(
        "otp {}: giulia stopped in mid-reply, lease {LEASE_MS} ms: clean after {clean_ms:.0} ms (limit {limit:.0})",
        otp.release
    );
    Ok(clean_ms <= limit)
}

/// A node with twenty busy processes and a fifth of a core. It has no limit: the figure is the claim.
#[expect(clippy::print_stdout, reason = "figures are this program's data")]
fn starved(otp: &Otp) -> Result<()> {
    let limits = Limits { cpu_cores: Some(STARVED_CORES), ..Limits::default() };
    let group = match Group::make(limits) {
        Ok(group) => group,
        Err(why) => {
            println!(
                "otp {}: starved: not measured, no cgroup can be made here: {why}",
                otp.release
            );
            return Ok(());
        }
    };
    let node = Node::builder(otp).start();
    node.eval(&counted(PLANT));
    node.eval(&counted(LOOK));
    node.eval("[spawn(fun Loop() -> lists:seq(1, 1000), Loop() end) || _ <- lists:seq(1, 20)], ok");
    group.enter(&node);
    let mut holder = Holder::start(&node, "counters", LONG_LEASE_MS)?;
    let [modules, functions, spent_ms] = holder.armed.as_slice() else {
        bail!("{:?} is not what was armed", holder.armed);
    };
    let (modules, functions, spent_ms) = (modules.clone(), functions.clone(), spent_ms.clone());
    holder.kill(&node, "giulia")?;
    // Asking takes its time there, and is in the figure.
    let clean_ms = until_clean(&node)?;
    holder.end();
    println!(
        "otp {}: a quota of {STARVED_CORES} cores, 20 busy processes: {modules} of {MODULES} modules ({functions} functions) armed in {spent_ms} ms, giulia killed: clean after {clean_ms:.0} ms",
        otp.release
    );
    Ok(())
}

impl Holder {
    fn start(node: &Node, mode: &str, lease_ms: u64) -> Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.args(["hold", node.name(), &node.epmd_port().to_string(), node.cookie(), mode]);
        command.args([lease_ms.to_string(), MODULES.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().context("starting who traces")?;
        let said = child.stdout.take().context("it has no output")?;
        let mut line = String::new();
        BufReader::new(said).read_line(&mut line)?;
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let Some((processes, armed)) = words.split_at_checked(3) else {
            drop(child.kill());
            child.wait()?;
            bail!("who traces ended before all was armed in mode {mode}");
        };
        Ok(Self { child, processes: processes.to_vec(), armed: armed.to_vec() })
    }

    fn kill(&mut self, node: &Node, victim: &str) -> Result<()> {
        let place = VICTIMS.iter().position(|it| *it == victim).unwrap_or_default();
        match place.checked_sub(1).and_then(|it| self.processes.get(it)) {
            None => self.child.kill().context("killing who traces")?,
            Some(pid) => {
                node.eval(&format!("exit(list_to_pid(\"{pid}\"), kill)"));
            }
        }
        Ok(())
    }

    fn end(&mut self) {
        // It may have ended.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.end();
    }
}

fn signal(pid: u32, name: &str) -> Result<()> {
    let sent = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status()?;
    if sent.success() { Ok(()) } else { bail!("cannot send SIG{name} to {pid}") }
}

fn until_clean(node: &Node) -> Result<f64> {
    let began = Instant::now();
    loop {
        let dirt = node.eval(DIRT);
        if dirt == CLEAN {
            return Ok(began.elapsed().as_secs_f64() * 1000.0);
        }
        if began.elapsed() > GIVE_UP {
            bail!("the node still has {dirt} after {GIVE_UP:?}");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn counted(expression: &str) -> String {
    expression.replace("COUNT", &MODULES.to_string())
}
