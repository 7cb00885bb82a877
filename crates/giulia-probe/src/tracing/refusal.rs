//! What giulia never has messages sent about, because each message would make more of them.

use giulia_model::Mfa;

/// Processes without which a node cannot be asked, or which tell of what the tracer does.
pub(super) const PROCESSES: [&str; 10] = [
    "application_controller",
    "code_server",
    "erl_signal_server",
    "erts_code_purger",
    "init",
    "kernel_sup",
    "logger",
    "logger_proxy",
    "net_kernel",
    "user",
];

/// Modules that the keeper and the sink, and whoever evaluates, run through with each message.
const EVALUATION: [&str; 8] = [
    "erl_eval",
    "prim_eval",
    "eval_bits",
    "erl_internal",
    "lists",
    "maps",
    "erpc",
    "erts_internal",
];

/// Those through which the node tells of errors, loads code and talks to us.
const SYSTEM: [&str; 10] = [
    "code_server",
    "dist_util",
    "erl_distribution",
    "inet_tcp_dist",
    "inet_tls_dist",
    "net_kernel",
    "trace",
    "erl_tracer",
    "init",
    "error_logger",
];

/// Functions of `erlang` that the sink itself calls, or the VM for everyone.
const CORE: [&str; 16] = [
    "apply",
    "demonitor",
    "exit",
    "external_size",
    "get",
    "hibernate",
    "is_process_alive",
    "length",
    "monitor",
    "process_info",
    "put",
    "self",
    "send",
    "trace",
    "trace_info",
    "trace_pattern",
];

/// Why messages about a function are refused; counting it is not.
pub fn refused(function: &Mfa) -> Option<&'static str> {
    let module = function.module.as_str();
    // Calls of other nodes; we ourselves go through `execute_call`.
    if module == "erpc" && ["call", "multicall"].contains(&function.function.as_str()) {
        return None;
    }
    if EVALUATION.contains(&module) {
        return Some("the tracer itself calls it with each message");
    }
    if SYSTEM.contains(&module) || module.starts_with("logger") {
        return Some("the node needs it to tell of errors, to load code or to talk to us");
    }
    if module == "erlang" && CORE.contains(&function.function.as_str()) {
        return Some("the tracer itself calls it with each message");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_path_is_refused_and_others_are_not() {
        let refused = |module: &str, function: &str| refused(&Mfa::new(module, function, 1));
        for (module, function) in
            [("lists", "map"), ("logger_h_common", "log"), ("erlang", "put"), ("net_kernel", "x")]
        {
            assert!(refused(module, function).is_some(), "{module}:{function}");
        }
        for (module, function) in
            [("gen_server", "call"), ("erlang", "binary_to_term"), ("ets", "lookup"), ("log", "x")]
        {
            assert_eq!(refused(module, function), None, "{module}:{function}");
        }
    }
}
