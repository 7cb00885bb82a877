//! How much memory the node has left before something kills it, and what of it a question may take.

use giulia_model::HostFacts;

/// What a question may take of what is left: 1 part in 4. The limit on a heap counts old and new
/// heap while it collects, and the allocator keeps up to as much again before it gives it back.
const SHARE: u64 = 4;

/// What the VM can still take, in bytes: the lesser of what its cgroups leave and what the machine
/// has. `None` where neither can be read.
pub(crate) fn headroom(host: &HostFacts) -> Option<u64> {
    let group = host.cgroup.as_ref().and_then(|it| it.memory_available_bytes);
    group.into_iter().chain(host.machine_available_bytes).min()
}

/// Whether a temporary heap of so many words of 8 bytes is small against what is left.
///
/// What is left of an unknown is taken for enough: the limit on the heap holds there too.
pub(crate) fn allows(headroom: Option<u64>, heap_words: u64) -> bool {
    headroom.is_none_or(|left| heap_words.saturating_mul(8) <= left / SHARE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(machine: Option<u64>, group: Option<u64>) -> HostFacts {
        let json = format!(
            r#"{{"os_pid": 1, "machine_available_bytes": {}, "cgroup": {{"version": 2,
                 "memory_available_bytes": {}, "schedulers_exceed_quota": false}}}}"#,
            machine.map_or("null".to_owned(), |it| it.to_string()),
            group.map_or("null".to_owned(), |it| it.to_string()),
        );
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn the_lesser_of_container_and_machine_is_left() {
        assert_eq!(headroom(&host(Some(1000), Some(300))), Some(300));
        assert_eq!(headroom(&host(Some(200), Some(300))), Some(200));
        assert_eq!(headroom(&host(Some(200), None)), Some(200));
        assert_eq!(headroom(&host(None, None)), None);
    }

    #[test]
    fn a_quarter_of_it_is_allowed_and_no_word_more() {
        assert!(allows(Some(3200), 100));
        assert!(!allows(Some(3199), 100));
        assert!(!allows(Some(u64::MAX), u64::MAX));
        assert!(allows(None, u64::MAX));
    }
}
