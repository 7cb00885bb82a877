//! The table of rules: one file each, one entry each.

use crate::Rule;

mod atom_growth;
mod binary_retention;
mod dirty_schedulers;
mod ets_large_values;
mod ets_public_writers;
mod ets_read_concurrency;
mod ets_write_concurrency;
mod ets_written_by_cast;
mod foreign_tracing;
mod large_heap;
mod limit_near;
mod mailbox_growth;
mod memory_growth;
mod memory_limit_near;
pub(crate) mod n_plus_one;
mod pool_exhaustion;
mod process_leak;
mod repo_overhead;
mod repo_reads;
mod repo_switching;
mod restart_storm;
mod rests_on_database;
mod scheduler_contention;
mod schedulers_exceed_quota;
mod selective_receive;
mod serialising_process;
mod spawn_storm;
mod synchronous_logger;
mod unbalanced_schedulers;
mod waits_downstream;

/// Every rule, in the order in which pages list them.
pub static RULES: &[&Rule] = &[
    &rests_on_database::RULE,
    &n_plus_one::RULE,
    &waits_downstream::RULE,
    &repo_reads::RULE,
    &repo_overhead::RULE,
    &repo_switching::RULE,
    &serialising_process::RULE,
    &pool_exhaustion::RULE,
    &mailbox_growth::RULE,
    &selective_receive::RULE,
    &synchronous_logger::RULE,
    &scheduler_contention::RULE,
    &unbalanced_schedulers::RULE,
    &dirty_schedulers::RULE,
    &schedulers_exceed_quota::RULE,
    &memory_limit_near::RULE,
    &memory_growth::RULE,
    &large_heap::RULE,
    &binary_retention::RULE,
    &process_leak::RULE,
    &spawn_storm::RULE,
    &restart_storm::RULE,
    &atom_growth::RULE,
    &limit_near::RULE,
    &ets_read_concurrency::RULE,
    &ets_write_concurrency::RULE,
    &ets_large_values::RULE,
    &ets_public_writers::RULE,
    &ets_written_by_cast::RULE,
    &foreign_tracing::RULE,
];

/// The rule of this id.
pub fn rule(id: &str) -> Option<&'static Rule> {
    RULES.iter().copied().find(|it| it.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_threshold_stands_on_the_page_with_a_source() {
        for rule in RULES {
            for it in rule.thresholds {
                assert!(!it.source.is_empty(), "{}: {} has no source", rule.id, it.name);
                let value = crate::judge::plain(it.value);
                assert!(
                    rule.page.contains(&value),
                    "docs/rules/{}.md does not name {} ({value} {})",
                    rule.id,
                    it.name,
                    it.unit
                );
            }
        }
    }

    #[test]
    fn ids_are_theirs_alone_and_are_the_title_of_their_page() {
        for (idx, rule) in RULES.iter().enumerate() {
            assert!(RULES.iter().skip(idx + 1).all(|it| it.id != rule.id), "{}", rule.id);
            assert!(rule.page.starts_with(&format!("# {}\n", rule.id)), "{}", rule.id);
            assert!(!rule.title.ends_with('.'), "{}", rule.id);
        }
    }
}
