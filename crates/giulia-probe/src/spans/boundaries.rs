//! The functions at which a function leaves its own code: tables, sockets, files, processes, time.

use giulia_dist::term::Term;
use giulia_model::{FunctionPattern, Mfa};

use crate::{Link, NotResolved, probes::functions::resolve};

/// Module, and functions of it with any number of arguments. Those a function of the first column
/// calls itself need not be here: the outermost counts.
const BOUNDARIES: &[(&str, &[&str])] = &[
    ("gen", &["call"]),
    (
        "ets",
        &[
            "lookup",
            "lookup_element",
            "member",
            "insert",
            "insert_new",
            "delete",
            "delete_object",
            "take",
            "update_counter",
            "update_element",
            "select",
            "select_count",
            "select_delete",
            "select_replace",
            "match",
            "match_object",
            "first",
            "next",
            "last",
            "prev",
            "first_lookup",
            "next_lookup",
            "tab2list",
            "give_away",
        ],
    ),
    ("persistent_term", &["get", "put"]),
    ("timer", &["sleep"]),
    ("gen_tcp", &["send", "recv", "connect", "accept"]),
    ("gen_udp", &["send", "recv"]),
    ("inet", &["setopts"]),
    ("ssl", &["send", "recv", "connect", "setopts"]),
    (
        "file",
        &[
            "open",
            "close",
            "read",
            "read_line",
            "write",
            "pread",
            "pwrite",
            "position",
            "sync",
            "datasync",
            "truncate",
            "read_file",
            "write_file",
            "read_file_info",
            "list_dir",
            "delete",
            "rename",
            "copy",
        ],
    ),
    ("erlang", &["port_command", "port_control", "port_call"]),
    ("prim_file", &["open", "read", "write", "pread", "pwrite", "read_file", "write_file"]),
    ("prim_inet", &["send", "recv"]),
    ("socket", &["send", "recv", "sendto", "recvfrom", "connect"]),
    ("erpc", &["call", "multicall"]),
    ("rpc", &["call", "multicall"]),
    ("dets", &["lookup", "insert", "delete", "match", "match_object", "select"]),
    ("httpc", &["request"]),
];

/// The boundaries that this node has loaded, in that order.
pub(super) async fn loaded(link: &Link) -> Result<Vec<Mfa>, NotResolved> {
    let patterns: Vec<FunctionPattern> = BOUNDARIES
        .iter()
        .flat_map(|(module, names)| names.iter().map(move |name| format!("{module}:{name}")))
        .filter_map(|it| it.parse().ok())
        .collect();
    let mut found: Vec<Mfa> = resolve(link, &patterns).await?.functions().collect();
    let place = |it: &Mfa| BOUNDARIES.iter().position(|(module, _)| *module == it.module);
    found.sort_by_key(place);
    Ok(found)
}

/// Tells of each call with its first argument, and of how it ended.
pub(super) fn boundary_spec(arity: u32) -> Term<'static> {
    let ends = Term::tuple([Term::atom("exception_trace")]);
    let (head, body) = if arity == 0 {
        (Term::Nil, vec![ends])
    } else {
        let rest = (1..arity).map(|_| Term::atom("_"));
        let first = Term::tuple([Term::atom("message"), Term::atom("$1")]);
        (Term::list([Term::atom("$1")].into_iter().chain(rest)), vec![ends, first])
    };
    Term::list([Term::tuple([head, Term::Nil, Term::list(body)])])
}

/// Tells of each call with its caller, and sets flags on whoever calls, so that processes count
/// that nobody could have listed. Without a session the tracer has to be named.
pub(super) fn entry_spec(flags: &[&'static str], tracer: Option<Term<'static>>) -> Term<'static> {
    let atom = |it: &'static str| Term::atom(it);
    let tracer = tracer.map(|pid| {
        let pid = Term::tuple([atom("const"), pid]);
        // A tuple in a match specification is written in another.
        Term::tuple([Term::tuple([atom("tracer"), pid])])
    });
    let flags = Term::list(tracer.into_iter().chain(flags.iter().copied().map(Term::atom)));
    let caller = Term::tuple([atom("message"), Term::tuple([atom("caller")])]);
    let body = [
        Term::tuple([atom("exception_trace")]),
        caller,
        Term::tuple([atom("trace"), Term::Nil, flags]),
    ];
    Term::list([Term::tuple([atom("_"), Term::Nil, Term::list(body)])])
}
