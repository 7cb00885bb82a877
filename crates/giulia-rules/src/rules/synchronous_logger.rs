//! `synchronous_logger`: the log handler is a large part of the work, and callers wait for it.

use giulia_model::{Culprit, CulpritKind, Effort, Evidence, Finding, LogHandler, Severity, Source};

use crate::{
    Missing, Picture, Rule, Threshold,
    figures::{elapsed_ms, of_mailboxes, percent, worked},
    judge::plain,
    predict::as_f64,
};

/// The rule.
pub(super) static RULE: Rule = Rule {
    id: "synchronous_logger",
    title: "The logger is a large part of the work",
    page: include_str!("../../../../docs/rules/synchronous_logger.md"),
    thresholds: &[&SHARE_MIN, &WORK_MIN],
    judge,
};

static SHARE_MIN: Threshold = Threshold {
    name: "share of all reductions that the logger's processes use",
    value: 0.2,
    unit: "share",
    source: "the article of the predecessor found 28.5 and 39.1 % where the logger held up its callers \
             and less than 10 % where it did not; 0.2 is between",
};
static WORK_MIN: Threshold = Threshold {
    name: "reductions of the logger's processes",
    value: 20_000.0,
    unit: "per_second",
    source: "our choice: some four hundred lines a second (50 reductions a line in the handler, \
             scripts/evidence/06-prices); a large share of a node that does nothing is nothing",
};

fn judge(picture: &Picture) -> Result<Vec<Finding>, Missing> {
    let work = worked(picture)?;
    let handlers = &picture.last_of("log handlers", |it| it.logger.as_ref())?.handlers;
    let most = |it: &LogHandler| most(picture, it, handlers.len() == 1);
    let drops_at = |it: &&LogHandler| it.drop_mode_qlen.is_some_and(|drop| most(it) >= drop);
    if let Some(handler) = handlers.iter().filter(drops_at).max_by_key(|it| most(it)) {
        return Ok(vec![drops(picture, handler, most(handler))]);
    }
    // At a moment of its own as well as at most: a burst is over by then.
    let holds_up = |it: &&LogHandler| {
        let waiting = it.mailbox_len.unwrap_or_default();
        it.sync_mode_qlen.is_some_and(|sync| waiting >= sync && most(it) >= sync)
    };
    let pace = work.logger_share * work.per_second;
    let is_work = work.logger_share >= SHARE_MIN.value && pace >= WORK_MIN.value;
    let held = handlers.iter().find(holds_up);
    if held.is_none() && !is_work {
        return of_mailboxes(picture, Vec::new());
    }
    let handler = held.or_else(|| handlers.iter().max_by_key(|it| it.reductions));
    let waiting = handler.map_or(0, most);
    Ok(vec![found(picture, handler, held.is_some(), (work.logger_share, pace, waiting))])
}

/// Events that waited for a handler, the most at once: by the mailbox of its process. Of one whose
/// process is not known, those of any process of the logger are its own only where it is alone.
fn most(picture: &Picture, it: &LogHandler, is_alone: bool) -> u64 {
    let all = picture.report.work.as_ref().map_or(0, |it| it.logger.mailbox_len_max);
    let of_it = it.process.as_ref().and_then(|pid| {
        picture.report.mailboxes.iter().find(|it| it.pid == pid.0).map(|it| it.max)
    });
    let told = of_it.or(is_alone.then_some(all)).unwrap_or_default();
    told.max(it.mailbox_len.unwrap_or_default())
}

fn culprits(handler: Option<&LogHandler>) -> Vec<Culprit> {
    handler.iter().map(|it| Culprit::named(CulpritKind::LogHandler, &it.id)).collect()
}

fn found(
    picture: &Picture,
    handler: Option<&LogHandler>,
    holds_up: bool,
    (share, pace, waiting): (f64, f64, u64),
) -> Finding {
    let window_ms = elapsed_ms(picture);
    let sync = handler.and_then(|it| it.sync_mode_qlen);
    let severity = if holds_up { Severity::Warning } else { Severity::Note };
    let id = handler.map_or("default", |it| it.id.as_str());
    let mut evidence = vec![
        Evidence::new(
            "share of all reductions that the logger uses",
            share,
            "share",
            Source::Ticks,
        )
        .over(window_ms)
        .from(SHARE_MIN.value),
        Evidence::new("reductions of the logger", pace, "per_second", Source::Ticks)
            .over(window_ms)
            .from(WORK_MIN.value),
    ];
    let mut most = Evidence::new(
        "events that wait for a handler, the most",
        as_f64(waiting),
        "messages",
        Source::Ticks,
    );
    if let Some(sync) = sync {
        most = most.from(as_f64(sync));
    }
    evidence.push(most);
    let settings = sync.map_or("it tells no overload settings".to_owned(), |it| {
        format!("from {it} waiting events on, each caller waits until its own is written")
    });
    Finding {
        culprits: culprits(handler),
        evidence,
        recommendation: Some(format!(
            "log less in the busiest place, or let {id} write behind: \
             `logger:update_handler_config({id}, config, #{{sync_mode_qlen => 1000, drop_mode_qlen \
             => 2000, flush_qlen => 5000}})`; what is not written then is lost when the node ends"
        )),
        effort: Some(Effort::Low),
        risks: vec![
            "raising the level alone can make it worse: the cost is that of a line, and fewer lines \
             that each make their caller wait are a larger part of what is left to do"
                .to_owned(),
            "events that wait are memory, and above `drop_mode_qlen` they are dropped".to_owned(),
        ],
        verify: Some(format!("giulia observe {} --for 30s", picture.node)),
        ..Finding::found(
            severity,
            if holds_up {
                format!("Whoever logs waits for the handler {id}")
            } else {
                format!("The logger uses {} of all reductions", percent(share))
            },
            format!("the handler {id} works for every line that anybody logs; {settings}"),
        )
    }
}

/// A handler that protects itself is not slow: it loses lines.
fn drops(picture: &Picture, handler: &LogHandler, waiting: u64) -> Finding {
    let from = handler.drop_mode_qlen.unwrap_or_default();
    Finding {
        culprits: culprits(Some(handler)),
        evidence: vec![
            Evidence::new(
                format!("events that wait for {}, the most", handler.id),
                as_f64(waiting),
                "messages",
                Source::Ticks,
            )
            .over(elapsed_ms(picture))
            .from(as_f64(from)),
        ],
        recommendation: Some(
            "log less in the busiest place: dropping is what keeps the node alive, and what is \
             dropped is missing when somebody reads the log"
                .to_owned(),
        ),
        effort: Some(Effort::Low),
        risks: vec!["a larger `drop_mode_qlen` moves the loss into memory".to_owned()],
        verify: Some(format!("giulia observe {} --for 30s", picture.node)),
        ..Finding::found(
            Severity::Warning,
            format!("The log handler {} drops lines", handler.id),
            format!(
                "up to {} events waited for it, and from {from} on it drops new ones; it is not \
                 slow for its callers, it loses what they say",
                plain(as_f64(waiting))
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use giulia_model::{FindingOutcome, LoggerFacts, LoggerShare, MailboxOver, Pid, Work};

    use super::*;
    use crate::example::{check, healthy, says};

    /// A fifth of 100,000 reductions a second are the 20,000 of the threshold.
    fn with(share: f64, reductions_per_second: f64, waiting: u64) -> Picture {
        let mut picture = healthy();
        let logger = LoggerShare { share, mailbox_len_max: waiting, ..LoggerShare::default() };
        picture.report.work = Some(Work { logger, reductions_per_second, ..Work::default() });
        let handler = LogHandler {
            id: "default".to_owned(),
            mailbox_len: Some(waiting),
            sync_mode_qlen: Some(10),
            drop_mode_qlen: Some(200),
            ..LogHandler::default()
        };
        picture.last.as_mut().unwrap().logger =
            Some(LoggerFacts { level: "info".to_owned(), handlers: vec![handler] });
        picture
    }

    #[test]
    fn fires_on_the_share_of_the_article_and_on_what_is_dropped() {
        let said = check(&RULE, &with(0.391, 900_000.0, 14), FindingOutcome::Found);
        assert_eq!(said.severity, Some(Severity::Warning));
        assert!(said.recommendation.unwrap().contains("sync_mode_qlen"));
        let said = check(&RULE, &with(0.02, 10_000.0, 260), FindingOutcome::Found);
        assert!(said.title.contains("drops lines"), "{}", said.title);
    }

    #[test]
    fn fires_on_the_handler_that_drops_and_not_on_the_one_beside_it() {
        let mut picture = with(0.02, 10_000.0, 0);
        picture.report.work.as_mut().unwrap().logger.mailbox_len_max = 260;
        let handlers = &mut picture.last.as_mut().unwrap().logger.as_mut().unwrap().handlers;
        let other = LogHandler { id: "audit".to_owned(), ..handlers[0].clone() };
        handlers.push(LogHandler { process: Some(Pid("<0.9.0>".to_owned())), ..other });
        // Whose they are, nobody knows.
        check(&RULE, &picture, FindingOutcome::Clear);
        let pid = "<0.9.0>".to_owned();
        picture.report.mailboxes = vec![MailboxOver { pid, max: 260, ..MailboxOver::default() }];
        let said = check(&RULE, &picture, FindingOutcome::Found);
        assert_eq!(said.culprits[0].name, "audit");
    }

    #[test]
    fn silent_on_a_node_that_works_and_on_one_that_does_nothing() {
        check(&RULE, &with(0.05, 900_000.0, 3), FindingOutcome::Clear);
        check(&RULE, &with(0.6, 300.0, 0), FindingOutcome::Clear);
    }

    #[test]
    fn edge_at_a_fifth_and_at_callers_that_wait() {
        check(&RULE, &with(0.199, 100_000.0, 0), FindingOutcome::Clear);
        let said = check(&RULE, &with(0.2, 100_000.0, 9), FindingOutcome::Found);
        assert_eq!(said.severity, Some(Severity::Note));
        let said = check(&RULE, &with(0.2, 100_000.0, 10), FindingOutcome::Found);
        assert_eq!(said.severity, Some(Severity::Warning));
        let mut unseen = with(0.2, 100_000.0, 10);
        unseen.last.as_mut().unwrap().logger = None;
        assert_eq!(says(&RULE, &unseen).outcome, FindingOutcome::NotEnoughSeen);
    }
}
