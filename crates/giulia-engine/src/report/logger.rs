//! Which processes serve the logger, and which module a group of processes was started in.

/// Whether a module is one of the logger's: OTP's (`logger_olp` runs its handlers) or Elixir's.
pub(super) fn is_logger_module(module: &str) -> bool {
    module == "logger"
        || module.starts_with("logger_")
        || module == "error_logger"
        || module == "Logger"
        || module.starts_with("Logger.")
}

/// Whether a registered name is one of the logger's; those whose initial call does not say so
/// (Elixir's up to 1.14 is a `gen_event`).
pub(super) fn is_logger_name(name: &str) -> bool {
    let name = name.strip_prefix("Elixir.").unwrap_or(name);
    !name.contains(['/', ':']) && is_logger_module(name)
}

/// The module in `mod:fun/1` or `Some.Mod.fun/1`; none in a label.
pub(super) fn module_of(group: &str) -> Option<&str> {
    let (function, arity) = group.rsplit_once('/')?;
    if arity.is_empty() || arity.len() > 3 || !arity.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    if let Some((module, name)) = function.split_once(':') {
        return (is_atom(module) && !name.is_empty()).then_some(module);
    }
    let is_elixir = function.starts_with(|it: char| it.is_ascii_uppercase());
    let (module, name) = function.rsplit_once('.').filter(|_| is_elixir)?;
    (!name.is_empty() && is_atom(module)).then_some(module)
}

fn is_atom(text: &str) -> bool {
    let plain = |it: char| it.is_alphanumeric() || matches!(it, '_' | '@' | '.');
    !text.is_empty() && text.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_read_off_functions_and_not_off_labels() {
        for (group, module) in [
            ("sample_pace:worker/3", Some("sample_pace")),
            ("KV.Bucket.init/1", Some("KV.Bucket")),
            ("Agent.Server.init/1", Some("Agent.Server")),
            ("shop 17/3", None),
            ("{worker,1}", None),
            ("queue a/b", None),
            ("Order 1.5/2", None),
            ("logger", None),
        ] {
            assert_eq!(module_of(group), module, "{group}");
        }
    }

    #[test]
    fn both_loggers_are_known() {
        for name in ["logger_std_h_default", "logger", "Logger", "Elixir.Logger", "logger_proxy"] {
            assert!(is_logger_name(name), "{name}");
        }
        assert!(is_logger_module("logger_olp") && is_logger_module("Logger.Supervisor"));
        assert!(!is_logger_name("blogger") && !is_logger_name("MyApp.Logger"));
    }
}
