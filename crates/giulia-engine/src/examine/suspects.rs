//! Who is looked at closely: what the cheap figures of a session name, few enough for a minute.
//!
//! Names choose here where to look, and nothing is concluded from them.

use std::collections::{BTreeMap, BTreeSet};

use giulia_model::{
    Behind, EtsRates, EtsTableRate, Explain, Flame, FlameStack, FunctionPattern, Mailbox, Mfa,
    RestsOn, RestsOnKind, Snapshot, Trace,
};
use giulia_probe::Subject;
use giulia_rules::{Picture, asks_elsewhere, calls_nearly_all, is_behaviour};

/// Servers whose messages are looked at before functions are, and after.
const SERVERS_MAX: usize = 4;
/// Functions whose calls are sampled; each takes five seconds at most.
const FUNCTIONS_MAX: usize = 6;
/// Modules whose functions are counted, where nobody named any.
const MODULES_MAX: usize = 12;
/// Longer looks at stacks for those behind a library: one of 8 s showed three to eight of a query that
/// took 0.07 ms, 400 times a second, in a loop cut at 8 frames (OTP 27, 19 rounds a second).
const LOOKS_BEHIND_MAX: u32 = 3;
/// Processes in depth.
const PROCESSES_MAX: usize = 10;
/// Of each ranking.
const OF_EACH: usize = 3;
/// Of all reductions: a process that does less is no suspect for what it does.
const BUSY_SHARE: f64 = 0.03;
/// Frames of a stack, from the boundary outwards, that may be the one to change.
const FRAMES: usize = 3;
/// Calls a second below which a function is no suspect, unless it was asked for.
const CALLS_MIN: f64 = 1.0;

/// Suspects, as they become known.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    /// What was asked for.
    asked: Vec<FunctionPattern>,
    servers: Vec<String>,
    /// Those whose messages were looked at: by name and by pid.
    looked_at: BTreeSet<String>,
    processes: Vec<String>,
    /// Functions that processes waited in, and how often.
    waited_in: BTreeMap<Mfa, u64>,
    /// Of those, each that a library called: through which of its functions, for whom, how often.
    behind: BTreeMap<Mfa, BTreeMap<(Mfa, Mfa), u64>>,
    /// How often somebody looked for those behind a library for longer.
    looks_behind: u32,
    modules: Vec<String>,
    functions: Vec<Mfa>,
    /// Functions that were counted, with their calls a second.
    counted: BTreeMap<Mfa, f64>,
    /// Functions that were sampled.
    explained: BTreeSet<Mfa>,
    /// Functions that rest on another machine, each with who calls it.
    callers: Vec<(Mfa, Mfa)>,
    /// Processes that functions rest on.
    rested_on: Vec<String>,
    /// Processes that own tables which others read.
    owners: Vec<String>,
}

impl Suspects {
    /// What the ticks name.
    pub(super) fn of(seen: &Picture, asked: &[FunctionPattern]) -> Self {
        let mut it = Self { asked: asked.to_vec(), ..Self::default() };
        if let Some(work) = &seen.report.work {
            let busy = work.by_process.rows.iter().filter(|it| it.share >= BUSY_SHARE);
            it.servers.extend(busy.filter_map(|it| it.pid.clone()));
        }
        let long = seen.report.mailboxes.iter().filter(|it| it.max >= 10 && it.ticks >= 2);
        it.servers.extend(long.map(|it| it.pid.clone()));
        if let Ok(last) = &seen.last {
            it.processes = in_depth(last, seen);
        }
        it
    }

    /// Whether stacks have to tell which functions matter.
    pub(super) fn wants_stacks(&self) -> bool {
        self.asked.is_empty()
    }

    /// Servers that were not looked at yet.
    pub(super) fn servers(&mut self) -> Vec<Subject> {
        let named = std::mem::take(&mut self.rested_on).into_iter();
        let owners = std::mem::take(&mut self.owners);
        let all = named.chain(owners).chain(std::mem::take(&mut self.servers));
        let mut chosen = Vec::new();
        for name in all {
            if chosen.len() < SERVERS_MAX && !self.looked_at.contains(&name) {
                self.looked_at.insert(name.clone());
                chosen.extend(name.parse().ok());
            }
        }
        chosen
    }

    /// Functions that processes wait in: the first few beyond the boundary.
    pub(super) fn stacks(&mut self, seen: &Flame) {
        for stack in &seen.stacks {
            self.through_libraries(stack);
            let own =
                stack.stack.iter().map(|it| &it.function).filter(|it| !is_library(&it.module));
            for function in own.take(FRAMES) {
                *self.waited_in.entry(function.clone()).or_default() += stack.samples;
            }
        }
        let mut most: Vec<(&Mfa, &u64)> = self.waited_in.iter().collect();
        most.sort_by_key(|it| std::cmp::Reverse(it.1));
        let modules: Vec<String> = most.iter().map(|it| it.0.module.clone()).collect();
        for it in modules {
            self.module(it);
        }
    }

    fn through_libraries(&mut self, stack: &FlameStack) {
        let mut frames = stack.stack.iter().map(|it| &it.function);
        while let Some(inner) = frames.next() {
            let above = frames.clone();
            let Some(through) = above.clone().next().filter(|it| is_library(&it.module)) else {
                continue;
            };
            let outer = above.into_iter().find(|it| !is_library(&it.module));
            if let Some(outer) = outer.filter(|_| !is_library(&inner.module)) {
                let places = self.behind.entry(inner.clone()).or_default();
                *places.entry((through.written_in(), outer.written_in())).or_default() +=
                    stack.samples;
            }
        }
    }

    /// Whether stacks may be looked at once more, for longer. A look serves all functions, so this
    /// is for all of them together.
    pub(super) fn may_look_behind(&mut self) -> bool {
        self.looks_behind += 1;
        self.looks_behind <= LOOKS_BEHIND_MAX
    }

    /// Who stands behind libraries that call this function, most often first.
    pub(super) fn behind(&self, inner: &Mfa) -> Vec<Behind> {
        let places = self.behind.get(inner).into_iter().flatten();
        let one = |((through, function), samples): (&(Mfa, Mfa), &u64)| Behind {
            through: through.clone(),
            function: function.clone(),
            samples: *samples,
        };
        let mut all: Vec<Behind> = places.map(one).collect();
        all.sort_by_key(|it| std::cmp::Reverse(it.samples));
        all
    }

    /// The module behind a server, whose functions its clients call.
    pub(super) fn mailbox(&mut self, seen: &Mailbox) {
        self.looked_at.extend([seen.name.clone(), seen.pid.0.clone()]);
        if let Some(callback) = &seen.callback {
            let module = match callback.strip_prefix("Elixir.") {
                None if callback.starts_with(|it: char| it.is_ascii_uppercase()) => {
                    format!("Elixir.{callback}")
                }
                _ => callback.clone(),
            };
            if !is_library(&module) {
                self.modules.insert(0, module);
            }
        }
    }

    /// What to count.
    pub(super) fn patterns(&self) -> Vec<FunctionPattern> {
        if !self.asked.is_empty() {
            return self.asked.clone();
        }
        let named = |module: &String| {
            let shown = module.strip_prefix("Elixir.").unwrap_or(module);
            shown.parse::<FunctionPattern>().ok().filter(FunctionPattern::is_of_modules)
        };
        let mut once = BTreeSet::new();
        let modules = self.modules.iter().filter(|it| once.insert((*it).clone()));
        modules.take(MODULES_MAX).filter_map(named).collect()
    }

    /// The functions that are called most, those that processes waited in first.
    pub(super) fn trace(&mut self, seen: &Trace) {
        let is_suspect = |it: &&giulia_model::TracedFunction| {
            let is_called = it.calls_per_s.is_some_and(|it| it >= CALLS_MIN);
            let is_asked = !self.asked.is_empty() && it.calls.is_some_and(|it| it > 0);
            (is_called || is_asked) && !is_callback(&it.name)
        };
        let mut called: Vec<(bool, f64, Mfa)> = seen
            .functions
            .iter()
            .filter(is_suspect)
            .map(|it| {
                let mfa = it.mfa();
                (self.waited_in.contains_key(&mfa), it.calls_per_s.unwrap_or_default(), mfa)
            })
            .collect();
        let rates = seen.functions.iter().filter_map(|it| Some((it.mfa(), it.calls_per_s?)));
        self.counted.extend(rates);
        called.sort_by(|one, other| other.0.cmp(&one.0).then(other.1.total_cmp(&one.1)));
        self.functions = called.into_iter().map(|it| it.2).take(FUNCTIONS_MAX).collect();
    }

    /// The functions whose calls are sampled.
    pub(super) fn functions(&self) -> Vec<FunctionPattern> {
        self.functions.iter().map(FunctionPattern::of).collect()
    }

    /// A process that a function rests on is a server to look at.
    pub(super) fn explain(&mut self, seen: &Explain) {
        // What is told by its kind is one of many, and what it does says nothing of the others.
        let is_server = |it: &&RestsOn| it.kind == RestsOnKind::Process && it.is_named();
        let on = seen.rests_on.first().filter(is_server);
        self.rested_on.extend(on.map(|it| it.name.clone()));
        self.explained.insert(seen.function.clone());
        if asks_elsewhere(seen).is_some() {
            let caller = calls_nearly_all(seen).map(|it| it.0);
            let caller = caller.filter(|it| !is_library(&it.module));
            self.callers.extend(caller.map(|it| (seen.function.clone(), it)));
        }
    }

    /// Callers that nobody counted yet, with what they call: a load that changed meanwhile would
    /// change how often one calls the other.
    pub(super) fn uncounted_callers(&self) -> Vec<FunctionPattern> {
        let uncounted = self.callers.iter().filter(|it| !self.counted.contains_key(&it.1));
        let both: BTreeSet<&Mfa> = uncounted.flat_map(|(inner, outer)| [inner, outer]).collect();
        both.into_iter().map(FunctionPattern::of).collect()
    }

    /// Callers whose calls are to be sampled as well: what asks another machine many times may be
    /// further out.
    pub(super) fn callers(&mut self) -> Vec<FunctionPattern> {
        let callers = std::mem::take(&mut self.callers).into_iter();
        let callers: BTreeSet<Mfa> = callers.map(|it| it.1).collect();
        let is_called = |it: &&Mfa| self.counted.get(it).is_some_and(|it| *it >= CALLS_MIN);
        let unseen = callers.iter().filter(|it| !self.explained.contains(it)).filter(is_called);
        unseen.map(FunctionPattern::of).collect()
    }

    /// Who owns a table that others read and it alone writes is a server to look at: how it is
    /// told to write stands in its messages.
    pub(super) fn tables(&mut self, seen: &EtsRates) {
        let is_written = |it: &&EtsTableRate| {
            it.reads.is_some_and(|it| it.low > 0.0) && it.writes.is_some_and(|it| it.low > 0.0)
        };
        let tables = seen.tables.iter().filter(is_written).filter_map(|it| it.table.as_ref());
        let owners = tables.filter(|it| it.protection == "protected").map(|it| it.owner.0.clone());
        self.owners = owners.collect();
    }

    /// Processes to look at in depth.
    pub(super) fn processes(&self) -> Vec<Subject> {
        let mut once = BTreeSet::new();
        let all = self.processes.iter().filter(|it| once.insert((*it).clone()));
        all.filter_map(|it| it.parse().ok()).take(PROCESSES_MAX).collect()
    }

    fn module(&mut self, module: String) {
        if !self.modules.contains(&module) {
            self.modules.push(module);
        }
    }
}

/// The loop of a library that calls what asks another machine, for somebody.
pub(super) fn library(seen: &Explain) -> Option<Mfa> {
    asks_elsewhere(seen)?;
    seen.caller().filter(|it| is_library(&it.module) && !is_behaviour(it))
}

/// Whether another function of the library's module calls too, so that it may be a way into its
/// loop: the bytecode of the node says so, which is some hundred kilobytes, and is read for nothing
/// else.
pub(super) fn is_entered(seen: &Explain, library: &Mfa) -> bool {
    let callers = seen.callers.iter().filter_map(|it| it.function.as_ref());
    let mut all = callers.chain(seen.behind.iter().map(|it| &it.through)).map(Mfa::written_in);
    all.any(|it| it.module == library.module && it != *library)
}

/// The first of each ranking, by pid: binaries, mailbox, memory, reductions.
fn in_depth(last: &Snapshot, seen: &Picture) -> Vec<String> {
    let mut pids = Vec::new();
    if let Some(held) = &last.binaries {
        pids.extend(held.top.iter().take(OF_EACH).map(|it| it.pid.0.clone()));
    }
    pids.extend(seen.report.mailboxes.iter().take(OF_EACH).map(|it| it.pid.clone()));
    if let Some(all) = &last.processes {
        let rankings = [&all.top_by_memory, &all.top_by_mailbox, &all.top_by_reductions];
        for ranking in rankings {
            pids.extend(ranking.iter().take(OF_EACH).map(|it| it.pid.0.clone()));
        }
    }
    pids
}

/// Functions that their behaviour calls, and those that a compiler made: nobody else calls them.
fn is_callback(name: &str) -> bool {
    const CALLBACKS: &str = "init handle_call handle_cast handle_info handle_continue terminate
        code_change handle_event format_status callback_mode child_spec start_link module_info
        __info__";
    name.starts_with('-') || CALLBACKS.split_ascii_whitespace().any(|it| it == name)
}

/// Modules of OTP, of Elixir and of the database drivers: what waits there waits on behalf of
/// whoever called them.
fn is_library(module: &str) -> bool {
    match module.strip_prefix("Elixir.") {
        None => {
            ERLANG.split_ascii_whitespace().any(|it| it == module) || module.starts_with("cowboy")
        }
        Some(module) => {
            let first = module.split('.').next().unwrap_or(module);
            ELIXIR.split_ascii_whitespace().any(|it| it == first)
        }
    }
}

/// Modules of OTP in which processes are found waiting.
const ERLANG: &str = "
    gen gen_server gen_statem gen_event proc_lib prim_inet prim_socket prim_file prim_tty inet
    inet_tcp inet_db gen_tcp gen_udp gen_tcp_socket inet_gethost_native socket ssl ssl_gen_statem
    tls_sender tls_connection erlang init supervisor application_master application_controller
    code_server file_io_server file user user_drv group timer global global_group net_kernel
    erl_eval rpc erpc lists maps ets dets logger logger_olp logger_std_h logger_backend auth kernel
    erts_dirty_process_signal_handler erl_prim_loader io sys disk_log erts_code_purger
    erts_literal_area_collector erts_trace_cleaner ranch";

/// First names of Elixir's own modules, and of what stands between an application and a wire.
const ELIXIR: &str = "
    GenServer Agent Task Process Supervisor DynamicSupervisor Registry PartitionSupervisor Enum
    Stream Map List Keyword Logger IO File System Kernel Module Code GenEvent DBConnection Ecto
    Postgrex MyXQL Telemetry Plug Bandit ThousandIsland Phoenix";

#[cfg(test)]
mod tests {
    use giulia_model::{Caller, Frame, Report, RestsOn, Share, TracedFunction, Work};

    use super::*;

    fn frame(module: &str, function: &str) -> Frame {
        Frame { function: Mfa::new(module, function, 1), file: None, line: None }
    }

    #[test]
    fn what_waits_in_a_driver_waits_for_its_caller() {
        let mut it = Suspects::default();
        let stack = vec![
            frame("prim_inet", "recv0"),
            frame("Elixir.Postgrex.Protocol", "msg_recv"),
            frame("Elixir.Nexus.Registry.TableRegistry", "get"),
            frame("Elixir.Nexus.Crud", "list"),
        ];
        let stack = FlameStack { samples: 30, group: "a".to_owned(), stack, cut: false };
        it.stacks(&Flame { stacks: vec![stack], ..Flame::default() });
        let patterns: Vec<String> = it.patterns().iter().map(ToString::to_string).collect();
        assert_eq!(patterns, ["Nexus.Crud", "Nexus.Registry.TableRegistry"]);
    }

    #[test]
    fn clients_of_a_busy_server_are_found_by_its_module() {
        let row = Share { pid: Some("<0.7.0>".to_owned()), share: 0.3, ..Share::default() };
        let mut work = Work::default();
        work.by_process.rows = vec![row, Share { share: 0.01, ..Share::default() }];
        let report = Report { work: Some(work), ..Report::default() };
        let mut it = Suspects::of(&Picture::of_report(report), &[]);
        assert_eq!(it.servers(), [Subject::Pid(7, 0)]);
        assert_eq!(it.servers(), []);
        it.mailbox(&Mailbox {
            callback: Some("Elixir.KV.Registry".to_owned()),
            ..Mailbox::default()
        });
        let traced = |name: &str, arity, calls_per_s| TracedFunction {
            module: "Elixir.KV.Registry".to_owned(),
            name: name.to_owned(),
            arity,
            calls_per_s: Some(calls_per_s),
            ..TracedFunction::default()
        };
        let functions = vec![
            traced("handle_call", 3, 900.0),
            traced("lookup", 2, 900.0),
            traced("create", 2, 100.0),
            traced("-fun-", 1, 100.0),
            traced("stop", 1, 0.1),
        ];
        it.trace(&Trace { functions, ..Trace::default() });
        let functions: Vec<String> = it.functions().iter().map(ToString::to_string).collect();
        assert_eq!(functions, ["KV.Registry.lookup/2", "KV.Registry.create/2"]);
    }

    #[test]
    fn who_is_behind_a_loop_of_a_library_stands_on_the_stacks() {
        let mut it = Suspects::default();
        let query = Mfa::new("db", "query", 1);
        let of = |samples, outer: &[Frame]| {
            let inner = [frame("prim_inet", "recv0"), frame("db", "query")];
            let stack = [&inner[..], outer].concat();
            FlameStack { samples, group: "a".to_owned(), stack, cut: false }
        };
        let map = frame("Elixir.Enum", "-map/2-lists^map/1-1-");
        let order = frame("shop", "-order/1-fun-0-");
        let stacks = vec![
            of(30, &[map.clone(), map.clone(), order, frame("gen_server", "loop")]),
            of(50, &[frame("lists", "foreach"), frame("other", "all")]),
            of(10, &[map, frame("cart", "all")]),
            of(90, &[frame("gen_server", "loop"), frame("proc_lib", "init_p")]),
        ];
        let mut seen = Explain {
            function: query.clone(),
            rests_on: vec![RestsOn {
                kind: RestsOnKind::Socket,
                share_of_time: 0.9,
                ..RestsOn::default()
            }],
            explained: 0.9,
            callers: vec![Caller { function: Some(Mfa::new("Elixir.Enum", "map", 2)), calls: 200 }],
            ..Explain::default()
        };
        assert_eq!(library(&seen).unwrap().to_string(), "Enum.map/2");
        assert!((0..LOOKS_BEHIND_MAX).all(|_| it.may_look_behind()) && !it.may_look_behind());
        it.stacks(&Flame { stacks, ..Flame::default() });
        seen.behind = it.behind(&query);
        assert!(!is_entered(&seen, &Mfa::new("Elixir.Enum", "map", 2)));
        assert!(is_entered(&seen, &Mfa::new("Elixir.Enum", "map_list", 2)));
        let told: Vec<(String, u64)> =
            seen.behind.iter().map(|it| (it.function.to_string(), it.samples)).collect();
        let of = |name: &str, samples| (name.to_owned(), samples);
        assert_eq!(told, [of("other:all/1", 50), of("shop:order/1", 30), of("cart:all/1", 10)]);
        // Three of four are not nearly all.
        assert_eq!(calls_nearly_all(&seen), None);
        let (outer, share) = seen.only_caller(0.7).unwrap();
        assert_eq!((outer.to_string().as_str(), share), ("shop:order/1", 0.75));
    }

    #[test]
    fn who_calls_what_asks_another_machine_is_followed() {
        let line = Mfa::new("shop", "line", 2);
        let traced = |it: &Mfa, calls_per_s| TracedFunction {
            module: it.module.clone(),
            name: it.function.clone(),
            arity: it.arity,
            calls_per_s: Some(calls_per_s),
            ..TracedFunction::default()
        };
        let query = |caller: &Mfa, kind| Explain {
            function: Mfa::new("db", "query", 1),
            rests_on: vec![RestsOn { kind, share_of_time: 0.4, ..RestsOn::default() }],
            explained: 0.6,
            callers: vec![Caller { function: Some(caller.clone()), calls: 200 }],
            ..Explain::default()
        };
        let mut it = Suspects::default();
        it.explain(&query(&line, RestsOnKind::EtsTable));
        it.explain(&query(&Mfa::new("gen_server", "try_handle_call", 4), RestsOnKind::Socket));
        assert_eq!(it.uncounted_callers(), []);
        // A callback is called once for each message, whoever stands behind the behaviour.
        let called_back = query(&Mfa::new("gen_server", "try_handle_call", 4), RestsOnKind::Socket);
        assert_eq!(library(&called_back), None);
        it.explain(&query(&Mfa::new("shop", "-line/2-fun-0-", 1), RestsOnKind::Socket));
        let both = [Mfa::new("db", "query", 1), line.clone()];
        assert_eq!(it.uncounted_callers(), both.map(|it| FunctionPattern::of(&it)));
        it.trace(&Trace { functions: vec![traced(&line, 400.0)], ..Trace::default() });
        assert_eq!(it.uncounted_callers(), []);
        assert_eq!(it.callers(), [FunctionPattern::of(&line)]);
        assert_eq!(it.callers(), []);
        it.explain(&Explain { function: line.clone(), ..query(&line, RestsOnKind::Socket) });
        assert_eq!(it.callers(), []);
    }
}
