//! What the cgroups around a VM allow: its own group and every parent, versions 1 and 2.
//!
//! A limit of a parent binds as the group's own does, so the least counts. A file that is not
//! there sets no limit; one that is there and cannot be read hides one, and that is told apart.

use giulia_model::Cgroup;

use crate::probes::host::Files;

/// Groups that are read, the VM's own first: a pod's container lies five deep, and 16 groups are
/// at most 96 small reads.
const LEVELS_MAX: usize = 16;

/// The kernel writes "unlimited" of version 1 as the largest page multiple: nothing real is above.
const UNLIMITED_BYTES: u64 = 1 << 60;

const ROOT: &str = "/sys/fs/cgroup";

/// Files of a group's folder, by version; in version 1 behind the folder of their controller.
const VERSION_2: [(Controller, &str); 5] = [
    (Controller::Memory, "memory.max"),
    (Controller::Memory, "memory.current"),
    (Controller::Memory, "memory.stat"),
    (Controller::Cpu, "cpu.max"),
    (Controller::Cpu, "cpu.stat"),
];
const VERSION_1: [(Controller, &str); 6] = [
    (Controller::Memory, "memory.limit_in_bytes"),
    (Controller::Memory, "memory.usage_in_bytes"),
    (Controller::Memory, "memory.stat"),
    (Controller::Cpu, "cpu.cfs_quota_us"),
    (Controller::Cpu, "cpu.cfs_period_us"),
    (Controller::Cpu, "cpu.stat"),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Controller {
    Memory,
    Cpu,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// A memory limit with what is used below it, in bytes.
#[derive(Debug, Clone, Copy, Default)]
struct MemoryLevel {
    limit: Option<u64>,
    used: Option<u64>,
    /// Page cache that the kernel gives back first, as those who evict containers count.
    cache: u64,
}

/// A quota with what it cost.
#[derive(Debug, Clone, Copy, Default)]
struct CpuLevel {
    quota_cores: Option<f64>,
    throttled_periods: Option<u64>,
    throttled_ms: Option<f64>,
}

/// What one controller says: the levels that are there, the VM's own first, and why some are not.
#[derive(Debug)]
struct Levels<T> {
    found: Vec<T>,
    unreadable: Option<String>,
}

/// Files of the folder that a container sees as its root.
pub(crate) fn root_paths() -> Vec<String> {
    let of = |version, controller, file| format!("{}/{file}", folder(version, controller, ""));
    let second = VERSION_2.iter().map(|(controller, file)| of(Version::Two, *controller, file));
    let first = VERSION_1.iter().map(|(controller, file)| of(Version::One, *controller, file));
    second.chain(first).collect()
}

/// Files of the VM's own group and of its parents, by what `/proc/self/cgroup` says; the root is
/// not among them.
pub(crate) fn own_paths(membership: &str) -> Vec<String> {
    let version = version(membership);
    let files = if version == Version::Two { &VERSION_2[..] } else { &VERSION_1[..] };
    let mut paths = Vec::new();
    for (controller, file) in files {
        for level in levels(membership, *controller) {
            paths.push(format!("{}/{file}", folder(version, *controller, level)));
        }
    }
    paths
}

/// What the groups allow; nothing where the kernel has none.
pub(crate) fn cgroup(files: &Files, schedulers_online: Option<u64>) -> Option<Cgroup> {
    let membership = match files.read("/proc/self/cgroup") {
        Some(Ok(text)) => text,
        // A VM that may not see its group still sees what a container has as its root.
        Some(Err(why)) => return hidden(files, schedulers_online, why),
        None => return None,
    };
    let version = version(membership);
    let memory = collect(files, membership, Controller::Memory, memory_level);
    let cpu = collect(files, membership, Controller::Cpu, cpu_level);
    Some(told(version, memory, cpu, schedulers_online))
}

fn hidden(files: &Files, schedulers_online: Option<u64>, why: &str) -> Option<Cgroup> {
    let is_first = |path: &str| path.contains("/memory/") || path.contains("/cpu/");
    let seen = root_paths().into_iter().find(|it| matches!(files.read(it), Some(Ok(_))))?;
    let membership = if is_first(&seen) { "1:memory:/\n2:cpu:/\n" } else { "0::/\n" };
    let mut memory = collect(files, membership, Controller::Memory, memory_level);
    let mut cpu = collect(files, membership, Controller::Cpu, cpu_level);
    let why = format!("/proc/self/cgroup: {why}");
    memory.unreadable.get_or_insert_with(|| why.clone());
    cpu.unreadable.get_or_insert(why);
    Some(told(version(membership), memory, cpu, schedulers_online))
}

fn told(
    version: Version,
    memory: Levels<MemoryLevel>,
    cpu: Levels<CpuLevel>,
    schedulers_online: Option<u64>,
) -> Cgroup {
    let limited = memory.found.iter().filter(|it| it.limit.is_some());
    let least = limited.clone().min_by_key(|it| it.limit).or(memory.found.first());
    let available = limited.filter_map(|it| {
        let held = it.used?.saturating_sub(it.cache);
        Some(it.limit?.saturating_sub(held))
    });
    let quotas = cpu.found.iter().filter_map(|it| Some((it.quota_cores?, it)));
    let tightest = quotas.min_by(|left, right| left.0.total_cmp(&right.0)).map(|(_, it)| it);
    let throttling = tightest.or(cpu.found.first()).copied().unwrap_or_default();
    let quota = throttling.quota_cores;
    #[expect(clippy::cast_precision_loss, reason = "a number of schedulers, at most 1,024")]
    let online = schedulers_online.map(|it| it as f64);
    Cgroup {
        version: if version == Version::Two { 2 } else { 1 },
        memory_limit_bytes: least.and_then(|it| it.limit),
        memory_used_bytes: least.and_then(|it| it.used),
        memory_available_bytes: available.min(),
        memory_limit_unreadable: memory.unreadable,
        cpu_quota_cores: quota,
        cpu_quota_unreadable: cpu.unreadable,
        throttled_periods: throttling.throttled_periods,
        throttled_ms: throttling.throttled_ms,
        // Half a core of grace: OTP itself rounds a quota up to whole schedulers.
        schedulers_exceed_quota: online.zip(quota).is_some_and(|(online, it)| online > it.ceil()),
    }
}

/// Controllers with names of their own are those of version 1, also where both are mounted.
fn version(membership: &str) -> Version {
    let named = |line: &str| {
        let controllers = line.split(':').nth(1).unwrap_or_default();
        controllers.split(',').any(|it| it == "memory" || it == "cpu")
    };
    if membership.lines().any(named) { Version::One } else { Version::Two }
}

/// The path of the VM's own group below the controller's root.
fn own(membership: &str, controller: Controller) -> Option<&str> {
    let wanted = match (version(membership), controller) {
        (Version::Two, _) => "",
        (Version::One, Controller::Memory) => "memory",
        (Version::One, Controller::Cpu) => "cpu",
    };
    membership.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        controllers.split(',').any(|it| it == wanted).then_some(path)
    })
}

/// Its own group first, then its parents; the root is not among them.
fn levels(membership: &str, controller: Controller) -> Vec<&str> {
    // A path with `..` lies outside of what is mounted here.
    let path = own(membership, controller).filter(|it| !it.contains(".."));
    let mut path = path.unwrap_or_default().trim_end_matches('/');
    let mut levels = Vec::new();
    while !path.is_empty() && levels.len() < LEVELS_MAX {
        levels.push(path);
        path = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    }
    levels
}

fn folder(version: Version, controller: Controller, level: &str) -> String {
    match (version, controller) {
        (Version::Two, _) => format!("{ROOT}{level}"),
        (Version::One, Controller::Memory) => format!("{ROOT}/memory{level}"),
        (Version::One, Controller::Cpu) => format!("{ROOT}/cpu{level}"),
    }
}

/// Every level of one controller that is there.
fn collect<T>(
    files: &Files,
    membership: &str,
    controller: Controller,
    read: fn(Version, &Folder<'_>) -> T,
) -> Levels<T> {
    let version = version(membership);
    let limits: &[&str] = match (version, controller) {
        (Version::Two, Controller::Memory) => &["memory.max"],
        (Version::Two, Controller::Cpu) => &["cpu.max"],
        (Version::One, Controller::Memory) => &["memory.limit_in_bytes"],
        (Version::One, Controller::Cpu) => &["cpu.cfs_quota_us", "cpu.cfs_period_us"],
    };
    let names = if version == Version::Two { &VERSION_2[..] } else { &VERSION_1[..] };
    let is_there = |folder: &Folder<'_>| {
        let mut of_it = names.iter().filter(|(of, _)| version == Version::Two || *of == controller);
        of_it.any(|(_, file)| folder.files.read(&folder.path(file)).is_some())
    };
    let own_levels = levels(membership, controller);
    let mut all = Levels { found: Vec::new(), unreadable: None };
    let mut sees_own = own_levels.is_empty();
    for (place, level) in own_levels.iter().copied().chain([""]).enumerate() {
        let folder = Folder { files, folder: folder(version, controller, level) };
        if !is_there(&folder) {
            continue;
        }
        sees_own |= place == 0;
        for file in limits {
            if let Some(Err(why)) = files.read(&folder.path(file)) {
                all.unreadable.get_or_insert(format!("{}: {why}", folder.path(file)));
            }
        }
        // What a container has as its root is the group itself, where the path is the host's.
        sees_own |= level.is_empty() && limits.iter().all(|it| folder.text(it).is_some());
        all.found.push(read(version, &folder));
    }
    let Some(path) = own(membership, controller) else { return all };
    if path.contains("..") {
        // What is mounted here are somebody else's limits.
        all.found.clear();
    }
    if !sees_own || all.found.is_empty() {
        let why = format!("the node's group `{path}` is not visible to it under {ROOT}");
        all.unreadable.get_or_insert(why);
    } else if path.trim_end_matches('/').matches('/').count() > LEVELS_MAX {
        let why =
            format!("`{path}` lies more than {LEVELS_MAX} groups deep; those above count too");
        all.unreadable.get_or_insert(why);
    }
    all
}

/// One group's folder for one controller.
struct Folder<'a> {
    files: &'a Files,
    folder: String,
}

impl Folder<'_> {
    fn path(&self, file: &str) -> String {
        format!("{}/{file}", self.folder)
    }

    fn text(&self, file: &str) -> Option<&str> {
        self.files.read(&self.path(file))?.ok()
    }

    /// A file that is one number; `max` and `-1` are none.
    fn number(&self, file: &str) -> Option<u64> {
        self.text(file)?.trim().parse().ok()
    }

    /// A line of a file of keys and numbers.
    fn stat(&self, file: &str, key: &str) -> Option<u64> {
        let value = |it: &str| it.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok();
        self.text(file)?.lines().find_map(value)
    }
}

fn memory_level(version: Version, folder: &Folder<'_>) -> MemoryLevel {
    let [limit, used, cache] = match version {
        Version::Two => ["memory.max", "memory.current", "inactive_file"],
        Version::One => ["memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"],
    };
    MemoryLevel {
        limit: folder.number(limit).filter(|it| *it < UNLIMITED_BYTES),
        used: folder.number(used),
        cache: folder.stat("memory.stat", cache).unwrap_or_default(),
    }
}

fn cpu_level(version: Version, folder: &Folder<'_>) -> CpuLevel {
    let (quota, time, units) = match version {
        Version::Two => {
            let max = folder.text("cpu.max").and_then(|it| it.split_once(' '));
            let parsed = |it: &str| it.trim().parse::<u64>().ok();
            let quota = max.and_then(|(quota, period)| parsed(quota).zip(parsed(period)));
            (quota, "throttled_usec", 1e3)
        }
        Version::One => {
            let quota = folder.number("cpu.cfs_quota_us");
            (quota.zip(folder.number("cpu.cfs_period_us")), "throttled_time", 1e6)
        }
    };
    #[expect(clippy::cast_precision_loss, reason = "quotas and times stay far below 52 bits")]
    CpuLevel {
        quota_cores: quota
            .and_then(|(quota, period)| (period > 0).then(|| quota as f64 / period as f64)),
        throttled_periods: folder.stat("cpu.stat", "nr_throttled"),
        throttled_ms: folder.stat("cpu.stat", time).map(|it| it as f64 / units),
    }
}
