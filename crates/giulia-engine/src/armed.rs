//! Patterns that a node before OTP 27 would keep: written down before they are made, and removed
//! where a giulia of this machine left some.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use giulia_model::ArmedPattern;
use giulia_probe::{Ledger, all_armed, disarm_left, dist, leaves_patterns, still_armed};
use giulia_store::{ArmedFile, forget_armed, left_armed};
use serde::{Deserialize, Serialize};

use crate::{Clean, Error, remote::Link};

/// Something is there, and what to do about it.
pub(crate) struct Left {
    pub(crate) finding: String,
    pub(crate) fix: String,
}

/// What one arming writes down: a line of a file.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    node: String,
    /// A node that was started again has another one, and has forgotten its patterns.
    creation: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    patterns: Vec<ArmedPattern>,
    /// Functions that are another's by now, whatever the lines before say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    let_go: Vec<ArmedPattern>,
}

/// What giulias that are gone wrote down about a node.
#[derive(Debug, Default)]
struct Written {
    patterns: Vec<ArmedPattern>,
    let_go: Vec<ArmedPattern>,
}

/// The file of this process, made with the first thing that is written down.
#[derive(Debug)]
struct File {
    folder: PathBuf,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    file: Option<ArmedFile>,
    armed: Vec<ArmedPattern>,
}

/// Patterns that are listed by name.
const SHOWN_MAX: usize = 10;

/// Writes down in this folder.
pub(crate) fn ledger(folder: &Path) -> Arc<dyn Ledger> {
    Arc::new(File { folder: folder.to_owned(), open: Mutex::default() })
}

impl Ledger for File {
    fn will_arm(&self, node: &str, creation: u32, patterns: &[ArmedPattern]) -> io::Result<()> {
        let (node, patterns) = (node.to_owned(), patterns.to_vec());
        self.append(&Line { node, creation, patterns, let_go: Vec::new() })
    }

    fn let_go(&self, node: &str, creation: u32, patterns: &[ArmedPattern]) -> io::Result<()> {
        let (node, let_go) = (node.to_owned(), patterns.to_vec());
        self.append(&Line { node, creation, patterns: Vec::new(), let_go })
    }

    fn undone(&self, patterns: &[ArmedPattern]) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for pattern in patterns {
            if let Some(idx) = open.armed.iter().position(|it| it == pattern) {
                open.armed.swap_remove(idx);
            }
        }
        if open.armed.is_empty()
            && let Some(file) = open.file.take()
        {
            file.finish();
        }
    }
}

impl File {
    fn append(&self, line: &Line) -> io::Result<()> {
        let text = serde_json::to_string(line)?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = match open.file.take() {
            Some(file) => file,
            None => ArmedFile::begin(&self.folder).map_err(io::Error::other)?,
        };
        let written = file.append(&text).map_err(io::Error::other);
        open.file = Some(file);
        open.armed.extend_from_slice(&line.patterns);
        written
    }
}

impl Written {
    /// Takes in the next line of a process: what it armed again is its own again.
    fn add(&mut self, line: Line) {
        let covers = |it: &ArmedPattern, function: &ArmedPattern| {
            (&it.module, &it.kind) == (&function.module, &function.kind)
                && it.function.as_ref().is_none_or(|it| Some(it) == function.function.as_ref())
        };
        self.let_go.retain(|it| !line.patterns.iter().any(|armed| covers(armed, it)));
        self.patterns.extend(line.patterns);
        self.let_go.extend(line.let_go);
    }

    /// What of it is still there.
    async fn still_armed(&self, link: &Link) -> Result<Vec<ArmedPattern>, dist::Error> {
        let mut left = still_armed(link, &self.patterns).await?;
        left.retain(|it| !self.let_go.contains(it));
        Ok(left)
    }
}

/// Looks for what was left on a node, and removes what it may.
pub(crate) async fn clean(
    node: &str,
    link: &Link,
    folder: Option<&Path>,
    clean: Clean,
) -> Result<Result<String, Left>, Error> {
    if !leaves_patterns(link) {
        let finding = "from OTP 27 on a node undoes everything itself when giulia is gone";
        return Ok(Ok(finding.to_owned()));
    }
    let asking = |it| Error::asking(node, &it);
    let (written, files) = written_down(link, folder);
    let left = written.still_armed(link).await.map_err(asking)?;
    if clean == Clean::No {
        return Ok(if left.is_empty() {
            Ok("nothing that this machine wrote down is still armed".to_owned())
        } else {
            Err(Left {
                finding: format!("a giulia that is gone left {}", named(&left)),
                fix: format!("giulia doctor {node} --clean"),
            })
        });
    }
    let mut removed = disarm_left(link, &left).await.map_err(asking)?;
    if written.still_armed(link).await.map_err(asking)?.is_empty() {
        files.iter().for_each(forget_armed);
    }
    let mut others = all_armed(link).await.map_err(asking)?;
    if clean == Clean::Everything {
        removed = removed.saturating_add(disarm_left(link, &others).await.map_err(asking)?);
        others = all_armed(link).await.map_err(asking)?;
    }
    let counted = match removed {
        0 => "nothing was removed".to_owned(),
        1 => "removed from 1 function".to_owned(),
        many => format!("removed from {many} functions"),
    };
    Ok(if others.is_empty() {
        Ok(format!("{counted}; nothing is armed on this node's functions"))
    } else {
        Err(Left {
            finding: format!(
                "{counted}; this machine wrote nothing down about {}, which may be another tool's or a giulia's on another machine",
                named(&others)
            ),
            fix: format!("when nobody traces there: giulia doctor {node} --clean --yes"),
        })
    })
}

/// What giulias of this machine that are gone wrote down about this life of a node, and the files
/// that say nothing else.
fn written_down(link: &Link, folder: Option<&Path>) -> (Written, Vec<giulia_store::LeftFile>) {
    let peer = link.connection().peer();
    let name = peer.name.to_string();
    let (mut written, mut files) = (Written::default(), Vec::new());
    for file in folder.map(left_armed).unwrap_or_default() {
        // The last line of a process that was killed may be cut; it was not armed then.
        let lines: Vec<Line> =
            file.lines.iter().filter_map(|it| serde_json::from_str(it).ok()).collect();
        if lines.iter().all(|it| it.node == name) {
            files.push(file);
        }
        let ours = lines.into_iter().filter(|it| it.node == name && it.creation == peer.creation);
        let mut of_process = Written::default();
        ours.for_each(|it| of_process.add(it));
        written.patterns.append(&mut of_process.patterns);
        written.let_go.append(&mut of_process.let_go);
    }
    (written, files)
}

/// `3 functions: lists:seq/2 (call_count), ...`.
fn named(patterns: &[ArmedPattern]) -> String {
    let shown: Vec<String> = patterns.iter().take(SHOWN_MAX).map(ToString::to_string).collect();
    let more = if patterns.len() > SHOWN_MAX { " and more" } else { "" };
    format!("{} armed: {}{more}", count(patterns.len()), shown.join(", "))
}

fn count(n: usize) -> String {
    if n == 1 { "1 function".to_owned() } else { format!("{n} functions") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use giulia_probe::{
        Armable, AttachOptions, Counter, Keeper, KeeperOptions, Scope, Tracing, TracingOptions,
        dist,
    };
    use giulia_testkit::{Node, for_each_otp};

    use super::*;

    async fn attach(node: &Node, folder: &Path) -> Link {
        let mut target = dist::Target::new(node.name().parse().unwrap());
        target.epmd_port = node.epmd_port();
        let mut options = AttachOptions::new(dist::Config::new(dist::Cookie::new(node.cookie())));
        options.ledger = Some(ledger(folder));
        Link::attach(&target, &options).await.unwrap()
    }

    async fn trace(link: &Link, keeper: &Arc<Keeper>) -> Tracing {
        let options = TracingOptions { name: "tracing".to_owned(), sink: None };
        let tracing = Tracing::start(link, keeper, options).await.unwrap();
        let modules = ["gen_event", "ets"].map(|it| Armable::Module(it.to_owned()));
        tracing.count(&modules, &[Counter::Calls]).await.unwrap();
        let call = giulia_model::Mfa::new("gen", "call", 4);
        tracing.pattern(&call, dist::term::Term::Nil, Scope::Local).await.unwrap();
        tracing
    }

    fn armed(node: &Node) -> usize {
        node.residue().values("trace_patterns").len()
    }

    #[test]
    fn what_a_process_let_go_of_is_its_own_again_when_it_armed_it_again() {
        let pattern = |function: Option<&str>, kind: &str| ArmedPattern {
            module: "m".to_owned(),
            function: function.map(|it| (it.to_owned(), 1)),
            kind: kind.to_owned(),
            match_spec: None,
        };
        let line = |patterns: Vec<ArmedPattern>, let_go: Vec<ArmedPattern>| Line {
            node: String::new(),
            creation: 1,
            patterns,
            let_go,
        };
        let counter = |it| pattern(it, "call_count");
        let mut it = Written::default();
        it.add(line(vec![counter(None)], Vec::new()));
        it.add(line(Vec::new(), vec![counter(Some("f")), counter(Some("g"))]));
        it.add(line(vec![counter(Some("g")), pattern(None, "call_time")], Vec::new()));
        assert_eq!(it.let_go, [counter(Some("f"))]);
        it.add(line(vec![counter(None)], Vec::new()));
        assert_eq!((it.let_go.len(), it.patterns.len()), (0, 4));
    }

    #[test]
    fn what_was_left_is_told_and_removed_and_what_others_armed_is_asked_about() {
        let name = "armed::what_was_left_is_told_and_removed_and_what_others_armed_is_asked_about";
        for_each_otp(name, |otp| {
            let node = Node::builder(otp).start();
            let folder = tempfile::tempdir().unwrap();
            let folder = folder.path().join("armed");
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let written = || std::fs::read_dir(&folder).map_or(0, Iterator::count);
                let link = attach(&node, &folder).await;
                let keeper = Keeper::start(&link, &KeeperOptions::default()).await.unwrap();
                let keeper = Arc::new(keeper);
                let tracing = trace(&link, &keeper).await;
                assert_eq!(written(), usize::from(otp.release < 27));
                tracing.stop().await;
                assert_eq!((written(), armed(&node)), (0, 0));
                let tracing = trace(&link, &keeper).await;
                let look = async |clean: Clean| {
                    let link = attach(&node, &folder).await;
                    super::clean("n@h", &link, Some(&folder), clean).await.unwrap()
                };
                // A giulia that lives has left nothing.
                assert!(look(Clean::No).await.is_ok());
                node.eval("erlang:trace_pattern({inet, i, 0}, true, [call_count])");
                // One that another tool has taken for its own by now is not what we left.
                let let_go = giulia_model::Mfa::new("gen_event", "start", 0);
                tracing.let_go(std::slice::from_ref(&let_go), &[]).await.unwrap();
                let both = [keeper.custodian(), keeper.sentinel()].map(dist::term::Pid::local);
                node.eval(&format!(
                    "Both = [list_to_pid(P) || P <- {both:?}], [erlang:suspend_process(P) || P <- Both],
                     [exit(P, kill) || P <- Both], ok"
                ));
                keeper.ended().await;
                drop((tracing, keeper, link));
                tokio::time::sleep(Duration::from_millis(50)).await;
                if otp.release >= 27 {
                    assert!(look(Clean::Everything).await.is_ok());
                    return;
                }
                let n_left = armed(&node) - 2;
                assert!(n_left > 80, "{n_left}");
                let Err(left) = look(Clean::No).await else { panic!("nothing was left") };
                let told = format!("left {n_left} functions armed: ");
                assert!(left.finding.contains(&told), "{told}: {}", left.finding);
                assert!(left.finding.contains("gen_event:"), "{}", left.finding);
                let Err(left) = look(Clean::WrittenDown).await else { panic!("the other's") };
                assert!(left.finding.contains("inet:i/0 (call_count)"), "{}", left.finding);
                assert!(left.finding.contains("gen_event:start/0"), "{}", left.finding);
                assert_eq!((written(), armed(&node)), (0, 2));
                let Ok(told) = look(Clean::Everything).await else { panic!("something stays") };
                assert!(told.starts_with("removed from 2 functions;"), "{told}");
                assert_eq!(armed(&node), 0);
            });
        });
    }
}
