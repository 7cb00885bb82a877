//! Question: what do the operating system and the container give the VM?
//!
//! Call: `prim_file:read_file/1` of a fixed list of files under `/proc` and `/sys/fs/cgroup`,
//! `prim_file:list_dir/1` of `/proc/self/fd`, in the process that asks (never the file server).
//! First OTP: 23.
//! Cost: constant in processes; about 20 small reads, and one entry for each open descriptor.
//! Limit: the heap limit of the question, which a million descriptors would meet.
//! Side effects: none; each read runs on a dirty IO scheduler.

use std::collections::HashMap;

use giulia_dist::term::Term;
use giulia_model::{Cgroup, HostFacts};

use super::Probe;
use crate::{
    answer::{self, Answer, Bif, Problem},
    eval,
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

/// Files of a cgroup's folder, by version.
const CGROUP_2: [&str; 4] = ["memory.max", "memory.current", "cpu.max", "cpu.stat"];
const CGROUP_1: [&str; 5] = [
    "memory/memory.limit_in_bytes",
    "memory/memory.usage_in_bytes",
    "cpu/cpu.cfs_quota_us",
    "cpu/cpu.cfs_period_us",
    "cpu/cpu.stat",
];

const DESCRIPTORS: &str = "/proc/self/fd";

/// The kernel writes "unlimited" of version 1 as the largest page multiple: nothing real is above.
const UNLIMITED_BYTES: u64 = 1 << 60;

/// Everything is read in one go from the folder that a container sees as its own root.
fn paths() -> Vec<String> {
    let group = CGROUP_2.iter().chain(&CGROUP_1).map(|it| format!("/sys/fs/cgroup/{it}"));
    FILES.iter().map(|it| (*it).to_owned()).chain(group).collect()
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

/// The question for the files of the VM's own cgroup.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) question: Bif,
    /// What each file stands for, of [`CGROUP_2`] or [`CGROUP_1`]: both have a `cpu.stat`.
    known: Vec<&'static str>,
}

/// The files of the VM's own cgroup, when it is not the root of what it sees.
pub(crate) fn own_cgroup(files: &Files) -> Option<Own> {
    let group = files.get("/proc/self/cgroup")?;
    let of = |line: &str| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        (path != "/" && !path.contains("..")).then(|| (controllers.to_owned(), path.to_owned()))
    };
    let mut wanted = Vec::new();
    for (controllers, path) in group.lines().filter_map(of) {
        let named = |name: &str| controllers.split(',').any(|it| it == name);
        if controllers.is_empty() {
            let lies = |it: &&'static str| (*it, format!("/sys/fs/cgroup{path}/{it}"));
            wanted.extend(CGROUP_2.iter().map(lies));
        }
        for known in CGROUP_1 {
            if let Some((controller, file)) = known.split_once('/')
                && named(controller)
            {
                wanted.push((known, format!("/sys/fs/cgroup/{controller}{path}/{file}")));
            }
        }
    }
    let files = wanted.iter().map(|(_, it)| Term::string(it)).collect::<Vec<_>>();
    (!files.is_empty()).then(|| Own {
        question: Bif::map("prim_file", "read_file", files),
        known: wanted.into_iter().map(|(known, _)| known).collect(),
    })
}

/// File contents by path; what could not be read is absent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Files(HashMap<String, String>);

impl Files {
    fn get(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    /// A file of the cgroup by its short name.
    fn group(&self, file: &str) -> Option<&str> {
        self.get(&format!("/sys/fs/cgroup/{file}"))
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

fn content(term: &Term<'_>) -> Option<String> {
    match term.as_tuple() {
        Some([ok, Term::Binary(bytes)]) if ok.is_atom("ok") => {
            Some(String::from_utf8_lossy(bytes).into_owned())
        }
        _ => None,
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
        cgroup: cgroup(files, schedulers_online),
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

fn cgroup(files: &Files, schedulers_online: Option<u64>) -> Option<Cgroup> {
    let number = |file: &str| files.group(file)?.trim().parse::<u64>().ok();
    let stat = |file: &str, key: &str| {
        let line = files.group(file)?.lines().find_map(|it| it.strip_prefix(key))?;
        line.trim().parse::<u64>().ok()
    };
    let v2 = CGROUP_2.iter().any(|it| files.group(it).is_some());
    let v1 = CGROUP_1.iter().any(|it| files.group(it).is_some());
    #[expect(clippy::cast_precision_loss, reason = "quotas and times stay far below 52 bits")]
    let (ratio, ms) = (
        |quota: u64, period: u64| (period > 0).then(|| quota as f64 / period as f64),
        |time: u64, unit: f64| time as f64 / unit,
    );
    let mut group = if v2 {
        let max = files.group("cpu.max").and_then(|it| it.split_once(' '));
        let quota =
            max.and_then(|(quota, period)| ratio(quota.parse().ok()?, period.trim().parse().ok()?));
        Cgroup {
            version: 2,
            memory_limit_bytes: number("memory.max"),
            memory_used_bytes: number("memory.current"),
            cpu_quota_cores: quota,
            throttled_periods: stat("cpu.stat", "nr_throttled"),
            throttled_ms: stat("cpu.stat", "throttled_usec").map(|it| ms(it, 1e3)),
            schedulers_exceed_quota: false,
        }
    } else if v1 {
        // A quota of -1 is none, and does not parse.
        let quota = number("cpu/cpu.cfs_quota_us").zip(number("cpu/cpu.cfs_period_us"));
        Cgroup {
            version: 1,
            memory_limit_bytes: number("memory/memory.limit_in_bytes")
                .filter(|it| *it < UNLIMITED_BYTES),
            memory_used_bytes: number("memory/memory.usage_in_bytes"),
            cpu_quota_cores: quota.and_then(|(quota, period)| ratio(quota, period)),
            throttled_periods: stat("cpu/cpu.stat", "nr_throttled"),
            throttled_ms: stat("cpu/cpu.stat", "throttled_time").map(|it| ms(it, 1e6)),
            schedulers_exceed_quota: false,
        }
    } else {
        return None;
    };
    #[expect(clippy::cast_precision_loss, reason = "a number of schedulers, at most 1,024")]
    let online = schedulers_online.map(|it| it as f64);
    // Half a core of grace: OTP itself rounds a quota up to whole schedulers.
    group.schedulers_exceed_quota =
        online.zip(group.cpu_quota_cores).is_some_and(|(online, quota)| online > quota.ceil());
    Some(group)
}

/// Puts files of the VM's own cgroup where those of the root stand.
pub(crate) fn merge(files: &mut Files, own: &Own, answers: &[Answer]) {
    let Ok(contents) = answer::term(answers, 0).and_then(answer::list) else { return };
    for (known, it) in own.known.iter().zip(&contents) {
        if let Some(text) = content(it) {
            files.0.insert(format!("/sys/fs/cgroup/{known}"), text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(pairs: &[(&str, &str)]) -> Files {
        Files(pairs.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect())
    }

    #[test]
    fn a_quota_below_the_schedulers_is_told_in_both_versions() {
        let status = ("/proc/self/status", "Name:\tbeam.smp\nPid:\t42\nVmRSS:\t  1000 kB\n");
        let second = files(&[
            status,
            ("/sys/fs/cgroup/cpu.max", "150000 100000\n"),
            ("/sys/fs/cgroup/memory.max", "max\n"),
            ("/sys/fs/cgroup/cpu.stat", "usage_usec 5\nnr_throttled 7\nthrottled_usec 2500\n"),
        ]);
        let facts_2 = facts(&second, Some(20), Some(8)).unwrap();
        assert_eq!((facts_2.os_pid, facts_2.rss_bytes), (42, Some(1_024_000)));
        let group = facts_2.cgroup.unwrap();
        assert_eq!(group.cpu_quota_cores, Some(1.5));
        assert_eq!(group.memory_limit_bytes, None);
        assert_eq!(group.throttled_ms, Some(2.5));
        assert!(group.schedulers_exceed_quota);
        let first = files(&[
            status,
            ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n"),
            ("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"),
            ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ]);
        let group = facts(&first, None, Some(8)).unwrap().cgroup.unwrap();
        assert_eq!((group.version, group.cpu_quota_cores), (1, None));
        assert_eq!(group.memory_limit_bytes, None);
        assert!(!group.schedulers_exceed_quota);
    }

    #[test]
    fn two_schedulers_on_a_quota_of_one_and_a_half_are_as_otp_chooses() {
        let second =
            files(&[("/proc/self/status", ""), ("/sys/fs/cgroup/cpu.max", "150000 100000")]);
        assert!(!facts(&second, None, Some(2)).unwrap().cgroup.unwrap().schedulers_exceed_quota);
    }

    #[test]
    fn without_proc_there_is_a_reason() {
        let problem = facts(&Files::default(), None, None).unwrap_err();
        assert!(problem.to_string().contains("/proc"));
    }

    #[test]
    fn a_group_of_its_own_is_read_where_it_lies() {
        let in_group = files(&[("/proc/self/cgroup", "0::/system.slice/shop.service\n")]);
        let asked = own_cgroup(&in_group).unwrap();
        let first = asked.question.args[1].as_list().unwrap()[0].clone();
        assert_eq!(
            answer::text(&first).unwrap(),
            "/sys/fs/cgroup/system.slice/shop.service/memory.max"
        );
        assert!(own_cgroup(&files(&[("/proc/self/cgroup", "0::/\n")])).is_none());
        assert!(own_cgroup(&files(&[("/proc/self/cgroup", "0::/../../etc\n")])).is_none());
    }

    #[test]
    fn the_own_group_of_a_first_version_host_is_told_with_its_limits() {
        let mut host = files(&[
            ("/proc/self/status", "Pid:\t42\n"),
            ("/proc/self/cgroup", "5:cpu,cpuacct:/shop\n4:memory:/shop\n1:name=systemd:/shop\n"),
        ]);
        let own = own_cgroup(&host).unwrap();
        let contents = own.question.args[1].as_list().unwrap().iter().map(|path| {
            let text = match answer::text(path).unwrap().as_str() {
                "/sys/fs/cgroup/memory/shop/memory.limit_in_bytes" => "1000000\n",
                "/sys/fs/cgroup/memory/shop/memory.usage_in_bytes" => "700\n",
                "/sys/fs/cgroup/cpu/shop/cpu.cfs_quota_us" => "150000\n",
                "/sys/fs/cgroup/cpu/shop/cpu.cfs_period_us" => "100000\n",
                "/sys/fs/cgroup/cpu/shop/cpu.stat" => "nr_throttled 7\nthrottled_time 2500000\n",
                other => panic!("{other}"),
            };
            Term::tuple([Term::atom("ok"), Term::binary(text.as_bytes().to_vec())])
        });
        let mut bytes = Vec::new();
        Term::list(contents).encode(&mut bytes).unwrap();
        merge(&mut host, &own, &[Ok(bytes)]);
        let group = facts(&host, None, Some(4)).unwrap().cgroup.unwrap();
        assert_eq!((group.version, group.memory_limit_bytes), (1, Some(1_000_000)));
        assert_eq!((group.cpu_quota_cores, group.throttled_ms), (Some(1.5), Some(2.5)));
        assert!(group.schedulers_exceed_quota);
    }
}
