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
