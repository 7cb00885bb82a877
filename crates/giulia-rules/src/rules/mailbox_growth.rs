//! `mailbox_growth`: a process receives more than it handles.

use giulia_model::{Culprit, Effort, Evidence, Finding, MailboxOver, Pid, Severity, Source};

use crate::{Missing, Picture, Rule, Threshold, figures::of_mailboxes, predict::as_f64};

/// The rule.
pub(super) static RULE: Rule = Rule {
    id: "mailbox_growth",
    title: "A mailbox grows and is not drained",
    page: include_str!("../../../../docs/rules/mailbox_growth.md"),
    thresholds: &[&LEN_MIN, &GROWTH_MIN, &LEN_CRITICAL],
    judge,
};

static LEN_MIN: Threshold = Threshold {
    name: "messages that wait at the end",
    value: 1_000.0,
    unit: "messages",
    source: "OTP's own log handlers throw away what waits from there on: `flush_qlen` of \
             logger_std_h, kernel 10.2",
};
static GROWTH_MIN: Threshold = Threshold {
    name: "the end against the beginning",
    value: 1.5,
    unit: "times",
    source: "a mailbox that is drained in bursts returns to where it was; half as much again over \
             the session is beyond the swing of the sawtooth in report/series.rs",
};
static LEN_CRITICAL: Threshold = Threshold {
    name: "messages that wait at the end, when it cannot be drained any more",
    value: 100_000.0,
    unit: "messages",
    source: "from there on the VM takes 0.1 s and more to answer for the memory of such a process \
             (our measurement, OTP 23 to 29), and each of its collections copies them",
};

fn judge(picture: &Picture) -> Result<Vec<Finding>, Missing> {
    if picture.report.window.ticks < 2 {
        let ask = format!("giulia observe {} --for 30s", picture.node);
        return Err(Missing::new("mailboxes over time", "fewer than two ticks", ask));
    }
    let grows = |it: &&MailboxOver| {
        as_f64(it.last) >= LEN_MIN.value && as_f64(it.last) >= GROWTH_MIN.value * as_f64(it.first)
    };
    let growing = picture.report.mailboxes.iter().filter(grows);
    of_mailboxes(picture, growing.map(|it| found(picture, it)).collect())
}

fn found(picture: &Picture, it: &MailboxOver) -> Finding {
    let window_ms = as_f64(picture.report.window.elapsed_ms);
    let severity =
        if as_f64(it.last) >= LEN_CRITICAL.value { Severity::Critical } else { Severity::Warning };
    let of = |what: &str, value: u64| {
        let figure = format!("messages of {}, {what}", it.name);
        Evidence::new(figure, as_f64(value), "messages", Source::Ticks).over(window_ms)
    };
    let why = format!(
        "{} had {} messages at first and {} at the end; whoever waits for an answer of it waits \
         for all of them",
        it.name, it.first, it.last
    );
    Finding {
        culprits: vec![Culprit::process(&it.name, &Pid(it.pid.clone()))],
        evidence: vec![
            of("at the end", it.last).from(LEN_MIN.value),
            of("at first", it.first),
            of("at most", it.max),
        ],
        recommendation: Some(format!(
            "make the senders of {} wait (`call` where it is `cast`), or handle its messages in \
             several processes",
            it.name
        )),
        effort: Some(Effort::Medium),
        risks: vec![
            "senders that wait can wait for each other: look for calls in the other direction"
                .to_owned(),
            "messages handled by several processes lose their order".to_owned(),
        ],
        verify: Some(format!(
            "giulia mailbox {} {}",
            picture.node,
            crate::rule::argument(&it.name, &it.pid)
        )),
        ..Finding::found(severity, format!("The mailbox of {} grows", it.name), why)
    }
}

#[cfg(test)]
mod tests {
    use giulia_model::{FindingOutcome, NotSeen, NotSeenOver};

    use super::*;
    use crate::example::{check, healthy, mailbox_over, says};

    fn with(first: u64, last: u64, max: u64) -> Picture {
        let mut picture = healthy();
        picture.report.mailboxes = vec![mailbox_over("shop_queue", first, last, max)];
        picture
    }

    #[test]
    fn fires_on_a_mailbox_that_only_grows() {
        let said = check(&RULE, &with(10, 45_000, 45_000), FindingOutcome::Found);
        assert_eq!(said.severity, Some(Severity::Warning));
        assert_eq!(said.culprits[0].name, "shop_queue");
        let said = check(&RULE, &with(10, 450_000, 450_000), FindingOutcome::Found);
        assert_eq!(said.severity, Some(Severity::Critical));
    }

    #[test]
    fn silent_on_one_that_was_long_and_is_drained() {
        check(&RULE, &with(0, 12, 45_000), FindingOutcome::Clear);
    }

    #[test]
    fn edge_at_as_many_as_otp_itself_would_throw_away() {
        check(&RULE, &with(0, 999, 999), FindingOutcome::Clear);
        check(&RULE, &with(0, 1_000, 1_000), FindingOutcome::Found);
        check(&RULE, &with(700, 1_000, 1_000), FindingOutcome::Clear);
        let mut picture = with(0, 1_000, 1_000);
        picture.report.window.ticks = 1;
        let said = says(&RULE, &picture);
        assert_eq!(said.outcome, FindingOutcome::NotEnoughSeen);
    }

    /// A bug of the VM can forbid to ask for them.
    #[test]
    fn silent_only_where_mailboxes_could_be_asked_for() {
        let mut picture = with(0, 12, 45_000);
        let what = "mailboxes and names of most processes".to_owned();
        let it = NotSeen { what, why: "a bug of this ERTS".to_owned() };
        picture.report.not_seen = vec![NotSeenOver { it, ticks: 10 }];
        let said = says(&RULE, &picture);
        assert_eq!(said.outcome, FindingOutcome::NotEnoughSeen);
        assert!(said.why.contains("a bug of this ERTS"), "{}", said.why);
    }
}
