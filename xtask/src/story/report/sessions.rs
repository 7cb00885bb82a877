//! The seven sessions beside those of the article.

use std::fmt::Write as _;

use serde_json::Value;

use super::{
    super::{
        Told,
        seed::{CALLS, SESSIONS, STRESS},
    },
    REGISTRY, REPO, as_f64, counted, findings, found, number, percent, plain, text,
};

/// Its table of sessions.
pub(super) fn table(page: &mut String, sessions: &[Told]) {
    page.push_str(
        "## Seven sessions\n\n\
         Each cell: the article's figure, then ours. What the article calls a module is whatever its \
         processes began with, so `:proc_lib` is all of OTP; here a process is called by what it is.\n\n\
         | session | seconds | run queue at most | busiest: article | busiest here | logger's share | \
         requests/s, p95 here |\n|---|---|---|---|---|---|---|\n",
    );
    for (place, (seed, told)) in SESSIONS.iter().zip(sessions).enumerate() {
        let report = &told.report;
        let work = report.get("work").unwrap_or(&Value::Null);
        let queue = seed.run_queue.map_or("-".to_owned(), |it| it.to_string());
        let load = match (told.load.get("operations_per_second"), told.load.get("p95_ms")) {
            (Some(rate), Some(p95)) => format!("{}, {p95:.1} ms", plain(*rate)),
            _ => "-".to_owned(),
        };
        let _ = writeln!(
            page,
            "| {}. {} | {}, {:.0} | {queue}, {:.0} | {} | {} | {}, {} | {load} |",
            place + 1,
            seed.title,
            seed.seconds,
            number(report, "/window/elapsed_ms") / 1000.0,
            number(report, "/schedulers/run_queue/max"),
            seed.top,
            busiest(work),
            seed.logger,
            percent(number(work, "/logger/share")),
        );
    }
}

/// The two busiest kinds of processes, whoever observes left out.
fn busiest(work: &Value) -> String {
    let rows = work.pointer("/by_initial_call/rows").and_then(Value::as_array);
    let ours = ["erl_eval:expr/5", "erpc:execute_call/4"];
    let others = rows.into_iter().flatten().filter(|it| !ours.contains(&text(it, "name")));
    let shown: Vec<String> = others
        .take(2)
        .map(|it| format!("`{}` {}", text(it, "name"), percent(number(it, "/share"))))
        .collect();
    if shown.is_empty() { "nobody".to_owned() } else { shown.join(", ") }
}

/// Sessions 3 to 5: whether the logger is a finding, by its share.
pub(super) fn logger(page: &mut String, sessions: &[Told]) {
    page.push_str(
        "\n## The logger\n\n\
         The article found the synchronous handler at 28.5 % of the CPU, at 39.1 % with fewer lines \
         (level `warning`), and gone with `sync_mode_qlen: 1000`.\n\
         Its trap holds anywhere: raising the level makes other work smaller too, so a share can rise \
         while the node gets faster. Here:\n\n\
         | session | logger's share | requests/s | what `synchronous_logger` says |\n|---|---|---|---|\n",
    );
    for (place, told) in sessions.iter().enumerate().take(5).skip(2) {
        let said =
            findings(&told.checked).into_iter().find(|it| text(it, "rule") == "synchronous_logger");
        let said = said.map_or("nothing".to_owned(), |it| {
            let why = text(it, "why");
            let why = if why.is_empty() { text(it, "title") } else { why };
            format!("{}: {why}", text(it, "outcome"))
        });
        let _ = writeln!(
            page,
            "| {}. {} | {} | {} | {said} |",
            place + 1,
            SESSIONS.get(place).map_or("", |it| it.title),
            percent(share_of_logger(&told.report)),
            told.load.get("operations_per_second").map_or("-".to_owned(), |it| plain(*it)),
        );
    }
}

fn share_of_logger(report: &Value) -> f64 {
    number(report.get("work").unwrap_or(&Value::Null), "/logger/share")
}

/// Its stress test beside the load of session 5.
pub(super) fn stress(page: &mut String, sessions: &[Told]) {
    let Some(told) = sessions.get(4) else { return };
    page.push_str(
        "\n## The stress test\n\n| figure | article | here (session 5) |\n|---|---|---|\n",
    );
    for (title, article, name, unit) in STRESS {
        let ours = told.load.get(*name).map_or("-".to_owned(), |it| {
            // Bytes are told as the article tells them.
            let it = if *unit == " MB" { it / 1e6 } else { *it };
            format!("{}{unit}", plain(it))
        });
        let _ = writeln!(page, "| {title} | {article} | {ours} |");
    }
}

/// Sessions 6 and 7: each module's own calls, where the article counted by name and arity alone.
pub(super) fn calls(page: &mut String, sessions: &[Told]) {
    let (Some(one), Some(two)) = (sessions.get(5), sessions.get(6)) else { return };
    let shown = |told: &Told, module: &str, name: &str| {
        counted(&told.report, module, name).map_or("none".to_owned(), |it| plain(as_f64(it)))
    };
    let _ = writeln!(
        page,
        "\n## Who called what\n\n\
         Session 6, one module: `TableRegistry.get/1` 9,238 calls in ten samples in the article, {} \
         here, all of them counted.\n\n\
         Session 7, two modules. The article's tracer counted by name and arity, without the module, \
         and so found the pipeline of the repository under the registry and the registry's `get/1` \
         under the repository, which has none. Counters of the VM belong to one function of one \
         module:\n\n\
         | function | `Nexus.Repo`: article | here | `TableRegistry`: article | here |\n\
         |---|---|---|---|---|",
        shown(one, REGISTRY, "get/1")
    );
    for (name, repo, registry) in CALLS {
        let (ours, theirs) = (shown(two, REPO, name), shown(two, REGISTRY, name));
        let (repo, registry) = (plain(f64::from(repo)), plain(f64::from(registry)));
        let _ = writeln!(page, "| `{name}` | {repo} | {ours} | {registry} | {theirs} |");
    }
}

/// What the article reads from its figures, and what the rules say of session 7.
pub(super) fn numbers(page: &mut String, sessions: &[Told]) {
    let Some(told) = sessions.last() else { return };
    let counted = |name: &str| counted(&told.report, REPO, name).map_or(0.0, as_f64);
    let (all, one, writes) = (counted("all/1"), counted("one/1"), counted("insert_all/3"));
    let pipeline =
        counted("prepare_opts/2") + counted("default_options/1") + counted("prepare_query/3");
    let operations = (all + one + writes).max(1.0);
    let _ = writeln!(
        page,
        "\n## What the numbers say\n\n| question | article | here | what giulia concludes |\n|---|---|---|---|\n\
         | reads of all operations | 87 % | {} | {} |\n\
         | pipeline calls by operation | 1.38, with the registry's in both sums | {:.2} | {} |\n\
         | operations by change of database | 211 | {} | {} |\n\
         | headroom of the BEAM | run queue 1, 90 MB | run queue {:.0} (median), {:.0} MB | {} |",
        percent((all + one) / operations),
        concluded(told, "repo_reads"),
        pipeline / operations,
        concluded(told, "repo_overhead"),
        match counted("put_dynamic_repo/1") {
            switches if switches > 0.0 => plain((operations / switches).round()),
            _ => "no change".to_owned(),
        },
        concluded(told, "repo_switching"),
        number(&told.report, "/schedulers/run_queue/median"),
        memory_mb(&told.report),
        concluded(told, "waits_downstream"),
    );
    let others: Vec<&str> = found(&told.checked).iter().map(|it| text(it, "title")).collect();
    if !others.is_empty() {
        let _ = writeln!(page, "\nFound in session 7: {}.", others.join("; "));
    }
}

fn memory_mb(report: &Value) -> f64 {
    let rows = report.get("memory").and_then(Value::as_array).into_iter().flatten();
    let total = rows.into_iter().find(|it| text(it, "name") == "total");
    total.map_or(0.0, |it| number(it, "/last") / 1e6)
}

/// What a rule says of a session, in a line.
fn concluded(told: &Told, rule: &str) -> String {
    let said = findings(&told.checked).into_iter().find(|it| text(it, "rule") == rule);
    said.map_or("nothing".to_owned(), |it| {
        let why = text(it, "why");
        let title = text(it, "title");
        let more = if why.is_empty() { String::new() } else { format!(": {why}") };
        format!("{}, `{rule}`: {title}{more}", text(it, "outcome").replace('_', " "))
    })
}
