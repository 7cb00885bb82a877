//! How the messages of one process can be seen: what it runs in, and which functions handle them.

use giulia_dist::term::Term;
use giulia_model::{Mfa, ServerKind};

use super::kinds::Via;
use crate::{
    answer::{self, Bif},
    link::Link,
    look::Row,
    stack,
};

/// What to trace.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) server: ServerKind,
    pub(super) callback: Option<String>,
    pub(super) callbacks: Vec<Callback>,
    /// Why a server of OTP's is seen as a plain process.
    pub(super) not_seen: Option<String>,
}

/// A function that is called with each message of a kind.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Callback {
    pub(super) function: Mfa,
    /// Where its message is; see [`super::kinds::match_spec`].
    pub(super) head: &'static [&'static str],
    pub(super) via: Via,
}

/// Modules that are the callbacks of somebody's server although the process is named after
/// another: they are traced beside it, and what they pass on to it counts once.
const WRAPPERS: [&str; 7] = [
    "supervisor",
    "Elixir.DynamicSupervisor",
    "Elixir.Agent.Server",
    "Elixir.GenStage",
    "Elixir.Phoenix.Channel.Server",
    "Elixir.Phoenix.LiveView.Channel",
    "Elixir.DBConnection.Connection",
];

/// Functions of three arguments of one module that are taken for states: a state machine with more
/// names its states in another way.
const STATES_MAX: usize = 50;

/// Functions of a state machine's module that have three arguments and are no state.
const NO_STATES: [&str; 3] = ["terminate", "code_change", "start_link"];

const CALL: &[&str] = &["$1", "_", "_"];
const TWO: &[&str] = &["$1", "_"];
const STATE: &[&str] = &["$2", "$1", "_"];
const HANDLE_EVENT: &[&str] = &["$2", "$1", "_", "_"];
const NOTIFY: &[&str] = &["$1", "$2", "_", "_"];
const EVENT_CALL: &[&str] = &["_", "$1", "_", "_"];

/// How to look at this process.
pub(super) async fn of(link: &Link, row: &Row) -> Plan {
    let named = row.traits.initial_call().map(|it| it.module.clone());
    let server = match frames(link, row).await {
        Some(server) => server,
        None => by_exports(link, named.as_deref()).await,
    };
    let Some(server) = server else { return Plan::plain(None) };
    if server == ServerKind::GenEvent {
        let callbacks = event_manager(link).await;
        return Plan::of(server, None, callbacks);
    }
    let mut modules: Vec<String> = named.into_iter().collect();
    modules.extend(WRAPPERS.iter().map(|it| (*it).to_owned()));
    modules.dedup();
    let mut callbacks = Vec::new();
    let mut first = None;
    for module in modules {
        let exports = exports(link, &module).await;
        let found = match server {
            ServerKind::GenStatem => states(&module, &exports),
            ServerKind::GenServer | ServerKind::GenEvent | ServerKind::Plain => {
                handlers(&module, &exports)
            }
        };
        if !found.is_empty() {
            first.get_or_insert(module);
            callbacks.extend(found);
        }
    }
    Plan::of(server, first, callbacks)
}

impl Plan {
    fn of(server: ServerKind, callback: Option<String>, callbacks: Vec<Callback>) -> Self {
        if callbacks.is_empty() {
            return Self::plain(Some(
                "the module of its callbacks is not the one that it was started with; its messages \
                 were seen by a receive trace"
                    .to_owned(),
            ));
        }
        let callback = callback.map(|it| crate::naming::atom(&it).to_owned());
        Self { server, callback, callbacks, not_seen: None }
    }

    fn plain(not_seen: Option<String>) -> Self {
        Self { server: ServerKind::Plain, callback: None, callbacks: Vec::new(), not_seen }
    }
}

/// What its stack says: a server's loop, or none; nothing while it hibernates, and where the VM cut
/// the stack of one that is deep inside a callback.
async fn frames(link: &Link, row: &Row) -> Option<Option<ServerKind>> {
    // Where signals are dangerous it was asked only if it waits.
    row.mailbox_len?;
    let items = Term::list([Term::atom("current_stacktrace")]);
    let question = Bif::new("erlang", "process_info", [row.pid.clone().into(), items]);
    let answers = link.ask_each(super::NAME, &[question]).await;
    let told = answer::term(&answers, 0).ok()?;
    let frames = stack::frames(answer::pair(told.as_list()?, "current_stacktrace")?);
    let inside = |module: &str| {
        // Not where it calls another one.
        let loops = ["loop", "handle_msg", "fetch_msg", "handle_common_reply"];
        frames.iter().any(|it| {
            let function = it.function.function.as_str();
            it.function.module == module
                && (loops.contains(&function) || function.starts_with("loop_"))
        })
    };
    let known = [
        ("gen_server", ServerKind::GenServer),
        ("gen_statem", ServerKind::GenStatem),
        ("gen_event", ServerKind::GenEvent),
    ];
    let found = known.into_iter().find(|(module, _)| inside(module)).map(|(_, server)| server);
    let is_whole = !frames.is_empty() && frames.len() < stack::FRAMES_CUT;
    (found.is_some() || is_whole).then_some(found)
}

async fn by_exports(link: &Link, module: Option<&str>) -> Option<ServerKind> {
    let exports = exports(link, module?).await;
    let has = |name: &str, arity| exports.iter().any(|it| it.0 == name && it.1 == arity);
    if has("callback_mode", 0) {
        Some(ServerKind::GenStatem)
    } else if has("init", 1)
        && (has("handle_call", 3) || has("handle_cast", 2) || has("handle_info", 2))
    {
        Some(ServerKind::GenServer)
    } else if module == Some("gen_event") {
        Some(ServerKind::GenEvent)
    } else {
        None
    }
}

fn handlers(module: &str, exports: &[(String, u32)]) -> Vec<Callback> {
    let known = [
        ("handle_call", 3, CALL, "call"),
        ("handle_cast", 2, TWO, "cast"),
        ("handle_info", 2, TWO, "info"),
    ];
    let has = |name: &str, arity| exports.iter().any(|it| it.0 == name && it.1 == arity);
    // Handlers of an event manager look alike, but have one argument less for a call.
    known
        .into_iter()
        .filter(|(name, arity, ..)| has(name, *arity))
        .map(|(name, arity, head, via)| Callback {
            function: Mfa::new(module, name, arity),
            head,
            via: Via::Fixed(via),
        })
        .collect()
}

fn states(module: &str, exports: &[(String, u32)]) -> Vec<Callback> {
    let is_machine = exports.iter().any(|it| *it == ("callback_mode".to_owned(), 0));
    if !is_machine {
        return Vec::new();
    }
    exports
        .iter()
        .filter_map(|(name, arity)| {
            let head = match (name.as_str(), arity) {
                ("handle_event", 4) => HANDLE_EVENT,
                (name, 3) if !NO_STATES.contains(&name) => STATE,
                _ => return None,
            };
            let function = Mfa::new(module, name, *arity);
            Some(Callback { function, head, via: Via::EventType })
        })
        .take(STATES_MAX)
        .collect()
}

/// An event manager's handlers are data of its own; how it calls them is the same since OTP 23,
/// and looked for all the same.
async fn event_manager(link: &Link) -> Vec<Callback> {
    let question = Bif::new("gen_event", "module_info", [Term::atom("functions")]);
    let functions = functions(link, question).await;
    let known =
        [("server_notify", NOTIFY, Via::Callback), ("server_call", EVENT_CALL, Via::Fixed("call"))];
    known
        .into_iter()
        .filter(|(name, ..)| functions.iter().any(|it| it.0 == *name && it.1 == 4))
        .map(|(name, head, via)| Callback { function: Mfa::new("gen_event", name, 4), head, via })
        .collect()
}

/// What a module exports; nothing of one that is not loaded.
async fn exports(link: &Link, module: &str) -> Vec<(String, u32)> {
    let args = [Term::atom(module.to_owned()), Term::atom("exports")];
    // A BIF, where `module_info/1` of a module that is not loaded would load it.
    functions(link, Bif::new("erlang", "get_module_info", args)).await
}

async fn functions(link: &Link, question: Bif) -> Vec<(String, u32)> {
    let answers = link.ask_each(super::NAME, &[question]).await;
    let Ok(told) = answer::term(&answers, 0) else { return Vec::new() };
    let each = told.as_list().unwrap_or_default().iter();
    each.filter_map(|it| match it.as_tuple()? {
        [name, arity] => Some((name.as_atom()?.to_owned(), u32::try_from(arity.as_int()?).ok()?)),
        _ => None,
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exports(them: &[(&str, u32)]) -> Vec<(String, u32)> {
        them.iter().map(|(name, arity)| ((*name).to_owned(), *arity)).collect()
    }

    #[test]
    fn callbacks_of_a_server_are_those_that_it_has() {
        let found =
            handlers("shop", &exports(&[("init", 1), ("handle_call", 3), ("handle_call", 2)]));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].function.arity, found[0].via), (3, Via::Fixed("call")));
    }

    #[test]
    fn states_of_a_machine_are_its_functions_of_three() {
        let all = [("callback_mode", 0), ("open", 3), ("terminate", 3), ("handle_event", 4)];
        let found = states("door", &exports(&all));
        let heads: Vec<_> =
            found.iter().map(|it| (it.function.function.as_str(), it.head)).collect();
        assert_eq!(heads, [("open", STATE), ("handle_event", HANDLE_EVENT)]);
        assert!(states("door", &exports(&[("open", 3)])).is_empty());
    }
}
