//! A healthy node as a picture, and short ways to make it ill: what the cases of rules begin from.

use giulia_model::{
    CountAgainstLimit, Counts, Database, EtsTable, EtsTables, Explain, ExplainVerdict, Finding,
    FindingOutcome, Latency, LimitOver, Mailbox, MailboxOver, Mfa, Pid, Report, RestsOn,
    RestsOnKind, ServiceTime, Session, SessionDatabase, Snapshot, Stability, StatementCounted,
    StatementOver, Trace, TracedFunction, Trend,
};

use crate::{Over, Picture, Rule};

/// A node that was looked at for half a minute and lacks nothing: every part is there, and no rule
/// finds anything.
pub(crate) fn healthy() -> Picture {
    let node = "shop@db1".to_owned();
    let session = Session {
        name: "shop-20260301-120000".to_owned(),
        node: node.clone(),
        started_at: "2026-03-01T12:00:00Z".to_owned(),
        every_ms: 1000,
        ticks: 30,
        ..Session::default()
    };
    let mut report = Report { session, ..Report::default() };
    report.window.elapsed_ms = 30_000;
    report.window.windows_ms = 30_000.0;
    report.window.ticks = 30;
    report.memory = vec![Trend {
        name: "total".to_owned(),
        first: 50_000_000,
        last: 50_000_000,
        min: 49_000_000,
        max: 51_000_000,
        per_minute: Some(0.0),
        direction: giulia_model::Direction::Steady,
    }];
    report.limits = vec![limit("processes", 200, 200, 262_144)];
    let seen = Snapshot {
        counts: Some(Counts {
            processes: CountAgainstLimit { count: 200, limit: Some(262_144) },
            ..Counts::default()
        }),
        ets: Some(EtsTables {
            total: 1,
            memory_bytes: 10_000,
            top_by_memory: vec![table("names")],
        }),
        ..Snapshot::default()
    };
    Picture {
        unexplained: None,
        node,
        report,
        first: Ok(seen.clone()),
        last: Ok(seen),
        over: Ok(Over::default()),
        traces: Ok(vec![Trace { functions: vec![traced(&lookup(), 1_200.0)], ..Trace::default() }]),
        explains: Ok(vec![explained(&lookup(), RestsOnKind::EtsTable, "names", 5.0)]),
        mailboxes: Ok(vec![mailbox("shop_registry", 0.02, 0.002)]),
        ets_rates: Ok(vec![giulia_model::EtsRates::default()]),
        processes: Ok(vec![giulia_model::ProcessDetail::default()]),
    }
}

/// The function that all examples call.
pub(crate) fn lookup() -> Mfa {
    Mfa::new("Elixir.Shop.Registry", "lookup", 2)
}

/// A count against its limit.
pub(crate) fn limit(name: &str, first: u64, last: u64, limit: u64) -> LimitOver {
    #[expect(clippy::cast_precision_loss, reason = "an example")]
    let max_share = first.max(last) as f64 / limit as f64;
    LimitOver {
        name: name.to_owned(),
        first,
        last,
        max: first.max(last),
        limit: Some(limit),
        max_share: Some(max_share),
        ..LimitOver::default()
    }
}

/// A mailbox over the session.
pub(crate) fn mailbox_over(name: &str, first: u64, last: u64, max: u64) -> MailboxOver {
    MailboxOver {
        name: name.to_owned(),
        pid: "<0.200.0>".to_owned(),
        first,
        last,
        max,
        ticks: 30,
        per_minute: None,
    }
}

/// A named, protected set.
pub(crate) fn table(name: &str) -> EtsTable {
    EtsTable {
        name: name.to_owned(),
        named: true,
        kind: "set".to_owned(),
        protection: "protected".to_owned(),
        size: 100,
        memory_bytes: 10_000,
        owner: Pid("<0.100.0>".to_owned()),
        owner_name: Some("shop_registry".to_owned()),
        read_concurrency: Some(true),
        write_concurrency: Some("false".to_owned()),
        decentralized_counters: Some(false),
        compressed: false,
    }
}

/// A function with its calls a second.
pub(crate) fn traced(mfa: &Mfa, calls_per_s: f64) -> TracedFunction {
    TracedFunction {
        module: mfa.module.clone(),
        name: mfa.function.clone(),
        arity: mfa.arity,
        calls: Some(1_000),
        calls_per_s: Some(calls_per_s),
        window_ms: 5_000.0,
        ..TracedFunction::default()
    }
}

/// A function that rests on one thing, is called with eight keys and always answers the same.
pub(crate) fn explained(mfa: &Mfa, kind: RestsOnKind, name: &str, mean_us: f64) -> Explain {
    let mut it = Explain {
        node: "shop@db1".to_owned(),
        function: mfa.clone(),
        verdict: ExplainVerdict::Rests,
        explained: 0.97,
        latency: Some(Latency { p50_us: mean_us, mean_us, ..Latency::default() }),
        stability: Some(Stability {
            calls: 200,
            distinct_keys: 8,
            repeated: 192,
            changed: 0,
            seen_once: Some(0),
            key_bytes_p50: 12,
            result_bytes_p50: 300,
            result_bytes_max: 900,
        }),
        ..Explain::default()
    };
    it.calls.whole = 200;
    it.calls.processes = 20;
    it.rests_on = vec![RestsOn {
        kind,
        name: name.to_owned(),
        share_of_time: 0.96,
        share_of_calls: 0.99,
        ..RestsOn::default()
    }];
    it
}

/// What the database at this address says of statements with their calls a second: half a millisecond
/// each, for 30 s.
pub(crate) fn witnessed(address: &str, statements: &[(&str, f64)]) -> SessionDatabase {
    let database = Database {
        host: "db1".to_owned(),
        port: 5432,
        addresses: vec![address.to_owned()],
        ..Database::default()
    };
    let rows = statements.iter().enumerate().map(|(idx, (query, calls_per_s))| StatementOver {
        counted: StatementCounted {
            id: idx.to_string(),
            query: (*query).to_owned(),
            calls: 30,
            ..StatementCounted::default()
        },
        calls_per_s: *calls_per_s,
        mean_ms: Some(0.5),
        ..StatementOver::default()
    });
    SessionDatabase {
        database: Some(database),
        counted_ms: 30_000,
        statements: rows.collect(),
        ..SessionDatabase::default()
    }
}

/// A server that is busy for this share of its time, and whose messages wait so long.
pub(crate) fn mailbox(name: &str, busy: f64, waiting_ms: f64) -> Mailbox {
    Mailbox {
        node: "shop@db1".to_owned(),
        pid: Pid("<0.200.0>".to_owned()),
        name: name.to_owned(),
        server: giulia_model::ServerKind::GenServer,
        source: giulia_model::MessageSource::Callbacks,
        window_ms: 2_000.0,
        seen_ms: 2_000.0,
        messages: 20_000,
        per_second: Some(10_000.0),
        service: Some(ServiceTime {
            count: 20_000,
            mean_us: busy * 100.0,
            ..ServiceTime::default()
        }),
        busy: Some(giulia_model::Busy { share: busy, ..giulia_model::Busy::default() }),
        waiting: Some(giulia_model::Waiting {
            mean_ms: waiting_ms,
            arrivals_per_second: 10_000.0,
            looks: 100,
            ..giulia_model::Waiting::default()
        }),
        ..Mailbox::default()
    }
}

/// What a rule says of a picture; where it says several things, the gravest.
pub(crate) fn says(rule: &Rule, picture: &Picture) -> Finding {
    crate::judge_with(&[rule], picture).findings.remove(0)
}

/// Asserts what a rule says.
pub(crate) fn check(rule: &Rule, picture: &Picture, outcome: FindingOutcome) -> Finding {
    let said = says(rule, picture);
    assert_eq!(said.outcome, outcome, "{said:#?}");
    if outcome == FindingOutcome::Found {
        assert!(said.severity.is_some() && !said.evidence.is_empty(), "{said:#?}");
        assert!(said.verify.as_ref().is_some_and(|it| it.starts_with("giulia ")), "{said:#?}");
    }
    said
}

#[test]
fn a_healthy_node_has_nothing() {
    let all = crate::judge(&healthy());
    for it in &all.findings {
        assert_ne!(it.outcome, FindingOutcome::Found, "{it:#?}");
    }
}
