//! `selective_receive`: a process waits past messages that its receive does not take.

use giulia_model::{Culprit, Effort, Evidence, Finding, ProcessRow, Severity, Snapshot, Source};

use crate::{
    Missing, Picture, Rule, Threshold,
    figures::{elapsed_ms, needs_ticks, of_mailboxes},
    judge::plain,
    predict::as_f64,
};

/// The rule.
pub(super) static RULE: Rule = Rule {
    id: "selective_receive",
    title: "A process waits past messages that it does not take",
    page: include_str!("../../../../docs/rules/selective_receive.md"),
    thresholds: &[&LEN_MIN, &SHRINK_MAX, &SCANS_MIN, &WORK_WARNING],
    judge,
};

static LEN_MIN: Threshold = Threshold {
    name: "messages that it does not take",
    value: 1_000.0,
    unit: "messages",
    source: "OTP's own log handlers throw away what waits from there on (`flush_qlen` of logger_std_h, \
             kernel 10.2)",
};
static SHRINK_MAX: Threshold = Threshold {
    name: "of its first length, what the mailbox still holds at the end",
    value: 0.9,
    unit: "share",
    source: "a mailbox that is worked off loses more in seconds; one that nobody takes from loses \
             nothing (our choice)",
};
static SCANS_MIN: Threshold = Threshold {
    name: "times a second that it goes past all of them",
    value: 10.0,
    unit: "per_second",
    source: "our choice; the VM counts a reduction for each message that a receive goes past \
             (`loop_rec_end`, erts 15.2), so reductions a second over the length are the most that \
             it can be",
};

static WORK_WARNING: Threshold = Threshold {
    name: "reductions of a process that goes past its messages",
    value: 1_000_000.0,
    unit: "per_second",
    source: "half a hundredth of a core: going past a message takes 3 to 7 ns (scripts/evidence/06-prices)",
};

fn judge(picture: &Picture) -> Result<Vec<Finding>, Missing> {
    needs_ticks(picture, 2.0, "mailboxes over time")?;
    let first = picture.first.as_ref().map_err(Clone::clone)?;
    let last = picture.last.as_ref().map_err(Clone::clone)?;
    let rows = &picture.last_of("processes", |it| it.processes.as_ref())?.top_by_mailbox;
    of_mailboxes(picture, rows.iter().filter_map(|it| one(picture, first, last, it)).collect())
}

/// A row of a process in a look.
fn row<'a>(seen: &'a Snapshot, pid: &giulia_model::Pid) -> Option<&'a ProcessRow> {
    let processes = seen.processes.as_ref()?;
    processes.top_by_mailbox.iter().find(|it| it.pid == *pid)
}

fn one(picture: &Picture, first: &Snapshot, last: &Snapshot, it: &ProcessRow) -> Option<Finding> {
    let was = row(first, &it.pid)?;
    let (before, now) = (as_f64(was.mailbox_len?), as_f64(it.mailbox_len?));
    // A server that is behind is at work or in line for it; one that waits has taken what it takes.
    let waits = was.status == "waiting" && it.status == "waiting";
    if !waits || now < LEN_MIN.value || before < LEN_MIN.value || now < SHRINK_MAX.value * before {
        return None;
    }
    let window = last.processes.as_ref().and_then(|it| it.window).or(last.window);
    let work = it.reductions.per_second(window).unwrap_or_default();
    let scans = work / now;
    let (severity, what) = if scans >= SCANS_MIN.value {
        let is_dear = work >= WORK_WARNING.value;
        let severity = if is_dear { Severity::Warning } else { Severity::Note };
        (severity, "and each message that comes makes it look at all of them again")
    } else if now <= before {
        (Severity::Note, "and nobody takes them")
    } else {
        return None;
    };
    let window_ms = elapsed_ms(picture);
    Some(Finding {
        culprits: vec![Culprit::process(&it.name, &it.pid)],
        evidence: vec![
            Evidence::new(
                format!("messages of {} at the end", it.name),
                now,
                "messages",
                Source::Ticks,
            )
            .over(window_ms)
            .from(LEN_MIN.value),
            Evidence::new(
                format!("messages of {} at first", it.name),
                before,
                "messages",
                Source::Ticks,
            ),
            Evidence::new("times that it can go past them", scans, "per_second", Source::Ticks)
                .from(SCANS_MIN.value),
        ],
        recommendation: Some(format!(
            "let {} take what it does not expect (a last clause that logs and drops it), and find \
             out who sends it: often a late answer after a timeout",
            it.name
        )),
        effort: Some(Effort::Low),
        risks: vec![
            "what is dropped may be what another receive waits for: look at the kinds first"
                .to_owned(),
        ],
        verify: Some(format!(
            "giulia process {} {}",
            picture.node,
            crate::rule::argument(&it.name, &it.pid.0)
        )),
        ..Finding::found(
            severity,
            format!("{} waits past {} messages", it.name, plain(now)),
            format!(
                "it waits while they are in its mailbox, so no receive of it matches them, {what}"
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use giulia_model::{Counter, FindingOutcome, Pid, Processes, Window};

    use super::*;
    use crate::example::{check, healthy, says};

    fn seen(len: u64, status: &str, per_second: u64) -> Processes {
        let row = ProcessRow {
            pid: Pid("<0.300.0>".to_owned()),
            name: "shop_client".to_owned(),
            status: status.to_owned(),
            mailbox_len: Some(len),
            reductions: Counter { since_start: 0, in_window: Some(per_second) },
            ..ProcessRow::default()
        };
        let window = Some(Window { elapsed_ms: 1_000.0 });
        Processes { window, top_by_mailbox: vec![row], ..Processes::default() }
    }

    fn with(lens: [u64; 2], status: &str, per_second: u64) -> Picture {
        let mut picture = healthy();
        picture.first.as_mut().unwrap().processes = Some(seen(lens[0], status, per_second));
        picture.last.as_mut().unwrap().processes = Some(seen(lens[1], status, per_second));
        picture
    }

    #[test]
    fn fires_on_late_answers_that_nobody_takes() {
        let said = check(&RULE, &with([5_000, 5_010], "waiting", 2_500_000), FindingOutcome::Found);
        assert_eq!(said.severity, Some(Severity::Warning));
        assert_eq!(said.culprits[0].name, "shop_client");
        let said = check(&RULE, &with([5_000, 5_000], "waiting", 100), FindingOutcome::Found);
        assert_eq!(said.severity, Some(Severity::Note));
    }

    #[test]
    fn silent_on_a_server_that_is_behind() {
        check(&RULE, &with([5_000, 90_000], "running", 9_000_000), FindingOutcome::Clear);
        check(&RULE, &with([5_000, 90_000], "waiting", 5_000), FindingOutcome::Clear);
        check(&RULE, &with([5_000, 1_200], "waiting", 250_000), FindingOutcome::Clear);
    }

    #[test]
    fn edge_at_a_thousand_and_ten_times_a_second() {
        let said = check(&RULE, &with([1_000, 1_005], "waiting", 10_050), FindingOutcome::Found);
        assert_eq!(said.severity, Some(Severity::Note));
        check(&RULE, &with([1_000, 1_005], "waiting", 10_049), FindingOutcome::Clear);
        check(&RULE, &with([1_000, 999], "waiting", 10_000), FindingOutcome::Clear);
        let mut once = with([1_000, 1_000], "waiting", 10_000);
        once.report.window.ticks = 1;
        assert_eq!(says(&RULE, &once).outcome, FindingOutcome::NotEnoughSeen);
    }
}
