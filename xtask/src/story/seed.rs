//! What the article published, to stand beside ours: "How We Told a Stranger's Node Where Its Cache
//! Should Be", seven sessions of its own Nexus on its own machine.

/// A row of its table of sessions.
pub(super) struct Session {
    pub(super) title: &'static str,
    pub(super) seconds: u32,
    /// Processes that waited for a scheduler, at most.
    pub(super) run_queue: Option<u32>,
    pub(super) top: &'static str,
    pub(super) logger: &'static str,
}

pub(super) const SESSIONS: [Session; 7] = [
    Session {
        title: "first contact (the suite)",
        seconds: 180,
        run_queue: Some(17),
        top: ":proc_lib 100 %",
        logger: "0 %",
    },
    Session {
        title: "idle",
        seconds: 21,
        run_queue: Some(0),
        top: ":code_server 38.7 %",
        logger: "0 %",
    },
    Session {
        title: "info log, synchronous",
        seconds: 77,
        run_queue: Some(1),
        top: ":proc_lib 54.3 %",
        logger: "28.5 %",
    },
    Session {
        title: "warning log, synchronous",
        seconds: 77,
        run_queue: Some(5),
        top: ":logger_std_h_default",
        logger: "39.1 %",
    },
    Session {
        title: "info log, asynchronous",
        seconds: 71,
        run_queue: Some(2),
        top: ":proc_lib 98.9 %",
        logger: "gone",
    },
    Session {
        title: "one module counted",
        seconds: 73,
        run_queue: None,
        top: "not published",
        logger: "not published",
    },
    Session {
        title: "two modules counted",
        seconds: 85,
        run_queue: None,
        top: "not published",
        logger: "not published",
    },
];

/// Calls that its two-module session credited to each module: function, to `Nexus.Repo`, to
/// `Nexus.Registry.TableRegistry`.
pub(super) const CALLS: [(&str, u32, u32); 8] = [
    ("prepare_opts/2", 1_266, 354),
    ("default_options/1", 1_263, 354),
    ("get/1", 1_263, 354),
    ("prepare_query/3", 956, 292),
    ("all/1", 593, 186),
    ("one/1", 353, 106),
    ("insert_all/3", 307, 62),
    ("put_dynamic_repo/1", 12, 0),
];

/// Its stress test: what, its figure, the name in the last line of our load, the unit.
pub(super) const STRESS: &[(&str, &str, &str, &str)] = &[
    ("duration", "60.0 s", "seconds", " s"),
    ("operations", "55,151", "operations", ""),
    ("errors", "0", "errors", ""),
    ("throughput", "919/s", "operations_per_second", "/s"),
    ("latency, least", "0.7 ms", "min_ms", " ms"),
    ("latency, median", "5.4 ms", "median_ms", " ms"),
    ("latency, 95 %", "93.1 ms", "p95_ms", " ms"),
    ("latency, 99 %", "156.9 ms", "p99_ms", " ms"),
    ("latency, most", "287.2 ms", "max_ms", " ms"),
    ("select", "13,619", "select", ""),
    ("insert", "11,203", "insert", ""),
    ("count", "8,291", "count", ""),
    ("search", "5,553", "search", ""),
    ("paginate", "5,489", "paginate", ""),
    ("aggregate", "5,440", "aggregate", ""),
    ("distinct", "2,818", "distinct", ""),
    ("exists", "2,738", "exists", ""),
    ("memory before", "87 MB", "memory_before_bytes", " MB"),
    ("memory after", "88 MB", "memory_after_bytes", " MB"),
    ("processes before", "459", "processes_before", ""),
    ("processes after", "459", "processes_after", ""),
];

/// Its priorities: action, impact, effort.
pub(super) const ACTIONS: [(&str, &str, &str); 3] = [
    ("cache TableRegistry in ETS", "eliminates ~2,000 DB calls a window", "low"),
    ("read cache for hot get/1 paths", "reduces the 87 % read load", "medium"),
    ("profile the PostgreSQL side", "confirms where latency lives", "low"),
];

/// Its last table: finding, seen by processes, seen by functions, and our rule for the same.
pub(super) const LAYERS: &[(&str, &str, &str, &str)] = &[
    ("synchronous logger at 39 % of the CPU", "yes", "-", "synchronous_logger"),
    ("TableRegistry.get/1 is the first function", "no", "9,238 calls", ""),
    ("TableRegistry is backed by a database", "no", "by names", "rests_on_database"),
    ("87 % of the workload reads", "no", "ratio", "repo_reads"),
    ("1.38x overhead of Ecto, structural", "no", "yes", "repo_overhead"),
    ("dynamic repo switching is fine", "no", "12 switches", "repo_switching"),
    (
        "the BEAM has headroom, the database is the constraint",
        "partly",
        "throughput",
        "waits_downstream",
    ),
    ("scheduler contention (session 1)", "yes", "-", "scheduler_contention"),
];
