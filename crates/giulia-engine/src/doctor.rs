//! The walk through everything that attaching needs, stopping at the first thing that fails.

use giulia_model::{Check, CheckStatus, Doctor, GateState};
use giulia_probe::dist::{self, NameMode};

use crate::{
    Attempt, Error, ErrorKind, NodeName, armed,
    fixes::{check_of, fix},
    remote,
};

/// The document's name and version.
const SCHEMA: &str = "giulia.doctor/1";

/// The checks, in the order in which attaching needs them.
pub const CHECKS: [&str; 12] = [
    "name",
    "host",
    "epmd",
    "port",
    "tls",
    "handshake",
    "flags",
    "cookie",
    "version",
    "tracers",
    "vm_bugs",
    "leftovers",
];

/// The distribution flag `SPAWN`, which every question needs; OTP 23 and later have it.
/// <https://www.erlang.org/doc/apps/erts/erl_dist_protocol.html#distribution-flags>
const SPAWN: u64 = 1 << 32;

/// Walks through everything that attaching needs. A failure is a check, never an error.
pub async fn doctor(node: &str, clean: Clean, attempt: Attempt<'_>) -> Doctor {
    attempt.access.warn(attempt.progress);
    let mut walk = Walk { node, clean, attempt, checks: Vec::new(), gates: Vec::new() };
    // A failure is in `checks`; the steps behind it are not reached.
    let ended = walk.walk().await;
    walk.finish(ended.is_ok())
}

/// What to do about patterns that a giulia left behind, which only nodes before OTP 27 keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is nothing between")]
pub enum Clean {
    /// Say so.
    No,
    /// Remove what this machine wrote down, and say what else is armed.
    WrittenDown,
    /// Remove all that is armed on the node's functions, whoever did it.
    Everything,
}

struct Walk<'a> {
    node: &'a str,
    clean: Clean,
    attempt: Attempt<'a>,
    checks: Vec<Check>,
    gates: Vec<giulia_model::Gate>,
}

/// The walk ended early; why is in its last check.
struct Stopped;

impl Walk<'_> {
    async fn walk(&mut self) -> Result<(), Stopped> {
        let name = self.name()?;
        self.host(&name).await?;
        self.epmd(&name).await?;
        let link = self.enter(&name).await?;
        self.pass("version", format!("ERTS {}", link.erts()));
        self.tracers(&link).await?;
        self.vm_bugs(&link);
        self.leftovers(&link).await
    }

    fn name(&mut self) -> Result<NodeName, Stopped> {
        let name = match self.node.parse::<NodeName>() {
            Ok(name) => name,
            Err(error) => return Err(self.fail("name", error.to_string(), "giulia nodes")),
        };
        let word = |mode| if mode == NameMode::Long { "long" } else { "short" };
        let mode = word(name.mode());
        let ours = match self.attempt.access.name.as_ref().map(|it| it.parse::<NodeName>()) {
            None => "the node gives us ours".to_owned(),
            Some(Ok(ours)) if ours.mode() == name.mode() => format!("ours is {ours}"),
            Some(Ok(ours)) => {
                let finding = format!("{mode}, and ours is {}: {ours}", word(ours.mode()));
                let fix = format!("leave --name out, or choose a {mode} name");
                return Err(self.fail("name", finding, &fix));
            }
            Some(Err(error)) => {
                let fix = format!("leave --name out, or choose a {mode} name");
                return Err(self.fail("name", format!("ours: {error}"), &fix));
            }
        };
        self.pass("name", format!("a {mode} name; {ours}"));
        Ok(name)
    }

    async fn host(&mut self, name: &NodeName) -> Result<(), Stopped> {
        let at = self.attempt.access.at.clone();
        let host = at.as_deref().map_or(name.host(), host_of);
        let resolving = async { Ok(remote::resolve(host).await) };
        let found = match self.attempt.bounds.run("resolving the host", resolving).await {
            Ok(Ok(found)) if !found.is_empty() => found,
            Ok(Ok(_)) => return Err(self.unresolved(host, "no address")),
            Ok(Err(error)) => return Err(self.unresolved(host, &error.to_string())),
            Err(error) => return Err(self.fail_with("host", &error)),
        };
        let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
        self.pass("host", format!("{host} is {}", shown.join(", ")));
        Ok(())
    }

    fn unresolved(&mut self, host: &str, why: &str) -> Stopped {
        let fix = format!(
            "getent hosts {host}   # then correct the name, /etc/hosts, or pass --at HOST:PORT"
        );
        self.fail("host", format!("{host} does not resolve: {why}"), &fix)
    }

    async fn epmd(&mut self, name: &NodeName) -> Result<(), Stopped> {
        let Attempt { access, bounds, .. } = self.attempt;
        if let Some(at) = &access.at {
            self.skip("epmd", format!("not asked: --at {at} says where the node listens"));
            return Ok(());
        }
        let asking = remote::epmd_names(name.host(), access.epmd_port, bounds.left());
        let known = match bounds.run("asking EPMD", asking).await {
            Ok(known) => known,
            Err(error) => return Err(self.fail_with("epmd", &error)),
        };
        if let Some((alive, port)) = known.iter().find(|(alive, _)| alive == name.alive()) {
            self.pass("epmd", format!("port {} knows {alive}: port {port}", access.epmd_port));
            return Ok(());
        }
        let names: Vec<&str> = known.iter().map(|(alive, _)| alive.as_str()).collect();
        let names = if names.is_empty() { "no node".to_owned() } else { names.join(", ") };
        let finding = format!("port {} knows {names}, not {}", access.epmd_port, name.alive());
        Err(self.fail("epmd", finding, &format!("giulia nodes {}", name.host())))
    }

    /// Port, TLS, handshake, flags and cookie show in one dial: a second one could come before the
    /// node has let go of the name that it gave us, and then it makes up and remembers another.
    async fn enter(&mut self, name: &NodeName) -> Result<remote::Link, Stopped> {
        let Attempt { access, bounds, progress, .. } = self.attempt;
        let cookie = match access.cookie.read(progress) {
            Ok(cookie) => cookie,
            Err(error) => {
                // What can be told without a cookie is told before that.
                self.knock(name).await?;
                return Err(self.fail_with("cookie", &error));
            }
        };
        let attaching = remote::attach(self.node, access, cookie, bounds.left());
        let error = match bounds.run("attaching", attaching).await {
            Ok(link) => {
                let peer = link.connection().peer();
                self.reached("handshake");
                self.greeted(name, &peer.name, Some(peer.flags))?;
                self.pass("cookie", "accepted, and so was the node's by us".to_owned());
                return Ok(link);
            }
            Err(error) => error,
        };
        if is_about_names(error.kind()) {
            // Who else answers there shows only to who does not ask for a name.
            self.knock(name).await?;
        }
        if check_of(error.kind()) == Some("cookie") {
            self.reached("handshake");
            self.greeted(name, name, None)?;
        }
        Err(self.fail_with("port", &error))
    }

    /// Who is there and what it can do, by a dial that stops at the challenge.
    async fn knock(&mut self, name: &NodeName) -> Result<(), Stopped> {
        let Attempt { access, bounds, .. } = self.attempt;
        let knocking = remote::knock(self.node, access, bounds.left());
        let knock = match bounds.run("dialling", knocking).await {
            Ok(knock) => knock,
            Err(error) => return Err(self.fail_with("port", &error)),
        };
        self.reached("handshake");
        self.greeted(name, &knock.name, Some(knock.flags))
    }

    /// Handshake and flags of a node that answered; flags that nobody told are those that it may
    /// not lack to come so far.
    fn greeted(
        &mut self,
        name: &NodeName,
        told: &NodeName,
        flags: Option<u64>,
    ) -> Result<(), Stopped> {
        if told != name {
            let finding = format!("it calls itself {told}");
            return Err(self.fail("handshake", finding, &format!("giulia doctor {told}")));
        }
        self.pass("handshake", format!("it calls itself {told}"));
        match flags {
            Some(flags) if flags & SPAWN == 0 => {
                let finding = format!("flags {flags:#x} lack SPAWN: older than OTP 23");
                return Err(self.fail("flags", finding, "upgrade the node to OTP 23 or later"));
            }
            Some(flags) => self.pass("flags", format!("{flags:#x}, all that we need")),
            None => self.pass("flags", "all that we need".to_owned()),
        }
        Ok(())
    }

    async fn tracers(&mut self, link: &remote::Link) -> Result<(), Stopped> {
        let bounds = self.attempt.bounds;
        match bounds.run("looking for tracers", remote::tracers(self.node, link)).await {
            Ok(found) if found.is_empty() => {
                let finding = "no tracing tool, session or global setting found; single processes \
                               and functions are not searched";
                self.pass("tracers", finding.to_owned());
            }
            Ok(found) => self.checks.push(Check {
                name: "tracers".to_owned(),
                status: CheckStatus::Warn,
                finding: format!("somebody traces here: {}", found.join(", ")),
                fix: Some("let it finish first: its cost shows in what giulia measures".to_owned()),
            }),
            Err(error) => return Err(self.fail_with("tracers", &error)),
        }
        Ok(())
    }

    fn vm_bugs(&mut self, link: &remote::Link) {
        self.gates = link.gates();
        let count = |state| self.gates.iter().filter(|gate| gate.state == state).count();
        let (off, limited) = (count(GateState::Off), count(GateState::Limited));
        if off + limited == 0 {
            self.pass("vm_bugs", "nothing has to be switched off on this ERTS".to_owned());
            return;
        }
        self.checks.push(Check {
            name: "vm_bugs".to_owned(),
            status: CheckStatus::Warn,
            finding: switched(off, limited),
            fix: Some("upgrade OTP to its latest patch release to have them all".to_owned()),
        });
    }

    async fn leftovers(&mut self, link: &remote::Link) -> Result<(), Stopped> {
        let Attempt { access, bounds, .. } = self.attempt;
        if access.no_eval {
            self.skip("leftovers", "not looked for with --no-eval".to_owned());
            return Ok(());
        }
        let looking = armed::clean(self.node, link, access.armed.as_deref(), self.clean);
        match bounds.run("looking for what was left", looking).await {
            Ok(Ok(finding)) => self.pass("leftovers", finding),
            Ok(Err(left)) => self.checks.push(Check {
                name: "leftovers".to_owned(),
                status: CheckStatus::Warn,
                finding: left.finding,
                fix: Some(left.fix),
            }),
            Err(error) => return Err(self.fail_with("leftovers", &error)),
        }
        Ok(())
    }

    fn finish(mut self, healthy: bool) -> Doctor {
        for name in CHECKS {
            if !self.checks.iter().any(|it| it.name == name) {
                self.skip(name, "not reached".to_owned());
            }
        }
        Doctor {
            schema: SCHEMA.to_owned(),
            node: self.node.to_owned(),
            checks: self.checks,
            gates: self.gates,
            healthy,
        }
    }

    fn pass(&mut self, name: &str, finding: String) {
        self.push(name, CheckStatus::Pass, finding, None);
    }

    fn skip(&mut self, name: &str, finding: String) {
        self.push(name, CheckStatus::Skipped, finding, None);
    }

    fn fail(&mut self, name: &str, finding: String, fix: &str) -> Stopped {
        self.push(name, CheckStatus::Fail, finding, Some(fix.to_owned()));
        Stopped
    }

    /// Files the error under the check that its phase belongs to; what came before has passed.
    fn fail_with(&mut self, during: &str, error: &Error) -> Stopped {
        let check = check_of(error.kind()).unwrap_or(during);
        self.reached(check);
        let fix = fix(error.kind(), self.node);
        let finding = if self.checks.iter().any(|it| it.name == check) {
            format!("it passed a moment ago, and then: {}", error.finding())
        } else {
            error.finding().to_owned()
        };
        self.fail(check, finding, &fix)
    }

    /// Port and TLS show only through what comes after them.
    fn reached(&mut self, check: &str) {
        let position = |name: &str| CHECKS.iter().position(|it| *it == name).unwrap_or_default();
        let plain = self.attempt.access.tls.is_none();
        let missing = |walk: &Self, name: &str| !walk.checks.iter().any(|it| it.name == name);
        if position(check) > position("port") && missing(self, "port") {
            self.pass("port", "it accepts connections".to_owned());
        }
        if position(check) > position("tls") && missing(self, "tls") {
            if plain {
                self.skip("tls", "plain TCP; --tls asks for TLS distribution".to_owned());
            } else {
                self.pass("tls", "agreed, and the certificate is trusted as asked".to_owned());
            }
        }
    }

    /// One entry for each check: a later finding takes the place of an earlier one.
    fn push(&mut self, name: &str, status: CheckStatus, finding: String, fix: Option<String>) {
        let check = Check { name: name.to_owned(), status, finding, fix };
        match self.checks.iter_mut().find(|it| it.name == name) {
            Some(earlier) => *earlier = check,
            None => self.checks.push(check),
        }
    }
}

/// Whether somebody of another name, or of the other kind of names, may have refused us.
fn is_about_names(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Node(dist::ErrorKind::HandshakeClosed | dist::ErrorKind::NameMismatch)
    )
}

/// How many features the bugs of an ERTS cost.
fn switched(off: usize, limited: usize) -> String {
    let features =
        |count| if count == 1 { "1 feature".to_owned() } else { format!("{count} features") };
    let what = match (off, limited) {
        (off, 0) => format!("switched off {}", features(off)),
        (0, limited) => format!("limited {}", features(limited)),
        (off, limited) => format!("switched off {} and limited {limited}", features(off)),
    };
    format!("for bugs of this ERTS giulia has {what}")
}

/// `db1:4000`, `[::1]:4000`: the host part.
fn host_of(at: &str) -> &str {
    let host = at.rsplit_once(':').map_or(at, |(host, _port)| host);
    host.trim_start_matches('[').trim_end_matches(']')
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Access, Bounds, Clock, CookieSource, Silent};

    #[test]
    fn a_check_that_fails_later_stands_once() {
        let access = Access {
            cookie: CookieSource::Nowhere,
            at: None,
            epmd_port: 1,
            name: None,
            tls: None,
            timeout: Duration::from_secs(1),
            no_eval: false,
            accept_vm_bug: false,
            armed: None,
            own: crate::OwnNodes::default(),
        };
        let (bounds, clock) = (Bounds::lasting(access.timeout), Clock::system());
        let attempt =
            Attempt { access: &access, bounds: &bounds, progress: &Silent, clock: &clock };
        let mut walk = Walk {
            node: "shop@db1",
            clean: Clean::No,
            attempt,
            checks: Vec::new(),
            gates: Vec::new(),
        };
        walk.reached("handshake");
        let gone = ErrorKind::Node(giulia_probe::dist::ErrorKind::NodeUnreachable);
        let Stopped = walk.fail_with("cookie", &Error::new(gone, "refused"));
        let doctor = walk.finish(false);
        let ports: Vec<_> = doctor.checks.iter().filter(|it| it.name == "port").collect();
        assert!(
            matches!(ports[..], [it] if it.status == CheckStatus::Fail && it.finding.ends_with("refused")),
            "{ports:?}"
        );
    }

    #[test]
    fn what_bugs_cost_is_counted_in_grammar() {
        assert!(switched(1, 1).ends_with("switched off 1 feature and limited 1"));
        assert!(switched(0, 1).ends_with("limited 1 feature"));
        assert!(switched(2, 0).ends_with("switched off 2 features"));
    }
}
