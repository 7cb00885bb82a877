//! `restart_storm`: a supervisor starts the same child again and again.

use giulia_model::{Culprit, CulpritKind, Effort, Evidence, Finding, Severity, Source};

use crate::{Missing, Picture, Rule, Threshold, judge::plain, predict::as_f64};

/// The rule.
pub(super) static RULE: Rule = Rule {
    id: "restart_storm",
    title: "A supervised process is another one at every look",
    page: include_str!("../../../../docs/rules/restart_storm.md"),
    thresholds: &[&LOOK_MS, &SHARE_MIN],
    judge,
};

static LOOK_MS: Threshold = Threshold {
    name: "between two looks at supervision",
    value: 60_000.0,
    unit: "ms",
    source: "how often a session asks for what changes slowly (giulia-engine, observe)",
};
static SHARE_MIN: Threshold = Threshold {
    name: "looks at which it was another one",
    value: 0.5,
    unit: "share",
    source: "our choice: one restart is what supervisors are for, one at every second look or more is a \
             way of life",
};

fn judge(picture: &Picture) -> Result<Vec<Finding>, Missing> {
    let over = picture.over.as_ref().map_err(Clone::clone)?;
    let window_ms = as_f64(over.replaced_window_ms);
    if window_ms <= 0.0 {
        let ask = format!("giulia observe {} --for 30s", picture.node);
        let why = "supervision was looked at less than twice";
        return Err(Missing::new("restarts", why, ask));
    }
    let looks = (window_ms / LOOK_MS.value).round().max(1.0);
    let often = |times: u64| as_f64(times) / looks >= SHARE_MIN.value;
    let found = over.replaced.iter().filter(|(_, times)| often(**times));
    Ok(found.map(|(name, times)| one(picture, name, *times, window_ms)).collect())
}

fn one(picture: &Picture, name: &str, times: u64, window_ms: f64) -> Finding {
    // Two looks tell that it happened, three that it goes on.
    let severity = if times < 2 { Severity::Note } else { Severity::Warning };
    let supervisor = supervisor(picture, name);
    let above = supervisor.as_deref().map_or(String::new(), |it| format!(" of {it}"));
    let above_it = supervisor.iter().map(|it| Culprit::named(CulpritKind::Supervisor, it));
    Finding {
        culprits: [Culprit::named(CulpritKind::Process, name)]
            .into_iter()
            .chain(above_it)
            .collect(),
        evidence: vec![
            Evidence::new(
                format!("restarts of {name}, at least"),
                as_f64(times),
                "count",
                Source::Snapshot,
            )
            .over(window_ms),
        ],
        recommendation: Some(format!(
            "read in the log why {name} ends; where it is something that comes back by itself (a \
             connection, a file), let it stay and try again with growing pauses, and say so to \
             whoever asks meanwhile"
        )),
        effort: Some(Effort::Medium),
        risks: vec![
            "a process that stays hides that it does not work: let it tell by its state".to_owned(),
        ],
        verify: Some(format!("giulia observe {} --for 60s", picture.node)),
        ..Finding::found(
            severity,
            format!(
                "{name} was restarted {}",
                if times < 2 { "meanwhile" } else { "again and again" }
            ),
            format!(
                "at least {} times in {} s the child{above} under this name was another process; \
                 a supervisor that restarts more often than it may ends, and with it all its \
                 children",
                times,
                plain(window_ms / 1000.0)
            ),
        )
    }
}

/// Who supervises it, by the last look: the nearest above it in its tree.
fn supervisor(picture: &Picture, name: &str) -> Option<String> {
    let trees = &picture.last.as_ref().ok()?.supervision.as_ref()?.applications;
    trees.iter().find_map(|tree| {
        let idx = tree.members.iter().position(|it| it.name == name)?;
        let depth = tree.members.get(idx)?.depth;
        let above = tree.members.iter().take(idx).rev().find(|it| it.depth < depth)?;
        Some(above.name.clone())
    })
}

#[cfg(test)]
mod tests {
    use giulia_model::{ApplicationTree, FindingOutcome, Supervised, Supervision};

    use super::*;
    use crate::{
        Over,
        example::{check, healthy, says},
    };

    fn member(depth: u32, name: &str) -> Supervised {
        Supervised { depth, name: name.to_owned(), ..Supervised::default() }
    }

    fn with(times: u64, window_ms: u64) -> Picture {
        let mut picture = healthy();
        picture.over = Ok(Over {
            replaced: [("shop_feed".to_owned(), times)].into(),
            replaced_window_ms: window_ms,
            ..Over::default()
        });
        let members = vec![member(0, "shop_sup"), member(1, "shop_feeds"), member(2, "shop_feed")];
        let tree = ApplicationTree { application: "shop".to_owned(), members };
        picture.last.as_mut().unwrap().supervision =
            Some(Supervision { applications: vec![tree], ..Supervision::default() });
        picture
    }

    #[test]
    fn fires_on_a_child_that_is_another_one_each_time() {
        let said = check(&RULE, &with(3, 180_000), FindingOutcome::Found);
        let names: Vec<&str> = said.culprits.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["shop_feed", "shop_feeds"]);
        assert_eq!(said.severity, Some(Severity::Warning));
        let once = check(&RULE, &with(1, 38_000), FindingOutcome::Found);
        assert_eq!(once.severity, Some(Severity::Note));
    }

    #[test]
    fn silent_on_one_restart_in_a_long_session() {
        check(&RULE, &with(1, 600_000), FindingOutcome::Clear);
    }

    #[test]
    fn edge_at_every_second_look_and_with_one_look() {
        check(&RULE, &with(2, 240_000), FindingOutcome::Found);
        check(&RULE, &with(1, 240_000), FindingOutcome::Clear);
        assert_eq!(says(&RULE, &with(0, 0)).outcome, FindingOutcome::NotEnoughSeen);
    }
}
