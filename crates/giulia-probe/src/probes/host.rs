//! Question: what do the operating system and the container give the VM?
//!
//! Call: `prim_file:read_file/1` of a fixed list of files under `/proc` and `/sys/fs/cgroup`,
//! `prim_file:list_dir/1` of `/proc/self/fd`, in the process that asks (never the file server).
//! First OTP: 23.
//! Cost: constant in processes; about 20 small reads, in a cgroup of its own five or six more for
//! it and each of its parents, and one entry for each open descriptor.
//! Limit: 16 groups; the heap limit of the question, which a million descriptors would meet.
//! Side effects: none; each read runs on a dirty IO scheduler.

use std::collections::HashMap;

use giulia_dist::term::Term;
use giulia_model::{HostFacts, NotSeen};

use super::Probe;
use crate::{
    answer::{self, Answer, Bif, Problem},
    cgroup, eval,
};

pub(crate) const PROBE: Probe =
    Probe { name: "host", question: "what do the operating system and the container give the VM?" };

/// What is read whatever the cgroup.
const FILES: [&str; 5] = [
    "/proc/self/status",
    "/proc/self/limits",
    "/proc/meminfo",
    "/proc/loadavg",
    "/proc/self/cgroup",
];

const DESCRIPTORS: &str = "/proc/self/fd";

/// Everything is read in one go, the cgroup from the folder that a container sees as its own root.
fn paths() -> Vec<String> {
    FILES.iter().map(|it| (*it).to_owned()).chain(cgroup::root_paths()).collect()
}

pub(crate) fn questions(no_eval: bool) -> Vec<Bif> {
    let files = paths().iter().map(|it| Term::string(it)).collect::<Vec<_>>();
    if no_eval {
        vec![
            Bif::map("prim_file", "read_file", files),
            Bif::new("prim_file", "list_dir", [Term::string(DESCRIPTORS)]),
        ]
    } else {
        vec![eval::HOST.with(Term::tuple([Term::list(files), Term::string(DESCRIPTORS)]))]
    }
}

/// The question for the files of the VM's own cgroup and its parents.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) question: Bif,
    paths: Vec<String>,
}

/// The files of the VM's own cgroup and its parents, when it is not the root of what it sees.
pub(crate) fn own_cgroup(files: &Files) -> Option<Own> {
    let paths = cgroup::own_paths(files.get("/proc/self/cgroup")?);
    let terms: Vec<_> = paths.iter().map(|it| Term::string(it)).collect();
    (!paths.is_empty()).then(|| Own { question: Bif::map("prim_file", "read_file", terms), paths })
}

/// File contents by path, or why they cannot be read; what is not there is absent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Files(HashMap<String, Result<String, String>>);

impl Files {
    /// What a file says, or why it cannot be read; nothing for one that is not there.
    pub(crate) fn read(&self, path: &str) -> Option<Result<&str, &str>> {
        self.0.get(path).map(|it| it.as_deref().map_err(String::as_str))
    }

    fn get(&self, path: &str) -> Option<&str> {
        self.read(path)?.ok()
    }
}

/// What the questions brought: the files, and how many descriptors are open.
pub(crate) fn read(answers: &[Answer], no_eval: bool) -> Result<(Files, Option<u64>), Problem> {
    let (contents, descriptors) = if no_eval {
        let listed = answer::term(answers, 1).ok();
        let open = listed.as_ref().and_then(Term::as_tuple).and_then(|it| it.get(1)?.as_list());
        // The listing holds the descriptor that it was read through.
        let open = open.and_then(|it| u64::try_from(it.len()).ok());
        (answer::list(answer::term(answers, 0)?)?, open)
    } else {
        let whole = answer::term(answers, 0)?;
        let inner = whole.as_list().and_then(<[_]>::first).and_then(Term::as_tuple);
        let Some([contents, open]) = inner else { return Err(answer::unexpected(&whole)) };
        (answer::list(contents.clone())?, answer::uint(open).ok())
    };
    let read = paths().into_iter().zip(contents.iter().map(content));
    let files = read.filter_map(|(path, text)| Some((path, text?))).collect();
    Ok((Files(files), descriptors))
}

fn content(term: &Term<'_>) -> Option<Result<String, String>> {
    match term.as_tuple() {
        Some([ok, Term::Binary(bytes)]) if ok.is_atom("ok") => {
            Some(Ok(String::from_utf8_lossy(bytes).into_owned()))
        }
        // A group that ended while it was read says `enodev`.
        Some([_, why]) if ["enoent", "enotdir", "enodev"].iter().any(|it| why.is_atom(it)) => None,
        Some([_, why]) => Some(Err(why.to_string())),
        _ => Some(Err("the node answered something else than expected".to_owned())),
    }
}

/// The facts, or why there are none.
pub(crate) fn facts(
    files: &Files,
    descriptors: Option<u64>,
    schedulers_online: Option<u64>,
) -> Result<HostFacts, Problem> {
    let Some(status) = files.get("/proc/self/status") else {
        return Err(Problem("the node has no /proc to read: not Linux, or hidden from it".into()));
    };
    let kib = |text: &str, name: &str| {
        let line = text.lines().find_map(|it| it.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    let bytes = |text: Option<&str>, name: &str| Some(kib(text?, name)? * 1024);
    let machine = files.get("/proc/meminfo");
    Ok(HostFacts {
        os_pid: kib(status, "Pid").unwrap_or_default(),
        rss_bytes: bytes(Some(status), "VmRSS"),
        rss_peak_bytes: bytes(Some(status), "VmHWM"),
        threads: kib(status, "Threads"),
        descriptors,
        descriptors_limit: files.get("/proc/self/limits").and_then(open_files_limit),
        machine_memory_bytes: bytes(machine, "MemTotal"),
        machine_available_bytes: bytes(machine, "MemAvailable"),
        load_average: files.get("/proc/loadavg").and_then(load_average),
        cgroup: cgroup::cgroup(files, schedulers_online),
    })
}

fn open_files_limit(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|it| it.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn load_average(text: &str) -> Option<[f64; 3]> {
    let mut parts = text.split_whitespace().map(str::parse);
    Some([parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?])
}

/// Adds the files of the VM's own cgroup.
pub(crate) fn merge(files: &mut Files, own: &Own, answers: &[Answer]) {
    let contents = match answer::terms(answers, 0, own.paths.len()) {
        Ok(contents) => contents.iter().map(content).collect(),
        Err(why) => vec![Some(Err(why.to_string())); own.paths.len()],
    };
    let read = own.paths.iter().zip(contents);
    files.0.extend(read.filter_map(|(path, it)| Some((path.clone(), it?))));
}

/// Limits that hold and are not known.
pub(crate) fn not_seen(host: &HostFacts) -> Vec<NotSeen> {
    let group = host.cgroup.as_ref();
    let told = |what: &str, why: &Option<String>| {
        why.as_ref().map(|why| NotSeen { what: what.to_owned(), why: why.clone() })
    };
    let memory =
        group.and_then(|it| told("memory limit of the cgroup", &it.memory_limit_unreadable));
    let cpu = group.and_then(|it| told("CPU quota of the cgroup", &it.cpu_quota_unreadable));
    memory.into_iter().chain(cpu).collect()
}

#[cfg(test)]
mod tests {
    use std::{fs, io, path::PathBuf};

    use super::*;

    /// A node whose `/proc` and `/sys` are a folder of `fixtures/cgroup`, asked as a real one is.
    fn host(case: &str) -> HostFacts {
        let root =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/cgroup").join(case);
        assert!(root.is_dir(), "{}", root.display());
        let read = |question: &Bif| {
            let paths = question.args[1].as_list().unwrap();
            let told = paths.iter().map(|path| {
                let path = answer::text(path).unwrap();
                match fs::read(root.join(path.trim_start_matches('/'))) {
                    Ok(bytes) => Term::tuple([Term::atom("ok"), Term::binary(bytes)]),
                    Err(why) if why.kind() == io::ErrorKind::NotFound => {
                        Term::tuple([Term::atom("error"), Term::atom("enoent")])
                    }
                    // A folder stands for what may not be read: tests run as root, who may.
                    Err(_) => Term::tuple([Term::atom("error"), Term::atom("eacces")]),
                }
            });
            let mut bytes = Vec::new();
            Term::list(told).encode(&mut bytes).unwrap();
            Ok(bytes)
        };
        let asked = questions(true);
        let (mut files, _) = super::read(&[read(&asked[0])], true).unwrap();
        if let Some(own) = own_cgroup(&files) {
            merge(&mut files, &own, &[read(&own.question)]);
        }
        facts(&files, Some(20), Some(8)).unwrap()
    }

    #[test]
    fn the_least_of_a_group_and_its_parents_counts_in_the_second_version() {
        let host = host("v2-parents");
        assert_eq!((host.os_pid, host.rss_bytes), (42, Some(1_024_000)));
        assert_eq!(not_seen(&host), []);
        let group = host.cgroup.unwrap();
        // The pod has 400 MB and 1.5 cores, the container in it 1 GB and no quota.
        assert_eq!((group.version, group.memory_limit_bytes), (2, Some(400_000_000)));
        assert_eq!(group.memory_used_bytes, Some(300_000_000));
        // 400 - (300 - 50 of cache).
        assert_eq!(group.memory_available_bytes, Some(150_000_000));
        assert_eq!((group.cpu_quota_cores, group.throttled_ms), (Some(1.5), Some(2.5)));
        assert_eq!(group.throttled_periods, Some(7));
        assert!(group.schedulers_exceed_quota);
    }

    #[test]
    fn the_least_of_a_group_and_its_parents_counts_in_the_first_version() {
        let host = host("v1-parents");
        assert_eq!(not_seen(&host), []);
        let group = host.cgroup.unwrap();
        assert_eq!((group.version, group.memory_limit_bytes), (1, Some(1_000_000)));
        assert_eq!(
            (group.memory_used_bytes, group.memory_available_bytes),
            (Some(700), Some(999_400))
        );
        assert_eq!((group.cpu_quota_cores, group.throttled_ms), (Some(0.5), Some(2.5)));
    }

    #[test]
    fn a_container_sees_its_own_group_as_the_root() {
        for (case, version) in [("v2-container", 2), ("v1-container", 1)] {
            let host = host(case);
            assert_eq!(not_seen(&host), [], "{case}");
            let group = host.cgroup.unwrap();
            assert_eq!((group.version, group.memory_limit_bytes), (version, Some(536_870_912)));
            assert_eq!(group.cpu_quota_cores, Some(2.0), "{case}");
        }
    }

    #[test]
    fn no_limit_is_none_and_nothing_is_missing() {
        for case in ["v2-unlimited", "v1-unlimited"] {
            let host = host(case);
            assert_eq!(not_seen(&host), [], "{case}");
            let group = host.cgroup.unwrap();
            assert_eq!((group.memory_limit_bytes, group.memory_available_bytes), (None, None));
            assert_eq!(group.cpu_quota_cores, None, "{case}");
            assert!(!group.schedulers_exceed_quota);
        }
    }

    #[test]
    fn a_limit_that_cannot_be_read_is_not_taken_for_none() {
        let host = host("v2-unreadable");
        let missing = not_seen(&host);
        assert_eq!(missing.len(), 2, "{missing:?}");
        assert_eq!(missing[0].what, "memory limit of the cgroup");
        assert_eq!(missing[0].why, "/sys/fs/cgroup/shop/memory.max: eacces");
        assert_eq!(missing[1].why, "/sys/fs/cgroup/cpu.max: eacces");
        // What could be read is told all the same.
        assert_eq!(host.cgroup.unwrap().cpu_quota_cores, Some(1.0));
    }

    #[test]
    fn a_group_out_of_sight_is_told() {
        for case in ["v2-not-mounted", "v2-outside", "v1-not-mounted"] {
            let missing = not_seen(&host(case));
            assert_eq!(missing.len(), 2, "{case}: {missing:?}");
            assert!(missing[0].why.contains("not visible"), "{case}: {missing:?}");
            assert_eq!(host(case).cgroup.unwrap().memory_limit_bytes, None, "{case}");
        }
    }

    #[test]
    fn groups_too_deep_to_read_are_told() {
        let path = "/a".repeat(20);
        let mut files = Files::default();
        files.0.insert("/proc/self/status".to_owned(), Ok(String::new()));
        files.0.insert("/proc/self/cgroup".to_owned(), Ok(format!("0::{path}\n")));
        let own = own_cgroup(&files).unwrap();
        assert_eq!(own.paths.len(), 16 * 5);
        files.0.insert(format!("/sys/fs/cgroup{path}/memory.max"), Ok("1000\n".to_owned()));
        let facts = facts(&files, None, None).unwrap();
        assert!(not_seen(&facts)[0].why.contains("16 groups deep"), "{:?}", not_seen(&facts));
        assert_eq!(facts.cgroup.unwrap().memory_limit_bytes, Some(1000));
    }

    #[test]
    fn two_schedulers_on_a_quota_of_one_and_a_half_are_as_otp_chooses() {
        let mut files = Files::default();
        for (path, text) in [
            ("/proc/self/status", ""),
            ("/proc/self/cgroup", "0::/\n"),
            ("/sys/fs/cgroup/cpu.max", "150000 100000"),
        ] {
            files.0.insert(path.to_owned(), Ok(text.to_owned()));
        }
        let exceed = |online| {
            let facts = facts(&files, None, Some(online)).unwrap();
            facts.cgroup.unwrap().schedulers_exceed_quota
        };
        assert!(!exceed(2) && exceed(3));
    }

    #[test]
    fn without_proc_there_is_a_reason() {
        let problem = facts(&Files::default(), None, None).unwrap_err();
        assert!(problem.to_string().contains("/proc"));
    }
}
