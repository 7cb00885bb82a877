//! `spawn_storm`: processes are spawned for next to no work.

use giulia_model::{Culprit, CulpritKind, Effort, Evidence, Finding, Severity, Source};

use crate::{
    Missing, Picture, Rule, Threshold,
    figures::{elapsed_ms, worked},
    judge::plain,
    predict::as_f64,
};

/// The rule.
pub(super) static RULE: Rule = Rule {
    id: "spawn_storm",
    title: "Processes are spawned for next to no work",
    page: include_str!("../../../../docs/rules/spawn_storm.md"),
    thresholds: &[&SPAWNS_MIN, &WORK_MAX],
    judge,
};

static SPAWNS_MIN: Threshold = Threshold {
    name: "processes spawned",
    value: 5_000.0,
    unit: "per_second",
    source: "a process that is spawned and ends costs 1.2 to 1.3 us (scripts/evidence/06-prices, OTP 23 to 29), so \
             below that less than a hundredth of a core",
};
static WORK_MAX: Threshold = Threshold {
    name: "reductions of the whole node for each spawned process",
    value: 600.0,
    unit: "reductions",
    source: "five times the 116 reductions that spawning and ending take (scripts/evidence/06-prices): with less, \
             the work is not much larger than its wrapping",
};

fn judge(picture: &Picture) -> Result<Vec<Finding>, Missing> {
    let ask = || format!("giulia observe {} --for 30s", picture.node);
    let over = picture.over.as_ref().map_err(Clone::clone)?;
    let spawned = over.spawned_at_least.ok_or_else(|| {
        Missing::new("how many processes are spawned", "no tick of the session tells it", ask())
    })?;
    let work = worked(picture)?;
    let per_second = as_f64(spawned) * 1000.0 / elapsed_ms(picture).max(1.0);
    let each = work.per_second / per_second.max(1e-9);
    if per_second < SPAWNS_MIN.value || each > WORK_MAX.value {
        return Ok(Vec::new());
    }
    // The VM's own processes handle what a storm leaves behind, and spawn nothing.
    let theirs = work.groups.iter().find(|it| !it.0.name.starts_with("erts_"));
    let busiest = theirs.filter(|it| it.1 >= 0.3).map(|it| it.0);
    let who = busiest.map_or("nobody stands out among who works", |it| it.name.as_str());
    Ok(vec![Finding {
        culprits: busiest
            .iter()
            .map(|it| Culprit::named(CulpritKind::ProcessGroup, &it.name))
            .collect(),
        evidence: vec![
            Evidence::new("processes spawned, at least", per_second, "per_second", Source::Ticks)
                .over(elapsed_ms(picture))
                .from(SPAWNS_MIN.value),
            Evidence::new(
                "reductions of the node for each of them",
                each,
                "reductions",
                Source::Ticks,
            )
            .from(WORK_MAX.value),
        ],
        recommendation: Some(
            "do such small pieces in the process that has them, or give each process a whole batch \
             of them"
                .to_owned(),
        ),
        effort: Some(Effort::Low),
        risks: vec![
            "a failure of one piece then ends the others of its batch: keep apart what may fail"
                .to_owned(),
        ],
        verify: Some(format!("giulia trace {} 'erlang:spawn*' --for 5s", picture.node)),
        ..Finding::found(
            Severity::Note,
            format!("{} processes are spawned a second", plain(per_second)),
            format!(
                "for each of them the whole node does {} reductions, which is little more than \
                 spawning one takes; who works most: {who}",
                plain(each)
            ),
        )
    }])
}

#[cfg(test)]
mod tests {
    use giulia_model::{FindingOutcome, Ranking, Share, Work};

    use super::*;
    use crate::{
        Over,
        example::{check, healthy, says},
    };

    /// Half a minute.
    fn with(per_second: u64, reductions_per_second: f64) -> Picture {
        let mut picture = healthy();
        picture.over = Ok(Over { spawned_at_least: Some(per_second * 30), ..Over::default() });
        let row = Share { name: "shop_import:split/1".to_owned(), share: 0.7, ..Share::default() };
        picture.report.work = Some(Work {
            reductions_per_second,
            by_initial_call: Ranking { rows: vec![row], ..Ranking::default() },
            ..Work::default()
        });
        picture
    }

    #[test]
    fn fires_on_a_process_for_each_line_of_a_file() {
        let said = check(&RULE, &with(10_000, 900_000.0), FindingOutcome::Found);
        assert_eq!(said.culprits[0].name, "shop_import:split/1");
    }

    #[test]
    fn names_nobody_where_only_the_vm_was_seen_at_work() {
        let mut picture = with(10_000, 900_000.0);
        let work = picture.report.work.as_mut().unwrap();
        work.by_initial_call.rows[0].name = "erts_dirty_process_signal_handler:start/0".to_owned();
        let said = check(&RULE, &picture, FindingOutcome::Found);
        assert!(
            said.culprits.is_empty() && said.why.ends_with("nobody stands out among who works")
        );
    }

    #[test]
    fn silent_on_a_process_for_each_request() {
        check(&RULE, &with(5_000, 90_000_000.0), FindingOutcome::Clear);
        check(&RULE, &with(20, 2_000.0), FindingOutcome::Clear);
    }

    #[test]
    fn edge_at_five_thousand_and_five_times_the_wrapping() {
        check(&RULE, &with(5_000, 3_000_000.0), FindingOutcome::Found);
        check(&RULE, &with(4_999, 900_000.0), FindingOutcome::Clear);
        check(&RULE, &with(5_000, 3_001_000.0), FindingOutcome::Clear);
        let mut unseen = with(5_000, 1.0);
        unseen.over = Ok(Over::default());
        assert_eq!(says(&RULE, &unseen).outcome, FindingOutcome::NotEnoughSeen);
    }
}
